import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PortClaims } from '../../../src/wire/port-claims.ts';
import { holds, Random, SEED } from '../../fuzz/seeded.ts';

function claims(first: number, last: number, addresses = 2): PortClaims {
  const range = [first, last] as const;
  return new PortClaims(new Int32Array(PortClaims.words(range, addresses)), range);
}

const range = fc
  .tuple(fc.integer({ min: 1024, max: 1100 }), fc.nat(90))
  .map(([first, more]) => [first, first + more] as const);

describe('port claims', () => {
  it('never give a port twice, nor one that does not fit, nor say full while one fits', () => {
    const step = fc.record({
      address: fc.nat(1),
      wanted: fc.constantFrom('any', 'even', 'even-pair', 'release'),
      choice: fc.nat(),
    });
    holds(
      fc.property(range, fc.array(step, { maxLength: 150 }), fc.integer(), ([first, last], steps, seed) => {
        const random = new Random(seed);
        const real = claims(first, last);
        const taken = [new Set<number>(), new Set<number>()];
        for (const { address, wanted, choice } of steps) {
          const mine = taken[address] as Set<number>;
          if (wanted === 'release') {
            const port = [...mine][choice % Math.max(1, mine.size)];
            if (port === undefined) continue;
            real.release(address, port);
            mine.delete(port);
            continue;
          }
          const free = (port: number): boolean => port >= first && port <= last && !mine.has(port);
          const fits = (port: number): boolean =>
            free(port) && (wanted === 'any' || (port % 2 === 0 && (wanted === 'even' || free(port + 1))));
          const possible = Array.from({ length: last - first + 1 }, (_, i) => first + i).some(fits);
          const port = real.claim(address, wanted, (bound) => random.below(bound));
          expect(port !== 0, `${wanted} of ${first}–${last}`).toBe(possible);
          if (port === 0) continue;
          expect(fits(port), `${wanted}: ${port}`).toBe(true);
          mine.add(port);
          if (wanted === 'even-pair') mine.add(port + 1);
        }
        for (const [address, mine] of taken.entries()) {
          // Far beyond both ends too: there other bits of the same words would be looked at.
          for (let port = first - 70; port <= last + 70; port++) {
            expect(real.isClaimed(address, port), `${port} of ${first}–${last}`).toBe(mine.has(port));
          }
        }
      }),
      500,
    );
  });

  it.each([
    [24000, 24000],
    [24000, 24030],
    [24000, 24031],
    [24000, 24032],
    [24001, 24096],
    [1, 65535],
  ] as const)('give out every port of %i–%i once, and then none', (first, last) => {
    const random = new Random(SEED);
    const real = claims(first, last, 1);
    const count = last - first + 1;
    const seen = new Set<number>();
    // Beyond some hundred ports, exhausting takes a walk over all the range for each of the last.
    const toClaim = Math.min(count, 1000);
    for (let i = 0; i < toClaim; i++) seen.add(real.claim(0, 'any', (bound) => random.below(bound)));
    expect(seen.size).toBe(toClaim);
    expect(Math.min(...seen)).toBeGreaterThanOrEqual(first);
    expect(Math.max(...seen)).toBeLessThanOrEqual(last);
    if (toClaim < count) return;
    expect(real.claim(0, 'any', () => 0)).toBe(0);
    real.release(0, last);
    expect(real.claim(0, 'any', () => 0)).toBe(last);
  });

  it('are the same for all who look at the same memory', () => {
    const ports64 = [24000, 24063] as const;
    const words = new Int32Array(new SharedArrayBuffer(4 * PortClaims.words(ports64, 1)));
    const workers = [new PortClaims(words, ports64), new PortClaims(words, ports64)];
    const random = new Random(SEED);
    const ports = Array.from({ length: 64 }, (_, i) =>
      (workers[i % 2] as PortClaims).claim(0, 'any', (bound) => random.below(bound)),
    );
    expect(new Set(ports).size).toBe(64);
    expect(workers[0]?.claim(0, 'any', () => 0)).toBe(0);
  });

  it('keep the ports of one relay address apart from another, whose bits are neighbours', () => {
    const real = claims(24000, 24009, 3);
    const of = (address: number): number[] =>
      Array.from({ length: 10 }, () => real.claim(address, 'any', () => 0));
    expect(new Set(of(1)).size).toBe(10);
    expect(new Set(of(0)).size).toBe(10);
    expect(new Set(of(2)).size).toBe(10);
  });
});
