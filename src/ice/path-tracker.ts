/**
 * Follows the offers and answers of a call, as they come from its two sides, to tell which pair of candidates
 * ICE selected. The *concluding exchange* tells it (RFC 8839 §4.3.4): an offer of the controlling side that
 * names the other end in a=remote-candidates, without an ICE restart, and is accepted.
 */
import type { SdpDocument } from '../wire/sdp.ts';
import {
  type CallType,
  callTypeOf,
  type OwnAddresses,
  otherSide,
  type PathComponent,
  type PathConclusion,
  type PathEnd,
  type PathLine,
  type SelectedCandidate,
  type Side,
} from './path.ts';
import { Generation } from './path-candidates.ts';
import { isServed, type LineMessage, type PathMessage, readMessage, transportsOf } from './path-message.ts';

const RTP = 1;
const RTCP = 2;

interface Offer {
  readonly side: Side;
  readonly message: PathMessage;
  /** Username fragments in force when it came, by line. */
  readonly ufrags: readonly Readonly<Record<Side, string | undefined>>[];
}

/** What a concluding exchange told. */
interface Result {
  readonly components: readonly PathComponent[];
  readonly likelySide: Side | undefined;
  readonly generations: Readonly<Record<Side, Generation>>;
}

/** An m-line, and the transport that it, or its BUNDLE group, has. */
interface LineState {
  media: string;
  isRtp: boolean;
  isActive: boolean;
  transport: number;
  ice: PathLine['ice'];
  offerer: Side;
  generations: Readonly<Record<Side, Generation>> | undefined;
  /** Survives an ICE restart and an answer without ICE, until the next one. */
  result: Result | undefined;
}

export class PathTracker {
  readonly #own: OwnAddresses;
  readonly #lines: LineState[] = [];
  readonly #hasCandidates: Record<Side, boolean> = { caller: false, callee: false };
  #offer: Offer | undefined;

  constructor(own: OwnAddresses) {
    this.#own = own;
  }

  /** Any offer as received: the first, a later one, one with trickled candidates. Changes nothing until it is answered. */
  offered(side: Side, document: SdpDocument): void {
    const message = readMessage(document);
    const ufrags = message.lines.map((_, i) => {
      const generations = this.#lines[i]?.generations;
      return { caller: generations?.caller.ufrag, callee: generations?.callee.ufrag };
    });
    this.#offer = { side, message, ufrags };
    this.#noteCandidates(side, message);
  }

  /** An answer to the other side's newest offer, as received; there may be several (183, then 200). */
  answered(side: Side, document: SdpDocument): void {
    const offer = this.#offer;
    if (offer?.side !== otherSide(side)) return;
    const answer = readMessage(document);
    this.#noteCandidates(side, answer);
    const transports = transportsOf(answer);
    for (const [i, line] of offer.message.lines.entries()) {
      const state = this.#line(i, offer.side);
      const transport = transports[i] ?? i;
      const isBundled = transport !== i;
      state.media = line.media;
      state.isRtp = line.isRtp;
      state.isActive = isServed(answer.lines[i], isBundled);
      state.transport = transport;
      if (state.isActive) this.#agree(state, offer, answer, i);
    }
  }

  /** The newest offer was rejected, or will not be answered: all is as before it (RFC 3264 §8). */
  refused(): void {
    this.#offer = undefined;
  }

  conclusion(): PathConclusion {
    const lines = this.#lines.map((state) => this.#pathOf(state));
    const active = lines.filter(({ isActive }) => isActive);
    const callTypes = new Set(active.flatMap(({ callType }) => callType ?? []));
    const decidingLine = decidingLineOf(lines);
    const relays = lines
      .flatMap(({ ends }) => [...ends.caller.candidates, ...ends.callee.candidates])
      .filter(({ isOwnRelay }) => isOwnRelay);
    const { caller, callee } = this.#hasCandidates;
    return {
      callType: decidingLine === undefined ? undefined : lines[decidingLine]?.callType,
      isMixed: callTypes.size > 1,
      decidingLine,
      lines,
      hasCandidates: { caller, callee },
      sidesWithCandidates: Number(caller) + Number(callee),
      ownRelays: [...new Set(relays.map(({ address }) => address))],
    };
  }

