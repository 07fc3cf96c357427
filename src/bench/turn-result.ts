/** What a run of the TURN load generator found, as it is printed and written as JSON, and whether it counts. */
import { formatEndpoint } from '../wire/address.ts';
import {
  judge,
  perSecond,
  type RequestsResult,
  requestsResult,
  type ServerCpuResult,
  type ServerSample,
  serverCpuResult,
  type TrafficResult,
  trafficResult,
  type Verdict,
} from './load-result.ts';
import type { LoadMeasurement } from './load-run.ts';
import type { RequestTally } from './request-window.ts';
import { processThreads } from './server-process.ts';
import type { TurnLoadOptions } from './turn-load-options.ts';

/** The time includes the challenge for credentials. */
export interface AllocationResult extends RequestsResult {
  /** Channels bound or permissions installed a second; absent with `--allocate-only`. */
  readonly bindingsPerSecond?: number;
}

/** The server's process, if its id was given. */
export interface ServerProcessResult extends Partial<ServerCpuResult> {
  readonly pid: number;
  readonly threads: number;
  readonly memoryBytesBefore: number;
  readonly memoryBytesAllocated: number;
  readonly memoryBytesPerAllocation: number;
  readonly cpuMicrosecondsPerAllocation: number;
}

export interface TurnLoadResult extends TrafficResult {
  readonly startedAt: string;
  readonly server: { readonly address: string; readonly software: string | null };
  readonly flows: number;
  readonly mode: 'channel' | 'indication';
  readonly direction: 'up' | 'down' | 'both';
  readonly payloadBytes: number;
  readonly packetsPerSecond: number;
  readonly warmupSeconds: number;
  /** The measured window; 0 with `--allocate-only`. */
  readonly seconds: number;
  readonly allocations: AllocationResult;
  readonly serverProcess: ServerProcessResult | null;
  readonly interrupted: boolean;
  readonly verdict: Verdict;
}

/** Everything that a run has collected. */
export interface RunFindings {
  readonly options: TurnLoadOptions;
  readonly startedAt: Date;
  readonly software: string | undefined;
  readonly sockets: 'linux' | 'portable';
  readonly allocations: Readonly<RequestTally>;
  /** CPU time that the generator took for them. */
  readonly allocatingCpuSeconds: number;
  readonly bindings: Readonly<RequestTally> | undefined;
  readonly load: LoadMeasurement | undefined;
  /** Before the first allocation, and with all of them. */
  readonly before: ServerSample | undefined;
  readonly allocated: ServerSample | undefined;
  readonly interrupted: boolean;
}

/** Puts findings into figures, and judges them. */
export function assembleResult(findings: RunFindings): TurnLoadResult {
  const { load, options } = findings;
  const traffic = trafficResult(options, findings.sockets, load);
  const result = {
    startedAt: findings.startedAt.toISOString(),
    server: {
      address: formatEndpoint(options.serverAddress, options.serverPort),
      software: findings.software ?? null,
    },
    flows: options.flows,
    mode: options.mode,
    direction: options.direction,
    payloadBytes: options.payloadBytes,
    packetsPerSecond: options.packetsPerSecond,
    warmupSeconds: options.warmupSeconds,
    seconds: load?.seconds ?? 0,
    allocations: allocationResult(findings),
    ...traffic,
    serverProcess: serverProcessResult(findings, traffic),
    interrupted: findings.interrupted,
  };
  const { failed, requested } = result.allocations;
  const flaws = failed > 0 ? [`${failed} of ${requested} allocations failed`] : [];
  return { ...result, verdict: judge(result, result.allocations, flaws) };
}

function allocationResult({
  allocatingCpuSeconds,
  allocations,
  bindings,
  options,
}: RunFindings): AllocationResult {
  const result = requestsResult(options.flows, allocations, allocatingCpuSeconds);
  return bindings ? { ...result, bindingsPerSecond: perSecond(bindings) } : result;
}

function serverProcessResult(findings: RunFindings, traffic: TrafficResult): ServerProcessResult | null {
  const { allocated, allocations, before, load, options } = findings;
  if (options.serverPid === null || !before || !allocated) return null;
  const count = Math.max(1, allocations.done);
  return {
    pid: options.serverPid,
    threads: processThreads(options.serverPid),
    memoryBytesBefore: before.memoryBytes,
    memoryBytesAllocated: allocated.memoryBytes,
    memoryBytesPerAllocation: Math.round((allocated.memoryBytes - before.memoryBytes) / count),
    cpuMicrosecondsPerAllocation: ((allocated.cpuSeconds - before.cpuSeconds) * 1e6) / count,
    ...serverCpuResult(load, traffic),
  };
}
