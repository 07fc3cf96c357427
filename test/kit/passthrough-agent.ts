/**
 * A full ICE agent on the simulated network, written from RFC 8445 alone: it gathers host, server-reflexive and
 * relayed candidates, checks all pairs, nominates (regular nomination, §8.1.1), and keeps consent fresh (RFC 7675).
 * Freezing is left out: a check list has one stream and few pairs.
 */
import { createHash } from 'node:crypto';
import { type Base, Bases, isStun, type TurnServer } from './passthrough-base.ts';
import { placeText, type SimSite } from './passthrough-site.ts';
import {
  A,
  type Attribute,
  BINDING,
  decode,
  decodeXorAddress,
  encode,
  encodeXorAddress,
  find,
  hasIntegrity,
  type Message,
  REQUEST,
  SUCCESS,
} from './plain-stun.ts';
import type { Place, SimNetwork } from './sim-network.ts';

export type AgentCandidateType = 'host' | 'srflx' | 'prflx' | 'relay';

export interface AgentCandidate {
  readonly component: number;
  readonly type: AgentCandidateType;
  readonly place: Place;
  readonly priority: number;
}

export interface AgentOptions {
  readonly site: SimSite;
  /** Where its first component is; the second one is at the next port. */
  readonly place: Place;
  readonly components?: 1 | 2;
  /** Undefined: host candidates only. */
  readonly turn?: TurnServer;
  /** Which candidates it tells of; the default is all it has. */
  readonly types?: readonly AgentCandidateType[];
}

export interface AgentPair {
  readonly base: Base;
  readonly component: number;
  readonly remote: AgentCandidate;
  /** Priority of the local candidate that was paired. */
  readonly localPriority: number;
  state: 'waiting' | 'checking' | 'valid' | 'failed';
  /** The local end as the other side sees it, once valid. */
  local: AgentCandidate | undefined;
  isToBeUsed: boolean;
}

export interface AgentCredentials {
  readonly ufrag: string;
  readonly pwd: string;
}

const PRIORITY = 0x0024;
const USE_CANDIDATE = 0x0025;
const ICE_CONTROLLED = 0x8029;
const ICE_CONTROLLING = 0x802a;

/** RFC 8445 §5.1.2.2. */
const TYPE_PREFERENCE = { host: 126, prflx: 110, srflx: 100, relay: 0 } as const;
const PACE_MS = 50;
const RETRANSMISSION_MS = 250;
const TRIES_MAX = 6;
/** So long nothing is nominated, and so long a better pair is waited for. */
const HASTE_MS = 1000;
const PATIENCE_MS = 3000;
const CONSENT_MS = 5000;

export class IceTestAgent {
  isControlling = false;
  local: AgentCredentials = { ufrag: '', pwd: '' };
  remote: AgentCredentials | undefined;
  candidates: AgentCandidate[] = [];
  readonly pairs: AgentPair[] = [];
  /** By component. */
  readonly selected: Map<number, AgentPair> = new Map();
  /** Where media goes while no pair is selected, by component. */
  defaultRemote: Map<number, Place> = new Map();
  onMedia: (bytes: Buffer, component: number, base: Base, from: Place) => void = () => {};
  /** Answers to consent checks on the selected pair of component 1. */
  consents = 0;
  /** Valid checks that came, by where they came from. */
  readonly checkedBy: Map<string, number> = new Map();
  readonly #network: SimNetwork;
  readonly #options: AgentOptions;
  readonly #bases: Bases[];
  readonly #transactions = new Map<string, { readonly pair: AgentPair; readonly nominates: boolean }>();
  readonly #triggered: AgentPair[] = [];
  #round = 0;
  #sent = 0;
  #startedMs = 0;
  #isRunning = false;
  #isClosed = false;

