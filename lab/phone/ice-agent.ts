/**
 * A full ICE agent without sockets and timers of its own, written from RFC 8445 alone: it pairs candidates, checks
 * all pairs, nominates (regular nomination, §8.1.1), and keeps consent fresh (RFC 7675). Freezing is left out: a
 * check list has one stream and few pairs; so is the repair of role conflicts: who called controls, or who is not lite.
 */
import {
  type AgentCandidate,
  type AgentCandidateType,
  type AgentCredentials,
  type Base,
  type Bases,
  defaultCandidate,
  isAddress,
  isIPv6,
  priorityOf,
} from './ice-candidates.ts';
import { answerCheck, isStun, nominates, priorityIn, readAnswer, writeCheck } from './ice-check.ts';
import { type AgentPair, comparePairs, isTo, newPair } from './ice-pair.ts';
import { BINDING, decode, type Message, REQUEST, SUCCESS, withZeroPadding } from './plain-stun.ts';
import type { TransportAddress } from './protocol.ts';
import { transportText } from './transport-address.ts';

export interface Clock {
  readonly nowMs: number;
  after(delayMs: number, happen: () => void): void;
}

export interface AgentTiming {
  /** Between two checks begun. */
  readonly paceMs: number;
  readonly retransmissionMs: number;
  readonly triesMax: number;
  /** So long nothing is nominated, and so long a better pair is waited for. */
  readonly hasteMs: number;
  readonly patienceMs: number;
  /** Between two checks of consent, and how many in a row may stay unanswered. */
  readonly consentMs: number;
  readonly unansweredMax: number;
  /** Without a selected pair for so long, it has failed. */
  readonly failureMs: number;
}

/** RFC 7675 §5.1: 30 s without consent. */
const TIMING: AgentTiming = {
  paceMs: 50,
  retransmissionMs: 250,
  triesMax: 6,
  hasteMs: 1000,
  patienceMs: 3000,
  consentMs: 5000,
  unansweredMax: 6,
  failureMs: 30_000,
};

const EARLY_CHECKS_MAX = 16;

export interface IceAgentOptions {
  readonly clock: Clock;
  /** By component, the first first. */
  readonly bases: readonly [Bases, ...Bases[]];
  readonly randomBytes: (size: number) => Buffer;
  /** Which candidates it tells of; the default is all it has. */
  readonly types?: readonly AgentCandidateType[];
  readonly timing?: Partial<AgentTiming>;
}

export type AgentState = 'checking' | 'concluded' | 'failed';

export class IceAgent {
  isControlling = false;
  local: AgentCredentials = { ufrag: '', pwd: '' };
  remote: AgentCredentials | undefined;
  candidates: AgentCandidate[] = [];
  readonly pairs: AgentPair[] = [];
  /** By component. */
  readonly selected: Map<number, AgentPair> = new Map();
  /** Where media goes while no pair is selected, by component. */
  defaultRemote: Map<number, TransportAddress> = new Map();
  onMedia: (bytes: Buffer, component: number, base: Base, from: TransportAddress) => void = () => {};
  onSelected: (pair: AgentPair) => void = () => {};
  /** Something came that is no well-formed STUN message. */
  onMalformed: (error: unknown) => void = () => {};
  /** Answers to consent checks on the selected pair of component 1. */
  consents = 0;
  /** Valid checks that came, by where they came from. */
  readonly checkedBy: Map<string, number> = new Map();
  readonly #clock: Clock;
  readonly #bases: readonly Bases[];
  readonly #types: readonly AgentCandidateType[];
  readonly #randomBytes: (size: number) => Buffer;
  readonly #timing: AgentTiming;
  readonly #transactions = new Map<string, { readonly pair: AgentPair; readonly nominates: boolean }>();
  readonly #triggered: AgentPair[] = [];
  /** Checks that came before the other side's description. */
  readonly #early: (() => void)[] = [];
  #startedMs = 0;
  #isRunning = false;
  #hasLostConsent = false;
  #isClosed = false;

