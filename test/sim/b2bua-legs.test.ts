/** Media between legs of every kind, both ways, to the byte. */
import { afterEach, describe, expect, it } from 'vitest';
import { keysOf, readPhoneSdp } from '../../lab/phone/sdp-lines.ts';
import type { NgDictionary } from '../../src/b2bua/ng-request.ts';
import { EXTERNAL, INTERNAL, type NodeOptions } from '../kit/b2bua-node.ts';
import type { LineOptions } from '../kit/b2bua-phone.ts';
import { B2buaSim, type SimCall } from '../kit/b2bua-sim.ts';
import { PLAIN_SUITES } from '../kit/b2bua-srtp.ts';

const CM_80 = 'AES_CM_128_HMAC_SHA1_80';
const CM_32 = 'AES_CM_128_HMAC_SHA1_32';
const GCM_128 = 'AEAD_AES_128_GCM';
const GCM_256 = 'AEAD_AES_256_GCM';
const SUITES = Object.keys(PLAIN_SUITES);

const PLAIN: LineOptions = {};
const TO_PLAIN = { 'transport-protocol': 'RTP/AVP' };
const TO_SECURE = { 'transport-protocol': 'RTP/SAVP' };

let sim: B2buaSim;
afterEach(() => expect(sim.end()).toEqual([]));

function secure(...suites: string[]): LineOptions {
  return { protocol: 'RTP/SAVP', suites };
}

/** A call between two phones of those lines. */
function callBetween(
  a: LineOptions | readonly LineOptions[],
  b: LineOptions | readonly LineOptions[],
  offer: NgDictionary = {},
  options: NodeOptions = {},
): SimCall {
  sim = new B2buaSim(options);
  const caller = sim.phone({ address: '203.0.113.10', lines: [a].flat() });
  const callee = sim.phone({ address: '10.0.0.20', lines: [b].flat() });
  return sim.call(caller, callee).setUp(offer);
}

describe('a call', () => {
  const cases: readonly (readonly [string, LineOptions, LineOptions, NgDictionary])[] = [
    ['of plain legs', PLAIN, PLAIN, {}],
    ['of legs with the same suite', secure(CM_80), secure(CM_80), {}],
    ['of legs with tags of 32 and 80 bits', secure(CM_32), secure(CM_80), {}],
    ['from counter mode to GCM', secure(CM_80), secure(GCM_128), {}],
    ['from GCM to counter mode', secure(GCM_256), secure(CM_32), {}],
    ['of legs with GCM', secure(GCM_256), secure(GCM_256), {}],
    ...SUITES.map((suite) => [`from ${suite} to plain`, secure(suite), PLAIN, TO_PLAIN] as const),
    ...SUITES.map((suite) => [`from plain to ${suite}`, PLAIN, secure(suite), TO_SECURE] as const),
  ];
  it.each(cases)('%s carries RTP and RTCP both ways to the byte', (_name, a, b, offer) => {
    const call = callBetween(a, b, offer);
    expect(call.converse()).toEqual([]);
    expect(sim.node.drops).toEqual({});
  });

  it('of legs with one suite has other keys and other bytes on each', () => {
    const { caller, callee } = callBetween(secure(CM_80), secure(CM_80));
    const { plain, sent } = caller.audio.next('secret');
    caller.audio.transmit(sent);
    sim.run(50);
    const [arrived] = callee.audio.raw;
    expect(callee.audio.heard).toEqual([plain]);
    expect(arrived?.bytes.length).toBe(sent.length);
    expect(arrived?.bytes.subarray(12)).not.toEqual(sent.subarray(12));
    expect(arrived?.bytes.includes('secret')).toBe(false);
  });

  it('carries packets with CSRCs, header extension and padding to the byte', () => {
    const { caller, callee } = callBetween(secure(CM_80), secure(GCM_128));
    const { plain } = caller.audio.next('x');
    const header = Buffer.from(plain.subarray(0, 12));
    header.writeUInt8(0xb2, 0); // padding, extension, two CSRCs
    const rest = Buffer.from('1111111122222222bede0001aabbccdd0102030400000004', 'hex');
    const packet = Buffer.concat([header, rest]);
    caller.audio.transmit(caller.audio.outbound?.protectRtp(packet, 0) ?? packet);
    sim.run(50);
    expect(callee.audio.heard).toEqual([packet]);
  });

  it('carries an RTP packet without payload, and RTCP of a header alone', () => {
    const { caller, callee } = callBetween(secure(CM_80), secure(GCM_128));
    const plain = caller.audio.say('');
    const report = Buffer.from('80c9000112345678', 'hex');
    caller.audio.transmit(caller.audio.outbound?.protectRtcp(report, 7) ?? report, 'rtcp');
    sim.run(50);
    expect(callee.audio.heard).toEqual([plain]);
    expect(callee.audio.reports).toEqual([report]);
  });

  it('reads keys with MKI, and sends none that was not asked for', () => {
    const offers = { ...secure(CM_80), mki: [5, 4] as const };
    const { caller, callee } = callBetween(offers, { ...secure(GCM_128), mki: [66, 2] as const });
    expect(sim.converse(caller.audio, callee.audio)).toEqual([]);
    const { sent } = caller.audio.next('x');
    sent.subarray(-14, -10).fill(9); // the MKI stands before the tag
    caller.audio.transmit(sent);
    sim.run(50);
    expect(sim.node.drops).toEqual({ dropSrtpUnknownKey: 1 });
  });

  it.each([
    ['2001:db8::1', '10.0.0.1', '2001:db8:1::10', '10.0.0.20'],
    ['198.51.100.1', 'fd00::1', '203.0.113.10', 'fd00::20'],
    ['2001:db8::1', 'fd00::1', '2001:db8:1::10', 'fd00::20'],
  ])('joins a leg on %s with one on %s', (outer, inner, caller, callee) => {
    const zones = [
      { ...EXTERNAL, addresses: [outer] },
      { ...INTERNAL, addresses: [inner] },
    ];
    sim = new B2buaSim({ zones });
    const a = sim.phone({ address: caller, lines: [secure(CM_80)] });
    const b = sim.phone({ address: callee });
    const call = sim.call(a, b).setUp(TO_PLAIN);
    expect(call.converse()).toEqual([]);
    expect(b.line.remote?.address).toBe(inner);
    expect(a.line.remote?.address).toBe(outer);
  });

  it('uses the address of the family that the proxy asks for', () => {
    const zones = [EXTERNAL, { ...INTERNAL, addresses: ['10.0.0.1', 'fd00::1'] }];
    sim = new B2buaSim({ zones });
    const call = sim.call(sim.phone({ address: '203.0.113.10' }), sim.phone({ address: 'fd00::20' }));
    expect(call.setUp({ 'address-family': 'IP6' }).converse()).toEqual([]);
  });
});

