/** What the admin server may ask of a node, answered from the media plane and the credential store. */
import type { Logger } from 'pino';
import type { CallStatus, CallsStatus, LinkTotals } from '../admin/call-status.ts';
import type {
  AdminSource,
  CredentialAdmin,
  NodeIceMetrics,
  NodeStatus,
  RelayEvidence,
  TrafficTotals,
  TurnRelayStatus,
  TurnStatus,
} from '../admin/source.ts';
import type { CallReport } from '../b2bua/inspect.ts';
import type { NgDictionary } from '../b2bua/ng-request.ts';
import type { Config } from '../config/config.ts';
import type { CallRecord } from '../metrics/call-record.ts';
import { countersByReason, sumCounters } from '../metrics/counters.ts';
import {
  ICE_METRIC_NAMES,
  type IceIntervalReport,
  type IceMetricsReport,
  noCalls,
} from '../metrics/ice-metrics.ts';
import { PrometheusMetrics } from '../metrics/prometheus.ts';
import type { AllocationReport } from '../turn/inspect.ts';
import type { CallMetrics } from './call-metrics.ts';
import type { CredentialStore } from './credential-store.ts';
import { type MediaPlane, relayRangesOf } from './media-plane.ts';
import type { NgRouter } from './ng-router.ts';
import type { PeerIceInterval, PeerIceMetrics } from './peer-client.ts';
import { packageVersion } from './version.ts';

export interface NodeAdminParts {
  readonly config: Config;
  readonly engine: string;
  /** Undefined: this node moves no media. */
  readonly media: MediaPlane | undefined;
  /** Undefined: it has no B2BUA. */
  readonly router: NgRouter | undefined;
  /** Undefined where there are no calls. */
  readonly metrics: CallMetrics | undefined;
  readonly store: CredentialStore;
  readonly log: Logger;
}

export class NodeAdmin implements AdminSource {
  readonly credentials: CredentialAdmin;
  readonly #config: Config;
  readonly #engine: string;
  readonly #media: MediaPlane | undefined;
  readonly #router: NgRouter | undefined;
  readonly #calls: CallMetrics | undefined;
  readonly #metrics: PrometheusMetrics;
  readonly #version = packageVersion();
  readonly #startedMs = Date.now();

