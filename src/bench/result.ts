/** What a run of the TURN load generator found, as it is printed and written as JSON, and whether it counts. */

import { formatEndpoint } from '../wire/address.ts';
import type { LoadMeasurement } from './load-run.ts';
import type { RequestTally } from './request-window.ts';
import { processThreads } from './server-process.ts';
import type { DirectionTally } from './traffic.ts';
import type { TurnLoadOptions } from './turn-load-options.ts';

/** Loss above this and a figure does not count. */
export const LOSS_PERCENT_MAX = 0.1;
/** Less of the wanted rate than this offered, and the run measured the generator. */
const OFFERED_PERCENT_MIN = 98;
/** A generator that was busier than this while it allocated was the limit itself. */
const ALLOCATING_CPU_PERCENT_MAX = 90;
/** Packets sent later than this, at the 99th percentile, came in bursts. */
const SEND_LAG_MICROSECONDS_MAX = 2_000;

export interface AllocationResult {
  readonly requested: number;
  readonly established: number;
  readonly failed: number;
  /** From the first request to the last answer; the challenge for credentials included. */
  readonly seconds: number;
  readonly perSecond: number;
  readonly retransmissions: number;
  /** CPU time of the generator in that time: at 100 it was the limit. */
  readonly generatorCpuPercent: number;
  /** The first few failures. */
  readonly failures: readonly string[];
  /** Channels bound or permissions installed a second; absent with `--allocate-only`. */
  readonly bindingsPerSecond?: number;
}

export interface DirectionResult {
  readonly direction: 'up' | 'down';
  readonly sentPackets: number;
  readonly receivedPackets: number;
  readonly lostPackets: number;
  readonly lossPercent: number;
  readonly outOfOrderPackets: number;
  /** Packets with the wrong content, length or destination. */
  readonly wrongPackets: number;
  readonly sentPacketsPerSecond: number;
  readonly receivedPacketsPerSecond: number;
  /** Payload alone. */
  readonly receivedMegabitsPerSecond: number;
  /** One way, through the server. */
  readonly latencyMicroseconds: Readonly<Record<'p50' | 'p90' | 'p99' | 'max', number>>;
}

export interface GeneratorResult {
  /** `linux`: FFI with kernel time stamps; `portable`: Node's dgram. */
  readonly sockets: 'linux' | 'portable';
  readonly offeredPercent: number;
  readonly sendLagMicrosecondsP99: number;
  readonly sendErrors: number;
  /** Datagrams dropped at the generator's own full sockets; -1: unknown. */
  readonly droppedAtOwnSockets: number;
}

/** The server's process, if its id was given. */
export interface ServerProcessResult {
  readonly pid: number;
  readonly threads: number;
  readonly cpuSeconds?: number;
  readonly cpuPercent?: number;
  readonly cpuMicrosecondsPerPacket?: number;
  readonly memoryBytesBefore: number;
  readonly memoryBytesAllocated: number;
  readonly memoryBytesPerAllocation: number;
  readonly cpuMicrosecondsPerAllocation: number;
}

/** Whether the figures may be used. */
export interface Verdict {
  /** False: the run says nothing about the server, since the generator was the limit or it was interrupted. */
  readonly valid: boolean;
  /** Valid, and loss is at most {@link LOSS_PERCENT_MAX}. */
  readonly counts: boolean;
  /** Why not, one sentence each. */
  readonly reasons: readonly string[];
}

export interface TurnLoadResult {
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
  readonly directions: readonly DirectionResult[];
  readonly lossPercent: number;
  readonly generator: GeneratorResult;
  readonly serverProcess: ServerProcessResult | null;
  readonly interrupted: boolean;
  readonly verdict: Verdict;
}

/** Judges a result by what it says of the generator and of loss. */
export function judge(result: Omit<TurnLoadResult, 'verdict'>): Verdict {
  const { allocations, generator, lossPercent } = result;
  const invalid: string[] = [];
  if (result.interrupted) invalid.push('the run was interrupted');
  if (generator.offeredPercent < OFFERED_PERCENT_MIN) {
    invalid.push(
      `the generator is the bottleneck: it offered ${generator.offeredPercent.toFixed(1)} % of ${result.packetsPerSecond} packets/s`,
    );
  }
  if (result.seconds === 0 && allocations.generatorCpuPercent > ALLOCATING_CPU_PERCENT_MAX) {
    invalid.push(
      `the generator is the bottleneck: it took ${allocations.generatorCpuPercent.toFixed(0)} % of a CPU to allocate`,
    );
  }
  if (generator.droppedAtOwnSockets > 0) {
    invalid.push(
      `the generator is the bottleneck: ${generator.droppedAtOwnSockets} datagrams were dropped at its own full sockets`,
    );
  }
  if (generator.sendErrors > 0) {
    invalid.push(`the generator is the bottleneck: the kernel refused ${generator.sendErrors} of its sends`);
  }
  if (generator.sendLagMicrosecondsP99 > SEND_LAG_MICROSECONDS_MAX) {
    invalid.push(
      `the generator sent in bursts: 1 % of its packets were more than ${generator.sendLagMicrosecondsP99} µs late`,
    );
  }
  const discounted: string[] = [];
  if (allocations.failed > 0) {
    discounted.push(`${allocations.failed} of ${allocations.requested} allocations failed`);
  }
  if (lossPercent > LOSS_PERCENT_MAX) {
    discounted.push(`loss of ${lossPercent.toFixed(2)} % is above ${LOSS_PERCENT_MAX} %`);
  }
  const wrong = result.directions.reduce((sum, { wrongPackets }) => sum + wrongPackets, 0);
  if (wrong > 0) discounted.push(`${wrong} packets arrived at the wrong place or changed`);
  const valid = invalid.length === 0;
  return { valid, counts: valid && discounted.length === 0, reasons: [...invalid, ...discounted] };
}

