/** Several callees that one caller's offer reaches: early media, who is heard, and what remains of the others. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NgDictionary } from '../../src/b2bua/ng-request.ts';
import type { LineOptions, Phone } from '../kit/b2bua-phone.ts';
import { B2buaSim, type SimCall } from '../kit/b2bua-sim.ts';

const CM_80 = 'AES_CM_128_HMAC_SHA1_80';
const GCM_128 = 'AEAD_AES_128_GCM';
const TO_PLAIN = { 'transport-protocol': 'RTP/AVP' };

let sim: B2buaSim;
let caller: Phone;
let first: Phone;
let second: Phone;
let call: SimCall;

beforeEach(() => {
  sim = new B2buaSim();
});
afterEach(() => expect(sim.end()).toEqual([]));

/** Who hears what these say in turns, by the names of those who said it. */
function whoHears(): { caller: string[]; first: string[]; second: string[] } {
  const phones = { caller, first, second };
  for (const phone of Object.values(phones)) phone.audio.clear();
  for (let i = 0; i < 3; i++) {
    for (const [name, { audio }] of Object.entries(phones)) if (audio.remoteRtp) audio.say(name);
    sim.run(20);
  }
  sim.run(50);
  const heard = ({ audio }: Phone): string[] => [
    ...new Set(audio.heard.map((packet) => packet.subarray(12).toString())),
  ];
  return { caller: heard(caller), first: heard(first), second: heard(second) };
}

const FIRST = { caller: ['first'], first: ['caller'], second: [] };
const SECOND = { caller: ['second'], first: [], second: ['caller'] };

function phones(callee: LineOptions, nat = false, owner?: string): void {
  caller = sim.phone({ address: '203.0.113.10', lines: [{ protocol: 'RTP/SAVP', suites: [CM_80] }] });
  const [one, two] = [1, 2].map((i) =>
    sim.phone({
      address: `10.0.0.2${i}`,
      lines: [callee],
      ...(nat ? { sdpAddress: `192.168.1.${i}` } : {}),
      ...(owner === undefined ? {} : { owner }),
    }),
  );
  if (one && two) [first, second] = [one, two];
  call = sim.call(caller, first);
}

describe.each([
  ['plain', {}, TO_PLAIN, false],
  ['plain behind NATs', {}, TO_PLAIN, true],
  ['encrypted', { protocol: 'RTP/SAVP', suites: [GCM_128] }, {}, false],
] as const)('forks with a via-branch each, %s', (_name, callee, flags, nat) => {
  let offers: string[];
  beforeEach(() => {
    phones(callee, nat);
    offers = [first, second].map((phone, i) =>
      call.offer(caller, phone, { ...flags, 'via-branch': `branch ${i}` }),
    );
  });
  const answer = (place: number, phone: Phone): void =>
    call.answer(caller, phone, offers[place] ?? '', { 'via-branch': `branch ${place}` });

  it('have ports and keys of their own', () => {
    const [one = '', two = ''] = offers;
    expect(/m=audio (\d+)/.exec(one)?.[1]).not.toBe(/m=audio (\d+)/.exec(two)?.[1]);
    for (const [line] of one.matchAll(/^a=crypto:.*$/gm)) expect(two).not.toContain(line);
  });

  it('are heard when they answer, the last one alone', () => {
    answer(0, first);
    expect(whoHears()).toEqual(FIRST);
    answer(1, second);
    expect(whoHears()).toEqual(SECOND);
    answer(1, second); // 183, then 200
    expect(whoHears()).toEqual(SECOND);
    expect(caller.audio.unreadable).toBe(0);
  });

  it('give everything back when they are deleted, and the call goes on', () => {
    answer(0, first);
    answer(1, second);
    const { audio } = first;
    const sockets = sim.node.io.openSockets;
    expect(call.delete({ 'via-branch': 'branch 0' }).result).toBe('ok');
    expect(sim.node.io.openSockets).toBe(sockets - 2);
    expect(sim.node.core.calls.size).toBe(1);
    expect(whoHears()).toEqual(SECOND);
    audio.close();
  });

  it('leave a caller who hears nobody when the one that was heard is deleted', () => {
    answer(0, first);
    answer(1, second);
    call.delete({ 'via-branch': 'branch 1' });
    expect(whoHears()).toEqual({ caller: [], first: [], second: [] });
    answer(0, first);
    expect(whoHears()).toEqual(FIRST);
  });
});

describe.each([
  ['plain', {}, TO_PLAIN, false],
  ['plain behind NATs', {}, TO_PLAIN, true],
] as const)('forks of one offer, %s', (_name, callee, flags, nat) => {
  it('are heard when they answer, the last one alone, though the other goes on talking', () => {
    phones(callee, nat);
    const offered = call.offer(caller, first, flags);
    call.answer(caller, first, offered);
    expect(whoHears()).toEqual(FIRST);
    call.answer(caller, second, offered);
    first.audio.say('at once');
    expect(whoHears()).toEqual(SECOND);
    call.answer(caller, second, offered);
    expect(whoHears()).toEqual(SECOND);
    call.answer(caller, first, offered);
    second.audio.say('at once');
    expect(whoHears()).toEqual(FIRST);
  });
});

describe('forks of one offer, encrypted', () => {
  it('share what they were offered, and no two packets have one key and index', () => {
    // The proxy forks what we offer: both are given our key, and only one at a time is sent to.
    phones({ protocol: 'RTP/SAVP', suites: [CM_80] }, false, 'callee');
    const offered = call.offer(caller, first);
    call.answer(caller, first, offered);
    expect(whoHears()).toEqual(FIRST);
    call.answer(caller, second, offered);
    expect(whoHears()).toEqual(SECOND);
  });
});

describe('early media', () => {
  it('is heard both ways from the 183 on, with the keys of the 200', () => {
    phones({ protocol: 'RTP/SAVP', suites: [GCM_128] });
    const offered = call.offer(caller, first);
    call.answer(caller, first, offered);
    expect(call.converse()).toEqual([]);
    const given = caller.line.remote;
    call.answer(caller, first, offered);
    expect(caller.line.remote).toEqual(given);
    expect(call.converse()).toEqual([]);
    expect(sim.node.drops).toEqual({});
  });

  it('from an answer with another tag at the same address goes on undisturbed', () => {
    phones({});
    const offered = call.offer(caller, first, TO_PLAIN);
    call.answer(caller, first, offered);
    expect(call.converse()).toEqual([]);
    call.answer(caller, first, offered, { 'to-tag': 'another' });
    expect(call.converse()).toEqual([]);
    const tags = Object.keys((call.query().tags ?? {}) as NgDictionary);
    expect(tags.sort()).toEqual(['another', caller.tag, first.tag].sort());
  });
});

it('a fork that another has replaced does not come back when that one moves', () => {
  phones({}, true, 'one');
  const offered = call.offer(caller, first, TO_PLAIN);
  call.answer(caller, first, offered);
  sim.converse(caller.audio, first.audio);
  const taken = sim.call(caller, second, { callId: call.id });
  taken.answer(caller, second, offered);
  sim.converse(caller.audio, second.audio);
  second.sdpAddress = '192.168.1.3';
  second.audio.move({ address: '10.0.0.22', port: second.audio.rtpPlace.port + 100 });
  taken.negotiate(second, caller);
  first.audio.say('first');
  sim.run(20);
  sim.converse(caller.audio, second.audio);
  expect(whoHears()).toMatchObject({ first: [], second: ['caller'] });
});
