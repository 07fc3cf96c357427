import { expect, test } from 'vitest';
import { median, type Round, summarize } from '../../../bench/rounds.ts';

const round = (cpuMicroseconds: number, counts: boolean): Round => ({
  cpuMicroseconds,
  counts,
  lossPercent: counts ? 0 : 5,
  p50Microseconds: 10,
  p99Microseconds: 20,
  offeredPercent: 100,
  sentPacketsPerSecond: 1000,
  reasons: [],
});

test('the median of an odd number is the middle one, of an even number the mean of two', () => {
  expect(median([5, 1, 3])).toBe(3);
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(median([])).toBeNaN();
});

test('rounds that do not count stay out of the medians', () => {
  const summary = summarize([round(1, true), round(100, false), round(3, true), round(2, true)]);
  expect(summary).toMatchObject({ cpuMicroseconds: 2, counting: 3, lossPercentMax: 0 });
});

test('where none counts, all are shown, and that none counts', () => {
  expect(summarize([round(1, false), round(3, false)])).toMatchObject({
    cpuMicroseconds: 2,
    counting: 0,
    lossPercentMax: 5,
  });
});
