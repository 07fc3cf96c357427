/**
 * The composition root: one Causeway node is a media plane (worker threads), an admin server, and the
 * state that outlives both. Nothing here runs per packet.
 */
import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import { type AdminServer, startAdminServer } from '../admin/server.ts';
import type { EndedCall } from '../b2bua/ended-call.ts';
import type { NgDictionary } from '../b2bua/ng-request.ts';
import type { B2buaSettings } from '../b2bua/settings.ts';
import type { Config } from '../config/config.ts';
import { configWarnings } from '../config/cross-checks.ts';
import { readTlsFiles } from '../config/files.ts';
import { sumCounters } from '../metrics/counters.ts';
import { chooseEngine } from '../net/choose-engine.ts';
import { monotonicMs } from '../net/clock.ts';
import type { TurnCredential, TurnSettings } from '../turn/settings.ts';
import { formatEndpoint, parsePrefix } from '../wire/address.ts';
import { CallMetrics } from './call-metrics.ts';
import { CredentialStore } from './credential-store.ts';
import { MediaPlane } from './media-plane.ts';
import { NgRouter } from './ng-router.ts';
import { NgServer } from './ng-server.ts';
import { NodeAdmin } from './node-admin.ts';
import type { WorkerEvent } from './worker-handle.ts';

/** Name of the user that is made where none is configured. */
const GENERATED_USER = 'causeway';
const GENERATED_PASSWORD_BYTES = 15;
/** Different unknown flags that are told of; a proxy knows a few dozen. */
const UNKNOWN_FLAGS_MAX = 256;

export class CausewayNode {
  /** The user that was made for this run, since none is configured. Whoever started the node must be told. */
  readonly generatedCredential: TurnCredential | undefined;
  readonly #log: Logger;
  readonly #config: Config;
  readonly #configName: string;
  readonly #media: MediaPlane | undefined;
  readonly #ng: NgServer | undefined;
  readonly #metrics: CallMetrics | undefined;
  readonly #admin: AdminServer;

  private constructor(parts: {
    log: Logger;
    config: Config;
    configName: string;
    media: MediaPlane | undefined;
    ng: NgServer | undefined;
    metrics: CallMetrics | undefined;
    admin: AdminServer;
    generated: TurnCredential | undefined;
  }) {
    this.generatedCredential = parts.generated;
    this.#log = parts.log;
    this.#config = parts.config;
    this.#configName = parts.configName;
    this.#media = parts.media;
    this.#ng = parts.ng;
    this.#metrics = parts.metrics;
    this.#admin = parts.admin;
  }

  /**
   * Starts a node. Rejects, with nothing left running, with an error of one line and a code.
   * @param configName where the configuration came from, for messages
   * @param onDeath called if a part dies that the node cannot do without
   */
  static async start(
    config: Config,
    configName: string,
    log: Logger,
    onDeath: (error: Error) => void,
  ): Promise<CausewayNode> {
    const tls = readTlsFiles(config, configName);
    const store = new CredentialStore(config.turn.credentials, config.node.stateDirectory);
    const engine = chooseEngine(config.node.engine);
    for (const warning of configWarnings(config)) log.warn(warning);
    if (engine.fallbackReason)
      log.warn(`engine dgram, since batch does not work here: ${engine.fallbackReason}`);
    const generated = generateCredential(config, store);
    const flags = new FlagLog(log);
    let media: MediaPlane | undefined;
    let ng: NgServer | undefined;
    let metrics: CallMetrics | undefined;
    try {
      if (config.turn.services || config.b2bua.services) {
        media = await MediaPlane.start({
          config,
          configName,
          engine: engine.kind,
          credentials: generated ? [generated] : store.all(),
          tls,
          reportsAllocations: log.isLevelEnabled('debug'),
          onEvent: (event) => {
            if (event.say !== 'call-ended') return logEvent(log, flags, event);
            const call = JSON.parse(event.json) as EndedCall;
            logEndedCall(log, call);
            metrics?.ended(call);
          },
          onDeath: (worker, error) => {
            log.fatal({ err: error }, `media worker ${worker} died`);
            onDeath(error);
          },
        });
      }
      const router = media?.b2bua && routerOf(media);
      if (media?.b2bua) metrics = new CallMetrics(config, media, media.b2bua, log);
      if (router) ng = await startNg(config, router, log);
      const source = new NodeAdmin({ config, engine: engine.kind, media, router, metrics, store, log });
      const admin = await startAdminServer(config.admin, source, log);
      const node = new CausewayNode({ log, config, configName, media, ng, metrics, admin, generated });
      node.#announce();
      return node;
    } catch (error) {
      await ng?.close();
      await media?.stop();
      await metrics?.close();
      throw error;
    }
  }