  constructor({ config, engine, media, router, metrics, store, log }: NodeAdminParts) {
    this.#config = config;
    this.#engine = engine;
    this.#media = media;
    this.#router = router;
    this.#calls = metrics;
    this.credentials = credentialAdmin(media, store, log);
    this.#metrics = new PrometheusMetrics({
      counters: () => [...(media?.counters() ?? []), ...(metrics?.counters() ?? [])],
      links: () => this.links(),
      iceCounters: () => metrics?.store.iceCounters() ?? {},
      workers: () => media?.workers.length ?? 0,
      engine: () => engine,
      version: this.#version,
    });
  }

  traffic(): TrafficTotals {
    const sums = this.#sums();
    return {
      packetsClientToPeer: sums.clientToPeerPackets ?? 0,
      bytesClientToPeer: sums.clientToPeerBytes ?? 0,
      packetsPeerToClient: sums.peerToClientPackets ?? 0,
      bytesPeerToClient: sums.peerToClientBytes ?? 0,
    };
  }

  links(): LinkTotals[] {
    return this.#media?.links() ?? [];
  }

  async ng(command: NgDictionary): Promise<NgDictionary | undefined> {
    return this.#router?.handle(command);
  }

  async relayEvidence(addresses: readonly string[]): Promise<readonly RelayEvidence[]> {
    return (await this.#media?.relayEvidence(addresses)) ?? [];
  }

  async calls(callsMax: number): Promise<CallsStatus> {
    const calls = (await this.#media?.calls(callsMax)) ?? [];
    return { callsTotal: this.#sums().calls ?? 0, calls: calls.map(callStatus) };
  }

  async call(id: string): Promise<CallStatus | undefined> {
    const call = await this.#media?.call(id);
    return call && callStatus(call);
  }

  callHistory(): CallRecord[] {
    return this.#calls?.store.history() ?? [];
  }

  callRecord(uuid: string): CallRecord | undefined {
    return this.#calls?.store.call(uuid);
  }

  /** Of a node without calls: an interval in which there were none. */
  iceMetrics(): IceMetricsReport {
    if (this.#calls) return this.#calls.store.iceMetrics();
    const endMs = this.#startedMs + this.#config.metrics.intervalHours * 3_600_000;
    const current = { startTime: isoTime(this.#startedMs), endTime: isoTime(endMs), ...noCalls() };
    return { node: this.#config.node.name, current, history: [] };
  }

  async iceMetricsOfNodes(): Promise<NodeIceMetrics[]> {
    const own: NodeIceMetrics = { node: this.#config.node.name, metrics: this.iceMetrics() };
    const peers = (await this.#calls?.peers.iceMetrics()) ?? [];
    return [
      own,
      ...peers.map(({ name, metrics }) => ({
        node: name,
        metrics: metrics ? peerReport(name, metrics) : null,
      })),
    ];
  }

  async status(): Promise<NodeStatus> {
    const media = this.#media;
    const stuck = (await media?.stuckWorkers()) ?? [];
    const report = stuck.length > 0 ? undefined : await media?.report(0);
    return {
      name: this.#config.node.name,
      version: this.#version,
      healthy: stuck.length === 0,
      reason: stuck.length === 0 ? null : `media workers that do not answer: ${stuck.join(', ')}`,
      startTime: new Date(this.#startedMs).toISOString(),
      uptimeSeconds: Math.floor((Date.now() - this.#startedMs) / 1000),
      engine: this.#engine,
      workers: media?.workers.length ?? 0,
      turn: {
        state: media?.turn ? 'active' : 'inactive',
        activeClients: report?.clients ?? 0,
        activeRelays: report?.allocationsTotal ?? 0,
        relayRanges: media?.turn ? relayRangesOf(media.turn) : [],
      },
      b2bua: {
        state: media?.b2bua ? 'active' : 'inactive',
        activeCalls: this.#sums().calls ?? 0,
        crypto: media?.b2bua ? (media.slowCryptoReason === null ? 'openssl' : 'node') : null,
      },
    };
  }

  async turn(relaysMax: number): Promise<TurnStatus> {
    const media = this.#media;
    const report = await media?.report(relaysMax);
    const blocks = media?.counters() ?? [];
    const sums = sumCounters(blocks);
    return {
      state: media?.turn ? 'active' : 'inactive',
      realm: this.#config.turn.realm,
      engine: this.#engine,
      workers: (media?.workers ?? []).map(({ index, hears }, i) => ({
        id: index,
        kind: hears,
        counters: sumCounters(blocks.slice(i, i + 1)),
      })),
      listeners: media ? listenersOf(media) : [],
      activeClients: report?.clients ?? 0,
      activeRelays: report?.allocationsTotal ?? 0,
      relays: media && report ? report.allocations.map((allocation) => relayStatus(media, allocation)) : [],
      relaysTotal: report?.allocationsTotal ?? 0,
      counters: sums,
      drops: countersByReason(sums, 'drop'),
      authFailures: countersByReason(sums, 'auth'),
    };
  }

  metricsText(): Promise<string> {
    return this.#metrics.text();
  }

  #sums(): Record<string, number> {
    return sumCounters(this.#media?.counters() ?? []);
  }
}

function credentialAdmin(
  media: MediaPlane | undefined,
  store: CredentialStore,
  log: Logger,
): CredentialAdmin {
  return {
    list: () => store.names(),
    add: async (name, password) => {
      store.add({ name, password });
      await media?.setUser({ name, password });
      log.info({ user: name }, 'credential added');
    },
    remove: async (name) => {
      const returns = store.remove(name);
      const allocationsEnded = (await media?.removeUser(name)) ?? 0;
      log.info({ user: name, allocationsEnded }, 'credential removed');
      if (returns) {
        log.warn({ user: name }, 'the user stands in the configuration and returns with the next start');
      }
      return allocationsEnded;
    },
  };
}

function listenersOf(media: MediaPlane): TurnStatus['listeners'] {
  return (media.turn?.listeners ?? []).map(({ protocol, address, port }, index) => {
    const opened = media.openedListener(index);
    return {
      protocol,
      address,
      port,
      receiveBufferBytes: opened?.receiveBufferBytes ?? null,
      sendBufferBytes: opened?.sendBufferBytes ?? null,
    };
  });
}

function relayStatus(
  media: MediaPlane,
  allocation: AllocationReport & { readonly worker: number },
): TurnRelayStatus {
  const { channels, permissions } = allocation;
  const bound = channels.map(({ peer }) => peer);
  const unbound = permissions
    .map(({ address }) => address)
    .filter(
      (address) => !bound.some((peer) => peer.startsWith(`${address}:`) || peer.startsWith(`[${address}]`)),
    );
  return {
    id: `${allocation.worker}-${allocation.id}`,
    worker: allocation.worker,
    client: {
      protocol: media.turn?.listeners[allocation.listener]?.protocol ?? 'udp',
      address: allocation.client,
    },
    user: allocation.user,
    relayAddress: allocation.relayAddresses[0] ?? '',
    additionalRelayAddress: allocation.relayAddresses[1] ?? null,
    expiresInSeconds: allocation.expiresInSeconds,
    peers: [...bound, ...unbound],
    permissions,
    channels,
    counters: allocation.counters,
  };
}

function callStatus(call: CallReport): CallStatus {
  const { id, callId, createdUnixMs, lastSignalUnixMs, isAnswered, isRelayed, legs } = call;
  return {
    id,
    callId,
    startTime: isoTime(createdUnixMs),
    lastSignalTime: isoTime(lastSignalUnixMs),
    answered: isAnswered,
    relayed: isRelayed,
    icePassthroughCallType: call.signalledCallType,
    legs: legs.map(({ tag, earlierTags, zone, createdUnixMs, lines }) => ({
      tag,
      earlierTags,
      zone,
      startTime: isoTime(createdUnixMs),
      lines: lines.map(({ isRtcpMuxed, streams, ...line }) => ({
        ...line,
        rtcpMux: isRtcpMuxed,
        streams: streams.map(({ lastPacketUnixMs, ...stream }) => ({
          ...stream,
          lastPacketTime: lastPacketUnixMs === null ? null : isoTime(lastPacketUnixMs),
        })),
      })),
    })),
  };
}

function isoTime(unixMs: number): string {
  return new Date(unixMs).toISOString();
}

/** What a peer told, with nothing for what it does not count. */
function peerReport(node: string, { current, history }: PeerIceMetrics): IceMetricsReport {
  const report = ({ startTime, endTime, ...told }: PeerIceInterval): IceIntervalReport => {
    const counters = noCalls();
    for (const name of ICE_METRIC_NAMES) counters[name] = Number(told[name] ?? 0);
    return { startTime, endTime, ...counters };
  };
  return { node, current: report(current), history: history.map(report) };
}
