import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CallRecord } from '../../../src/metrics/call-record.ts';
import { metricsOf, noCalls } from '../../../src/metrics/ice-metrics.ts';
import type { IceInterval } from '../../../src/metrics/intervals.ts';
import {
  aliveLine,
  callLine,
  intervalLine,
  readState,
  runningLine,
  stateLines,
} from '../../../src/metrics/saved-state.ts';
import { holds } from '../../fuzz/seeded.ts';
import { callRecord, optimizedCall } from './call-records.ts';

const START_MS = Date.parse('2026-03-28T14:30:15.250Z');
const DAY_MS = 86_400_000;

function interval(startMs: number, calls: readonly CallRecord[] = [], endMs = startMs + DAY_MS): IceInterval {
  const counters = noCalls();
  for (const call of calls) for (const name of metricsOf(call)) counters[name]++;
  return { startMs, endMs, counters };
}

function read(...lines: string[]): ReturnType<typeof readState> {
  return readState(`${lines.join('\n')}\n`);
}

describe('a saved state', () => {
  const earlier = [callRecord(), optimizedCall()];
  const later = [optimizedCall(), callRecord({ connected: false }), callRecord()];
  const intervals = [interval(START_MS + DAY_MS), interval(START_MS, earlier)]; // newest first
  const runningMs = START_MS + 2 * DAY_MS;

  it('comes back as it was, with what happened since', () => {
    const state = read(
      ...stateLines({ intervals, calls: earlier }, interval(runningMs), runningMs),
      ...later.map((call, i) => callLine(call, runningMs + 1000 * i)),
    );
    expect(state.calls).toEqual([...earlier, ...later]);
    expect(state.intervals).toEqual([interval(runningMs, later, runningMs + 2000), ...intervals]);
    expect(state.unreadable).toEqual([]);
  });

  it('is the same whether calls came before or after the whole state was written', () => {
    const calls = (list: readonly CallRecord[]): string[] =>
      list.map((call) => callLine(call, runningMs + 9));
    const [first, ...others] = later as [CallRecord, ...CallRecord[]];
    const appended = read(
      ...stateLines({ intervals, calls: [] }, interval(runningMs), runningMs),
      ...calls(later),
    );
    const rewritten = read(
      ...stateLines({ intervals, calls: [first] }, interval(runningMs, [first]), runningMs + 9),
      ...calls(others),
    );
    expect(rewritten).toEqual(appended);
  });

  it('closes the interval that ran at the last time that is known', () => {
    const lines = [runningLine(interval(runningMs)), callLine(callRecord(), runningMs + 5000)];
    expect(read(...lines).intervals[0]?.endMs).toBe(runningMs + 5000);
    expect(read(...lines, aliveLine(runningMs + 60_000)).intervals[0]?.endMs).toBe(runningMs + 60_000);
  });

  it('never closes it before it began, though the clock was set back', () => {
    const lines = [runningLine(interval(runningMs)), callLine(callRecord(), runningMs - DAY_MS)];
    expect(read(...lines).intervals).toMatchObject([{ startMs: runningMs, endMs: runningMs }]);
  });

  it('keeps no fragment in which no call connected', () => {
    const lines = [
      runningLine(interval(runningMs)),
      callLine(callRecord({ connected: false }), runningMs + 5000),
    ];
    expect(read(...lines).intervals).toEqual([]);
    expect(read(...lines).calls.length).toBe(1);
  });

  it('counts an interval once that was closed when the node died before it wrote the next one', () => {
    const call = callRecord();
    const state = read(
      runningLine(interval(START_MS)),
      callLine(call, START_MS + 1000),
      intervalLine(interval(START_MS, [call])),
    );
    expect(state.intervals).toEqual([interval(START_MS, [call])]);
  });

  it('counts calls also where the line of their interval was not readable', () => {
    const state = read(
      JSON.stringify({ entry: 'earlierCall', call: callRecord() }),
      '{"entry":"running","startTi',
      callLine(optimizedCall(), runningMs),
      callLine(callRecord(), runningMs + 1000),
    );
    expect(state.intervals).toMatchObject([
      { startMs: runningMs, endMs: runningMs + 1000, counters: { b2buacalls: 2, icecalls: 1 } },
    ]);
    expect(state.unreadable).toEqual(['{"entry":"running","startTi']);
  });

  it('is as much as is kept, the newest of it', () => {
    const calls = Array.from({ length: 600 }, () => callRecord());
    const many = Array.from({ length: 70 }, (_, i) => interval(START_MS + i * DAY_MS, [callRecord()]));
    const state = read(
      ...many.map(intervalLine),
      ...calls.map((call) => callLine(call, START_MS + 70 * DAY_MS)),
    );
    expect(state.calls).toEqual(calls.slice(100));
    expect(state.intervals.length).toBe(60);
    expect(state.intervals.slice(1)).toEqual(many.slice(11).toReversed());
  });

  it('takes counters of another version: unknown ones are left out, missing ones are 0', () => {
    const line = (counters: object): string =>
      JSON.stringify({
        entry: 'interval',
        startTime: '2026-01-01T00:00:00Z',
        endTime: '2026-01-02T00:00:00Z',
        counters,
      });
    expect(read(line({ b2buacalls: 7 })).intervals).toMatchObject([
      { counters: { ...noCalls(), b2buacalls: 7 } },
    ]);
    expect(read(line({ b2buacalls: 7, newcalls: 1 })).intervals).toMatchObject([
      { counters: { b2buacalls: 7 } },
    ]);
  });

  it.each([
    'not JSON',
    '{}',
    'null',
    '[]',
    '{"entry":"interval"}',
    '{"entry":"interval","startTime":"yesterday","endTime":"2026-01-02T00:00:00Z","counters":{}}',
    '{"entry":"interval","startTime":"2026-01-01T00:00:00Z","endTime":"2026-01-02T00:00:00Z","counters":{"b2buacalls":-1}}',
    '{"entry":"interval","startTime":"2026-01-01T00:00:00Z","endTime":"2026-01-02T00:00:00Z","counters":{"b2buacalls":"4"}}',
    '{"entry":"call","time":"2026-01-01T00:00:00Z","call":{"uuid":"x"}}',
    '{"entry":"alive","time":5}',
  ])('gives a line back that says nothing it knows, and reads on: %s', (line) => {
    const call = callRecord();
    const state = read(line, callLine(call, START_MS), line);
    expect(state.unreadable).toEqual([line, line]);
    expect(state.calls).toEqual([call]);
  });

  it('that was cut anywhere comes back but for the line of the cut', () => {
    const lines = [
      ...stateLines({ intervals, calls: earlier }, interval(runningMs), runningMs),
      ...later.map((call) => callLine(call, runningMs + 1000)),
    ];
    const text = `${lines.join('\n')}\n`;
    holds(
      fc.property(fc.nat(text.length), (length) => {
        const cut = text.slice(0, length);
        const complete = cut.split('\n').filter((line) => lines.includes(line));
        const state = readState(cut);
        expect(state).toEqual({ ...readState(complete.join('\n')), unreadable: state.unreadable });
        expect(state.unreadable.length).toBe(
          cut === '' || cut.endsWith('\n') || lines.includes(cut.split('\n').at(-1) ?? '') ? 0 : 1,
        );
      }),
    );
  });
});
