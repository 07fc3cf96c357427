/**
 * State of the SSRCs that use one key: rollover counter, newest packets, replay windows (RFC 3711 §3.2.1,
 * §3.3.2). Looking is apart from noting, so that nothing changes before a packet has proved itself.
 *
 * A source is a row of words in one typed array, and is named by where its row begins.
 */
import { at } from '../../wire/bytes.ts';
import { SOURCES_MAX, SRTP_KEY_EXHAUSTED, SRTP_REPLAYED, SRTP_TOO_OLD } from './outcomes.ts';

// Words of a row.
const SSRC = 0;
/** Which of RTP and RTCP there was. */
const SEEN = 1;
const ROC = 2;
/** Sequence number of the newest RTP packet: s_l of RFC 3711. */
const SEQUENCE = 3;
/** Newest index of SRTCP; of a sender, the next. */
const RTCP_INDEX = 4;
const RTP_WINDOW = 5;
const RTCP_WINDOW = 13;
const ROW_WORDS = 21;

const SEEN_RTP = 1;
const SEEN_RTCP = 2;

/** A window is a ring of 256 bits, cleared by whole words ahead of the newest index: */
const WINDOW_WORDS = 8;
/** so many of them are always known. RFC 3711 §3.3.2 asks for 64. */
export const REPLAY_WINDOW_PACKETS: number = 32 * (WINDOW_WORDS - 1);

/** Room for so many sources at first; more is made when they come. */
const ROWS_AT_FIRST = 2;

export class SourceTable {
  /** What {@link guess} found: the packet's ROC as a signed word, and its distance from the newest. */
  roc = 0;
  distance = 0;
  #rows = new Int32Array(ROWS_AT_FIRST * ROW_WORDS);
  #used = 0;
  /** The source found last. */
  #recent = 0;

