/**
 * Calls of ICE endpoints through a B2BUA node, with a TURN node beside it, on one simulated network. What the
 * proxy, the node's main thread and its metrics do otherwise is done here by hand.
 */
import type { EndedCall } from '../../src/b2bua/ended-call.ts';
import { KnownAddresses } from '../../src/b2bua/own-addresses.ts';
import type { PathVerdict, RelayFlow } from '../../src/ice/path.ts';
import { judgePath } from '../../src/ice/path-evidence.ts';
import { relayFlows } from '../../src/node/call-recorder.ts';
import { B2buaNode, type NodeOptions, type ZoneOptions } from './b2bua-node.ts';
import { sdpOf } from './b2bua-sim.ts';
import type { TurnServer } from './passthrough-base.ts';
import { type EndpointOptions, IceEndpoint } from './passthrough-endpoint.ts';
import { SimSite, type SiteOptions } from './passthrough-site.ts';
import type { Place, SimNetwork } from './sim-network.ts';
import { ALICE, NODE_IPV4, TurnSim } from './turn-sim.ts';

/** The edge: TURN and the B2BUA's outer leg on one host, as in the embedded default. */
export const EDGE: ZoneOptions = {
  name: 'external',
  addresses: [NODE_IPV4],
  icePassthrough: true,
  mediaEncryption: 'force',
};
export const CORP: ZoneOptions = {
  name: 'internal',
  addresses: ['10.0.0.1'],
  icePassthrough: true,
  mediaEncryption: 'force',
};

const CONCLUSION_MS = 20_000;
/** A check over a relay and back. */
const FIRST_WAY_MS = 1000;
/** Packets on their way, over a relay at both ends. */
const DELIVERY_MS = 200;

export interface WorldOptions extends NodeOptions {
  readonly seed?: number;
}

export class PassthroughWorld {
  readonly turn: TurnSim;
  readonly node: B2buaNode;
  readonly own: KnownAddresses;
  readonly endpoints: IceEndpoint[] = [];
  #calls = 0;

  constructor(options: WorldOptions = {}) {
    const seed = options.seed ?? 1;
    const media: NodeOptions = {
      zones: [EDGE, CORP],
      ...options,
      settings: { relayRanges: [{ address: NODE_IPV4, ports: [24_000, 24_199] }], ...options.settings },
    };
    this.turn = new TurnSim({
      seed,
      deny: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'],
      // As the node does it: media ports that are open can be reached from its relays.
      isOwnMedia: (place) => this.#hasOpen(place),
    });
    this.node = new B2buaNode(this.turn.network, media, seed + 7);
    this.own = new KnownAddresses(this.node.settings);
  }

  get network(): SimNetwork {
    return this.turn.network;
  }

  get server(): TurnServer {
    return { server: this.turn.listener, credentials: ALICE };
  }

  site(options: SiteOptions): SimSite {
    return new SimSite(this.network, options);
  }

  endpoint(options: EndpointOptions): IceEndpoint {
    const endpoint = new IceEndpoint(this.network, options);
    this.endpoints.push(endpoint);
    return endpoint;
  }

  call(caller: IceEndpoint, callee: IceEndpoint): PassthroughCall {
    return new PassthroughCall(this, caller, callee, `call-${++this.#calls}`);
  }

  /** What the TURN server tells of relays, as the node makes it evidence. */
  flows(relays: readonly string[]): RelayFlow[] | undefined {
    const answers = this.turn.workers.flatMap(({ core }) => core.relayEvidence(relays, this.network.nowMs));
    const byAddress = new Map(answers.map((answer) => [answer.address, answer]));
    return relayFlows(byAddress);
  }

  /** Ends everything, and says what is still held. */
  end(): string[] {
    for (const endpoint of this.endpoints) endpoint.close();
    this.node.core.close();
    this.turn.run(DELIVERY_MS);
    const held = [...this.node.held(), ...this.node.crypto.faults];
    return [...held, ...this.turn.end().filter((text) => !text.startsWith('bound sockets'))];
  }

  #hasOpen({ address, port }: Place): boolean {
    const isOurs = this.node.settings.mediaAddresses.includes(address);
    return (
      isOurs &&
      this.node.core
        .report(1000, this.network.nowMs)
        .some(({ legs }) =>
          legs.some(({ lines }) =>
            lines.some(({ streams }) =>
              streams.some((stream) => stream.localAddress === address && stream.localPort === port),
            ),
          ),
        )
    );
  }
}

