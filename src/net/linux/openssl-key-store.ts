/**
 * Places for expanded keys, of which a node under load has thousands: blocks of memory cut into slots.
 * A slot that is given back is wiped and used again; blocks stay.
 */
import type { Native } from './libc.ts';
import { Memory } from './memory.ts';

export const KEY_SLOT_BYTES = 256;
const SLOTS_PER_BLOCK = 4096;

/** Where an expanded key lies. */
export interface KeySlot {
  readonly memory: Memory;
  readonly offset: number;
  readonly pointer: number;
}

export class KeyStore {
  readonly #native: Native;
  readonly #free: KeySlot[] = [];

  constructor(native: Native) {
    this.#native = native;
  }

  /**
   * Takes a slot, zeroed.
   * @throws EngineUnavailableError if the kernel gives no memory
   */
  take(): KeySlot {
    if (this.#free.length === 0) this.#addBlock();
    return this.#free.pop() as KeySlot;
  }

  /** Wipes a slot and takes it back. */
  release(slot: KeySlot): void {
    slot.memory.bytes.fill(0, slot.offset, slot.offset + KEY_SLOT_BYTES);
    this.#free.push(slot);
  }

  #addBlock(): void {
    const memory = new Memory(this.#native, SLOTS_PER_BLOCK * KEY_SLOT_BYTES);
    // The last is handed out first, so that pages are touched as they are needed.
    for (let i = SLOTS_PER_BLOCK - 1; i >= 0; i--) {
      const offset = i * KEY_SLOT_BYTES;
      this.#free.push({ memory, offset, pointer: memory.pointer(offset, KEY_SLOT_BYTES) });
    }
  }
}
