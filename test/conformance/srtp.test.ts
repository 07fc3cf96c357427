/** SRTP as published vectors have it, with every back end. */
import { describe, expect, it } from 'vitest';
import { AeadTransform } from '../../src/b2bua/srtp/aead-transform.ts';
import { deriveSessionKeys, type SessionKeys } from '../../src/b2bua/srtp/key-derivation.ts';
import { SRTP_REPLAYED } from '../../src/b2bua/srtp/outcomes.ts';
import { aesKeystream } from '../../src/node/node-media-crypto.ts';
import {
  BACK_ENDS,
  type CryptoRig,
  good,
  PACKET_OFFSET,
  receiving,
  sending,
  suite,
} from '../kit/srtp-rig.ts';
import {
  GCM_KEY_128,
  GCM_RTCP,
  GCM_RTCP_INDEX,
  GCM_RTP,
  GCM_SALT,
  GCM_SRTCP,
  GCM_SRTCP_UNENCRYPTED,
  GCM_SRTP,
  KEY_DERIVATIONS,
  KEYSTREAM_BLOCKS,
  KEYSTREAM_COUNTER,
  KEYSTREAMS,
  LIBSRTP_PACKETS,
  LIBSRTP_PLAIN,
  LIBSRTP_RTCP_PLAIN,
  LIBSRTP_RTCP_PROTECTED,
} from './srtp-vectors.ts';

const RTP_HEADER_BYTES = 12;
const TAG_BYTES = 16;
const WORD_BYTES = 4;

function bytesOf(hex: string): Buffer {
  return Buffer.from(hex, 'hex');
}

function at(rig: CryptoRig, length: number): string {
  return Buffer.from(rig.bytes.slice(PACKET_OFFSET, PACKET_OFFSET + length)).toString('hex');
}

function gcm(rig: CryptoRig, key: string): AeadTransform {
  const keys: SessionKeys = {
    cipherKey: bytesOf(key),
    authenticationKey: new Uint8Array(0),
    salt: bytesOf(GCM_SALT),
  };
  return new AeadTransform(rig.crypto, rig.bytes, keys, keys);
}

describe('key derivation', () => {
  for (const vector of KEY_DERIVATIONS) {
    it(vector.source, () => {
      const { masterKey, masterSalt } = vector;
      const { rtp } = deriveSessionKeys(
        aesKeystream,
        suite(vector.suite),
        bytesOf(masterKey),
        bytesOf(masterSalt),
      );
      expect(Buffer.from(rtp.cipherKey).toString('hex')).toBe(vector.cipherKey);
      expect(Buffer.from(rtp.authenticationKey).toString('hex')).toBe(vector.authenticationKey);
      expect(Buffer.from(rtp.salt).toString('hex')).toBe(vector.salt);
    });
  }
});

describe.each(BACK_ENDS)('$name', ({ create }) => {
  const rig = create();

  for (const vector of KEYSTREAMS) {
    it(`counter mode: ${vector.source}`, () => {
      const length = KEYSTREAM_BLOCKS * 16;
      rig.bytes.fill(0);
      const cipher = rig.crypto.counterMode(bytesOf(vector.key));
      rig.crypto.iv.set(bytesOf(KEYSTREAM_COUNTER));
      cipher.transform(PACKET_OFFSET, length);
      cipher.free();
      const stream = at(rig, length);
      expect(stream.slice(0, vector.first.length)).toBe(vector.first);
      expect(stream.slice(-vector.last.length)).toBe(vector.last);
    });
  }

  for (const vector of GCM_SRTP) {
    it(`SRTP: ${vector.source}`, () => {
      const transform = gcm(rig, vector.key);
      const length = GCM_RTP.length / 2;
      rig.bytes.set(bytesOf(GCM_RTP), PACKET_OFFSET);
      transform.sealRtp(PACKET_OFFSET, RTP_HEADER_BYTES, length, 0);
      expect(at(rig, length + TAG_BYTES)).toBe(vector.protected);
      expect(transform.openRtp(PACKET_OFFSET, RTP_HEADER_BYTES, length, 0, 0)).toBe(true);
      expect(at(rig, length)).toBe(GCM_RTP);
    });
  }

  for (const vector of GCM_SRTCP) {
    it(`SRTCP: ${vector.source}`, () => {
      const transform = gcm(rig, vector.key);
      const length = GCM_RTCP.length / 2;
      rig.bytes.set(bytesOf(GCM_RTCP), PACKET_OFFSET);
      transform.sealRtcp(PACKET_OFFSET, length, GCM_RTCP_INDEX);
      expect(at(rig, length + TAG_BYTES + WORD_BYTES)).toBe(vector.protected);
      const word = bytesOf(vector.protected).readInt32BE(length + TAG_BYTES);
      expect(transform.openRtcp(PACKET_OFFSET, length, 0, word)).toBe(true);
      expect(at(rig, length)).toBe(GCM_RTCP);
    });
  }

  it('SRTCP that is tagged but not encrypted: RFC 7714 §17.3', () => {
    const transform = gcm(rig, GCM_KEY_128);
    const length = GCM_RTCP.length / 2;
    rig.bytes.set(bytesOf(GCM_SRTCP_UNENCRYPTED), PACKET_OFFSET);
    expect(transform.openRtcp(PACKET_OFFSET, length, 0, GCM_RTCP_INDEX)).toBe(true);
    expect(at(rig, length)).toBe(GCM_RTCP);
  });

  for (const vector of LIBSRTP_PACKETS) {
    it(`libsrtp's packet of ${vector.source}, both ways`, () => {
      const key = { masterKey: bytesOf(vector.masterKey), masterSalt: bytesOf(vector.masterSalt) };
      const sender = sending(rig, suite(vector.suite), key);
      const receiver = receiving(rig, suite(vector.suite), key);
      expect(good(sender.rtp(bytesOf(LIBSRTP_PLAIN))).toString('hex')).toBe(vector.protected);
      expect(good(receiver.rtp(bytesOf(vector.protected))).toString('hex')).toBe(LIBSRTP_PLAIN);
      expect(receiver.rtp(bytesOf(vector.protected))).toBe(SRTP_REPLAYED);
    });
  }

  it("libsrtp's SRTCP packet of srtp_validate, both ways", () => {
    const vector = LIBSRTP_PACKETS[0];
    const key = { masterKey: bytesOf(vector.masterKey), masterSalt: bytesOf(vector.masterSalt) };
    const sender = sending(rig, suite(vector.suite), key);
    good(sender.rtcp(bytesOf(LIBSRTP_RTCP_PLAIN))); // libsrtp begins with index 1, RFC 3711 §3.4 with 0
    expect(good(sender.rtcp(bytesOf(LIBSRTP_RTCP_PLAIN))).toString('hex')).toBe(LIBSRTP_RTCP_PROTECTED);
    const receiver = receiving(rig, suite(vector.suite), key);
    expect(good(receiver.rtcp(bytesOf(LIBSRTP_RTCP_PROTECTED))).toString('hex')).toBe(LIBSRTP_RTCP_PLAIN);
  });
});
