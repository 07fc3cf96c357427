import { expect, test } from 'vitest';
import {
  isProbe,
  PROBE_BYTES_MIN,
  probeFlow,
  probeSentNs,
  probeSequence,
  writeProbe,
} from '../../../src/bench/probe.ts';

const RUN_TAG = 0xbeef;

function probe(flow: number, sequence: number, sentNs: number): Uint8Array {
  const bytes = new Uint8Array(PROBE_BYTES_MIN);
  writeProbe(bytes, 0, RUN_TAG, flow, sequence, sentNs);
  return bytes;
}

test('what is written is read back, with times beyond 32 bits', () => {
  const sentNs = 3 * 2 ** 32 + 123_456_789;
  const bytes = probe(65_535, 4_000_000_000, sentNs);
  expect(isProbe(bytes, 0, bytes.length, RUN_TAG)).toBe(true);
  expect([probeFlow(bytes, 0), probeSequence(bytes, 0), probeSentNs(bytes, 0)]).toEqual([
    65_535,
    4_000_000_000,
    sentNs,
  ]);
});

test('a probe is an RTP packet of version 2', () => {
  const [first, second] = probe(1, 1, 1);
  expect([first, second]).toEqual([0x80, 0]);
});

test("another run's probe, a short one and other bytes are no probe of this run", () => {
  const bytes = probe(1, 1, 1);
  expect(isProbe(bytes, 0, bytes.length, RUN_TAG + 1)).toBe(false);
  expect(isProbe(bytes, 0, PROBE_BYTES_MIN - 1, RUN_TAG)).toBe(false);
  expect(isProbe(new Uint8Array(100), 0, 100, RUN_TAG)).toBe(false);
});
