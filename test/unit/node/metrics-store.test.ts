import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { type FileHandle, open as openFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Logger, pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { MetricsStore, type MetricsStoreOptions } from '../../../src/node/metrics-store.ts';
import { callRecord, optimizedCall } from '../metrics/call-records.ts';

const START_MS = Date.parse('2026-03-28T14:30:15.250Z');
const HOUR_MS = 3_600_000;

let folder: string;
let state: string;
let nowMs: number;
let logLines: { level: number; msg: string }[];
let log: Logger;
let stores: MetricsStore[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'causeway-metrics-'));
  state = join(folder, 'state');
  nowMs = START_MS;
  logLines = [];
  log = pino({}, { write: (line: string) => void logLines.push(JSON.parse(line)) });
  stores = [];
});

afterEach(async () => {
  await Promise.all(stores.map((store) => store.close()));
  rmSync(folder, { recursive: true });
});

function start(options: Partial<MetricsStoreOptions> = {}): MetricsStore {
  const store = new MetricsStore({
    node: 'node1',
    stateDirectory: state,
    intervalHours: 24,
    cdr: { files: 0, fileBytes: 65_536 },
    log,
    nowMs: () => nowMs,
    ...options,
  });
  stores.push(store);
  return store;
}

function warnings(): string[] {
  return logLines.filter(({ level }) => level >= 40).map(({ msg }) => msg);
}

/** Counts of the complete intervals and, last, of the running one. */
function connectedCalls(store: MetricsStore): number[] {
  const { current, history } = store.iceMetrics();
  return [...history.map(({ b2buacalls }) => b2buacalls), current.b2buacalls];
}

describe('the metrics of a node', () => {
  it('count calls in the running interval and move with the clock', () => {
    const store = start({ intervalHours: 1.5 });
    store.callEnded(optimizedCall());
    nowMs += 1.5 * HOUR_MS - 1;
    store.callEnded(callRecord());
    nowMs += 1;
    store.callEnded(callRecord());
    expect(store.iceMetrics()).toEqual({
      node: 'node1',
      current: expect.objectContaining({
        startTime: '2026-03-28T16:00:15.250Z',
        endTime: '2026-03-28T17:30:15.250Z',
        b2buacalls: 1,
        icecalls: 0,
      }),
      history: [
        expect.objectContaining({
          startTime: '2026-03-28T14:30:15.250Z',
          endTime: '2026-03-28T16:00:15.250Z',
          b2buacalls: 2,
          icecalls: 1,
          hosthostcalls: 1,
        }),
      ],
    });
    expect(store.iceCounters().b2buacalls).toBe(1);
  });

  it('tell the calls, newest first, and one by its uuid', () => {
    const store = start();
    const calls = [callRecord(), callRecord({ connected: false }), callRecord()];
    for (const call of calls) store.callEnded(call);
    expect(store.history()).toEqual(calls.toReversed());
    expect(store.history(1)).toEqual(calls.slice(2));
    expect(store.call(calls[0]?.uuid ?? '')).toEqual(calls[0]);
  });

  it('export what the page shows', () => {
    const store = start();
    store.callEnded(callRecord());
    expect(store.csv().split('\r\n')[1]).toMatch(
      /^node1,2026-03-28T14:30:15.250Z,2026-03-29T14:30:15.250Z,no,1,0,0,/,
    );
  });
});

