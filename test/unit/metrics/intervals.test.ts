import { describe, expect, it } from 'vitest';
import { noCalls } from '../../../src/metrics/ice-metrics.ts';
import { type IceInterval, IceIntervals } from '../../../src/metrics/intervals.ts';
import { callRecord, optimizedCall } from './call-records.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const START_MS = Date.parse('2026-03-28T14:30:15.250Z');

function calls(intervals: readonly IceInterval[]): number[] {
  return intervals.map(({ counters }) => counters.b2buacalls);
}

describe('intervals', () => {
  it('begin at the time of day of the start and run for 24 hours', () => {
    const intervals = new IceIntervals(DAY_MS, START_MS);
    expect(intervals.current).toEqual({ startMs: START_MS, endMs: START_MS + DAY_MS, counters: noCalls() });
    expect(intervals.complete).toEqual([]);
  });

  it('end with the last millisecond before their end', () => {
    const intervals = new IceIntervals(DAY_MS, START_MS);
    intervals.count(callRecord());
    expect(intervals.advance(START_MS + DAY_MS - 1)).toEqual([]);
    intervals.count(optimizedCall());
    const closed = intervals.advance(START_MS + DAY_MS);
    expect(calls(closed)).toEqual([2]);
    intervals.count(callRecord());
    expect(calls(intervals.complete)).toEqual([2]);
    expect(intervals.current).toMatchObject({ startMs: START_MS + DAY_MS, counters: { b2buacalls: 1 } });
  });

  it('are 24 hours long on the days when clocks are changed', () => {
    // Europe's summer time began on 29 March 2026 and ended on 25 October; America's on 8 March and 1 November.
    for (const day of ['2026-03-08', '2026-03-28', '2026-10-24', '2026-10-31']) {
      const startMs = Date.parse(`${day}T20:00:00Z`);
      const intervals = new IceIntervals(DAY_MS, startMs);
      intervals.advance(startMs + 3 * DAY_MS);
      expect(intervals.complete.map((interval) => interval.endMs - interval.startMs)).toEqual([
        DAY_MS,
        DAY_MS,
        DAY_MS,
      ]);
      for (const { startMs: begin } of intervals.complete) {
        expect(new Date(begin).toISOString()).toMatch(/T20:00:00/);
      }
    }
  });

  it('follow each other without gap or overlap, newest first', () => {
    const intervals = new IceIntervals(1000, START_MS);
    for (let nowMs = START_MS; nowMs < START_MS + 20_000; nowMs += 370) intervals.advance(nowMs);
    let nextMs = intervals.current.startMs;
    for (const { startMs, endMs } of intervals.complete) {
      expect(endMs).toBe(nextMs);
      expect(endMs - startMs).toBe(1000);
      nextMs = startMs;
    }
    expect(nextMs).toBe(START_MS);
  });

  it('are kept when nothing was counted, each for itself', () => {
    const intervals = new IceIntervals(HOUR_MS, START_MS);
    intervals.count(callRecord());
    const closed = intervals.advance(START_MS + 3.5 * HOUR_MS);
    expect(calls(closed)).toEqual([1, 0, 0]);
    expect(calls(intervals.complete)).toEqual([0, 0, 1]);
    expect(intervals.current.startMs).toBe(START_MS + 3 * HOUR_MS);
  });

  it('are dropped from the sixty-first on, the oldest first', () => {
    const intervals = new IceIntervals(HOUR_MS, START_MS);
    for (let i = 0; i < 61; i++) {
      for (let call = 0; call <= i; call++) intervals.count(callRecord());
      intervals.advance(START_MS + (i + 1) * HOUR_MS);
      expect(intervals.complete.length).toBe(Math.min(60, i + 1));
    }
    expect(calls(intervals.complete)).toEqual(Array.from({ length: 60 }, (_, i) => 61 - i));
  });

  it('are sixty at most after a year without a look at the clock', () => {
    const intervals = new IceIntervals(36_000, START_MS);
    intervals.count(callRecord());
    const nowMs = START_MS + 365 * DAY_MS;
    expect(intervals.advance(nowMs).length).toBe(60);
    expect(calls(intervals.complete)).toEqual(Array(60).fill(0));
    expect(intervals.complete[0]?.endMs).toBe(intervals.current.startMs);
    expect(nowMs - intervals.current.startMs).toBeLessThan(36_000);
    expect((intervals.current.startMs - START_MS) % 36_000).toBe(0);
  });

  it('continue what was complete before a restart, and begin anew at the start', () => {
    const first = new IceIntervals(DAY_MS, START_MS);
    first.count(callRecord());
    first.advance(START_MS + DAY_MS);
    const restartMs = START_MS + DAY_MS + 5 * HOUR_MS;
    const second = new IceIntervals(DAY_MS, restartMs, first.complete);
    second.advance(restartMs + DAY_MS);
    expect(second.complete.map(({ startMs }) => startMs)).toEqual([restartMs, START_MS]);
    expect(calls(second.complete)).toEqual([0, 1]);
  });

  it('begin anew, with what they counted, when the clock is set back before their begin', () => {
    const intervals = new IceIntervals(DAY_MS, START_MS);
    intervals.count(callRecord());
    const nowMs = START_MS - 100 * DAY_MS;
    expect(intervals.advance(nowMs)).toEqual([]);
    expect(intervals.current).toMatchObject({ startMs: nowMs, counters: { b2buacalls: 1 } });
  });

  it('give a copy: what was read does not change when calls end', () => {
    const intervals = new IceIntervals(DAY_MS, START_MS);
    const before = intervals.current;
    intervals.count(callRecord());
    expect(before.counters.b2buacalls).toBe(0);
  });
});
