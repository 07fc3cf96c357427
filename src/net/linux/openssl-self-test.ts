/** Known answers that ciphers must give before packets are trusted to them. */
import { setU32 } from '../../wire/bytes.ts';
import type { MediaCrypto } from '../../wire/media-crypto.ts';
import { EngineUnavailableError } from '../engine.ts';

/** Of the slab that the test works in. */
export const SELF_TEST_BYTES = 512;
/** Where the text stands in it. */
const TEXT = 128;

/** NIST SP 800-38A F.5.1, and F.5.5 with the same text and counter. */
const COUNTER_MODE = {
  counter: 'f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff',
  plain:
    '6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51' +
    '30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710',
  keys: [
    {
      key: '2b7e151628aed2a6abf7158809cf4f3c',
      cipher:
        '874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff' +
        '5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee',
    },
    {
      key: '603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4',
      cipher:
        '601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5' +
        '2b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6',
    },
  ],
} as const;

/** McGrew and Viega, The Galois/Counter Mode of Operation, test case 4. */
const GCM = {
  key: 'feffe9928665731c6d6a8f9467308308',
  iv: 'cafebabefacedbaddecaf888',
  aad: 'feedfacedeadbeeffeedfacedeadbeefabaddad2',
  plain:
    'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72' +
    '1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39',
  cipher:
    '42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e' +
    '21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091',
  tag: '5bc94fbc3221a5db94fae95ae7121a47',
} as const;

/** RFC 2202 §3, test cases 2 and 3 (the text there is 50 bytes of 0xdd). */
const HMAC_SHA1 = [
  {
    key: '4a656665',
    text: '7768617420646f2079612077616e7420666f72206e6f7468696e673f',
    digest: 'effcdf6ae5eb2fa2d27416d5f184df9c259a7c79',
  },
  {
    key: 'aa'.repeat(20),
    text: 'dd'.repeat(50),
    digest: '125d7342b9ac11cd91a39af48aa17b4f63f175d3',
  },
] as const;

/**
 * Tries all ciphers over `bytes`, the slab of `crypto`, and leaves zeros there.
 * @throws EngineUnavailableError naming the first that computes wrongly
 */
export function selfTest(crypto: MediaCrypto, bytes: Uint8Array): void {
  testCounterMode(crypto, bytes);
  testGcm(crypto, bytes);
  testHmac(crypto, bytes);
  bytes.fill(0);
}

function testCounterMode(crypto: MediaCrypto, bytes: Uint8Array): void {
  for (const { key, cipher } of COUNTER_MODE.keys) {
    const aes = crypto.counterMode(fromHex(key));
    const plain = fromHex(COUNTER_MODE.plain);
    bytes.set(plain, TEXT);
    crypto.iv.set(fromHex(COUNTER_MODE.counter));
    aes.transform(TEXT, plain.length);
    const encrypted = hexAt(bytes, TEXT, plain.length);
    aes.transform(TEXT, plain.length); // with the same counter: it must have been left as it was
    const decrypted = hexAt(bytes, TEXT, plain.length);
    aes.free();
    if (encrypted !== cipher || decrypted !== COUNTER_MODE.plain) throw wrong('AES in counter mode');
  }
}

function testGcm(crypto: MediaCrypto, bytes: Uint8Array): void {
  const aes = crypto.aead(fromHex(GCM.key));
  const plain = fromHex(GCM.plain);
  const aad = fromHex(GCM.aad);
  const sealed = GCM.aad + GCM.cipher + GCM.tag;
  const sealedBytes = sealed.length / 2;
  bytes.set(aad, TEXT - aad.length);
  bytes.set(plain, TEXT);
  crypto.iv.set(fromHex(GCM.iv));
  aes.seal(TEXT, plain.length, aad.length, false, 0);
  const found = hexAt(bytes, TEXT - aad.length, sealedBytes);
  const isOpened = aes.open(TEXT, plain.length, aad.length, false, 0);
  const opened = hexAt(bytes, TEXT - aad.length, aad.length + plain.length);
  bytes.set(fromHex(sealed), TEXT - aad.length);
  bytes[TEXT - 1] = 0;
  const isForgeryOpened = aes.open(TEXT, plain.length, aad.length, false, 0);
  aes.free();
  if (found !== sealed || !isOpened || opened !== GCM.aad + GCM.plain || isForgeryOpened) {
    throw wrong('AES-GCM');
  }
}

function testHmac(crypto: MediaCrypto, bytes: Uint8Array): void {
  const digest = new Uint8Array(20);
  for (const vector of HMAC_SHA1) {
    const hmac = crypto.hmacSha1(fromHex(vector.key));
    const text = fromHex(vector.text);
    bytes.set(text, TEXT);
    hmac.sign(TEXT, text.length, false, 0);
    hmac.free();
    crypto.digest.forEach((word, i) => {
      setU32(digest, 4 * i, word);
    });
    if (hexAt(digest, 0, digest.length) !== vector.digest) throw wrong('HMAC-SHA1');
  }
}

function wrong(what: string): EngineUnavailableError {
  return new EngineUnavailableError(`OpenSSL through FFI computes ${what} wrongly`);
}

function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, 'hex'));
}

function hexAt(bytes: Uint8Array, offset: number, length: number): string {
  return Buffer.from(bytes.subarray(offset, offset + length)).toString('hex');
}
