/** The ciphers of `MediaCrypto` in terms of OpenSSL's innermost functions. */
import { at, i32, setU32 } from '../../wire/bytes.ts';
import {
  AEAD_HEADROOM_BYTES,
  type AeadCipher,
  CIPHER_ROOM_BYTES,
  type CounterModeCipher,
  HMAC_ROOM_BYTES,
  type PacketHmac,
} from '../../wire/media-crypto.ts';
import {
  AES_BLOCK_BYTES,
  type OpenSslFunctions,
  SHA1_BLOCK_BYTES,
  SHA1_STATE_WORDS,
} from './openssl-functions.ts';
import type { KeySlot, KeyStore } from './openssl-key-store.ts';
import { FRONT_BYTES_MAX, type Scratch, type Slab } from './openssl-places.ts';

const SHA1_INITIAL: readonly number[] = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0];

/** What all ciphers of a slab share. */
export interface OpenSslParts {
  readonly functions: OpenSslFunctions;
  readonly keys: KeyStore;
  readonly scratch: Scratch;
  readonly slab: Slab;
}

export class OpenSslCounterMode implements CounterModeCipher {
  readonly #functions: OpenSslFunctions;
  readonly #scratch: Scratch;
  readonly #slab: Slab;
  readonly #keys: KeyStore;
  #schedule: KeySlot | undefined;
  #schedulePointer: number;

  constructor(parts: OpenSslParts, key: Uint8Array) {
    const schedule = expandKey(parts, key);
    this.#functions = parts.functions;
    this.#scratch = parts.scratch;
    this.#slab = parts.slab;
    this.#keys = parts.keys;
    this.#schedule = schedule;
    this.#schedulePointer = schedule.pointer;
  }

