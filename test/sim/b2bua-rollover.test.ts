/** SRTP over the life of a call: rollovers, loss, reordering, forgeries and replays, re-offers, changing sources. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NgDictionary } from '../../src/b2bua/ng-request.ts';
import type { LineOptions, Phone } from '../kit/b2bua-phone.ts';
import { B2buaSim, type SimCall } from '../kit/b2bua-sim.ts';
import { type PhoneStream, rtcpPacket } from '../kit/b2bua-stream.ts';

const CM_80 = 'AES_CM_128_HMAC_SHA1_80';
const CM_32 = 'AES_CM_128_HMAC_SHA1_32';
const GCM_128 = 'AEAD_AES_128_GCM';
const TO_PLAIN = { 'transport-protocol': 'RTP/AVP' };
const ROLLOVER = 0x10000;

let sim: B2buaSim;
let a: Phone;
let b: Phone;

beforeEach(() => {
  sim = new B2buaSim();
});
afterEach(() => expect(sim.end()).toEqual([]));

function secure(...suites: string[]): LineOptions {
  return { protocol: 'RTP/SAVP', suites };
}

function callBetween(caller: LineOptions, callee: LineOptions, offer: NgDictionary = {}): SimCall {
  a = sim.phone({ address: '203.0.113.10', lines: [caller] });
  b = sim.phone({ address: '10.0.0.20', lines: [callee] });
  return sim.call(a, b).setUp(offer);
}

/** The next packets of a stream, not sent yet: names by their places. */
function packets(from: PhoneStream, count: number): { plain: Buffer; sent: Buffer }[] {
  return Array.from({ length: count }, (_, i) => from.next(`packet ${i}`));
}

/** Sends packets in this order; returns which of them arrived, as plain, in their order of arrival. */
function arrivals(
  from: PhoneStream,
  to: PhoneStream,
  sent: readonly { plain: Buffer; sent: Buffer }[],
): number[] {
  to.clear();
  for (const packet of sent) {
    from.transmit(packet.sent);
    sim.run(1);
  }
  sim.run(50);
  const plains = sent.map(({ plain }) => plain.toString('hex'));
  return to.heard.map((packet) => plains.indexOf(packet.toString('hex')));
}

describe.each([
  ['CM', secure(CM_80), secure(CM_32)],
  ['GCM', secure(GCM_128), secure(GCM_128)],
])('a rollover of the sequence number, %s', (_name, caller, callee) => {
  it.each(['a', 'b'] as const)('is passed by the stream from %s', (side) => {
    const call = callBetween(caller, callee);
    const [from, to] = side === 'a' ? [a.audio, b.audio] : [b.audio, a.audio];
    from.index = ROLLOVER - 3;
    expect(arrivals(from, to, packets(from, 6))).toEqual([0, 1, 2, 3, 4, 5]);
    for (let rollover = 2; rollover <= 4; rollover++) {
      // A gap of less than half the numbers tells which ROC is meant (RFC 3711 §3.3.1).
      for (const step of [0.4, 0.8]) {
        from.index = Math.floor((rollover - 1 + step) * ROLLOVER);
        expect(arrivals(from, to, packets(from, 1))).toEqual([0]);
      }
      from.index = rollover * ROLLOVER - 2;
      expect(arrivals(from, to, packets(from, 4))).toEqual([0, 1, 2, 3]);
    }
    expect(call.converse()).toEqual([]);
    expect(sim.node.drops).toEqual({});
  });

  it('is passed out of order, with losses and copies', () => {
    callBetween(caller, callee);
    for (const [from, to] of [
      [a.audio, b.audio],
      [b.audio, a.audio],
    ] as const) {
      from.index = ROLLOVER - 40;
      const all = packets(from, 80);
      const order = [0, 2, 1, 30, 20, 45, 38, 41, 39, 40, 37, 79, 60, 36, 5];
      expect(
        arrivals(
          from,
          to,
          order.map((i) => all[i] ?? never()),
        ),
      ).toEqual(order.map((_, i) => i));
      // The same ones again, from both sides of the rollover, reach nobody.
      expect(
        arrivals(
          from,
          to,
          order.map((i) => all[i] ?? never()),
        ),
      ).toEqual([]);
    }
    expect(sim.node.drops).toEqual({ dropSrtpReplayed: 30 });
  });

  it('may have been passed before the first packet arrives', () => {
    callBetween(caller, callee);
    a.audio.index = ROLLOVER + 5;
    expect(arrivals(a.audio, b.audio, packets(a.audio, 3))).toEqual([0, 1, 2]);
  });
});