describe('what is no media', () => {
  const cases: readonly (readonly [string, string, 'rtp' | 'rtcp', string])[] = [
    ['nothing', '', 'rtp', 'dropMediaEmpty'],
    ['a byte', '80', 'rtp', 'dropUnexpectedKind'],
    ['text', '68656c6c6f2c20776f726c64', 'rtp', 'dropUnexpectedKind'],
    ['DTLS', '16fefd0000000000000000', 'rtp', 'dropUnexpectedKind'],
    ['RTP on the port of RTCP', '80000001000000010000000200', 'rtcp', 'dropUnexpectedKind'],
    ['RTP whose header is cut short', '80000001000000010000', 'rtp', 'dropMalformedRtp'],
    ['RTP with more CSRCs than bytes', '8f0000010000000100000002', 'rtp', 'dropMalformedRtp'],
    ['RTP whose extension is cut short', '900000010000000100000002bede0001', 'rtp', 'dropMalformedRtp'],
  ];
  it.each(cases)('is dropped for its reason: %s', (_name, hex, component, reason) => {
    const call = callBetween(PLAIN, secure(CM_80), TO_SECURE);
    call.caller.audio.transmit(Buffer.from(hex, 'hex'), component);
    sim.run(50);
    expect(sim.node.drops).toEqual({ [reason]: 1 });
    expect(call.callee.audio.raw).toEqual([]);
    expect(call.converse()).toEqual([]);
  });

  it('is dropped on its way to an encrypted leg too: RTCP of a type that is none', () => {
    const call = callBetween(PLAIN, secure(CM_80), TO_SECURE);
    call.caller.audio.transmit(Buffer.from('8048000100000001', 'hex'), 'rtcp'); // its type lacks the highest bit
    sim.run(50);
    expect(sim.node.drops).toEqual({ dropSrtpMalformed: 1 });
    expect(call.converse()).toEqual([]);
  });
});

describe('rtcp-mux', () => {
  const mux = { rtcpMux: true };
  const cases: readonly (readonly [string, boolean, boolean, NgDictionary, NgDictionary, string])[] = [
    ['on no leg', false, false, {}, {}, ''],
    ['offered and taken on both legs', true, true, {}, {}, 'ab'],
    ['offered and refused by the callee', true, false, {}, {}, ''],
    ['added by the proxy towards the callee', false, true, { 'rtcp-mux': ['offer'] }, {}, 'b'],
    ['required, on one port, of the callee', false, true, { 'rtcp-mux': ['require'] }, {}, 'b'],
    ['ended by the proxy', true, true, { 'rtcp-mux': ['demux'] }, {}, 'a'],
    ['accepted from the caller alone', true, false, {}, { 'rtcp-mux': ['accept'] }, 'a'],
    ['rejected towards the caller', true, true, {}, { 'rtcp-mux': ['reject'] }, 'b'],
  ];
  it.each(cases)('%s: RTCP arrives where each side listens for it', (_name, a, b, offer, answer, muxed) => {
    sim = new B2buaSim();
    const lines = (has: boolean): LineOptions[] => [{ ...secure(CM_80), ...(has ? mux : {}) }];
    const caller = sim.phone({ address: '203.0.113.10', lines: lines(a) });
    const callee = sim.phone({ address: '10.0.0.20', lines: lines(b) });
    const call = sim.call(caller, callee).setUp(offer, answer);
    expect(caller.audio.isMuxed).toBe(muxed.includes('a'));
    expect(callee.audio.isMuxed).toBe(muxed.includes('b'));
    expect(call.converse()).toEqual([]);
    for (const { audio } of [caller, callee]) {
      const arrivedOn = audio.raw.at(-1)?.component;
      expect(arrivedOn).toBe(audio.isMuxed ? 'rtp' : 'rtcp');
    }
    expect(sim.node.drops).toEqual({});
  });

  it('that a leg takes up in a re-offer moves RTCP to the port of RTP', () => {
    const call = callBetween(secure(CM_80), PLAIN, TO_PLAIN);
    call.caller.line.options = { ...secure(CM_80), rtcpMux: true };
    call.callee.line.options = { rtcpMux: true };
    expect(call.negotiate(call.caller, call.callee, TO_PLAIN).converse()).toEqual([]);
    expect(call.caller.audio.isMuxed && call.callee.audio.isMuxed).toBe(true);
    call.caller.line.options = secure(CM_80);
    call.callee.line.options = {};
    expect(call.negotiate(call.caller, call.callee, TO_PLAIN).converse()).toEqual([]);
    expect(call.caller.audio.isMuxed || call.callee.audio.isMuxed).toBe(false);
  });
});