  /** The source of an SSRC, or -1. */
  find(ssrc: number): number {
    const rows = this.#rows;
    if (this.#used > 0 && at(rows, this.#recent + SSRC) === ssrc) return this.#recent;
    for (let row = 0; row < this.#used; row += ROW_WORDS) {
      if (at(rows, row + SSRC) !== ssrc) continue;
      this.#recent = row;
      return row;
    }
    return -1;
  }

  /** Adds a source that is not there; -1 if there are {@link SOURCES_MAX}. */
  add(ssrc: number): number {
    const row = this.#used;
    if (row === SOURCES_MAX * ROW_WORDS) return -1;
    if (row === this.#rows.length) {
      const rows = new Int32Array(Math.min(2 * row, SOURCES_MAX * ROW_WORDS));
      rows.set(this.#rows);
      this.#rows = rows;
    }
    this.#rows[row + SSRC] = ssrc;
    this.#used += ROW_WORDS;
    return row;
  }

  hasSentRtp(source: number): boolean {
    return (at(this.#rows, source + SEEN) & SEEN_RTP) !== 0;
  }

  /**
   * Guesses the ROC of a sequence number from the newest packet (RFC 3711 §3.3.1), and sets {@link roc} and
   * {@link distance}. Returns 0; or SRTP_TOO_OLD if the packet would be from before ROC 0, and then takes it
   * to be of ROC 0; or SRTP_KEY_EXHAUSTED behind the last ROC. Only for sources that have sent RTP.
   */
  guess(source: number, sequence: number): number {
    const newestRoc = at(this.#rows, source + ROC);
    const newest = at(this.#rows, source + SEQUENCE);
    let rollovers = 0;
    let outcome = 0;
    if (newest < 0x8000) {
      if (sequence - newest > 0x8000) {
        if (newestRoc === 0) outcome = SRTP_TOO_OLD;
        else rollovers = -1;
      }
    } else if (newest - 0x8000 > sequence) {
      if (newestRoc === -1) outcome = SRTP_KEY_EXHAUSTED;
      rollovers = 1;
    }
    this.roc = (newestRoc + rollovers) | 0;
    this.distance = rollovers * 0x10000 + sequence - newest;
    return outcome;
  }

  /** 0 if the packet last guessed about may be new, else SRTP_REPLAYED or SRTP_TOO_OLD. */
  checkRtp(source: number, sequence: number): number {
    return this.#check(source + RTP_WINDOW, sequence, this.distance);
  }

  /** Notes the first RTP packet of a source. */
  beginRtp(source: number, roc: number, sequence: number): void {
    const rows = this.#rows;
    rows[source + SEEN] = at(rows, source + SEEN) | SEEN_RTP;
    rows[source + ROC] = roc;
    rows[source + SEQUENCE] = sequence;
    this.#mark(source + RTP_WINDOW, sequence);
  }

  /** Notes the packet last guessed about; returns whether it is the newest. */
  noteRtp(source: number, sequence: number): boolean {
    const rows = this.#rows;
    const distance = this.distance;
    if (distance > 0) {
      this.#advance(source + RTP_WINDOW, at(rows, source + SEQUENCE), distance);
      rows[source + ROC] = this.roc;
      rows[source + SEQUENCE] = sequence;
    }
    this.#mark(source + RTP_WINDOW, sequence);
    return distance > 0;
  }

  /** 0 if the SRTCP packet of this index may be new, else SRTP_REPLAYED or SRTP_TOO_OLD. */
  checkRtcp(source: number, index: number): number {
    const rows = this.#rows;
    if ((at(rows, source + SEEN) & SEEN_RTCP) === 0) return 0;
    return this.#check(source + RTCP_WINDOW, index, index - at(rows, source + RTCP_INDEX));
  }

  /** Notes an SRTCP packet; returns whether it is the newest. */
  noteRtcp(source: number, index: number): boolean {
    const rows = this.#rows;
    const newest = at(rows, source + RTCP_INDEX);
    const isFirst = (at(rows, source + SEEN) & SEEN_RTCP) === 0;
    const isNewest = isFirst || index > newest;
    if (isNewest) {
      if (!isFirst) this.#advance(source + RTCP_WINDOW, newest, index - newest);
      rows[source + SEEN] = at(rows, source + SEEN) | SEEN_RTCP;
      rows[source + RTCP_INDEX] = index;
    }
    this.#mark(source + RTCP_WINDOW, index);
    return isNewest;
  }

  /** The SRTCP index to send with next, from 0 (RFC 3711 §3.4), or SRTP_KEY_EXHAUSTED behind the last. */
  nextRtcpIndex(source: number): number {
    const index = at(this.#rows, source + RTCP_INDEX);
    if (index < 0) return SRTP_KEY_EXHAUSTED; // 2^31, as a signed word
    this.#rows[source + RTCP_INDEX] = index + 1;
    return index;
  }

  /** `low`: the index, of which only the lowest 8 bits count. */
  #check(window: number, low: number, distance: number): number {
    if (distance > 0) return 0;
    if (distance <= -REPLAY_WINDOW_PACKETS) return SRTP_TOO_OLD;
    const word = at(this.#rows, window + ((low >>> 5) & (WINDOW_WORDS - 1)));
    return ((word >>> (low & 31)) & 1) === 0 ? 0 : SRTP_REPLAYED;
  }

  #mark(window: number, low: number): void {
    const word = window + ((low >>> 5) & (WINDOW_WORDS - 1));
    this.#rows[word] = at(this.#rows, word) | (1 << (low & 31));
  }

  /** Clears the words that the newest index enters when it goes from `low` on by `distance`. */
  #advance(window: number, low: number, distance: number): void {
    const entered = Math.min(WINDOW_WORDS, Math.floor(((low & 31) + distance) / 32));
    for (let i = 1; i <= entered; i++) {
      this.#rows[window + (((low >>> 5) + i) & (WINDOW_WORDS - 1))] = 0;
    }
  }
}
