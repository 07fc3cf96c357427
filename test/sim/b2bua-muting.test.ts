/** Media that is blocked or made silence on behalf of the proxy. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NgDictionary } from '../../src/b2bua/ng-request.ts';
import type { Phone } from '../kit/b2bua-phone.ts';
import { B2buaSim, type SimCall } from '../kit/b2bua-sim.ts';

const TO_PLAIN = { 'transport-protocol': 'RTP/AVP' };
const PCMU_SILENCE = 0xff;
const PCMA_SILENCE = 0xd5;

let sim: B2buaSim;
let a: Phone;
let b: Phone;
let call: SimCall;

beforeEach(() => {
  sim = new B2buaSim();
  const formats = '0 8 101 111';
  const attributes = ['rtpmap:101 telephone-event/8000', 'rtpmap:111 opus/48000/2'];
  const suites = ['AES_CM_128_HMAC_SHA1_80'];
  a = sim.phone({
    address: '203.0.113.10',
    lines: [{ protocol: 'RTP/SAVP', suites, formats, attributes }],
  });
  b = sim.phone({ address: '10.0.0.20', lines: [{ formats, attributes }] });
  call = sim.call(a, b).setUp(TO_PLAIN);
  expect(call.converse()).toEqual([]);
});
afterEach(() => expect(sim.end()).toEqual([]));

function command(name: string, more: NgDictionary): void {
  expect(sim.node.command(name, { 'call-id': call.id, ...more })).toEqual({ result: 'ok' });
}

/** How many packets each hears when both speak, RTP and RTCP. */
function heard(): Record<'a' | 'b', readonly [rtp: number, rtcp: number]> {
  call.converse();
  const count = ({ audio }: Phone): readonly [number, number] => [audio.heard.length, audio.reports.length];
  return { a: count(a), b: count(b) };
}

describe('block media', () => {
  it('of one side keeps what it says from the other, until it is unblocked', () => {
    command('block media', { 'from-tag': a.tag });
    expect(heard()).toEqual({ a: [3, 1], b: [0, 0] });
    expect(sim.node.drops).toEqual({ dropBlocked: 4 });
    command('unblock media', { 'from-tag': a.tag });
    expect(call.converse()).toEqual([]);
  });

  it('of the whole call keeps both', () => {
    command('block media', {});
    expect(heard()).toEqual({ a: [0, 0], b: [0, 0] });
    command('unblock media', { flags: ['all'] });
    expect(call.converse()).toEqual([]);
  });

  it('outlives a re-offer, and the media timeout does not strike who is blocked', () => {
    command('block media', { 'from-tag': b.tag });
    call.negotiate(a, b, TO_PLAIN);
    for (let i = 0; i < 10; i++) {
      expect(heard()).toEqual({ a: [0, 0], b: [3, 1] });
      sim.run(20_000);
    }
    expect(sim.node.core.calls.size).toBe(1);
  });
});

describe('silence media', () => {
  const payload = (): Buffer[] => {
    a.audio.say('this is private');
    sim.run(50);
    const packets = b.audio.heard;
    b.audio.clear();
    return packets;
  };

  it.each([
    ['PCMU', 0, PCMU_SILENCE],
    ['PCMA', 8, PCMA_SILENCE],
  ])('turns %s into silence with all of its header', (_name, payloadType, byte) => {
    command('silence media', { 'from-tag': a.tag });
    b.audio.clear();
    a.audio.payloadType = payloadType;
    const { plain } = { plain: a.audio.say('this is private') };
    sim.run(50);
    const expected = Buffer.from(plain);
    expected.fill(byte, 12);
    expect(b.audio.heard).toEqual([expected]);
  });

  it('leaves the other side as it is, and RTCP too', () => {
    command('silence media', { 'from-tag': a.tag });
    expect(heard()).toEqual({ a: [3, 1], b: [3, 1] });
    expect(b.audio.heard.some((packet) => packet.includes('from a'))).toBe(false);
    expect(a.audio.heard.every((packet) => packet.includes('from b'))).toBe(true);
    command('unsilence media', { 'from-tag': a.tag });
    expect(call.converse()).toEqual([]);
  });

  it.each([
    ['digits', 101],
    ['Opus', 111],
    ['what the SDP does not name', 96],
  ])('drops %s, which no byte makes silent', (_name, payloadType) => {
    command('silence media', { 'from-tag': a.tag });
    b.audio.clear();
    a.audio.payloadType = payloadType;
    expect(payload()).toEqual([]);
    expect(sim.node.drops).toEqual({ dropBlocked: 1 });
  });
});
