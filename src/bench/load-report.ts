/** What the reports of all runs have in common, as text. */
import type {
  DirectionResult,
  RequestsResult,
  ServerCpuResult,
  TrafficResult,
  Verdict,
} from './load-result.ts';
import type { RunProgress } from './load-run.ts';

/** One line, without its end. */
export function renderProgress(progress: RunProgress): string {
  if ('done' in progress) return `${progress.phase}: ${integer(progress.done)} of ${integer(progress.of)}`;
  const { elapsedSeconds, ofSeconds, receivedPerSecond, sentPerSecond } = progress;
  const missing = sentPerSecond === 0 ? 0 : Math.max(0, 100 * (1 - receivedPerSecond / sentPerSecond));
  return (
    `${progress.phase} ${elapsedSeconds}/${ofSeconds} s: sent ${integer(sentPerSecond)}/s, ` +
    `received ${integer(receivedPerSecond)}/s, missing ${missing.toFixed(2)} %, ` +
    `latency p50 ${integer(progress.p50Microseconds)} µs, p99 ${integer(progress.p99Microseconds)} µs`
  );
}

/** `more`: what belongs on the same line. */
export function renderRequests(what: string, requests: RequestsResult, more = ''): string[] {
  return [
    `${what.padEnd(14)}${integer(requests.established)} of ${integer(requests.requested)} in ` +
      `${requests.seconds.toFixed(3)} s: ${integer(requests.perSecond)}/s, ` +
      `${integer(requests.retransmissions)} requests sent again, ` +
      `generator at ${requests.generatorCpuPercent.toFixed(0)} % CPU${more}`,
    ...requests.failures.map((failure) => `              ${failure}`),
  ];
}

/** Undefined where no CPU time of the window is known. */
export function renderServerCpu(
  server: Partial<ServerCpuResult> & { readonly threads: number },
): string | undefined {
  const { cpuMicrosecondsPerPacket, cpuPercent, threads } = server;
  if (cpuPercent === undefined || cpuMicrosecondsPerPacket === undefined) return undefined;
  return (
    `server CPU    ${cpuPercent.toFixed(1)} % over ${threads} ${threads === 1 ? 'thread' : 'threads'}: ` +
    `${cpuMicrosecondsPerPacket.toFixed(2)} µs a relayed packet`
  );
}

/** The generator's line and the table of directions; nothing for a run without traffic. */
export function renderTraffic({ directions, generator }: TrafficResult): string[] {
  if (directions.length === 0) return [];
  return [
    `generator     ${generator.sockets} sockets, offered ${generator.offeredPercent.toFixed(2)} % of the rate, ` +
      `sent ${generator.sendLagMicrosecondsP99} µs late (p99)` +
      (generator.droppedAtOwnSockets < 0 ? ', own drops unknown' : ''),
    '',
    ...renderDirections(directions),
  ];
}

export function renderVerdict(verdict: Verdict): string[] {
  let line = verdict.counts ? 'valid' : 'DOES NOT COUNT';
  if (!verdict.valid) line = 'NOT VALID: these figures say nothing about the server';
  return ['', line, ...verdict.reasons.map((reason) => `  - ${reason}`)];
}

export function renderMebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

/** With thousands separated. */
export function integer(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

function renderDirections(directions: readonly DirectionResult[]): string[] {
  const header = ['', 'sent/s', 'received/s', 'Mbit/s', 'loss %', 'late', 'twice'];
  const rows = directions.map((row) => [
    row.direction,
    integer(row.sentPacketsPerSecond),
    integer(row.receivedPacketsPerSecond),
    row.receivedMegabitsPerSecond.toFixed(1),
    row.lossPercent.toFixed(3),
    integer(row.outOfOrderPackets),
    integer(row.duplicatePackets),
    ...Object.values(row.latencyMicroseconds).map((value) => value.toFixed(value < 100 ? 1 : 0)),
  ]);
  return [[...header, 'p50 µs', 'p90 µs', 'p99 µs', 'max µs'], ...rows].map((cells) =>
    cells.map((cell, column) => (column === 0 ? cell.padEnd(4) : cell.padStart(11))).join(''),
  );
}
