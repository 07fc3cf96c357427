import process from 'node:process';
import { describe, expect, it } from 'vitest';
import { EngineUnavailableError } from '../../../src/net/engine.ts';
import { loadNative, type Native } from '../../../src/net/linux/libc.ts';
import { Memory } from '../../../src/net/linux/memory.ts';
import { createOpenSslCrypto, OPENSSL_MEMORY_BYTES } from '../../../src/net/linux/openssl.ts';
import { resolveOpenSsl } from '../../../src/net/linux/openssl-functions.ts';
import { KEY_SLOT_BYTES, KeyStore } from '../../../src/net/linux/openssl-key-store.ts';
import { SELF_TEST_BYTES, selfTest } from '../../../src/net/linux/openssl-self-test.ts';
import { createNodeMediaCrypto } from '../../../src/node/node-media-crypto.ts';
import {
  AEAD_HEADROOM_BYTES,
  AEAD_TAG_BYTES,
  CIPHER_ROOM_BYTES,
  HMAC_ROOM_BYTES,
  type MediaCrypto,
} from '../../../src/wire/media-crypto.ts';
import { Random, SEED } from '../../fuzz/seeded.ts';
import { BACK_ENDS, openSslRig, SLAB_BYTES } from '../../kit/srtp-rig.ts';

const isLinux = process.platform === 'linux' && (process.arch === 'x64' || process.arch === 'arm64');
/** Node as its project publishes it has OpenSSL inside; a distribution's may share the system's. */
const hasOwnOpenSsl = process.config.variables.node_shared_openssl === false;
const works = BACK_ENDS.some(({ name }) => name.startsWith('OpenSSL'));

const SMALL_SLAB_BYTES = 4096;
/** Where the text stands that ciphers are tried on. */
const AT = 1000;
const AAD_BYTES = 12;

/** A native whose functions are the process's, but for those replaced by name. */
function nativeWith(replaced: Readonly<Record<string, unknown>>): Native {
  const native = loadNative();
  return {
    ...native,
    resolve: (prototype) => {
      const name = Object.keys(replaced).find((one) => prototype.includes(one));
      return name === undefined ? native.resolve(prototype) : replaced[name];
    },
  };
}

function create(native: Native): MediaCrypto {
  const memory = new Memory(native, SMALL_SLAB_BYTES + OPENSSL_MEMORY_BYTES);
  return createOpenSslCrypto(native, memory, memory.carve(SMALL_SLAB_BYTES), SMALL_SLAB_BYTES);
}

describe.runIf(isLinux)('availability', () => {
  it.runIf(hasOwnOpenSsl)('is given in a Node with an OpenSSL of its own', () => {
    expect(create(loadNative()).kind).toBe('openssl');
  });

  it('is refused where a function is missing, by its name', () => {
    expect(() => loadNative().resolve('int no_such_function(int)')).toThrow('no_such_function');
    expect(() => loadNative().resolve('int no_such_function(int)')).toThrow(EngineUnavailableError);
  });

  it.runIf(works)('is refused where the processor lacks the instructions', () => {
    for (const settings of ['OPENSSL_ia32cap=0x0:0x0', 'OPENSSL_armcap=0x0', '', null]) {
      const native = nativeWith({ OPENSSL_info: () => settings });
      expect(() => resolveOpenSsl(native)).toThrow(EngineUnavailableError);
    }
  });

  it.runIf(works)('is refused where any of the functions computes something else', () => {
    const names = ['ctr32', 'gcm_ghash', 'gcm_init', 'sha1_block'];
    for (const name of names) {
      expect(() => create(nativeWith({ [name]: () => 0 })), name).toThrow(EngineUnavailableError);
    }
  });
});

describe('self-test', () => {
  it('lets pass what computes rightly, and leaves the slab empty', () => {
    const bytes = new Uint8Array(SELF_TEST_BYTES);
    expect(() => selfTest(createNodeMediaCrypto(bytes), bytes)).not.toThrow();
    expect(bytes.every((byte) => byte === 0)).toBe(true);
  });
});

