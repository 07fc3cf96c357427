import { expect, test } from 'vitest';
import { suiteNamed } from '../../../src/b2bua/srtp/suites.ts';
import { chooseCrypto, readSdp, writeSdp } from '../../../src/bench/b2bua-sdp.ts';

const CM_80 = suiteNamed('AES_CM_128_HMAC_SHA1_80') ?? null;
const GCM_256 = suiteNamed('AEAD_AES_256_GCM') ?? null;

/** What rtpengine 10.5 offered a callee: an old key that it passed on, fresh ones, no padding. */
const OFFER = [
  'v=0',
  'o=- 1 1 IN IP4 127.0.0.1',
  's=-',
  'c=IN IP4 127.0.0.1',
  't=0 0',
  'm=audio 30034 RTP/SAVP 0',
  'a=rtpmap:0 PCMU/8000',
  'a=sendrecv',
  'a=rtcp:30035',
  'a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR',
  'a=crypto:2 AEAD_AES_256_GCM inline:vFMDLRv8yFFuJ4Qv7eML6BhVmnVChwuMKkFlNLFSjllcv3TNJ9ULWrKlXMM',
  'a=crypto:9 F8_128_HMAC_SHA1_80 inline:MeBclvmGJl9VBGd49FzpoSMvKpdxy6Q1xmASNc6/',
  '',
].join('\r\n');

const fill = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);

test('what one endpoint writes, the other reads', () => {
  if (!GCM_256) throw new Error('no such suite');
  const master = { key: fill(32, 7), salt: fill(12, 9) };
  const read = readSdp(
    writeSdp({ address: '127.0.0.1', port: 40_000, crypto: { tag: 3, suite: GCM_256, master } }),
  );
  expect([read.address, read.port, read.protocol]).toEqual(['127.0.0.1', 40_000, 'RTP/SAVP']);
  expect(chooseCrypto(read, GCM_256)).toMatchObject({
    tag: 3,
    keys: [{ masterKey: master.key, masterSalt: master.salt }],
  });
});

test('a plain endpoint has no keys, and an IPv6 address says so', () => {
  const text = writeSdp({ address: '::1', port: 40_000, crypto: null });
  expect(text).toContain('c=IN IP6 ::1\r\n');
  expect(text).toContain('m=audio 40000 RTP/AVP 0\r\n');
  expect(text).not.toContain('crypto');
  expect(chooseCrypto(readSdp(text), null)).toBeNull();
});

test('the wanted suite is found among those offered, with its tag and its unpadded key', () => {
  const chosen = chooseCrypto(readSdp(OFFER), GCM_256);
  expect([chosen?.tag, chosen?.keys[0]?.masterKey.length, chosen?.keys[0]?.masterSalt.length]).toEqual([
    2, 32, 12,
  ]);
});

test('a suite that is not there is refused, with the names of those that are and none of the keys', () => {
  const suite = suiteNamed('AES_256_CM_HMAC_SHA1_80') ?? null;
  const choose = (): unknown => chooseCrypto(readSdp(OFFER), suite);
  expect(choose).toThrow(
    'AES_256_CM_HMAC_SHA1_80 is not offered; there is AES_CM_128_HMAC_SHA1_80, AEAD_AES_256_GCM, F8_128_HMAC_SHA1_80',
  );
  expect(choose).not.toThrow('inline');
});

test('a line of the other kind is refused', () => {
  const plain = OFFER.replace('RTP/SAVP', 'RTP/AVP');
  expect(() => chooseCrypto(readSdp(OFFER), null)).toThrow('wanted plain RTP, got RTP/SAVP');
  expect(() => chooseCrypto(readSdp(plain), CM_80)).toThrow('wanted SRTP, got RTP/AVP');
});

test('SDP without an address to send to is refused', () => {
  expect(() => readSdp('')).toThrow('no media line');
  expect(() => readSdp(OFFER.replace(/c=.*\r\n/, ''))).toThrow('no media line with an address');
  expect(() => readSdp(OFFER.replace('audio 30034', 'audio 0'))).toThrow('refused (port 0)');
});
