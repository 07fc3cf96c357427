import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LatencyHistogram } from '../../../src/bench/histogram.ts';

function histogramOf(values: readonly number[]): LatencyHistogram {
  const histogram = new LatencyHistogram();
  for (const value of values) histogram.record(value);
  return histogram;
}

test('an empty histogram answers 0', () => {
  const histogram = new LatencyHistogram();
  expect([histogram.percentile(50), histogram.max, histogram.mean, histogram.count]).toEqual([0, 0, 0, 0]);
});

test('small values are exact', () => {
  const histogram = histogramOf(Array.from({ length: 100 }, (_, i) => i + 1));
  expect(histogram.percentile(50)).toBe(50);
  expect(histogram.percentile(99)).toBe(99);
  expect(histogram.percentile(100)).toBe(100);
  expect(histogram.mean).toBe(50.5);
});

test('a percentile is never below the true one and at most 1/64 above it', () => {
  const values = fc.array(fc.integer({ min: 0, max: 0xffff_ffff }), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(values, fc.integer({ min: 1, max: 100 }), (recorded, percent) => {
      const sorted = [...recorded].sort((a, b) => a - b);
      const exact = sorted[Math.ceil((sorted.length * percent) / 100) - 1] as number;
      const estimate = histogramOf(recorded).percentile(percent);
      expect(estimate).toBeGreaterThanOrEqual(exact);
      expect(estimate).toBeLessThanOrEqual(exact + exact / 64);
    }),
  );
});

test('values out of range are kept at its ends', () => {
  const histogram = histogramOf([-5, 2 ** 40]);
  expect(histogram.count).toBe(2);
  expect(histogram.percentile(50)).toBe(0);
  expect(histogram.percentile(100)).toBe(0xffff_ffff);
});

test('reset forgets everything', () => {
  const histogram = histogramOf([1_000_000]);
  histogram.reset();
  histogram.record(7);
  expect([histogram.percentile(100), histogram.max, histogram.count]).toEqual([7, 7, 1]);
});