describe('more than 65,536 packets', () => {
  it('pass, with hold, resume and re-INVITEs by either side in between, and no ROC is lost', () => {
    const call = callBetween(secure(CM_80), {}, TO_PLAIN);
    let lost = 0;
    const talk = (count: number): void => {
      for (let i = 0; i < count; i++) {
        a.audio.say('a');
        b.audio.say('b');
        if (i % 16 === 15) sim.run(1);
        if (i % 4096 === 4095) {
          sim.run(30);
          lost += 2 * 4096 - a.audio.heard.length - b.audio.heard.length;
          a.audio.clear();
          b.audio.clear();
        }
      }
    };
    talk(9 * 4096);
    a.line.direction = 'sendonly';
    b.line.direction = 'recvonly';
    call.negotiate(a, b, TO_PLAIN);
    sim.run(5000);
    a.line.direction = b.line.direction = 'sendrecv';
    call.negotiate(a, b, TO_PLAIN);
    talk(4096);
    call.negotiate(b, a, { 'transport-protocol': 'RTP/SAVP' });
    talk(6 * 4096);
    call.negotiate(a, b, TO_PLAIN);
    expect(a.audio.index).toBeGreaterThan(ROLLOVER);
    expect(lost).toBe(0);
    expect(call.converse()).toEqual([]);
    expect(sim.node.drops).toEqual({});
  }, 120_000);
});

describe('a forged packet', () => {
  it.each([
    ['with a number far ahead', 20_000],
    ['that seems to be behind a rollover', 40_000],
    ['that seems to be from before one', -100],
    ['with a number just behind', -1],
  ])('%s does not disturb the true stream', (_name, distance) => {
    const call = callBetween(secure(CM_80), secure(GCM_128));
    const stranger = sim.stranger();
    a.audio.index = b.audio.index = ROLLOVER - 20;
    expect(call.converse()).toEqual([]);
    for (const phone of [a, b]) {
      const { audio } = phone;
      for (let i = 0; i < 300; i++) {
        const forged = Buffer.from(audio.next('forged').sent);
        forged.writeUInt16BE((audio.index + distance + i) & 0xffff, 2);
        forged.writeUInt8(forged.readUInt8(13) ^ 1, 13); // one of them would be the true one
        audio.index--;
        // From the phone's own address, and from a stranger's.
        audio.transmit(forged);
        stranger.send(forged, audio.remoteRtp ?? never());
        sim.run(1);
      }
    }
    expect(call.converse(40)).toEqual([]);
    const { dropSrtpAuthFailed = 0, dropSrtpTooOld = 0, dropSrtpReplayed = 0 } = sim.node.drops;
    expect(dropSrtpAuthFailed + dropSrtpTooOld + dropSrtpReplayed).toBe(1200);
    expect(stranger.received).toEqual([]);
  });

  it('of a source that nobody has heard of takes no room', () => {
    const call = callBetween(secure(CM_80), {}, TO_PLAIN);
    for (let ssrc = 0; ssrc < 200; ssrc++) {
      const forged = Buffer.from(a.audio.next('forged').sent);
      forged.writeUInt32BE(ssrc, 8);
      a.audio.transmit(forged);
    }
    sim.run(50);
    expect(sim.node.drops).toEqual({ dropSrtpAuthFailed: 200 });
    expect(call.converse()).toEqual([]);
  });

  it('of RTCP with a high index does not shut out what follows', () => {
    const call = callBetween(secure(CM_80), secure(GCM_128));
    const plain = rtcpPacket(a.audio.ssrc, 'forged');
    const report = Buffer.from(a.audio.outbound?.protectRtcp(plain, 0x7fffffff) ?? never());
    report.writeUInt8(report.readUInt8(20) ^ 1, 20);
    a.audio.transmit(report, 'rtcp');
    sim.run(50);
    expect(call.converse()).toEqual([]);
    expect(sim.node.drops).toEqual({ dropSrtpAuthFailed: 1 });
  });

  it('in clear on an encrypted leg is dropped', () => {
    const call = callBetween(secure(CM_80), {}, TO_PLAIN);
    a.audio.transmit(a.audio.next('in clear, for all to read').plain);
    a.audio.transmit(Buffer.from('80c9000112345678', 'hex'), 'rtcp');
    expect(call.converse()).toEqual([]);
    expect(sim.node.drops).toEqual({ dropSrtpAuthFailed: 1, dropSrtpMalformed: 1 });
  });
});