  constructor(options: IceAgentOptions) {
    this.#clock = options.clock;
    this.#bases = options.bases;
    this.#types = options.types ?? ['host', 'srflx', 'relay'];
    this.#randomBytes = options.randomBytes;
    this.#timing = { ...TIMING, ...options.timing };
    for (const [i, bases] of this.#bases.entries()) {
      bases.onPacket = (base, bytes, from) => this.#received(i + 1, base, bytes, from);
    }
    this.restart();
  }

  /** New credentials; whatever was checked is forgotten, and media goes on to where it went (RFC 8445 §9). */
  restart(): void {
    const random = this.#randomBytes(24).toString('base64');
    this.local = { ufrag: random.slice(0, 8), pwd: random.slice(8, 32) };
    this.forgetRemote();
  }

  /** The other side is another one now; own credentials stay. */
  forgetRemote(): void {
    this.remote = undefined;
    this.pairs.length = this.#triggered.length = this.#early.length = 0;
    this.#transactions.clear();
    this.#hasLostConsent = false;
  }

  /** Makes candidates of what the bases have. */
  formCandidates(): void {
    const found: AgentCandidate[] = [];
    for (const [i, bases] of this.#bases.entries()) {
      const add = (type: AgentCandidateType, place: TransportAddress | undefined): void => {
        const isKnown = found.some((other) => place && transportText(other.place) === transportText(place));
        if (place && !isKnown)
          found.push({ component: i + 1, type, place, priority: priorityOf(type, i + 1) });
      };
      add('host', bases.host.place);
      add('srflx', bases.mapped);
      add('relay', bases.relay?.place);
    }
    this.candidates = found.filter(({ type }) => this.#types.includes(type));
  }

  /** The default candidate of a component (RFC 8445 §5.1.4). */
  defaultOf(component: number): AgentCandidate {
    const candidate = defaultCandidate(this.candidates.filter((one) => one.component === component));
    if (!candidate) throw new Error('nothing was gathered');
    return candidate;
  }

  /** The other side's description, or more candidates of it. */
  setRemote(credentials: AgentCredentials, candidates: readonly AgentCandidate[]): void {
    this.remote = credentials;
    for (const candidate of candidates) this.#pairWith(candidate);
    for (const checkBack of this.#early.splice(0)) checkBack();
  }

  /** Begins to check. */
  start(): void {
    this.#startedMs = this.#clock.nowMs;
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#tick();
    this.#clock.after(this.#timing.consentMs, () => this.#keepConsent());
  }

  /** All components have a selected pair, of the credentials in force. */
  get isConcluded(): boolean {
    return this.#bases.every((_, i) => {
      const pair = this.selected.get(i + 1);
      return pair !== undefined && this.pairs.includes(pair);
    });
  }

  get state(): AgentState {
    if (this.#hasLostConsent) return 'failed';
    if (this.isConcluded) return 'concluded';
    const isLate = this.#clock.nowMs - this.#startedMs > this.#timing.failureMs;
    return this.#isRunning && isLate ? 'failed' : 'checking';
  }

  /** The valid pair that leads to the default remote address: the way of the first packets. */
  hasDefaultPath(component = 1): boolean {
    return this.#earlyPair(component) !== undefined;
  }

  /**
   * Sends by the selected pair, else by a valid one to the default address, else from the host there.
   * @returns whether it was sent: not where nothing is known of the other side, nor without its consent
   */
  sendMedia(bytes: Uint8Array, component = 1): boolean {
    if (this.#hasLostConsent) return false;
    const pair = this.selected.get(component) ?? this.#earlyPair(component);
    const to = pair?.remote.place ?? this.defaultRemote.get(component);
    const base = pair?.base ?? this.#bases[component - 1]?.host;
    if (!base || !to) return false;
    base.send(bytes, to);
    return true;
  }

  /** Has relays in use send by channels. */
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
    return to && this.#best(component, ({ remote }) => transportText(remote.place) === transportText(to));
  }

  #pairWith(candidate: AgentCandidate): void {
    const bases = this.#bases[candidate.component - 1];
    if (!bases || !isAddress(candidate.place.address)) return;
    const ufrag = this.remote?.ufrag;
    bases.permit(candidate.place, () => {
      const isCurrent = !this.#isClosed && this.remote?.ufrag === ufrag;
      if (bases.relay && isCurrent) this.#addUnlessKnown(bases.relay, candidate);
    });
    this.#addUnlessKnown(bases.host, candidate);
  }

