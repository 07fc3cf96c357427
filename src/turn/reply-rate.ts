/**
 * Limits replies to requests that nobody has authenticated (401, 438, Binding, …), per host and
 * second: such requests may be forged, and each reply is traffic towards whoever was named as their
 * source. Counts are kept per hash bucket, 4 bytes each, so that a flood of sources costs no memory;
 * two hosts in one bucket (1 in 65,536 behind a secret seed) share an allowance.
 */
import type { EndpointBook } from '../wire/endpoint.ts';
import { hashHost } from '../wire/hash.ts';

const BUCKETS = 65_536;

export class ReplyRate {
  readonly #buckets: Int32Array; // the second's low 16 bits, then the replies in it
  readonly #perSecond: number;
  readonly #seed: number;

  /** `perSecond`: replies a host gets in a second; 0 lifts the limit. */
  constructor(buckets: Int32Array, perSecond: number, seed: number) {
    this.#buckets = buckets;
    this.#perSecond = Math.min(perSecond, 0xfffe);
    this.#seed = seed;
  }

  static words(): number {
    return BUCKETS;
  }

  /** Counts a reply to the host in `row` (its port does not matter); false if it had its share. */
  allow(book: EndpointBook, row: number, nowMs: number): boolean {
    if (this.#perSecond === 0) return true;
    const bucket = hashHost(book, row, this.#seed) & (BUCKETS - 1);
    const second = Math.trunc(nowMs / 1000) & 0xffff;
    for (;;) {
      const before = Atomics.load(this.#buckets, bucket);
      const replies = before >>> 16 === second ? before & 0xffff : 0;
      if (replies >= this.#perSecond) return false;
      const after = (second << 16) | (replies + 1);
      if (Atomics.compareExchange(this.#buckets, bucket, before, after) === before) return true;
    }
  }
}
