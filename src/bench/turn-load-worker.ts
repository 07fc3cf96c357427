/**
 * The thread of a load generator. It turns in its own loop without an event loop; the main thread
 * stays free for signals and progress lines. Messages to the main thread: {@link WorkerMessage}.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { EngineUnavailableError } from '../net/engine.ts';
import type { GeneratorIo } from './generator-io.ts';
import { createLinuxIo } from './linux-io.ts';
import { createPortableIo } from './portable-io.ts';
import { endpointsNeeded, TurnLoad } from './turn-load.ts';
import type { WorkerInput, WorkerMessage } from './turn-load-thread.ts';

const { options, sockets, stop } = workerData as WorkerInput;
const stopped = new Int32Array(stop);

function post(message: WorkerMessage): void {
  parentPort?.postMessage(message);
}

function createIo(): GeneratorIo {
  const endpoints = endpointsNeeded(options);
  if (sockets === 'portable') return createPortableIo(endpoints);
  try {
    return createLinuxIo(endpoints);
  } catch (error) {
    if (!(error instanceof EngineUnavailableError)) throw error;
    return createPortableIo(endpoints);
  }
}

try {
  const load = new TurnLoad(
    createIo(),
    options,
    () => Atomics.load(stopped, 0) !== 0,
    (progress) => post({ kind: 'progress', progress }),
  );
  post({ kind: 'result', result: await load.run() });
} catch (error) {
  post({ kind: 'error', message: error instanceof Error ? error.message : String(error) });
}
