import { describe, expect, it } from 'vitest';
import { BATCH_PACKETS_LARGE, PAUSE_MICROSECONDS_MAX, Pacer } from '../../../src/net/batch-pacer.ts';

/** Half a second of batches of `packets`, one every `everyMicroseconds`; the pauses asked for in its second half. */
function pauses(pacer: Pacer, packets: number, everyMicroseconds: number, startMicroseconds = 0): number[] {
  const asked: number[] = [];
  for (let elapsed = 0; elapsed < 500_000; elapsed += everyMicroseconds) {
    const pause = pacer.batchEnded(startMicroseconds + elapsed, packets);
    if (elapsed >= 250_000) asked.push(pause);
  }
  return asked;
}

describe('the pacer', () => {
  it('never pauses when little is going on', () => {
    expect(Math.max(...pauses(new Pacer(), 1, 1000))).toBe(0);
  });

  it('pauses, but not for long, at some ten thousand packets a second', () => {
    const asked = pauses(new Pacer(), 1, 33);
    expect(Math.min(...asked)).toBeGreaterThan(0);
    expect(Math.max(...asked)).toBeLessThanOrEqual(PAUSE_MICROSECONDS_MAX);
  });

  it('pauses less the more packets come', () => {
    const slower = Math.max(...pauses(new Pacer(), 4, 100));
    const faster = Math.max(...pauses(new Pacer(), 40, 100));
    expect(faster).toBeLessThan(slower);
  });

  it('does not pause when batches are large anyway', () => {
    expect(Math.max(...pauses(new Pacer(), BATCH_PACKETS_LARGE, 200))).toBe(0);
  });

  it('stops pausing when the rate falls', () => {
    const pacer = new Pacer();
    expect(Math.max(...pauses(pacer, 1, 33))).toBeGreaterThan(0);
    expect(Math.max(...pauses(pacer, 1, 2000, 500_000))).toBe(0);
  });
});
