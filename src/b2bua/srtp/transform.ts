/**
 * What a cipher suite does to a packet whose index is known: the part of SRTP that differs between
 * counter mode with HMAC-SHA1 and GCM. Replay, rollover and sources are the receiver's and sender's.
 */

/** E flag in the word that carries SRTCP's index (RFC 3711 §3.4). */
export const SRTCP_ENCRYPTED: number = 0x80000000 | 0;
export const SRTCP_INDEX_MASK = 0x7fffffff;
export const SRTCP_WORD_BYTES = 4;

/**
 * Works in place in the slab. `length` is that of the plain packet, without what SRTP adds; `roc` is a word,
 * signed. A packet that fails to open is left as it was, but for its MKI.
 */
export interface SrtpTransform {
  /** Encrypts what follows the header and writes the tag behind. */
  sealRtp(offset: number, headerLength: number, length: number, roc: number): void;
  /** `mkiBytes`: length of the MKI, which stands before the tag of HMAC-SHA1 and behind that of GCM. */
  openRtp(offset: number, headerLength: number, length: number, mkiBytes: number, roc: number): boolean;
  /** Encrypts what follows the first header; writes tag and index behind. `index`: 0 to 2^31 - 1. */
  sealRtcp(offset: number, length: number, index: number): void;
  /** `word`: E flag and index as they came. */
  openRtcp(offset: number, length: number, mkiBytes: number, word: number): boolean;
  /** Forgets the keys. */
  close(): void;
}
