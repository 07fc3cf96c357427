/** `/turn-relays`: who uses the TURN server for what, as Status > TURN relay usage. */
import type { JSX } from 'hono/jsx/jsx-runtime';
import type { TurnRelayStatus, TurnStatus } from '../source.ts';
import { type Column, DataTable, FactTable } from './data-table.tsx';
import { count, duration } from './formats.tsx';
import { State } from './overview-page.tsx';
import type { Page, PageRequest } from './page.ts';

export function turnRelaysPage(turn: TurnStatus, request: PageRequest): Page {
  return {
    title: 'TURN relay usage',
    content: <TurnRelays turn={turn} request={request} />,
    data: [{ href: '/api/turn', text: 'TURN relays (JSON)' }],
  };
}

type Relay = TurnRelayStatus;

/** Media destinations that are shown as they are; more have to be opened. */
const LINES_MAX = 2;

const COLUMNS: readonly Column<Relay>[] = [
  {
    key: 'client',
    label: 'Client',
    isRowHeader: true,
    cell: ({ client }) => <span class="address">{client.address}</span>,
    sortBy: ({ client }) => client.address,
  },
  {
    key: 'protocol',
    label: 'Protocol',
    cell: ({ client }) => client.protocol.toUpperCase(),
    sortBy: ({ client }) => client.protocol,
  },
  { key: 'user', label: 'User', cell: ({ user }) => user || '–', sortBy: ({ user }) => user },
  {
    key: 'relay',
    label: 'Relay address',
    cell: ({ relayAddress, additionalRelayAddress }) => (
      <Lines entries={[relayAddress, additionalRelayAddress ?? []].flat()} />
    ),
    sortBy: ({ relayAddress }) => relayAddress,
  },
  {
    key: 'peers',
    label: 'Media destinations',
    cell: ({ id, peers }) =>
      peers.length > LINES_MAX ? <Listed id={`peers-${id}`} entries={peers} /> : <Lines entries={peers} />,
    sortBy: ({ peers }) => peers.length,
  },
  {
    key: 'permissions',
    label: 'Permissions',
    cell: ({ id, permissions }) => (
      <Listed
        id={`permissions-${id}`}
        entries={permissions.map((one) => `${one.address}, ${duration(one.expiresInSeconds)} left`)}
      />
    ),
    sortBy: ({ permissions }) => permissions.length,
  },
  {
    key: 'channels',
    label: 'Channels',
    cell: ({ id, channels }) => (
      <Listed
        id={`channels-${id}`}
        entries={channels.map(
          ({ number, peer, expiresInSeconds }) =>
            `0x${number.toString(16).toUpperCase()} to ${peer}, ${duration(expiresInSeconds)} left`,
        )}
      />
    ),
    sortBy: ({ channels }) => channels.length,
  },
  counter('requests', 'Requests', ({ counters }) => counters.requests),
  counter('success', 'Success responses', ({ counters }) => counters.successResponses),
  counter('error', 'Error responses', ({ counters }) => counters.errorResponses),
  counter('from-client', 'Packets from client', ({ counters }) => counters.packetsFromClient),
  counter('to-client', 'Packets to client', ({ counters }) => counters.packetsToClient),
  counter('dropped', 'Dropped', ({ counters }) => counters.packetsDropped),
  {
    key: 'expires',
    label: 'Expires in',
    isNumeric: true,
    cell: ({ expiresInSeconds }) => duration(expiresInSeconds),
    sortBy: ({ expiresInSeconds }) => expiresInSeconds,
  },
];

function TurnRelays({ turn, request }: { turn: TurnStatus; request: PageRequest }): JSX.Element {
  const { relays, relaysTotal } = turn;
  return (
    <>
      <div class="columns">
        <FactTable
          id="turn"
          caption="TURN server"
          facts={[
            ['State', <State isActive={turn.state === 'active'} />],
            ['Authentication realm', turn.realm],
            ['Active clients', count(turn.activeClients)],
            ['Active relays', count(turn.activeRelays)],
          ]}
        />
        <FactTable
          id="listeners"
          caption="Requests are heard on"
          facts={turn.listeners.map(({ protocol, address, port }) => [
            protocol.toUpperCase(),
            <span class="address">
              {address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`}
            </span>,
          ])}
        />
      </div>
      <DataTable
        id="relays"
        caption="Relays and their clients"
        columns={COLUMNS}
        rows={relays}
        rowKey={({ id }) => id}
        request={request}
        empty="No client has a relay at the moment."
      />
      {relaysTotal > relays.length && (
        <p class="note" id="more">
          {`These are ${count(relays.length)} of ${count(relaysTotal)} relays. `}
          <a href={`/api/turn?limit=${relaysTotal}`}>All of them (JSON)</a>
        </p>
      )}
      <div class="columns">
        <Counters id="drops" caption="Dropped, by reason" counters={turn.drops} />
        <Counters id="auth" caption="Refused credentials, by reason" counters={turn.authFailures} />
      </div>
    </>
  );
}

function Counters(props: {
  id: string;
  caption: string;
  counters: Readonly<Record<string, number>>;
}): JSX.Element {
  const facts = Object.entries(props.counters).map(
    ([name, value]) => [name.replaceAll('_', ' '), count(value)] as const,
  );
  return (
    <FactTable id={props.id} caption={props.caption} facts={facts.length > 0 ? facts : [['None', '0']]} />
  );
}

/** How many there are, which opens to what they are. */
function Listed({ id, entries }: { id: string; entries: readonly string[] }): JSX.Element {
  if (entries.length === 0) return <>0</>;
  return (
    <details id={id}>
      <summary>{count(entries.length)}</summary>
      <ul>
        {entries.map((entry) => (
          <li>{entry}</li>
        ))}
      </ul>
    </details>
  );
}

function Lines({ entries }: { entries: readonly string[] }): JSX.Element {
  if (entries.length === 0) return <>none</>;
  return (
    <>
      {entries.map((entry, i) => (
        <>
          {i > 0 && <br />}
          <span class="address">{entry}</span>
        </>
      ))}
    </>
  );
}

function counter(key: string, label: string, valueIn: (relay: Relay) => number): Column<Relay> {
  return { key, label, isNumeric: true, cell: (relay) => count(valueIn(relay)), sortBy: valueIn };
}