  #addUnlessKnown(base: Base, candidate: AgentCandidate): void {
    const { component } = candidate;
    const isRelay = base.kind === 'relay';
    // A reflexive candidate is checked from its base (RFC 8445 §6.1.2.4).
    const isOffered = this.candidates.some(
      (own) => own.component === component && (own.type === 'relay') === isRelay,
    );
    const isKnown = this.pairs.some((pair) => pair.base === base && isTo(pair, candidate));
    if (isOffered && !isKnown && isIPv6(base.place) === isIPv6(candidate.place)) this.#add(base, candidate);
  }

  #add(base: Base, remote: AgentCandidate): AgentPair {
    const pair = newPair(base, remote);
    this.pairs.push(pair);
    this.pairs.sort((a, b) => comparePairs(b, a));
    return pair;
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
    this.#clock.after(this.#timing.paceMs, () => this.#tick());
  }

  /** Once per component, when nothing better can come or has taken too long. */
  #nominate(): void {
    const { hasteMs, patienceMs } = this.#timing;
    const sinceStartMs = this.#clock.nowMs - this.#startedMs;
    if (!this.isControlling || !this.remote || this.pairs.length === 0 || sinceStartMs < hasteMs) return;
    const chosen = this.#bases.map((_, i) => this.#choice(i + 1, sinceStartMs > patienceMs));
    if (chosen.some((pair) => pair === undefined)) return;
    for (const pair of chosen) {
      if (!pair) continue;
      pair.isToBeUsed = true;
      this.#check(pair, true);
    }
  }

  #choice(component: number, isLate: boolean): AgentPair | undefined {
    const pairs = this.pairs.filter((pair) => pair.component === component);
    if (pairs.some(({ isToBeUsed }) => isToBeUsed)) return undefined;
    const best = this.#best(component);
    const isOpen = pairs.some(
      (pair) =>
        (pair.state === 'waiting' || pair.state === 'checking') && (!best || comparePairs(pair, best) > 0),
    );
    return !isOpen || isLate ? best : undefined;
  }

  #check(pair: AgentPair, isNominating: boolean): void {
    const { remote, local } = this;
    if (!remote) return;
    if (pair.state !== 'valid') pair.state = 'checking';
    const transactionId = this.#randomBytes(12);
    const key = transactionId.toString('hex');
    this.#transactions.set(key, { pair, nominates: isNominating });
    const bytes = writeCheck({
      ...{ transactionId, local, remote, isControlling: this.isControlling, nominates: isNominating },
      priority: priorityOf('prflx', pair.component),
    });
    const tryOnce = (left: number): void => {
      if (!this.#transactions.has(key) || this.#isClosed) return;
      if (left === 0) return this.#unanswered(key, pair, isNominating);
      pair.base.send(bytes, pair.remote.place);
      this.#clock.after(this.#timing.retransmissionMs, () => tryOnce(left - 1));
    };
    tryOnce(this.#timing.triesMax);
  }

  #unanswered(key: string, pair: AgentPair, isNominating: boolean): void {
    this.#transactions.delete(key);
    const isLostNomination = isNominating && this.selected.get(pair.component) !== pair;
    if (isLostNomination) pair.isToBeUsed = false; // the next best is nominated in its place
    if (isLostNomination || pair.state === 'checking') pair.state = 'failed';
  }

  #received(component: number, base: Base, bytes: Buffer, from: TransportAddress): void {
    if (this.#isClosed) return;
    if (!isStun(bytes)) return this.onMedia(bytes, component, base, from);
    try {
      const message = decode(withZeroPadding(bytes));
      if (message.method !== BINDING) return;
      if (message.kind === REQUEST) this.#checked(component, base, message, bytes, from);
      else if (message.kind === SUCCESS) this.#answered(component, base, message, bytes, from);
    } catch (error) {
      this.onMalformed(error);
    }
  }

  /** RFC 8445 §7.3. */
  #checked(component: number, base: Base, message: Message, bytes: Buffer, from: TransportAddress): void {
    const answer = answerCheck(message, bytes, this.local, from);
    if (!answer) return;
    base.send(answer, from);
    this.checkedBy.set(transportText(from), (this.checkedBy.get(transportText(from)) ?? 0) + 1);
    if (this.remote) return this.#checkBack(component, base, message, from);
    // It overtook the other side's description, and has its answer: it does not come again.
    if (this.#early.length < EARLY_CHECKS_MAX)
      this.#early.push(() => this.#checkBack(component, base, message, from));
  }

  /** RFC 8445 §7.3.1.3 to §7.3.1.5. */
  #checkBack(component: number, base: Base, message: Message, from: TransportAddress): void {
    const pair = this.#pairFrom(component, base, message, from);
    if (nominates(message) && !this.isControlling) {
      pair.isToBeUsed = true;
      if (pair.state === 'valid') this.#select(pair);
    }
    if (pair.state === 'valid' || this.#triggered.includes(pair)) return;
    if (pair.state !== 'checking') this.#triggered.push(pair);
  }

  /** The pair that a check came on; an unknown source is a peer-reflexive candidate (RFC 8445 §7.3.1.3). */
  #pairFrom(component: number, base: Base, message: Message, place: TransportAddress): AgentPair {
    const text = transportText(place);
    const known = this.pairs.find((pair) => pair.base === base && transportText(pair.remote.place) === text);
    return known ?? this.#add(base, { component, type: 'prflx', place, priority: priorityIn(message) });
  }

  /** RFC 8445 §7.2.5. */
  #answered(component: number, base: Base, message: Message, bytes: Buffer, from: TransportAddress): void {
    const key = Buffer.from(message.transactionId).toString('hex');
    const asked = this.#transactions.get(key);
    if (!asked || !this.remote) return;
    const { pair } = asked;
    const isSymmetric = pair.base === base && transportText(pair.remote.place) === transportText(from);
    const mapped = isSymmetric ? readAnswer(message, bytes, this.remote) : undefined;
    if (!mapped) return;
    this.#transactions.delete(key);
    pair.state = 'valid';
    pair.local = this.#localOf(component, mapped);
    pair.unanswered = 0;
    if (this.selected.get(component) === pair && component === 1) this.consents++;
    if (this.isControlling ? asked.nominates : pair.isToBeUsed) this.#select(pair);
  }

  #select(pair: AgentPair): void {
    if (this.selected.get(pair.component) === pair) return;
    pair.unanswered = 0;
    this.selected.set(pair.component, pair);
    this.onSelected(pair);
  }

  #localOf(component: number, place: TransportAddress): AgentCandidate {
    const known = this.candidates.find(
      (candidate) => transportText(candidate.place) === transportText(place),
    );
    return known ?? { component, type: 'prflx', place, priority: priorityOf('prflx', component) };
  }

  /**
   * RFC 7675 §5.1. Unanswered checks are counted, not time: a process that has slept finds its answers waiting.
   * Consent that is lost does not come back without a restart of ICE.
   */
  #keepConsent(): void {
    if (this.#isClosed) return;
    for (const pair of this.selected.values()) {
      // One of before a restart has credentials that are no longer in force.
      if (!this.pairs.includes(pair) || this.#hasLostConsent) continue;
      if (pair.unanswered++ >= this.#timing.unansweredMax) this.#hasLostConsent = true;
      else this.#check(pair, false);
    }
    this.#clock.after(this.#timing.consentMs, () => this.#keepConsent());
  }
}
