/**
 * No keystream is used twice, over the whole life of thousands of random calls. What watches: every cipher of the
 * node (a key and IV are used once, to encrypt or to decrypt), every phone (one packet a key and index), and the
 * account of keys in SDP (a key is given to one line of one side, and is never one that a phone made).
 */
import { afterEach, expect, it } from 'vitest';
import type { LineOptions, Phone } from '../kit/b2bua-phone.ts';
import { B2buaSim, type SimCall } from '../kit/b2bua-sim.ts';
import { PLAIN_SUITES } from '../kit/b2bua-srtp.ts';
import { rtcpPacket } from '../kit/b2bua-stream.ts';

const CALLS = Number(process.env.SIM_CALLS ?? 2000);
const SUITES = Object.keys(PLAIN_SUITES);

let sim: B2buaSim;
afterEach(() => expect(sim.end()).toEqual([]));

it('no key and index protects two packets in thousands of random calls', () => {
  sim = new B2buaSim({ seed: 20_260_219 });
  let delivered = 0;
  for (let i = 0; i < CALLS; i++) delivered += randomCall();
  expect(sim.faults()).toEqual([]);
  expect(sim.node.core.calls.size).toBe(0);
  expect(delivered).toBeGreaterThan(10 * CALLS);
}, 120_000);

/** A call of a random life; returns how many packets reached a phone. */
function randomCall(): number {
  const phones = [1, 2, 3].map((i) =>
    sim.phone({
      address: i === 1 ? '203.0.113.10' : `10.0.0.${i}`,
      lines: [randomLine()],
      port: 20_000 + 2 * i,
    }),
  );
  const [a, b, c] = phones as [Phone, Phone, Phone];
  const calls = below(4) === 0 ? forked(a, b, c) : [sim.call(a, b)];
  const call = calls[0] as SimCall;
  if (calls.length === 1) call.setUp(flags(b));
  for (let step = 0; step < 4; step++) {
    for (const phone of phones) speak(phone);
    sim.run(30);
    randomChange(call, a, b);
  }
  call.delete();
  sim.run(50);
  const delivered = phones.reduce((sum, { audio }) => sum + audio.heard.length + audio.reports.length, 0);
  sim.forget(...phones);
  return delivered;
}

/** Two callees answer one offer, each at a branch of its own. */
function forked(a: Phone, b: Phone, c: Phone): SimCall[] {
  const call = sim.call(a, b);
  const offers = [b, c].map((phone, i) => {
    const more = { ...flags(phone), 'via-branch': `branch ${i}` };
    return [phone, call.tryOffer(a, phone, more).sdp, more['via-branch']] as const;
  });
  for (const [phone, offered, branch] of offers) {
    if (typeof offered === 'string') call.answer(a, phone, offered, { 'via-branch': branch });
    for (const each of [a, b, c]) speak(each);
    sim.run(30);
  }
  return [call, call];
}

/** Packets of all sorts: new ones, copies, other bytes under the same number, jumps, RTCP. */
function speak({ audio }: Phone): void {
  if (!audio.remoteRtp) return;
  for (let i = below(6); i >= 0; i--) {
    const { index } = audio;
    const { sent } = audio.next(`packet ${sim.network.random()}`);
    audio.transmit(sent);
    if (below(3) === 0) audio.transmit(sent);
    if (below(3) === 0 && !audio.outbound) {
      audio.index = index;
      audio.say(`another ${sim.network.random()}`);
    }
    if (below(20) === 0 && !audio.outbound) audio.index = below(0x10000);
    if (below(20) === 0) audio.index += below(0x7000);
    if (below(30) === 0) audio.ssrc = below(4);
    if (below(4) === 0) audio.report();
    if (below(8) === 0 && !audio.outbound)
      audio.transmit(rtcpPacket(audio.ssrc, `${sim.network.random()}`), 'rtcp');
  }
}

/** A re-offer by either side: the same again, or with other keys, suites, or none. */
function randomChange(call: SimCall, a: Phone, b: Phone): void {
  const [offerer, answerer] = below(2) === 0 ? [a, b] : [b, a];
  for (const { line } of [a, b]) {
    if (below(4) === 0) line.renewKeys();
    if (below(4) === 0) line.options = randomLine();
  }
  if (below(5) === 0)
    call.tryOffer(offerer, answerer, flags(answerer)); // never answered
  else call.negotiate(offerer, answerer, flags(answerer));
}

function randomLine(): LineOptions {
  if (below(3) === 0) return { rtcpMux: below(2) === 0 };
  const suites = SUITES.filter(() => below(3) === 0);
  return {
    protocol: 'RTP/SAVP',
    suites: suites.length > 0 ? suites : [SUITES[below(SUITES.length)] ?? ''],
    rtcpMux: below(2) === 0,
  };
}

/** What a proxy asks for that knows what the callee is. */
function flags({ line }: Phone): { 'transport-protocol': string } {
  return { 'transport-protocol': line.suites.length > 0 ? 'RTP/SAVP' : 'RTP/AVP' };
}

function below(bound: number): number {
  return Math.floor(sim.network.random() * bound);
}
