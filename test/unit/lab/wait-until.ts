/** Waiting for a condition, not for a time. */
import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 20;
const LIMIT_MS = 25_000;

/** @throws Error (rejects) with what is the case instead, long after it should have come true */
export async function waitUntil(isTrue: () => boolean, tell: () => string = () => ''): Promise<void> {
  const endMs = performance.now() + LIMIT_MS;
  while (!isTrue()) {
    if (performance.now() > endMs) throw new Error(`not within ${LIMIT_MS} ms: ${isTrue} ${tell()}`);
    await delay(POLL_MS);
  }
}
