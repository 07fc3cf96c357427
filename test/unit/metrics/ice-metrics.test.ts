import { describe, expect, it } from 'vitest';
import { CALL_TYPES, type CallRecord } from '../../../src/metrics/call-record.ts';
import {
  figuresOf,
  ICE_METRIC_NAMES,
  ICE_METRIC_ROWS,
  type IceCounters,
  metricsOf,
  noCalls,
} from '../../../src/metrics/ice-metrics.ts';
import { callRecord, optimizedCall } from './call-records.ts';

function countersOf(calls: readonly CallRecord[]): IceCounters {
  const counters = noCalls();
  for (const call of calls) for (const name of metricsOf(call)) counters[name]++;
  return counters;
}

/** Count and percentage by label, as the page shows them. */
function page(counters: IceCounters): Record<string, [number | null, number | null]> {
  return Object.fromEntries(
    ICE_METRIC_ROWS.map((row) => {
      const { count, percent } = figuresOf(row, counters);
      return [row.label, [count, percent]];
    }),
  );
}

describe('a call that has ended', () => {
  it.each<[string, CallRecord, string[]]>([
    ['never connected', optimizedCall({ connected: false }), []],
    ['has no candidates', callRecord(), ['b2buacalls', 'noicecandidatesoffered']],
    [
      'has none in zones that would pass them',
      callRecord({ iceConfigured: true }),
      ['b2buacalls', 'iceconfiguredcalls', 'noicecandidatesoffered'],
    ],
    [
      'has candidates of one side',
      callRecord({ iceConfigured: true, sidesWithCandidates: 1 }),
      ['b2buacalls', 'iceconfiguredcalls', 'icecandidatecalls', 'onepartyicecandidatecalls'],
    ],
    [
      'has candidates of both sides that found no path',
      callRecord({ iceConfigured: true, sidesWithCandidates: 2 }),
      ['b2buacalls', 'iceconfiguredcalls', 'icecandidatecalls', 'failedicenegotiationcalls'],
    ],
    [
      'has candidates that a zone does not pass',
      callRecord({ sidesWithCandidates: 2 }),
      ['b2buacalls', 'icecandidatecalls', 'candidatesofferedmissingiceconfig'],
    ],
    [
      'has candidates of one side that a zone does not pass',
      callRecord({ sidesWithCandidates: 1 }),
      ['b2buacalls', 'icecandidatecalls', 'onepartyicecandidatecalls', 'candidatesofferedmissingiceconfig'],
    ],
    [
      'went from relay to relay',
      optimizedCall({ icePassthroughCallType: 'relay_to_relay' }),
      ['b2buacalls', 'icecalls', 'relayrelaycalls', 'iceconfiguredcalls', 'icecandidatecalls'],
    ],
  ])('counts by what happened: it %s', (_what, call, names) => {
    expect(metricsOf(call).toSorted()).toEqual(names.toSorted());
  });

  it('counts in one call type, a different one for each path', () => {
    const types = ICE_METRIC_NAMES.slice(2, 8);
    const counted = CALL_TYPES.map((icePassthroughCallType) =>
      metricsOf(optimizedCall({ icePassthroughCallType })).filter((name) => types.includes(name)),
    );
    expect(counted).toEqual([
      [],
      ['hosthostcalls'],
      ['hostsrvrflxcalls'],
      ['hostrelaycalls'],
      ['srvrflxsrvrflxcalls'],
      ['srvrflxrelaycalls'],
      ['relayrelaycalls'],
    ]);
  });
});

describe('the figures of an interval', () => {
  it('are those of the guide: 4 calls, 2 of them optimized, 50 %, all host to host', () => {
    const figures = page(
      countersOf([
        optimizedCall(),
        optimizedCall(),
        callRecord({ iceConfigured: true, sidesWithCandidates: 1 }),
        callRecord({ sidesWithCandidates: 2 }),
      ]),
    );
    expect(figures).toEqual({
      'B2BUA connected calls': [4, null],
      'Calls with optimized ICE media paths': [2, 50],
      'Host to host': [2, 100],
      'Host to server reflexive': [0, 0],
      'Host to relay': [0, 0],
      'Server reflexive to server reflexive': [0, 0],
      'Server reflexive to relay': [0, 0],
      'Relay to relay': [0, 0],
      'Calls with required Expressway ICE configuration': [3, 75],
      'Calls attempted with offered ICE candidates': [4, 100],
      'Calls with ICE candidates offered by one endpoint': [1, 25],
      'Calls without ICE candidates': [0, 0],
      'Calls with non-optimized media paths': [2, 50],
      'Calls with ICE candidates offered but without required Expressway ICE configuration': [1, 25],
    });
  });

  it('are not available where no call fell into it', () => {
    for (const figures of Object.values(page(noCalls()))) expect(figures).toEqual([null, null]);
  });

  it('have no call types in percent where no call was optimized', () => {
    const figures = page(countersOf([callRecord()]));
    expect(figures['Host to host']).toEqual([0, null]);
    expect(figures['Calls with optimized ICE media paths']).toEqual([0, 0]);
  });

  it('round percentages to one decimal', () => {
    const calls = [optimizedCall(), callRecord(), callRecord()];
    expect(page(countersOf(calls))['Calls with non-optimized media paths']).toEqual([2, 66.7]);
  });
});
