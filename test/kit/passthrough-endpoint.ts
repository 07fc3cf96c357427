/** An ICE endpoint of the simulation: an agent, SDES keys, descriptions of all of it, and a voice. */
import { createHash } from 'node:crypto';
import type { AgentCandidate } from '../../lab/phone/ice-candidates.ts';
import { type ReadDescription, readIceSdp, writeIceSdp } from '../../lab/phone/ice-sdp.ts';
import type { OfferedKey } from '../../lab/phone/sdp-lines.ts';
import { transportText } from '../../lab/phone/transport-address.ts';
import { PLAIN_SUITES, PlainSrtp } from './b2bua-srtp.ts';
import { type AgentOptions, IceTestAgent } from './passthrough-agent.ts';
import type { SimSite } from './passthrough-site.ts';
import type { SimNetwork } from './sim-network.ts';

const SUITE = 'AES_CM_128_HMAC_SHA1_80';
const PACKET_MS = 20;
const RTP_HEADER_BYTES = 12;

/**
 * When an endpoint that has concluded sends another offer, and what stands in it (RFC 8839 §4.3.4).
 * - `exact`: always, with what was selected and nothing else
 * - `lavish`: as the caller, if the pair is not the default one; with all candidates of both sides
 * - `never`: it counts on `ice2`
 */
export type UpdateManner = 'exact' | 'lavish' | 'never';

export interface EndpointOptions extends AgentOptions {
  readonly name: string;
  readonly zone: string;
  /** False: it knows nothing of ICE. */
  readonly ice?: boolean;
  readonly manner?: UpdateManner;
}

export class IceEndpoint {
  readonly name: string;
  readonly zone: string;
  readonly manner: UpdateManner;
  readonly site: SimSite;
  readonly agent: IceTestAgent;
  /** What the other side said last. */
  remote: ReadDescription | undefined;
  /** Sequence numbers that were sent, and those that were heard, in order. */
  said: number[] = [];
  heard: number[] = [];
  /** Packets that the keys agreed on do not open, or that are not what was said. */
  garbled = 0;
  /** How many packets came by which way: `host 198.51.100.1:36000`. */
  readonly ways: Map<string, number> = new Map();
  /** The same of the packets since it was last cleared. */
  readonly recentWays: Map<string, number> = new Map();
  readonly #network: SimNetwork;
  readonly #hasIce: boolean;
  readonly #components: 1 | 2;
  readonly #ssrc: number;
  #keyAndSalt: Buffer;
  #inbound: PlainSrtp | undefined;
  #isSpeaking = false;
  #version = 0;

