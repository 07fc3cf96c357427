/**
 * An offer that passed through, answered without ICE: from then on an ordinary B2BUA call, without a gap and
 * without any key used in two ways.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decode, SUCCESS } from '../../lab/phone/plain-stun.ts';
import { attributeOf, keysOf, readPhoneSdp } from '../../lab/phone/sdp-lines.ts';
import { EXTERNAL, INTERNAL } from '../kit/b2bua-node.ts';
import type { LineOptions, Phone } from '../kit/b2bua-phone.ts';
import { B2buaSim, type SimCall } from '../kit/b2bua-sim.ts';

const SUITES = ['AES_CM_128_HMAC_SHA1_80', 'AEAD_AES_128_GCM'];
const ICE: LineOptions = { protocol: 'RTP/SAVP', suites: SUITES, rtcpMux: true, ice: true };
const NO_ICE: LineOptions = { protocol: 'RTP/SAVP', suites: SUITES, rtcpMux: true };

let sim: B2buaSim;
let a: Phone;
let b: Phone;
let call: SimCall;

beforeEach(() => {
  const zones = [EXTERNAL, INTERNAL].map((zone) => ({ ...zone, icePassthrough: true }));
  sim = new B2buaSim({ zones });
  sim.expectSharedKeys();
});
afterEach(() => expect(sim.end()).toEqual([]));

function phones(caller: LineOptions = ICE, callee: LineOptions = NO_ICE): void {
  a = sim.phone({ address: '203.0.113.10', lines: [caller] });
  b = sim.phone({ address: '10.0.0.20', lines: [callee] });
  call = sim.call(a, b);
}

/** Keys that are in force towards a phone, as text. */
function keysTold(phone: Phone): string[] {
  return keysOf(phone.line.remote ?? readPhoneSdp('')[0] ?? never()).map(({ text }) => text);
}

function isToldOfIce({ line }: Phone): boolean {
  return attributeOf(line.remote ?? never(), 'ice-ufrag') !== undefined;
}

function never(): never {
  throw new Error('no SDP yet');
}

/** What the last bytes that left `speaker` became on the way. */
function onWire(speaker: Phone, listener: Phone): { sent: Buffer; received: Buffer | undefined } {
  const { sent } = speaker.audio.next('over the wire');
  listener.audio.clear();
  speaker.audio.transmit(sent);
  sim.run(50);
  return { sent, received: listener.audio.raw[0]?.bytes };
}

describe.each(SUITES)('an answer without ICE, %s', (suite) => {
  const only = (line: LineOptions): LineOptions => ({ ...line, suites: [suite] });

  it.each([
    ['with rtcp-mux at both', true, true],
    ['with rtcp-mux at the caller alone', true, false],
    ['with a port for RTCP', false, false],
  ])('carries RTP and RTCP both ways, %s', (_, near, far) => {
    phones({ ...only(ICE), rtcpMux: near }, { ...only(NO_ICE), rtcpMux: far });
    expect(call.setUp().converse(5)).toEqual([]);
    expect(sim.node.drops).toEqual({});
  });

  it('leaves what the caller says as it is, and encrypts what it hears by a key of ours', () => {
    phones(only(ICE), only(NO_ICE));
    call.setUp();
    const forth = onWire(a, b);
    expect(forth.received).toEqual(forth.sent);
    const back = onWire(b, a);
    expect(back.received).not.toEqual(back.sent);
    expect(a.audio.heard).toHaveLength(1);
    expect(keysTold(a)).not.toContain(keysOf(readPhoneSdp(b.offer())[0] ?? never())[0]?.text);
  });

  it('tells the caller nothing of ICE', () => {
    phones(only(ICE), only(NO_ICE));
    call.setUp();
    expect(a.line.remote?.attributes.join('\n')).not.toMatch(/ice|candidate/);
  });

  it.each(['a', 'b'])('has keys of ours both ways from the next offer on, which %s makes', (who) => {
    phones(only(ICE), only(NO_ICE));
    call.setUp();
    expect(call.converse()).toEqual([]);
    const [offerer, answerer] = who === 'a' ? [a, b] : [b, a];
    const offered = call.offer(offerer, answerer);
    expect(call.converse()).toEqual([]); // until the answer all goes on as before
    call.answer(offerer, answerer, offered);
    expect(call.converse()).toEqual([]);
    for (const [speaker, listener] of [
      [a, b],
      [b, a],
    ] as const) {
      const { sent, received } = onWire(speaker, listener);
      expect(received).not.toEqual(sent);
      expect(listener.audio.unreadable).toBe(0);
    }
  });

  it('and a re-offer keep the caller on the key it has been told', () => {
    phones(only(ICE), only(NO_ICE));
    call.setUp();
    const before = keysTold(a);
    call.negotiate(a, b);
    expect(keysTold(a)).toEqual(before);
    expect(call.converse()).toEqual([]);
  });
});

