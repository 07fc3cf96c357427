/**
 * Repeatable randomness for property tests and fuzzing: the seed is fixed, so a run is the same on every
 * machine, and `FUZZ_SEED=n` walks elsewhere.
 */
import fc from 'fast-check';

export const SEED: number = Number(process.env.FUZZ_SEED ?? 20_260_219);

/** Runs a fast-check property from {@link SEED}. */
export function holds<Values>(property: fc.IProperty<Values>, numRuns = 200): void {
  fc.assert(property, { seed: SEED, numRuns });
}

/** A small fast generator (mulberry32) for runs too long for fast-check. Never for secrets. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** 0 ≤ n < 2^32. */
  word(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let z = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    z = (z + Math.imul(z ^ (z >>> 7), 61 | z)) ^ z;
    return (z ^ (z >>> 14)) >>> 0;
  }

  /** 0 ≤ n < bound. */
  below(bound: number): number {
    return Math.floor((this.word() / 2 ** 32) * bound);
  }

  /** low ≤ n ≤ high. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  chance(probability: number): boolean {
    return this.word() / 2 ** 32 < probability;
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)] as Item;
  }

  fill(bytes: Uint8Array): void {
    for (let i = 0; i < bytes.length; i++) bytes[i] = this.word();
  }

  bytes(length: number): Buffer {
    const bytes = Buffer.alloc(length);
    this.fill(bytes);
    return bytes;
  }
}
