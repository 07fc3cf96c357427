/**
 * One block of memory outside the JavaScript heap, at an address that never changes, in which every
 * structure, address and packet that the kernel sees lies. Offsets count from its start.
 *
 * JavaScript reads and writes it through typed arrays, which cannot leave it. The one way to get an
 * address for the kernel is {@link Memory.pointer}, which refuses whatever would let the kernel leave it.
 */
import { EngineUnavailableError } from '../engine.ts';
import {
  MADV_DONTNEED,
  MAP_FIXED_NOREPLACE,
  MAP_PRIVATE_ANONYMOUS_NORESERVE,
  PROT_READ_WRITE,
} from './abi.ts';
import type { Native } from './libc.ts';

const PAGE_BYTES = 4096;
const WORD_RANGE = 2 ** 32;
const ADDRESS_MAX = Number.MAX_SAFE_INTEGER;
/**
 * Addresses below 2^31 are tried first: V8 passes such numbers to native functions as they are, while
 * it has to allocate for larger ones, and that in every system call.
 */
const LOW_ADDRESS_FROM = 2 ** 30;
const LOW_ADDRESS_TO = 2 ** 31;

export class Memory {
  readonly buffer: ArrayBuffer;
  readonly bytes: Uint8Array;
  /** The same as 32-bit words: `words[offset >> 2]`. */
  readonly words: Int32Array;
  readonly size: number;
  readonly #base: number;
  readonly #native: Native;
  #carved = 0;

  /**
   * Maps `size` bytes, zeroed; pages cost memory when first touched.
   * @throws EngineUnavailableError if the kernel refuses.
   */
  constructor(native: Native, size: number) {
    this.size = Math.ceil(size / PAGE_BYTES) * PAGE_BYTES;
    this.#native = native;
    this.#base = this.#mapLow() ?? this.#map();
    // Pointers in structures then differ in their lower word alone; two tries are enough, for the
    // second block cannot cross the same boundary.
    if (Math.floor(this.#base / WORD_RANGE) !== Math.floor((this.#base + this.size) / WORD_RANGE)) {
      this.#base = this.#map();
    }
    this.buffer = native.view(this.#base, this.size);
    this.bytes = new Uint8Array(this.buffer);
    this.words = new Int32Array(this.buffer);
  }

  /**
   * Sets `length` bytes aside for good and returns their offset.
   * @throws RangeError when the block is used up.
   */
  carve(length: number, alignment = 64): number {
    const offset = Math.ceil(this.#carved / alignment) * alignment;
    if (!(length >= 0 && offset + length <= this.size)) {
      throw new RangeError(`memory of ${this.size} bytes has no ${length} bytes left at ${offset}`);
    }
    this.#carved = offset + length;
    return offset;
  }

  /**
   * The address of `length` bytes at `offset`.
   * @throws RangeError if they are not all inside.
   */
  pointer(offset: number, length: number): number {
    if (!(offset >= 0 && length >= 0 && offset + length <= this.size))
      throw outside(offset, length, this.size);
    return this.#base + offset;
  }

  /**
   * Writes the address of `length` bytes at `offset` into the 8 bytes at `at`.
   * @throws RangeError if either is not inside.
   */
  pokePointer(at: number, offset: number, length: number): void {
    const address = this.pointer(offset, length);
    this.poke32(at, address | 0);
    this.poke32(at + 4, Math.floor(address / WORD_RANGE));
  }

  /** As {@link pokePointer}, where `at` already holds the address of another part of this memory. */
  repointer(at: number, offset: number, length: number): void {
    this.poke32(at, this.pointer(offset, length) | 0);
  }

  /** Writes 32 bits at an offset divisible by 4. @throws RangeError if that is not inside. */
  poke32(at: number, value: number): void {
    if (!(at >= 0 && at + 4 <= this.size && (at & 3) === 0)) throw outside(at, 4, this.size);
    this.words[at >> 2] = value;
  }

  /** Reads 32 bits, signed, at an offset divisible by 4. @throws RangeError if that is not inside. */
  peek32(at: number): number {
    if (!(at >= 0 && at + 4 <= this.size && (at & 3) === 0)) throw outside(at, 4, this.size);
    return this.words[at >> 2] as number;
  }

  /** Reads a byte. @throws RangeError if it is not inside. */
  peek8(at: number): number {
    if (!(at >= 0 && at < this.size)) throw outside(at, 1, this.size);
    return this.bytes[at] as number;
  }

  /** Gives pages back to the kernel: from now on they read as zero. Views stay valid. */
  discard(offset: number, length: number): void {
    const from = Math.ceil(offset / PAGE_BYTES) * PAGE_BYTES;
    const bytes = Math.floor((offset + length - from) / PAGE_BYTES) * PAGE_BYTES;
    if (bytes > 0) this.#native.libc.madvise(this.pointer(from, bytes), bytes, MADV_DONTNEED);
  }

  #mapLow(): number | undefined {
    const { libc } = this.#native;
    const flags = MAP_PRIVATE_ANONYMOUS_NORESERVE | MAP_FIXED_NOREPLACE;
    for (let wanted = LOW_ADDRESS_FROM; wanted + this.size <= LOW_ADDRESS_TO; wanted += this.size) {
      const address = libc.mmap(wanted, this.size, PROT_READ_WRITE, flags, -1, 0);
      if (address === wanted) return address;
    }
    return undefined;
  }

  #map(): number {
    const { libc } = this.#native;
    const address = libc.mmap(0, this.size, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS_NORESERVE, -1, 0);
    if (!(address > 0 && address + this.size < ADDRESS_MAX)) {
      throw new EngineUnavailableError(`mmap of ${this.size} bytes fails with errno ${libc.errno()}`);
    }
    return address;
  }
}

function outside(offset: number, length: number, size: number): RangeError {
  return new RangeError(`${length} bytes at ${offset} are not inside a memory of ${size} bytes`);
}
