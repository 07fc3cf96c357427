/**
 * Reception statistics of RTP (RFC 3550 §6.4.1, Appendix A): what was expected, what was lost, how much it
 * jittered. One row a component, in typed arrays; nothing is allocated per packet.
 *
 * A row follows one source at a time. When the SSRC changes, what the old source came to is added to the row's
 * totals and counting begins anew, as it does when a source's sequence numbers start afresh: the numbers
 * between are nobody's loss. With sources that alternate packet by packet no loss is seen.
 */
import { at } from '../wire/bytes.ts';

/** A gap up to here is loss, a larger one a restart (RFC 3550 A.1). */
const DROPOUT_MAX = 3000;
/** How far behind the newest a late packet may be (RFC 3550 A.1). */
const MISORDER_MAX = 100;
const SEQUENCE_NUMBERS = 65_536;
/** Cumulative loss is a signed number of 24 bits (RFC 3550 A.3). */
const LOST_MAX = 0x7f_ffff;
const LOST_MIN = -0x80_0000;
/**
 * A packet that much earlier or later than the one before was not delayed: its sender paused the clock of its
 * timestamps, or took another. RFC 3550 A.8 would report minutes of jitter for it.
 */
const CLOCK_JUMP_SECONDS = 5;

/** Columns of the integers of a row. */
const WORDS = 8;
const HAS_SOURCE = 0;
const SSRC = 1;
/** First sequence number, the newest, how often it wrapped, and the one that would confirm a restart (or -1). */
const BASE = 2;
const NEWEST = 3;
const CYCLES = 4;
const RESTART = 5;
/** Arrival minus timestamp of the last packet, modulo 2^32, in units of the clock rate beside it (0: none yet). */
const TRANSIT = 6;
const CLOCK_RATE = 7;

/** Columns of the doubles of a row. */
const DOUBLES = 4;
/** Packets of the present source. */
const RECEIVED = 0;
/** Seconds. */
const JITTER = 1;
/** Of finished sources. */
const PAST_EXPECTED = 2;
const PAST_RECEIVED = 3;

export class Reception {
  readonly #words: Int32Array;
  readonly #doubles: Float64Array;

  /** `capacity` rows of 64 bytes. Whoever takes a row calls {@link reset} first. */
  constructor(capacity: number) {
    this.#words = new Int32Array(capacity * WORDS);
    this.#doubles = new Float64Array(capacity * DOUBLES);
  }

  /** The row has heard nothing. */
  reset(row: number): void {
    this.#words.fill(0, row * WORDS, (row + 1) * WORDS);
    this.#doubles.fill(0, row * DOUBLES, (row + 1) * DOUBLES);
  }

  /**
   * Counts a packet that is what it seems: authenticated, or from the address the row listens to.
   *
   * @param sequence,timestamp,ssrc of the RTP header; 16, 32 and 32 bits
   * @param clockRateHz of the payload type; 0: not known, then the packet says nothing about jitter
   */
  received(
    row: number,
    sequence: number,
    timestamp: number,
    ssrc: number,
    clockRateHz: number,
    nowMs: number,
  ): void {
    const words = this.#words;
    const base = row * WORDS;
    if (words[base + SSRC] !== (ssrc | 0) || words[base + HAS_SOURCE] === 0) {
      this.#begin(row, sequence);
      words[base + HAS_SOURCE] = 1;
      words[base + SSRC] = ssrc;
      this.#doubles[row * DOUBLES + JITTER] = 0;
    } else if (!this.#advance(row, sequence)) {
      return;
    }
    const doubles = row * DOUBLES;
    this.#doubles[doubles + RECEIVED] = at(this.#doubles, doubles + RECEIVED) + 1;
    if (clockRateHz > 0) this.#jitter(row, timestamp, clockRateHz, nowMs);
  }

  /** SSRC of the last source, unsigned; -1 if none was heard. */
  ssrc(row: number): number {
    const base = row * WORDS;
    return this.#words[base + HAS_SOURCE] === 0 ? -1 : at(this.#words, base + SSRC) >>> 0;
  }

