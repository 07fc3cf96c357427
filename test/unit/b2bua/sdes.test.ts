import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatCrypto, parseCrypto, SDES_KEYS_MAX, type SdesCrypto } from '../../../src/b2bua/sdes.ts';
import { SRTP_SUITES } from '../../../src/b2bua/srtp/suites.ts';
import { holds } from '../../fuzz/seeded.ts';

const SUITE = 'AES_CM_128_HMAC_SHA1_80';
/** The key and salt of the example of RFC 4568 §4.1. */
const KEY = 'WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz';

function crypto(value: string): SdesCrypto {
  const parsed = parseCrypto(value);
  if (typeof parsed === 'string') throw new Error(`${parsed}: ${value}`);
  return parsed;
}

function withKeys(...keys: readonly string[]): string {
  return `1 ${SUITE} ${keys.map((key) => `inline:${key}`).join(';')}`;
}

describe('a=crypto', () => {
  it('is read as in the example of RFC 4568 §4.1', () => {
    const { tag, suite, keys, parameters } = crypto(`1 ${SUITE} inline:${KEY}|2^20|1:4 WSH=128`);
    expect(tag).toBe(1);
    expect(suite.name).toBe(SUITE);
    expect(parameters).toEqual(['WSH=128']);
    const bytes = Buffer.from(KEY, 'base64');
    expect(keys).toEqual([
      {
        masterKey: Uint8Array.from(bytes.subarray(0, 16)),
        masterSalt: Uint8Array.from(bytes.subarray(16)),
        lifetimePackets: 2 ** 20,
        mki: Uint8Array.of(0, 0, 0, 1),
      },
    ]);
  });

  it('of any suite and key comes back as it was written, padded or not', () => {
    const written = fc.constantFrom(...SRTP_SUITES).chain((suite) =>
      fc.record({
        suite: fc.constant(suite),
        tag: fc.nat(999_999_999),
        masterKey: fc.uint8Array({ minLength: suite.keyBytes, maxLength: suite.keyBytes }),
        masterSalt: fc.uint8Array({ minLength: suite.saltBytes, maxLength: suite.saltBytes }),
        pad: fc.boolean(),
      }),
    );
    holds(
      fc.property(written, ({ suite, tag, masterKey, masterSalt, pad }) => {
        const text = formatCrypto(tag, suite.name, masterKey, masterSalt, pad);
        const base64 = Buffer.concat([masterKey, masterSalt]).toString('base64');
        expect(text).toBe(`${tag} ${suite.name} inline:${pad ? base64 : base64.replaceAll('=', '')}`);
        const key = { masterKey, masterSalt, lifetimePackets: undefined, mki: undefined };
        expect(parseCrypto(text)).toEqual({ tag, suite, keys: [key], parameters: [] });
      }),
      1000,
    );
  });

  it('is padded where the suite’s key and salt do not fill the last group', () => {
    const padded = SRTP_SUITES.map(({ name, keyBytes, saltBytes }) =>
      formatCrypto(1, name, new Uint8Array(keyBytes), new Uint8Array(saltBytes), true),
    );
    expect(padded.filter((text) => text.endsWith('=')).map((text) => text.split(' ')[1])).toEqual([
      'AES_192_CM_HMAC_SHA1_80',
      'AES_192_CM_HMAC_SHA1_32',
      'AES_256_CM_HMAC_SHA1_80',
      'AES_256_CM_HMAC_SHA1_32',
      'AEAD_AES_128_GCM',
      'AEAD_AES_256_GCM',
    ]);
  });

  it('may have odd spacing, and bits set in the padding of its base64', () => {
    expect(crypto(` 1  ${SUITE}\t inline:${KEY}  WSH=64 `)).toEqual(
      crypto(`1 ${SUITE} inline:${KEY} WSH=64`),
    );
    const gcm = `1 AEAD_AES_256_GCM inline:${'A'.repeat(58)}`; // with one more digit: 44 bytes, and 2 bits that pad
    expect(crypto(`${gcm}A==`)).toEqual(crypto(`${gcm}D`));
  });

  it('has a tag of up to nine digits without leading zeros', () => {
    for (const tag of ['', 'x', '-1', '01', '1000000000', '1.5']) {
      expect(parseCrypto(`${tag} ${SUITE} inline:${KEY}`), tag).toBeTypeOf('string');
    }
    expect(crypto(`0 ${SUITE} inline:${KEY}`).tag).toBe(0);
    expect(crypto(`999999999 ${SUITE} inline:${KEY}`).tag).toBe(999_999_999);
  });

  it('is refused if something is missing or broken', () => {
    for (const value of [
      '',
      '1',
      `1 ${SUITE}`,
      `1 ${SUITE} ${KEY}`,
      `1 ${SUITE} inline:`,
      withKeys(`${KEY}===`),
      withKeys(`${KEY.slice(1)}=`.replace('=', '=A')),
      withKeys(KEY.replace('W', '-')),
      withKeys(KEY.replace('W', '\u0157')),
      withKeys(`${KEY}A`), // one digit over a group is no byte
      withKeys(`${KEY}|2^20|1:4|1:4`),
      withKeys(`${KEY}|1:4|2^20`),
      `${withKeys(KEY)};`,
    ]) {
      expect(parseCrypto(value), value).toBe('malformed');
    }
  });

  it('is refused for a suite or key method that nobody knows', () => {
    for (const suite of ['F8_128_HMAC_SHA1_80', 'NULL', 'constructor', SUITE.toLowerCase()]) {
      expect(parseCrypto(`1 ${suite} inline:${KEY}`), suite).toBe('unknown suite');
    }
    expect(parseCrypto(`1 ${SUITE} url:${KEY}`)).toBe('unknown key method');
    expect(parseCrypto(`1 ${SUITE} inline:${KEY};url:${KEY}`)).toBe('unknown key method');
  });

  it('is refused for a key of another suite’s length', () => {
    for (const suite of SRTP_SUITES) {
      for (const length of [1, 16, 28, 30, 38, 44, 46, 60]) {
        const text = `1 ${suite.name} inline:${Buffer.alloc(length, 7).toString('base64')}`;
        const isRight = length === suite.keyBytes + suite.saltBytes;
        if (isRight) expect(crypto(text).suite).toBe(suite);
        else expect(parseCrypto(text), text).toBe('key of wrong length');
      }
    }
  });
});

