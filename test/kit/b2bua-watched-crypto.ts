/** A {@link MediaCrypto} that finds out what no B2BUA may do: use a key and IV twice, leave a cipher behind, or use one after its end. */
import { createNodeMediaCrypto } from '../../src/node/node-media-crypto.ts';
import type { AeadCipher, CounterModeCipher, MediaCrypto, PacketHmac } from '../../src/wire/media-crypto.ts';

const GCM_IV_BYTES = 12;

export class WatchedCrypto implements MediaCrypto {
  readonly kind = 'node';
  readonly iv: Uint8Array;
  readonly digest: Int32Array;
  /** Ciphers and HMACs that were made and not freed. */
  live = 0;
  readonly faults: string[] = [];
  readonly #inner: MediaCrypto;
  readonly #used = new Set<string>();

  constructor(bytes: Uint8Array) {
    this.#inner = createNodeMediaCrypto(bytes);
    this.iv = this.#inner.iv;
    this.digest = this.#inner.digest;
  }

  /** Each keystream is used once: to encrypt one packet, or to decrypt one. Never for both. */
  counterMode(key: Uint8Array): CounterModeCipher {
    const cipher = this.#inner.counterMode(key);
    const name = nameOf(key);
    const life = this.#life();
    return {
      transform: (offset, length) => {
        life.check();
        if (length > 0) this.#use(name, 16);
        cipher.transform(offset, length);
      },
      free: () => life.end(() => cipher.free()),
    };
  }

  aead(key: Uint8Array): AeadCipher {
    const cipher = this.#inner.aead(key);
    const name = nameOf(key);
    const life = this.#life();
    return {
      seal: (...parameters) => {
        life.check();
        this.#use(name, GCM_IV_BYTES);
        cipher.seal(...parameters);
      },
      open: (...parameters) => {
        life.check();
        const isOpened = cipher.open(...parameters);
        if (isOpened) this.#use(name, GCM_IV_BYTES);
        return isOpened;
      },
      free: () => life.end(() => cipher.free()),
    };
  }

  hmacSha1(key: Uint8Array): PacketHmac {
    const hmac = this.#inner.hmacSha1(key);
    const life = this.#life();
    return {
      sign: (...parameters) => {
        life.check();
        hmac.sign(...parameters);
      },
      free: () => life.end(() => hmac.free()),
    };
  }

  #use(key: string, ivBytes: number): void {
    const name = key + nameOf(this.iv.subarray(0, ivBytes));
    if (this.#used.has(name)) this.faults.push('a key and IV were used twice');
    this.#used.add(name);
  }

  #life(): { check(): void; end(free: () => void): void } {
    let isFree = false;
    this.live++;
    return {
      check: () => {
        if (isFree) throw new Error('a cipher was used after its end');
      },
      end: (free) => {
        if (isFree) throw new Error('a cipher was freed twice');
        isFree = true;
        this.live--;
        free();
      },
    };
  }
}

function nameOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}