  /** Packets that all sources of the row sent, as far as their sequence numbers tell (RFC 3550 A.3). */
  packetsExpected(row: number): number {
    return at(this.#doubles, row * DOUBLES + PAST_EXPECTED) + this.#expected(row);
  }

  /** Packets lost; negative where there were more duplicates than losses; −2^23 to 2^23 − 1 (RFC 3550 A.3). */
  packetsLost(row: number): number {
    const doubles = row * DOUBLES;
    const received = at(this.#doubles, doubles + PAST_RECEIVED) + at(this.#doubles, doubles + RECEIVED);
    return Math.max(LOST_MIN, Math.min(LOST_MAX, this.packetsExpected(row) - received));
  }

  /** Interarrival jitter of the last source, milliseconds (RFC 3550 A.8). */
  jitterMs(row: number): number {
    return at(this.#doubles, row * DOUBLES + JITTER) * 1000;
  }

  /** Takes the sequence number in (RFC 3550 A.1); false if the packet is none to count. */
  #advance(row: number, sequence: number): boolean {
    const words = this.#words;
    const base = row * WORDS;
    const newest = at(words, base + NEWEST);
    const ahead = (sequence - newest) & 0xffff;
    if (ahead < DROPOUT_MAX) {
      if (sequence < newest) words[base + CYCLES] = at(words, base + CYCLES) + 1;
      words[base + NEWEST] = sequence;
    } else if (ahead <= SEQUENCE_NUMBERS - MISORDER_MAX) {
      // Far off: the next one in order confirms that the sender started afresh.
      if (words[base + RESTART] !== sequence) {
        words[base + RESTART] = (sequence + 1) & 0xffff;
        return false;
      }
      this.#begin(row, sequence);
    }
    return true;
  }

  /** Counts from `sequence` on; what was counted before becomes past. */
  #begin(row: number, sequence: number): void {
    const words = this.#words;
    const base = row * WORDS;
    const past = row * DOUBLES;
    const doubles = this.#doubles;
    doubles[past + PAST_EXPECTED] = at(doubles, past + PAST_EXPECTED) + this.#expected(row);
    doubles[past + PAST_RECEIVED] = at(doubles, past + PAST_RECEIVED) + at(doubles, past + RECEIVED);
    doubles[past + RECEIVED] = 0;
    words[base + BASE] = sequence;
    words[base + NEWEST] = sequence;
    words[base + CYCLES] = 0;
    words[base + RESTART] = -1;
    words[base + CLOCK_RATE] = 0; // its timestamps start afresh too
  }

  /** Packets that the present source sent. */
  #expected(row: number): number {
    const words = this.#words;
    const base = row * WORDS;
    if (words[base + HAS_SOURCE] === 0) return 0;
    const newest = at(words, base + CYCLES) * SEQUENCE_NUMBERS + at(words, base + NEWEST);
    return newest - at(words, base + BASE) + 1;
  }

  /** RFC 3550 A.8; kept in seconds, so that a payload type with another clock rate goes on with it. */
  #jitter(row: number, timestamp: number, clockRateHz: number, nowMs: number): void {
    const words = this.#words;
    const base = row * WORDS;
    const arrival = Math.round((nowMs * clockRateHz) / 1000);
    const transit = (arrival - timestamp) | 0;
    const isComparable = words[base + CLOCK_RATE] === clockRateHz;
    const difference = Math.abs((transit - at(words, base + TRANSIT)) | 0);
    words[base + TRANSIT] = transit;
    words[base + CLOCK_RATE] = clockRateHz;
    if (!isComparable || difference > CLOCK_JUMP_SECONDS * clockRateHz) return;
    const jitter = row * DOUBLES + JITTER;
    const before = at(this.#doubles, jitter);
    this.#doubles[jitter] = before + (difference / clockRateHz - before) / 16;
  }
}
