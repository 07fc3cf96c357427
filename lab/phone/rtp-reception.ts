/** What a receiver counts of one RTP source: RFC 3550 A.1 (sequence), A.3 (loss) and A.8 (jitter). */

const SEQUENCES = 65_536;
const DROPOUT_MAX = 3000;
const MISORDER_MAX = 100;
/** Sequence numbers back to which a packet is known to have come. */
const MEMORY = 4096;

export interface ReceptionReport {
  /** In 256ths, since the last report. */
  readonly fractionLost: number;
  readonly packetsLost: number;
  readonly highestSequence: number;
  /** In timestamp units. */
  readonly jitter: number;
}

export class RtpReception {
  heardPackets = 0;
  readonly #unitsPerMs: number;
  /** Extended sequence numbers, by their remainder. */
  readonly #seen = new Float64Array(MEMORY).fill(-1);
  #base = -1;
  #highest = -1;
  /** Two packets in a row beyond a jump mean that the source began anew; -1: no jump. */
  #afterJump = -1;
  /** Of the source before it began anew. */
  #lostBefore = 0;
  #heardSinceBase = 0;
  #transitUnits: number | undefined;
  #jitterUnits = 0;
  #reportedExpected = 0;
  #reportedHeard = 0;

  /** @param clockHz of timestamps */
  constructor(clockHz: number) {
    this.#unitsPerMs = clockHz / 1000;
  }

  /** @returns whether it is counted: not a duplicate, not the first packet beyond a jump */
  take(sequence: number, timestamp: number, arrivalMs: number): boolean {
    const extended = this.#extend(sequence);
    if (extended === undefined || this.#seen[extended % MEMORY] === extended) return false;
    this.#seen[extended % MEMORY] = extended;
    this.#base = Math.min(this.#base, extended);
    this.#highest = Math.max(this.#highest, extended);
    this.heardPackets++;
    this.#heardSinceBase++;
    this.#measureJitter(timestamp, arrivalMs);
    return true;
  }

  /** Sequence numbers between the first and the highest that did not come. */
  get lostPackets(): number {
    return this.#lostBefore + this.#expected - this.#heardSinceBase;
  }

  get jitterMs(): number {
    return this.#jitterUnits / this.#unitsPerMs;
  }

  /** Begins another interval of reports. */
  report(): ReceptionReport {
    const [expected, heard] = [this.#expected, this.#heardSinceBase];
    const expectedNow = expected - this.#reportedExpected;
    const lostNow = expectedNow - (heard - this.#reportedHeard);
    [this.#reportedExpected, this.#reportedHeard] = [expected, heard];
    return {
      fractionLost:
        expectedNow > 0 && lostNow > 0 ? Math.min(255, Math.floor((lostNow * 256) / expectedNow)) : 0,
      packetsLost: expected - heard,
      highestSequence: this.#highest % 2 ** 32,
      jitter: Math.floor(this.#jitterUnits),
    };
  }

  get #expected(): number {
    return this.#base < 0 ? 0 : this.#highest - this.#base + 1;
  }

  #extend(sequence: number): number | undefined {
    // One cycle in advance, so that what came before the first packet has a number.
    if (this.#base < 0) return this.#begin(SEQUENCES + sequence);
    const step = (sequence - this.#highest) & (SEQUENCES - 1);
    if (step < DROPOUT_MAX) {
      this.#afterJump = -1;
      return this.#highest + step;
    }
    if (step > SEQUENCES - MISORDER_MAX) return this.#highest + step - SEQUENCES;
    if (sequence === this.#afterJump)
      return this.#begin(this.#highest - (this.#highest % SEQUENCES) + SEQUENCES + sequence);
    this.#afterJump = (sequence + 1) & (SEQUENCES - 1);
    return undefined;
  }

  #begin(extended: number): number {
    this.#lostBefore = this.lostPackets;
    this.#base = this.#highest = extended;
    this.#heardSinceBase = this.#reportedExpected = this.#reportedHeard = 0;
    this.#afterJump = -1;
    return extended;
  }

  #measureJitter(timestamp: number, arrivalMs: number): void {
    const transit = arrivalMs * this.#unitsPerMs - timestamp;
    const change = this.#transitUnits === undefined ? 0 : transit - this.#transitUnits;
    this.#transitUnits = transit;
    // A timestamp that jumps (it wrapped, or the source began anew) says nothing of the network.
    if (Math.abs(change) < this.#unitsPerMs * 10_000)
      this.#jitterUnits += (Math.abs(change) - this.#jitterUnits) / 16;
  }
}
