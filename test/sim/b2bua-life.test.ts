/** How calls end, what ends them, and that everything they held is given back. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { B2BUA } from '../../src/b2bua/counters.ts';
import type { LineOptions, Phone } from '../kit/b2bua-phone.ts';
import { B2buaSim, type SimCall } from '../kit/b2bua-sim.ts';

const SECURE: LineOptions = { protocol: 'RTP/SAVP', suites: ['AES_CM_128_HMAC_SHA1_80'] };
const BFCP: LineOptions = { media: 'application', protocol: 'UDP/BFCP' };
const TO_PLAIN = { 'transport-protocol': 'RTP/AVP' };
const SECOND = 1000;

let sim: B2buaSim;
let a: Phone;
let b: Phone;

beforeEach(() => {
  sim = new B2buaSim();
});
afterEach(() => expect(sim.end()).toEqual([]));

function callBetween(
  lines: readonly LineOptions[] = [SECURE],
  calleeLines: readonly LineOptions[] = [{}],
): SimCall {
  a = sim.phone({ address: '203.0.113.10', lines });
  b = sim.phone({ address: '10.0.0.20', lines: calleeLines });
  return sim.call(a, b, { offer: TO_PLAIN });
}

function reasons(): string[] {
  return sim.node.ended.map(({ reason }) => reason);
}

describe('a call on which nobody speaks', () => {
  it('ends after the media timeout, with a report, and gives everything back', () => {
    const call = callBetween().setUp();
    expect(call.converse()).toEqual([]);
    sim.run(58 * SECOND);
    expect(reasons()).toEqual([]);
    sim.run(4 * SECOND);
    expect(reasons()).toEqual(['media timeout']);
    expect(sim.node.held()).toEqual([]);
    const [ended] = sim.node.ended;
    expect(ended).toMatchObject({ reason: 'media timeout', isConnected: true, isRelayed: false });
    expect(ended?.media.map(({ legs }) => legs.map(({ packets }) => packets))).toEqual([[3, 3]]);
    expect(sim.node.counter('callsMediaTimeout')).toBe(1);
    expect(call.query()).toEqual({ result: 'error', 'error-reason': 'Unknown call-id' });
  });

  it('lives on as long as one side speaks, and is not kept by packets that are dropped', () => {
    const call = callBetween().setUp();
    const stranger = sim.stranger();
    for (let i = 0; i < 10; i++) {
      a.audio.say('still here');
      sim.run(30 * SECOND);
    }
    expect(reasons()).toEqual([]);
    for (let i = 0; i < 10; i++) {
      stranger.send(a.audio.next('forged').sent.fill(0, 20), a.audio.remoteRtp ?? stranger.place);
      sim.run(10 * SECOND);
    }
    expect(reasons()).toEqual(['media timeout']);
    expect(call.delete().warning).toBeDefined();
  });

  it.each([
    ['by direction', (phone: Phone) => (phone.line.direction = 'sendonly')],
    ['by a null address', (phone: Phone) => (phone.line.isNull = true)],
  ])('because it is on hold %s lives for the hold timeout', (_name, hold) => {
    const call = callBetween().setUp();
    hold(a);
    b.line.direction = 'recvonly';
    call.negotiate(a, b);
    sim.run(3500 * SECOND);
    expect(reasons()).toEqual([]);
    sim.run(110 * SECOND);
    expect(reasons()).toEqual(['media timeout']);
  });

  it('because it is on hold lives on though its BFCP line cannot be', () => {
    const call = callBetween([SECURE, BFCP], [{}, BFCP]).setUp();
    a.line.direction = 'sendonly';
    b.line.direction = 'recvonly';
    call.negotiate(a, b);
    sim.run(600 * SECOND);
    expect(reasons()).toEqual([]);
  });

  it('has its time anew after each command', () => {
    const call = callBetween().setUp();
    for (let i = 0; i < 5; i++) {
      sim.run(50 * SECOND);
      call.negotiate(
        i % 2 === 0 ? a : b,
        i % 2 === 0 ? b : a,
        i % 2 === 0 ? {} : { 'transport-protocol': 'RTP/SAVP' },
      );
    }
    expect(reasons()).toEqual([]);
  });
});

describe('an offer without an answer', () => {
  it('is given up after its time, 5000 of them and their ports too', () => {
    sim = new B2buaSim({
      settings: { mediaPorts: [20_000, 59_999], limits: { calls: 5000, portsPerCall: 48 } },
    });
    a = sim.phone({ address: '203.0.113.10', lines: [SECURE] });
    const offer = { 'from-tag': a.tag, direction: ['external', 'internal'], sdp: a.offer() };
    for (let i = 0; i < 5000; i++) {
      expect(sim.node.command('offer', { ...offer, 'call-id': `offer ${i}` }).result).toBe('ok');
    }
    expect(sim.node.counter('mediaPorts')).toBe(20_000);
    const refused = sim.node.command('offer', { ...offer, 'call-id': 'one more' });
    expect(refused).toEqual({ result: 'error', 'error-reason': 'Parallel session limit reached' });
    sim.run(182 * SECOND);
    expect(sim.node.held()).toEqual([]);
    expect(sim.node.ended.length).toBe(5000);
    expect(new Set(reasons())).toEqual(new Set(['offer timeout']));
  });

  it('does not hold up the call it is part of', () => {
    const call = callBetween().setUp();
    call.offer(b, a, { 'transport-protocol': 'RTP/SAVP' });
    for (let i = 0; i < 20; i++) {
      expect(call.converse()).toEqual([]);
      sim.run(20 * SECOND);
    }
    expect(reasons()).toEqual([]);
  });
});

describe('the ports', () => {
  it('run out with the text that proxies know, leave what runs undisturbed, and come back', () => {
    sim = new B2buaSim({ settings: { mediaPorts: [36_000, 36_007] } });
    const calls = Array.from({ length: 4 }, () => callBetween().setUp());
    const [one] = calls;
    const late = callBetween();
    expect(late.tryOffer(a, b)).toEqual({ result: 'error', 'error-reason': 'Ran out of ports' });
    expect(sim.node.core.calls.size).toBe(4);
    // A further line of a call that runs finds none either, and the call is as it was.
    one?.caller.addLine(SECURE);
    expect(one?.tryOffer(one.caller, one.callee)['error-reason']).toBe('Ran out of ports');
    expect(one?.converse()).toEqual([]);
    calls[3]?.delete();
    expect(late.setUp().converse()).toEqual([]);
    for (const call of calls.slice(0, 3)) expect(call.converse()).toEqual([]);
  });

  it('that another program has are passed over', () => {
    sim = new B2buaSim({ settings: { mediaPorts: [36_000, 36_009] } });
    for (const port of [36_001, 36_002, 36_006]) sim.stranger('10.0.0.1', port);
    const call = callBetween().setUp();
    expect(call.converse()).toEqual([]);
    expect([36_004, 36_008]).toContain(b.audio.remoteRtp?.port);
  });

  it('are given back when no socket can be had half-way', () => {
    let opened = 0;
    sim.node.io.refuseOpen = () => (++opened === 4 ? -3 : 0);
    const call = callBetween();
    expect(call.tryOffer(a, b)['error-reason']).toBe('Ran out of ports');
    expect(sim.node.held()).toEqual([]);
    expect(call.setUp().converse()).toEqual([]);
  });

  it('of one call are limited', () => {
    sim = new B2buaSim({ settings: { limits: { calls: 10, portsPerCall: 8 } } });
    const call = callBetween([SECURE, SECURE, SECURE], [{}, {}, {}]);
    expect(call.tryOffer(a, b)['error-reason']).toBe('Ran out of ports');
    expect(sim.node.held()).toEqual([]);
  });
});

describe('the number of calls', () => {
  it('is limited with the text that proxies know, and what ends makes room', () => {
    sim = new B2buaSim({ settings: { limits: { calls: 2, portsPerCall: 48 } } });
    const [one, two] = [callBetween().setUp(), callBetween().setUp()];
    const three = callBetween();
    const reply = three.tryOffer(a, b, { supports: ['load limit'] });
    expect(reply.result).toBe('load limit');
    expect(reply.message).toBe('Parallel session limit reached');
    one.delete();
    expect(three.setUp().converse()).toEqual([]);
    expect(two.converse()).toEqual([]);
    expect(sim.node.counters[B2BUA.callsCreated]).toBe(3);
  });
});

describe('a delete', () => {
  it('between offer and answer takes everything, and the answer finds no call', () => {
    const call = callBetween();
    const offered = call.offer(a, b);
    call.delete();
    expect(sim.node.held()).toEqual([]);
    expect(() => call.answer(a, b, offered)).toThrow('Unknown call-id');
    expect(reasons()).toEqual(['deleted']);
  });

  it('in the middle of a re-offer takes everything', () => {
    const call = callBetween().setUp();
    a.addLine(SECURE);
    call.offer(a, b);
    expect(call.delete({ 'from-tag': b.tag }).result).toBe('ok');
    expect(sim.node.held()).toEqual([]);
  });

  it('with a delay lets media pass until then, and a new offer takes it back', () => {
    const call = callBetween().setUp();
    call.delete({ 'delete-delay': 10 });
    expect(call.converse()).toEqual([]);
    sim.run(5 * SECOND);
    call.negotiate(a, b);
    sim.run(20 * SECOND);
    expect(reasons()).toEqual([]);
    call.delete({ 'delete delay': '10' });
    sim.run(12 * SECOND);
    expect(reasons()).toEqual(['deleted']);
    expect(sim.node.held()).toEqual([]);
  });

  it('while packets are on their way harms nobody', () => {
    const call = callBetween().setUp();
    for (let i = 0; i < 20; i++) {
      a.audio.say('late');
      b.audio.say('late');
      sim.run(1);
    }
    call.delete();
    const next = callBetween().setUp();
    expect(next.converse()).toEqual([]);
  });

  it('tells what passed, and is heard once', () => {
    const call = callBetween().setUp();
    call.converse(5);
    const { result, totals } = call.delete();
    expect(result).toBe('ok');
    const bytes = 2 * 5 * (12 + 'from a: 0 '.length) + (0 + 1 + 2 + 3 + 4) * 3;
    expect(totals).toMatchObject({ RTP: { packets: 10, bytes, errors: 0 }, RTCP: { packets: 2, errors: 0 } });
    expect(call.delete()).toMatchObject({ result: 'ok', warning: expect.any(String) });
  });
});