  constructor(network: SimNetwork, options: EndpointOptions) {
    this.#network = network;
    this.name = options.name;
    this.zone = options.zone;
    this.manner = options.manner ?? 'exact';
    this.#hasIce = options.ice !== false;
    this.#components = options.components ?? 1;
    this.site = options.site;
    const { turn: _, ...plain } = options;
    this.agent = new IceTestAgent(network, this.#hasIce ? options : plain);
    this.agent.onMedia = (bytes, _component, base, from) =>
      this.#hear(bytes, `${base.kind} ${transportText(from)}`);
    this.#keyAndSalt = keyFor(this.name);
    this.#ssrc = this.#keyAndSalt.readUInt32BE();
  }

  get tag(): string {
    return `tag-${this.name}`;
  }

  /** The first offer or answer, or one after a restart: defaults and all candidates. */
  describe(): string {
    return this.#write({
      components: this.#ownComponents().map((component) => this.agent.defaultOf(component)),
      candidates: this.agent.candidates,
      remote: [],
    });
  }

  /** Whether an updated offer is due once the agent, which controls, has concluded. */
  get wantsUpdate(): boolean {
    if (this.manner === 'never') return false;
    if (this.manner === 'exact') return true;
    const local = this.agent.selected.get(1)?.local;
    return local !== undefined && transportText(local.place) !== transportText(this.agent.defaultOf(1).place);
  }

  /** An offer or answer with the selected pairs in force; an offer names the other side's. */
  describeSelected(kind: 'offer' | 'answer'): string {
    const isLavish = this.manner === 'lavish';
    const pairs = [...this.agent.selected.values()].sort((a, b) => a.component - b.component);
    const selected = pairs.flatMap(({ local }) => local ?? []);
    const named = isLavish ? (this.remote?.candidates ?? []) : pairs.map(({ remote }) => remote);
    return this.#write({
      components: selected,
      candidates: isLavish ? this.agent.candidates : selected,
      remote: kind === 'offer' ? named : [],
    });
  }

  /** Takes what the other side says; virtual time may pass. */
  take(sdp: string): void {
    const remote = readIceSdp(sdp);
    this.remote = remote;
    const key = keyIn(remote);
    this.#inbound = key && new PlainSrtp(key.suite, key.keyAndSalt);
    this.agent.defaultRemote = new Map([
      [1, remote.rtp],
      [2, remote.rtcp],
    ]);
    if (this.#hasIce && remote.credentials) this.agent.setRemote(remote.credentials, remote.candidates);
  }

  get hasIce(): boolean {
    return this.#hasIce && this.remote?.credentials !== undefined;
  }

  /** Its first packet will get through: it found a path to where the other side listens by default. */
  get hasWay(): boolean {
    return !this.hasIce || this.agent.selected.has(1) || this.agent.hasDefaultPath();
  }

  speak(): void {
    if (this.#isSpeaking) return;
    this.#isSpeaking = true;
    const next = (): void => {
      if (!this.#isSpeaking) return;
      this.#say();
      this.#network.after(PACKET_MS, next);
    };
    next();
  }

  hush(): void {
    this.#isSpeaking = false;
  }

  close(): void {
    this.hush();
    this.agent.close();
  }

  #say(): void {
    const sequence = this.said.length + 1;
    this.said.push(sequence);
    const header = Buffer.alloc(RTP_HEADER_BYTES);
    header.writeUInt8(0x80, 0);
    header.writeUInt16BE(sequence, 2);
    header.writeUInt32BE(sequence * 160, 4);
    header.writeUInt32BE(this.#ssrc, 8);
    const plain = Buffer.concat([header, Buffer.from(wordsOf(sequence))]);
    this.agent.sendMedia(new PlainSrtp(SUITE, this.#keyAndSalt).protectRtp(plain, 0));
  }

  #hear(bytes: Buffer, way: string): void {
    this.ways.set(way, (this.ways.get(way) ?? 0) + 1);
    this.recentWays.set(way, (this.recentWays.get(way) ?? 0) + 1);
    const plain = this.#inbound?.unprotectRtp(bytes, 0);
    const sequence = plain?.readUInt16BE(2) ?? 0;
    if (plain?.subarray(RTP_HEADER_BYTES).toString() === wordsOf(sequence)) this.heard.push(sequence);
    else this.garbled++;
  }

  #ownComponents(): number[] {
    return this.#components === 1 ? [1] : [1, 2];
  }

  #write(what: {
    readonly components: readonly AgentCandidate[];
    readonly candidates: readonly AgentCandidate[];
    readonly remote: readonly AgentCandidate[];
  }): string {
    const { remote } = this;
    const hasIce = this.#hasIce && (remote === undefined || remote.credentials !== undefined);
    return writeIceSdp({
      version: ++this.#version,
      defaults: what.components.map(({ place }) => place),
      key: { tag: keyIn(remote)?.tag ?? 1, suite: SUITE, keyAndSalt: this.#keyAndSalt },
      credentials: hasIce ? this.agent.local : undefined,
      candidates: hasIce ? what.candidates : [],
      remoteCandidates: what.remote,
      ...(this.manner === 'never' ? { iceOptions: 'ice2' } : {}),
    });
  }
}

function wordsOf(sequence: number): string {
  return `word ${sequence} of many`;
}

function keyIn(remote: ReadDescription | undefined): OfferedKey | undefined {
  return remote?.keys.find(({ suite }) => suite === SUITE);
}

function keyFor(name: string): Buffer {
  const suite = PLAIN_SUITES[SUITE];
  if (!suite) throw new Error(`no suite ${SUITE}`);
  return createHash('sha256')
    .update(name)
    .digest()
    .subarray(0, suite.keyBytes + suite.saltBytes);
}
