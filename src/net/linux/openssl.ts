/**
 * `MediaCrypto` by the OpenSSL inside Node, called through FFI on packets where they lie. Of each packet only
 * numbers pass between JavaScript and OpenSSL, and nothing is allocated.
 */
import type { AeadCipher, CounterModeCipher, MediaCrypto, PacketHmac } from '../../wire/media-crypto.ts';
import type { Native } from './libc.ts';
import type { Memory } from './memory.ts';
import { OpenSslAead, OpenSslCounterMode, OpenSslHmac, type OpenSslParts } from './openssl-ciphers.ts';
import { resolveOpenSsl } from './openssl-functions.ts';
import { KeyStore } from './openssl-key-store.ts';
import { SCRATCH_BYTES, Scratch, Slab } from './openssl-places.ts';
import { SELF_TEST_BYTES, selfTest } from './openssl-self-test.ts';

/** What {@link createOpenSslCrypto} carves from the memory, keys aside: they have memory of their own. */
export const OPENSSL_MEMORY_BYTES: number = SELF_TEST_BYTES + SCRATCH_BYTES;

/**
 * Ciphers over the `slabBytes` at `slabOffset` of `memory`, from whose start offsets count.
 * @throws EngineUnavailableError where this OpenSSL or processor is not one it can use, or computes wrongly
 */
export function createOpenSslCrypto(
  native: Native,
  memory: Memory,
  slabOffset: number,
  slabBytes: number,
): MediaCrypto {
  const functions = resolveOpenSsl(native);
  const keys = new KeyStore(native);
  const scratch = new Scratch(memory);
  const testOffset = memory.carve(SELF_TEST_BYTES);
  const testSlab = new Slab(memory, testOffset, SELF_TEST_BYTES);
  const testBytes = new Uint8Array(memory.buffer, testOffset, SELF_TEST_BYTES);
  selfTest(new OpenSslCrypto({ functions, keys, scratch, slab: testSlab }), testBytes);
  const slab = new Slab(memory, slabOffset, slabBytes);
  return new OpenSslCrypto({ functions, keys, scratch, slab });
}

class OpenSslCrypto implements MediaCrypto {
  readonly kind = 'openssl';
  readonly iv: Uint8Array;
  readonly digest: Int32Array;
  readonly #parts: OpenSslParts;

  constructor(parts: OpenSslParts) {
    this.#parts = parts;
    this.iv = parts.scratch.iv;
    this.digest = parts.scratch.sha1;
  }

  counterMode(key: Uint8Array): CounterModeCipher {
    return new OpenSslCounterMode(this.#parts, key);
  }

  aead(key: Uint8Array): AeadCipher {
    return new OpenSslAead(this.#parts, key);
  }

  hmacSha1(key: Uint8Array): PacketHmac {
    return new OpenSslHmac(this.#parts, key);
  }
}