  /** Reads the TLS certificate and key again; what is wrong with them is logged, and the old ones stay. */
  async reloadTls(): Promise<void> {
    try {
      const tls = readTlsFiles(this.#config, this.#configName);
      if (!tls || !this.#media) return;
      await this.#media.reloadTls(tls);
      this.#log.info({ notAfter: new Date(tls.notAfterMs).toISOString() }, 'TLS certificate read again');
    } catch (error) {
      this.#log.error(`TLS certificate kept: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  /** Ends listeners, allocations and calls, then the admin server. */
  async stop(): Promise<void> {
    await this.#ng?.close();
    await this.#media?.stop();
    await this.#metrics?.close();
    await this.#admin.close();
    this.#log.info('stopped');
  }

  #announce(): void {
    const log = this.#log;
    const media = this.#media;
    if (media?.turn) this.#announceTurn(media, media.turn);
    if (media?.b2bua && this.#ng) this.#announceB2bua(media, media.b2bua, this.#ng);
    if (!media) log.warn('turn.services and b2bua.services are off: this node moves no media');
    log.info(`status pages and metrics on http://${formatEndpoint(this.#admin.address, this.#admin.port)}/`);
  }

  #announceTurn(media: MediaPlane, turn: TurnSettings): void {
    const datagramWorkers = media.workers.filter(({ hears }) => hears !== 'streams').length;
    for (const [index, { protocol, address, port }] of turn.listeners.entries()) {
      const opened = media.openedListener(index);
      const wanted = this.#config.node.limits.listenerBufferBytes;
      const given = opened?.receiveBufferBytes;
      const buffers = given ? { receiveBufferBytes: given, sendBufferBytes: opened.sendBufferBytes } : {};
      this.#log.info(buffers, `TURN on ${protocol} ${formatEndpoint(address, port)}`);
      if (given && given < wanted) {
        this.#log.warn(
          `the kernel gave ${given} of the ${wanted} bytes of receive buffer asked for: raise net.core.rmem_max`,
        );
      }
    }
    const [first, last] = turn.relayPorts;
    const relays = turn.relayAddresses
      .map(({ address, external }) => (external ? `${address} (known as ${external})` : address))
      .join(', ');
    this.#log.info(
      `realm ${turn.realm}, relay ports ${first}–${last} on ${relays}, engine ${media.engine}, ` +
        `${datagramWorkers} ${datagramWorkers === 1 ? 'worker' : 'workers'}`,
    );
  }

  #announceB2bua(media: MediaPlane, b2bua: B2buaSettings, ng: NgServer): void {
    for (const address of ng.addresses) this.#log.info(`ng on udp ${formatEndpoint(address, ng.port)}`);
    const zones = b2bua.zones.map(
      ({ name, addresses }) => `${name} (${addresses.map(({ address }) => address)})`,
    );
    const [first, last] = b2bua.mediaPorts;
    this.#log.info(`media ports ${first}–${last}, zones ${zones.join(', ')}`);
    if (media.slowCryptoReason !== null) {
      this.#log.warn(`SRTP by node:crypto, several times slower: ${media.slowCryptoReason}`);
    }
    if (media.callWorkers.length < media.workers.filter(({ hears }) => hears !== 'streams').length) {
      this.#log.info(`calls on ${media.callWorkers.length} of the workers: one a pair of multiplexedPorts`);
    }
  }
}

function routerOf(media: MediaPlane): NgRouter {
  return new NgRouter({
    workers: media.callWorkers.map((worker) => ({
      ng: async (dictionary) => {
        const reply = await worker.ask({ command: 'ng', json: JSON.stringify(dictionary) });
        return JSON.parse(reply) as NgDictionary;
      },
    })),
    hashSeed: media.hashSeed,
    counters: () => sumCounters(media.counters()),
    startedMs: monotonicMs(),
    nowMs: monotonicMs,
  });
}

function startNg({ b2bua }: Config, router: NgRouter, log: Logger): Promise<NgServer> {
  return NgServer.start({
    address: b2bua.ng.address,
    port: b2bua.ng.port,
    allow: b2bua.ngAllow.map(parsePrefix).filter((prefix) => prefix !== undefined),
    handle: (dictionary) => router.handle(dictionary),
    log,
    nowMs: monotonicMs,
  });
}

/** A user for a node that has none, so that a first start is neither useless nor open; undefined where one is set. */
function generateCredential({ turn }: Config, store: CredentialStore): TurnCredential | undefined {
  const has =
    !turn.services || !turn.authentication || turn.sharedSecret !== null || store.names().length > 0;
  if (has) return undefined;
  return { name: GENERATED_USER, password: randomBytes(GENERATED_PASSWORD_BYTES).toString('base64url') };
}

/** Flags of the proxy that mean nothing here are told once each. */
class FlagLog {
  readonly #log: Logger;
  readonly #told = new Set<string>();

  constructor(log: Logger) {
    this.#log = log;
  }

  unknown(text: string): void {
    if (this.#told.has(text) || this.#told.size >= UNKNOWN_FLAGS_MAX) return;
    this.#told.add(text);
    this.#log.warn({ flag: text }, 'a flag or key of the ng protocol that has no meaning here is ignored');
  }
}

function logEndedCall(log: Logger, { callId, reason }: EndedCall): void {
  log[reason === 'deleted' ? 'debug' : 'info']({ callId, reason }, 'call ended');
}

function logEvent(log: Logger, flags: FlagLog, event: Exclude<WorkerEvent, { say: 'call-ended' }>): void {
  switch (event.say) {
    case 'allocated': {
      const { allocation, client, user, relayAddresses } = event;
      return log.debug({ allocation, client, user, relayAddresses }, 'relay allocated');
    }
    case 'ended':
      return log.debug({ allocation: event.allocation, reason: event.reason }, 'relay ended');
    case 'unknown-flag':
      return flags.unknown(event.text);
    case 'rate-limited':
      return log.warn(
        { address: event.address, droppedReplies: event.droppedReplies },
        'unauthenticated requests beyond turn.limits.unauthenticatedRepliesPerSecond were not answered',
      );
  }
}