  #line(index: number, offerer: Side): LineState {
    const known = this.#lines[index];
    if (known) return known;
    const line = { media: '', isRtp: false, isActive: false, transport: index, offerer };
    const state: LineState = { ...line, ice: 'off', generations: undefined, result: undefined };
    this.#lines[index] = state;
    return state;
  }

  /** A side that only passes on what the B2BUA itself lent has offered none. */
  #noteCandidates(side: Side, { lines }: PathMessage): void {
    if (this.#hasCandidates[side]) return;
    this.#hasCandidates[side] = lines.some((line) => {
      const generation = new Generation('', '');
      generation.add(line);
      return [RTP, RTCP].some((componentId) => generation.candidates(componentId, this.#own).length > 0);
    });
  }

  /** Takes over what both sides say of a line's transport. */
  #agree(state: LineState, offer: Offer, answer: PathMessage, index: number): void {
    const offered = offer.message.lines[index];
    const answered = answer.lines[index];
    if (!offered || !answered) return;
    if (offered.hasMismatch || answered.hasMismatch) {
      state.ice = 'mismatch';
      state.result = undefined;
      return;
    }
    if (!offered.credentials || !answered.credentials) {
      // Hold or media termination: ICE rests, and may go on with what it found before.
      if (state.ice !== 'off') state.ice = 'suspended';
      return;
    }
    state.ice = 'on';
    const before = state.generations;
    const ofOfferer = continued(before?.[offer.side], offered, offered.credentials);
    const ofAnswerer = continued(before?.[otherSide(offer.side)], answered, answered.credentials);
    if (ofOfferer !== before?.[offer.side]) state.offerer = offer.side;
    state.generations = bySide(offer.side, ofOfferer, ofAnswerer);
    const ufrags = offer.ufrags[index];
    const isSameGeneration =
      ufrags?.[offer.side] === offered.credentials.ufrag &&
      ufrags[otherSide(offer.side)] === answered.credentials.ufrag;
    if (isSameGeneration && offered.remoteCandidates.size > 0) {
      const result = this.#conclude(state.generations, offer.side, offered, answered);
      if (!tellsLess(result, state.result)) state.result = result;
    }
  }

  #conclude(
    generations: Readonly<Record<Side, Generation>>,
    offerer: Side,
    offered: LineMessage,
    answered: LineMessage,
  ): Result {
    const isMuxed = offered.hasRtcpMux && answered.hasRtcpMux;
    const hasRtcp = offered.isRtp && !isMuxed && offered.remoteCandidates.has(RTCP);
    const components = (hasRtcp ? [RTP, RTCP] : [RTP]).map((componentId) => {
      const near = offererPlace(offered, componentId);
      const far = answererPlace(offered, answered, componentId);
      const resolve = (side: Side, place: string | undefined): SelectedCandidate | undefined =>
        place === undefined ? undefined : generations[side].resolve(componentId, place, this.#own);
      const ends = bySide(offerer, resolve(offerer, near), resolve(otherSide(offerer), far));
      return { componentId, ...ends };
    });
    const isNamed = offered.remoteCandidates.get(RTP)?.length === 1;
    return { components, likelySide: isNamed ? undefined : otherSide(offerer), generations };
  }

  #pathOf(state: LineState): PathLine {
    const { ice, offerer, generations, result } = this.#lines[state.transport] ?? state;
    const isCurrent =
      result?.generations.caller === generations?.caller &&
      result?.generations.callee === generations?.callee;
    const isLiteAlone = !!generations?.[offerer].isLite && !generations[otherSide(offerer)].isLite;
    const rtp = result?.components.find(({ componentId }) => componentId === RTP);
    return {
      media: state.media,
      isRtp: state.isRtp,
      isActive: state.isActive,
      transport: state.transport,
      ice,
      callType: signalledType(ice, rtp),
      likelySide: result?.likelySide,
      isInForce: result !== undefined && ice === 'on' && isCurrent,
      controlling: isLiteAlone ? otherSide(offerer) : offerer,
      ends: {
        caller: this.#endOf(generations?.caller, rtp?.caller),
        callee: this.#endOf(generations?.callee, rtp?.callee),
      },
      components: result?.components ?? [],
    };
  }

  #endOf(generation: Generation | undefined, selected: SelectedCandidate | undefined): PathEnd {
    const place = generation?.defaultOf(RTP);
    return {
      selected,
      defaultCandidate: place === undefined ? undefined : generation?.resolve(RTP, place, this.#own),
      candidates: generation?.candidates(RTP, this.#own) ?? [],
      waivesUpdate: generation?.waivesUpdate === true,
    };
  }
}

