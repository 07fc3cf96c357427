/** The crypto suites that SDES can name and that are served here, with what SRTP must know of each. */

export interface SrtpSuite {
  /** As in SDP, upper case. */
  readonly name: string;
  /** AES in counter mode with HMAC-SHA1 (RFC 3711), or AES-GCM (RFC 7714). */
  readonly cipher: 'cm' | 'gcm';
  /** Of the master key, and of the session keys of the cipher. */
  readonly keyBytes: number;
  readonly saltBytes: number;
  readonly rtpTagBytes: number;
  readonly rtcpTagBytes: number;
}

const CM_SALT_BYTES = 14;
const CM_RTCP_TAG_BYTES = 10; // with either tag of SRTP: RFC 4568 §6.2.2, RFC 6188 §4
const GCM_SALT_BYTES = 12;
const GCM_TAG_BYTES = 16;

/** In the order of the registry. */
export const SRTP_SUITES: readonly SrtpSuite[] = [
  counterMode('AES_CM_128_HMAC_SHA1_80', 16, 10),
  counterMode('AES_CM_128_HMAC_SHA1_32', 16, 4),
  counterMode('AES_192_CM_HMAC_SHA1_80', 24, 10),
  counterMode('AES_192_CM_HMAC_SHA1_32', 24, 4),
  counterMode('AES_256_CM_HMAC_SHA1_80', 32, 10),
  counterMode('AES_256_CM_HMAC_SHA1_32', 32, 4),
  galoisCounterMode('AEAD_AES_128_GCM', 16),
  galoisCounterMode('AEAD_AES_256_GCM', 32),
];

const BY_NAME: ReadonlyMap<string, SrtpSuite> = new Map(SRTP_SUITES.map((suite) => [suite.name, suite]));

/** The suite of that name, in upper case; undefined if it is not served. */
export function suiteNamed(name: string): SrtpSuite | undefined {
  return BY_NAME.get(name);
}

function counterMode(name: string, keyBytes: number, rtpTagBytes: number): SrtpSuite {
  return Object.freeze({
    name,
    cipher: 'cm',
    keyBytes,
    saltBytes: CM_SALT_BYTES,
    rtpTagBytes,
    rtcpTagBytes: CM_RTCP_TAG_BYTES,
  });
}

function galoisCounterMode(name: string, keyBytes: number): SrtpSuite {
  return Object.freeze({
    name,
    cipher: 'gcm',
    keyBytes,
    saltBytes: GCM_SALT_BYTES,
    rtpTagBytes: GCM_TAG_BYTES,
    rtcpTagBytes: GCM_TAG_BYTES,
  });
}
