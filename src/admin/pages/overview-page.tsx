/** `/`: the state of the node at a glance. */
import type { JSX } from 'hono/jsx/jsx-runtime';
import type { LinkStatus } from '../call-status.ts';
import type { RatePoint } from '../rate-history.ts';
import type { NodeStatus, TrafficRates } from '../source.ts';
import { FactTable } from './data-table.tsx';
import { bitRate, count, duration, Time } from './formats.tsx';
import type { Page } from './page.ts';
import { RateChart } from './rate-chart.tsx';

export interface OverviewData {
  readonly status: NodeStatus;
  readonly traffic: TrafficRates;
  /** Bits per second from clients to peers, and from peers to clients. */
  readonly trafficHistory: readonly RatePoint[];
  readonly links: readonly LinkStatus[];
}

export function overviewPage(data: OverviewData): Page {
  return {
    title: 'Overview',
    content: <Overview {...data} />,
    data: [
      { href: '/api/status', text: 'Status (JSON)' },
      { href: '/api/credentials', text: 'Users (JSON)' },
    ],
  };
}

function Overview({ status, traffic, trafficHistory, links }: OverviewData): JSX.Element {
  const media = links.reduce((sum, link) => sum + link.bitsPerSecondReceived, 0);
  const relayed = traffic.bitsPerSecondClientToPeer + traffic.bitsPerSecondPeerToClient;
  const { workers } = status;
  return (
    <>
      <dl class="tiles">
        <Tile name="Active calls" value={count(status.b2bua.activeCalls)} />
        <Tile name="Active TURN relays" value={count(status.turn.activeRelays)} />
        <Tile name="Media through the B2BUA" value={bitRate(media)} />
        <Tile name="Media through TURN" value={bitRate(relayed)} />
      </dl>
      <div class="columns">
        <FactTable
          id="turn"
          caption="TURN server"
          facts={[
            ['State', <State isActive={status.turn.state === 'active'} />],
            ['Active clients', count(status.turn.activeClients)],
            ['Active relays', <a href="/turn-relays">{count(status.turn.activeRelays)}</a>],
          ]}
        />
        <FactTable
          id="b2bua"
          caption="B2BUA"
          facts={[
            ['State', <State isActive={status.b2bua.state === 'active'} />],
            ['Active calls', <a href="/calls">{count(status.b2bua.activeCalls)}</a>],
            ['SRTP by', cryptoText(status)],
          ]}
        />
        <FactTable
          id="relayed"
          caption={`Relayed data now (average of ${traffic.windowSeconds.toFixed(0)} s)`}
          facts={[
            [
              'Clients to peers',
              rate(traffic.packetsPerSecondClientToPeer, traffic.bitsPerSecondClientToPeer),
            ],
            [
              'Peers to clients',
              rate(traffic.packetsPerSecondPeerToClient, traffic.bitsPerSecondPeerToClient),
            ],
          ]}
        />
        <FactTable
          id="node"
          caption="Node"
          facts={[
            ['Version', status.version],
            ['Engine', `${status.engine}, ${count(workers)} ${workers === 1 ? 'worker' : 'workers'}`],
            ['Started (UTC)', <Time value={status.startTime} />],
            ['Up for', duration(status.uptimeSeconds)],
          ]}
        />
      </div>
      <RateChart
        id="relayed-chart"
        title="Relayed by TURN, last 10 minutes"
        what="Data relayed by TURN"
        labels={['clients to peers', 'peers to clients']}
        history={trafficHistory}
        columns={[0, 1]}
      />
    </>
  );
}

function Tile({ name, value }: { name: string; value: string }): JSX.Element {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

export function State({ isActive }: { isActive: boolean }): JSX.Element {
  return <span class={`tag ${isActive ? 'good' : 'plain'}`}>{isActive ? 'Active' : 'Inactive'}</span>;
}

function cryptoText({ b2bua }: NodeStatus): string {
  if (b2bua.crypto === null) return 'no calls here';
  return b2bua.crypto === 'openssl' ? 'OpenSSL' : 'node:crypto (slower)';
}

function rate(packetsPerSecond: number, bitsPerSecond: number): string {
  return `${count(packetsPerSecond)} packets/s, ${(bitsPerSecond / 1e6).toFixed(2)} Mbit/s`;
}