describe.runIf(works)('ciphers', () => {
  it('refuse whatever would leave the slab with the room they need', () => {
    const { crypto } = openSslRig();
    const aes = crypto.counterMode(new Uint8Array(16));
    const gcm = crypto.aead(new Uint8Array(16));
    const hmac = crypto.hmacSha1(new Uint8Array(20));
    const bad = [
      -1,
      SLAB_BYTES,
      SLAB_BYTES + 1,
      2 ** 31,
      2 ** 32,
      2 ** 53,
      Number.NaN,
      Number.POSITIVE_INFINITY,
    ];
    for (const offset of bad) {
      expect(() => aes.transform(offset, 16)).toThrow(RangeError);
      expect(() => gcm.seal(offset, 16, AAD_BYTES, false, 0)).toThrow(RangeError);
      expect(() => gcm.open(offset, 16, AAD_BYTES, false, 0)).toThrow(RangeError);
      expect(() => hmac.sign(offset, 16, true, 0)).toThrow(RangeError);
    }
    for (const length of bad) {
      expect(() => aes.transform(AT, length)).toThrow(RangeError);
      expect(() => gcm.seal(AT, length, AAD_BYTES, false, 0)).toThrow(RangeError);
      expect(() => gcm.open(AT, 16, length, false, 0)).toThrow(RangeError);
      expect(() => hmac.sign(AT, length, true, 0)).toThrow(RangeError);
    }
    expect(() => aes.transform(SLAB_BYTES - CIPHER_ROOM_BYTES - 15, 16)).toThrow(RangeError);
    expect(() => aes.transform(SLAB_BYTES - CIPHER_ROOM_BYTES - 16, 16)).not.toThrow();
    expect(() => hmac.sign(SLAB_BYTES - HMAC_ROOM_BYTES - 15, 16, true, 0)).toThrow(RangeError);
    expect(() => hmac.sign(SLAB_BYTES - HMAC_ROOM_BYTES - 16, 16, true, 0)).not.toThrow();
    expect(() => gcm.seal(AEAD_HEADROOM_BYTES + 7, 16, 8, true, 0)).toThrow(RangeError);
    expect(() => gcm.seal(AEAD_HEADROOM_BYTES + 8, 16, 8, true, 0)).not.toThrow();
    expect(() => gcm.seal(200_000, 0, 100_000, true, 0)).toThrow(RangeError); // more than a datagram
    expect(() => gcm.seal(200_000, 0, 65_535, true, 0)).not.toThrow();
  });

  it('touch nothing in front, and nothing behind but their room', () => {
    const random = new Random(SEED);
    const { crypto, bytes } = openSslRig();
    const aes = crypto.counterMode(random.bytes(16));
    const gcm = crypto.aead(random.bytes(16));
    const hmac = crypto.hmacSha1(random.bytes(20));
    for (let length = 0; length < 130; length++) {
      const aad = 8 + (length % 70);
      const acts: readonly (readonly [number, () => unknown])[] = [
        [CIPHER_ROOM_BYTES, () => aes.transform(AT, length)],
        [CIPHER_ROOM_BYTES, () => gcm.seal(AT, length, aad, length % 2 === 0, length)],
        [CIPHER_ROOM_BYTES, () => gcm.open(AT, length, aad, length % 2 === 0, length)],
        [HMAC_ROOM_BYTES, () => hmac.sign(AT, length, length % 2 === 0, length)],
      ];
      for (const [room, act] of acts) {
        random.fill(bytes.subarray(0, 2 * AT));
        const before = Buffer.from(bytes.subarray(0, 2 * AT));
        act();
        const after = Buffer.from(bytes.subarray(0, 2 * AT));
        expect(after.subarray(0, AT)).toEqual(before.subarray(0, AT));
        const behind = AT + length + room;
        expect(after.subarray(behind)).toEqual(before.subarray(behind));
      }
    }
  });

  it('leave ciphertext and tag as they were when the tag is wrong', () => {
    const random = new Random(SEED);
    const { crypto, bytes } = openSslRig();
    const gcm = crypto.aead(random.bytes(32));
    for (let length = 0; length < 70; length++) {
      random.fill(bytes.subarray(0, 2 * AT));
      const before = Buffer.from(bytes.subarray(0, AT + length + AEAD_TAG_BYTES));
      expect(gcm.open(AT, length, AAD_BYTES, false, 0)).toBe(false);
      expect(Buffer.from(bytes.subarray(0, AT + length + AEAD_TAG_BYTES))).toEqual(before);
    }
  });

  it('are not to be used after they were freed, and may be freed twice', () => {
    const { crypto } = openSslRig();
    const aes = crypto.counterMode(new Uint8Array(16));
    const gcm = crypto.aead(new Uint8Array(16));
    for (const cipher of [aes, gcm, aes, gcm]) cipher.free();
    expect(() => aes.transform(AT, 16)).toThrow('freed');
    expect(() => gcm.seal(AT, 16, AAD_BYTES, false, 0)).toThrow('freed');
    expect(() => gcm.open(AT, 16, AAD_BYTES, false, 0)).toThrow('freed');
    expect(() => crypto.counterMode(new Uint8Array(15))).toThrow('16, 24 or 32');
    expect(() => crypto.hmacSha1(new Uint8Array(65))).toThrow(RangeError);
  });
});

describe.runIf(works)('key store', () => {
  it('hands out slots that do not overlap, wipes those it gets back and uses them again', () => {
    const store = new KeyStore(loadNative());
    const slots = Array.from({ length: 5000 }, () => store.take());
    const pointers = slots.map(({ pointer }) => pointer).sort((a, b) => a - b);
    pointers.slice(1).forEach((pointer, i) => {
      expect(pointer - (pointers[i] as number)).toBeGreaterThanOrEqual(KEY_SLOT_BYTES);
    });
    for (const { memory, offset } of slots) memory.bytes.fill(0xee, offset, offset + KEY_SLOT_BYTES);
    for (const slot of slots) store.release(slot);
    const again = Array.from({ length: 5000 }, () => store.take());
    expect(new Set(again)).toEqual(new Set(slots));
    for (const { memory, offset } of again) {
      expect(memory.bytes.subarray(offset, offset + KEY_SLOT_BYTES).every((byte) => byte === 0)).toBe(true);
    }
  });
});
