/** Waiting for what another process does. */
import { setTimeout as delay } from 'node:timers/promises';
import { lastWords, type Program } from './program.ts';

const POLL_MS = 40;
const TIMEOUT_MS = 10_000;

export interface WaitOptions {
  /** 10 s where not given. */
  readonly timeoutMs?: number;
  /** That it is up to: its end ends the wait, and its last words are part of the error. */
  readonly program?: Program;
}

/**
 * Waits until `condition` holds, asking again every 40 ms.
 * @throws Error that names `what` when it does not hold in time
 */
export async function waitFor(
  what: string,
  condition: () => boolean | Promise<boolean>,
  { timeoutMs = TIMEOUT_MS, program }: WaitOptions = {},
): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  const said = (): string => (program ? `: ${lastWords(program.output())}` : '');
  while (!(await condition())) {
    if (program?.end() !== undefined) throw new Error(`${what}: it has ended${said()}`);
    if (performance.now() > deadlineMs) throw new Error(`${what}: not within ${timeoutMs / 1000} s${said()}`);
    await delay(POLL_MS);
  }
}
