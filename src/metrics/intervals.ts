/**
 * Intervals of the ICE passthrough metrics. An interval is a span of Unix time and nothing else: 24 hours are
 * 86,400 s on every day of the year, whatever clocks on walls do.
 *
 * The first interval begins when the node starts, the next ones where the last one ended: a restart makes the
 * time of day of the start the new anchor, as on the appliance.
 */
import type { CallRecord } from './call-record.ts';
import { type IceCounters, type IceMetricName, metricsOf, noCalls } from './ice-metrics.ts';

/** Complete intervals that are kept. */
export const INTERVALS_KEPT = 60;

export interface IceInterval {
  /** Unix time, milliseconds. */
  readonly startMs: number;
  /** The first moment that does not belong to it any more. */
  readonly endMs: number;
  readonly counters: IceCounters;
}

export class IceIntervals {
  readonly #lengthMs: number;
  #startMs: number;
  #counters: Record<IceMetricName, number> = noCalls();
  #complete: IceInterval[]; // newest first

  /**
   * @param lengthMs at least 1
   * @param complete intervals from before, newest first; the newest {@link INTERVALS_KEPT} are kept
   */
  constructor(lengthMs: number, nowMs: number, complete: readonly IceInterval[] = []) {
    this.#lengthMs = lengthMs;
    this.#startMs = nowMs;
    this.#complete = complete.slice(0, INTERVALS_KEPT);
  }

  /** The running interval; `endMs` lies ahead. */
  get current(): IceInterval {
    return {
      startMs: this.#startMs,
      endMs: this.#startMs + this.#lengthMs,
      counters: { ...this.#counters },
    };
  }

  /** Newest first. */
  get complete(): readonly IceInterval[] {
    return this.#complete;
  }

  /** Call it when a call has ended. */
  count(call: CallRecord): void {
    for (const name of metricsOf(call)) this.#counters[name]++;
  }

  /**
   * Closes the intervals that ended until `nowMs`, also those in which nothing was counted; returns those that
   * are kept of them, oldest first. Where the clock was set back before the running interval began, the
   * interval begins anew at `nowMs` and keeps what it counted: it would be as long as the clock was wrong.
   */
  advance(nowMs: number): IceInterval[] {
    if (nowMs < this.#startMs) this.#startMs = nowMs;
    const ended = Math.floor((nowMs - this.#startMs) / this.#lengthMs);
    if (ended === 0) return [];
    const closed: IceInterval[] = [];
    // After a long sleep of the host, intervals that would be dropped at once are not made.
    for (let i = Math.max(0, ended - INTERVALS_KEPT); i < ended; i++) {
      const startMs = this.#startMs + i * this.#lengthMs;
      const counters = i === 0 ? this.#counters : noCalls();
      closed.push({ startMs, endMs: startMs + this.#lengthMs, counters });
    }
    this.#startMs += ended * this.#lengthMs;
    this.#counters = noCalls();
    this.#complete = [...closed.toReversed(), ...this.#complete].slice(0, INTERVALS_KEPT);
    return closed;
  }
}
