import { describe, expect, it } from 'vitest';
import {
  CollectdGauges,
  type GaugeReadings,
  type ZoneReadings,
} from '../../../src/metrics/collectd-gauges.ts';
import { ICE_METRIC_NAMES, noCalls } from '../../../src/metrics/ice-metrics.ts';

function zone(what: Partial<ZoneReadings> = {}): ZoneReadings {
  return { name: 'external', activeCalls: 0, bytesReceived: 0, bytesSent: 0, ...what };
}

function readings(what: Partial<GaugeReadings> = {}): GaugeReadings {
  return { iceCounters: noCalls(), activeCalls: 0, activeRelays: 0, blockedAddresses: 0, zones: [], ...what };
}

/** By name. */
function sent(gauges: CollectdGauges, what: Partial<GaugeReadings>, nowMs: number): Record<string, number> {
  return Object.fromEntries(gauges.gauges(readings(what), nowMs).map(({ name, value }) => [name, value]));
}

describe('the gauges for collectd', () => {
  it('are the ICE passthrough metrics under the names of the appliance, and the state of the node', () => {
    const iceCounters = Object.fromEntries(ICE_METRIC_NAMES.map((name, i) => [name, i + 1]));
    const values = sent(
      new CollectdGauges([], 0),
      {
        iceCounters: iceCounters as GaugeReadings['iceCounters'],
        activeCalls: 20,
        activeRelays: 30,
        blockedAddresses: 40,
        zones: [zone({ name: 'internal', activeCalls: 50 })],
      },
      1000,
    );
    expect(values).toEqual({
      'ICEPassthroughMetrics.b2buacalls': 1,
      'ICEPassthroughMetrics.icecalls': 2,
      'ICEPassthroughMetrics.hosthostcalls': 3,
      'ICEPassthroughMetrics.hostsrvrflxcalls': 4,
      'ICEPassthroughMetrics.hostrelaycalls': 5,
      'ICEPassthroughMetrics.srvrflxsrvrflxcalls': 6,
      'ICEPassthroughMetrics.srvrflxrelaycalls': 7,
      'ICEPassthroughMetrics.relayrelaycalls': 8,
      'ICEPassthroughMetrics.iceconfiguredcalls': 9,
      'ICEPassthroughMetrics.icecandidatecalls': 10,
      'ICEPassthroughMetrics.onepartyicecandidatecalls': 11,
      'ICEPassthroughMetrics.noicecandidatesoffered': 12,
      'ICEPassthroughMetrics.failedicenegotiationcalls': 13,
      'ICEPassthroughMetrics.candidatesofferedmissingiceconfig': 14,
      'CallMetrics.activecalls': 20,
      'TURNMetrics.activerelays': 30,
      'ProtectionMetrics.blockedaddresses': 40,
      'ZoneMetrics.internal.activecalls': 50,
      'ZoneMetrics.internal.bandwidthreceived': 0,
      'ZoneMetrics.internal.bandwidthsent': 0,
    });
  });

  it('tell the bandwidth in bit/s since the gauges before', () => {
    const gauges = new CollectdGauges([zone({ bytesReceived: 1000, bytesSent: 50 })], 5000);
    const rates = (bytesReceived: number, bytesSent: number, nowMs: number): unknown[] => {
      const values = sent(gauges, { zones: [zone({ bytesReceived, bytesSent })] }, nowMs);
      return [values['ZoneMetrics.external.bandwidthreceived'], values['ZoneMetrics.external.bandwidthsent']];
    };
    expect(rates(3000, 300, 7000)).toEqual([8000, 1000]);
    expect(rates(3000, 300, 8000)).toEqual([0, 0]);
    expect(rates(3125, 300, 8500)).toEqual([2000, 0]);
    expect(rates(9999, 999, 8500)).toEqual([0, 0]); // no time has passed
  });

  it('tell no bandwidth of a zone that was not there before', () => {
    const values = sent(new CollectdGauges([], 0), { zones: [zone({ bytesReceived: 5000 })] }, 1000);
    expect(values['ZoneMetrics.external.bandwidthreceived']).toBe(0);
  });
});