/** The server's process at one moment. */
export interface ServerSample {
  readonly cpuSeconds: number;
  readonly memoryBytes: number;
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
  const directions: DirectionResult[] = [];
  if (load && options.direction !== 'down')
    directions.push(directionResult('up', load, options.payloadBytes));
  if (load && options.direction !== 'up')
    directions.push(directionResult('down', load, options.payloadBytes));
  const sent = directions.reduce((sum, { sentPackets }) => sum + sentPackets, 0);
  const lost = directions.reduce((sum, { lostPackets }) => sum + lostPackets, 0);
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
    directions,
    lossPercent: percent(lost, sent),
    generator: {
      sockets: findings.sockets,
      offeredPercent: load ? percent(sent, options.packetsPerSecond * load.seconds) : 100,
      sendLagMicrosecondsP99: microseconds(load?.sendLagNs ?? 0),
      sendErrors: load ? load.tallies[0].sendErrors + load.tallies[1].sendErrors : 0,
      droppedAtOwnSockets: load?.droppedAtOwnSockets ?? 0,
    },
    serverProcess: serverProcessResult(findings, sent - lost),
    interrupted: findings.interrupted,
  };
  return { ...result, verdict: judge(result) };
}

function allocationResult(findings: RunFindings): AllocationResult {
  const { allocations, bindings, options } = findings;
  const result = {
    requested: options.flows,
    established: allocations.done,
    failed: allocations.failed,
    seconds: seconds(allocations),
    perSecond: perSecond(allocations),
    retransmissions: allocations.retransmissions,
    generatorCpuPercent: percent(findings.allocatingCpuSeconds, seconds(allocations)),
    failures: allocations.failures,
  };
  return bindings ? { ...result, bindingsPerSecond: perSecond(bindings) } : result;
}

function directionResult(
  direction: 'up' | 'down',
  load: LoadMeasurement,
  payloadBytes: number,
): DirectionResult {
  const tally: DirectionTally = load.tallies[direction === 'up' ? 0 : 1];
  // A duplicate may make more of what arrives than was sent.
  const lost = Math.max(0, tally.sent - tally.received);
  return {
    direction,
    sentPackets: tally.sent,
    receivedPackets: tally.received,
    lostPackets: lost,
    lossPercent: percent(lost, tally.sent),
    outOfOrderPackets: tally.outOfOrder,
    wrongPackets: tally.wrong,
    sentPacketsPerSecond: tally.sent / load.seconds,
    receivedPacketsPerSecond: tally.received / load.seconds,
    receivedMegabitsPerSecond: (tally.received * payloadBytes * 8) / load.seconds / 1e6,
    latencyMicroseconds: {
      p50: microseconds(tally.latency.percentile(50)),
      p90: microseconds(tally.latency.percentile(90)),
      p99: microseconds(tally.latency.percentile(99)),
      max: microseconds(tally.latency.max),
    },
  };
}

function serverProcessResult(findings: RunFindings, relayedPackets: number): ServerProcessResult | null {
  const { allocated, allocations, before, load, options } = findings;
  if (options.serverPid === null || !before || !allocated) return null;
  const count = Math.max(1, allocations.done);
  const result = {
    pid: options.serverPid,
    threads: processThreads(options.serverPid),
    memoryBytesBefore: before.memoryBytes,
    memoryBytesAllocated: allocated.memoryBytes,
    memoryBytesPerAllocation: Math.round((allocated.memoryBytes - before.memoryBytes) / count),
    cpuMicrosecondsPerAllocation: ((allocated.cpuSeconds - before.cpuSeconds) * 1e6) / count,
  };
  if (!load || load.serverCpuSeconds === undefined) return result;
  return {
    ...result,
    cpuSeconds: load.serverCpuSeconds,
    cpuPercent: percent(load.serverCpuSeconds, load.seconds),
    cpuMicrosecondsPerPacket: (load.serverCpuSeconds * 1e6) / Math.max(1, relayedPackets),
  };
}

/** The time an operation took over all clients; never 0. */
function seconds({ beganMs, endedMs }: Readonly<RequestTally>): number {
  return Math.max(1, endedMs - beganMs) / 1000;
}

function perSecond(tally: Readonly<RequestTally>): number {
  return tally.done / seconds(tally);
}

function percent(part: number, whole: number): number {
  return whole === 0 ? 0 : (part / whole) * 100;
}

/** To a tenth. */
function microseconds(nanoseconds: number): number {
  return Math.round(nanoseconds / 100) / 10;
}
