/** Plan and result of a run against a B2BUA as text. */
import type { B2buaLoadOptions } from './b2bua-load-options.ts';
import type { B2buaLoadResult, EngineProcessResult } from './b2bua-result.ts';
import {
  integer,
  renderMebibytes,
  renderRequests,
  renderServerCpu,
  renderTraffic,
  renderVerdict,
} from './load-report.ts';

/** What is about to run, and what to know about it; several lines, without the last end. */
export function renderB2buaPlan(options: B2buaLoadOptions, server: string): string {
  const legs = `${options.caller ?? 'RTP'} to ${options.callee ?? 'RTP'}`;
  const calls = `${integer(options.calls)} ${options.calls === 1 ? 'call' : 'calls'}`;
  const direction = { up: 'caller to callee', down: 'callee to caller', both: 'both directions' }[
    options.direction
  ];
  const load = options.setupOnly
    ? 'set up and deleted, no media'
    : `${integer(options.packetsPerSecond)} packets/s of G.711, ${direction}, ${options.seconds} s after ` +
      `${options.warmupSeconds} s of warm-up`;
  const isSameSuite = options.caller !== null && options.caller === options.callee;
  const warning = isSameSuite
    ? '\nwarning: both legs have the same suite; an engine may hand keys through (rtpengine does) and then forwards without cryptography'
    : '';
  return `${server}: ${calls}, ${legs}, ${load}${warning}`;
}

/** The final table, several lines, with its end. */
export function renderB2buaResult(result: B2buaLoadResult): string {
  const lines = [
    `engine        ${result.server.address}, ${result.caller} to ${result.callee}`,
    ...renderRequests('calls', result.setup),
    ...renderCommands(result.commands),
    ...(result.keyPassedThrough
      ? ["keys          the engine gave the caller's key to the callee: it does no cryptography"]
      : []),
    ...(result.serverProcess ? renderEngineProcess(result.serverProcess) : []),
    ...renderTraffic(result),
    ...renderVerdict(result.verdict),
  ];
  return `${lines.join('\n')}\n`;
}

function renderCommands(commands: B2buaLoadResult['commands']): string[] {
  return Object.entries(commands).flatMap(([name, { count, latencyMicroseconds: latency }]) =>
    count === 0
      ? []
      : [
          `${name.padEnd(14)}${integer(count)} answered, p50 ${integer(latency.p50)} µs, ` +
            `p99 ${integer(latency.p99)} µs, max ${integer(latency.max)} µs`,
        ],
  );
}

function renderEngineProcess(engine: EngineProcessResult): string[] {
  const cpu = renderServerCpu(engine);
  return [
    `server memory ${renderMebibytes(engine.memoryBytesBefore)}, then ${renderMebibytes(engine.memoryBytesAfter)}`,
    `server CPU    ${engine.cpuMicrosecondsPerCall.toFixed(0)} µs a call`,
    ...(cpu === undefined ? [] : [cpu]),
  ];
}
