/** Runs an operation of a {@link RequestWindow} to its end: the control phases of a run. */
import { drive, OVER } from './drive.ts';
import type { GeneratorIo } from './generator-io.ts';
import { LoadError, type RunProgress } from './load-run.ts';
import type { RequestWindow } from './request-window.ts';

export interface RequestRunOptions {
  readonly phase: string;
  /** Clients that take part. */
  readonly of: number;
  /** Once it is true nothing new is begun, and answers under way are waited for a second longer. */
  isStopped(): boolean;
  progress(progress: RunProgress): void;
  /** The longest it may take. */
  readonly nsMax?: number;
  readonly only?: ReadonlySet<number>;
  /** The server's address, for the first operation of a run: nothing listening there ends the run. */
  readonly unproven?: string;
}

const NS_PER_MS = 1_000_000;
const NS_PER_SECOND = 1_000_000_000;
const PROGRESS_NS = NS_PER_SECOND;
const STOP_GRACE_NS = NS_PER_SECOND;
/** Timers are looked at this often. */
export const CONTROL_WAIT_NS: number = 5 * NS_PER_MS;

/** @throws LoadError if nothing listens at the server. */
export async function runRequests<Operation>(
  io: GeneratorIo,
  requests: RequestWindow<Operation>,
  operation: Operation,
  { isStopped, nsMax, of, only, phase, progress, unproven }: RequestRunOptions,
): Promise<void> {
  const startNs = io.nowNs();
  let endNs = startNs + (nsMax ?? Number.POSITIVE_INFINITY);
  let reportedNs = startNs;
  let isCancelled = false;
  requests.begin(operation, startNs / NS_PER_MS, only);
  await drive(io, true, (nowNs) => {
    if (!isCancelled && isStopped()) {
      isCancelled = true;
      requests.cancel();
      // What the answers under way bring is to be given back.
      endNs = Math.min(endNs, nowNs + STOP_GRACE_NS);
    }
    if (unproven !== undefined && requests.tally.done === 0 && io.refusals > 0) {
      throw new LoadError(`nothing listens at ${unproven} (port unreachable)`);
    }
    requests.step(nowNs / NS_PER_MS);
    if (nowNs - reportedNs >= PROGRESS_NS) {
      reportedNs = nowNs;
      progress({ phase, done: requests.tally.done, of });
    }
    return requests.isOver || nowNs > endNs ? OVER : CONTROL_WAIT_NS;
  });
}

/** @throws LoadError if an operation failed for some client. */
export function demandAll(
  what: string,
  requests: { readonly done: number; readonly failed: number; readonly failures: readonly string[] },
): void {
  const { done, failed, failures } = requests;
  if (failed === 0) return;
  throw new LoadError(`${done} of ${done + failed} ${what} succeeded; ${failures[0] ?? ''}`);
}
