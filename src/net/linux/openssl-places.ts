/** Where OpenSSL finds what it works on: packets in the slab, all else in a few bytes of scratch. */
import { setU32 } from '../../wire/bytes.ts';
import { AEAD_HEADROOM_BYTES } from '../../wire/media-crypto.ts';
import type { Memory } from './memory.ts';
import { AES_BLOCK_BYTES, SHA1_BLOCK_BYTES, SHA1_STATE_WORDS } from './openssl-functions.ts';

/** The most additional data: a whole datagram, and what GCM puts with it. */
export const FRONT_BYTES_MAX: number = 65_536 + AEAD_HEADROOM_BYTES;
export const SCRATCH_BYTES: number = FRONT_BYTES_MAX + 1024;

/** The packets. Offsets from here on count from the start of the memory. */
export class Slab {
  readonly bytes: Uint8Array;
  readonly memory: Memory;
  readonly #offset: number;
  readonly #size: number;

  constructor(memory: Memory, offset: number, size: number) {
    memory.pointer(offset, size);
    this.bytes = memory.bytes;
    this.memory = memory;
    this.#offset = offset;
    this.#size = size;
  }

  /**
   * Where the text at `offset` lies in the memory.
   * @throws RangeError if it and the room around it do not lie in the slab
   */
  place(offset: number, length: number, before: number, behind: number): number {
    if (!(offset >= before && length >= 0 && offset + length + behind <= this.#size)) {
      throw new RangeError(
        `${length} bytes at ${offset}, ${before} before and ${behind} behind are not in a slab of ${this.#size}`,
      );
    }
    return this.#offset + offset;
  }
}

/** Arguments and results of OpenSSL that are of no packet; one operation at a time uses them. */
export class Scratch {
  readonly iv: Uint8Array;
  readonly ivPointer: number;
  /** State of SHA-1. */
  readonly sha1: Int32Array;
  readonly sha1Pointer: number;
  /** The second message of HMAC, ready but for the first digest. */
  readonly outer: Uint8Array;
  readonly outerPointer: number;
  /** State of GHASH. */
  readonly ghash: Uint8Array;
  readonly ghashPointer: number;
  /** A key while it is expanded. */
  readonly key: Uint8Array;
  readonly keyPointer: number;
  readonly hashKey: Uint8Array;
  readonly hashKeyPointer: number;
  /** Offset of room for what is in front of a text while GCM uses its place. */
  readonly front: number;
  readonly #ghashWords: Int32Array;

  constructor(memory: Memory) {
    const bytes = (length: number): Uint8Array => new Uint8Array(memory.buffer, memory.carve(length), length);
    const pointer = (view: Uint8Array | Int32Array): number =>
      memory.pointer(view.byteOffset, view.byteLength);
    this.iv = bytes(AES_BLOCK_BYTES);
    this.ivPointer = pointer(this.iv);
    this.sha1 = new Int32Array(memory.buffer, memory.carve(4 * SHA1_STATE_WORDS), SHA1_STATE_WORDS);
    this.sha1Pointer = pointer(this.sha1);
    this.outer = bytes(SHA1_BLOCK_BYTES);
    this.outerPointer = pointer(this.outer);
    this.ghash = bytes(AES_BLOCK_BYTES);
    this.ghashPointer = pointer(this.ghash);
    this.#ghashWords = new Int32Array(memory.buffer, this.ghash.byteOffset, 4);
    this.key = bytes(SHA1_BLOCK_BYTES);
    this.keyPointer = pointer(this.key);
    this.hashKey = bytes(AES_BLOCK_BYTES);
    this.hashKeyPointer = pointer(this.hashKey);
    this.front = memory.carve(FRONT_BYTES_MAX);
    const digestBytes = 4 * SHA1_STATE_WORDS;
    this.outer[digestBytes] = 0x80;
    setU32(this.outer, SHA1_BLOCK_BYTES - 4, (SHA1_BLOCK_BYTES + digestBytes) * 8);
  }

  wipeGhash(): void {
    const words = this.#ghashWords;
    words[0] = 0;
    words[1] = 0;
    words[2] = 0;
    words[3] = 0;
  }
}
