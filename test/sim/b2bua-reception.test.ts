/** Statistics of what each leg receives, over links that lose, delay and copy. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ZONE, ZONE_COUNTERS } from '../../src/b2bua/counters.ts';
import type { StreamReport } from '../../src/b2bua/inspect.ts';
import type { Phone } from '../kit/b2bua-phone.ts';
import { B2buaSim, type SimCall } from '../kit/b2bua-sim.ts';

const NODE = '198.51.100.1';
const PHONE = '203.0.113.10';
const PACKETS = 3000;

let sim: B2buaSim;
let a: Phone;
let b: Phone;
let call: SimCall;

beforeEach(() => {
  sim = new B2buaSim({ seed: 4 });
  const line = { protocol: 'RTP/SAVP', suites: ['AES_CM_128_HMAC_SHA1_80'] };
  a = sim.phone({ address: PHONE, lines: [line] });
  b = sim.phone({ address: '10.0.0.20' });
  call = sim.call(a, b).setUp({ 'transport-protocol': 'RTP/AVP' });
});
afterEach(() => expect(sim.end()).toEqual([]));

/** Both speak, a packet each 20 ms with timestamps to match; what the legs then have to say. */
function talk(packets: number = PACKETS): { a: StreamReport; b: StreamReport } {
  for (let i = 0; i < packets; i++) {
    a.audio.say('a');
    b.audio.say('b');
    sim.run(20);
  }
  sim.run(200);
  return reports();
}

function reports(): { a: StreamReport; b: StreamReport } {
  const [one, two] = sim.node.report(call.id).legs.map(({ lines }) => lines[0]?.streams[0]);
  if (!one || !two) throw new Error('both legs have a stream');
  return { a: one, b: two };
}

describe('reception statistics', () => {
  it('tell of nothing lost where nothing was', () => {
    const { a: ofA, b: ofB } = talk(100);
    for (const report of [ofA, ofB]) {
      expect(report).toMatchObject({ packets: 100, bytes: 1300, packetsLost: 0, jitterMs: 0, errors: 0 });
    }
    expect([ofA.ssrc, ofB.ssrc]).toEqual([a.audio.ssrc, b.audio.ssrc]);
    expect(ofA.remote).toBe(`${PHONE}:${a.audio.rtpPlace.port}`);
  });

  it('count what a link lost, and only on its side', () => {
    sim.network.setLink(PHONE, NODE, { lossRate: 0.05 });
    const { a: ofA, b: ofB } = talk();
    expect(ofA.packets + ofA.packetsLost).toBeGreaterThan(PACKETS - 5); // the last ones are nobody's loss yet
    expect(ofA.packetsLost).toBeGreaterThan(PACKETS * 0.04);
    expect(ofA.packetsLost).toBeLessThan(PACKETS * 0.06);
    expect(b.audio.heard.length).toBe(ofA.packets);
    expect(ofB).toMatchObject({ packets: PACKETS, packetsLost: 0, jitterMs: 0 });
    expect(sim.node.drops).toEqual({});
  });

  it('tell the jitter of delays, lose nothing by disorder, and all of it arrives', () => {
    sim.network.setLink(PHONE, NODE, { latencyMs: 30, reorderRate: 0.3 });
    const { a: ofA, b: ofB } = talk();
    expect(ofA).toMatchObject({ packets: PACKETS, packetsLost: 0, errors: 0 });
    // Three in ten are late by 1 to 90 ms: two neighbours differ by about 0.3 · 0.7 · 2 · 45 + … ms.
    expect(ofA.jitterMs).toBeGreaterThan(8);
    expect(ofA.jitterMs).toBeLessThan(40);
    expect(ofB.jitterMs).toBe(0);
    expect(b.audio.heard.length).toBe(PACKETS);
    expect(sim.node.drops).toEqual({});
  });

  it('do not count copies of encrypted packets, which reach nobody twice', () => {
    sim.network.setLink(PHONE, NODE, { duplicateRate: 0.2 });
    const { a: ofA } = talk(1000);
    expect(ofA).toMatchObject({ packets: 1000, packetsLost: 0 });
    expect(b.audio.heard.length).toBe(1000);
    expect(ofA.errors).toBeGreaterThan(150);
    expect(sim.node.drops).toEqual({ dropSrtpReplayed: ofA.errors });
  });

  it('hold over loss, disorder and copies together, at a rollover, both ways', () => {
    sim.network.setLink(PHONE, NODE, {
      latencyMs: 20,
      lossRate: 0.05,
      duplicateRate: 0.05,
      reorderRate: 0.2,
    });
    sim.network.setLink('10.0.0.20', '10.0.0.1', { latencyMs: 20, lossRate: 0.05, reorderRate: 0.2 });
    a.audio.index = b.audio.index = 0x10000 - PACKETS / 2;
    const { a: ofA, b: ofB } = talk();
    for (const [report, other] of [
      [ofA, b],
      [ofB, a],
    ] as const) {
      expect(report.packets + report.packetsLost).toBeGreaterThan(PACKETS - 10);
      expect(report.packets + report.packetsLost).toBeLessThanOrEqual(PACKETS);
      expect(other.audio.heard.length).toBeGreaterThan(report.packets * 0.93); // the second link loses too
      expect(other.audio.unreadable).toBe(0);
    }
    expect(Object.keys(sim.node.drops)).toEqual(['dropSrtpReplayed']);
    expect(sim.node.drops.dropSrtpReplayed).toBeLessThanOrEqual(ofA.errors + ofB.errors);
  });
});

describe('the links of zones', () => {
  it('count packets and bytes on the wire, as they came and as they left, and the legs there are', () => {
    expect(call.converse(10)).toEqual([]);
    const values = (zone: number): number[] =>
      Object.values(ZONE).map((column) => sim.node.zoneCounters[zone * ZONE_COUNTERS + column] as number);
    const sum = (packets: readonly { bytes: Buffer }[]): number =>
      packets.reduce((bytes, packet) => bytes + packet.bytes.length, 0);
    const [toA, toB] = [sum(a.audio.raw), sum(b.audio.raw)];
    // What A sent is what B got, with a tag on each RTP packet and more on RTCP; and the other way about.
    const [rtpTag, rtcpTrailer] = [10, 14];
    const fromA = toB + 10 * rtpTag + rtcpTrailer;
    const fromB = toA - 10 * rtpTag - rtcpTrailer;
    expect(values(0)).toEqual([11, fromA, 11, toA, 1]);
    expect(values(1)).toEqual([11, fromB, 11, toB, 1]);
    call.delete();
    expect([values(0)[4], values(1)[4]]).toEqual([0, 0]);
  });
});
