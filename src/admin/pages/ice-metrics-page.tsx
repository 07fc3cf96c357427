/**
 * `/ice-metrics`: ICE passthrough metrics of the newest complete interval, or of the running one while there is none,
 * one column a node.
 */
import type { JSX } from 'hono/jsx/jsx-runtime';
import {
  figuresOf,
  ICE_METRIC_ROWS,
  type IceIntervalReport,
  type IceMetricFigures,
  type IceMetricRow,
} from '../../metrics/ice-metrics.ts';
import type { NodeIceMetrics } from '../source.ts';
import { ariaSort, ScrollRegion, type Sort, SortLink, sorted, sortHref, sortOf } from './data-table.tsx';
import { count, shortTime } from './formats.tsx';
import { CallTypesChart } from './ice-chart.tsx';
import { meaningOf } from './ice-meanings.ts';
import type { Page, PageRequest } from './page.ts';

/** @param nodes this one first */
export function iceMetricsPage(nodes: readonly NodeIceMetrics[], request: PageRequest): Page {
  return {
    title: 'ICE passthrough metrics',
    content: <IceMetrics nodes={nodes} request={request} />,
    data: [
      { href: '/ice-metrics.csv', text: 'Export to CSV' },
      { href: '/api/ice-metrics', text: 'ICE passthrough metrics of this node (JSON)' },
    ],
  };
}

interface Props {
  readonly nodes: readonly NodeIceMetrics[];
  readonly request: PageRequest;
}

const SECTIONS = ['Metrics', 'Call types', 'Advanced'] as const;
const TABLE_ID = 'metrics';
/** Key of the first column; those of nodes begin with `node-`, so that no name of a node is mistaken for it. */
const METRIC_KEY = 'metric';

function IceMetrics({ nodes, request }: Props): JSX.Element {
  const { interval } = request.query;
  const hasComplete = nodes.some(({ metrics }) => metrics?.history[0] !== undefined);
  // On their first day nodes have nothing else to show.
  const isRunning = interval === 'running' || (interval !== 'complete' && !hasComplete);
  const intervals = nodes.map(({ metrics }) => (isRunning ? metrics?.current : metrics?.history[0]));
  const [own] = nodes;
  return (
    <>
      <p id="intro">
        Which paths the media of calls took. A call counts in the interval in which it ended; N/A stands where
        no call did.
      </p>
      <ul class="choice" id="choice">
        <li>
          <a href="/ice-metrics?interval=complete" aria-current={isRunning ? undefined : 'true'}>
            Newest complete interval
          </a>
        </li>
        <li>
          <a href="/ice-metrics?interval=running" aria-current={isRunning ? 'true' : undefined}>
            Running interval so far
          </a>
        </li>
        <li>
          <a href="/ice-metrics.csv" download>
            Export to CSV
          </a>
        </li>
      </ul>
      <MetricsTable nodes={nodes} request={request} intervals={intervals} isRunning={isRunning} />
      {own?.metrics && <CallTypesChart metrics={own.metrics} isLinked />}
    </>
  );
}

interface TableProps extends Props {
  /** Of each node; undefined: none is complete yet, or it did not answer. */
  readonly intervals: readonly (IceIntervalReport | undefined)[];
  readonly isRunning: boolean;
}

