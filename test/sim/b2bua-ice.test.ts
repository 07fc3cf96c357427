/** Legs on which the B2BUA is the ICE peer (lite): media goes where checks with the right credentials come from. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decode, errorCode, SUCCESS } from '../../lab/phone/plain-stun.ts';
import type { NgDictionary } from '../../src/b2bua/ng-request.ts';
import type { LineOptions, Phone } from '../kit/b2bua-phone.ts';
import { B2buaSim, type SimCall, type Stranger } from '../kit/b2bua-sim.ts';
import type { Place } from '../kit/sim-network.ts';

const ICE_SECURE: LineOptions = {
  protocol: 'RTP/SAVP',
  suites: ['AES_CM_128_HMAC_SHA1_80'],
  rtcpMux: true,
  ice: true,
};
const ICE_PLAIN: LineOptions = { rtcpMux: true, ice: true };
const FLAGS: NgDictionary = { 'transport-protocol': 'RTP/AVP', 'rtcp-mux': ['offer'] };

let sim: B2buaSim;
let stranger: Stranger;
let phone: Phone;
let other: Phone;

beforeEach(() => {
  sim = new B2buaSim();
  stranger = sim.stranger();
});
afterEach(() => expect(sim.end()).toEqual([]));

/** A call from a phone with ICE outside, whose SDP has an address nobody can reach, to a plain one inside. */
function callFrom(line: LineOptions): SimCall {
  phone = sim.phone({ address: '203.0.113.10', sdpAddress: '192.168.1.10', lines: [line] });
  other = sim.phone({ address: '10.0.0.20', lines: [{ rtcpMux: true }] });
  return sim.call(phone, other, { answer: { ICE: 'force' } }).setUp(FLAGS);
}

function port(): Place {
  const { remoteRtp } = phone.audio;
  if (!remoteRtp) throw new Error('no SDP yet');
  return remoteRtp;
}

/** Has the other side speak; how many packets arrived where. */
function listeners(): { phone: number; stranger: number } {
  phone.audio.clear();
  stranger.received.length = 0;
  other.audio.say('for the phone alone');
  sim.run(50);
  return { phone: phone.audio.heard.length, stranger: stranger.received.length };
}

/** Error codes of the answers to checks so far; 0 is success. */
function answers(): number[] {
  return phone.audio.stun.map((bytes) => {
    const message = decode(bytes);
    return message.kind === SUCCESS ? 0 : errorCode(message);
  });
}

