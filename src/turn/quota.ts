/**
 * How many relays the node, a user and a client address hold, over all workers.
 *
 * A hash table of counts in shared memory; holders are known by a 64-bit seeded hash of their name,
 * so a name costs 12 bytes whatever its length. Linear probing, at most half full.
 */
import { parseAddress } from '../wire/address.ts';
import { hashText } from '../wire/hash.ts';
import type { TurnLimits } from './settings.ts';
import { locked } from './spin-lock.ts';

const HEADER_WORDS = 2; // lock, relays in all
const ENTRY_WORDS = 3; // two halves of the hash, count (0: empty)

export class Quota {
  readonly #words: Int32Array;
  readonly #limits: TurnLimits;
  readonly #seed: number;
  readonly #mask: number;

  constructor(words: Int32Array, limits: TurnLimits, seed: number) {
    this.#words = words;
    this.#limits = limits;
    this.#seed = seed;
    this.#mask = entries(limits) - 1;
  }

  static words(limits: TurnLimits): number {
    return HEADER_WORDS + entries(limits) * ENTRY_WORDS;
  }

  /** Relays held on the node. */
  get relays(): number {
    return Atomics.load(this.#words, 1);
  }

  /** Takes `relays` for the user and address; false, and nothing taken, if a limit would be passed. */
  acquire(user: string, address: string, relays: number): 'granted' | 'user-full' | 'node-full' {
    return locked(this.#words, () => {
      if (this.relays + relays > this.#limits.relays) return 'node-full';
      const userCount = this.#count(`u${user}`);
      const host = hostName(address);
      const addressCount = this.#count(host);
      if (user !== '' && userCount + relays > this.#limits.relaysPerUser) return 'user-full';
      if (addressCount + relays > this.#limits.relaysPerAddress) return 'user-full';
      this.#add(`u${user}`, relays);
      this.#add(host, relays);
      this.#words[1] = this.relays + relays;
      return 'granted';
    });
  }

  release(user: string, address: string, relays: number): void {
    locked(this.#words, () => {
      this.#add(`u${user}`, -relays);
      this.#add(hostName(address), -relays);
      this.#words[1] = this.relays - relays;
    });
  }

  #count(name: string): number {
    return this.#words[this.#find(hashText(name, this.#seed), hashText(name, ~this.#seed)) + 2] as number;
  }

  #add(name: string, amount: number): void {
    const low = hashText(name, this.#seed);
    const high = hashText(name, ~this.#seed);
    const entry = this.#find(low, high);
    const count = (this.#words[entry + 2] as number) + amount;
    this.#words[entry] = low;
    this.#words[entry + 1] = high;
    this.#words[entry + 2] = count;
    if (count === 0) this.#closeGap(entry);
  }

  /** The entry that holds the hash, or the empty one where it would go. */
  #find(low: number, high: number): number {
    let index = low & this.#mask;
    for (;;) {
      const entry = HEADER_WORDS + index * ENTRY_WORDS;
      if (this.#words[entry + 2] === 0) return entry;
      if (this.#words[entry] === low && this.#words[entry + 1] === high) return entry;
      index = (index + 1) & this.#mask;
    }
  }

  /** Moves later entries of the run back over an emptied one, so that none becomes unreachable. */
  #closeGap(emptied: number): void {
    let hole = (emptied - HEADER_WORDS) / ENTRY_WORDS;
    for (let index = (hole + 1) & this.#mask; ; index = (index + 1) & this.#mask) {
      const entry = HEADER_WORDS + index * ENTRY_WORDS;
      if (this.#words[entry + 2] === 0) break;
      const home = (this.#words[entry] as number) & this.#mask;
      if (((index - home) & this.#mask) < ((index - hole) & this.#mask)) continue;
      this.#words.copyWithin(HEADER_WORDS + hole * ENTRY_WORDS, entry, entry + ENTRY_WORDS);
      this.#words[entry + 2] = 0;
      hole = index;
    }
  }
}

/** What an address counts as: itself, or the /64 of an IPv6 address (one subscriber owns all of it). */
function hostName(address: string): string {
  const bytes = parseAddress(address);
  return bytes?.length === 16 ? `n${bytes.subarray(0, 8).join('.')}` : `a${address}`;
}

/** Each relay has at most a user and an address of its own: twice that, and again so as to stay half empty. */
function entries(limits: TurnLimits): number {
  return 2 ** Math.ceil(Math.log2(Math.max(64, limits.relays * 4)));
}