  constructor(network: SimNetwork, options: AgentOptions) {
    this.#network = network;
    this.#options = options;
    const { place, site, turn } = options;
    this.#bases = Array.from({ length: options.components ?? 1 }, (_, i) => {
      const onPacket = (base: Base, bytes: Buffer, from: Place): void =>
        this.#received(i + 1, base, bytes, from);
      return new Bases(network, site, { ...place, port: place.port + i }, turn, onPacket);
    });
    this.restart();
  }

  /** Where its first component is. */
  get place(): Place {
    return this.#options.place;
  }

  /** New credentials; whatever was checked is forgotten, and media goes on to where it went (RFC 8445 §9). */
  restart(): void {
    const name = `${placeText(this.#options.place)} ${this.#round++}`;
    const random = createHash('sha256').update(name).digest('base64').replace(/=/g, '');
    this.local = { ufrag: random.slice(0, 8), pwd: random.slice(8, 32) };
    this.remote = undefined;
    this.pairs.length = this.#triggered.length = 0;
    this.#transactions.clear();
  }

  /** Virtual time passes where there is a TURN server. */
  gather(): void {
    const { turn, types = ['host', 'srflx', 'relay'] } = this.#options;
    const found: AgentCandidate[] = [];
    for (const [i, bases] of this.#bases.entries()) {
      const add = (type: AgentCandidateType, place: Place | undefined): void => {
        const isKnown = found.some((other) => place && placeText(other.place) === placeText(place));
        if (place && !isKnown)
          found.push({ component: i + 1, type, place, priority: priorityOf(type, i + 1) });
      };
      if (turn) bases.allocate();
      add('host', bases.host.place);
      add('srflx', bases.mapped);
      add('relay', bases.relay?.place);
    }
    this.candidates = found.filter(({ type }) => types.includes(type));
  }

  /** The default candidate of a component (RFC 8445 §5.1.4): the likeliest to be reached. */
  defaultOf(component: number): AgentCandidate {
    const preferred = ['relay', 'srflx', 'host'];
    const own = this.candidates.filter((candidate) => candidate.component === component);
    own.sort((a, b) => preferred.indexOf(a.type) - preferred.indexOf(b.type));
    const [first] = own;
    if (!first) throw new Error('nothing was gathered');
    return first;
  }

  /** The other side's description, or more candidates of it. Virtual time passes for permissions. */
  setRemote(credentials: AgentCredentials, candidates: readonly AgentCandidate[]): void {
    this.remote = credentials;
    for (const candidate of candidates) this.#pairWith(candidate);
  }

  /** Begins to check. */
  start(): void {
    this.#startedMs = this.#network.nowMs;
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#tick();
    this.#network.after(CONSENT_MS, () => this.#keepConsent());
  }

  /** All components have a selected pair, of the credentials in force. */
  get isConcluded(): boolean {
    return this.#bases.every((_, i) => {
      const pair = this.selected.get(i + 1);
      return pair !== undefined && this.pairs.includes(pair);
    });
  }

  /** The valid pair that leads to the default remote address: the way of the first packets. */
  hasDefaultPath(component = 1): boolean {
    return this.#earlyPair(component) !== undefined;
  }

  /** Sends by the selected pair, else by a valid one to the default address, else from the host there. */
  sendMedia(bytes: Uint8Array, component = 1): void {
    const pair = this.selected.get(component) ?? this.#earlyPair(component);
    if (pair) return pair.base.send(bytes, pair.remote.place);
    const to = this.defaultRemote.get(component);
    if (to) this.#bases[component - 1]?.host.send(bytes, to);
  }

  /** Has relays in use send by channels; virtual time passes. */
  bindChannels(): void {
    for (const { base, component, remote } of this.selected.values()) {
      if (base.kind === 'relay') this.#bases[component - 1]?.bindChannel(remote.place);
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const bases of this.#bases) bases.close();
  }

  #earlyPair(component: number): AgentPair | undefined {
    const to = this.defaultRemote.get(component);
    return to && this.#best(component, ({ remote }) => placeText(remote.place) === placeText(to));
  }

  #pairWith(candidate: AgentCandidate): void {
    const bases = this.#bases[candidate.component - 1];
    if (!bases || !isAddress(candidate.place.address)) return;
    bases.permit([candidate.place]);
    const gathered = this.candidates.filter(({ component }) => component === candidate.component);
    for (const base of [bases.host, bases.relay]) {
      // A reflexive candidate is checked from its base (RFC 8445 §6.1.2.4).
      const isOffered = gathered.some(({ type }) => (type === 'relay') === (base?.kind === 'relay'));
      if (!base || !isOffered || isIPv6(base.place) !== isIPv6(candidate.place)) continue;
      const isKnown = this.pairs.some((pair) => pair.base === base && isAt(pair, candidate));
      if (!isKnown) this.#addPair(base, candidate);
    }
  }

  #addPair(base: Base, remote: AgentCandidate): AgentPair {
    const { component } = remote;
    const pair: AgentPair = {
      ...{ base, component, remote, state: 'waiting', local: undefined, isToBeUsed: false },
      localPriority: priorityOf(base.kind, component),
    };
    this.pairs.push(pair);
    this.pairs.sort((a, b) => this.#compare(b, a));
    return pair;
  }

  /** RFC 8445 §6.1.2.3. */
  #compare(a: AgentPair, b: AgentPair): number {
    const [lowA, highA] = sorted(a.localPriority, a.remote.priority);
    const [lowB, highB] = sorted(b.localPriority, b.remote.priority);
    return lowA - lowB || highA - highB;
  }

  #best(component: number, isWanted: (pair: AgentPair) => boolean = () => true): AgentPair | undefined {
    return this.pairs.find(
      (pair) => pair.component === component && pair.state === 'valid' && isWanted(pair),
    );
  }

  #tick(): void {
    if (this.#isClosed) return;
    const next = this.#triggered.shift() ?? this.pairs.find(({ state }) => state === 'waiting');
    if (next && this.remote) this.#check(next, false);
    this.#nominate();
    this.#network.after(PACE_MS, () => this.#tick());
  }

  /** Once per component, when nothing better can come or has taken too long. */
  #nominate(): void {
    const sinceStartMs = this.#network.nowMs - this.#startedMs;
    if (!this.isControlling || !this.remote || this.pairs.length === 0 || sinceStartMs < HASTE_MS) return;
    const isLate = sinceStartMs > PATIENCE_MS;
    const chosen = this.#bases.map((_, i) => {
      if (this.pairs.some((pair) => pair.component === i + 1 && pair.isToBeUsed)) return undefined;
      const best = this.#best(i + 1);
      const isOpen = this.pairs.some(
        (pair) =>
          pair.component === i + 1 &&
          (pair.state === 'waiting' || pair.state === 'checking') &&
          (!best || this.#compare(pair, best) > 0),
      );
      return !isOpen || isLate ? best : undefined;
    });
    if (chosen.some((pair) => pair === undefined)) return;
    for (const pair of chosen) {
      if (!pair) continue;
      pair.isToBeUsed = true;
      this.#check(pair, true);
    }
  }

  #check(pair: AgentPair, nominates: boolean): void {
    if (pair.state !== 'valid') pair.state = 'checking';
    const transactionId = this.#newTransactionId();
    const key = transactionId.toString('hex');
    this.#transactions.set(key, { pair, nominates });
    const bytes = this.#request(transactionId, nominates, pair.component);
    const tryOnce = (left: number): void => {
      if (!this.#transactions.has(key) || this.#isClosed) return;
      if (left === 0) {
        this.#transactions.delete(key);
        if (pair.state === 'checking') pair.state = 'failed';
        return;
      }
      pair.base.send(bytes, pair.remote.place);
      this.#network.after(RETRANSMISSION_MS, () => tryOnce(left - 1));
    };
    tryOnce(TRIES_MAX);
  }

  #request(transactionId: Buffer, nominates: boolean, component: number): Buffer {
    const { remote, local } = this;
    if (!remote) throw new Error('the other side is not known yet');
    const priority = Buffer.alloc(4);
    priority.writeUInt32BE(priorityOf('prflx', component));
    const role = this.isControlling ? ICE_CONTROLLING : ICE_CONTROLLED;
    const attributes: Attribute[] = [
      { type: A.username, value: Buffer.from(`${remote.ufrag}:${local.ufrag}`) },
      { type: PRIORITY, value: priority },
      { type: role, value: createHash('sha256').update(local.pwd).digest().subarray(0, 8) },
      ...(nominates ? [{ type: USE_CANDIDATE, value: Buffer.alloc(0) }] : []),
    ];
    const message = { method: BINDING, kind: REQUEST, transactionId, attributes };
    return encode(message, {
      integrity: { algorithm: 'sha1', key: Buffer.from(remote.pwd) },
      fingerprint: true,
    });
  }

  #received(component: number, base: Base, bytes: Buffer, from: Place): void {
    if (this.#isClosed) return;
    if (!isStun(bytes)) return this.onMedia(bytes, component, base, from);
    const message = decode(bytes);
    if (message.method !== BINDING) return;
    if (message.kind === REQUEST) this.#checked(component, base, message, bytes, from);
    else if (message.kind === SUCCESS) this.#answered(component, base, message, bytes, from);
  }

  /** RFC 8445 §7.3. */
  #checked(component: number, base: Base, message: Message, bytes: Buffer, from: Place): void {
    const { local } = this;
    const username = Buffer.from(find(message, A.username) ?? []).toString();
    const integrity = { algorithm: 'sha1', key: Buffer.from(local.pwd) } as const;
    if (!username.startsWith(`${local.ufrag}:`) || !hasIntegrity(bytes, integrity)) return;
    const { transactionId } = message;
    const mapped = { type: A.xorMappedAddress, value: encodeXorAddress(from, transactionId) };
    const answer = { method: BINDING, kind: SUCCESS, transactionId, attributes: [mapped] };
    base.send(encode(answer, { integrity, fingerprint: true }), from);
    this.checkedBy.set(placeText(from), (this.checkedBy.get(placeText(from)) ?? 0) + 1);
    if (!this.remote) return; // it overtook the answer, and will come again
    const pair = this.#pairFrom(component, base, message, from);
    if (find(message, USE_CANDIDATE) && !this.isControlling) {
      pair.isToBeUsed = true;
      if (pair.state === 'valid') this.selected.set(component, pair);
    }
    if (pair.state === 'valid' || this.#triggered.includes(pair)) return;
    if (pair.state !== 'checking') this.#triggered.push(pair);
  }

  /** The pair that a check came on; an unknown source is a peer-reflexive candidate (RFC 8445 §7.3.1.3). */
  #pairFrom(component: number, base: Base, message: Message, from: Place): AgentPair {
    const known = this.pairs.find(
      (pair) => pair.base === base && placeText(pair.remote.place) === placeText(from),
    );
    if (known) return known;
    const priority = Buffer.from(find(message, PRIORITY) ?? Buffer.alloc(4)).readUInt32BE();
    return this.#addPair(base, { component, type: 'prflx', place: from, priority });
  }

  /** RFC 8445 §7.2.5. */
  #answered(component: number, base: Base, message: Message, bytes: Buffer, from: Place): void {
    const key = Buffer.from(message.transactionId).toString('hex');
    const asked = this.#transactions.get(key);
    const mapped = find(message, A.xorMappedAddress);
    if (!asked || !mapped || !this.remote) return;
    const { pair, nominates } = asked;
    const integrity = { algorithm: 'sha1', key: Buffer.from(this.remote.pwd) } as const;
    const isSymmetric = pair.base === base && placeText(pair.remote.place) === placeText(from);
    if (!isSymmetric || !hasIntegrity(bytes, integrity)) return;
    this.#transactions.delete(key);
    const isConsent = this.selected.get(component) === pair;
    pair.state = 'valid';
    pair.local = this.#localOf(component, decodeXorAddress(mapped, message.transactionId));
    if (isConsent && component === 1) this.consents++;
    if (this.isControlling ? nominates : pair.isToBeUsed) this.selected.set(component, pair);
  }

  #localOf(component: number, place: Place): AgentCandidate {
    const known = this.candidates.find((candidate) => placeText(candidate.place) === placeText(place));
    return known ?? { component, type: 'prflx', place, priority: priorityOf('prflx', component) };
  }

  #keepConsent(): void {
    if (this.#isClosed) return;
    for (const pair of this.selected.values()) if (this.remote) this.#check(pair, false);
    this.#network.after(CONSENT_MS, () => this.#keepConsent());
  }

  #newTransactionId(): Buffer {
    const text = `${placeText(this.#options.place)} check ${this.#sent++}`;
    return createHash('sha256').update(text).digest().subarray(0, 12);
  }
}

/** RFC 8445 §5.1.2.1, with one address an agent. */
function priorityOf(type: AgentCandidateType, component: number): number {
  return TYPE_PREFERENCE[type] * 2 ** 24 + 65_535 * 2 ** 8 + (256 - component);
}

function isAt(pair: AgentPair, candidate: AgentCandidate): boolean {
  return (
    pair.component === candidate.component && placeText(pair.remote.place) === placeText(candidate.place)
  );
}

function isIPv6({ address }: Place): boolean {
  return address.includes(':');
}

/** Names (mDNS) are not resolved here. */
function isAddress(address: string): boolean {
  return address.includes(':') || /^\d+(\.\d+){3}$/.test(address);
}

function sorted(a: number, b: number): [low: number, high: number] {
  return a < b ? [a, b] : [b, a];
}
