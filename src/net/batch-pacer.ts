/**
 * When a busy engine had better wait a moment before it looks for packets again.
 *
 * At low and middle rates most of a packet's cost is the wake-up it causes. A pause of a fraction of
 * a millisecond lets several packets share one. There is none when little is going on (nothing would
 * be shared) and none when a lot is (they are shared already).
 */

/** A pause pays if at least this many packets are expected meanwhile. */
export const PAUSE_PACKETS_MIN = 2;
/** A pause need not be longer than it takes for this many packets to come. */
export const PAUSE_PACKETS_WANTED = 12;
/** From this rate on, packets share wake-ups unasked: a pause would save little and only delay them. */
export const PACKETS_PER_SECOND_BUSY = 120_000;
/** After a batch of this many packets there are probably more already. */
export const BATCH_PACKETS_LARGE = 64;
/** The packet rate is taken over windows of at least this length. */
export const RATE_WINDOW_MICROSECONDS = 5000;

const PAUSE_MICROSECONDS_MIN = 20;

export class Pacer {
  readonly #pauseMicrosecondsMax: number;
  #windowStart = -1;
  #windowPackets = 0;
  #packetsPerMicrosecond = 0;

  /** `pauseMicrosecondsMax`: the longest pause, and with it the most latency that pausing adds; 0: none. */
  constructor(pauseMicrosecondsMax: number) {
    this.#pauseMicrosecondsMax = pauseMicrosecondsMax;
  }

  /**
   * Tells the pacer of a batch of `packets` that ended now; returns how long to pause, in
   * microseconds. `nowMicroseconds` is monotonic.
   */
  batchEnded(nowMicroseconds: number, packets: number): number {
    if (this.#windowStart < 0) this.#windowStart = nowMicroseconds;
    this.#windowPackets += packets;
    const elapsed = nowMicroseconds - this.#windowStart;
    if (elapsed >= RATE_WINDOW_MICROSECONDS) {
      this.#packetsPerMicrosecond = this.#windowPackets / elapsed;
      this.#windowStart = nowMicroseconds;
      this.#windowPackets = 0;
    }
    const rate = this.#packetsPerMicrosecond;
    if (packets === 0 || packets >= BATCH_PACKETS_LARGE) return 0;
    if (rate * this.#pauseMicrosecondsMax < PAUSE_PACKETS_MIN || rate * 1e6 >= PACKETS_PER_SECOND_BUSY)
      return 0;
    const pause = Math.min(this.#pauseMicrosecondsMax, PAUSE_PACKETS_WANTED / rate);
    return pause < PAUSE_MICROSECONDS_MIN ? 0 : Math.floor(pause);
  }
}