export class PassthroughCall {
  readonly id: string;
  readonly caller: IceEndpoint;
  readonly callee: IceEndpoint;
  /** Updated offers that went through. */
  updates = 0;
  readonly #world: PassthroughWorld;
  #isEstablished = false;

  constructor(world: PassthroughWorld, caller: IceEndpoint, callee: IceEndpoint, id: string) {
    this.#world = world;
    this.caller = caller;
    this.callee = callee;
    this.id = id;
  }

  /** Gathering, offer, answer; both agents have begun to check. */
  setUp(): this {
    this.caller.agent.isControlling = true;
    this.callee.agent.isControlling = false;
    for (const { agent } of [this.caller, this.callee]) agent.gather();
    this.exchange(this.caller, this.callee, () => this.callee.describe(), this.caller.describe());
    return this;
  }

  /** Both speak for so long, as soon as each has a way for its first packet. */
  talk(durationMs: number): this {
    const endpoints = [this.caller, this.callee];
    this.#world.network.runUntil(() => endpoints.every(({ hasWay }) => hasWay), FIRST_WAY_MS);
    for (const endpoint of endpoints) endpoint.speak();
    this.#world.turn.run(durationMs);
    return this;
  }

  /** Lets ICE conclude, and the endpoints say what they selected, each in its manner; relays get channels or not. */
  conclude({ bindsChannels = true }: { readonly bindsChannels?: boolean } = {}): this {
    const agents = [this.caller, this.callee].map(({ agent }) => agent);
    this.#world.network.runUntil(() => agents.every(({ isConcluded }) => isConcluded), CONCLUSION_MS);
    if (bindsChannels) for (const agent of agents) agent.bindChannels();
    const controlling = this.caller.agent.isControlling ? this.caller : this.callee;
    const controlled = controlling === this.caller ? this.callee : this.caller;
    if (controlling.agent.isConcluded && controlling.wantsUpdate) {
      this.updates++;
      const answer = (): string =>
        controlled.agent.isConcluded ? controlled.describeSelected('answer') : controlled.describe();
      this.exchange(controlling, controlled, answer, controlling.describeSelected('offer'));
    }
    return this;
  }

  /** An exchange by either side. */
  exchange(offerer: IceEndpoint, answerer: IceEndpoint, answer: () => string, offer: string): void {
    const ids = { 'call-id': this.id, 'from-tag': offerer.tag };
    const offered = this.#world.node.command('offer', {
      ...ids,
      ...(this.#isEstablished ? { 'to-tag': answerer.tag } : {}),
      direction: [offerer.zone, answerer.zone],
      sdp: offer,
    });
    answerer.take(sdpOf(offered));
    const answered = this.#world.node.command('answer', { ...ids, 'to-tag': answerer.tag, sdp: answer() });
    if (answerer.hasIce) answerer.agent.start();
    offerer.take(sdpOf(answered));
    if (offerer.hasIce) offerer.agent.start();
    this.#isEstablished = true;
  }

  /** Both fall silent. Packets said and not heard, garbled ones, and ones heard twice: `[]` if there are none. */
  losses(): string[] {
    for (const endpoint of [this.caller, this.callee]) endpoint.hush();
    this.#world.turn.run(DELIVERY_MS);
    return [...lossesBetween(this.caller, this.callee), ...lossesBetween(this.callee, this.caller)];
  }

  /** What the core says at the end, and what is made of it. */
  hangUp(): { readonly ended: EndedCall; readonly verdict: PathVerdict } {
    const { node, own } = this.#world;
    node.command('delete', { 'call-id': this.id, 'from-tag': this.caller.tag });
    const ended = node.ended.at(-1);
    if (ended?.callId !== this.id) throw new Error('the call has not ended');
    const relays = this.#world.flows(ended.conclusion.ownRelays);
    return { ended, verdict: judgePath(ended.conclusion, { ...ended.observation, relays }, own) };
  }
}

function lossesBetween(speaker: IceEndpoint, listener: IceEndpoint): string[] {
  const heard = new Set(listener.heard);
  const missing = speaker.said.filter((sequence) => !heard.has(sequence));
  const what = `${speaker.name} to ${listener.name}`;
  return [
    ...(speaker.said.length === 0 ? [`${what}: nothing was said`] : []),
    ...(missing.length > 0
      ? [`${what}: ${missing.length} of ${speaker.said.length} lost: ${missing.join(', ')}`]
      : []),
    ...(listener.garbled > 0 ? [`${what}: ${listener.garbled} garbled`] : []),
    ...(heard.size < listener.heard.length ? [`${what}: some came twice`] : []),
  ];
}
