/**
 * Which UDP ports of a range are taken, one bit a port and address, shared by all workers: a port picked
 * by one cannot be picked by another, and whoever ends what used it frees it.
 */

const RANDOM_TRIES = 8;

/** First and last port, both included. */
export type PortRange = readonly [first: number, last: number];

export class PortClaims {
  readonly #words: Int32Array;
  readonly #first: number;
  readonly #count: number;
  readonly #wordsPerAddress: number;

  /** `words`: {@link PortClaims.words} of them, zeroed; shared memory where there are several workers. */
  constructor(words: Int32Array, range: PortRange) {
    this.#words = words;
    this.#first = range[0];
    this.#count = range[1] - range[0] + 1;
    this.#wordsPerAddress = wordsPerAddress(range);
  }

  static words(range: PortRange, addresses: number): number {
    return wordsPerAddress(range) * addresses;
  }

  /**
   * Claims a free port of the address, unpredictably (RFC 6056): any, an even one, or an even one whose
   * odd neighbour is claimed with it. 0 if none is left.
   */
  claim(
    address: number,
    wanted: 'any' | 'even' | 'even-pair',
    randomBelow: (bound: number) => number,
  ): number {
    for (let attempt = 0; attempt < RANDOM_TRIES; attempt++) {
      const port = this.#first + randomBelow(this.#count);
      if (this.#claimIfFits(address, port, wanted)) return port;
    }
    // Crowded: walk the whole range from a random place.
    const start = randomBelow(this.#count);
    for (let step = 0; step < this.#count; step++) {
      const port = this.#first + ((start + step) % this.#count);
      if (this.#claimIfFits(address, port, wanted)) return port;
    }
    return 0;
  }

  /** Whether the port, which may lie outside the range, is taken. Data plane. */
  isClaimed(address: number, port: number): boolean {
    const bit = port - this.#first;
    if (bit < 0 || bit >= this.#count) return false;
    const word = Atomics.load(this.#words, address * this.#wordsPerAddress + (bit >>> 5));
    return (word & (1 << (bit & 31))) !== 0;
  }

  release(address: number, port: number): void {
    const bit = port - this.#first;
    Atomics.and(this.#words, address * this.#wordsPerAddress + (bit >>> 5), ~(1 << (bit & 31)));
  }

  #claimIfFits(address: number, port: number, wanted: 'any' | 'even' | 'even-pair'): boolean {
    if (wanted !== 'any' && port & 1) return false;
    if (!this.#take(address, port)) return false;
    if (wanted !== 'even-pair' || this.#take(address, port + 1)) return true;
    this.release(address, port);
    return false;
  }

  #take(address: number, port: number): boolean {
    const bit = port - this.#first;
    if (bit >= this.#count) return false;
    const mask = 1 << (bit & 31);
    const before = Atomics.or(this.#words, address * this.#wordsPerAddress + (bit >>> 5), mask);
    return (before & mask) === 0;
  }
}

function wordsPerAddress([first, last]: PortRange): number {
  return (last - first + 32) >>> 5;
}