  transform(offset: number, length: number): void {
    if (this.#schedulePointer === 0) throw freed();
    const blocks = (length + AES_BLOCK_BYTES - 1) >> 4;
    const start = this.#slab.place(offset, length, 0, CIPHER_ROOM_BYTES);
    const pointer = this.#slab.memory.pointer(start, blocks * AES_BLOCK_BYTES);
    this.#functions.encryptCounter(pointer, pointer, blocks, this.#schedulePointer, this.#scratch.ivPointer);
  }

  free(): void {
    if (this.#schedule !== undefined) this.#keys.release(this.#schedule);
    this.#schedule = undefined;
    this.#schedulePointer = 0;
  }
}

/**
 * GCM (NIST SP 800-38D §7). The block of zeros in front of the text makes counter mode yield the mask of the
 * tag in the same call; the additional data, moved there and padded, let GHASH take all in one.
 */
export class OpenSslAead implements AeadCipher {
  readonly #functions: OpenSslFunctions;
  readonly #scratch: Scratch;
  readonly #slab: Slab;
  readonly #keys: KeyStore;
  #slots: readonly KeySlot[];
  #schedulePointer: number;
  readonly #tablePointer: number;
  /** Encrypted counter block that the tag is XORed with. */
  #mask0 = 0;
  #mask1 = 0;
  #mask2 = 0;
  #mask3 = 0;

  constructor(parts: OpenSslParts, key: Uint8Array) {
    const schedule = expandKey(parts, key);
    const table = makeHashTable(parts, schedule);
    this.#functions = parts.functions;
    this.#scratch = parts.scratch;
    this.#slab = parts.slab;
    this.#keys = parts.keys;
    this.#slots = [schedule, table];
    this.#schedulePointer = schedule.pointer;
    this.#tablePointer = table.pointer;
  }

  seal(offset: number, length: number, aadLength: number, hasAadWord: boolean, aadWord: number): void {
    const { bytes } = this.#slab;
    const text = this.#slab.place(offset, length, aadLength + AEAD_HEADROOM_BYTES, CIPHER_ROOM_BYTES);
    const frontLength = roundUp(aadLength + (hasAadWord ? 4 : 0));
    this.#saveFront(text, frontLength);
    this.#encrypt(text, length);
    this.#hash(text, length, frontLength, aadLength, hasAadWord, aadWord);
    this.#restoreFront(text, frontLength);
    const { ghash } = this.#scratch;
    const tag = text + length;
    setU32(bytes, tag, i32(ghash, 0) ^ this.#mask0);
    setU32(bytes, tag + 4, i32(ghash, 4) ^ this.#mask1);
    setU32(bytes, tag + 8, i32(ghash, 8) ^ this.#mask2);
    setU32(bytes, tag + 12, i32(ghash, 12) ^ this.#mask3);
  }

  open(offset: number, length: number, aadLength: number, hasAadWord: boolean, aadWord: number): boolean {
    const { bytes } = this.#slab;
    const text = this.#slab.place(offset, length, aadLength + AEAD_HEADROOM_BYTES, CIPHER_ROOM_BYTES);
    const frontLength = roundUp(aadLength + (hasAadWord ? 4 : 0));
    const tag = text + length;
    const tag0 = i32(bytes, tag);
    const tag1 = i32(bytes, tag + 4);
    const tag2 = i32(bytes, tag + 8);
    const tag3 = i32(bytes, tag + 12);
    this.#saveFront(text, frontLength);
    this.#hash(text, length, frontLength, aadLength, hasAadWord, aadWord);
    this.#encrypt(text, length);
    const { ghash } = this.#scratch;
    const difference =
      (i32(ghash, 0) ^ this.#mask0 ^ tag0) |
      (i32(ghash, 4) ^ this.#mask1 ^ tag1) |
      (i32(ghash, 8) ^ this.#mask2 ^ tag2) |
      (i32(ghash, 12) ^ this.#mask3 ^ tag3);
    if (difference !== 0) {
      this.#encrypt(text, length); // a second time: the ciphertext again
      setU32(bytes, tag, tag0);
      setU32(bytes, tag + 4, tag1);
      setU32(bytes, tag + 8, tag2);
      setU32(bytes, tag + 12, tag3);
    }
    this.#restoreFront(text, frontLength);
    return difference === 0;
  }

  free(): void {
    for (const slot of this.#slots) this.#keys.release(slot);
    this.#slots = [];
    this.#schedulePointer = 0;
  }

  #saveFront(text: number, length: number): void {
    if (!(length >= AES_BLOCK_BYTES && length <= FRONT_BYTES_MAX)) {
      throw new RangeError(`additional data have 8 bytes to 64 KiB: padded they would have ${length}`);
    }
    this.#slab.bytes.copyWithin(this.#scratch.front, text - length, text);
  }

  #restoreFront(text: number, length: number): void {
    this.#slab.bytes.copyWithin(text - length, this.#scratch.front, this.#scratch.front + length);
  }

  /** Counter mode over the text, with the mask from the block before it. */
  #encrypt(text: number, length: number): void {
    if (this.#schedulePointer === 0) throw freed();
    const { bytes, memory } = this.#slab;
    const { iv, ivPointer } = this.#scratch;
    const mask = text - AES_BLOCK_BYTES;
    setU32(bytes, mask, 0);
    setU32(bytes, mask + 4, 0);
    setU32(bytes, mask + 8, 0);
    setU32(bytes, mask + 12, 0);
    setU32(iv, 12, 1);
    const withMask = roundUp(AES_BLOCK_BYTES + length);
    const pointer = memory.pointer(mask, withMask);
    this.#functions.encryptCounter(pointer, pointer, withMask >> 4, this.#schedulePointer, ivPointer);
    this.#mask0 = i32(bytes, mask);
    this.#mask1 = i32(bytes, mask + 4);
    this.#mask2 = i32(bytes, mask + 8);
    this.#mask3 = i32(bytes, mask + 12);
  }

  /** GHASH of additional data, ciphertext and their lengths, each padded. Overwrites what is behind the text. */
  #hash(
    text: number,
    length: number,
    frontLength: number,
    aadLength: number,
    hasAadWord: boolean,
    aadWord: number,
  ): void {
    const { bytes, memory } = this.#slab;
    const scratch = this.#scratch;
    const front = text - frontLength;
    const savedAad = scratch.front + frontLength - aadLength;
    bytes.copyWithin(front, savedAad, savedAad + aadLength);
    let end = front + aadLength;
    if (hasAadWord) {
      setU32(bytes, end, aadWord);
      end += 4;
    }
    const aadBits = (end - front) * 8;
    for (; end < text; end++) bytes[end] = 0;
    const lengths = text + roundUp(length);
    for (let pad = text + length; pad < lengths; pad++) bytes[pad] = 0;
    setU32(bytes, lengths, 0);
    setU32(bytes, lengths + 4, aadBits);
    setU32(bytes, lengths + 8, 0);
    setU32(bytes, lengths + 12, length * 8);
    const hashed = lengths + AES_BLOCK_BYTES - front;
    scratch.wipeGhash();
    this.#functions.ghash(scratch.ghashPointer, this.#tablePointer, memory.pointer(front, hashed), hashed);
  }
}

/** HMAC-SHA1 (RFC 2104) from the states of SHA-1 behind the key's two blocks. */
export class OpenSslHmac implements PacketHmac {
  readonly #functions: OpenSslFunctions;
  readonly #scratch: Scratch;
  readonly #slab: Slab;
  readonly #inner: Int32Array;
  readonly #outer: Int32Array;

  constructor(parts: OpenSslParts, key: Uint8Array) {
    if (key.length > SHA1_BLOCK_BYTES)
      throw new RangeError(`an HMAC key has at most 64 bytes: ${key.length}`);
    this.#functions = parts.functions;
    this.#scratch = parts.scratch;
    this.#slab = parts.slab;
    this.#inner = this.#stateBehind(key, 0x36);
    this.#outer = this.#stateBehind(key, 0x5c);
  }

  sign(offset: number, length: number, hasTrailer: boolean, trailer: number): void {
    const { bytes, memory } = this.#slab;
    const { sha1, sha1Pointer, outer, outerPointer } = this.#scratch;
    const start = this.#slab.place(offset, length, 0, HMAC_ROOM_BYTES);
    let end = start + length;
    if (hasTrailer) {
      setU32(bytes, end, trailer);
      end += 4;
    }
    // FIPS 180-4 §5.1.1: a one, zeros, and the length in bits, which the key's block counts in.
    const bits = (SHA1_BLOCK_BYTES + end - start) * 8;
    bytes[end++] = 0x80;
    const padded = start + ((end - start + 8 + SHA1_BLOCK_BYTES - 1) & -SHA1_BLOCK_BYTES);
    for (; end < padded - 4; end++) bytes[end] = 0;
    setU32(bytes, padded - 4, bits);
    copyState(sha1, this.#inner);
    const message = memory.pointer(start, padded - start);
    this.#functions.sha1Blocks(sha1Pointer, message, (padded - start) / SHA1_BLOCK_BYTES);
    for (let word = 0; word < SHA1_STATE_WORDS; word++) setU32(outer, 4 * word, at(sha1, word));
    copyState(sha1, this.#outer);
    this.#functions.sha1Blocks(sha1Pointer, outerPointer, 1);
  }

  free(): void {
    this.#inner.fill(0);
    this.#outer.fill(0);
  }

  /** State of SHA-1 behind the block of the key, padded and XORed with `pad`. */
  #stateBehind(key: Uint8Array, pad: number): Int32Array {
    const { key: block, keyPointer, sha1, sha1Pointer } = this.#scratch;
    block.fill(0);
    block.set(key);
    for (let i = 0; i < SHA1_BLOCK_BYTES; i++) block[i] = (block[i] as number) ^ pad;
    sha1.set(SHA1_INITIAL);
    this.#functions.sha1Blocks(sha1Pointer, keyPointer, 1);
    block.fill(0);
    return Int32Array.from(sha1);
  }
}

function copyState(to: Int32Array, from: Int32Array): void {
  for (let word = 0; word < SHA1_STATE_WORDS; word++) to[word] = at(from, word);
}

function roundUp(length: number): number {
  return (length + AES_BLOCK_BYTES - 1) & -AES_BLOCK_BYTES;
}

/**
 * @throws RangeError if AES has no keys of that length
 */
function expandKey({ functions, scratch, keys }: OpenSslParts, key: Uint8Array): KeySlot {
  if (key.length !== 16 && key.length !== 24 && key.length !== 32) {
    throw new RangeError(`an AES key has 16, 24 or 32 bytes: got ${key.length}`);
  }
  const slot = keys.take();
  scratch.key.set(key);
  functions.setEncryptKey(scratch.keyPointer, key.length * 8, slot.pointer);
  scratch.key.fill(0);
  return slot;
}

/** The hash key is a block of zeros encrypted; as words of the machine, which have the lowest byte first. */
function makeHashTable({ functions, scratch, keys }: OpenSslParts, schedule: KeySlot): KeySlot {
  const { iv, ivPointer, ghash, ghashPointer, hashKey, hashKeyPointer } = scratch;
  const table = keys.take();
  iv.fill(0);
  scratch.wipeGhash();
  functions.encryptCounter(ghashPointer, ghashPointer, 1, schedule.pointer, ivPointer);
  for (let i = 0; i < AES_BLOCK_BYTES; i++) hashKey[i] = ghash[(i & 8) + 7 - (i & 7)] as number;
  functions.initGhash(table.pointer, hashKeyPointer);
  hashKey.fill(0);
  scratch.wipeGhash();
  return table;
}

function freed(): Error {
  return new Error('a cipher was used after it was freed');
}
