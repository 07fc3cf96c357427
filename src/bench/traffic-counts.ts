/** Counts of what a run sends and what arrives of it, whatever the packets look like. */
import { SEND_FAILED, SEND_FULL } from './generator-io.ts';
import { LatencyHistogram } from './histogram.ts';
import { ORDER_DUPLICATE, ORDER_LATE, SequenceOrder } from './sequence-order.ts';

export const UP = 0;
export const DOWN = 1;

/** Counts of one direction. The counts are of packets sent within the measured window, whenever they arrived. */
export class DirectionTally {
  /** Handed to the kernel, or refused by it (`sendErrors`, a part of `sent`). */
  sent = 0;
  sendErrors = 0;
  /** Each packet once. */
  received = 0;
  /** Arrived after a later one of the same flow. */
  outOfOrder = 0;
  /** Arrived once more. */
  duplicates = 0;
  /** Arrived on another flow's socket, or with other bytes than sent; in the window or not. */
  wrong = 0;
  /** Failed the check of its authentication tag; in the window or not. */
  forged = 0;
  /** One-way, nanoseconds. */
  readonly latency: LatencyHistogram = new LatencyHistogram();
}

/** Counts since the last progress line, both directions, measured window or not. */
export class RecentTally {
  sent = 0;
  received = 0;
  readonly latency: LatencyHistogram = new LatencyHistogram();

  reset(): void {
    this.sent = this.received = 0;
    this.latency.reset();
  }
}

export class TrafficCounts {
  /** By direction: {@link UP}, {@link DOWN}. */
  readonly tallies: readonly [DirectionTally, DirectionTally] = [new DirectionTally(), new DirectionTally()];
  readonly recent: RecentTally = new RecentTally();
  /** Packets sent at or after the first and before the second are counted in {@link tallies}. */
  windowStartNs: number = Number.POSITIVE_INFINITY;
  windowEndNs: number = Number.POSITIVE_INFINITY;
  readonly #order: SequenceOrder;

  /** `flows`: each has a stream of sequence numbers a direction. */
  constructor(flows: number) {
    this.#order = new SequenceOrder(flows * 2);
  }

  /** Notes a packet given to the kernel, with the `SEND_…` outcome. */
  sent(direction: number, sentNs: number, outcome: number): void {
    this.recent.sent++;
    if (!this.#isMeasured(sentNs)) return;
    const tally = this.#tally(direction);
    tally.sent++;
    // "Refused" is the server gone: loss, not a fault of the generator.
    if (outcome === SEND_FULL || outcome === SEND_FAILED) tally.sendErrors++;
  }

  /** Notes a packet that arrived as it should; `sequence` counts in 32 bits. */
  received(direction: number, flow: number, sequence: number, sentNs: number, receivedNs: number): void {
    const order = this.#order.note(flow * 2 + direction, sequence);
    const tally = this.#tally(direction);
    if (order === ORDER_DUPLICATE) {
      if (this.#isMeasured(sentNs)) tally.duplicates++;
      return;
    }
    const latencyNs = receivedNs - sentNs;
    this.recent.received++;
    this.recent.latency.record(latencyNs);
    if (!this.#isMeasured(sentNs)) return;
    tally.received++;
    if (order === ORDER_LATE) tally.outOfOrder++;
    tally.latency.record(latencyNs);
  }

  wrong(direction: number): void {
    this.#tally(direction).wrong++;
  }

  forged(direction: number): void {
    this.#tally(direction).forged++;
  }

  /** A packet known for a copy before it could be read: counted as if it were of the window. */
  duplicate(direction: number): void {
    this.#tally(direction).duplicates++;
  }

  #isMeasured(sentNs: number): boolean {
    return sentNs >= this.windowStartNs && sentNs < this.windowEndNs;
  }

  #tally(direction: number): DirectionTally {
    return this.tallies[direction] as DirectionTally;
  }
}
