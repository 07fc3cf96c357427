/** Ticks that keep time on average: after a stall of the process, those that were due come at once. */
import type { Clock } from './ice-agent.ts';

/** More are left out: what is due after a long sleep nobody waits for. */
const CATCH_UP_MAX = 100;

export class Pacer {
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #tick: (number: number) => void;
  #startedMs = 0;
  #next = 0;
  #isRunning = false;

  /** @param tick called with 0, 1, 2, …; numbers of ticks left out are not used again */
  constructor(clock: Clock, intervalMs: number, tick: (number: number) => void) {
    this.#clock = clock;
    this.#intervalMs = intervalMs;
    this.#tick = tick;
  }

  start(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#startedMs = this.#clock.nowMs;
    this.#next = 0;
    this.#run();
  }

  stop(): void {
    this.#isRunning = false;
  }

  #run(): void {
    if (!this.#isRunning) return;
    const due = Math.floor((this.#clock.nowMs - this.#startedMs) / this.#intervalMs);
    this.#next = Math.max(this.#next, due - CATCH_UP_MAX + 1);
    while (this.#next <= due && this.#isRunning) this.#tick(this.#next++);
    const waitMs = this.#startedMs + this.#next * this.#intervalMs - this.#clock.nowMs;
    this.#clock.after(Math.max(1, waitMs), () => this.#run());
  }
}
