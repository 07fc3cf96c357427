/** ICE passthrough on the wire: checks are answered for the one they are meant for, media passes as it is. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  A,
  BINDING,
  decode,
  decodeXorAddress,
  encode,
  errorCode,
  find,
  hasFingerprint,
  hasIntegrity,
  REQUEST,
  SUCCESS,
} from '../../lab/phone/plain-stun.ts';
import { EXTERNAL, INTERNAL, type ZoneOptions } from '../kit/b2bua-node.ts';
import type { LineOptions, Phone } from '../kit/b2bua-phone.ts';
import { B2buaSim, type SimCall, type Stranger } from '../kit/b2bua-sim.ts';
import type { PhoneStream } from '../kit/b2bua-stream.ts';
import type { Place } from '../kit/sim-network.ts';

const SECURE: LineOptions = {
  protocol: 'RTP/SAVP',
  suites: ['AES_CM_128_HMAC_SHA1_80'],
  rtcpMux: true,
  ice: true,
};
const TWO_PORTS: LineOptions = { ...SECURE, rtcpMux: false };
const ROLES = { controlling: 0x802a, controlled: 0x8029 };

let sim: B2buaSim;
let caller: Phone;
let callee: Phone;

/** Zones that let ICE pass, and those of an edge, which passes everything. */
const KINDS: readonly (readonly [string, Pick<ZoneOptions, 'icePassthrough' | 'media'>])[] = [
  ['passthrough', { icePassthrough: true }],
  ['an edge', { media: 'relay' }],
];

