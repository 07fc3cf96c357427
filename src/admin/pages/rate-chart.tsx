/** Bandwidth in two directions over the last minutes. */
import type { JSX } from 'hono/jsx/jsx-runtime';
import { RATE_POINT_MS, RATE_POINTS_MAX, type RatePoint } from '../rate-history.ts';
import { LineChart } from './charts.tsx';
import { bitRate, shortTime } from './formats.tsx';

const SPAN_MS = RATE_POINTS_MAX * RATE_POINT_MS;
/** The table beside the chart has a line a minute. */
const POINTS_A_LINE = 60_000 / RATE_POINT_MS;
/** A few packets are not drawn as a mountain. */
const TOP_MIN = 100_000;

export interface RateChartProps {
  readonly id: string;
  readonly title: string;
  /** Begins a sentence. */
  readonly what: string;
  readonly labels: readonly [string, string];
  readonly history: readonly RatePoint[];
  /** Places of the two in the values of a point. */
  readonly columns: readonly [number, number];
  /** Highest value of the axis at least; so that charts beside each other have one scale. */
  readonly topMin?: number;
}

export function RateChart(props: RateChartProps): JSX.Element {
  const { id, title, what, labels, history, columns, topMin = TOP_MIN } = props;
  const [first, second] = columns.map((place) => history.map(({ values }) => values[place] ?? 0));
  return (
    <div id={id}>
      <LineChart
        id={`${id}-drawing`}
        title={title}
        description={`${what}: ${rangeText(labels[0], first)}; ${rangeText(labels[1], second)}.`}
        series={[
          { label: labels[0], style: 's0', isDashed: false, values: first ?? [] },
          { label: labels[1], style: 's3', isDashed: true, values: second ?? [] },
        ]}
        times={history.map(({ unixMs }) => unixMs)}
        span={SPAN_MS}
        left="10 minutes ago"
        right="now"
        topMin={Math.max(topMin, TOP_MIN)}
        format={bitRate}
      />
      <details id={`${id}-figures`}>
        <summary>Figures of this chart</summary>
        <table>
          <caption>{title}</caption>
          <thead>
            <tr>
              <th scope="col">Time (UTC)</th>
              <th scope="col" class="number">
                {labels[0]}
              </th>
              <th scope="col" class="number">
                {labels[1]}
              </th>
            </tr>
          </thead>
          <tbody>
            {eachMinute(history).map(({ unixMs, values }) => (
              <tr id={`${id}-${unixMs}`}>
                <th scope="row">{shortTime(new Date(unixMs).toISOString())}</th>
                {columns.map((place) => (
                  <td class="number">{bitRate(values[place] ?? 0)}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </details>
    </div>
  );
}

function eachMinute(history: readonly RatePoint[]): RatePoint[] {
  return history.toReversed().filter((_, i) => i % POINTS_A_LINE === 0);
}

function rangeText(label: string, values: readonly number[] | undefined): string {
  if (!values || values.length === 0) return `${label} not measured yet`;
  const [lowest, highest] = [Math.min(...values), Math.max(...values)];
  return `${label} between ${bitRate(lowest)} and ${bitRate(highest)}, now ${bitRate(values.at(-1) ?? 0)}`;
}
