import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ReplyRate } from '../../../src/turn/reply-rate.ts';
import { EndpointBook } from '../../../src/wire/endpoint.ts';
import { holds, SEED } from '../../fuzz/seeded.ts';

function rate(perSecond: number): { allow: (address: string, port: number, nowMs: number) => boolean } {
  const book = new EndpointBook(1, 1);
  const real = new ReplyRate(new Int32Array(ReplyRate.words()), perSecond, SEED);
  return {
    allow: (address, port, nowMs) => {
      book.setText(0, address, port);
      return real.allow(book, 0, nowMs);
    },
  };
}

function allowed(of: ReturnType<typeof rate>, address: string, nowMs: number, tries: number): number {
  let count = 0;
  for (let i = 0; i < tries; i++) if (of.allow(address, i, nowMs)) count++;
  return count;
}

describe('the reply rate', () => {
  it('allows a host its share a second, whatever ports it uses', () => {
    const of = rate(20);
    expect(allowed(of, '192.0.2.1', 0, 100)).toBe(20);
    expect(allowed(of, '192.0.2.1', 999, 100)).toBe(0);
    expect(allowed(of, '192.0.2.1', 1000, 100)).toBe(20);
  });

  it('does not save up', () => {
    const of = rate(5);
    expect(allowed(of, '192.0.2.1', 100_000, 100)).toBe(5);
  });

  it('keeps hosts apart', () => {
    const of = rate(3);
    expect(allowed(of, '192.0.2.1', 5000, 10)).toBe(3);
    expect(allowed(of, '192.0.2.2', 5000, 10)).toBe(3);
    expect(allowed(of, '::192.0.2.1', 5000, 10)).toBe(3);
  });

  it('takes a /64 of IPv6 for one host', () => {
    const of = rate(3);
    expect(allowed(of, '2001:db8:1:2::1', 5000, 10)).toBe(3);
    expect(allowed(of, '2001:db8:1:2:ffff::7', 5000, 10)).toBe(0);
    expect(allowed(of, '2001:db8:1:3::1', 5000, 10)).toBe(3);
  });

  it('is lifted by 0', () => {
    expect(allowed(rate(0), '192.0.2.1', 0, 10_000)).toBe(10_000);
  });

  it('holds for the largest share it can count', () => {
    expect(allowed(rate(100_000), '192.0.2.1', 1000, 70_000)).toBe(0xfffe);
  });

  it('counts like a model of seconds and replies, over any time', () => {
    const times = fc.array(fc.nat(70_000_000), { maxLength: 100 });
    holds(
      fc.property(times, fc.integer({ min: 1, max: 4 }), (steps, perSecond) => {
        const of = rate(perSecond);
        let second = -1;
        let replies = 0;
        for (const nowMs of steps.sort((a, b) => a - b)) {
          const current = Math.trunc(nowMs / 1000);
          if (current !== second) [second, replies] = [current, 0];
          // After 65,536 s a second looks like an old one, whose count may still be there.
          if (nowMs >= 65_536_000) break;
          expect(of.allow('192.0.2.1', 1, nowMs)).toBe(replies < perSecond);
          replies++;
        }
      }),
    );
  });
});
