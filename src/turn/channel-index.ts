/**
 * From (allocation, channel number) to the channel's row: open addressing in one typed array. Clients
 * choose the numbers, so hashing is seeded: with a known hash, one user's channels could be made to
 * lie in one long run, and each of their packets to cost thousands of probes.
 */
import { CHANNEL_NUMBER_MAX_RFC5766, CHANNEL_NUMBER_MIN } from '../wire/channel-data.ts';
import { finish, mix } from '../wire/hash.ts';

const INITIAL_SLOTS = 256;
/** Channel numbers there are, those of RFC 5766 included. */
const CHANNELS = CHANNEL_NUMBER_MAX_RFC5766 - CHANNEL_NUMBER_MIN + 1;

export class ChannelIndex {
  readonly #seed: number;
  #slots = new Int32Array(INITIAL_SLOTS * 2); // key + 1 (0: empty), row
  #size = 0;

  /** `seed`: secret, 32 bits. */
  constructor(seed: number) {
    this.#seed = seed | 0;
  }

  /** The channel's row, or -1. */
  get(allocation: number, channelNumber: number): number {
    const slots = this.#slots;
    const slot = this.#find(keyOf(allocation, channelNumber));
    return slots[slot] === 0 ? -1 : (slots[slot + 1] as number);
  }

  set(allocation: number, channelNumber: number, row: number): void {
    if (this.#size * 4 >= this.#slots.length) this.#grow();
    const key = keyOf(allocation, channelNumber);
    const slot = this.#find(key);
    if (this.#slots[slot] === 0) this.#size++;
    this.#slots[slot] = key + 1;
    this.#slots[slot + 1] = row;
  }

  delete(allocation: number, channelNumber: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let hole = this.#find(keyOf(allocation, channelNumber));
    if (slots[hole] === 0) return;
    this.#size--;
    for (let slot = (hole + 2) & mask; slots[slot] !== 0; slot = (slot + 2) & mask) {
      const home = this.#home((slots[slot] as number) - 1);
      if (((slot - home) & mask) < ((slot - hole) & mask)) continue;
      slots[hole] = slots[slot] as number;
      slots[hole + 1] = slots[slot + 1] as number;
      hole = slot;
    }
    slots[hole] = 0;
  }

  #home(key: number): number {
    return (finish(mix(this.#seed, key)) * 2) & (this.#slots.length - 1);
  }

  #find(key: number): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let slot = this.#home(key);
    while (slots[slot] !== 0 && slots[slot] !== key + 1) slot = (slot + 2) & mask;
    return slot;
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Int32Array(old.length * 2);
    for (let from = 0; from < old.length; from += 2) {
      if (old[from] === 0) continue;
      const to = this.#find((old[from] as number) - 1);
      this.#slots[to] = old[from] as number;
      this.#slots[to + 1] = old[from + 1] as number;
    }
  }
}

function keyOf(allocation: number, channelNumber: number): number {
  return allocation * CHANNELS + (channelNumber - CHANNEL_NUMBER_MIN);
}
