/**
 * What becomes of calls that have ended, on this node and beside those of its peers: recorded, counted, kept,
 * and sent to a collectd.
 */
import type { Logger } from 'pino';
import type { EndedCall } from '../b2bua/ended-call.ts';
import { KnownAddresses } from '../b2bua/own-addresses.ts';
import type { B2buaSettings } from '../b2bua/settings.ts';
import type { Config } from '../config/config.ts';
import type { GaugeReadings } from '../metrics/collectd-gauges.ts';
import { type CounterBlock, sumCounters } from '../metrics/counters.ts';
import { monotonicMs } from '../net/clock.ts';
import { CallRecorder } from './call-recorder.ts';
import { CollectdSender } from './collectd-sender.ts';
import type { MediaPlane } from './media-plane.ts';
import { MetricsStore } from './metrics-store.ts';
import { PeerClient } from './peer-client.ts';

/** How often other nodes are asked what they relay on. */
const PEERS_ASKED_MS = 30_000;

export class CallMetrics {
  readonly store: MetricsStore;
  readonly peers: PeerClient;
  readonly #own: KnownAddresses;
  readonly #recorder: CallRecorder;
  /** Some peer has never told what it relays on. */
  #hasStrangers: boolean;
  readonly #asking: NodeJS.Timeout | undefined;
  readonly #collectd: CollectdSender | undefined;

  constructor(config: Config, media: MediaPlane, b2bua: B2buaSettings, log: Logger) {
    const { node, metrics } = config;
    this.store = new MetricsStore({
      node: node.name,
      stateDirectory: node.stateDirectory,
      intervalHours: metrics.intervalHours,
      cdr: metrics.cdr,
      log,
    });
    this.peers = new PeerClient({
      peers: node.peers,
      own: (addresses) => media.relayEvidence(addresses),
      log,
      nowMs: monotonicMs,
    });
    this.#own = new KnownAddresses(b2bua);
    this.#hasStrangers = node.peers.length > 0;
    this.#recorder = new CallRecorder({
      relayEvidence: (addresses) => this.peers.relayEvidence(addresses),
      own: this.#own,
      hasStrangers: () => this.#hasStrangers,
      record: (call) => this.store.callEnded(call),
    });
    const askPeers = (): void => void this.#askPeers(media);
    this.#asking = node.peers.length > 0 ? setInterval(askPeers, PEERS_ASKED_MS).unref() : undefined;
    if (this.#asking) askPeers();
    const { collectd } = metrics;
    this.#collectd =
      collectd === null
        ? undefined
        : new CollectdSender({
            ...collectd,
            hostname: collectd.hostname ?? node.name,
            read: () => this.#readings(media),
            log,
          });
  }

  /** A call that another node's calls pass through is that node's to count. */
  ended(call: EndedCall): void {
    if (!call.isRelayed) this.#recorder.ended(call);
  }

  /** For `/metrics`. */
  counters(): CounterBlock[] {
    const collectd = this.#collectd?.counters();
    return [this.store.counters(), ...(collectd ? [collectd] : [])];
  }

  /** Resolves when all that has ended is recorded and on the disk. */
  async close(): Promise<void> {
    clearInterval(this.#asking);
    this.#collectd?.close();
    await this.#recorder.drain();
    await this.store.close();
  }

  /** Learns which relayed addresses are those of other nodes, whose TURN servers are asked when a call ends. */
  async #askPeers(media: MediaPlane): Promise<void> {
    const told = await this.peers.relayRanges();
    this.#hasStrangers = told.includes(undefined);
    const ranges = told.flatMap((known) => known ?? []);
    this.#own.setPeerRelays(ranges);
    await media.setPeerRelays(ranges).catch(() => undefined);
  }

  #readings(media: MediaPlane): GaugeReadings {
    const sums = sumCounters(media.counters());
    return {
      iceCounters: this.store.iceCounters(),
      activeCalls: sums.calls ?? 0,
      activeRelays: sums.allocations ?? 0,
      blockedAddresses: 0,
      zones: media.links().map(({ name, activeLegs, bytesReceived, bytesSent }) => ({
        name,
        activeCalls: activeLegs,
        bytesReceived,
        bytesSent,
      })),
    };
  }
}
