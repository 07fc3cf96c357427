/** SRTP with keys from SDP (RFC 4568), by werift's SRTP: an implementation that knows nothing of ours. */
import {
  ProtectionProfileAeadAes128Gcm,
  ProtectionProfileAes128CmHmacSha1_80,
  type RtpHeader,
  RtpPacket,
  SrtcpSession,
  SrtpSession,
} from 'werift';
import type { PhoneOptions } from './protocol.ts';

export type Suite = Exclude<PhoneOptions['encryption'], 'none'>;

const SUITES = {
  AES_CM_128_HMAC_SHA1_80: { profile: ProtectionProfileAes128CmHmacSha1_80, keyBytes: 16, saltBytes: 14 },
  AEAD_AES_128_GCM: { profile: ProtectionProfileAeadAes128Gcm, keyBytes: 16, saltBytes: 12 },
} as const;

export function keyAndSaltBytes(suite: Suite): number {
  return SUITES[suite].keyBytes + SUITES[suite].saltBytes;
}

/** One direction of a phone's media. */
export interface Protection {
  protect(header: RtpHeader, payload: Buffer): Buffer;
  protectRtcp(packet: Buffer): Buffer;
  /** Undefined: the tag does not verify. */
  unprotect(packet: Buffer): Buffer | undefined;
  unprotectRtcp(packet: Buffer): Buffer | undefined;
}

/** @throws Error where the key is not of the suite's length */
export function sdesProtection(suite: Suite, keyAndSalt: Buffer): Protection {
  const { profile, keyBytes } = SUITES[suite];
  if (keyAndSalt.length !== keyAndSaltBytes(suite))
    throw new Error(`a key of ${suite} has ${keyAndSaltBytes(suite)} bytes: got ${keyAndSalt.length}`);
  const [key, salt] = [keyAndSalt.subarray(0, keyBytes), keyAndSalt.subarray(keyBytes)];
  // werift's sessions have two directions; each of ours uses one of them.
  const keys = { localMasterKey: key, localMasterSalt: salt, remoteMasterKey: key, remoteMasterSalt: salt };
  const rtp = new SrtpSession({ profile, keys });
  const rtcp = new SrtcpSession({ profile, keys });
  return {
    protect: (header, payload) => rtp.encrypt(payload, header),
    protectRtcp: (packet) => rtcp.encrypt(packet),
    unprotect: (packet) => verified(() => rtp.decrypt(packet)),
    unprotectRtcp: (packet) => verified(() => rtcp.decrypt(packet)),
  };
}

/** Of phones that speak plain RTP. */
export const NO_PROTECTION: Protection = {
  protect: (header, payload) => new RtpPacket(header, payload).serialize(),
  protectRtcp: (packet) => packet,
  unprotect: (packet) => packet,
  unprotectRtcp: (packet) => packet,
};

function verified(open: () => Buffer): Buffer | undefined {
  try {
    return open();
  } catch {
    return undefined;
  }
}
