import { describe, expect, it } from 'vitest';
import { deriveSessionKeys } from '../../../../src/b2bua/srtp/key-derivation.ts';
import { SRTP_SUITES, suiteNamed } from '../../../../src/b2bua/srtp/suites.ts';
import { aesKeystream } from '../../../../src/node/node-media-crypto.ts';
import { suite } from '../../../kit/srtp-rig.ts';

describe('suites', () => {
  it('are found by the names that SDP has for them, in upper case', () => {
    for (const one of SRTP_SUITES) expect(suiteNamed(one.name)).toBe(one);
    expect(suiteNamed('aes_cm_128_hmac_sha1_80')).toBeUndefined();
    expect(suiteNamed('F8_128_HMAC_SHA1_80')).toBeUndefined();
    expect(suiteNamed('constructor')).toBeUndefined();
  });

  it('shorten the tag of SRTP alone, never that of SRTCP (RFC 4568 §6.2.2)', () => {
    expect(suite('AES_CM_128_HMAC_SHA1_32')).toMatchObject({ rtpTagBytes: 4, rtcpTagBytes: 10 });
    expect(suite('AES_256_CM_HMAC_SHA1_32')).toMatchObject({ rtpTagBytes: 4, rtcpTagBytes: 10 });
    expect(suite('AES_CM_128_HMAC_SHA1_80')).toMatchObject({ rtpTagBytes: 10, rtcpTagBytes: 10 });
    expect(suite('AEAD_AES_256_GCM')).toMatchObject({ rtpTagBytes: 16, rtcpTagBytes: 16 });
  });

  it('cannot be changed', () => {
    expect(() => Object.assign(suite('AEAD_AES_128_GCM'), { rtpTagBytes: 0 })).toThrow(TypeError);
  });
});

describe('session keys', () => {
  it.each(SRTP_SUITES)('of $name have its lengths, and are all different', (one) => {
    const masterKey = new Uint8Array(one.keyBytes).fill(7);
    const masterSalt = new Uint8Array(one.saltBytes).fill(9);
    const { rtp, rtcp } = deriveSessionKeys(aesKeystream, one, masterKey, masterSalt);
    const keys = [rtp, rtcp].flatMap((part) => [part.cipherKey, part.salt, part.authenticationKey]);
    for (const part of [rtp, rtcp]) {
      expect(part.cipherKey.length).toBe(one.keyBytes);
      expect(part.salt.length).toBe(one.saltBytes);
      expect(part.authenticationKey.length).toBe(one.cipher === 'cm' ? 20 : 0);
    }
    const used = keys.filter((key) => key.length > 0).map((key) => Buffer.from(key).toString('hex', 0, 12));
    expect(new Set(used).size).toBe(used.length);
  });

  it('are refused for a master key or salt of another length, with both lengths named', () => {
    const one = suite('AES_CM_128_HMAC_SHA1_80');
    const derive = (key: number, salt: number) => () =>
      deriveSessionKeys(aesKeystream, one, new Uint8Array(key), new Uint8Array(salt));
    expect(derive(16, 12)).toThrow('a key of 16 and a salt of 14 bytes: got 16 and 12');
    expect(derive(32, 14)).toThrow(RangeError);
  });
});
