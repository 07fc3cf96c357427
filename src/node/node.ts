/**
 * The composition root: one Causeway node is a media plane (worker threads), an admin server, and the
 * state that outlives both. Nothing here runs per packet.
 */
import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import { type AdminServer, startAdminServer } from '../admin/server.ts';
import type { Config } from '../config/config.ts';
import { configWarnings } from '../config/cross-checks.ts';
import { readTlsFiles } from '../config/files.ts';
import { chooseEngine } from '../net/choose-engine.ts';
import type { TurnCredential } from '../turn/settings.ts';
import { formatEndpoint } from '../wire/address.ts';
import { CredentialStore } from './credential-store.ts';
import { MediaPlane } from './media-plane.ts';
import { NodeAdmin } from './node-admin.ts';
import type { WorkerEvent } from './worker-handle.ts';

/** Name of the user that is made where none is configured. */
const GENERATED_USER = 'causeway';
const GENERATED_PASSWORD_BYTES = 15;

export class CausewayNode {
  /** The user that was made for this run, since none is configured. Whoever started the node must be told. */
  readonly generatedCredential: TurnCredential | undefined;
  readonly #log: Logger;
  readonly #config: Config;
  readonly #configName: string;
  readonly #media: MediaPlane | undefined;
  readonly #admin: AdminServer;

  private constructor(parts: {
    log: Logger;
    config: Config;
    configName: string;
    media: MediaPlane | undefined;
    admin: AdminServer;
    generated: TurnCredential | undefined;
  }) {
    this.generatedCredential = parts.generated;
    this.#log = parts.log;
    this.#config = parts.config;
    this.#configName = parts.configName;
    this.#media = parts.media;
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
    let media: MediaPlane | undefined;
    if (config.turn.services) {
      media = await MediaPlane.start({
        config,
        configName,
        engine: engine.kind,
        credentials: generated ? [generated] : store.all(),
        tls,
        reportsAllocations: log.isLevelEnabled('debug'),
        onEvent: (event) => logEvent(log, event),
        onDeath: (worker, error) => {
          log.fatal({ err: error }, `media worker ${worker} died`);
          onDeath(error);
        },
      });
    }
    try {
      const source = new NodeAdmin(config, engine.kind, media, store, log);
      const admin = await startAdminServer(config.admin, source, log);
      const node = new CausewayNode({ log, config, configName, media, admin, generated });
      node.#announce();
      return node;
    } catch (error) {
      await media?.stop();
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

  /** Ends listeners and allocations, then the admin server. */
  async stop(): Promise<void> {
    await this.#media?.stop();
    await this.#admin.close();
    this.#log.info('stopped');
  }

  #announce(): void {
    const log = this.#log;
    if (!this.#media) log.warn('turn.services is off: this node relays nothing');
    else this.#announceTurn(this.#media);
    log.info(`status pages and metrics on http://${formatEndpoint(this.#admin.address, this.#admin.port)}/`);
  }

  #announceTurn(media: MediaPlane): void {
    const { settings, workers } = media;
    const datagramWorkers = workers.filter(({ hears }) => hears !== 'streams').length;
    for (const [index, { protocol, address, port }] of settings.listeners.entries()) {
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
    const [first, last] = settings.relayPorts;
    this.#log.info(
      `realm ${settings.realm}, relay ports ${first}–${last} on ${relayText(media)}, engine ${media.engine}, ` +
        `${datagramWorkers} ${datagramWorkers === 1 ? 'worker' : 'workers'}`,
    );
  }
}

function relayText(media: MediaPlane): string {
  return media.settings.relayAddresses
    .map(({ address, external }) => (external ? `${address} (known as ${external})` : address))
    .join(', ');
}

/** A user for a node that has none, so that a first start is neither useless nor open; undefined where one is set. */
function generateCredential({ turn }: Config, store: CredentialStore): TurnCredential | undefined {
  const has =
    !turn.services || !turn.authentication || turn.sharedSecret !== null || store.names().length > 0;
  if (has) return undefined;
  return { name: GENERATED_USER, password: randomBytes(GENERATED_PASSWORD_BYTES).toString('base64url') };
}

function logEvent(log: Logger, event: WorkerEvent): void {
  switch (event.say) {
    case 'allocated': {
      const { allocation, client, user, relayAddresses } = event;
      return log.debug({ allocation, client, user, relayAddresses }, 'relay allocated');
    }
    case 'ended':
      return log.debug({ allocation: event.allocation, reason: event.reason }, 'relay ended');
    case 'rate-limited':
      return log.warn(
        { address: event.address, droppedReplies: event.droppedReplies },
        'unauthenticated requests beyond turn.limits.unauthenticatedRepliesPerSecond were not answered',
      );
  }
}
