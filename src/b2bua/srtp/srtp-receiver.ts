/**
 * SRTP as received: one `SrtpReceiver` for each crypto attribute that the other side sends with. It must
 * live as long as that attribute's key is in use, over holds and re-offers, or rollover counters are lost.
 */
import { i32 } from '../../wire/bytes.ts';
import type { MediaCrypto } from '../../wire/media-crypto.ts';
import { isRtcpPacket, rtcpSsrc, rtpHeaderLength, rtpSequence, rtpSsrc } from '../../wire/rtp.ts';
import { createTransform } from './create-transform.ts';
import type { Keystream } from './key-derivation.ts';
import {
  SRTP_AUTH_FAILED,
  SRTP_KEY_EXHAUSTED,
  SRTP_MALFORMED,
  SRTP_TOO_MANY_SOURCES,
  SRTP_UNKNOWN_MKI,
} from './outcomes.ts';
import { SourceTable } from './source-table.ts';
import type { SrtpSuite } from './suites.ts';
import { SRTCP_INDEX_MASK, SRTCP_WORD_BYTES, type SrtpTransform } from './transform.ts';

export interface SrtpMasterKey {
  readonly masterKey: Uint8Array;
  readonly masterSalt: Uint8Array;
  /** Sent in every packet, where there are several keys; of the same length for all of them. */
  readonly mki?: Uint8Array | undefined;
}

/**
 * Sequence numbers of a source's first packet for which ROC 1 is tried when ROC 0 fails: a sender that
 * began shortly before a rollover may have passed it before its first packet came here (RFC 3711 §3.3.1
 * recommends to begin in the lower half, which not everyone does).
 */
const ROLLED_OVER_SEQUENCE_MAX = 0x7fff;

export class SrtpReceiver {
  /** Whether the last packet that was unprotected was the newest of its SSRC. */
  advanced = false;
  readonly #bytes: Uint8Array;
  readonly #transforms: readonly SrtpTransform[];
  readonly #mkis: readonly Uint8Array[];
  readonly #mkiBytes: number;
  /** From the packet's end back to where its MKI begins. */
  readonly #mkiFromEnd: number;
  readonly #rtpOverhead: number;
  readonly #rtcpOverhead: number;
  readonly #rtcpMkiFromEnd: number;
  /** RFC 3711 §3.2.1: index and replay list belong to the context, whichever of its keys is in use. */
  readonly #sources = new SourceTable();

  /**
   * Receives into `bytes`, the slab that `crypto` works on.
   * @throws RangeError if there is no key, a key or salt has not the length of the suite's, or MKIs differ in
   *   length or are missing
   */
  constructor(
    crypto: MediaCrypto,
    bytes: Uint8Array,
    keystream: Keystream,
    suite: SrtpSuite,
    keys: readonly SrtpMasterKey[],
  ) {
    this.#bytes = bytes;
    this.#mkis = keys.map((key) => key.mki ?? new Uint8Array(0));
    this.#mkiBytes = this.#mkis[0]?.length ?? -1;
    if (
      this.#mkis.some((mki) => mki.length !== this.#mkiBytes) ||
      (keys.length !== 1 && this.#mkiBytes <= 0)
    ) {
      throw new RangeError('SRTP needs a key, or several with MKIs of one length');
    }
    this.#transforms = keys.map(({ masterKey, masterSalt }) =>
      createTransform(crypto, bytes, keystream, suite, masterKey, masterSalt),
    );
    this.#rtpOverhead = suite.rtpTagBytes + this.#mkiBytes;
    this.#rtcpOverhead = suite.rtcpTagBytes + this.#mkiBytes + SRTCP_WORD_BYTES;
    // HMAC's tag stands behind the MKI (RFC 3711 §3.1), GCM's belongs to the ciphertext before it (RFC 7714 §9.4).
    this.#mkiFromEnd = this.#mkiBytes + (suite.cipher === 'cm' ? suite.rtpTagBytes : 0);
    this.#rtcpMkiFromEnd = this.#mkiBytes + (suite.cipher === 'cm' ? suite.rtcpTagBytes : 0);
  }