describe('a restart', () => {
  it('in the middle of an interval keeps what was counted as a shorter one and begins anew', async () => {
    const first = start();
    first.callEnded(optimizedCall());
    first.callEnded(callRecord());
    nowMs += 5 * HOUR_MS;
    await first.close();
    nowMs += HOUR_MS;
    const second = start();
    const { current, history } = second.iceMetrics();
    expect(history).toMatchObject([
      {
        startTime: '2026-03-28T14:30:15.250Z',
        endTime: '2026-03-28T19:30:15.250Z',
        b2buacalls: 2,
        icecalls: 1,
      },
    ]);
    expect(current).toMatchObject({
      startTime: '2026-03-28T20:30:15.250Z',
      endTime: '2026-03-29T20:30:15.250Z',
      b2buacalls: 0,
    });
    expect(second.history()).toEqual(first.history());
    expect(warnings()).toEqual([]);
  });

  it('keeps complete intervals, also those without calls, whatever their length is now', async () => {
    const first = start({ intervalHours: 1 });
    first.callEnded(callRecord());
    nowMs += 3 * HOUR_MS;
    first.advance();
    await first.close();
    const second = start({ intervalHours: 2 });
    expect(connectedCalls(second)).toEqual([0, 0, 1, 0]);
    second.callEnded(callRecord());
    nowMs += 2 * HOUR_MS;
    await second.close();
    expect(connectedCalls(start())).toEqual([1, 0, 0, 1, 0]);
  });

  it('knows when an interval began that nothing was counted in at first', async () => {
    const first = start({ intervalHours: 1 });
    first.callEnded(callRecord());
    await first.flush();
    nowMs += 1.25 * HOUR_MS;
    first.callEnded(callRecord());
    await first.close();
    expect(start().iceMetrics().history).toMatchObject([
      { startTime: '2026-03-28T15:30:15.250Z', endTime: '2026-03-28T15:45:15.250Z', b2buacalls: 1 },
      { startTime: '2026-03-28T14:30:15.250Z', endTime: '2026-03-28T15:30:15.250Z', b2buacalls: 1 },
    ]);
  });

  it('knows exactly when the node ended in good order', async () => {
    const first = start();
    first.callEnded(callRecord());
    await first.flush();
    nowMs += 30_000;
    await first.close();
    expect(start().iceMetrics().history).toMatchObject([{ endTime: '2026-03-28T14:30:45.250Z' }]);
  });

  it('after restart leaves no interval of those in which no call connected', async () => {
    for (let i = 0; i < 5; i++) {
      const store = start();
      if (i === 1) store.callEnded(callRecord());
      nowMs += HOUR_MS;
      await store.close();
    }
    expect(connectedCalls(start())).toEqual([1, 0]);
  });

  it('keeps 60 intervals and 500 calls, however much was written', async () => {
    const first = start({ intervalHours: 1 });
    const calls = Array.from({ length: 1300 }, () => callRecord());
    for (const [i, call] of calls.entries()) {
      first.callEnded(call);
      nowMs += HOUR_MS / 20;
      if (i % 100 === 0) await first.flush();
    }
    await first.close();
    const second = start({ intervalHours: 1 });
    expect(second.history()).toEqual(calls.slice(-500).toReversed());
    expect(second.iceMetrics().history).toEqual(first.iceMetrics().history);
    expect(second.iceMetrics().history.length).toBe(60);
  });

  it('knows without an orderly end, to the minute, until when the node ran', async () => {
    const first = start();
    first.callEnded(callRecord());
    await first.flush();
    for (let second = 0; second < 150; second++) {
      nowMs += 1000;
      first.advance();
    }
    await first.flush();
    // No close: as after kill -9.
    expect(start().iceMetrics().history).toMatchObject([{ endTime: '2026-03-28T14:32:15.250Z' }]);
  });
});

