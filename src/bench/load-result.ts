/** What any run has found: its requests, its traffic, its server, and whether the figures count. */
import type { LoadMeasurement } from './load-run.ts';
import type { RequestTally } from './request-window.ts';
import { DOWN, UP } from './traffic-counts.ts';

/** Loss above this and a figure does not count. */
export const LOSS_PERCENT_MAX = 0.1;
/** Less of the wanted rate than this offered, and the run measured the generator. */
const OFFERED_PERCENT_MIN = 98;
/** A generator that was busier than this while it sent requests was the limit itself. */
const REQUESTS_CPU_PERCENT_MAX = 90;
/** Packets sent later than this, at the 99th percentile, came in bursts. */
const SEND_LAG_MICROSECONDS_MAX = 2_000;

/** An operation over all clients: relays allocated, calls set up. */
export interface RequestsResult {
  readonly requested: number;
  readonly established: number;
  readonly failed: number;
  /** From the first request to the last answer. */
  readonly seconds: number;
  readonly perSecond: number;
  readonly retransmissions: number;
  /** CPU time of the generator in that time: at 100 it was the limit. */
  readonly generatorCpuPercent: number;
  /** The first few failures. */
  readonly failures: readonly string[];
}

export interface DirectionResult {
  readonly direction: 'up' | 'down';
  readonly sentPackets: number;
  readonly receivedPackets: number;
  readonly lostPackets: number;
  readonly lossPercent: number;
  readonly outOfOrderPackets: number;
  readonly duplicatePackets: number;
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

/** The traffic of a run; of one without, `directions` is empty. */
export interface TrafficResult {
  readonly directions: readonly DirectionResult[];
  readonly lossPercent: number;
  readonly generator: GeneratorResult;
}

/** The server's process over the measured window. */
export interface ServerCpuResult {
  readonly cpuSeconds: number;
  readonly cpuPercent: number;
  readonly cpuMicrosecondsPerPacket: number;
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

/** The server's process at one moment. */
export interface ServerSample {
  readonly cpuSeconds: number;
  readonly memoryBytes: number;
}

/** What of a run's options says what its traffic was to be. */
export interface TrafficOptions {
  readonly packetsPerSecond: number;
  readonly direction: 'up' | 'down' | 'both';
  /** Bytes of a packet as it is counted in Mbit/s. */
  readonly payloadBytes: number;
}

/** `cpuSeconds`: what the generator took while the requests were under way. */
export function requestsResult(
  requested: number,
  tally: Readonly<RequestTally>,
  cpuSeconds: number,
): RequestsResult {
  const seconds = secondsOf(tally);
  return {
    requested,
    established: tally.done,
    failed: tally.failed,
    seconds,
    perSecond: perSecond(tally),
    retransmissions: tally.retransmissions,
    generatorCpuPercent: percent(cpuSeconds, seconds),
    failures: tally.failures,
  };
}

export function trafficResult(
  options: TrafficOptions,
  sockets: 'linux' | 'portable',
  load: LoadMeasurement | undefined,
): TrafficResult {
  const directions: DirectionResult[] = [];
  if (load && options.direction !== 'down')
    directions.push(directionResult('up', load, options.payloadBytes));
  if (load && options.direction !== 'up')
    directions.push(directionResult('down', load, options.payloadBytes));
  const sent = directions.reduce((sum, { sentPackets }) => sum + sentPackets, 0);
  const lost = directions.reduce((sum, { lostPackets }) => sum + lostPackets, 0);
  return {
    directions,
    lossPercent: percent(lost, sent),
    generator: {
      sockets,
      offeredPercent: load ? percent(sent, options.packetsPerSecond * load.seconds) : 100,
      sendLagMicrosecondsP99: microseconds(load?.sendLagNs ?? 0),
      sendErrors: load ? load.tallies[UP].sendErrors + load.tallies[DOWN].sendErrors : 0,
      droppedAtOwnSockets: load?.droppedAtOwnSockets ?? 0,
    },
  };
}

/** Undefined where the server's process was not measured. */
export function serverCpuResult(
  load: LoadMeasurement | undefined,
  { directions }: TrafficResult,
): ServerCpuResult | undefined {
  if (load?.serverCpuSeconds === undefined) return undefined;
  const relayed = directions.reduce((sum, { receivedPackets }) => sum + receivedPackets, 0);
  return {
    cpuSeconds: load.serverCpuSeconds,
    cpuPercent: percent(load.serverCpuSeconds, load.seconds),
    cpuMicrosecondsPerPacket: (load.serverCpuSeconds * 1e6) / Math.max(1, relayed),
  };
}

/** What {@link judge} looks at. */
export interface Judged extends TrafficResult {
  readonly packetsPerSecond: number;
  /** The measured window; 0 without traffic. */
  readonly seconds: number;
  readonly interrupted: boolean;
}

/** Judges a run by what it says of the generator and of loss; `flaws`: what else speaks against the server's figures. */
export function judge(result: Judged, requests: RequestsResult, flaws: readonly string[]): Verdict {
  const { generator, lossPercent } = result;
  const invalid: string[] = [];
  if (result.interrupted) invalid.push('the run was interrupted');
  if (generator.offeredPercent < OFFERED_PERCENT_MIN) {
    invalid.push(
      `the generator is the bottleneck: it offered ${generator.offeredPercent.toFixed(1)} % of ${result.packetsPerSecond} packets/s`,
    );
  }
  if (result.seconds === 0 && requests.generatorCpuPercent > REQUESTS_CPU_PERCENT_MAX) {
    invalid.push(
      `the generator is the bottleneck: its requests took ${requests.generatorCpuPercent.toFixed(0)} % of a CPU`,
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
  const discounted = [...flaws];
  if (lossPercent > LOSS_PERCENT_MAX) {
    discounted.push(`loss of ${lossPercent.toFixed(2)} % is above ${LOSS_PERCENT_MAX} %`);
  }
  const wrong = result.directions.reduce((sum, { wrongPackets }) => sum + wrongPackets, 0);
  if (wrong > 0) discounted.push(`${wrong} packets arrived at the wrong place or changed`);
  const valid = invalid.length === 0;
  return { valid, counts: valid && discounted.length === 0, reasons: [...invalid, ...discounted] };
}

/** Operations that succeeded a second. */
export function perSecond(tally: Readonly<RequestTally>): number {
  return tally.done / secondsOf(tally);
}

export function percent(part: number, whole: number): number {
  return whole === 0 ? 0 : (part / whole) * 100;
}

/** To a tenth. */
export function microseconds(nanoseconds: number): number {
  return Math.round(nanoseconds / 100) / 10;
}

function directionResult(
  direction: 'up' | 'down',
  load: LoadMeasurement,
  payloadBytes: number,
): DirectionResult {
  const tally = load.tallies[direction === 'up' ? UP : DOWN];
  const lost = tally.sent - tally.received;
  return {
    direction,
    sentPackets: tally.sent,
    receivedPackets: tally.received,
    lostPackets: lost,
    lossPercent: percent(lost, tally.sent),
    outOfOrderPackets: tally.outOfOrder,
    duplicatePackets: tally.duplicates,
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

/** The time an operation took over all clients; never 0. */
function secondsOf({ beganMs, endedMs }: Readonly<RequestTally>): number {
  return Math.max(1, endedMs - beganMs) / 1000;
}
