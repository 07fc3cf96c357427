/**
 * SRTP as sent: one `SrtpSender` for each leg and direction, with a key of its own that nothing else uses.
 * No index of an SSRC is ever protected twice (RFC 3711 §9.1: a two-time pad, and with GCM the key's end).
 */
import type { MediaCrypto } from '../../wire/media-crypto.ts';
import { isRtcpPacket, rtcpSsrc, rtpHeaderLength, rtpSequence, rtpSsrc } from '../../wire/rtp.ts';
import { createTransform } from './create-transform.ts';
import type { Keystream } from './key-derivation.ts';
import { SRTP_MALFORMED, SRTP_TOO_MANY_SOURCES } from './outcomes.ts';
import { SourceTable } from './source-table.ts';
import type { SrtpSuite } from './suites.ts';
import { SRTCP_WORD_BYTES, type SrtpTransform } from './transform.ts';

export class SrtpSender {
  readonly #bytes: Uint8Array;
  readonly #transform: SrtpTransform;
  readonly #rtpTagBytes: number;
  readonly #rtcpOverhead: number;
  readonly #sources = new SourceTable();

  /**
   * Sends from `bytes`, the slab that `crypto` works on.
   * @throws RangeError if the key or salt has not the length of the suite's
   */
  constructor(
    crypto: MediaCrypto,
    bytes: Uint8Array,
    keystream: Keystream,
    suite: SrtpSuite,
    masterKey: Uint8Array,
    masterSalt: Uint8Array,
  ) {
    this.#bytes = bytes;
    this.#transform = createTransform(crypto, bytes, keystream, suite, masterKey, masterSalt);
    this.#rtpTagBytes = suite.rtpTagBytes;
    this.#rtcpOverhead = suite.rtcpTagBytes + SRTCP_WORD_BYTES;
  }

  /**
   * Makes SRTP of the RTP packet at `offset`, in place, its tag behind it. Returns its length, or a negative
   * outcome. The source's sequence numbers are kept, so repeats and packets from before the first are refused.
   */
  protectRtp(offset: number, length: number): number {
    const bytes = this.#bytes;
    const sources = this.#sources;
    const headerLength = rtpHeaderLength(bytes, offset, length);
    if (headerLength < 0) return SRTP_MALFORMED;
    const sequence = rtpSequence(bytes, offset);
    let source = sources.find(rtpSsrc(bytes, offset));
    if (source < 0) {
      source = sources.add(rtpSsrc(bytes, offset));
      if (source < 0) return SRTP_TOO_MANY_SOURCES;
    }
    let roc = 0;
    if (sources.hasSentRtp(source)) {
      // A packet from before the first would be of a ROC below 0. Receivers disagree about what that is,
      // and one that took it for a jump of the source would lose the ROC.
      let refusal = sources.guess(source, sequence);
      if (refusal === 0) refusal = sources.checkRtp(source, sequence);
      if (refusal < 0) return refusal;
      roc = sources.roc;
      sources.noteRtp(source, sequence);
    } else {
      sources.beginRtp(source, roc, sequence);
    }
    this.#transform.sealRtp(offset, headerLength, length, roc);
    return length + this.#rtpTagBytes;
  }

  /** Makes SRTCP of the RTCP packet at `offset`, in place. Returns its length, or a negative outcome. */
  protectRtcp(offset: number, length: number): number {
    const bytes = this.#bytes;
    if (!isRtcpPacket(bytes, offset, length)) return SRTP_MALFORMED;
    let source = this.#sources.find(rtcpSsrc(bytes, offset));
    if (source < 0) source = this.#sources.add(rtcpSsrc(bytes, offset));
    if (source < 0) return SRTP_TOO_MANY_SOURCES;
    const index = this.#sources.nextRtcpIndex(source);
    if (index < 0) return index;
    this.#transform.sealRtcp(offset, length, index);
    return length + this.#rtcpOverhead;
  }

  /** Forgets the key; the sender must not be used any more. */
  close(): void {
    this.#transform.close();
  }
}