describe.each([
  ['encrypted', ICE_SECURE],
  ['plain', ICE_PLAIN],
])('an ICE leg, %s', (kind, line) => {
  it('is offered as a lite agent with a candidate', () => {
    callFrom(line);
    const attributes = phone.line.remote?.attributes.join('\n');
    expect(attributes).toMatch(/^ice-ufrag:\S{4,}$/m);
    expect(attributes).toMatch(/^ice-pwd:\S{22,}$/m);
    expect(attributes).toContain(`UDP 2130706431 198.51.100.1 ${port().port} typ host`);
  });

  it('is sent nothing before a check has come', () => {
    callFrom(line);
    expect(listeners()).toEqual({ phone: 0, stranger: 0 });
    expect(sim.node.drops).toEqual({ dropNoDestination: 1 });
  });

  it('carries media both ways once a check has come, nominating or not', () => {
    const call = callFrom(line);
    phone.audio.check();
    sim.run(50);
    expect(answers()).toEqual([0]);
    expect(call.converse()).toEqual([]);
    phone.audio.check({ nominates: true });
    sim.run(50);
    expect(answers()).toEqual([0]);
    expect(call.converse()).toEqual([]);
  });

  it('goes to the nominated pair, whatever other pairs are checked', () => {
    const call = callFrom(line);
    phone.audio.check({ nominates: true });
    sim.run(50);
    expect(call.converse()).toEqual([]);
    const place = phone.audio.rtpPlace;
    phone.audio.move({ address: '198.18.0.7', port: 40_000 });
    phone.audio.check();
    sim.run(50);
    expect(answers()).toEqual([0]);
    phone.audio.move(place);
    expect(call.converse()).toEqual([]);
  });

  it('moves with a new nomination', () => {
    const call = callFrom(line);
    phone.audio.check({ nominates: true });
    sim.run(50);
    expect(call.converse()).toEqual([]);
    phone.audio.move({ address: '198.18.0.7', port: 40_000 });
    expect(listeners()).toEqual({ phone: 0, stranger: 0 });
    phone.audio.check({ nominates: true });
    sim.run(50);
    expect(call.converse()).toEqual([]);
  });

  it('gives nothing to one whose checks have wrong credentials', () => {
    const call = callFrom(line);
    phone.audio.check({ nominates: true, password: 'x'.repeat(24) });
    phone.audio.check({ nominates: true, username: 'nobody:phone00' });
    phone.audio.check({ nominates: true, username: `${phone.audio.remoteIce?.ufrag}:another` });
    sim.run(50);
    expect(answers()).toEqual([401, 401, 401]);
    expect(listeners()).toEqual({ phone: 0, stranger: 0 });
    expect(sim.node.counter('iceRefusals')).toBe(3);
    phone.audio.check({ nominates: true });
    sim.run(50);
    expect(call.converse()).toEqual([]);
  });

  it('is not turned by media from elsewhere, nor by a STUN answer', () => {
    const call = callFrom(line);
    phone.audio.check({ nominates: true });
    sim.run(50);
    expect(call.converse()).toEqual([]);
    stranger.send(phone.audio.next('forged').plain, port());
    stranger.send(phone.audio.stun[0] ?? Buffer.from('00'), port());
    sim.run(50);
    expect(listeners()).toEqual({ phone: 1, stranger: 0 });
    expect(call.converse()).toEqual([]);
  });

  it('stays on its pair over a re-offer with the same credentials', () => {
    const call = callFrom(line);
    phone.audio.check({ nominates: true });
    sim.run(50);
    call.negotiate(phone, other, FLAGS);
    expect(call.converse()).toEqual([]);
    call.negotiate(other, phone, {
      ICE: 'force',
      'rtcp-mux': ['offer'],
      'transport-protocol': kind === 'plain' ? 'RTP/AVP' : 'RTP/SAVP',
    });
    expect(call.converse()).toEqual([]);
  });

  it('after a restart stays on its pair until a check with the new credentials nominates another', () => {
    const call = callFrom(line);
    phone.audio.check({ nominates: true });
    sim.run(50);
    expect(call.converse()).toEqual([]);
    const before = phone.audio.remoteIce;
    phone.line.restartIce();
    call.negotiate(phone, other, FLAGS);
    expect(phone.audio.remoteIce?.ufrag).not.toBe(before?.ufrag);
    expect(phone.audio.remoteIce?.pwd).not.toBe(before?.pwd);
    expect(call.converse()).toEqual([]);
    const place = phone.audio.rtpPlace;
    phone.audio.move({ address: '198.18.0.7', port: 40_000 });
    phone.audio.check();
    sim.run(50);
    expect(answers()).toEqual([0]);
    phone.audio.move(place);
    expect(call.converse()).toEqual([]);
    phone.audio.move({ address: '198.18.0.7', port: 40_000 });
    phone.audio.check({ nominates: true, username: `${before?.ufrag}:phone00`, password: before?.pwd ?? '' });
    sim.run(50);
    expect(answers()).toEqual([401]);
    expect(listeners()).toEqual({ phone: 0, stranger: 0 });
    phone.audio.check({ nominates: true });
    sim.run(50);
    expect(call.converse()).toEqual([]);
  });

  it('is sent media though its SDP has the null address of one who trickles', () => {
    phone = sim.phone({ address: '203.0.113.10', lines: [line] });
    other = sim.phone({ address: '10.0.0.20', lines: [{ rtcpMux: true }] });
    phone.line.isNull = true;
    const offer = { ...FLAGS, replace: ['zero-address'] };
    const call = sim.call(phone, other, { answer: { ICE: 'force' } }).setUp(offer);
    phone.audio.check({ nominates: true });
    sim.run(50);
    expect(call.converse()).toEqual([]);
  });

  it('that answers without ICE is an ordinary leg', () => {
    phone = sim.phone({ address: '10.0.0.20', lines: [{ ...line, ice: false }] });
    other = sim.phone({ address: '203.0.113.10' });
    const offer = { ICE: 'force', 'transport-protocol': line.protocol ?? 'RTP/AVP', 'rtcp-mux': ['offer'] };
    expect(sim.call(other, phone).setUp(offer).converse()).toEqual([]);
  });

  it('may check before its answer has come', () => {
    phone = sim.phone({ address: '10.0.0.20', sdpAddress: '192.168.1.10', lines: [line] });
    other = sim.phone({ address: '203.0.113.10' });
    const call = sim.call(other, phone);
    const offer = { ICE: 'force', 'transport-protocol': line.protocol ?? 'RTP/AVP', 'rtcp-mux': ['offer'] };
    const offered = call.offer(other, phone, offer);
    phone.answer(offered); // it knows all it needs; its answer is still on the way
    phone.audio.check({ nominates: true });
    sim.run(50);
    expect(answers()).toEqual([0]);
    call.answer(other, phone, offered);
    expect(call.converse()).toEqual([]);
  });
});

