/**
 * Charts as inline SVG, drawn by the server. The drawing stretches to the width there is; its texts are HTML around
 * it, so that they stay readable on a phone. Colours alone say nothing: a legend, a title of each part and a table on
 * the page say the same.
 */
import type { JSX } from 'hono/jsx/jsx-runtime';

const WIDTH = 600;
const HEIGHT = 160;

export interface ChartText {
  /** Of the element; unique on the page. */
  readonly id: string;
  readonly title: string;
  /** What is to be seen, in a sentence, for those who do not see it. */
  readonly description: string;
}

export interface BarChartProps extends ChartText {
  readonly series: readonly { readonly label: string; readonly style: SeriesStyle }[];
  /** From left to right, at least one; as many values as there are series, 0 or more, drawn from the bottom up. */
  readonly bars: readonly { readonly label: string; readonly values: readonly number[] }[];
}

/** There is room for so many bars: a few are not drawn broad as walls. */
const BARS_MIN = 20;

/** Colours of `style.ts`. */
export type SeriesStyle = 's0' | 's1' | 's2' | 's3' | 's4' | 's5' | 's6';

export function StackedBarChart(props: BarChartProps): JSX.Element {
  const { series, bars } = props;
  const top = ceiling(
    Math.max(0, ...bars.map(({ values }) => values.reduce((sum, value) => sum + value, 0))),
  );
  const step = WIDTH / Math.max(BARS_MIN, bars.length);
  return (
    <figure class="chart">
      <figcaption>
        <strong>{props.title}</strong>
        <ul class="legend">
          {series.map(({ label, style }) => (
            <li>
              <Swatch style={style} />
              {label}
            </li>
          ))}
        </ul>
      </figcaption>
      <Plot {...props} top={String(top)} left={`from ${bars[0]?.label}`} right={`to ${bars.at(-1)?.label}`}>
        {bars.map(({ label, values }, i) => (
          <Bar
            label={label}
            values={values}
            series={series}
            x={WIDTH - (bars.length - i) * step}
            width={step * 0.8}
            top={top}
          />
        ))}
      </Plot>
    </figure>
  );
}

export interface LineChartProps extends ChartText {
  readonly series: readonly {
    readonly label: string;
    readonly style: SeriesStyle;
    readonly isDashed: boolean;
    /** One each of `times`; 0 or more. */
    readonly values: readonly number[];
  }[];
  /** Any unit, rising. */
  readonly times: readonly number[];
  /** Span of time that is drawn, in the unit of `times`; the newest is at the right. */
  readonly span: number;
  readonly left: string;
  readonly right: string;
  /** Values are drawn up to this, or up to the highest if that is higher. */
  readonly topMin: number;
  /** Of the value at the top. */
  format(value: number): string;
}

export function LineChart(props: LineChartProps): JSX.Element {
  const { series, times, span } = props;
  const top = ceiling(Math.max(props.topMin, ...series.flatMap(({ values }) => values)));
  const newest = times.at(-1) ?? 0;
  const points = (values: readonly number[]): string =>
    values
      .map((value, i) => {
        const x = WIDTH * (1 - (newest - (times[i] ?? newest)) / span);
        return `${x.toFixed(1)},${(HEIGHT * (1 - value / top)).toFixed(1)}`;
      })
      .join(' ');
  return (
    <figure class="chart">
      <figcaption>
        <strong>{props.title}</strong>
        <ul class="legend">
          {series.map(({ label, style, isDashed }) => (
            <li>
              <Swatch style={style} line={isDashed ? 'dashed' : 'solid'} />
              {label}
            </li>
          ))}
        </ul>
      </figcaption>
      <Plot {...props} top={props.format(top)}>
        {series.map(({ style, isDashed, values }) => (
          <polyline class={`line ${style}${isDashed ? ' dashed' : ''}`} points={points(values)} />
        ))}
      </Plot>
    </figure>
  );
}

/** The next round number: nothing but zeros after its first digit or two. @param value 0 or more */
export function ceiling(value: number): number {
  if (value <= 1) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return (ROUND.find((factor) => factor * power >= value && Number.isInteger(factor * power)) ?? 10) * power;
}

const ROUND = [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8] as const;

interface PlotProps extends ChartText {
  readonly top: string;
  readonly left: string;
  readonly right: string;
  readonly children?: unknown;
}

function Plot({ id, title, description, top, left, right, children }: PlotProps): JSX.Element {
  return (
    <div class="plot">
      <span class="top" aria-hidden="true">
        {top}
      </span>
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-labelledby={`${id}-title ${id}-description`}
      >
        <title id={`${id}-title`}>{title}</title>
        <desc id={`${id}-description`}>{description}</desc>
        {[0, 0.5, 1].map((part) => (
          <line class="grid" x1="0" x2={WIDTH} y1={part * HEIGHT} y2={part * HEIGHT} />
        ))}
        {children}
      </svg>
      <span class="left" aria-hidden="true">
        {left}
      </span>
      <span class="right" aria-hidden="true">
        {right}
      </span>
    </div>
  );
}

interface BarProps {
  readonly label: string;
  readonly values: readonly number[];
  readonly series: BarChartProps['series'];
  readonly x: number;
  readonly width: number;
  readonly top: number;
}

function Bar({ label, values, series, x, width, top }: BarProps): JSX.Element {
  let below = 0;
  return (
    <g>
      {values.map((value, i) => {
        if (value === 0) return null;
        below += value;
        const part = series[i];
        return (
          <rect
            class={`bar ${part?.style ?? ''}`}
            x={x.toFixed(1)}
            y={(HEIGHT * (1 - below / top)).toFixed(1)}
            width={width.toFixed(1)}
            height={((HEIGHT * value) / top).toFixed(1)}
          >
            <title>{`${label}: ${value} ${part?.label ?? ''}`}</title>
          </rect>
        );
      })}
    </g>
  );
}

function Swatch({ style, line }: { style: SeriesStyle; line?: 'solid' | 'dashed' }): JSX.Element {
  return (
    <svg class="swatch" viewBox="0 0 16 10" aria-hidden="true">
      {line === undefined ? (
        <rect class={`bar ${style}`} width="16" height="10" rx="2" />
      ) : (
        <line class={`line ${line} ${style}`} x1="0" x2="16" y1="5" y2="5" />
      )}
    </svg>
  );
}
