/** The edge's part of a call: packets of any kind pass untouched, on ports of their own or on a pair that all share. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NgDictionary } from '../../src/b2bua/ng-request.ts';
import type { B2buaNode, ZoneOptions } from '../kit/b2bua-node.ts';
import type { LineOptions, Phone } from '../kit/b2bua-phone.ts';
import { B2buaSim, type SimCall, sdpOf } from '../kit/b2bua-sim.ts';
import type { PhoneStream } from '../kit/b2bua-stream.ts';

const CM_80 = 'AES_CM_128_HMAC_SHA1_80';
const SECURE: LineOptions = { protocol: 'RTP/SAVP', suites: [CM_80] };
const OUTER: ZoneOptions = { name: 'outer', addresses: ['198.51.100.1'], media: 'relay' };
const INNER: ZoneOptions = { name: 'inner', addresses: ['10.1.0.1'], media: 'relay' };
const MULTIPLEXED: ZoneOptions = { ...INNER, multiplexedPorts: [2776, 2777] };

/** One of each kind that RFC 7983 tells apart, and some that are nothing. */
const KINDS: Readonly<Record<string, string>> = {
  STUN: '000100002112a442000102030405060708090a0b',
  'ChannelData or anything else': '40000004cafebabe',
  DTLS: '16fefd0000000000000000',
  SRTP: '80000001000000010000000211223344556677889900',
  'RTP with an extension that lies': '9000000100000001000000027fff7fff',
  SRTCP: '80c80006000000021122334455667788990011223344556680000001',
  BFCP: '2001000000000001',
  'one byte': 'ff',
};

let sim: B2buaSim;
afterEach(() => expect(sim.end()).toEqual([]));

/** What arrives of `bytes` sent from one stream to the other. */
function passes(from: PhoneStream, to: PhoneStream, hex: string, component: 'rtp' | 'rtcp'): string[] {
  to.clear();
  from.transmit(Buffer.from(hex, 'hex'), component);
  sim.run(50);
  return to.raw.map((packet) => `${packet.component} ${packet.bytes.toString('hex')}`);
}

