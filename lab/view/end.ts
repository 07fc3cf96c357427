/** What stands below the table when a run is over: metrics, verdict, and what to do next. Lines may be long. */
import type { LabEvent, LabResult } from '../events.ts';
import type { Paint } from './colours.ts';
import { oneLine } from './columns.ts';
import type { Afterwards } from './output.ts';

export type MetricsEvent = Extract<LabEvent, { event: 'metrics' }>;

/** Shown even where they are 0; labels as on the page. */
const CALL_TYPE_LABELS: readonly string[] = [
  ...['Host to host', 'Host to server reflexive', 'Host to relay'],
  ...['Server reflexive to server reflexive', 'Server reflexive to relay', 'Relay to relay'],
];

/**
 * @param metrics null: the media plane has none
 * @param afterwards what becomes of nodes and pages
 */
export function endLines(
  result: LabResult,
  metrics: MetricsEvent | null,
  afterwards: Afterwards,
  paint: Paint,
): string[] {
  return [
    ...(metrics ? [...metricsLines(metrics, paint), ''] : []),
    ...verdictLines(result, paint),
    '',
    ...nextLines(result, afterwards, paint),
  ];
}

export function metricsLines({ startTime, endTime, rows }: MetricsEvent, paint: Paint): string[] {
  const shown = rows.filter(({ label, value }) => value !== 0 || CALL_TYPE_LABELS.includes(label));
  const labelWidth = Math.max(0, ...shown.map(({ label }) => label.length));
  const valueWidth = Math.max(0, ...shown.map(({ value }) => String(value).length));
  return [
    paint('heading', `ICE metrics, ${minute(startTime)} to ${minute(endTime)} UTC`),
    ...shown.map(({ label, value }) => {
      const line = `  ${label.padEnd(labelWidth)}  ${String(value).padStart(valueWidth)}`;
      return paint(value === 0 ? 'secondary' : 'plain', line);
    }),
  ];
}

/** How many calls took the expected path, and whatever else is wrong. */
export function verdictLines({ calls, problems }: LabResult, paint: Paint): string[] {
  const onPath = calls.filter(({ got, expected }) => got === expected).length;
  const verdict = `${onPath} of ${calls.length} calls took the expected path`;
  if (problems.length === 0 && calls.every(({ isRight }) => isRight === true))
    return [paint('right', verdict)];
  const wrong = calls.filter(({ isRight }) => isRight !== true).length;
  const rest =
    wrong === 0 ? 'but not all is right' : wrong === 1 ? '1 call is wrong' : `${wrong} calls are wrong`;
  return [paint('wrong', `${verdict}, ${rest}`), ...problems.map((problem) => `  ${oneLine(problem)}`)];
}

/** At most 12 lines. */
export function nextLines({ pageUrl }: LabResult, afterwards: Afterwards, paint: Paint): string[] {
  const page = afterwards !== 'ends' && pageUrl !== null ? oneLine(pageUrl).replace(/\/$/, '') : null;
  const pages = [
    ['status pages', `${page}/ice-metrics`],
    ['metrics as CSV', `curl ${page}/ice-metrics.csv`],
  ] as const;
  const hints = [
    ...(page === null ? [] : pages),
    ['other NATs', 'npm run lab -- --scenario nats'],
    ['faults', 'npm run lab -- --scenario faults'],
    ['your scenario', 'npm run lab -- --scenario FILE, as lab/scenarios/example.yaml'],
    ['real peers', 'npm run lab -- --peers real'],
    ['your phone', 'npm start, on this host; then the phone’s TURN server is'],
    ['', 'turn:HOST:3478, and the SIP proxy’s rtpengine_sock'],
    ['', 'udp:127.0.0.1:2223; more in README.md'],
  ] as const;
  return [
    paint('heading', 'What to do next'),
    ...hints.map(([what, how]) => `  ${what.padEnd('metrics as CSV'.length)}  ${how}`),
    ...(afterwards === 'stays' ? ['Ctrl-C ends the lab'] : []),
  ];
}

/** `2026-03-01T10:00:00.000Z` → `2026-03-01 10:00`. */
function minute(time: string): string {
  return oneLine(time).slice(0, 16).replace('T', ' ');
}
