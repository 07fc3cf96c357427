/** AES in counter mode with HMAC-SHA1: RFC 3711 §4, RFC 6188. */
import { at, i32, setU16, setU32, u16 } from '../../wire/bytes.ts';
import type { CounterModeCipher, MediaCrypto, PacketHmac } from '../../wire/media-crypto.ts';
import { RTCP_HEADER_BYTES, rtcpSsrc, rtpSequence, rtpSsrc } from '../../wire/rtp.ts';
import type { SessionKeys } from './key-derivation.ts';
import { SRTCP_ENCRYPTED, SRTCP_INDEX_MASK, SRTCP_WORD_BYTES, type SrtpTransform } from './transform.ts';

/** The tag of the _32 suites; the others have 80 bits. */
const SHORT_TAG_BYTES = 4;

export class CounterModeTransform implements SrtpTransform {
  readonly #bytes: Uint8Array;
  readonly #iv: Uint8Array;
  readonly #digest: Int32Array;
  readonly #rtpCipher: CounterModeCipher;
  readonly #rtpHmac: PacketHmac;
  readonly #rtpTagBytes: number;
  readonly #rtcpCipher: CounterModeCipher;
  readonly #rtcpHmac: PacketHmac;
  readonly #rtcpTagBytes: number;
  /** Salts of SRTP and of SRTCP as words, times 2^16: four and four. */
  readonly #salts: Int32Array;

  constructor(
    crypto: MediaCrypto,
    bytes: Uint8Array,
    rtp: SessionKeys,
    rtcp: SessionKeys,
    rtpTagBytes: number,
    rtcpTagBytes: number,
  ) {
    this.#bytes = bytes;
    this.#iv = crypto.iv;
    this.#digest = crypto.digest;
    this.#rtpCipher = crypto.counterMode(rtp.cipherKey);
    this.#rtpHmac = crypto.hmacSha1(rtp.authenticationKey);
    this.#rtpTagBytes = rtpTagBytes;
    this.#rtcpCipher = crypto.counterMode(rtcp.cipherKey);
    this.#rtcpHmac = crypto.hmacSha1(rtcp.authenticationKey);
    this.#rtcpTagBytes = rtcpTagBytes;
    this.#salts = Int32Array.of(...saltWords(rtp.salt), ...saltWords(rtcp.salt));
  }

  sealRtp(offset: number, headerLength: number, length: number, roc: number): void {
    this.#prepareRtp(offset, roc);
    this.#rtpCipher.transform(offset + headerLength, length - headerLength);
    this.#rtpHmac.sign(offset, length, true, roc);
    this.#writeTag(offset + length, this.#rtpTagBytes);
  }

  openRtp(offset: number, headerLength: number, length: number, mkiBytes: number, roc: number): boolean {
    const tag = offset + length + mkiBytes;
    if (!this.#verify(this.#rtpHmac, offset, length, true, roc, tag, this.#rtpTagBytes)) return false;
    this.#prepareRtp(offset, roc);
    this.#rtpCipher.transform(offset + headerLength, length - headerLength);
    return true;
  }

  sealRtcp(offset: number, length: number, index: number): void {
    this.#prepareRtcp(offset, index);
    this.#rtcpCipher.transform(offset + RTCP_HEADER_BYTES, length - RTCP_HEADER_BYTES);
    setU32(this.#bytes, offset + length, SRTCP_ENCRYPTED | index);
    this.#rtcpHmac.sign(offset, length + SRTCP_WORD_BYTES, false, 0);
    this.#writeTag(offset + length + SRTCP_WORD_BYTES, this.#rtcpTagBytes);
  }

  openRtcp(offset: number, length: number, mkiBytes: number, word: number): boolean {
    const signed = length + SRTCP_WORD_BYTES;
    const tag = offset + signed + mkiBytes;
    if (!this.#verify(this.#rtcpHmac, offset, signed, false, 0, tag, this.#rtcpTagBytes)) return false;
    if ((word & SRTCP_ENCRYPTED) === 0) return true;
    this.#prepareRtcp(offset, word & SRTCP_INDEX_MASK);
    this.#rtcpCipher.transform(offset + RTCP_HEADER_BYTES, length - RTCP_HEADER_BYTES);
    return true;
  }

  close(): void {
    this.#rtpCipher.free();
    this.#rtpHmac.free();
    this.#rtcpCipher.free();
    this.#rtcpHmac.free();
    this.#salts.fill(0);
  }

  /** RFC 3711 §4.1.1: IV = (salt * 2^16) XOR (SSRC * 2^64) XOR (index * 2^16). */
  #prepareRtp(offset: number, roc: number): void {
    const iv = this.#iv;
    const salts = this.#salts;
    setU32(iv, 0, at(salts, 0));
    setU32(iv, 4, at(salts, 1) ^ rtpSsrc(this.#bytes, offset));
    setU32(iv, 8, at(salts, 2) ^ roc);
    setU32(iv, 12, at(salts, 3) ^ (rtpSequence(this.#bytes, offset) << 16));
  }

  /** The same with SRTCP's index, of 31 bits. */
  #prepareRtcp(offset: number, index: number): void {
    const iv = this.#iv;
    const salts = this.#salts;
    setU32(iv, 0, at(salts, 4));
    setU32(iv, 4, at(salts, 5) ^ rtcpSsrc(this.#bytes, offset));
    setU32(iv, 8, at(salts, 6) ^ (index >>> 16));
    setU32(iv, 12, at(salts, 7) ^ (index << 16));
  }

  #writeTag(at: number, tagBytes: number): void {
    const digest = this.#digest;
    setU32(this.#bytes, at, digest[0] as number);
    if (tagBytes === SHORT_TAG_BYTES) return;
    setU32(this.#bytes, at + 4, digest[1] as number);
    setU16(this.#bytes, at + 8, (digest[2] as number) >>> 16);
  }

  /** Compares in the same time wherever the difference is. */
  #verify(
    hmac: PacketHmac,
    offset: number,
    length: number,
    hasTrailer: boolean,
    trailer: number,
    tag: number,
    tagBytes: number,
  ): boolean {
    const bytes = this.#bytes;
    const digest = this.#digest;
    const isLong = tagBytes !== SHORT_TAG_BYTES;
    // The HMAC needs the bytes where the tag stands.
    const first = i32(bytes, tag);
    const second = isLong ? i32(bytes, tag + 4) : 0;
    const last = isLong ? u16(bytes, tag + 8) : 0;
    hmac.sign(offset, length, hasTrailer, trailer);
    let difference = first ^ at(digest, 0);
    if (isLong) difference |= (second ^ at(digest, 1)) | (last ^ (at(digest, 2) >>> 16));
    if (difference === 0) return true;
    setU32(bytes, tag, first);
    if (isLong) {
      setU32(bytes, tag + 4, second);
      setU16(bytes, tag + 8, last);
    }
    return false;
  }
}

function saltWords(salt: Uint8Array): number[] {
  return [i32(salt, 0), i32(salt, 4), i32(salt, 8), u16(salt, 12) << 16];
}