describe('a call of several lines', () => {
  const BFCP: LineOptions = {
    media: 'application',
    protocol: 'UDP/BFCP',
    attributes: ['floorctrl:c-s', 'setup:actpass'],
  };
  const IX: LineOptions = { media: 'application', protocol: 'UDP/UDT/IX', attributes: ['ixmap:0 ping'] };
  const VIDEO: LineOptions = {
    media: 'video',
    formats: '97',
    attributes: ['rtpmap:97 H264/90000'],
    ...secure(CM_80),
  };

  it('carries each on ports of its own, opaque ones as they are', () => {
    const lines = [secure(CM_80), VIDEO, BFCP, IX];
    const { caller, callee } = callBetween(lines, [secure(GCM_128), VIDEO, BFCP, IX]);
    for (const i of [0, 1] as const) {
      const [a, b] = [caller.lines[i]?.stream, callee.lines[i]?.stream];
      expect(a && b && sim.converse(a, b)).toEqual([]);
    }
    for (const i of [2, 3] as const) {
      const [a, b] = [caller.lines[i]?.stream, callee.lines[i]?.stream];
      for (const bytes of ['2001000000000001', '16feff00', '0001', '80ff', '00']) {
        a?.transmit(Buffer.from(bytes, 'hex'));
        b?.transmit(Buffer.from(`${bytes}ff`, 'hex'));
        sim.run(50);
        expect(b?.raw.at(-1)?.bytes.toString('hex')).toBe(bytes);
        expect(a?.raw.at(-1)?.bytes.toString('hex')).toBe(`${bytes}ff`);
      }
    }
    const ports = caller.lines.map(({ remote }) => remote?.port);
    expect(new Set(ports).size).toBe(4);
    expect(sim.node.drops).toEqual({});
  });

  it('goes on with the lines that the callee takes', () => {
    sim = new B2buaSim();
    const caller = sim.phone({ address: '203.0.113.10', lines: [secure(CM_80), VIDEO, BFCP] });
    const callee = sim.phone({ address: '10.0.0.20', lines: [secure(CM_80), VIDEO, BFCP] });
    for (const line of callee.lines.slice(1)) line.isRefused = true;
    const call = sim.call(caller, callee).setUp();
    expect(caller.lines.map(({ remote }) => remote?.port === 0)).toEqual([false, true, true]);
    expect(call.converse()).toEqual([]);
  });

  it('gains a line and loses one, and the first is not disturbed', () => {
    const call = callBetween(secure(CM_80), secure(CM_80));
    const { caller, callee } = call;
    expect(call.converse()).toEqual([]);
    const video = [caller, callee].map((phone) => phone.addLine(VIDEO));
    call.negotiate(callee, caller);
    expect(call.converse()).toEqual([]);
    const [a, b] = video.map(({ stream }) => stream);
    expect(a && b && sim.converse(a, b)).toEqual([]);
    for (const line of video) line.isRefused = true;
    call.negotiate(caller, callee);
    expect(call.converse()).toEqual([]);
    expect(sim.node.counter('mediaPorts')).toBe(4);
    for (const line of video) line.isRefused = false;
    call.negotiate(caller, callee);
    expect(call.converse()).toEqual([]);
    expect(a && b && sim.converse(a, b)).toEqual([]);
  });
});

it('offers the callee fresh keys, a different one for each suite', () => {
  sim = new B2buaSim();
  const caller = sim.phone({ address: '203.0.113.10', lines: [secure(CM_80, CM_32)] });
  const callee = sim.phone({ address: '10.0.0.20' });
  const offered = readPhoneSdp(sim.call(caller, callee).offer(caller, callee)).flatMap(keysOf);
  const callers = readPhoneSdp(caller.offer()).flatMap(keysOf);
  expect(new Set([...offered, ...callers].map(({ text }) => text)).size).toBe(8 + 2);
});
