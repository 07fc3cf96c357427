/**
 * The media plane of a node: the worker threads, what they share, and what they say together.
 *
 * On the `batch` engine datagram workers sleep in the kernel, each with its own SO_REUSEPORT listeners,
 * and one more worker hears TCP and TLS clients on its event loop. The `dgram` engine cannot share
 * ports between threads: one worker does all.
 */
import { randomBytes, randomInt } from 'node:crypto';
import { availableParallelism, networkInterfaces } from 'node:os';
import type { LinkTotals } from '../admin/call-status.ts';
import { ZONE, ZONE_COUNTERS } from '../b2bua/counters.ts';
import type { CallReport } from '../b2bua/inspect.ts';
import type { B2buaSettings, RelayRange } from '../b2bua/settings.ts';
import { B2buaSharedState } from '../b2bua/shared-state.ts';
import type { Config } from '../config/config.ts';
import type { TlsFiles } from '../config/files.ts';
import type { CounterBlock } from '../metrics/counters.ts';
import type { EngineChoice } from '../net/choose-engine.ts';
import { assertUdpPortFree } from '../net/udp-port.ts';
import type { AllocationReport } from '../turn/inspect.ts';
import { mergeRelayEvidence, type RelayEvidence } from '../turn/relay-evidence.ts';
import type { TurnCredential, TurnSettings } from '../turn/settings.ts';
import { TurnSharedState } from '../turn/shared-state.ts';
import { callWorkers, resolveB2buaSettings } from './b2bua-settings.ts';
import { resolveTurnSettings } from './turn-settings.ts';
import { WORKER_COUNTER_NAMES, type WorkerEvent, WorkerHandle } from './worker-handle.ts';
import type { B2buaPart, OpenedListener, TurnPart, WorkerSetup } from './worker-messages.ts';

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
  /** Undefined: this node has no TURN server. */
  readonly turn: TurnSettings | undefined;
  /** As the first worker with calls has them; undefined: this node has no B2BUA. */
  readonly b2bua: B2buaSettings | undefined;
  readonly engine: EngineChoice['kind'];
  readonly workers: readonly WorkerHandle[];
  /** Secret seed of hash tables, and of which call goes to which worker. */
  readonly hashSeed: number;

  private constructor(parts: Pick<MediaPlane, 'turn' | 'b2bua' | 'engine' | 'workers' | 'hashSeed'>) {
    this.turn = parts.turn;
    this.b2bua = parts.b2bua;
    this.engine = parts.engine;
    this.workers = parts.workers;
    this.hashSeed = parts.hashSeed;
  }

  /** Starts the workers one after the other; if one fails, ends those that run and rejects with its reason. */
  static async start(options: MediaPlaneOptions): Promise<MediaPlane> {
    const { config, configName, engine } = options;
    const turn = config.turn.services
      ? resolveTurnSettings(config, configName, networkInterfaces(), randomBytes(32))
      : undefined;
    for (const { protocol, address, port } of turn?.listeners ?? []) {
      if (protocol === 'udp') await assertUdpPortFree(address, port);
    }
    const hashSeed = randomInt(2 ** 32);
    const turnPart = turn && turnPartOf(options, turn);
    const b2buaParts = b2buaPartsOf(options, turn);
    const workers: WorkerHandle[] = [];
    try {
      for (const [index, hears] of threadsOf(options, turn).entries()) {
        const setup = {
          ...{ index, engine, hears, hashSeed },
          listenerBufferBytes: config.node.limits.listenerBufferBytes,
          relayBufferBytes: config.node.limits.relayBufferBytes,
          pauseMicrosecondsMax: config.node.limits.pauseMicrosecondsMax,
          turn: turnPart,
          b2bua: hears === 'streams' ? undefined : b2buaParts[index],
          ownMedia: b2buaParts,
        };
        workers.push(await WorkerHandle.start(setup, options.onEvent));
      }
    } catch (error) {
      await Promise.all(workers.map((worker) => worker.stop()));
      throw error;
    }
    for (const worker of workers) worker.onDeath((error) => options.onDeath(worker.index, error));
    return new MediaPlane({ turn, b2bua: b2buaParts[0]?.settings, engine, workers, hashSeed });
  }

  /** The workers that may have calls. */
  get callWorkers(): readonly WorkerHandle[] {
    return this.workers.filter(({ hasCalls }) => hasCalls);
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

  /** Traffic of each zone of the B2BUA since the start, all workers together. */
  links(): LinkTotals[] {
    return (this.b2bua?.zones ?? []).map(({ id, name }, zone) => {
      const total = (column: number): number =>
        this.callWorkers.reduce(
          (sum, { zoneCounters }) => sum + (zoneCounters[zone * ZONE_COUNTERS + column] ?? 0),
          0,
        );
      return {
        id,
        name,
        packetsReceived: total(ZONE.packetsReceived),
        bytesReceived: total(ZONE.bytesReceived),
        packetsSent: total(ZONE.packetsSent),
        bytesSent: total(ZONE.bytesSent),
        activeLegs: total(ZONE.legs),
      };
    });
  }

  /** Tells all calls which relayed addresses other nodes give out. */
  async setPeerRelays(ranges: readonly RelayRange[]): Promise<void> {
    await Promise.all(this.callWorkers.map((worker) => worker.ask({ command: 'peer-relays', ranges })));
  }

  async calls(callsMax: number): Promise<CallReport[]> {
    const reports = await Promise.all(
      this.callWorkers.map((worker) => worker.ask({ command: 'calls', callsMax })),
    );
    return reports.flat().slice(0, callsMax);
  }

  async call(id: string): Promise<CallReport | undefined> {
    const reports = await Promise.all(
      this.callWorkers.map((worker) => worker.ask({ command: 'call', reference: id })),
    );
    return reports.find((report) => report !== null) ?? undefined;
  }

  /** Why packets are not encrypted the fast way, one line; null: they are. */
  get slowCryptoReason(): string | null {
    return (
      this.callWorkers.find(({ slowCryptoReason }) => slowCryptoReason !== null)?.slowCryptoReason ?? null
    );
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

  /** Those of the transport addresses that are relayed ones of this node, or were a moment ago. */
  async relayEvidence(addresses: readonly string[]): Promise<RelayEvidence[]> {
    const ours = await Promise.all(
      this.workers.map((worker) => worker.ask({ command: 'relay-evidence', addresses })),
    );
    return mergeRelayEvidence(ours.flat());
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

function turnPartOf(
  { config, credentials, tls, reportsAllocations }: MediaPlaneOptions,
  settings: TurnSettings,
): TurnPart {
  const { streams, streamsPerAddress, halfOpenHandshakes } = config.turn.limits;
  return {
    settings,
    shared: new SharedArrayBuffer(TurnSharedState.bytes(settings)),
    credentials,
    streams: { connections: streams, connectionsPerAddress: streamsPerAddress, halfOpenHandshakes },
    tls: tls && { certificate: tls.certificate, key: tls.key },
    reportsAllocations,
  };
}

/** One for each worker that may have calls; they differ in the multiplexed ports they hear. */
function b2buaPartsOf(
  { config, configName, engine }: MediaPlaneOptions,
  turn: TurnSettings | undefined,
): B2buaPart[] {
  if (!config.b2bua.services) return [];
  const relayRanges = turn ? relayRangesOf(turn) : [];
  const count = callWorkers(config, engine === 'dgram' ? 1 : datagramThreads(config));
  const settings = Array.from({ length: count }, (_, worker) =>
    resolveB2buaSettings(config, configName, networkInterfaces(), worker, relayRanges),
  );
  const shared = new SharedArrayBuffer(B2buaSharedState.bytes(settings[0] as B2buaSettings));
  return settings.map((of) => ({ settings: of, shared }));
}

/** What each worker hears. */
function threadsOf(
  { config, engine }: MediaPlaneOptions,
  turn: TurnSettings | undefined,
): readonly WorkerSetup['hears'][] {
  const listeners = turn?.listeners ?? [];
  const hearsStreams = listeners.some(({ protocol }) => protocol !== 'udp');
  const hearsDatagrams = config.b2bua.services || listeners.some(({ protocol }) => protocol === 'udp');
  if (engine === 'dgram') return ['both'];
  return [
    ...(hearsDatagrams ? new Array<'datagrams'>(datagramThreads(config)).fill('datagrams') : []),
    ...(hearsStreams ? (['streams'] as const) : []),
  ];
}

function datagramThreads({ node }: Config): number {
  return node.workers === 'auto' ? availableParallelism() : node.workers;
}

/** What a TURN server gives out, as clients are told it. */
export function relayRangesOf({ relayAddresses, relayPorts }: TurnSettings): RelayRange[] {
  return relayAddresses.map(({ address, external }) => ({ address: external ?? address, ports: relayPorts }));
}
