import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LineBatches } from '../../../src/node/metrics-batches.ts';

/** What was written and lost, and a disk that writes when it is told. */
interface Disk {
  readonly batches: LineBatches;
  readonly written: (readonly string[])[];
  readonly lost: string[];
  /** Ends the write under way. */
  done(error?: Error): Promise<void>;
}

function disk(isSlow = false): Disk {
  const written: (readonly string[])[] = [];
  const lost: string[] = [];
  let end: ((error?: Error) => void) | undefined;
  const batches = new LineBatches({
    write: (lines) => {
      expect(end).toBeUndefined(); // one at a time
      written.push(lines);
      if (!isSlow) return Promise.resolve();
      return new Promise((resolve, reject) => {
        end = (error) => (error ? reject(error) : resolve());
      });
    },
    failed: (_error, lines) => lost.push(...lines),
  });
  const done = async (error?: Error): Promise<void> => {
    const ending = end;
    end = undefined;
    ending?.(error);
    await vi.advanceTimersByTimeAsync(0);
  };
  return { batches, written, lost, done };
}

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

describe('lines for a file', () => {
  it('are written at once after a quiet second, all of one turn together', async () => {
    const { batches, written } = disk();
    batches.add('a');
    batches.add('b');
    await vi.advanceTimersByTimeAsync(0);
    expect(written).toEqual([['a', 'b']]);
    await vi.advanceTimersByTimeAsync(1000);
    batches.add('c');
    await vi.advanceTimersByTimeAsync(0);
    expect(written).toEqual([['a', 'b'], ['c']]);
  });

  it('are written once a second, however many come, none late and none twice', async () => {
    const { batches, written } = disk();
    const lines: string[] = [];
    for (let i = 0; i < 1000; i++) {
      lines.push(`line ${i}`);
      batches.add(`line ${i}`);
      await vi.advanceTimersByTimeAsync(10);
    }
    expect(written.length).toBe(11); // after 0, 1, … 10 s
    await vi.advanceTimersByTimeAsync(1000);
    expect(written.flat()).toEqual(lines);
  });

  it('wait while a slow disk writes, then go together', async () => {
    const { batches, written, done } = disk(true);
    batches.add('a');
    await vi.advanceTimersByTimeAsync(0);
    for (const line of ['b', 'c']) batches.add(line);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(written).toEqual([['a']]);
    await done();
    expect(written).toEqual([['a'], ['b', 'c']]);
  });

  it('that a write rejects are told, and the next ones are written', async () => {
    const { batches, written, lost, done } = disk(true);
    batches.add('a');
    await vi.advanceTimersByTimeAsync(0);
    batches.add('b');
    await done(new Error('full'));
    await vi.advanceTimersByTimeAsync(1000);
    expect([written, lost]).toEqual([[['a'], ['b']], ['a']]);
  });

  it('are lost beyond ten thousand that wait', async () => {
    const { batches, written, lost, done } = disk(true);
    batches.add('first');
    await vi.advanceTimersByTimeAsync(0);
    for (let i = 0; i < 10_002; i++) batches.add(`line ${i}`);
    expect(lost).toEqual(['line 10000', 'line 10001']);
    await done();
    await vi.advanceTimersByTimeAsync(1000);
    expect(written[1]?.length).toBe(10_000);
  });

  it('are all written when a flush ends, those of a write under way too', async () => {
    const { batches, written, done } = disk(true);
    batches.add('a');
    await vi.advanceTimersByTimeAsync(0);
    batches.add('b');
    let isFlushed = false;
    const flushed = batches.flush().then(() => {
      isFlushed = true;
    });
    await done();
    expect([written, isFlushed]).toEqual([[['a'], ['b']], false]);
    await done();
    await flushed;
    expect(isFlushed).toBe(true);
  });

  it('may be none: a wish to write is kept, also while something is written', async () => {
    const { batches, written, done } = disk(true);
    batches.wake();
    await vi.advanceTimersByTimeAsync(0);
    batches.wake();
    await done();
    await vi.advanceTimersByTimeAsync(1000);
    await done();
    await vi.advanceTimersByTimeAsync(5000);
    expect(written).toEqual([[], []]);
    await batches.flush(); // nothing to do
    expect(written.length).toBe(2);
  });
});
