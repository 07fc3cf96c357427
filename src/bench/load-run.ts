/** The traffic of a run: warm-up, measured window, and the wait for stragglers. */
import { drive, OVER } from './drive.ts';
import type { GeneratorIo } from './generator-io.ts';
import { LatencyHistogram } from './histogram.ts';
import { Pacer } from './pacer.ts';
import type { DirectionTally, TrafficCounts } from './traffic-counts.ts';

/** What is offered: a packet at a time, counted when it leaves and when it arrives. */
export interface Traffic {
  readonly counts: TrafficCounts;
  sendNext(): void;
}

/** Thrown when a run cannot go on: the server does not answer or refuses; the message is for the user. */
export class LoadError extends Error {
  readonly code = 'BENCH_FAILED';
}

export interface LoadRunOptions {
  readonly packetsPerSecond: number;
  readonly warmupSeconds: number;
  readonly seconds: number;
}

/** What a run asks of its surroundings. */
export interface LoadRunHooks {
  isStopped(): boolean;
  /** Called with every turn of the loop: keeps relays alive. */
  housekeep(nowMs: number): void;
  /** CPU time of the server's process so far, seconds; undefined if that is not asked for. */
  serverCpuSeconds(): number | undefined;
  progress(progress: LoadProgress): void;
}

export interface LoadProgress {
  readonly phase: 'warming up' | 'measuring';
  readonly elapsedSeconds: number;
  readonly ofSeconds: number;
  readonly sentPerSecond: number;
  readonly receivedPerSecond: number;
  readonly p50Microseconds: number;
  readonly p99Microseconds: number;
}

/** What is known while a run goes on, about once a second. */
export type RunProgress =
  | LoadProgress
  | { readonly phase: string; readonly done: number; readonly of: number };

/** What the measured window gave. */
export interface LoadMeasurement {
  /** Up and down. */
  readonly tallies: readonly [DirectionTally, DirectionTally];
  readonly seconds: number;
  readonly serverCpuSeconds: number | undefined;
  /** How late the generator sent, 99th percentile. */
  readonly sendLagNs: number;
  /** -1: unknown. */
  readonly droppedAtOwnSockets: number;
}

const NS_PER_US = 1_000;
const NS_PER_MS = 1_000_000;
const NS_PER_SECOND = 1_000_000_000;
const PROGRESS_NS = NS_PER_SECOND;
/** Packets sent between two looks at what has arrived. */
const BURST_MAX = 16;
/** After the last packet: the longest wait for stragglers, and the longest after the last of them. */
const DRAIN_NS_MAX = NS_PER_SECOND;
const DRAIN_QUIET_NS = 300 * NS_PER_MS;
const DRAIN_STEP_NS = 5 * NS_PER_MS;

/** Offers traffic for warm-up and window; ends early, with what there is, when stopped. */
export async function runLoad(
  io: GeneratorIo,
  traffic: Traffic,
  options: LoadRunOptions,
  hooks: LoadRunHooks,
): Promise<LoadMeasurement> {
  const lag = new LatencyHistogram();
  const warmup = new Stage(io, traffic, options, hooks, lag, 'warming up');
  await warmup.run(options.warmupSeconds);
  const dropsBefore = io.ownDrops();
  lag.reset();
  const window = new Stage(io, traffic, options, hooks, lag, 'measuring');
  const cpuBefore = hooks.serverCpuSeconds();
  const startNs = io.nowNs();
  traffic.counts.windowStartNs = startNs;
  await window.run(options.seconds);
  const cpuAfter = hooks.serverCpuSeconds();
  const endNs = Math.min(io.nowNs(), startNs + options.seconds * NS_PER_SECOND);
  traffic.counts.windowEndNs = endNs;
  await drain(io, traffic);
  const dropsAfter = io.ownDrops();
  return {
    tallies: traffic.counts.tallies,
    seconds: (endNs - startNs) / NS_PER_SECOND,
    serverCpuSeconds: cpuBefore !== undefined && cpuAfter !== undefined ? cpuAfter - cpuBefore : undefined,
    sendLagNs: lag.percentile(99),
    droppedAtOwnSockets: dropsAfter < 0 ? -1 : dropsAfter - dropsBefore,
  };
}

/** A stretch of traffic at the wanted rate, with its own schedule. */
class Stage {
  readonly #io: GeneratorIo;
  readonly #traffic: Traffic;
  readonly #options: LoadRunOptions;
  readonly #hooks: LoadRunHooks;
  readonly #lag: LatencyHistogram;
  readonly #phase: LoadProgress['phase'];
  #startNs = 0;
  #endNs = 0;
  #reportedNs = 0;

  constructor(
    io: GeneratorIo,
    traffic: Traffic,
    options: LoadRunOptions,
    hooks: LoadRunHooks,
    lag: LatencyHistogram,
    phase: LoadProgress['phase'],
  ) {
    this.#io = io;
    this.#traffic = traffic;
    this.#options = options;
    this.#hooks = hooks;
    this.#lag = lag;
    this.#phase = phase;
  }

  async run(seconds: number): Promise<void> {
    this.#startNs = this.#reportedNs = this.#io.nowNs();
    this.#endNs = this.#startNs + seconds * NS_PER_SECOND;
    this.#traffic.counts.recent.reset();
    const pacer = new Pacer(this.#options.packetsPerSecond, this.#startNs);
    await drive(this.#io, false, (nowNs) => {
      if (nowNs >= this.#endNs || this.#hooks.isStopped()) return OVER;
      const dueNs = pacer.nextNs;
      const due = pacer.take(nowNs, BURST_MAX);
      if (due > 0) this.#lag.record(nowNs - dueNs);
      for (let i = 0; i < due; i++) this.#traffic.sendNext();
      this.#hooks.housekeep(nowNs / NS_PER_MS);
      if (nowNs - this.#reportedNs >= PROGRESS_NS) this.#report(nowNs);
      return Math.max(0, pacer.nextNs - nowNs);
    });
  }

  #report(nowNs: number): void {
    const { recent } = this.#traffic.counts;
    const seconds = (nowNs - this.#reportedNs) / NS_PER_SECOND;
    this.#hooks.progress({
      phase: this.#phase,
      elapsedSeconds: Math.round((nowNs - this.#startNs) / NS_PER_SECOND),
      ofSeconds: (this.#endNs - this.#startNs) / NS_PER_SECOND,
      sentPerSecond: recent.sent / seconds,
      receivedPerSecond: recent.received / seconds,
      p50Microseconds: recent.latency.percentile(50) / NS_PER_US,
      p99Microseconds: recent.latency.percentile(99) / NS_PER_US,
    });
    recent.reset();
    this.#reportedNs = nowNs;
  }
}

/** Waits until all that was sent has arrived, or nothing comes any more. */
async function drain(io: GeneratorIo, traffic: Traffic): Promise<void> {
  const [up, down] = traffic.counts.tallies;
  const startNs = io.nowNs();
  let lastNs = startNs;
  let last = -1;
  await drive(io, false, (nowNs) => {
    const received = up.received + down.received;
    if (received !== last) lastNs = nowNs;
    last = received;
    const isComplete = received >= up.sent + down.sent;
    if (isComplete || nowNs - lastNs > DRAIN_QUIET_NS || nowNs - startNs > DRAIN_NS_MAX) return OVER;
    return DRAIN_STEP_NS;
  });
}