describe('a packet that was there before', () => {
  it('is dropped, RTP and RTCP, however it comes again', () => {
    const call = callBetween(secure(CM_80), secure(GCM_128));
    expect(call.converse()).toEqual([]);
    const said = packets(a.audio, 30);
    expect(arrivals(a.audio, b.audio, said).length).toBe(30);
    const report = a.audio.outbound?.protectRtcp(rtcpPacket(a.audio.ssrc, 'captured'), 77) ?? never();
    a.audio.transmit(report, 'rtcp');
    sim.run(50);
    b.audio.clear();
    a.audio.transmit(report, 'rtcp');
    expect(arrivals(a.audio, b.audio, said)).toEqual([]);
    expect(b.audio.reports).toEqual([]);
    expect(sim.node.drops).toEqual({ dropSrtpReplayed: 31 });
  });

  it('is dropped after a re-offer with the same keys too', () => {
    const call = callBetween(secure(CM_80), {}, TO_PLAIN);
    const said = packets(a.audio, 3);
    expect(arrivals(a.audio, b.audio, said)).toEqual([0, 1, 2]);
    call.negotiate(a, b, TO_PLAIN);
    call.negotiate(b, a, { 'transport-protocol': 'RTP/SAVP' });
    expect(arrivals(a.audio, b.audio, said)).toEqual([]);
  });

  it('is dropped after other keys were in use and the old ones came back', () => {
    const call = callBetween(secure(CM_80), {}, TO_PLAIN);
    const said = packets(a.audio, 3);
    expect(arrivals(a.audio, b.audio, said)).toEqual([0, 1, 2]);
    a.line.options = secure(CM_32);
    expect(call.negotiate(a, b, TO_PLAIN).converse()).toEqual([]);
    a.line.options = secure(CM_80);
    expect(call.negotiate(a, b, TO_PLAIN).converse()).toEqual([]);
    expect(arrivals(a.audio, b.audio, said)).toEqual([]);
  });
});

describe('a source that changes', () => {
  it('and comes back goes on where it was, over a rollover', () => {
    const call = callBetween(secure(CM_80), secure(GCM_128));
    a.audio.index = ROLLOVER - 2;
    expect(call.converse()).toEqual([]);
    const first = { ssrc: a.audio.ssrc, index: a.audio.index };
    a.audio.ssrc = (a.audio.ssrc ^ 0xff) >>> 0;
    a.audio.index = 7;
    expect(call.converse()).toEqual([]);
    call.negotiate(b, a);
    Object.assign(a.audio, first);
    expect(a.audio.index).toBeGreaterThan(ROLLOVER);
    expect(call.converse()).toEqual([]);
    expect(sim.node.drops).toEqual({});
  });
});

describe('a re-offer', () => {
  it('with new keys starts a new context on that leg alone', () => {
    const call = callBetween(secure(CM_80), secure(GCM_128));
    a.audio.index = b.audio.index = ROLLOVER - 2;
    expect(call.converse()).toEqual([]);
    const ours = a.audio.inbound;
    a.line.renewKeys();
    a.audio.index = 100; // as a phone does that makes a new context of new keys
    expect(call.negotiate(a, b).converse()).toEqual([]);
    expect(a.audio.inbound).toBe(ours);
    expect(b.audio.index).toBeGreaterThan(ROLLOVER);
  });

  it('with another suite has new keys of ours, and the old suite goes on with its own', () => {
    const call = callBetween(secure(CM_80), secure(CM_80));
    expect(call.converse()).toEqual([]);
    const firstKey = a.audio.inbound;
    const firstStream = { ssrc: a.audio.ssrc, index: a.audio.index };
    a.line.options = secure(GCM_128);
    Object.assign(a.audio, { ssrc: 7, index: 100 });
    expect(call.negotiate(a, b).converse()).toEqual([]);
    expect(a.audio.inbound).not.toBe(firstKey);
    a.line.options = secure(CM_80);
    Object.assign(a.audio, firstStream);
    expect(call.negotiate(a, b).converse()).toEqual([]);
    expect(a.audio.inbound).toBe(firstKey);
    expect(sim.node.drops).toEqual({});
  });

  it('that encrypts a leg which was plain, and one that ends it, go on', () => {
    const call = callBetween({}, {});
    expect(call.converse()).toEqual([]);
    a.line.options = secure(CM_80);
    expect(call.negotiate(a, b, TO_PLAIN).converse()).toEqual([]);
    expect(a.audio.inbound).toBeDefined();
    a.line.options = {};
    expect(call.negotiate(a, b, TO_PLAIN).converse()).toEqual([]);
    expect(a.audio.inbound).toBeUndefined();
  });
});

function never(): never {
  throw new Error('it is there');
}