describe('the lifetime of a key', () => {
  it('is a power of two or a decimal number up to 2^48', () => {
    const lifetime = (text: string): number | undefined =>
      crypto(withKeys(`${KEY}|${text}`)).keys[0]?.lifetimePackets;
    expect(lifetime('2^0')).toBe(1);
    expect(lifetime('2^31')).toBe(2 ** 31);
    expect(lifetime('2^48')).toBe(2 ** 48);
    expect(lifetime('1')).toBe(1);
    expect(lifetime('281474976710656')).toBe(2 ** 48);
  });

  it('is refused otherwise', () => {
    for (const text of [
      '',
      '0',
      '01',
      '2^',
      '2^49',
      '2^048',
      '2^-1',
      '3^2',
      '281474976710657',
      '1e3',
      '-1',
      ' 1',
      '9'.repeat(400),
    ]) {
      expect(parseCrypto(withKeys(`${KEY}|${text}`)), text).toBeTypeOf('string');
    }
    expect(parseCrypto(withKeys(`${KEY}|2^49`))).toBe('invalid lifetime');
  });
});

describe('the MKI', () => {
  it('is a number in so many bytes, the highest first, with or without a lifetime before it', () => {
    expect(crypto(withKeys(`${KEY}|258:2`)).keys[0]).toMatchObject({
      mki: Uint8Array.of(1, 2),
      lifetimePackets: undefined,
    });
    expect(crypto(withKeys(`${KEY}|2^20|0:1`)).keys[0]?.mki).toEqual(Uint8Array.of(0));
    const highest = (2n ** 1024n - 1n).toString();
    expect(crypto(withKeys(`${KEY}|${highest}:128`)).keys[0]?.mki).toEqual(new Uint8Array(128).fill(255));
  });

  it('must fit its length of 1 to 128 bytes', () => {
    const tooLarge = (2n ** 1024n).toString();
    for (const mki of [
      '256:1',
      '1:0',
      '1:129',
      '1:01',
      '1:',
      ':1',
      'x:1',
      '-1:1',
      '1:1:1',
      `${tooLarge}:128`,
      `${'0'.repeat(400)}1:4`,
    ]) {
      expect(parseCrypto(withKeys(`${KEY}|${mki}`)), mki).toBe('invalid MKI');
    }
  });

  it('tells several keys apart, and so must be there, different, and of one length', () => {
    const two = crypto(withKeys(`${KEY}|2^20|1:4`, `${KEY}|2^20|2:4`));
    expect(two.keys.map(({ mki }) => mki?.[3])).toEqual([1, 2]);
    for (const keys of [
      [KEY, KEY],
      [`${KEY}|1:4`, KEY],
      [`${KEY}|1:4`, `${KEY}|1:4`],
      [`${KEY}|1:4`, `${KEY}|2:2`],
    ]) {
      expect(parseCrypto(withKeys(...keys)), keys.join(';')).toBe('invalid MKI');
    }
  });

  it('tells no more than so many', () => {
    const keys = (count: number): string =>
      withKeys(...Array.from({ length: count }, (_, i) => `${KEY}|${i}:1`));
    expect(crypto(keys(SDES_KEYS_MAX)).keys).toHaveLength(SDES_KEYS_MAX);
    expect(parseCrypto(keys(SDES_KEYS_MAX + 1))).toBe('malformed');
  });
});

describe('session parameters', () => {
  const refused = (parameter: string): unknown => parseCrypto(`${withKeys(KEY)} WSH=64 ${parameter}`);

  it('that would leave packets open are refused', () => {
    for (const parameter of ['UNENCRYPTED_SRTP', 'UNENCRYPTED_SRTCP', 'UNAUTHENTICATED_SRTP']) {
      expect(refused(parameter), parameter).toBe('unencrypted or unauthenticated');
    }
  });

  it('that change the meaning of packets, and unknown ones, are refused', () => {
    for (const parameter of [
      'KDR=1',
      'KDR=24',
      'KDR',
      'FEC_ORDER=FEC_SRTP',
      `FEC_KEY=inline:${KEY}`,
      'NEW',
      'wsh=64',
    ]) {
      expect(refused(parameter), parameter).toBe('unsupported session parameter');
    }
  });

  it('that change nothing, or say that they may be ignored, are accepted', () => {
    for (const parameter of ['WSH=1024', 'KDR=0', '-NEW=1', '-']) {
      expect(crypto(`${withKeys(KEY)} ${parameter}`).parameters).toEqual([parameter]);
    }
  });

  it('are refused if malformed', () => {
    for (const parameter of ['WSH=63', 'WSH=', 'WSH', 'WSH=x', 'WSH=99999999999']) {
      expect(refused(parameter), parameter).toBe('malformed');
    }
  });
});

describe('a refusal', () => {
  it('never repeats the key', () => {
    const values = [
      `1 X inline:${KEY}`,
      withKeys(`${KEY}AAAA`),
      withKeys(`${KEY}|x`),
      `${withKeys(KEY)} KDR=3`,
    ];
    for (const value of values) expect(JSON.stringify(parseCrypto(value))).not.toContain(KEY.slice(0, 8));
  });
});
