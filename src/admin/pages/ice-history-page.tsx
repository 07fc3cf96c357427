/** `/ice-metrics/NODE`: raw values of a node's intervals, newest first. */
import type { JSX } from 'hono/jsx/jsx-runtime';
import { ICE_METRIC_NAMES, type IceIntervalReport } from '../../metrics/ice-metrics.ts';
import type { NodeIceMetrics } from '../source.ts';
import { type Column, DataTable } from './data-table.tsx';
import { count, shortTime, Time } from './formats.tsx';
import { CallTypesChart } from './ice-chart.tsx';
import { MEANINGS } from './ice-meanings.ts';
import type { Page, PageRequest } from './page.ts';

export function iceHistoryPage(node: NodeIceMetrics, request: PageRequest): Page {
  return {
    title: `ICE passthrough metrics of ${node.node}`,
    content: <IceHistory node={node} request={request} />,
    data: [{ href: csvHref(node), text: 'Export to CSV' }],
  };
}

const COLUMNS: readonly Column<IceIntervalReport>[] = [
  {
    key: 'start',
    label: 'Start (UTC)',
    isRowHeader: true,
    cell: ({ startTime }) => <Time value={startTime} />,
    sortBy: ({ startTime }) => startTime,
  },
  {
    key: 'end',
    label: 'End (UTC)',
    cell: ({ endTime }) => <Time value={endTime} />,
    sortBy: ({ endTime }) => endTime,
  },
  ...ICE_METRIC_NAMES.map(
    (name): Column<IceIntervalReport> => ({
      key: name,
      label: name,
      isNumeric: true,
      cell: (interval) => count(interval[name]),
      sortBy: (interval) => interval[name],
    }),
  ),
];

function IceHistory({ node, request }: { node: NodeIceMetrics; request: PageRequest }): JSX.Element {
  const { metrics } = node;
  if (!metrics) {
    return (
      <p class="problem" id="silent">
        {`${node.node} did not answer. Its metrics are shown as soon as it does.`}
      </p>
    );
  }
  return (
    <>
      <ul class="choice" id="choice">
        <li>
          <a href="/ice-metrics">All nodes</a>
        </li>
        <li>
          <a href={csvHref(node)} download>
            Export to CSV
          </a>
        </li>
      </ul>
      <CallTypesChart metrics={metrics} />
      <p class="note" id="running">
        {`The running interval ends ${shortTime(metrics.current.endTime)} UTC and has ` +
          `${count(metrics.current.b2buacalls)} connected calls so far, ${count(metrics.current.icecalls)} of them optimized.`}
      </p>
      <DataTable
        id="intervals"
        caption={`Raw values of the ${count(metrics.history.length)} complete intervals, newest first`}
        columns={COLUMNS}
        rows={metrics.history}
        rowKey={({ startTime }) => startTime}
        request={request}
        empty="No interval is complete yet."
      />
      <h2>What the names mean</h2>
      <dl class="meanings">
        {ICE_METRIC_NAMES.map((name) => (
          <>
            <dt>
              <code>{name}</code>
            </dt>
            <dd>
              {MEANINGS[name].label}. <span class="plain">{MEANINGS[name].text}</span>
            </dd>
          </>
        ))}
      </dl>
    </>
  );
}

function csvHref({ node }: NodeIceMetrics): string {
  return `/ice-metrics.csv?${new URLSearchParams({ node })}`;
}
