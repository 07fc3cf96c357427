/** The main thread's end of a media worker: starts it, sends commands, reads its counters. */
import { writeSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { B2BUA_COUNTER_NAMES, ZONE_COUNTERS } from '../b2bua/counters.ts';
import { ENGINE_COUNTER_NAMES } from '../net/engine.ts';
import { TURN_COUNTER_NAMES } from '../turn/counters.ts';
import type {
  OpenedListener,
  WorkerAnswers,
  WorkerCommand,
  WorkerMessage,
  WorkerRequest,
  WorkerSetup,
} from './worker-messages.ts';

/** Names of a worker's counters, in the order of its shared memory. */
export const WORKER_COUNTER_NAMES: readonly string[] = [
  ...ENGINE_COUNTER_NAMES,
  ...TURN_COUNTER_NAMES,
  ...B2BUA_COUNTER_NAMES,
];

/** Messages that a worker sends unasked. */
export type WorkerEvent = Extract<
  WorkerMessage,
  { say: 'allocated' | 'ended' | 'rate-limited' | 'call-ended' | 'unknown-flag' }
>;

/** What the handle itself adds to a worker's setup. */
type WorkerPlan = Omit<WorkerSetup, 'counters' | 'zoneCounters'>;

/** A worker could not start, or died. The message is one line. */
export class WorkerFailedError extends Error {
  readonly code = 'WORKER_FAILED';
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** Beside this file, in `src/` as in `dist/`. */
const WORKER_FILE = new URL(
  import.meta.url.endsWith('.ts') ? './media-worker.ts' : './media-worker.js',
  import.meta.url,
);
/** A worker answers between two batches; one that takes longer than this is stuck. */
const ANSWER_MS_MAX = 2000;
const STOP_MS_MAX = 5000;
/** Relaying makes no garbage and requests make little: a small nursery keeps collections short and memory flat. */
const YOUNG_GENERATION_MB = 4;
const WAKE = Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0); // an eventfd takes a 64-bit number

export class WorkerHandle {
  readonly index: number;
  readonly hears: WorkerSetup['hears'];
  readonly counters: Float64Array;
  /** `ZONE_COUNTERS` places a zone of the B2BUA. */
  readonly zoneCounters: Float64Array;
  readonly hasCalls: boolean;
  listeners: readonly OpenedListener[] = [];
  slowCryptoReason: string | null = null;
  readonly #thread: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly #exited: Promise<void>;
  #lastId = 0;
  #wakeDescriptor = -1;
  #isDead = false;

  private constructor(setup: WorkerPlan, onEvent: (event: WorkerEvent) => void) {
    const counters = new SharedArrayBuffer(WORKER_COUNTER_NAMES.length * Float64Array.BYTES_PER_ELEMENT);
    const zones = setup.b2bua?.settings.zones.length ?? 0;
    const zoneCounters = new SharedArrayBuffer(zones * ZONE_COUNTERS * Float64Array.BYTES_PER_ELEMENT);
    const workerData: WorkerSetup = { ...setup, counters, zoneCounters };
    this.index = setup.index;
    this.hears = setup.hears;
    this.hasCalls = setup.b2bua !== undefined;
    this.counters = new Float64Array(counters);
    this.zoneCounters = new Float64Array(zoneCounters);
    this.#thread = new Worker(WORKER_FILE, {
      workerData,
      name: `media ${setup.index}`,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    });
    this.#exited = new Promise((resolve) => {
      this.#thread.once('exit', () => resolve());
    });
    this.#thread.on('message', (message: WorkerMessage) => {
      if (message.say === 'answer') this.#settle(message.id)?.resolve(message.value);
      else if (message.say === 'refused') this.#settle(message.id)?.reject(new Error(message.reason));
      else if (message.say !== 'ready' && message.say !== 'failed') onEvent(message);
    });
  }

  /** Starts a worker and waits until its listeners are open. Rejects with {@link WorkerFailedError}. */
  static async start(setup: WorkerPlan, onEvent: (event: WorkerEvent) => void): Promise<WorkerHandle> {
    const handle = new WorkerHandle(setup, onEvent);
    try {
      const { wakeDescriptor, listeners, slowCryptoReason } = await handle.#ready();
      handle.#wakeDescriptor = wakeDescriptor;
      handle.listeners = listeners;
      handle.slowCryptoReason = slowCryptoReason;
      return handle;
    } catch (error) {
      await handle.#thread.terminate();
      throw error;
    }
  }

  /** Calls back once if the thread dies without having been told to stop. */
  onDeath(callback: (error: Error) => void): void {
    const died = (error: Error): void => {
      this.#isDead = true;
      for (const waiting of this.#waiting.values()) waiting.reject(error);
      this.#waiting.clear();
      callback(error);
    };
    this.#thread.once('error', died);
  }

  /** Rejects with the worker's reason if it refuses. */
  ask<Name extends WorkerCommand['command']>(
    command: Extract<WorkerCommand, { command: Name }>,
  ): Promise<WorkerAnswers[Name]> {
    const id = ++this.#lastId;
    const request: WorkerRequest = { ...command, id };
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve: (value) => resolve(value as WorkerAnswers[Name]), reject });
      this.#thread.postMessage(request);
      // A worker that sleeps in the kernel does not see its messages until it is woken.
      if (this.hears === 'datagrams' && this.#wakeDescriptor >= 0) writeSync(this.#wakeDescriptor, WAKE);
    });
  }

  /** Whether the worker answers, and soon. */
  async isAlive(): Promise<boolean> {
    return within(ANSWER_MS_MAX, this.ask({ command: 'report', allocationsMax: 0 }));
  }

  /** Ends the worker's allocations and listeners, and waits for its thread; one that does not end is ended. */
  async stop(): Promise<void> {
    if (this.#isDead) return;
    const ended = this.ask({ command: 'stop' }).then(() => this.#exited);
    if (!(await within(STOP_MS_MAX, ended))) await this.#thread.terminate();
  }

  #settle(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }

  #ready(): Promise<Extract<WorkerMessage, { say: 'ready' }>> {
    return new Promise((resolve, reject) => {
      this.#thread.on('message', (message: WorkerMessage) => {
        if (message.say === 'ready') resolve(message);
        else if (message.say === 'failed') reject(new WorkerFailedError(message.reason));
      });
      this.#thread.once('error', (error) => reject(new WorkerFailedError(String(error))));
      this.#thread.once('exit', () =>
        reject(new WorkerFailedError('a media worker ended before it was ready')),
      );
    });
  }
}

/** Whether the promise is fulfilled within the time. */
async function within(milliseconds: number, promise: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), milliseconds);
  });
  const done = promise.then(
    () => true,
    () => false,
  );
  return Promise.race([done, late]).finally(() => clearTimeout(timer));
}
