/** Call types over the intervals that are kept. */
import type { JSX } from 'hono/jsx/jsx-runtime';
import type { IceIntervalReport, IceMetricName, IceMetricsReport } from '../../metrics/ice-metrics.ts';
import { INTERVALS_KEPT } from '../../metrics/intervals.ts';
import { type SeriesStyle, StackedBarChart } from './charts.tsx';
import { shortTime } from './formats.tsx';
import { MEANINGS } from './ice-meanings.ts';

const TYPES: readonly { readonly name: IceMetricName; readonly style: SeriesStyle }[] = [
  { name: 'hosthostcalls', style: 's0' },
  { name: 'hostsrvrflxcalls', style: 's1' },
  { name: 'hostrelaycalls', style: 's2' },
  { name: 'srvrflxsrvrflxcalls', style: 's3' },
  { name: 'srvrflxrelaycalls', style: 's4' },
  { name: 'relayrelaycalls', style: 's5' },
];

export interface CallTypesChartProps {
  readonly metrics: IceMetricsReport;
  /** Names the page that has the figures. */
  readonly isLinked?: boolean;
}

export function CallTypesChart({ metrics, isLinked = false }: CallTypesChartProps): JSX.Element {
  const { node, current, history } = metrics;
  const intervals = [current, ...history].slice(0, INTERVALS_KEPT).reverse();
  return (
    <div id="call-types">
      <StackedBarChart
        id="call-types-drawing"
        title={`Call types of ${node} over the last ${INTERVALS_KEPT} intervals`}
        description={description(intervals)}
        series={[
          ...TYPES.map(({ name, style }) => ({ label: MEANINGS[name].label, style })),
          { label: 'Not optimized', style: 's6' as const },
        ]}
        bars={intervals.map((interval) => ({
          label: shortTime(interval.startTime),
          values: [...TYPES.map(({ name }) => interval[name]), interval.b2buacalls - interval.icecalls],
        }))}
      />
      {isLinked && (
        <p class="note">
          <a
            href={`/ice-metrics/${encodeURIComponent(node)}`}
          >{`The figures of this chart: history of ${node}`}</a>
        </p>
      )}
    </div>
  );
}

function description(intervals: readonly IceIntervalReport[]): string {
  const sum = (name: IceMetricName): number => intervals.reduce((total, one) => total + one[name], 0);
  const types = TYPES.map(({ name }) => `${MEANINGS[name].label.toLowerCase()} ${sum(name)}`).join(', ');
  return (
    `${intervals.length} intervals, the running one last, with ${sum('b2buacalls')} connected calls, ` +
    `${sum('icecalls')} of them optimized: ${types}.`
  );
}
