import { describe, expect, it } from 'vitest';
import type { TrafficTotals } from '../../../src/admin/source.ts';
import { TrafficMeter } from '../../../src/admin/traffic-meter.ts';

function totals(packets: number): TrafficTotals {
  return {
    packetsClientToPeer: packets,
    bytesClientToPeer: packets * 100,
    packetsPeerToClient: packets * 2,
    bytesPeerToClient: packets * 1000,
  };
}

describe('TrafficMeter', () => {
  it('tells nothing before the second sample', () => {
    const meter = new TrafficMeter();
    expect(meter.rates()).toMatchObject({ windowSeconds: 0, packetsPerSecondClientToPeer: 0 });
    meter.sample(0, totals(1000));
    expect(meter.rates()).toMatchObject({ windowSeconds: 0, packetsPerSecondClientToPeer: 0 });
  });

  it('averages over the time between samples', () => {
    const meter = new TrafficMeter();
    meter.sample(1000, totals(500));
    meter.sample(3000, totals(700));
    expect(meter.rates()).toEqual({
      windowSeconds: 2,
      packetsPerSecondClientToPeer: 100,
      bitsPerSecondClientToPeer: 80_000,
      packetsPerSecondPeerToClient: 200,
      bitsPerSecondPeerToClient: 800_000,
    });
  });

  it('forgets what is older than its window', () => {
    const meter = new TrafficMeter();
    for (let second = 0; second <= 20; second++)
      meter.sample(second * 1000, totals(second < 10 ? second * 1000 : 10_000));
    expect(meter.rates()).toMatchObject({ windowSeconds: 5, packetsPerSecondClientToPeer: 0 });
  });

  it('leaves out a sample at the time of the last', () => {
    const meter = new TrafficMeter();
    meter.sample(0, totals(0));
    meter.sample(1000, totals(10));
    meter.sample(1000, totals(99));
    expect(meter.rates().packetsPerSecondClientToPeer).toBe(10);
  });
});
