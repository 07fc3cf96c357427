/** Tells, stream by stream, whether a sequence number is new, comes late or has been there before. */

export const ORDER_NEW = 0;
/** A later one has come before it. */
export const ORDER_LATE = 1;
export const ORDER_DUPLICATE = 2;

/** Sequence numbers behind the newest that are remembered; an older one counts as late, not as a copy. */
export const ORDER_WINDOW = 64;

/**
 * A stream takes 12 bytes: 6,000 of them are to stay in the processor's cache. Bit b of the window's
 * 64 stands for the newest number less b.
 */
export class SequenceOrder {
  readonly #next: Uint32Array;
  readonly #recent: Uint32Array;
  readonly #older: Uint32Array;

  constructor(streams: number) {
    this.#next = new Uint32Array(streams);
    this.#recent = new Uint32Array(streams);
    this.#older = new Uint32Array(streams);
  }

  /** Notes the number (32 bits, may wrap). A stream begins anywhere below 2^31. */
  note(stream: number, sequence: number): number {
    const ahead = (sequence - (this.#next[stream] as number)) | 0;
    if (ahead >= 0) {
      this.#next[stream] = sequence + 1;
      this.#shift(stream, ahead + 1);
      this.#recent[stream] = (this.#recent[stream] as number) | 1;
      return ORDER_NEW;
    }
    const behind = -ahead - 1;
    if (behind >= ORDER_WINDOW) return ORDER_LATE;
    const words = behind < 32 ? this.#recent : this.#older;
    const bit = 1 << (behind & 31);
    if (((words[stream] as number) & bit) !== 0) return ORDER_DUPLICATE;
    words[stream] = (words[stream] as number) | bit;
    return ORDER_LATE;
  }

  /** Moves the window on by `count`, 1 or more. */
  #shift(stream: number, count: number): void {
    const recent = this.#recent[stream] as number;
    if (count < 32) {
      this.#older[stream] = ((this.#older[stream] as number) << count) | (recent >>> (32 - count));
      this.#recent[stream] = recent << count;
    } else {
      this.#older[stream] = count < 64 ? recent << (count - 32) : 0;
      this.#recent[stream] = 0;
    }
  }
}