describe('the state directory', () => {
  it('is not made before there is something to keep', async () => {
    const store = start();
    nowMs += 23 * HOUR_MS;
    store.advance();
    await store.flush();
    await store.close();
    expect(existsSync(state)).toBe(false);
  });

  it('has one file for its owner alone', async () => {
    const store = start();
    store.callEnded(callRecord());
    await store.flush();
    expect(readdirSync(state)).toEqual(['metrics.jsonl']);
    expect(statSync(join(state, 'metrics.jsonl')).mode & 0o777).toBe(0o600);
    expect(statSync(state).mode & 0o777).toBe(0o700);
  });

  it('has a call within about a second, without being asked', async () => {
    const store = start();
    const calls = [callRecord(), callRecord()];
    for (const call of calls) {
      store.callEnded(call);
      await vi.waitFor(
        () => expect(readFileSync(join(state, 'metrics.jsonl'), 'utf8')).toContain(call.uuid),
        10_000,
      );
    }
  });

  it('is written anew when what was appended outweighs it', async () => {
    const store = start();
    let largest = 0;
    for (let i = 0; i < 4000; i++) {
      store.callEnded(callRecord());
      if (i % 200 === 0) {
        await store.flush();
        largest = Math.max(largest, statSync(join(state, 'metrics.jsonl')).size);
      }
    }
    await store.flush();
    const wholeState = 500 * JSON.stringify(callRecord()).length;
    expect(largest).toBeGreaterThan(wholeState);
    expect(largest).toBeLessThan(4 * wholeState + 1_048_576);
    expect(connectedCalls(start())).toEqual([4000, 0]);
  });

  it('that cannot be written costs counted failures, one warning, and nothing once it can be', async () => {
    writeFileSync(state, 'a file where the directory should be');
    const store = start({ cdr: { files: 2, fileBytes: 65_536 } });
    for (let i = 0; i < 3; i++) {
      store.callEnded(callRecord());
      await store.flush();
    }
    expect([...store.counters().values]).toEqual([3, 3]);
    expect(connectedCalls(store)).toEqual([3]);
    expect(warnings().length).toBe(2); // one of the metrics, one of the call detail records
    rmSync(state);
    store.callEnded(callRecord());
    await store.flush();
    expect(connectedCalls(start())).toEqual([4, 0]);
  });

  it('that is full in the middle of a line loses no call', async () => {
    const store = start();
    store.callEnded(callRecord());
    await store.flush();
    const probe = await openFile(join(folder, 'probe'), 'w');
    const handles: FileHandle = Object.getPrototypeOf(probe);
    await probe.close();
    const append = handles.appendFile;
    const broken = vi.spyOn(handles, 'appendFile').mockImplementationOnce(async function (
      this: FileHandle,
      data,
    ) {
      await append.call(this, (data as Buffer).subarray(0, 100));
      throw new Error('ENOSPC: no space left on device');
    });
    store.callEnded(callRecord());
    await store.flush();
    broken.mockRestore();
    expect(store.counters().values[0]).toBe(1);
    store.callEnded(callRecord());
    await store.flush();
    expect(connectedCalls(start())).toEqual([3, 0]);
    expect(warnings().length).toBe(1);
  });

  it('on a full disk leaves the old file until a new one is complete', async () => {
    const first = start();
    first.callEnded(callRecord());
    await first.close();
    symlinkSync('/dev/full', join(state, 'metrics.jsonl.new'));
    const second = start();
    second.callEnded(callRecord());
    await second.flush();
    expect([...second.counters().values]).toEqual([1, 0]);
    expect(connectedCalls(start({ nowMs: () => nowMs + 1 }))).toEqual([1, 0]);
  });
});

describe('a state file that is not sound', () => {
  it('is read as far as it can be; the rest is moved aside with one warning', async () => {
    const first = start();
    const call = callRecord();
    first.callEnded(call);
    await first.close();
    const file = join(state, 'metrics.jsonl');
    writeFileSync(file, `\0\0\0garbage\n${readFileSync(file, 'utf8')}{"entry":"call","time":"2026-`);
    const second = start();
    expect(second.history()).toEqual([call]);
    expect(connectedCalls(second)).toEqual([1, 0]);
    expect(warnings().length).toBe(1);
    expect(warnings()[0]).toMatch(
      /metrics\.jsonl: 2 lines could not be read and were moved to .*metrics\.unreadable\.jsonl$/,
    );
    expect(readFileSync(join(state, 'metrics.unreadable.jsonl'), 'utf8')).toBe(
      '\0\0\0garbage\n{"entry":"call","time":"2026-\n',
    );
    await second.close();
    start();
    expect(warnings().length).toBe(1); // it is sound again
  });

  it.each<[string, (file: string) => void]>([
    ['binary', (file) => writeFileSync(file, Buffer.alloc(5000, 0xff))],
    ['empty', (file) => writeFileSync(file, '')],
    ['a directory', (file) => mkdirSync(file)],
  ])('never stops the start nor what comes after: %s', async (what, make) => {
    mkdirSync(state);
    make(join(state, 'metrics.jsonl'));
    const store = start();
    expect(connectedCalls(store)).toEqual([0]);
    await store.flush();
    start();
    expect(warnings().length).toBe(what === 'empty' ? 0 : 1);
    store.callEnded(callRecord());
    await store.flush();
    expect(connectedCalls(start())).toEqual([1, 0]);
    expect(store.counters().values[0]).toBe(0);
  });
});
