/** Rounds of runs and what they come to: medians of those that count. */
import type { ServerCpuResult, TrafficResult, Verdict } from '../src/bench/load-result.ts';

/** What a round needs of a run's result, whatever was measured. */
export interface Measured extends TrafficResult {
  readonly serverProcess: Partial<ServerCpuResult> | null;
  readonly verdict: Verdict;
}

/** What is kept of one run. */
export interface Round {
  /** Server CPU, µs for each relayed packet. */
  readonly cpuMicroseconds: number;
  readonly lossPercent: number;
  readonly p50Microseconds: number;
  readonly p99Microseconds: number;
  readonly offeredPercent: number;
  readonly sentPacketsPerSecond: number;
  readonly counts: boolean;
  readonly reasons: readonly string[];
}

export interface Summary {
  /** Medians over the rounds that count; over all if none does. */
  readonly cpuMicroseconds: number;
  readonly p50Microseconds: number;
  readonly p99Microseconds: number;
  readonly lossPercentMax: number;
  readonly counting: number;
  readonly rounds: readonly Round[];
}

/** The figures of a run with traffic; with two directions the worse latency. */
export function toRound(result: Measured): Round {
  const latencies = result.directions.map(({ latencyMicroseconds }) => latencyMicroseconds);
  return {
    cpuMicroseconds: result.serverProcess?.cpuMicrosecondsPerPacket ?? Number.NaN,
    lossPercent: result.lossPercent,
    p50Microseconds: Math.max(...latencies.map(({ p50 }) => p50)),
    p99Microseconds: Math.max(...latencies.map(({ p99 }) => p99)),
    offeredPercent: result.generator.offeredPercent,
    sentPacketsPerSecond: result.directions.reduce((sum, row) => sum + row.sentPacketsPerSecond, 0),
    counts: result.verdict.counts,
    reasons: result.verdict.reasons,
  };
}

export function summarize(rounds: readonly Round[]): Summary {
  const counting = rounds.filter(({ counts }) => counts);
  const used = counting.length > 0 ? counting : rounds;
  return {
    cpuMicroseconds: median(used.map(({ cpuMicroseconds }) => cpuMicroseconds)),
    p50Microseconds: median(used.map(({ p50Microseconds }) => p50Microseconds)),
    p99Microseconds: median(used.map(({ p99Microseconds }) => p99Microseconds)),
    lossPercentMax: Math.max(0, ...used.map(({ lossPercent }) => lossPercent)),
    counting: counting.length,
    rounds,
  };
}

/** The middle value, or the mean of the two; NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}
