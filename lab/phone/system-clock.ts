/** The clock and timers of the process. */
import type { Clock } from './ice-agent.ts';

export const SYSTEM_CLOCK: Clock = {
  get nowMs() {
    return performance.now();
  },
  after(delayMs, happen) {
    setTimeout(happen, delayMs);
  },
};
