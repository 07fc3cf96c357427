import { describe, expect, it } from 'vitest';
import { CALLS_KEPT, CallHistory } from '../../../src/metrics/call-history.ts';
import { callRecord } from './call-records.ts';

describe('the call history', () => {
  it('tells the newest call first, as many as wanted', () => {
    const [a, b, c] = [callRecord(), callRecord(), callRecord()];
    const history = new CallHistory([a, b]);
    history.add(c);
    expect(history.newest()).toEqual([c, b, a]);
    expect(history.newest(2)).toEqual([c, b]);
    expect(history.newest(0)).toEqual([]);
  });

  it('keeps 500 calls and forgets the oldest', () => {
    const calls = Array.from({ length: CALLS_KEPT + 3 }, () => callRecord());
    const history = new CallHistory(calls);
    expect(CALLS_KEPT).toBe(500);
    expect(history.newest()).toEqual(calls.slice(3).toReversed());
    expect(history.size).toBe(CALLS_KEPT);
  });

  it('finds a call by its uuid as long as it is kept', () => {
    const [first, ...others] = Array.from({ length: CALLS_KEPT }, () => callRecord());
    const history = new CallHistory(first ? [first, ...others] : []);
    expect(history.find(first?.uuid ?? '')).toEqual(first);
    history.add(callRecord());
    expect(history.find(first?.uuid ?? '')).toBeUndefined();
  });
});