  /** Makes RTP of the SRTP packet at `offset`, in place. Returns its length, or a negative outcome. */
  unprotectRtp(offset: number, length: number): number {
    const bytes = this.#bytes;
    const plainLength = length - this.#rtpOverhead;
    const headerLength = rtpHeaderLength(bytes, offset, plainLength);
    if (headerLength < 0) return SRTP_MALFORMED;
    const transform = this.#transformFor(offset + length - this.#mkiFromEnd);
    if (transform === undefined) return SRTP_UNKNOWN_MKI;
    const sources = this.#sources;
    const source = sources.find(rtpSsrc(bytes, offset));
    if (source < 0 || !sources.hasSentRtp(source)) {
      return this.#firstRtp(transform, source, offset, headerLength, plainLength);
    }
    const sequence = rtpSequence(bytes, offset);
    // What seems to come from before ROC 0 is tried as of ROC 0: the tag decides.
    if (sources.guess(source, sequence) === SRTP_KEY_EXHAUSTED) return SRTP_KEY_EXHAUSTED;
    const replay = sources.checkRtp(source, sequence);
    if (replay < 0) return replay;
    if (!transform.openRtp(offset, headerLength, plainLength, this.#mkiBytes, sources.roc)) {
      return SRTP_AUTH_FAILED;
    }
    this.advanced = sources.noteRtp(source, sequence);
    return plainLength;
  }

  /** Makes RTCP of the SRTCP packet at `offset`, in place. Returns its length, or a negative outcome. */
  unprotectRtcp(offset: number, length: number): number {
    const bytes = this.#bytes;
    const plainLength = length - this.#rtcpOverhead;
    if (!isRtcpPacket(bytes, offset, plainLength)) return SRTP_MALFORMED;
    const mki = offset + length - this.#rtcpMkiFromEnd;
    const transform = this.#transformFor(mki);
    if (transform === undefined) return SRTP_UNKNOWN_MKI;
    const word = i32(bytes, mki - SRTCP_WORD_BYTES);
    const index = word & SRTCP_INDEX_MASK;
    const ssrc = rtcpSsrc(bytes, offset);
    let source = this.#sources.find(ssrc);
    const replay = source < 0 ? 0 : this.#sources.checkRtcp(source, index);
    if (replay < 0) return replay;
    if (!transform.openRtcp(offset, plainLength, this.#mkiBytes, word)) return SRTP_AUTH_FAILED;
    if (source < 0) source = this.#sources.add(ssrc);
    if (source < 0) return SRTP_TOO_MANY_SOURCES;
    this.advanced = this.#sources.noteRtcp(source, index);
    return plainLength;
  }

  /** Forgets the keys; the receiver must not be used any more. */
  close(): void {
    for (const transform of this.#transforms) transform.close();
  }

  /** `source`: -1, or one of which only RTCP has come so far. */
  #firstRtp(
    transform: SrtpTransform,
    source: number,
    offset: number,
    headerLength: number,
    plainLength: number,
  ): number {
    const sequence = rtpSequence(this.#bytes, offset);
    let roc = 0;
    if (!transform.openRtp(offset, headerLength, plainLength, this.#mkiBytes, roc)) {
      roc = 1;
      if (
        sequence > ROLLED_OVER_SEQUENCE_MAX ||
        !transform.openRtp(offset, headerLength, plainLength, this.#mkiBytes, roc)
      ) {
        return SRTP_AUTH_FAILED;
      }
    }
    if (source < 0) source = this.#sources.add(rtpSsrc(this.#bytes, offset));
    if (source < 0) return SRTP_TOO_MANY_SOURCES;
    this.#sources.beginRtp(source, roc, sequence);
    this.advanced = true;
    return plainLength;
  }

  /** The transform of the key whose MKI stands at `mki`. */
  #transformFor(mki: number): SrtpTransform | undefined {
    if (this.#mkiBytes === 0) return this.#transforms[0];
    for (let key = 0; key < this.#mkis.length; key++) {
      if (this.#isMki(this.#mkis[key] as Uint8Array, mki)) return this.#transforms[key];
    }
    return undefined;
  }

  #isMki(mki: Uint8Array, offset: number): boolean {
    for (let i = 0; i < mki.length; i++) {
      if (mki[i] !== this.#bytes[offset + i]) return false;
    }
    return true;
  }
}
