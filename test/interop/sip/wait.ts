/** Waiting for what another process does. */
import { setTimeout as delay } from 'node:timers/promises';
import { tail } from '../processes.ts';

const POLL_MS = 40;
const TIMEOUT_MS = 10_000;

export interface WaitOptions {
  /** 10 s where not given. */
  readonly timeoutMs?: number;
  /** Output of the process concerned, for the error's text. */
  readonly log?: () => string;
}

/**
 * Waits until `condition` holds, asking again every 40 ms.
 * @throws Error that names `what` when it does not hold in time
 */
export async function waitFor(
  what: string,
  condition: () => boolean | Promise<boolean>,
  options: WaitOptions = {},
): Promise<void> {
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
  const deadlineMs = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadlineMs) {
      const log = options.log === undefined ? '' : `\n--- log\n${tail(options.log(), 40)}`;
      throw new Error(`${what}: not within ${timeoutMs} ms${log}`);
    }
    await delay(POLL_MS);
  }
}
