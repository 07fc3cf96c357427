/**
 * From a master key to session keys: RFC 3711 §4.3, with AES-192 and AES-256 as in RFC 6188 §3, for GCM
 * as in RFC 7714 §11. The key derivation rate is 0: each key is derived once.
 */
import type { SrtpSuite } from './suites.ts';

/**
 * AES in counter mode by a key of 16, 24 or 32 bytes: gives the first `length` bytes of the stream from a
 * counter block (16 bytes) up. A master key is set up once for all that is derived from it.
 */
export type Keystream = (key: Uint8Array) => (counterBlock: Uint8Array, length: number) => Uint8Array;

/** Keys of one direction of SRTP or of SRTCP. */
export interface SessionKeys {
  readonly cipherKey: Uint8Array;
  /** Of HMAC-SHA1, 20 bytes; with GCM empty. */
  readonly authenticationKey: Uint8Array;
  /** 14 bytes; with GCM 12. */
  readonly salt: Uint8Array;
}

const LABEL_RTP_CIPHER = 0x00;
const LABEL_RTP_AUTHENTICATION = 0x01;
const LABEL_RTP_SALT = 0x02;
const LABEL_RTCP_CIPHER = 0x03;
const LABEL_RTCP_AUTHENTICATION = 0x04;
const LABEL_RTCP_SALT = 0x05;

const COUNTER_BLOCK_BYTES = 16;
const HMAC_KEY_BYTES = 20;
/** Where the label stands in the 112 bits that the salt is XORed with: above the 48 bits of the index. */
const LABEL_OFFSET = 7;

/**
 * @throws RangeError if the master key or salt has not the length of the suite's.
 */
export function deriveSessionKeys(
  keystream: Keystream,
  suite: SrtpSuite,
  masterKey: Uint8Array,
  masterSalt: Uint8Array,
): { readonly rtp: SessionKeys; readonly rtcp: SessionKeys } {
  if (masterKey.length !== suite.keyBytes || masterSalt.length !== suite.saltBytes) {
    throw new RangeError(
      `${suite.name} has a key of ${suite.keyBytes} and a salt of ${suite.saltBytes} bytes: ` +
        `got ${masterKey.length} and ${masterSalt.length}`,
    );
  }
  const authenticationBytes = suite.cipher === 'cm' ? HMAC_KEY_BYTES : 0;
  const stream = keystream(masterKey);
  const derive = (label: number, length: number): Uint8Array => {
    if (length === 0) return new Uint8Array(0);
    // A salt of 96 bits is one of 112 with zeros behind (RFC 7714 §11).
    const block = new Uint8Array(COUNTER_BLOCK_BYTES);
    block.set(masterSalt);
    block[LABEL_OFFSET] = (block[LABEL_OFFSET] as number) ^ label;
    return stream(block, length);
  };
  return {
    rtp: {
      cipherKey: derive(LABEL_RTP_CIPHER, suite.keyBytes),
      authenticationKey: derive(LABEL_RTP_AUTHENTICATION, authenticationBytes),
      salt: derive(LABEL_RTP_SALT, suite.saltBytes),
    },
    rtcp: {
      cipherKey: derive(LABEL_RTCP_CIPHER, suite.keyBytes),
      authenticationKey: derive(LABEL_RTCP_AUTHENTICATION, authenticationBytes),
      salt: derive(LABEL_RTCP_SALT, suite.saltBytes),
    },
  };
}
