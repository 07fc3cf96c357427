/** AES-GCM: RFC 7714. */
import { at, i32, setU16, setU32 } from '../../wire/bytes.ts';
import { AEAD_TAG_BYTES, type AeadCipher, type MediaCrypto } from '../../wire/media-crypto.ts';
import { RTCP_HEADER_BYTES, rtcpSsrc, rtpSequence, rtpSsrc } from '../../wire/rtp.ts';
import type { SessionKeys } from './key-derivation.ts';
import { SRTCP_ENCRYPTED, SRTCP_INDEX_MASK, type SrtpTransform } from './transform.ts';

export class AeadTransform implements SrtpTransform {
  readonly #bytes: Uint8Array;
  readonly #iv: Uint8Array;
  readonly #rtp: AeadCipher;
  readonly #rtcp: AeadCipher;
  /** Salts of SRTP and of SRTCP as words: three and three. */
  readonly #salts: Int32Array;

  constructor(crypto: MediaCrypto, bytes: Uint8Array, rtp: SessionKeys, rtcp: SessionKeys) {
    this.#bytes = bytes;
    this.#iv = crypto.iv;
    this.#rtp = crypto.aead(rtp.cipherKey);
    this.#rtcp = crypto.aead(rtcp.cipherKey);
    this.#salts = Int32Array.of(...saltWords(rtp.salt), ...saltWords(rtcp.salt));
  }

  sealRtp(offset: number, headerLength: number, length: number, roc: number): void {
    this.#prepareRtp(offset, roc);
    this.#rtp.seal(offset + headerLength, length - headerLength, headerLength, false, 0);
  }

  openRtp(offset: number, headerLength: number, length: number, _mkiBytes: number, roc: number): boolean {
    this.#prepareRtp(offset, roc);
    return this.#rtp.open(offset + headerLength, length - headerLength, headerLength, false, 0);
  }

  /** RFC 7714 §9.2: the word with the index is additional data too, and stands behind the tag. */
  sealRtcp(offset: number, length: number, index: number): void {
    const word = SRTCP_ENCRYPTED | index;
    this.#prepareRtcp(offset, index);
    this.#rtcp.seal(offset + RTCP_HEADER_BYTES, length - RTCP_HEADER_BYTES, RTCP_HEADER_BYTES, true, word);
    setU32(this.#bytes, offset + length + AEAD_TAG_BYTES, word);
  }

  openRtcp(offset: number, length: number, _mkiBytes: number, word: number): boolean {
    this.#prepareRtcp(offset, word & SRTCP_INDEX_MASK);
    // Unencrypted, the whole packet is additional data (§9.3).
    const header = (word & SRTCP_ENCRYPTED) === 0 ? length : RTCP_HEADER_BYTES;
    return this.#rtcp.open(offset + header, length - header, header, true, word);
  }

  close(): void {
    this.#rtp.free();
    this.#rtcp.free();
    this.#salts.fill(0);
  }

  /** §8.1: IV = salt XOR (two zero bytes, SSRC, ROC, sequence number). */
  #prepareRtp(offset: number, roc: number): void {
    const iv = this.#iv;
    const salts = this.#salts;
    const ssrc = rtpSsrc(this.#bytes, offset);
    setU32(iv, 0, at(salts, 0) ^ (ssrc >>> 16));
    setU16(iv, 4, (at(salts, 1) >>> 16) ^ ssrc);
    setU32(iv, 6, ((at(salts, 1) << 16) | (at(salts, 2) >>> 16)) ^ roc);
    setU16(iv, 10, at(salts, 2) ^ rtpSequence(this.#bytes, offset));
  }

  /** §9.1: IV = salt XOR (two zero bytes, SSRC, two zero bytes, index). */
  #prepareRtcp(offset: number, index: number): void {
    const iv = this.#iv;
    const salts = this.#salts;
    const ssrc = rtcpSsrc(this.#bytes, offset);
    setU32(iv, 0, at(salts, 3) ^ (ssrc >>> 16));
    setU32(iv, 4, at(salts, 4) ^ (ssrc << 16));
    setU32(iv, 8, at(salts, 5) ^ index);
  }
}

function saltWords(salt: Uint8Array): number[] {
  return [i32(salt, 0), i32(salt, 4), i32(salt, 8)];
}
