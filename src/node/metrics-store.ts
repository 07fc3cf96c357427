/**
 * The metrics of calls of one node: counted when a call ends, kept in the state directory, and read by pages,
 * collectd and the CSV export. Lives on the main thread.
 */
import type { Logger } from 'pino';
import { CallHistory } from '../metrics/call-history.ts';
import type { CallRecord } from '../metrics/call-record.ts';
import type { CounterBlock } from '../metrics/counters.ts';
import { iceMetricsCsv } from '../metrics/csv.ts';
import type { IceCounters, IceIntervalReport, IceMetricsReport } from '../metrics/ice-metrics.ts';
import { type IceInterval, IceIntervals } from '../metrics/intervals.ts';
import { aliveLine, callLine, intervalLine, runningLine, stateLines } from '../metrics/saved-state.ts';
import { CdrFiles } from './metrics-cdr-file.ts';
import { MetricsJournal, readMetrics } from './metrics-journal.ts';

export interface MetricsStoreOptions {
  /** Name of the node. */
  readonly node: string;
  readonly stateDirectory: string;
  /** Length of an interval, fractions allowed. */
  readonly intervalHours: number;
  readonly cdr: { readonly files: number; readonly fileBytes: number };
  readonly log: Logger;
  /** Unix time, milliseconds. */
  readonly nowMs?: () => number;
}

export const METRICS_STORE_COUNTER_NAMES: readonly string[] = [
  'failuresStateWrite',
  'failuresCallDetailRecord',
];

const HOUR_MS = 3_600_000;
const ADVANCE_MS = 1000;
/** How exactly the end of an interval is known that a crash cut short. */
const ALIVE_MS = 60_000;

export class MetricsStore {
  readonly #node: string;
  readonly #nowMs: () => number;
  readonly #intervals: IceIntervals;
  readonly #history: CallHistory;
  readonly #journal: MetricsJournal;
  readonly #cdr: CdrFiles;
  readonly #timer: NodeJS.Timeout;
  #savedMs: number;

  /** Takes up what a run before left; never throws for what it finds or does not find there. */
  constructor(options: MetricsStoreOptions) {
    const { stateDirectory, log, nowMs = Date.now } = options;
    const before = readMetrics(stateDirectory, log);
    this.#node = options.node;
    this.#nowMs = nowMs;
    this.#savedMs = nowMs();
    const lengthMs = Math.round(options.intervalHours * HOUR_MS);
    this.#intervals = new IceIntervals(lengthMs, this.#savedMs, before.intervals);
    this.#history = new CallHistory(before.calls);
    this.#journal = new MetricsJournal({
      directory: stateDirectory,
      wholeState: () =>
        stateLines(
          { intervals: this.#intervals.complete, calls: this.#history.newest().toReversed() },
          this.#intervals.current,
          this.#nowMs(),
        ),
      log,
    });
    this.#cdr = new CdrFiles({ directory: stateDirectory, ...options.cdr, log });
    // The file says now that an interval has begun. Where nothing was kept, none is made until there is something.
    if (before.intervals.length + before.calls.length + before.unreadable.length > 0) this.#journal.rewrite();
    this.#timer = setInterval(() => this.advance(), ADVANCE_MS).unref();
  }

  callEnded(call: CallRecord): void {
    this.advance();
    const nowMs = this.#nowMs();
    this.#intervals.count(call);
    this.#history.add(call);
    this.#journal.append(callLine(call, nowMs));
    this.#savedMs = nowMs;
    this.#cdr.add(call, nowMs);
  }

  iceMetrics(): IceMetricsReport {
    this.advance();
    return {
      node: this.#node,
      current: intervalReport(this.#intervals.current),
      history: this.#intervals.complete.map(intervalReport),
    };
  }

  /** Of the running interval. */
  iceCounters(): IceCounters {
    this.advance();
    return this.#intervals.current.counters;
  }

  /** Calls that ended, newest first. */
  history(limit?: number): CallRecord[] {
    return this.#history.newest(limit);
  }

  /** A call of the history. */
  call(uuid: string): CallRecord | undefined {
    return this.#history.find(uuid);
  }

  csv(): string {
    return iceMetricsCsv([this.iceMetrics()]);
  }

  /** For `/metrics`. */
  counters(): CounterBlock {
    return {
      worker: 'main',
      names: METRICS_STORE_COUNTER_NAMES,
      values: Float64Array.of(this.#journal.failures, this.#cdr.recordsLost),
    };
  }

  /** Closes the intervals that have ended. Called every second; whoever reads or counts calls it too. */
  advance(): void {
    const nowMs = this.#nowMs();
    const closed = this.#intervals.advance(nowMs);
    if (closed.length > 0) {
      for (const interval of closed) this.#journal.append(intervalLine(interval));
      this.#journal.append(runningLine(this.#intervals.current));
    } else if (this.#journal.isOpen && Math.abs(nowMs - this.#savedMs) >= ALIVE_MS) {
      this.#journal.append(aliveLine(nowMs));
    } else {
      return;
    }
    this.#savedMs = nowMs;
  }

  /** Resolves when everything told so far is on the disk, or could not be written. */
  async flush(): Promise<void> {
    await Promise.all([this.#journal.flush(), this.#cdr.flush()]);
  }

  /** Writes what is left, and when the node ended. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.advance();
    if (this.#journal.isOpen) this.#journal.append(aliveLine(this.#nowMs()));
    await Promise.all([this.#journal.close(), this.#cdr.close()]);
  }
}

function intervalReport({ startMs, endMs, counters }: IceInterval): IceIntervalReport {
  return {
    startTime: new Date(startMs).toISOString(),
    endTime: new Date(endMs).toISOString(),
    ...counters,
  };
}
