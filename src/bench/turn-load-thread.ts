/** Runs a {@link TurnLoad} in a thread of its own. */
import { Worker } from 'node:worker_threads';
import type { TurnLoadResult } from './result.ts';
import { TurnLoadError, type TurnLoadProgress } from './turn-load.ts';
import type { TurnLoadOptions } from './turn-load-options.ts';

/** What the thread is given. */
export interface WorkerInput {
  readonly options: TurnLoadOptions;
  readonly sockets: 'auto' | 'portable';
  /** One 32-bit word: not 0 once the run is to end. */
  readonly stop: SharedArrayBuffer;
}

/** What the thread tells. */
export type WorkerMessage =
  | { readonly kind: 'progress'; readonly progress: TurnLoadProgress }
  | { readonly kind: 'result'; readonly result: TurnLoadResult }
  | { readonly kind: 'error'; readonly message: string };

export interface TurnLoadThread {
  /** @throws TurnLoadError with a message for the user. */
  readonly result: Promise<TurnLoadResult>;
  /** Ends the run cleanly: relays are given back, and the result tells what there was. */
  stop(): void;
}

export function startTurnLoad(
  options: TurnLoadOptions,
  sockets: 'auto' | 'portable',
  progress: (progress: TurnLoadProgress) => void,
): TurnLoadThread {
  const stop = new SharedArrayBuffer(4);
  const workerData: WorkerInput = { options, sockets, stop };
  const worker = new Worker(new URL(import.meta.url.replace('-thread.', '-worker.')), { workerData });
  const result = new Promise<TurnLoadResult>((resolve, reject) => {
    worker.on('message', (message: WorkerMessage) => {
      if (message.kind === 'progress') progress(message.progress);
      else if (message.kind === 'result') resolve(message.result);
      else reject(new TurnLoadError(message.message));
    });
    worker.on('error', (error) => reject(error));
    worker.on('exit', () => reject(new TurnLoadError('the generator ended without a result')));
  });
  return {
    result,
    stop: () => {
      Atomics.store(new Int32Array(stop), 0, 1);
    },
  };
}