/** The generation that a message goes on with, or a new one; with what the message says. */
function continued(
  generation: Generation | undefined,
  line: LineMessage,
  credentials: { readonly ufrag: string; readonly password: string },
): Generation {
  const { ufrag, password } = credentials;
  const isContinued = generation?.isContinuedBy(ufrag, password) === true;
  const next = isContinued ? generation : new Generation(ufrag, password);
  next.add(line);
  return next;
}

/** Its m= and c= lines say which of its candidates (RFC 8839 §4.3.4); where they say nothing, the only one left in the list does. */
function offererPlace(offered: LineMessage, componentId: number): string | undefined {
  const place = offered.defaults.get(componentId);
  if (place !== undefined) return place;
  const listed = [...offered.candidates.values()].filter(
    (candidate) => candidate.componentId === componentId,
  );
  return listed.length === 1 ? listed[0]?.place : undefined;
}

/** The remote candidate, if one is named (RFC 8839 §5.2); of several the one that the answerer's m= and c= lines say. */
function answererPlace(offered: LineMessage, answered: LineMessage, componentId: number): string | undefined {
  const named = offered.remoteCandidates.get(componentId) ?? [];
  return named.length === 1 ? named[0] : answered.defaults.get(componentId);
}

/** A hold with null addresses, say, repeats the remote candidates and no longer shows which one it is. */
function tellsLess(result: Result, before: Result | undefined): boolean {
  if (!before || before.generations.caller !== result.generations.caller) return false;
  if (before.generations.callee !== result.generations.callee) return false;
  const isWhole = ({ components }: Result): boolean => !!components[0]?.caller && !!components[0].callee;
  return isWhole(before) && !isWhole(result);
}

function signalledType(ice: PathLine['ice'], rtp: PathComponent | undefined): CallType | undefined {
  if (ice === 'off' || ice === 'mismatch') return 'none';
  if (!rtp) return ice === 'suspended' ? 'none' : undefined;
  const { caller, callee } = rtp;
  if (caller?.type === 'b2bua' || callee?.type === 'b2bua') return 'none';
  return caller && callee ? callTypeOf(caller.type, callee.type) : undefined;
}

function decidingLineOf(lines: readonly PathLine[]): number | undefined {
  const wanted: ((line: PathLine) => boolean)[] = [
    (line) => line.isActive && line.isRtp && line.media === 'audio',
    (line) => line.isActive && line.isRtp,
    (line) => line.isRtp && line.media === 'audio',
    (line) => line.isRtp,
    () => true,
  ];
  for (const isWanted of wanted) {
    const index = lines.findIndex(isWanted);
    if (index >= 0) return index;
  }
  return undefined;
}

function bySide<Value>(side: Side, own: Value, others: Value): Record<Side, Value> {
  return side === 'caller' ? { caller: own, callee: others } : { caller: others, callee: own };
}