describe.each(KINDS)('%s:', (_name, kind) => {
  beforeEach(() => {
    const zones = [EXTERNAL, INTERNAL].map((zone) => ({ ...zone, ...kind }));
    sim = new B2buaSim({ zones });
    sim.expectSharedKeys();
  });
  afterEach(() => expect(sim.end()).toEqual([]));

  function callWith(line: LineOptions = SECURE, sdpAddress?: string): SimCall {
    const at = { address: '203.0.113.10', lines: [line] };
    caller = sim.phone(sdpAddress === undefined ? at : { ...at, sdpAddress });
    callee = sim.phone({ address: '10.0.0.20', lines: [line] });
    return sim.call(caller, callee);
  }

  /** The address that a phone was told, which we listen at. */
  function lentTo({ audio }: Phone): Place {
    if (!audio.remoteRtp) throw new Error('no SDP yet');
    return audio.remoteRtp;
  }

  /** A check as the owner of the stream makes it, to be sent from anywhere. */
  function checkOf(stream: PhoneStream, role: keyof typeof ROLES = 'controlling'): Buffer {
    const { localIce, remoteIce } = stream;
    const attributes = [
      { type: A.username, value: Buffer.from(`${remoteIce?.ufrag}:${localIce?.ufrag}`) },
      { type: ROLES[role], value: Buffer.alloc(8, 5) },
    ];
    const message = { method: BINDING, kind: REQUEST, transactionId: Buffer.alloc(12, 9), attributes };
    const integrity = { algorithm: 'sha1', key: Buffer.from(remoteIce?.pwd ?? '') } as const;
    return encode(message, { integrity, fingerprint: true });
  }

  /** Codes of the answers to a stream's checks; 0 is success. */
  function answersTo(stream: PhoneStream): number[] {
    return stream.stun
      .map((bytes) => decode(bytes))
      .filter(({ kind }) => kind !== REQUEST)
      .map((message) => (message.kind === SUCCESS ? 0 : errorCode(message)));
  }

  function checksAt(stream: PhoneStream): Buffer[] {
    return stream.stun.filter((bytes) => decode(bytes).kind === REQUEST);
  }

  /** How many packets, said by the other side, arrive at whom. */
  function heardBy(speaker: Phone, ...listeners: readonly (Phone | Stranger)[]): number[] {
    const counts = (): number[] =>
      listeners.map((one) => ('audio' in one ? one.audio.heard.length : one.received.length));
    const before = counts();
    speaker.audio.say('for one alone');
    sim.run(50);
    return counts().map((count, i) => count - (before[i] ?? 0));
  }

  describe.each([
    ['with rtcp-mux', SECURE],
    ['with a port for RTCP', TWO_PORTS],
  ] as const)('media %s', (_, line) => {
    it('passes from the first packet, and only the endpoints have the keys', () => {
      const call = callWith(line).setUp();
      expect(call.converse(5)).toEqual([]);
      expect(sim.node.crypto.live).toBe(0);
      expect(sim.node.drops).toEqual({});
    });

    it('passes byte for byte, whatever it is', () => {
      callWith(line).setUp();
      const packets = [
        caller.audio.next('RTP').sent,
        Buffer.from('80c80006deadbeef', 'hex'),
        Buffer.from([0x16, 0xfe, 0xfd, 1, 2, 3]), // DTLS
        Buffer.from('zz: no protocol at all'),
      ];
      callee.audio.isOpaque = caller.audio.isOpaque = true;
      for (const packet of packets) caller.audio.transmit(packet);
      sim.run(50);
      expect(callee.audio.raw.map(({ bytes }) => bytes)).toEqual(packets);
      for (const packet of packets) callee.audio.transmit(packet);
      sim.run(50);
      expect(caller.audio.raw.map(({ bytes }) => bytes)).toEqual(packets);
    });

    it('is counted and measured as that of other calls is', () => {
      const call = callWith(line).setUp();
      expect(call.converse(5)).toEqual([]);
      const streams = sim.node.report(call.id).legs.flatMap(({ lines }) => lines[0]?.streams ?? []);
      expect(streams.filter(({ component }) => component === 'rtp')).toMatchObject([
        { packets: 5, packetsLost: 0, ssrc: caller.audio.ssrc },
        { packets: 5, packetsLost: 0, ssrc: callee.audio.ssrc },
      ]);
      expect(streams.reduce((sum, { rtcpPackets }) => sum + rtcpPackets, 0)).toBe(2);
    });
  });

  describe.each(['controlling', 'controlled'] as const)('a check on our candidate by the %s side', (role) => {
    it.each(['caller', 'callee'] as const)(
      'which is the %s, is answered for the other and goes on to it',
      (who) => {
        callWith().setUp();
        const [near, far] = who === 'caller' ? [caller, callee] : [callee, caller];
        const check = checkOf(near.audio, role);
        near.audio.transmit(check);
        sim.run(50);
        const [answer = Buffer.alloc(0)] = near.audio.stun;
        const message = decode(answer);
        expect(message).toMatchObject({ kind: SUCCESS, method: BINDING });
        expect(Buffer.from(message.transactionId)).toEqual(Buffer.alloc(12, 9));
        const key = Buffer.from(near.audio.remoteIce?.pwd ?? '');
        expect([hasIntegrity(answer, { algorithm: 'sha1', key }), hasFingerprint(answer)]).toEqual([
          true,
          true,
        ]);
        const mapped = find(message, A.xorMappedAddress) ?? Buffer.alloc(0);
        expect(decodeXorAddress(mapped, message.transactionId)).toEqual(near.audio.rtpPlace);
        expect(checksAt(far.audio)).toEqual([check]);
      },
    );
  });

  describe('checks', () => {
    it('of each component are answered, where RTCP has a port of its own', () => {
      callWith(TWO_PORTS).setUp();
      for (const component of ['rtp', 'rtcp'] as const) caller.audio.check({ component });
      sim.run(50);
      expect(answersTo(caller.audio)).toEqual([0, 0]);
      expect(checksAt(callee.audio)).toHaveLength(2);
    });

    it.each([
      ['a wrong password', { password: 'x'.repeat(24) }],
      ['an unknown user', { username: 'nobody:phone00' }],
      ['the name of another caller', { username: 'phone00:another' }],
    ])('with %s are refused, and go nowhere', (_, wrong) => {
      callWith().setUp();
      caller.audio.check({ nominates: true, ...wrong });
      sim.run(50);
      expect(answersTo(caller.audio)).toEqual([401]);
      expect(callee.audio.raw).toEqual([]);
      expect(sim.node.counter('iceRefusals')).toBe(1);
    });

    it('may overtake the answer', () => {
      const call = callWith();
      const offered = call.offer(caller, callee);
      callee.answer(offered); // it knows all it needs; its answer is still on the way
      callee.audio.check();
      sim.run(50);
      expect(answersTo(callee.audio)).toEqual([0]);
      call.answer(caller, callee, offered);
      expect(call.converse()).toEqual([]);
    });

    it('whose answers come back to us from the one they went on to are no trouble', () => {
      callWith().setUp();
      caller.audio.check();
      sim.run(50);
      const [check = Buffer.alloc(0)] = checksAt(callee.audio);
      const { transactionId } = decode(check);
      const answer = { method: BINDING, kind: SUCCESS, transactionId, attributes: [] };
      callee.audio.transmit(encode(answer, { fingerprint: true }));
      sim.run(50);
      expect(caller.audio.stun).toHaveLength(1);
      expect(sim.node.drops).toEqual({});
    });

    it('are not media: they keep no statistics, and tell what was seen of the path', () => {
      const call = callWith().setUp();
      for (let i = 0; i < 3; i++) caller.audio.check();
      callee.audio.check({ nominates: true });
      sim.run(50);
      expect(sim.node.report(call.id).legs.map(({ lines }) => lines[0]?.streams[0]?.packets)).toEqual([0, 0]);
      expect(sim.node.counter('iceChecks')).toBe(4);
      expect(sim.node.counter('iceNominations')).toBe(1);
      call.delete();
      const { observation } = sim.node.ended[0] ?? {};
      expect(observation).toMatchObject({ checks: { caller: true, callee: true }, nominatedBy: 'callee' });
    });
  });

  describe('a side', () => {
    let stranger: Stranger;
    beforeEach(() => {
      stranger = sim.stranger();
    });

    it('is where its first check came from, whatever its SDP says', () => {
      const call = callWith(SECURE, '192.168.1.10').setUp();
      caller.audio.check();
      sim.run(50);
      expect(heardBy(callee, caller, stranger)).toEqual([1, 0]);
      expect(call.converse()).toEqual([]);
    });

    it('may speak from every place that it has checked from', () => {
      const call = callWith().setUp();
      caller.audio.check();
      sim.run(50);
      for (let i = 1; i <= 3; i++) {
        const elsewhere = sim.stranger('198.18.0.7', 40_000 + i);
        elsewhere.send(checkOf(caller.audio), lentTo(caller));
        sim.run(50);
        const { sent, plain } = caller.audio.next(`by way ${i}`);
        elsewhere.send(sent, lentTo(caller));
        sim.run(50);
        expect(callee.audio.heard.at(-1)).toEqual(plain);
      }
      expect(heardBy(callee, caller)).toEqual([1]);
      expect(call.converse()).toEqual([]);
    });

    it('that was heard before its first check, from elsewhere, goes on being heard', () => {
      callWith().setUp();
      caller.audio.say('here I am');
      sim.run(20);
      const relay = sim.stranger('198.18.0.7', 40_000);
      relay.send(checkOf(caller.audio), lentTo(caller));
      sim.run(50);
      expect(heardBy(caller, callee)).toEqual([1]);
    });

    it('is not turned by media of a stranger, once it has checked, and he is not heard', () => {
      const call = callWith().setUp();
      caller.audio.check();
      sim.run(50);
      stranger.send(caller.audio.next('forged').sent, lentTo(caller));
      sim.run(50);
      expect(callee.audio.heard).toEqual([]);
      expect(sim.node.drops).toEqual({ dropUnknownSource: 1 });
      expect(heardBy(callee, caller, stranger)).toEqual([1, 0]);
      expect(call.converse()).toEqual([]);
    });

    it('is where it nominates, whatever it checked before', () => {
      const call = callWith().setUp();
      caller.audio.check();
      sim.run(50);
      caller.audio.move({ address: '198.18.0.7', port: 40_000 });
      expect(heardBy(callee, caller)).toEqual([0]);
      caller.audio.check({ nominates: true });
      sim.run(50);
      expect(call.converse()).toEqual([]);
    });

    it('stays where it is over a re-offer of either side', () => {
      const call = callWith(SECURE, '192.168.1.10').setUp();
      caller.audio.check();
      sim.run(50);
      call.negotiate(caller, callee);
      expect(call.converse()).toEqual([]);
      call.negotiate(callee, caller);
      expect(call.converse()).toEqual([]);
    });

    it('on hold goes on as it was when it comes back', () => {
      const call = callWith().setUp();
      expect(call.converse()).toEqual([]);
      [caller.line.direction, callee.line.direction] = ['sendonly', 'recvonly'];
      call.negotiate(caller, callee);
      expect(heardBy(caller, callee)).toEqual([1]);
      [caller.line.direction, callee.line.direction] = ['sendrecv', 'sendrecv'];
      call.negotiate(caller, callee);
      expect(call.converse()).toEqual([]);
    });
  });

  describe('after an ICE restart', () => {
    it('new credentials are answered, and the old ones no more', () => {
      const call = callWith().setUp();
      caller.audio.check();
      sim.run(50);
      const before = { ...caller.audio.remoteIce };
      for (const phone of [caller, callee]) phone.line.restartIce();
      call.negotiate(caller, callee);
      expect(caller.audio.remoteIce?.ufrag).not.toBe(before.ufrag);
      caller.audio.clear();
      caller.audio.check();
      caller.audio.check({ username: `${before.ufrag}:phone00`, password: before.pwd ?? '' });
      sim.run(50);
      expect(answersTo(caller.audio)).toEqual([0, 401]);
    });

    it('media flows on in between', () => {
      const call = callWith(SECURE, '192.168.1.10').setUp();
      for (const { audio } of [caller, callee]) audio.check();
      sim.run(50);
      expect(call.converse()).toEqual([]);
      for (const phone of [caller, callee]) phone.line.restartIce();
      const offered = call.offer(caller, callee);
      expect(call.converse()).toEqual([]);
      call.answer(caller, callee, offered);
      expect(call.converse()).toEqual([]);
      for (const { audio } of [caller, callee]) audio.check();
      sim.run(50);
      expect(call.converse()).toEqual([]);
    });

    it('a side that has gone elsewhere is found there by its first check', () => {
      const call = callWith().setUp();
      for (const { audio } of [caller, callee]) audio.check({ nominates: true });
      sim.run(50);
      caller.audio.move({ address: '198.18.0.7', port: 40_000 });
      caller.line.restartIce();
      callee.line.restartIce();
      call.negotiate(caller, callee);
      caller.audio.check();
      sim.run(50);
      expect(call.converse()).toEqual([]);
    });

    it('checks with the new credentials may overtake the answer, and old ones are still good', () => {
      const call = callWith().setUp();
      for (const phone of [caller, callee]) phone.line.restartIce();
      const old = checkOf(callee.audio);
      const offered = call.offer(caller, callee);
      callee.answer(offered);
      callee.audio.check();
      callee.audio.transmit(old);
      sim.run(50);
      expect(answersTo(callee.audio)).toEqual([0, 0]);
      call.answer(caller, callee, offered);
      callee.audio.transmit(old);
      sim.run(50);
      expect(answersTo(callee.audio)).toEqual([0, 0, 401]);
    });

    it('that is refused all is as before', () => {
      const call = callWith().setUp();
      caller.audio.check();
      sim.run(50);
      caller.line.restartIce();
      call.offer(caller, callee); // 488: no answer
      caller.audio.clear();
      caller.audio.check();
      sim.run(50);
      expect(answersTo(caller.audio)).toEqual([0]);
      expect(call.converse()).toEqual([]);
    });
  });

  describe('forks', () => {
    it('that answer one after the other are each stood in for', () => {
      const call = callWith();
      const other = sim.phone({ address: '10.0.0.30', lines: [SECURE] });
      const offered = call.offer(caller, callee);
      call.answer(caller, callee, offered);
      caller.audio.check();
      sim.run(50);
      expect(call.converse()).toEqual([]);
      const second = sim.call(caller, other, { callId: call.id });
      second.answer(caller, other, offered);
      caller.audio.clear();
      caller.audio.check();
      other.audio.check();
      sim.run(50);
      expect(answersTo(caller.audio)).toEqual([0]);
      expect(answersTo(other.audio)).toEqual([0]);
      expect(second.converse()).toEqual([]);
    });

    it('on branches have each our stand-in for the caller', () => {
      const call = callWith();
      const other = sim.phone({ address: '10.0.0.30', lines: [SECURE] });
      const branches = [callee, other].map((phone, i) => {
        const offered = call.offer(caller, phone, { 'via-branch': `branch${i}` });
        phone.answer(offered);
        phone.audio.check();
        return offered;
      });
      sim.run(50);
      expect([callee, other].map(({ audio }) => answersTo(audio))).toEqual([[0], [0]]);
      call.answer(caller, other, branches[1] ?? '', { 'via-branch': 'branch1' });
      expect(sim.converse(caller.audio, other.audio)).toEqual([]);
    });
  });

  describe('lines that are no SDES audio', () => {
    it('of DTLS-SRTP pass: handshake, media and all', () => {
      const dtls: LineOptions = {
        protocol: 'UDP/TLS/RTP/SAVPF',
        rtcpMux: true,
        ice: true,
        attributes: ['fingerprint:sha-256 AA:BB:CC', 'setup:actpass'],
      };
      caller = sim.phone({ address: '203.0.113.10', lines: [dtls] });
      callee = sim.phone({ address: '10.0.0.20', lines: [dtls] });
      callee.line.remote = undefined;
      const offer = caller.offer();
      const ids = { 'call-id': 'dtls', 'from-tag': caller.tag };
      const offered = sim.node.command('offer', { ...ids, direction: ['external', 'internal'], sdp: offer });
      expect(String(offered.sdp)).toContain('a=fingerprint:sha-256 AA:BB:CC\r\n');
      const answered = sim.node.command('answer', { ...ids, 'to-tag': callee.tag, sdp: callee.offer() });
      caller.accept(String(answered.sdp));
      callee.accept(String(offered.sdp));
      for (const phone of [caller, callee]) phone.audio.isOpaque = true;
      const hello = Buffer.concat([Buffer.from([22, 254, 253]), Buffer.from('ClientHello')]);
      callee.audio.transmit(hello);
      caller.audio.check();
      sim.run(50);
      expect(caller.audio.raw[0]?.bytes).toEqual(hello);
      expect(callee.audio.raw).toHaveLength(1);
    });

    it('of BFCP go beside it as ever', () => {
      const bfcp: LineOptions = { media: 'application', protocol: 'UDP/BFCP' };
      caller = sim.phone({ address: '203.0.113.10', lines: [SECURE, bfcp] });
      callee = sim.phone({ address: '10.0.0.20', lines: [SECURE, bfcp] });
      const call = sim.call(caller, callee).setUp();
      expect(call.converse()).toEqual([]);
      caller.lines[1]?.stream.transmit(Buffer.from('floor request'));
      sim.run(50);
      expect(callee.lines[1]?.stream.raw.map(({ bytes }) => bytes.toString())).toEqual(['floor request']);
    });
  });
});
