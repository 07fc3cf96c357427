/** The portable way of {@link MediaCrypto}: `node:crypto`, over any slab. It allocates per packet. */
import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto';
import type { Keystream } from '../b2bua/srtp/key-derivation.ts';
import { setU32 } from '../wire/bytes.ts';
import {
  AEAD_TAG_BYTES,
  type AeadCipher,
  type CounterModeCipher,
  type MediaCrypto,
  type PacketHmac,
} from '../wire/media-crypto.ts';

const IV_BYTES = 16;
const BLOCK_BYTES = 16;
const GCM_IV_BYTES = 12;
const DIGEST_WORDS = 5;

/** Ciphers over `bytes`, from whose start offsets count. */
export function createNodeMediaCrypto(bytes: Uint8Array): MediaCrypto {
  const iv = new Uint8Array(IV_BYTES);
  const digest = new Int32Array(DIGEST_WORDS);
  return {
    kind: 'node',
    iv,
    digest,
    counterMode: (key) => new NodeCounterMode(bytes, iv, key),
    aead: (key) => new NodeAead(bytes, iv.subarray(0, GCM_IV_BYTES), key),
    hmacSha1: (key) => new NodeHmac(bytes, digest, key),
  };
}

/** AES in counter mode for the key derivation of SRTP. */
export const aesKeystream: Keystream = (key) => {
  // Block by block: a cipher in counter mode would have to be made anew for every counter block.
  const cipher = createCipheriv(`aes-${key.length * 8}-ecb`, key, null);
  return (counterBlock, length) => {
    const blocks = new Uint8Array(Math.ceil(length / BLOCK_BYTES) * BLOCK_BYTES);
    const counter = Uint8Array.from(counterBlock);
    for (let offset = 0; offset < blocks.length; offset += BLOCK_BYTES) {
      blocks.set(counter, offset);
      increment(counter);
    }
    return cipher.update(blocks).subarray(0, length);
  };
};

/** The next counter block, a number of 128 bits. */
function increment(counter: Uint8Array): void {
  for (let i = BLOCK_BYTES - 1; i >= 0; i--) {
    counter[i] = (counter[i] as number) + 1;
    if (counter[i] !== 0) return;
  }
}

class NodeCounterMode implements CounterModeCipher {
  readonly #bytes: Uint8Array;
  readonly #iv: Uint8Array;
  readonly #algorithm: string;
  readonly #key: Uint8Array;

  constructor(bytes: Uint8Array, iv: Uint8Array, key: Uint8Array) {
    this.#bytes = bytes;
    this.#iv = iv;
    this.#algorithm = `aes-${key.length * 8}-ctr`;
    this.#key = Uint8Array.from(key);
  }

  transform(offset: number, length: number): void {
    const text = this.#bytes.subarray(offset, offset + length);
    text.set(createCipheriv(this.#algorithm, this.#key, this.#iv).update(text));
  }

  free(): void {
    this.#key.fill(0);
  }
}

class NodeAead implements AeadCipher {
  readonly #bytes: Uint8Array;
  readonly #iv: Uint8Array;
  readonly #algorithm: 'aes-128-gcm' | 'aes-256-gcm';
  readonly #key: Uint8Array;
  readonly #word = new Uint8Array(4);

  constructor(bytes: Uint8Array, iv: Uint8Array, key: Uint8Array) {
    this.#bytes = bytes;
    this.#iv = iv;
    this.#algorithm = key.length === 16 ? 'aes-128-gcm' : 'aes-256-gcm';
    this.#key = Uint8Array.from(key);
  }

  seal(offset: number, length: number, aadLength: number, hasAadWord: boolean, aadWord: number): void {
    const cipher = createCipheriv(this.#algorithm, this.#key, this.#iv);
    cipher.setAAD(this.#aad(offset, aadLength, hasAadWord, aadWord));
    const text = this.#bytes.subarray(offset, offset + length);
    text.set(cipher.update(text));
    cipher.final();
    this.#bytes.set(cipher.getAuthTag(), offset + length);
  }

  open(offset: number, length: number, aadLength: number, hasAadWord: boolean, aadWord: number): boolean {
    const decipher = createDecipheriv(this.#algorithm, this.#key, this.#iv);
    decipher.setAAD(this.#aad(offset, aadLength, hasAadWord, aadWord));
    const text = this.#bytes.subarray(offset, offset + length);
    const plain = decipher.update(text);
    decipher.setAuthTag(this.#bytes.subarray(offset + length, offset + length + AEAD_TAG_BYTES));
    try {
      decipher.final();
    } catch {
      return false; // how node:crypto says that the tag is wrong
    }
    text.set(plain);
    return true;
  }

  free(): void {
    this.#key.fill(0);
  }

  #aad(offset: number, length: number, hasWord: boolean, word: number): Uint8Array {
    const aad = this.#bytes.subarray(offset - length, offset);
    if (!hasWord) return aad;
    setU32(this.#word, 0, word);
    return Buffer.concat([aad, this.#word]);
  }
}

class NodeHmac implements PacketHmac {
  readonly #bytes: Uint8Array;
  readonly #digest: Int32Array;
  readonly #key: Uint8Array;
  readonly #trailer = new Uint8Array(4);

  constructor(bytes: Uint8Array, digest: Int32Array, key: Uint8Array) {
    this.#bytes = bytes;
    this.#digest = digest;
    this.#key = Uint8Array.from(key);
  }

  sign(offset: number, length: number, hasTrailer: boolean, trailer: number): void {
    const hmac = createHmac('sha1', this.#key).update(this.#bytes.subarray(offset, offset + length));
    if (hasTrailer) {
      setU32(this.#trailer, 0, trailer);
      hmac.update(this.#trailer);
    }
    const digest = hmac.digest();
    for (let word = 0; word < DIGEST_WORDS; word++) this.#digest[word] = digest.readInt32BE(4 * word);
  }

  free(): void {
    this.#key.fill(0);
  }
}
