/**
 * The media plane of a node: the worker threads, what they share, and what they say together.
 *
 * On the `batch` engine datagram workers sleep in the kernel, each with its own SO_REUSEPORT listeners,
 * and one more worker hears TCP and TLS clients on its event loop. The `dgram` engine cannot share
 * ports between threads: one worker does all.
 */
import { randomBytes, randomInt } from 'node:crypto';
import { availableParallelism, networkInterfaces } from 'node:os';
import type { Config } from '../config/config.ts';
import type { TlsFiles } from '../config/files.ts';
import type { CounterBlock } from '../metrics/counters.ts';
import type { EngineChoice } from '../net/choose-engine.ts';
import { assertUdpPortFree } from '../net/udp-port.ts';
import type { AllocationReport } from '../turn/inspect.ts';
import type { TurnCredential, TurnSettings } from '../turn/settings.ts';
import { TurnSharedState } from '../turn/shared-state.ts';
import { resolveTurnSettings } from './turn-settings.ts';
import { WORKER_COUNTER_NAMES, type WorkerEvent, WorkerHandle } from './worker-handle.ts';
import type { OpenedListener, WorkerSetup } from './worker-messages.ts';

export interface MediaPlaneOptions {
  readonly config: Config;
  /** Where the configuration came from, for messages. */
  readonly configName: string;
  readonly engine: EngineChoice['kind'];
  readonly credentials: readonly TurnCredential[];
  readonly tls: TlsFiles | undefined;
  readonly reportsAllocations: boolean;
  onEvent(event: WorkerEvent): void;
  onDeath(worker: number, error: Error): void;
}

/** The report of all workers together. */
export interface MediaPlaneReport {
  readonly allocations: readonly (AllocationReport & { readonly worker: number })[];
  readonly allocationsTotal: number;
  readonly clients: number;
}

export class MediaPlane {
  readonly settings: TurnSettings;
  readonly engine: EngineChoice['kind'];
  readonly workers: readonly WorkerHandle[];

  private constructor(
    settings: TurnSettings,
    engine: EngineChoice['kind'],
    workers: readonly WorkerHandle[],
  ) {
    this.settings = settings;
    this.engine = engine;
    this.workers = workers;
  }

  /** Starts the workers one after the other; if one fails, ends those that run and rejects with its reason. */
  static async start(options: MediaPlaneOptions): Promise<MediaPlane> {
    const { config } = options;
    const settings = resolveTurnSettings(config, options.configName, networkInterfaces(), randomBytes(32));
    for (const { protocol, address, port } of settings.listeners) {
      if (protocol === 'udp') await assertUdpPortFree(address, port);
    }
    const common: Omit<WorkerSetup, 'index' | 'hears' | 'counters'> = {
      engine: options.engine,
      turn: settings,
      turnShared: new SharedArrayBuffer(TurnSharedState.bytes(settings)),
      hashSeed: randomInt(2 ** 32),
      credentials: options.credentials,
      listenerBufferBytes: config.node.limits.listenerBufferBytes,
      relayBufferBytes: config.node.limits.relayBufferBytes,
      pauseMicrosecondsMax: config.node.limits.pauseMicrosecondsMax,
      streams: {
        connections: config.turn.limits.streams,
        connectionsPerAddress: config.turn.limits.streamsPerAddress,
        halfOpenHandshakes: config.turn.limits.halfOpenHandshakes,
      },
      tls: options.tls && { certificate: options.tls.certificate, key: options.tls.key },
      reportsAllocations: options.reportsAllocations,
    };
    const workers: WorkerHandle[] = [];
    try {
      for (const [index, hears] of parts(options.engine, config, settings).entries()) {
        workers.push(await WorkerHandle.start({ ...common, index, hears }, options.onEvent));
      }
    } catch (error) {
      await Promise.all(workers.map((worker) => worker.stop()));
      throw error;
    }
    for (const worker of workers) worker.onDeath((error) => options.onDeath(worker.index, error));
    return new MediaPlane(settings, options.engine, workers);
  }

  /** What came of a listener of the settings; where several workers share it, at the first of them. */
  openedListener(index: number): OpenedListener | undefined {
    return this.workers.flatMap(({ listeners }) => listeners).find(({ listener }) => listener === index);
  }

  counters(): CounterBlock[] {
    return this.workers.map(({ index, counters }) => ({
      worker: String(index),
      names: WORKER_COUNTER_NAMES,
      values: counters,
    }));
  }

  async report(allocationsMax: number): Promise<MediaPlaneReport> {
    const reports = await Promise.all(
      this.workers.map(async (worker) => ({
        worker: worker.index,
        report: await worker.ask({ command: 'report', allocationsMax }),
      })),
    );
    const allocations = reports.flatMap(({ worker, report }) =>
      report.allocations.map((allocation) => ({ ...allocation, worker })),
    );
    return {
      allocations: allocations.slice(0, allocationsMax),
      allocationsTotal: reports.reduce((sum, { report }) => sum + report.allocationsTotal, 0),
      clients: new Set(reports.flatMap(({ report }) => report.clientAddresses)).size,
    };
  }

  /** The workers that do not answer. */
  async stuckWorkers(): Promise<number[]> {
    const alive = await Promise.all(this.workers.map((worker) => worker.isAlive()));
    return this.workers.filter((_, i) => !alive[i]).map(({ index }) => index);
  }

  async setUser(credential: TurnCredential): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.ask({ command: 'set-user', credential })));
  }

  /** Removes a user from all workers; returns how many allocations that ended. */
  async removeUser(name: string): Promise<number> {
    const ended = await Promise.all(
      this.workers.map((worker) => worker.ask({ command: 'remove-user', name })),
    );
    return ended.reduce((sum, count) => sum + count, 0);
  }

  async reloadTls(tls: TlsFiles): Promise<void> {
    const pem = { certificate: tls.certificate, key: tls.key };
    await Promise.all(this.workers.map((worker) => worker.ask({ command: 'reload-tls', tls: pem })));
  }

  async stop(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.stop()));
  }
}

/** What each worker hears. */
function parts(
  engine: EngineChoice['kind'],
  config: Config,
  settings: TurnSettings,
): readonly WorkerSetup['hears'][] {
  const hearsStreams = settings.listeners.some(({ protocol }) => protocol !== 'udp');
  const hearsDatagrams = settings.listeners.some(({ protocol }) => protocol === 'udp');
  if (engine === 'dgram') return ['both'];
  const threads = config.node.workers === 'auto' ? availableParallelism() : config.node.workers;
  return [
    ...(hearsDatagrams ? new Array<'datagrams'>(threads).fill('datagrams') : []),
    ...(hearsStreams ? (['streams'] as const) : []),
  ];
}