describe.each([
  ['with ports of each stream on both sides', INNER],
  ['with all streams on the same two ports inside', MULTIPLEXED],
])('a relayed call, %s', (_name, inner) => {
  let outside: Phone;
  let inside: Phone;
  let call: SimCall;

  beforeEach(() => {
    sim = new B2buaSim({ zones: [OUTER, inner] });
    outside = sim.phone({ address: '203.0.113.10', lines: [SECURE] });
    inside = sim.phone({ address: '10.1.0.2', lines: [SECURE] });
    call = sim.call(outside, inside, { zones: ['outer', 'inner'] });
    sim.expectSharedKeys();
  });

  it('passes packets of any kind byte for byte, both ways, on either component', () => {
    call.setUp();
    outside.audio.isOpaque = inside.audio.isOpaque = true; // they only look
    for (const hex of Object.values(KINDS)) {
      for (const component of ['rtp', 'rtcp'] as const) {
        expect(passes(outside.audio, inside.audio, hex, component)).toEqual([`${component} ${hex}`]);
        expect(passes(inside.audio, outside.audio, hex, component)).toEqual([`${component} ${hex}`]);
      }
    }
    expect(sim.node.drops).toEqual({});
    expect(sim.node.counter('opaquePackets')).toBe(4 * Object.keys(KINDS).length);
    expect(sim.node.crypto.live).toBe(0);
  });

  it('leaves keys and protocol to the endpoints, which hear each other', () => {
    call.setUp();
    expect(call.converse()).toEqual([]);
    expect(outside.line.remote?.attributes).toEqual(
      expect.arrayContaining([expect.stringMatching(/^crypto:1 AES_CM_128_HMAC_SHA1_80 inline:/)]),
    );
  });

  it('carries rtcp-mux', () => {
    outside.line.options = inside.line.options = { ...SECURE, rtcpMux: true };
    call.setUp();
    expect(outside.audio.isMuxed && inside.audio.isMuxed).toBe(true);
    expect(call.converse()).toEqual([]);
  });

  it('finds a phone behind a NAT, and no stranger takes its place', () => {
    outside.sdpAddress = '192.168.1.10';
    call.setUp();
    const stranger = sim.stranger();
    outside.audio.say('here');
    sim.run(20);
    stranger.send(Buffer.from('80'), outside.audio.remoteRtp ?? stranger.place);
    expect(call.converse()).toEqual([]);
    expect(stranger.received).toEqual([]);
    expect(sim.node.drops).toEqual({ dropUnknownSource: 1 });
  });

  it('keeps several calls apart', () => {
    const calls = [call.setUp()];
    for (let i = 1; i <= 5; i++) {
      const a = sim.phone({ address: `203.0.113.${10 + i}`, lines: [SECURE, SECURE] });
      const b = sim.phone({ address: '10.1.0.2', lines: [SECURE, SECURE] });
      calls.push(sim.call(a, b, { zones: ['outer', 'inner'] }).setUp());
    }
    const ports = new Set(calls.map(({ callee }) => callee.audio.remoteRtp?.port));
    expect(ports.size).toBe(inner === MULTIPLEXED ? 1 : calls.length);
    for (const { caller, callee } of calls) {
      for (const [i, line] of caller.lines.entries()) {
        const other = callee.lines[i];
        expect(other && sim.converse(line.stream, other.stream)).toEqual([]);
      }
    }
    for (const one of calls.splice(0, 3)) one.delete();
    for (const one of calls) expect(one.converse()).toEqual([]);
    expect(sim.node.drops).toEqual({});
  });

  it('follows a side that changes its address by SDP, and hears no more of the old one', () => {
    call.setUp();
    expect(call.converse()).toEqual([]);
    inside.sdpAddress = '10.1.0.3';
    inside.move('10.1.0.3');
    expect(call.negotiate(inside, outside).converse()).toEqual([]);
    const old = sim.stranger('10.1.0.2', inside.audio.rtpPlace.port);
    old.send(Buffer.from('80'), inside.audio.remoteRtp ?? old.place);
    expect(call.converse()).toEqual([]);
    expect(Object.values(sim.node.drops)).toEqual([1]);
  });

  it('has statistics of both legs, and ends when nobody speaks', () => {
    call.setUp();
    expect(call.converse(10)).toEqual([]);
    const { legs } = sim.node.report(call.id);
    const totals = legs.map(({ lines }) =>
      lines[0]?.streams.map(({ packets, rtcpPackets }) => [packets, rtcpPackets]),
    );
    expect(totals).toEqual([
      [
        [10, 0],
        [0, 1],
      ],
      [
        [10, 0],
        [0, 1],
      ],
    ]);
    sim.run(65_000);
    expect(sim.node.ended.map(({ reason }) => reason)).toEqual(['media timeout']);
    expect(sim.node.held()).toEqual([]);
  });
});

describe('on ports that calls share', () => {
  it('a call that takes over the address of another gets its packets, and the other ends without harm', () => {
    sim = new B2buaSim({ zones: [OUTER, MULTIPLEXED] });
    sim.expectSharedKeys();
    const first = sim.phone({ address: '203.0.113.10', lines: [SECURE] });
    const second = sim.phone({ address: '203.0.113.11', lines: [SECURE] });
    const inside = sim.phone({ address: '10.1.0.2', lines: [SECURE] });
    const options = { zones: ['outer', 'inner'] } as const;
    const old = sim.call(first, inside, options).setUp();
    const young = sim.call(second, inside, options).setUp(); // its phone has hung up, the proxy has not said so yet
    expect(young.converse()).toEqual([]);
    old.delete();
    expect(young.converse()).toEqual([]);
  });

  it('what an ended call left behind reaches no other', () => {
    sim = new B2buaSim({ zones: [OUTER, MULTIPLEXED] });
    sim.expectSharedKeys();
    const phones = [1, 2].map((i) => [
      sim.phone({ address: `203.0.113.1${i}`, lines: [SECURE] }),
      sim.phone({ address: `10.1.0.2${i}`, lines: [SECURE] }),
    ]);
    const [old, young] = phones.map(([outside, inside]) => {
      if (!outside || !inside) throw new Error('two phones a call');
      return sim.call(outside, inside, { zones: ['outer', 'inner'] });
    });
    old?.setUp();
    expect(old?.converse()).toEqual([]);
    old?.delete();
    young?.setUp();
    old?.callee.audio.say('still talking');
    sim.run(50);
    expect(young?.caller.audio.raw).toEqual([]);
    expect(sim.node.drops).toEqual({ dropUnknownStream: 1 });
    expect(young?.converse()).toEqual([]);
  });

  it('what comes from nobody known is dropped', () => {
    sim = new B2buaSim({ zones: [OUTER, MULTIPLEXED] });
    const stranger = sim.stranger('10.1.0.77');
    for (const hex of Object.values(KINDS)) {
      stranger.send(Buffer.from(hex, 'hex'), { address: '10.1.0.1', port: 2776 });
    }
    sim.run(50);
    expect(sim.node.drops).toEqual({ dropUnknownStream: Object.keys(KINDS).length });
    expect(stranger.received).toEqual([]);
  });
});

