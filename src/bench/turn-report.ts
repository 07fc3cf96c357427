/** Plan and result of a run against a TURN server as text. */
import {
  integer,
  renderMebibytes,
  renderRequests,
  renderServerCpu,
  renderTraffic,
  renderVerdict,
} from './load-report.ts';
import type { TurnLoadOptions } from './turn-load-options.ts';
import type { ServerProcessResult, TurnLoadResult } from './turn-result.ts';

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

/** The final table, several lines, with its end. */
export function renderResult(result: TurnLoadResult): string {
  const { allocations, server } = result;
  const { bindingsPerSecond } = allocations;
  const bindings = bindingsPerSecond === undefined ? '' : `; ${integer(bindingsPerSecond)} bindings/s`;
  const lines = [
    `server        ${server.address}${server.software ? ` (${server.software})` : ''}`,
    ...renderRequests('allocations', allocations, bindings),
    ...(result.serverProcess ? renderServerProcess(result.serverProcess) : []),
    ...renderTraffic(result),
    ...renderVerdict(result.verdict),
  ];
  return `${lines.join('\n')}\n`;
}

function renderServerProcess(server: ServerProcessResult): string[] {
  return [
    `server memory ${renderMebibytes(server.memoryBytesBefore)}, then ` +
      `${renderMebibytes(server.memoryBytesAllocated)}: ` +
      `${integer(server.memoryBytesPerAllocation)} bytes an allocation`,
    renderServerCpu(server) ??
      `server CPU    ${server.cpuMicrosecondsPerAllocation.toFixed(0)} µs an allocation`,
  ];
}
