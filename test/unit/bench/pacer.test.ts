import { expect, test } from 'vitest';
import { Pacer } from '../../../src/bench/pacer.ts';

const MS = 1_000_000;

test('the first packet is due at the start, the next one an interval later', () => {
  const pacer = new Pacer(1000, 5 * MS);
  expect(pacer.take(5 * MS - 1, 10)).toBe(0);
  expect(pacer.take(5 * MS, 10)).toBe(1);
  expect(pacer.nextNs).toBe(6 * MS);
  expect(pacer.take(6 * MS - 1, 10)).toBe(0);
  expect(pacer.take(6 * MS, 10)).toBe(1);
});

test('a rate that does not divide a second keeps its average', () => {
  const pacer = new Pacer(30_000, 0);
  let taken = 0;
  for (let nowNs = 0; nowNs < 1000 * MS; nowNs += 10_000) taken += pacer.take(nowNs, 16);
  expect(taken).toBe(30_000);
  expect(pacer.skipped).toBe(0);
});

test('a short delay is caught up in bursts of bounded size', () => {
  const pacer = new Pacer(100_000, 0);
  expect(pacer.take(1 * MS, 16)).toBe(16);
  let taken = 16;
  for (let burst = pacer.take(1 * MS, 16); burst > 0; burst = pacer.take(1 * MS, 16)) taken += burst;
  expect(taken).toBe(101);
  expect(pacer.skipped).toBe(0);
});

test('packets that are too late are skipped and counted, not sent in one burst', () => {
  const pacer = new Pacer(100_000, 0);
  let taken = 0;
  for (let burst = pacer.take(50 * MS, 16); burst > 0; burst = pacer.take(50 * MS, 16)) taken += burst;
  expect(taken).toBe(500); // 5 ms of them
  expect(pacer.skipped).toBe(5001 - 500);
  expect(pacer.nextNs).toBeGreaterThan(50 * MS);
});