describe('other answers to an offer that passed through', () => {
  it('without encryption, where that is allowed, carry plain RTP', () => {
    phones({ rtcpMux: true, ice: true }, { rtcpMux: true });
    expect(call.setUp().converse()).toEqual([]);
    expect(sim.node.drops).toEqual({});
  });

  it('with candidates but none that works go on by us', () => {
    phones(ICE, ICE);
    expect(call.setUp().converse()).toEqual([]);
    for (const { audio } of [a, b]) audio.check({ nominates: true });
    sim.run(50);
    expect(call.converse()).toEqual([]);
  });

  it('with an ICE mismatch are ordinary ones', () => {
    phones(ICE, { ...ICE, attributes: ['ice-mismatch'] });
    expect(call.setUp().converse()).toEqual([]);
    expect(sim.node.crypto.live).toBeGreaterThan(0);
  });

  it('of which the first is without ICE, and the next with, pass through in the end', () => {
    phones(ICE, NO_ICE);
    const offered = call.offer(a, b);
    call.answer(a, b, offered);
    expect(call.converse()).toEqual([]);
    const second = sim.phone({ address: '10.0.0.30', lines: [ICE] });
    sim.call(a, second, { callId: call.id }).answer(a, second, offered);
    expect(sim.converse(a.audio, second.audio)).toEqual([]);
    const { sent, received } = onWire(second, a);
    expect(received).toEqual(sent);
  });

  it('of which the first is with ICE, and the next without, are ordinary in the end', () => {
    phones(ICE, ICE);
    const offered = call.offer(a, b);
    call.answer(a, b, offered);
    expect(call.converse()).toEqual([]);
    const second = sim.phone({ address: '10.0.0.30', lines: [NO_ICE] });
    sim.call(a, second, { callId: call.id }).answer(a, second, offered);
    expect(sim.converse(a.audio, second.audio)).toEqual([]);
  });

  it('that refuse the line end it', () => {
    phones(ICE, NO_ICE);
    b.line.isRefused = true;
    call.setUp();
    expect(a.line.remote?.port).toBe(0);
  });
});

describe('a call that passed through', () => {
  it('and is put on music without ICE becomes an ordinary one', () => {
    phones(ICE, ICE);
    call.setUp();
    expect(call.converse()).toEqual([]);
    const music = sim.phone({ address: '10.0.0.40', tag: b.tag, lines: [NO_ICE] });
    call.negotiate(a, music);
    expect(sim.converse(a.audio, music.audio)).toEqual([]);
  });

  it('and is put on hold without ICE passes through again when it is resumed', () => {
    phones(ICE, ICE);
    call.setUp();
    a.line.options = NO_ICE;
    call.negotiate(a, b);
    expect(call.converse()).toEqual([]);
    a.line.options = ICE;
    call.negotiate(a, b);
    const { sent, received } = onWire(a, b);
    expect(received).toEqual(sent);
  });

  it('and whose zones let pass what an offer without ICE brings goes on with keys of ours', () => {
    phones(ICE, ICE);
    call.setUp();
    expect(call.converse()).toEqual([]);
    a.line.options = NO_ICE;
    call.negotiate(a, b);
    expect(call.converse()).toEqual([]);
    a.line.options = ICE;
    call.negotiate(a, b);
    expect(call.converse()).toEqual([]);
  });
});

describe('a side that offered without ICE', () => {
  it('is not offered it when the other side changes something: keys and addresses stay', () => {
    phones(NO_ICE, ICE);
    call.setUp();
    expect(call.converse()).toEqual([]);
    const keys = keysTold(a);
    call.negotiate(b, a);
    expect(keysTold(a)).toContain(keys[0]);
    expect(isToldOfIce(a)).toBe(false);
    expect(call.converse()).toEqual([]);
  });

  it('and then with it, is passed on what the other side offers', () => {
    phones(NO_ICE, ICE);
    call.setUp();
    a.line.options = ICE;
    call.negotiate(a, b);
    call.negotiate(b, a);
    const { sent, received } = onWire(b, a);
    expect(received).toEqual(sent);
  });
});

describe('where the zone of the offerer does ICE', () => {
  beforeEach(() => {
    const zones = [EXTERNAL, INTERNAL].map((zone) => ({ ...zone, icePassthrough: true, ice: true }));
    sim = new B2buaSim({ zones });
    sim.expectSharedKeys();
  });

  it('it does so with us when the answer is without', () => {
    phones(ICE, NO_ICE);
    call.setUp();
    expect(isToldOfIce(a)).toBe(true);
    b.audio.say('to nobody before a check has come');
    sim.run(50);
    expect(a.audio.heard).toEqual([]);
    a.audio.check({ nominates: true });
    sim.run(50);
    expect(a.audio.stun.map((bytes) => decode(bytes).kind)).toEqual([SUCCESS]);
    expect(call.converse()).toEqual([]);
  });

  it('it does not in the place of one who has answered with ICE before: that would be a restart', () => {
    phones(ICE, ICE);
    call.setUp();
    expect(call.converse()).toEqual([]);
    const music = sim.phone({ address: '10.0.0.40', tag: b.tag, lines: [NO_ICE] });
    call.negotiate(a, music);
    expect(isToldOfIce(a)).toBe(false);
    expect(sim.converse(a.audio, music.audio)).toEqual([]);
  });

  it('a side that does ICE with us, and not with the other side, is not asked for that again', () => {
    phones(ICE, { ...ICE, attributes: ['ice-mismatch'] });
    call.setUp();
    b.line.options = ICE;
    for (let round = 0; round < 3; round++) {
      const offered = call.offer(a, b);
      expect(offered).toContain('a=ice-lite');
      call.answer(a, b, offered);
      for (const { audio } of [a, b]) if (audio.localIce) audio.check({ nominates: true });
      sim.run(50);
      expect(call.converse()).toEqual([]);
    }
  });
});
