/** Results and progress as text. */
import type { DirectionResult, ServerProcessResult, TurnLoadResult } from './result.ts';
import type { TurnLoadProgress } from './turn-load.ts';
import type { TurnLoadOptions } from './turn-load-options.ts';

const MIB = 1_048_576;

/** One line that says what is about to run. */
export function renderPlan(options: TurnLoadOptions, server: string): string {
  const relays = `${integer(options.flows)} ${options.flows === 1 ? 'relay' : 'relays'}`;
  if (options.allocateOnly) return `${server}: ${relays}, no traffic`;
  const direction = { up: 'client to peer', down: 'peer to client', both: 'both directions' }[
    options.direction
  ];
  const framing = options.mode === 'channel' ? 'ChannelData' : 'Send and Data indications';
  return (
    `${server}: ${relays}, ${framing}, ${integer(options.packetsPerSecond)} packets/s of ` +
    `${options.payloadBytes} bytes, ${direction}, ${options.seconds} s after ${options.warmupSeconds} s of warm-up`
  );
}

/** One line, without its end. */
export function renderProgress(progress: TurnLoadProgress): string {
  if ('done' in progress) return `${progress.phase}: ${integer(progress.done)} of ${integer(progress.of)}`;
  const { elapsedSeconds, ofSeconds, receivedPerSecond, sentPerSecond } = progress;
  const missing = sentPerSecond === 0 ? 0 : Math.max(0, 100 * (1 - receivedPerSecond / sentPerSecond));
  return (
    `${progress.phase} ${elapsedSeconds}/${ofSeconds} s: sent ${integer(sentPerSecond)}/s, ` +
    `received ${integer(receivedPerSecond)}/s, missing ${missing.toFixed(2)} %, ` +
    `latency p50 ${integer(progress.p50Microseconds)} µs, p99 ${integer(progress.p99Microseconds)} µs`
  );
}

/** The final table, several lines, with its end. */
export function renderResult(result: TurnLoadResult): string {
  const { allocations, generator, server, verdict } = result;
  const lines = [
    `server        ${server.address}${server.software ? ` (${server.software})` : ''}`,
    `allocations   ${integer(allocations.established)} of ${integer(allocations.requested)} in ` +
      `${allocations.seconds.toFixed(3)} s: ${integer(allocations.perSecond)}/s, ` +
      `${integer(allocations.retransmissions)} requests sent again, ` +
      `generator at ${allocations.generatorCpuPercent.toFixed(0)} % CPU` +
      (allocations.bindingsPerSecond === undefined
        ? ''
        : `; ${integer(allocations.bindingsPerSecond)} bindings/s`),
    ...allocations.failures.map((failure) => `              ${failure}`),
  ];
  if (result.serverProcess) lines.push(...renderServerProcess(result.serverProcess));
  if (result.directions.length > 0) {
    lines.push(
      `generator     ${generator.sockets} sockets, offered ${generator.offeredPercent.toFixed(2)} % of the rate, ` +
        `sent ${generator.sendLagMicrosecondsP99} µs late (p99)` +
        (generator.droppedAtOwnSockets < 0 ? ', own drops unknown' : ''),
      '',
      ...renderDirections(result.directions),
    );
  }
  lines.push('', verdictLine(result), ...verdict.reasons.map((reason) => `  - ${reason}`));
  return `${lines.join('\n')}\n`;
}

function verdictLine({ verdict }: TurnLoadResult): string {
  if (!verdict.valid) return 'NOT VALID: these figures say nothing about the server';
  return verdict.counts ? 'valid' : 'DOES NOT COUNT';
}

function renderServerProcess(server: ServerProcessResult): string[] {
  const lines = [
    `server memory ${(server.memoryBytesBefore / MIB).toFixed(1)} MiB, then ` +
      `${(server.memoryBytesAllocated / MIB).toFixed(1)} MiB: ` +
      `${integer(server.memoryBytesPerAllocation)} bytes an allocation`,
  ];
  if (server.cpuPercent !== undefined && server.cpuMicrosecondsPerPacket !== undefined) {
    lines.push(
      `server CPU    ${server.cpuPercent.toFixed(1)} % over ${server.threads} threads: ` +
        `${server.cpuMicrosecondsPerPacket.toFixed(2)} µs a relayed packet`,
    );
  } else {
    lines.push(`server CPU    ${server.cpuMicrosecondsPerAllocation.toFixed(0)} µs an allocation`);
  }
  return lines;
}

function renderDirections(directions: readonly DirectionResult[]): string[] {
  const header = [
    '',
    'sent/s',
    'received/s',
    'Mbit/s',
    'loss %',
    'late',
    'p50 µs',
    'p90 µs',
    'p99 µs',
    'max µs',
  ];
  const rows = directions.map((row) => [
    row.direction,
    integer(row.sentPacketsPerSecond),
    integer(row.receivedPacketsPerSecond),
    row.receivedMegabitsPerSecond.toFixed(1),
    row.lossPercent.toFixed(3),
    integer(row.outOfOrderPackets),
    ...Object.values(row.latencyMicroseconds).map((value) => value.toFixed(value < 100 ? 1 : 0)),
  ]);
  return [header, ...rows].map((cells) =>
    cells.map((cell, column) => (column === 0 ? cell.padEnd(4) : cell.padStart(11))).join(''),
  );
}

function integer(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}
