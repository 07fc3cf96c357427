import { describe, expect, it } from 'vitest';
import {
  COLLECTD_PACKET_BYTES_MAX,
  type CollectdGauge,
  type CollectdHead,
  collectdPackets,
} from '../../../src/wire/collectd.ts';
import { type CollectdPart, collectdParts } from '../../kit/collectd-parts.ts';

const HEAD: CollectdHead = {
  host: 'node1',
  timeMs: 1_795_346_448_822,
  intervalSeconds: 60,
  plugin: 'statsd',
  pluginInstance: '',
  type: 'gauge',
};

function firstPartsOf(head: Partial<CollectdHead>, gauges: readonly CollectdGauge[]): CollectdPart[] {
  const [packet, ...others] = collectdPackets({ ...HEAD, ...head }, gauges);
  expect(others).toEqual([]);
  return collectdParts(packet ?? new Uint8Array());
}

describe('a packet for collectd', () => {
  it('is this, byte by byte', () => {
    const [packet] = collectdPackets({ ...HEAD, host: 'h', timeMs: 1500, intervalSeconds: 1 }, [
      { name: 'n', value: 1.5 },
    ]);
    expect(Buffer.from(packet ?? []).toString('hex')).toBe(
      [
        '0000' + '0006' + '6800',
        '0008' + '000c' + '0000000060000000', // 1.5 × 2³⁰
        '0009' + '000c' + '0000000040000000',
        '0002' + '000b' + '73746174736400',
        '0003' + '0005' + '00',
        '0004' + '000a' + '676175676500',
        '0005' + '0006' + '6e00',
        '0006' + '000f' + '0001' + '01' + '000000000000f83f',
      ].join(''),
    );
  });

  it('says once what all gauges share, then each gauge by name and value', () => {
    expect(
      firstPartsOf({}, [
        { name: 'ICEPassthroughMetrics.b2buacalls', value: 4 },
        { name: 'load', value: -0.25 },
      ]),
    ).toEqual([
      [0, 'node1'],
      [8, (1_795_346_448_822n * 2n ** 30n) / 1000n],
      [9, 60n * 2n ** 30n],
      [2, 'statsd'],
      [3, ''],
      [4, 'gauge'],
      [5, 'ICEPassthroughMetrics.b2buacalls'],
      [6, 4],
      [5, 'load'],
      [6, -0.25],
    ]);
  });

  it('is followed by another, complete in itself, before it is too large', () => {
    const gauges = Array.from({ length: 300 }, (_, i) => ({
      name: `ZoneMetrics.zone${i}.activecalls`,
      value: i,
    }));
    const packets = collectdPackets(HEAD, gauges);
    const head = collectdParts(packets[0] ?? new Uint8Array()).slice(0, 6);
    const values: CollectdPart[] = [];
    for (const packet of packets) {
      expect(packet.length).toBeLessThanOrEqual(COLLECTD_PACKET_BYTES_MAX);
      const parts = collectdParts(packet);
      expect(parts.slice(0, 6)).toEqual(head);
      values.push(...parts.slice(6));
    }
    expect(values).toEqual(
      gauges.flatMap(({ name, value }) => [
        [5, name],
        [6, value],
      ]),
    );
    // As few as possible: no packet has room for the next one's first gauge.
    for (const packet of packets.slice(0, -1))
      expect(packet.length).toBeGreaterThan(COLLECTD_PACKET_BYTES_MAX - 60);
  });

  it('is none where there is nothing to say', () => {
    expect(collectdPackets(HEAD, [])).toEqual([]);
  });

  it('carries numbers as they are: large, infinite, none', () => {
    const numbers = [Number.MAX_SAFE_INTEGER, Number.POSITIVE_INFINITY, 0, 1e-300];
    const parts = firstPartsOf(
      {},
      numbers.map((value) => ({ name: 'x', value })),
    );
    expect(parts.filter(([type]) => type === 6).map(([, value]) => value)).toEqual(numbers);
    expect(firstPartsOf({}, [{ name: 'x', value: Number.NaN }]).at(-1)).toEqual([6, Number.NaN]);
  });

  it('has no text that a collectd would take for a path, and none that ends early', () => {
    const parts = firstPartsOf({ host: '../../etc/x' }, [{ name: 'a\0b\n/c', value: 1 }]);
    expect(parts[0]).toEqual([0, '.._.._etc_x']);
    expect(parts.at(-2)).toEqual([5, 'a_b__c']);
  });

  it('cuts text to 127 bytes, never within a character', () => {
    const cut = (name: string): unknown => firstPartsOf({}, [{ name, value: 1 }]).at(-2)?.[1];
    expect(cut('x'.repeat(200))).toBe('x'.repeat(127));
    expect(cut('€'.repeat(60))).toBe('€'.repeat(42));
    expect(cut('x'.repeat(127))).toBe('x'.repeat(127));
  });
});
