import { describe, expect, it } from 'vitest';
import { BATCH_PACKETS_LARGE, PACKETS_PER_SECOND_BUSY, Pacer } from '../../../src/net/batch-pacer.ts';

const PAUSE_MICROSECONDS_MAX = 300;

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
    expect(Math.max(...pauses(new Pacer(PAUSE_MICROSECONDS_MAX), 1, 1000))).toBe(0);
  });

  it('pauses, but not for long, at some ten thousand packets a second', () => {
    const asked = pauses(new Pacer(PAUSE_MICROSECONDS_MAX), 1, 33);
    expect(Math.min(...asked)).toBeGreaterThan(0);
    expect(Math.max(...asked)).toBeLessThanOrEqual(PAUSE_MICROSECONDS_MAX);
  });

  it('pauses less the more packets come', () => {
    const slower = Math.max(...pauses(new Pacer(PAUSE_MICROSECONDS_MAX), 4, 100));
    const faster = Math.max(...pauses(new Pacer(PAUSE_MICROSECONDS_MAX), 8, 100));
    expect(faster).toBeLessThan(slower);
  });

  it('does not pause at rates at which packets come together anyway', () => {
    const packets = (PACKETS_PER_SECOND_BUSY / 1e6) * 100;
    expect(Math.max(...pauses(new Pacer(PAUSE_MICROSECONDS_MAX), packets, 100))).toBe(0);
    expect(Math.max(...pauses(new Pacer(PAUSE_MICROSECONDS_MAX), packets - 1, 100))).toBeGreaterThan(0);
  });

  it('does not pause where that is not wanted', () => {
    expect(Math.max(...pauses(new Pacer(0), 1, 33))).toBe(0);
  });

  it('does not pause when batches are large anyway', () => {
    expect(Math.max(...pauses(new Pacer(PAUSE_MICROSECONDS_MAX), BATCH_PACKETS_LARGE, 200))).toBe(0);
  });

  it('stops pausing when the rate falls', () => {
    const pacer = new Pacer(PAUSE_MICROSECONDS_MAX);
    expect(Math.max(...pauses(pacer, 1, 33))).toBeGreaterThan(0);
    expect(Math.max(...pauses(pacer, 1, 2000, 500_000))).toBe(0);
  });
});
