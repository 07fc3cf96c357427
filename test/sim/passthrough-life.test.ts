/** How calls whose candidates passed through live and end: silence is no fault of theirs, and all is given back. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { seededRandom } from '../../lab/network/simulated/seeded-random.ts';
import { EXTERNAL, INTERNAL } from '../kit/b2bua-node.ts';
import type { LineOptions, Phone } from '../kit/b2bua-phone.ts';
import { B2buaSim, type SimCall } from '../kit/b2bua-sim.ts';

const SECURE: LineOptions = { protocol: 'RTP/SAVP', suites: ['AES_CM_128_HMAC_SHA1_80'], rtcpMux: true };
const ICE: LineOptions = { ...SECURE, ice: true };
const BFCP: LineOptions = { media: 'application', protocol: 'UDP/BFCP' };
const SECOND = 1000;
const ZONES = [EXTERNAL, INTERNAL].map((zone) => ({ ...zone, icePassthrough: true }));

let sim: B2buaSim;
let a: Phone;
let b: Phone;

beforeEach(() => {
  sim = new B2buaSim({ zones: ZONES });
  sim.expectSharedKeys();
});
afterEach(() => expect(sim.end()).toEqual([]));

function callBetween(lines: readonly LineOptions[], calleeLines: readonly LineOptions[] = lines): SimCall {
  a = sim.phone({ address: '203.0.113.10', lines });
  b = sim.phone({ address: '10.0.0.20', lines: calleeLines });
  return sim.call(a, b);
}

function reasons(): string[] {
  return sim.node.ended.map(({ reason }) => reason);
}

describe('a call that nobody hears', () => {
  it.each([
    ['audio', [ICE]],
    ['audio, and an idle BFCP line', [ICE, BFCP]],
  ])('may have left for a better path: it lives for the direct timeout (%s)', (_, lines) => {
    const call = callBetween(lines).setUp();
    expect(call.converse()).toEqual([]);
    sim.run(3590 * SECOND);
    expect(reasons()).toEqual([]);
    sim.run(15 * SECOND);
    expect(reasons()).toEqual(['media timeout']);
  });

  it('ends after the media timeout where the answer was without ICE', () => {
    const call = callBetween([ICE], [SECURE]).setUp();
    expect(call.converse()).toEqual([]);
    sim.run(58 * SECOND);
    expect(reasons()).toEqual([]);
    sim.run(5 * SECOND);
    expect(reasons()).toEqual(['media timeout']);
  });

  it('ends after the media timeout where nothing passes', () => {
    const call = callBetween([ICE]).setUp({ ICE: 'remove' });
    expect(call.converse()).toEqual([]);
    sim.run(63 * SECOND);
    expect(reasons()).toEqual(['media timeout']);
  });

  it('has the media timeout again when it has become an ordinary one', () => {
    const call = callBetween([ICE]).setUp();
    sim.run(600 * SECOND);
    expect(reasons()).toEqual([]);
    a.line.options = SECURE;
    call.negotiate(a, b);
    expect(call.converse()).toEqual([]);
    sim.run(63 * SECOND);
    expect(reasons()).toEqual(['media timeout']);
  });

  it('is told of with what was seen of it: left, through, or neither', () => {
    const seen = (): unknown => sim.node.ended.at(-1)?.observation.media;
    callBetween([ICE]).setUp().delete();
    expect(seen()).toEqual(['unclear']);
    const through = callBetween([ICE]).setUp();
    expect(through.converse()).toEqual([]);
    through.delete();
    expect(seen()).toEqual(['through']);
    const left = callBetween([ICE]).setUp();
    expect(left.converse()).toEqual([]);
    sim.run(6 * SECOND);
    left.delete();
    expect(seen()).toEqual(['left']);
  });
});

describe('an offer that passed through', () => {
  it('and is never answered expires, though it was checked', () => {
    const call = callBetween([ICE]);
    b.answer(call.offer(a, b));
    b.audio.check();
    sim.run(182 * SECOND);
    expect(reasons()).toEqual(['offer timeout']);
    expect(sim.node.held()).toEqual([]);
  });

  it('that finds no ports leaves nothing behind', () => {
    const ports = [36_000, 36_003] as const;
    sim = new B2buaSim({ zones: ZONES, settings: { mediaPorts: ports } });
    sim.expectSharedKeys();
    const call = callBetween([ICE, ICE, ICE]);
    expect(call.tryOffer(a, b)).toMatchObject({ result: 'error', 'error-reason': 'Ran out of ports' });
    expect(sim.node.held()).toEqual([]);
  });
});

it('a side that checks from everywhere takes no more than its share', () => {
  const call = callBetween([ICE]).setUp();
  const rowsBefore = sim.node.io.endpoints.acquired;
  for (let i = 0; i < 50; i++) {
    a.audio.move({ address: '198.18.0.7', port: 40_000 + 2 * i });
    a.audio.check({ nominates: i % 3 === 1 });
    sim.run(20);
  }
  expect(sim.node.io.endpoints.acquired - rowsBefore).toBeLessThanOrEqual(4);
  expect(call.converse()).toEqual([]);
});

it('random calls, that pass through or not, restart, fall back and are answered anew, carry media and leave nothing', () => {
  const random = seededRandom(11);
  const pick = <Value>(...values: readonly Value[]): Value =>
    values[Math.floor(random() * values.length)] as Value;
  for (let i = 0; i < 60; i++) {
    const line = (): LineOptions => pick(ICE, ICE, SECURE, { ...ICE, rtcpMux: false });
    const call = callBetween([line()], [line()]).setUp();
    for (let step = 0; step < 5; step++) {
      const [offerer, answerer] = pick([a, b] as const, [b, a] as const);
      for (const { audio } of [a, b])
        if (audio.localIce && random() < 0.5) audio.check({ nominates: random() < 0.3 });
      sim.run(50);
      expect(call.converse(2)).toEqual([]);
      if (random() < 0.3) for (const phone of [a, b]) phone.line.restartIce();
      if (random() < 0.3) offerer.line.options = line();
      if (random() < 0.2) answerer.line.options = line();
      call.negotiate(offerer, answerer);
      expect(call.converse(2)).toEqual([]);
    }
    call.delete();
    sim.forget(a, b);
    expect(sim.node.held()).toEqual([]);
  }
});