function MetricsTable({ nodes, request, intervals, isRunning }: TableProps): JSX.Element {
  const sort = sortOf(request, [METRIC_KEY, ...nodes.map(({ node }) => `node-${node}`)]);
  return (
    <ScrollRegion id={TABLE_ID}>
      <table>
        <caption id={`${TABLE_ID}-caption`}>
          {isRunning ? 'The running interval of each node' : 'The newest complete interval of each node'}
        </caption>
        <thead>
          <tr>
            <SortHeader name={METRIC_KEY} sort={sort} request={request}>
              Metric
            </SortHeader>
            {nodes.map(({ node }) => (
              <SortHeader name={`node-${node}`} sort={sort} request={request} isNumeric>
                {node}
              </SortHeader>
            ))}
          </tr>
          <tr>
            <th scope="row">Interval (UTC)</th>
            {nodes.map((node, i) => (
              <td class="number">
                <IntervalTimes node={node} interval={intervals[i]} />
              </td>
            ))}
          </tr>
        </thead>
        {SECTIONS.map((section) => (
          <tbody>
            <tr class="section">
              <th scope="rowgroup" colspan={nodes.length + 1}>
                {section}
              </th>
            </tr>
            {sortedRows(section, sort, nodes, intervals).map((row) => (
              <MetricRow row={row} intervals={intervals} />
            ))}
          </tbody>
        ))}
      </table>
    </ScrollRegion>
  );
}

function IntervalTimes(props: {
  node: NodeIceMetrics;
  interval: IceIntervalReport | undefined;
}): JSX.Element {
  const { node, interval } = props;
  if (!node.metrics) return <span class="tag bad">no answer</span>;
  return (
    <>
      {interval ? (
        <>
          <time datetime={interval.startTime}>{shortTime(interval.startTime)}</time>
          <br />
          {'to '}
          <time datetime={interval.endTime}>{shortTime(interval.endTime)}</time>
        </>
      ) : (
        `the first ends ${shortTime(node.metrics.current.endTime)}`
      )}
      <br />
      <a href={`/ice-metrics/${encodeURIComponent(node.node)}`} aria-label={`History of ${node.node}`}>
        History
      </a>
    </>
  );
}

function MetricRow(props: {
  row: IceMetricRow;
  intervals: readonly (IceIntervalReport | undefined)[];
}): JSX.Element {
  const { row, intervals } = props;
  return (
    <tr class="metric">
      <th scope="row">
        {row.label}
        <small>{meaningOf(row.label)}</small>
      </th>
      {intervals.map((interval) => (
        <td class="number">
          <Figures figures={interval && figuresOf(row, interval)} hasShare={row.shareOf !== undefined} />
        </td>
      ))}
    </tr>
  );
}

function Figures(props: { figures: IceMetricFigures | undefined; hasShare: boolean }): JSX.Element {
  const { figures, hasShare } = props;
  if (!figures || figures.count === null) return <span class="plain">N/A</span>;
  return (
    <>
      {count(figures.count)}
      {hasShare && (
        <span class="share">{` (${figures.percent === null ? 'N/A' : `${figures.percent} %`})`}</span>
      )}
    </>
  );
}

interface SortHeaderProps {
  readonly name: string;
  readonly sort: Sort | undefined;
  readonly request: PageRequest;
  readonly isNumeric?: boolean;
  readonly children?: string;
}

function SortHeader({ name, sort, request, isNumeric = false, children }: SortHeaderProps): JSX.Element {
  const order = sort?.key === name ? sort.order : undefined;
  return (
    <th scope="col" class={isNumeric ? 'number' : undefined} aria-sort={ariaSort(order)}>
      <SortLink href={sortHref(request, { key: name, isNumeric }, sort, TABLE_ID)} order={order}>
        {children}
      </SortLink>
    </th>
  );
}

/** Sections stay in their order. */
function sortedRows(
  section: (typeof SECTIONS)[number],
  sort: Sort | undefined,
  nodes: readonly NodeIceMetrics[],
  intervals: readonly (IceIntervalReport | undefined)[],
): readonly IceMetricRow[] {
  const rows = ICE_METRIC_ROWS.filter((row) => row.section === section);
  if (!sort) return rows;
  if (sort.key === METRIC_KEY) return sorted(rows, sort.order, ({ label }) => label);
  const interval = intervals[nodes.findIndex(({ node }) => `node-${node}` === sort.key)];
  return sorted(rows, sort.order, (row) => (interval ? figuresOf(row, interval).count : null));
}
