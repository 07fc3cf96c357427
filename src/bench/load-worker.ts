/**
 * The thread of a load generator. It turns in its own loop without an event loop; the main thread
 * stays free for signals and progress lines. Messages to the main thread: {@link WorkerMessage}.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { EngineUnavailableError } from '../net/engine.ts';
import type { GeneratorIo } from './generator-io.ts';
import { createLinuxIo } from './linux-io.ts';
import type { RunProgress } from './load-run.ts';
import type { WorkerInput, WorkerMessage } from './load-thread.ts';
import { createPortableIo } from './portable-io.ts';

/** What a run is given by its thread. */
export interface LoadSurroundings {
  /** The generator's sockets, with so many rows in the endpoint book. */
  createIo(endpoints: number): GeneratorIo;
  /** Asked often; may come true at any time. */
  isStopped(): boolean;
  progress(progress: RunProgress): void;
}

/** The thread's body: runs the load that it was started for, and posts what comes of it. */
export async function serveLoad<Options, Result>(
  run: (options: Options, surroundings: LoadSurroundings) => Promise<Result>,
): Promise<void> {
  const { options, sockets, stop } = workerData as WorkerInput<Options>;
  const stopped = new Int32Array(stop);
  const post = (message: WorkerMessage<Result>): void => {
    parentPort?.postMessage(message);
  };
  try {
    const result = await run(options, {
      createIo: (endpoints) => createIo(sockets, endpoints),
      isStopped: () => Atomics.load(stopped, 0) !== 0,
      progress: (progress) => post({ kind: 'progress', progress }),
    });
    post({ kind: 'result', result });
  } catch (error) {
    post({ kind: 'error', message: error instanceof Error ? error.message : String(error) });
  }
}

function createIo(sockets: 'auto' | 'portable', endpoints: number): GeneratorIo {
  if (sockets === 'portable') return createPortableIo(endpoints);
  try {
    return createLinuxIo(endpoints);
  } catch (error) {
    if (!(error instanceof EngineUnavailableError)) throw error;
    return createPortableIo(endpoints);
  }
}
