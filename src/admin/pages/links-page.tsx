/** `/links`: present bandwidth of each zone, as Status > Bandwidth > Links. */
import type { JSX } from 'hono/jsx/jsx-runtime';
import type { LinkStatus } from '../call-status.ts';
import type { RatePoint } from '../rate-history.ts';
import { type Column, DataTable } from './data-table.tsx';
import { bitRate, byteCount, count } from './formats.tsx';
import type { Page, PageRequest } from './page.ts';
import { RateChart } from './rate-chart.tsx';

export interface LinksData {
  readonly links: readonly LinkStatus[];
  /** Bits per second received and sent of each link, in the order of `links`. */
  readonly history: readonly RatePoint[];
}

export function linksPage(data: LinksData, request: PageRequest): Page {
  return {
    title: 'Links',
    content: <Links {...data} request={request} />,
    data: [{ href: '/api/links', text: 'Links (JSON)' }],
  };
}

const COLUMNS: readonly Column<LinkStatus>[] = [
  {
    key: 'zone',
    label: 'Zone',
    isRowHeader: true,
    cell: ({ name }) => name,
    sortBy: ({ name }) => name,
  },
  amount('legs', 'Active legs', count, ({ activeLegs }) => activeLegs),
  rate('received', 'Received', ({ bitsPerSecondReceived }) => bitsPerSecondReceived),
  rate('sent', 'Sent', ({ bitsPerSecondSent }) => bitsPerSecondSent),
  amount('packets-received', 'Packets/s received', count, (link) => link.packetsPerSecondReceived),
  amount('packets-sent', 'Packets/s sent', count, (link) => link.packetsPerSecondSent),
  amount('total-received', 'Received since start', byteCount, ({ bytesReceived }) => bytesReceived),
  amount('total-sent', 'Sent since start', byteCount, ({ bytesSent }) => bytesSent),
];

function Links({ links, history, request }: LinksData & { request: PageRequest }): JSX.Element {
  const topMin = Math.max(0, ...history.flatMap(({ values }) => values));
  return (
    <>
      <p>
        Media of calls as it passes the B2BUA, averaged over a few seconds. It falls when ICE takes media to a
        better path. What the TURN server relays is not counted here.
      </p>
      <DataTable
        id="links"
        caption="Bandwidth of each zone"
        columns={COLUMNS}
        rows={links}
        rowKey={({ id }) => String(id)}
        request={request}
        empty="This node has no zones."
      />
      <div class="columns">
        {links.map(({ id, name }, i) => (
          <RateChart
            id={`zone-${id}`}
            title={`${name}, last 10 minutes`}
            what={`Bandwidth of zone ${name}`}
            labels={['received', 'sent']}
            history={history}
            columns={[2 * i, 2 * i + 1]}
            topMin={topMin}
          />
        ))}
      </div>
    </>
  );
}

function rate(key: string, label: string, valueIn: (link: LinkStatus) => number): Column<LinkStatus> {
  return amount(key, label, bitRate, valueIn);
}

function amount(
  key: string,
  label: string,
  text: (value: number) => string,
  valueIn: (link: LinkStatus) => number,
): Column<LinkStatus> {
  return { key, label, isNumeric: true, cell: (link) => text(valueIn(link)), sortBy: valueIn };
}