describe.each([
  ['own ports', INNER],
  ['shared ports', MULTIPLEXED],
])('an edge and a core in series, with %s between them', (_name, inner) => {
  let core: B2buaNode;
  let outside: Phone;
  let inside: Phone;

  beforeEach(() => {
    sim = new B2buaSim({ zones: [OUTER, inner], name: 'edge' });
    sim.expectSharedKeys();
    core = sim.addNode({
      name: 'core',
      zones: [
        { name: 'traversal', addresses: ['10.1.0.2'], mediaEncryption: 'force' },
        { name: 'neighbor', addresses: ['10.2.0.1'], mediaEncryption: 'off' },
      ],
    });
    outside = sim.phone({ address: '203.0.113.10', lines: [SECURE] });
    inside = sim.phone({ address: '10.2.0.20' });
  });

  /** An exchange whose SDPs go through both, in the order of the way. */
  function negotiate(id: string, from: Phone, to: Phone): void {
    const isOutward = from === inside;
    const [one, two] = isOutward ? [core, sim.node] : [sim.node, core];
    const zones = isOutward
      ? [
          ['neighbor', 'traversal'],
          ['inner', 'outer'],
        ]
      : [
          ['outer', 'inner'],
          ['traversal', 'neighbor'],
        ];
    const common = { 'call-id': id, 'from-tag': from.tag };
    const flags: readonly NgDictionary[] = [one, two].map((node) => ({
      'transport-protocol': node === core && !isOutward ? 'RTP/AVP' : 'RTP/SAVP',
      'to-tag': to.tag,
    }));
    const ask = (node: B2buaNode, command: string, more: NgDictionary): string =>
      sdpOf(node.command(command, { ...common, ...more }));
    const [zonesOne = [], zonesTwo = []] = zones;
    const middle = ask(one, 'offer', { direction: zonesOne, ...flags[0], sdp: from.offer() });
    const offered = ask(two, 'offer', { direction: zonesTwo, ...flags[1], sdp: middle });
    const answered = ask(two, 'answer', { 'to-tag': to.tag, sdp: to.answer(offered) });
    from.accept(ask(one, 'answer', { 'to-tag': to.tag, sdp: answered }));
  }

  it('carry a call whose phone outside encrypts, and whose phone inside does not', () => {
    negotiate('1', outside, inside);
    expect(sim.converse(outside.audio, inside.audio)).toEqual([]);
    expect(sim.node.crypto.live).toBe(0);
    expect(inside.audio.inbound).toBeUndefined();
    negotiate('1', inside, outside);
    expect(sim.converse(outside.audio, inside.audio)).toEqual([]);
    expect([sim.node.drops, core.drops]).toEqual([{}, {}]);
  });

  it('carry several calls at once, from behind NATs too', () => {
    const callers = [1, 2, 3].map((i) =>
      sim.phone({ address: `203.0.113.${20 + i}`, sdpAddress: '192.168.1.5', lines: [SECURE] }),
    );
    for (const [i, caller] of callers.entries()) {
      const callee = sim.phone({ address: `10.2.0.${30 + i}` });
      negotiate(`call ${i}`, caller, callee);
      expect(sim.converse(caller.audio, callee.audio)).toEqual([]);
    }
  });
});
