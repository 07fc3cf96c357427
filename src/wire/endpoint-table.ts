/**
 * A hash table from (scope, transport address) to a small integer, in one typed array.
 *
 * The scope keeps apart the addresses of different sockets or allocations in one table. Keys are the
 * raw words of an endpoint row, IPv4 and IPv6 alike; looking up allocates nothing. Open addressing
 * with linear probing at a load of at most one half; deletion shifts back, so there are no tombstones.
 * Hashing is seeded, so that a stranger cannot choose addresses that collide.
 */
import { ENDPOINT_WORDS, type EndpointBook, INET } from './endpoint.ts';
import { finish, mix } from './hash.ts';

const SLOT_WORDS = 8; // value + 1 (0: empty), scope, then words 0 to 5 of the endpoint
const MIN_SLOTS = 64;

export class EndpointTable {
  readonly #words: Int32Array;
  readonly #portMask: number;
  readonly #seed: number;
  #slots: Int32Array;
  #mask: number;
  #size = 0;

  /** `ports`: whether two endpoints that differ only in port are two keys or one. */
  constructor(book: EndpointBook, ports: 'compared' | 'ignored', seed: number) {
    this.#words = book.words;
    this.#portMask = ports === 'compared' ? -1 : 0xffff;
    this.#seed = seed | 0;
    this.#slots = new Int32Array(MIN_SLOTS * SLOT_WORDS);
    this.#mask = MIN_SLOTS - 1;
  }

  get size(): number {
    return this.#size;
  }

  /** The value stored for the key, or -1. */
  get(scope: number, row: number): number {
    const slots = this.#slots;
    const base = this.#find(scope, row);
    return (slots[base] as number) - 1;
  }

  /** Stores `value` (0 or more) for the key, replacing what was there. */
  set(scope: number, row: number, value: number): void {
    if ((this.#size + 1) * 2 > this.#mask + 1) this.#grow();
    const slots = this.#slots;
    const base = this.#find(scope, row);
    if (slots[base] === 0) {
      this.#size++;
      const key = row * ENDPOINT_WORDS;
      slots[base + 1] = scope;
      slots[base + 2] = (this.#words[key] as number) & this.#portMask;
      slots[base + 3] = this.#words[key + 1] as number;
      for (let i = 2; i < 6; i++) slots[base + 2 + i] = this.#words[key + i] as number;
    }
    slots[base] = value + 1;
  }

  /** Removes the key; returns the value it had, or -1. */
  delete(scope: number, row: number): number {
    const slots = this.#slots;
    let hole = this.#find(scope, row);
    const value = (slots[hole] as number) - 1;
    if (value < 0) return -1;
    this.#size--;
    // Move back every later entry of the run whose home is not after the hole.
    for (let base = this.#next(hole); slots[base] !== 0; base = this.#next(base)) {
      const home = this.#home(slots, base);
      const distanceFromHome = (base - home) & (slots.length - 1);
      const distanceFromHole = (base - hole) & (slots.length - 1);
      if (distanceFromHome < distanceFromHole) continue;
      slots.copyWithin(hole, base, base + SLOT_WORDS);
      hole = base;
    }
    slots[hole] = 0;
    return value;
  }

  #next(base: number): number {
    return (base + SLOT_WORDS) & (this.#slots.length - 1);
  }

  /** The slot that holds the key, or the empty one where it would go. */
  #find(scope: number, row: number): number {
    const slots = this.#slots;
    const words = this.#words;
    const key = row * ENDPOINT_WORDS;
    const word0 = (words[key] as number) & this.#portMask;
    const word1 = words[key + 1] as number;
    const isIPv4 = (word0 & 0xffff) === INET;
    let hash = mix(this.#seed ^ scope, word0);
    hash = mix(hash, word1);
    if (!isIPv4) for (let i = 2; i < 6; i++) hash = mix(hash, words[key + i] as number);
    let base = (finish(hash) & this.#mask) * SLOT_WORDS;
    for (; slots[base] !== 0; base = (base + SLOT_WORDS) & (slots.length - 1)) {
      if (slots[base + 2] !== word0 || slots[base + 3] !== word1 || slots[base + 1] !== scope) continue;
      if (isIPv4 || sameWords(slots, base + 4, words, key + 2)) return base;
    }
    return base;
  }

  #home(slots: Int32Array, base: number): number {
    const word0 = slots[base + 2] as number;
    let hash = mix(this.#seed ^ (slots[base + 1] as number), word0);
    hash = mix(hash, slots[base + 3] as number);
    if ((word0 & 0xffff) !== INET) for (let i = 4; i < 8; i++) hash = mix(hash, slots[base + i] as number);
    return (finish(hash) & this.#mask) * SLOT_WORDS;
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Int32Array(old.length * 2);
    this.#mask = this.#mask * 2 + 1;
    for (let from = 0; from < old.length; from += SLOT_WORDS) {
      if (old[from] === 0) continue;
      let to = this.#home(old, from);
      while (this.#slots[to] !== 0) to = this.#next(to);
      this.#slots.set(old.subarray(from, from + SLOT_WORDS), to);
    }
  }
}

function sameWords(a: Int32Array, from: number, b: Int32Array, against: number): boolean {
  for (let i = 0; i < 4; i++) if (a[from + i] !== b[against + i]) return false;
  return true;
}
