/**
 * Packets at a fixed rate: says how many are due, and owns up to those it could not offer in time.
 *
 * Packet k is due at start + k / rate. A generator that was held up (descheduled, a slow system call)
 * may catch up a little; what is further behind is skipped and counted, because a burst of old
 * packets would measure the buffers of the server rather than its speed at the offered rate.
 */

/** How far behind schedule packets are still sent, milliseconds. */
const CATCH_UP_MS_MAX = 5;
/** A slow rate may catch up this many packets in any case. */
const CATCH_UP_PACKETS_MIN = 4;

export class Pacer {
  readonly #intervalNs: number;
  readonly #backlogMax: number;
  readonly #startNs: number;
  #issued = 0;
  #skipped = 0;

  /** `packetsPerSecond` above 0; the first packet is due at `startNs`. */
  constructor(packetsPerSecond: number, startNs: number) {
    this.#intervalNs = 1e9 / packetsPerSecond;
    this.#backlogMax = Math.max(
      CATCH_UP_PACKETS_MIN,
      Math.floor((packetsPerSecond * CATCH_UP_MS_MAX) / 1000),
    );
    this.#startNs = startNs;
  }

  /** Packets given up because the generator came too late for them. */
  get skipped(): number {
    return this.#skipped;
  }

  /** When the next packet is due, nanoseconds. */
  get nextNs(): number {
    return this.#startNs + this.#issued * this.#intervalNs;
  }

  /** How many packets to send at `nowNs`, at most `burstMax`; they count as sent. */
  take(nowNs: number, burstMax: number): number {
    const scheduled = Math.floor((nowNs - this.#startNs) / this.#intervalNs) + 1;
    let due = scheduled - this.#issued;
    if (due <= 0) return 0;
    if (due > this.#backlogMax) {
      const late = due - this.#backlogMax;
      this.#skipped += late;
      this.#issued += late;
      due = this.#backlogMax;
    }
    const taken = Math.min(due, burstMax);
    this.#issued += taken;
    return taken;
  }
}