describe('an encrypted ICE leg', () => {
  it('is heard from a pair that was not nominated, and is not sent to there', () => {
    const call = callFrom(ICE_SECURE);
    phone.audio.check({ nominates: true });
    sim.run(50);
    const elsewhere = sim.stranger('198.18.0.7', 40_000);
    const { plain, sent } = phone.audio.next('by another way');
    elsewhere.send(sent, port());
    sim.run(50);
    expect(other.audio.heard).toEqual([plain]);
    expect(listeners()).toEqual({ phone: 1, stranger: 0 });
    expect(call.converse()).toEqual([]);
    expect(elsewhere.received).toEqual([]);
  });
});

describe('a plain ICE leg', () => {
  it('hears nobody before a check has come, not even from where the SDP says', () => {
    phone = sim.phone({ address: '203.0.113.10', lines: [ICE_PLAIN] });
    other = sim.phone({ address: '10.0.0.20', lines: [{ rtcpMux: true }] });
    const call = sim.call(phone, other, { answer: { ICE: 'force' } }).setUp(FLAGS);
    phone.audio.say('too early');
    phone.audio.report();
    stranger.send(phone.audio.next('forged').plain, port());
    sim.run(50);
    expect(other.audio.raw).toEqual([]);
    expect(listeners()).toEqual({ phone: 0, stranger: 0 });
    expect(sim.node.drops).toEqual({ dropUnknownSource: 3, dropNoDestination: 1 });
    phone.audio.check();
    sim.run(50);
    expect(call.converse()).toEqual([]);
  });
});

describe('without rtcp-mux an ICE leg', () => {
  it('has a pair for each component', () => {
    phone = sim.phone({
      address: '203.0.113.10',
      sdpAddress: '192.168.1.10',
      lines: [{ ...ICE_SECURE, rtcpMux: false }],
    });
    other = sim.phone({ address: '10.0.0.20' });
    const call = sim.call(phone, other, { answer: { ICE: 'force' } });
    call.setUp({ 'transport-protocol': 'RTP/AVP' });
    phone.audio.check({ nominates: true });
    phone.audio.check({ nominates: true, component: 'rtcp' });
    sim.run(50);
    expect(call.converse()).toEqual([]);
  });
});

it('a check on a leg without ICE is dropped', () => {
  phone = sim.phone({ address: '203.0.113.10' });
  other = sim.phone({ address: '10.0.0.20' });
  const call = sim.call(phone, other).setUp();
  phone.audio.localIce = { ufrag: 'aaaa', pwd: 'b'.repeat(22) };
  phone.audio.remoteIce = { ufrag: 'cccc', pwd: 'd'.repeat(22) };
  phone.audio.check({ nominates: true });
  expect(call.converse()).toEqual([]);
  expect(phone.audio.stun).toEqual([]);
  expect(sim.node.drops).toEqual({ dropUnexpectedStun: 1 });
});
