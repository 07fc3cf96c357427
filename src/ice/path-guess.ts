/**
 * The path of media that has left the B2BUA without an offer that says where it went. Some endpoints never
 * send one, and none need to when the other has the option ice2 (RFC 8839 §4.3.4). What is left to go by: which
 * relays carried something, and which pairs the candidates make possible.
 */
import { parseAddress } from '../wire/address.ts';
import {
  CALL_TYPES,
  type CallType,
  type CandidateType,
  callTypeOf,
  type OwnAddresses,
  type PathCandidate,
  type PathLine,
  partsOf,
  type RelayFlow,
  type Side,
  type TypePair,
} from './path.ts';
import { isOwnRelay, isSiteLocal } from './path-candidates.ts';
import { observedPairs } from './path-flows.ts';

export interface PathGuess {
  readonly callType: CallType;
  readonly types: TypePair;
  /** What was seen leaves no other type. */
  readonly isCertain: boolean;
}

/** A kind of end that a side may have. */
interface Option {
  readonly type: CandidateType;
  /** 4 or 16 bytes; undefined for a name. */
  readonly family: number | undefined;
  readonly isSiteLocal: boolean;
  readonly isOwnRelay: boolean;
  /** The side said that it selected this one. */
  readonly isTold: boolean;
}

type KnownPair = Readonly<Record<Side, CandidateType>>;

/** The path that allocations show; undefined if they show none. What went one way alone may have come back another. */
export function observedPath(
  line: PathLine,
  flows: readonly RelayFlow[],
  own: OwnAddresses,
): PathGuess | undefined {
  const bothWays = byCallType(
    observedPairs(
      line,
      flows.filter(({ isOneWay }) => !isOneWay),
      own,
    ),
  );
  const [first] = bothWays.size > 0 ? bothWays : byCallType(observedPairs(line, flows, own));
  return first && { callType: first[0], types: first[1], isCertain: bothWays.size === 1 };
}

/**
 * The likeliest path of media that no allocation has shown; undefined if none is possible.
 *
 * @param areFlowsKnown whether all allocations of ours were looked into
 */
export function possiblePath(
  line: PathLine,
  areFlowsKnown: boolean,
  own: OwnAddresses,
): PathGuess | undefined {
  const callers = distinct(optionsOf(line, 'caller', areFlowsKnown, own));
  const callees = distinct(optionsOf(line, 'callee', areFlowsKnown, own));
  const possible = byCallType(callers.flatMap((near) => callees.flatMap((far) => pairOf(near, far) ?? [])));
  const [first] = possible;
  if (!first) return undefined;
  if (possible.size > 1) return { ...likeliest(line, possible, first), isCertain: false };
  // A relay of ours may be the only possibility, and yet nobody has seen it at work.
  const needsFlow = [...callers, ...callees].some((option) => option.isOwnRelay);
  return { callType: first[0], types: first[1], isCertain: !needsFlow };
}

/** What the selected candidate of a side can have been. */
function optionsOf(line: PathLine, side: Side, areFlowsKnown: boolean, own: OwnAddresses): Option[] {
  const { selected, defaultCandidate, candidates } = line.ends[side];
  if (line.isInForce && side !== line.likelySide && selected && selected.type !== 'b2bua') {
    const { type, address } = selected;
    return asOptions({ type, address, isOwnRelay: isOwnRelay(own, address) }, true);
  }
  // Relays of ours that carried nothing are out.
  const left = candidates.filter((candidate) => !candidate.isOwnRelay || !areFlowsKnown);
  const standard = left.filter(({ address }) => address === defaultCandidate?.address);
  const isStandard = side === line.controlling && isUpdateDue(line) && standard.length > 0;
  return (isStandard ? standard : left).flatMap((candidate) => asOptions(candidate, false));
}

/** Two for a name, which may hide an address of either kind. */
function asOptions({ type, address: place, isOwnRelay: isOurs }: PathCandidate, isTold: boolean): Option[] {
  const { address } = partsOf(place);
  const family = parseAddress(address)?.length;
  const scopes = family === undefined ? [true, false] : [isSiteLocal(address)];
  return scopes.map((isLocal) => ({ type, family, isSiteLocal: isLocal, isOwnRelay: isOurs, isTold }));
}

/** Each kind once: a side may list many candidates. */
function distinct(options: readonly Option[]): Option[] {
  return [...new Map(options.map((option) => [JSON.stringify(option), option])).values()];
}

/**
 * Whether silence tells what was selected. The controlling side must send an updated offer when a pair other than
 * the default one was nominated, unless the other side has the option ice2 (RFC 8839 §4.3.4; RFC 5245 §8 knew
 * no exception). It sent none: its default candidate was selected. Of the other side this tells nothing, since
 * the controlling one saw the B2BUA's address as that side's default.
 */
function isUpdateDue({ ends, components }: PathLine): boolean {
  return components.length === 0 && !ends.caller.waivesUpdate && !ends.callee.waivesUpdate;
}

/**
 * Types that a pair of candidates would have when media flows between them; undefined if it cannot: addresses
 * of both families never meet. A site-local host that reaches what is not site-local goes through a NAT: it
 * would have selected a reflexive candidate, listed or not (RFC 8445 §7.2.5.3.1).
 */
function pairOf(caller: Option, callee: Option): KnownPair | undefined {
  const hasName = caller.family === undefined || callee.family === undefined;
  if (caller.family !== callee.family && !hasName) return undefined;
  const [near, far] = [typeTowards(caller, callee), typeTowards(callee, caller)];
  return near && far && { caller: near, callee: far };
}

function typeTowards(own: Option, other: Option): CandidateType | undefined {
  const isBehindNat = own.type === 'host' && own.isSiteLocal && !other.isSiteLocal;
  if (!isBehindNat) return own.type;
  return own.isTold ? undefined : 'srflx';
}

/** Of several possible paths that of the default candidates, else the most direct. */
function likeliest(
  { ends }: PathLine,
  possible: ReadonlyMap<CallType, TypePair>,
  first: readonly [CallType, TypePair],
): { callType: CallType; types: TypePair } {
  const [caller, callee] = [ends.caller.defaultCandidate?.type, ends.callee.defaultCandidate?.type];
  const isKnown = caller && callee && caller !== 'b2bua' && callee !== 'b2bua';
  const callType = isKnown ? callTypeOf(caller, callee) : first[0];
  const types = possible.get(callType);
  return types ? { callType, types } : { callType: first[0], types: first[1] };
}

/** The types that occur, the most direct first, each with its ends; null where they may stand either way round. */
function byCallType(pairs: readonly KnownPair[]): Map<CallType, TypePair> {
  const found = new Map<CallType, TypePair>();
  for (const pair of pairs) {
    const callType = callTypeOf(pair.caller, pair.callee);
    const isTurned = (found.get(callType) ?? pair).caller !== pair.caller;
    found.set(callType, isTurned ? { caller: null, callee: null } : pair);
  }
  return new Map(CALL_TYPES.flatMap((name) => entryOf(found, name)));
}

function entryOf(found: ReadonlyMap<CallType, TypePair>, name: CallType): [CallType, TypePair][] {
  const types = found.get(name);
  return types ? [[name, types]] : [];
}
