/**
 * What a node asks of the others of its deployment (`node.peers`). TURN runs on the edge and calls are
 * classified in the core: so the core asks every node whose a relayed address is, and shows every
 * node's metrics beside its own. A node that does not answer leaves things unknown and holds up nothing.
 */
import type { Logger } from 'pino';
import { z } from 'zod';
import type { RelayRange } from '../b2bua/settings.ts';
import type { NodePeer } from '../config/config.ts';
import { mergeRelayEvidence, type RelayEvidence } from '../turn/relay-evidence.ts';
import { formatAddress, formatEndpoint, parseEndpoint } from '../wire/address.ts';
import { ANSWER_MS_MAX, PeerLink } from './peer-link.ts';

/** What `POST /api/turn/relay-evidence` takes. */
const ADDRESSES_MAX = 64;
/** Relay addresses of one node. */
const RANGES_MAX = 64;

export interface PeerClientOptions {
  readonly peers: readonly NodePeer[];
  /** What the media plane of this node knows; it may reject. */
  readonly own: (addresses: readonly string[]) => Promise<readonly RelayEvidence[]>;
  readonly log: Logger;
  /** Monotonic. */
  readonly nowMs: () => number;
  /** How long anybody is waited for, milliseconds. */
  readonly answerMsMax?: number;
}

/**
 * Of a relayed address: what its node knows; null: every node answered, and it is nobody's; undefined: a
 * node did not answer, and none of the others has it.
 */
export type RelayAnswer = RelayEvidence | null | undefined;

/** `GET /api/ice-metrics` of a node, newest interval first; counters under their collectd names. */
export interface PeerIceMetrics {
  readonly current: PeerIceInterval;
  readonly history: readonly PeerIceInterval[];
}

export interface PeerIceInterval {
  /** ISO 8601. */
  readonly startTime: string;
  readonly endTime: string;
  readonly [counter: string]: number | string | null;
}

/** How a peer has answered since the start. */
export interface PeerStatus {
  readonly name: string;
  readonly questions: number;
  readonly unanswered: number;
}

export class PeerClient {
  readonly #links: readonly PeerLink[];
  readonly #own: PeerClientOptions['own'];
  readonly #answerMsMax: number;
  readonly #ranges = new Map<string, readonly RelayRange[]>();

  constructor({ peers, own, log, nowMs, answerMsMax = ANSWER_MS_MAX }: PeerClientOptions) {
    this.#links = peers.map((peer) => new PeerLink({ peer, log, nowMs, answerMsMax }));
    this.#own = own;
    this.#answerMsMax = answerMsMax;
  }

  /** In the order of the configuration. */
  get peers(): PeerStatus[] {
    return this.#links.map(({ name, questions, unanswered }) => ({ name, questions, unanswered }));
  }

  /**
   * Whose the relayed addresses are (`ip:port`), and what went through them. Never rejects, and takes no
   * longer than {@link ANSWER_MS_MAX}. Of more than 64 addresses the rest stay undefined.
   * @returns an entry for each address, under the text it was asked by
   */
  async relayEvidence(addresses: readonly string[]): Promise<Map<string, RelayAnswer>> {
    const asked = [...new Set(addresses.map(canonical))].slice(0, ADDRESSES_MAX);
    if (asked.length === 0) return new Map();
    const question = { path: 'api/turn/relay-evidence', answer: evidenceSchema, body: { addresses: asked } };
    const answers = await Promise.all([
      this.#askOwn(asked),
      ...this.#links.map(async (link) => (await link.ask(question))?.relays),
    ]);
    const isComplete = answers.every((answer) => answer !== undefined);
    const known = mergeRelayEvidence(answers.flatMap((answer) => answer ?? []));
    const byAddress = new Map(known.map((evidence) => [evidence.address, evidence]));
    return new Map(
      addresses.map((address): [string, RelayAnswer] => {
        const name = canonical(address);
        const isNobodys = isComplete && asked.includes(name);
        return [address, byAddress.get(name) ?? (isNobodys ? null : undefined)];
      }),
    );
  }

  /** The metrics of every peer, in the order of the configuration; undefined where it does not answer. */
  iceMetrics(): Promise<{ readonly name: string; readonly metrics: PeerIceMetrics | undefined }[]> {
    const question = { path: 'api/ice-metrics', answer: iceMetricsSchema };
    return Promise.all(
      this.#links.map(async (link) => ({ name: link.name, metrics: await link.ask(question) })),
    );
  }

  /**
   * Relayed addresses that the TURN servers of the peers give out, as each told last; undefined of one that never
   * has. In the order of the configuration.
   */
  async relayRanges(): Promise<readonly (readonly RelayRange[] | undefined)[]> {
    const question = { path: 'api/status', answer: statusSchema };
    await Promise.all(
      this.#links.map(async (link) => {
        const status = await link.ask(question);
        if (status) this.#ranges.set(link.name, status.turn.relayRanges);
      }),
    );
    return this.#links.map(({ name }) => this.#ranges.get(name));
  }

  /** A media plane that is stuck or ending is as silent as a peer. */
  async #askOwn(addresses: readonly string[]): Promise<readonly RelayEvidence[] | undefined> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), this.#answerMsMax);
    });
    const own = this.#own(addresses).catch(() => undefined);
    return Promise.race([own, late]).finally(() => clearTimeout(timer));
  }
}

const packets = z.int().min(0);

const evidenceSchema = z.object({
  relays: z.array(
    z.object({
      address: z.string(),
      active: z.boolean(),
      peers: z.array(z.object({ address: z.string(), toPeer: packets, fromPeer: packets })),
    }),
  ),
});

const port = z.int().min(1).max(65_535);
const statusSchema = z.object({
  turn: z.object({
    relayRanges: z.array(z.object({ address: z.string(), ports: z.tuple([port, port]) })).max(RANGES_MAX),
  }),
});

const intervalSchema: z.ZodType<PeerIceInterval> = z
  .object({ startTime: z.iso.datetime(), endTime: z.iso.datetime() })
  .catchall(z.number().nullable());

const iceMetricsSchema: z.ZodType<PeerIceMetrics> = z.object({
  current: intervalSchema,
  history: z.array(intervalSchema),
});

/** The one spelling of a transport address; other text is as it is. */
function canonical(text: string): string {
  const endpoint = parseEndpoint(text);
  return endpoint ? formatEndpoint(formatAddress(endpoint.address), endpoint.port) : text;
}
