/** Runs a load generator in a thread of its own. */
import { Worker } from 'node:worker_threads';
import { LoadError, type RunProgress } from './load-run.ts';

/** What the thread is given. */
export interface WorkerInput<Options> {
  readonly options: Options;
  readonly sockets: 'auto' | 'portable';
  /** One 32-bit word: not 0 once the run is to end. */
  readonly stop: SharedArrayBuffer;
}

/** What the thread tells. */
export type WorkerMessage<Result> =
  | { readonly kind: 'progress'; readonly progress: RunProgress }
  | { readonly kind: 'result'; readonly result: Result }
  | { readonly kind: 'error'; readonly message: string };

export interface LoadThread<Result> {
  /** @throws LoadError with a message for the user. */
  readonly result: Promise<Result>;
  /** Ends the run cleanly: what was had of the server is given back, and the result tells what there was. */
  stop(): void;
}

/** `worker`: the file beside this one whose thread it is; it calls `serveLoad` of load-worker. */
export function startLoad<Options, Result>(
  worker: 'turn-load-worker' | 'b2bua-load-worker',
  options: Options,
  sockets: 'auto' | 'portable',
  progress: (progress: RunProgress) => void,
): LoadThread<Result> {
  const stop = new SharedArrayBuffer(4);
  const workerData: WorkerInput<Options> = { options, sockets, stop };
  // This file's own extension tells whether it runs from source or compiled.
  const thread = new Worker(new URL(import.meta.url.replace('load-thread.', `${worker}.`)), { workerData });
  const result = new Promise<Result>((resolve, reject) => {
    thread.on('message', (message: WorkerMessage<Result>) => {
      if (message.kind === 'progress') progress(message.progress);
      else if (message.kind === 'result') resolve(message.result);
      else reject(new LoadError(message.message));
    });
    thread.on('error', (error) => reject(error));
    thread.on('exit', () => reject(new LoadError('the generator ended without a result')));
  });
  return {
    result,
    stop: () => {
      Atomics.store(new Int32Array(stop), 0, 1);
    },
  };
}
