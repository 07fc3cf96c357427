/**
 * Words for the path of a call's media under ICE passthrough: what signalling says of it (`path-tracker`),
 * what was seen of it, and the verdict on both (`path-evidence`). Control plane.
 *
 * Transport addresses are text, `ip:port` or `[ip]:port`, IPv6 as in RFC 5952; {@link placeOf} makes them.
 */
import { formatAddress, formatEndpoint, parseAddress } from '../wire/address.ts';

/** `caller` made the first offer. */
export type Side = 'caller' | 'callee';

/** From the most direct to the least. */
export type CandidateType = 'host' | 'srflx' | 'relay';

/** From the most direct to the least. */
export const CALL_TYPES = [
  'none',
  'host_to_host',
  'host_to_srflx',
  'host_to_relay',
  'srflx_to_srflx',
  'srflx_to_relay',
  'relay_to_relay',
] as const;

/** A pair of candidate types, order-free; `none`: through the B2BUA. */
export type CallType = (typeof CALL_TYPES)[number];

/** Types at both ends; null: none, or not known. */
export type TypePair = Readonly<Record<Side, CandidateType | null>>;

/** Whether what the node saw of the media bears out what was signalled. */
export type Evidence = 'verified' | 'contradicted' | 'unknown';

/** What the node knows to be its own, or that of the nodes it works with. */
export interface OwnAddresses {
  /** A media port of the B2BUA, as advertised. */
  isB2bua(address: string, port: number): boolean;
  /** A relayed address that a TURN server of ours gives out. */
  isOwnRelay(address: string, port: number): boolean;
}

/** One candidate of a side; a peer-reflexive one has been given the type it amounts to. */
export interface PathCandidate {
  readonly type: CandidateType;
  /** Transport address. */
  readonly address: string;
  /** The relay is of a TURN server whose allocations we can look into. */
  readonly isOwnRelay: boolean;
}

/** The end of a selected pair; `b2bua`: the address that the B2BUA lends to a side. */
export interface SelectedCandidate {
  readonly type: CandidateType | 'b2bua';
  readonly address: string;
}

/** What one side said of one transport, component 1, in the generation in force (RFC 8445 §9: a restart begins a new one). */
export interface PathEnd {
  /** Of the last conclusion, also if that was in an earlier generation; undefined: never concluded, or not told. */
  readonly selected: SelectedCandidate | undefined;
  /** Of the m= and c= lines; undefined for a placeholder. */
  readonly defaultCandidate: SelectedCandidate | undefined;
  readonly candidates: readonly PathCandidate[];
  /**
   * It lets the other side conclude without an updated offer: it has the option ice2 (RFC 8839 §4.3.4), or trickle,
   * the one of both that browsers name (RFC 8829 §5.2.1 wants both), which never send one.
   */
  readonly waivesUpdate: boolean;
}

/**
 * - `off`: never agreed
 * - `on`: agreed in the last exchange
 * - `suspended`: agreed before, not in the last exchange
 * - `mismatch`: given up by `a=ice-mismatch` (RFC 8839 §4.2.5)
 */
export type LineIce = 'off' | 'on' | 'suspended' | 'mismatch';

/** One m-line as signalled. */
export interface PathLine {
  /** `audio`, `video`, … */
  readonly media: string;
  readonly isRtp: boolean;
  /** Not refused in the last exchange. */
  readonly isActive: boolean;
  /** Place of the line whose transport it uses: its own, or that of its BUNDLE group (RFC 9143). */
  readonly transport: number;
  readonly ice: LineIce;
  /** Undefined: signalling alone does not tell. */
  readonly callType: CallType | undefined;
  /** The answerer of a concluding exchange that named several addresses of it: its selected one is likely, not sure. */
  readonly likelySide: Side | undefined;
  /** What was concluded is of the generation in force, and ICE is on. */
  readonly isInForce: boolean;
  /** Who nominates in the generation in force: its offerer, unless that one alone is lite (RFC 8445 §6.1.1). */
  readonly controlling: Side;
  readonly ends: Readonly<Record<Side, PathEnd>>;
  /** What was concluded for each component, RTCP (2) included. */
  readonly components: readonly PathComponent[];
}

export interface PathComponent {
  /** 1: RTP, and all where RTCP is multiplexed; 2: RTCP. */
  readonly componentId: number;
  readonly caller: SelectedCandidate | undefined;
  readonly callee: SelectedCandidate | undefined;
}

/** What signalling says of a call. */
export interface PathConclusion {
  /** Of {@link decidingLine}; undefined: signalling alone does not tell, evidence may. */
  readonly callType: CallType | undefined;
  /** Lines were concluded with different types. */
  readonly isMixed: boolean;
  /** The first active audio line, else the first RTP line, else the first; undefined before any answer. */
  readonly decidingLine: number | undefined;
  readonly lines: readonly PathLine[];
  /** Whether each side ever offered candidates of its own. */
  readonly hasCandidates: Readonly<Record<Side, boolean>>;
  /** 0, 1 or 2. */
  readonly sidesWithCandidates: number;
  /** Relayed addresses of ours among the candidates: whose allocations to look into. */
  readonly ownRelays: readonly string[];
}

/**
 * What the B2BUA saw of a line's packets after the last exchange.
 * - `left`: both legs were silent for {@link SILENCE_SECONDS} or more while the call was up
 * - `through`: they flowed through the B2BUA until the end
 * - `unclear`: neither, as in a very short call
 */
export type MediaSeen = 'left' | 'through' | 'unclear';

/** Silence of both legs after which media counts as gone elsewhere. */
export const SILENCE_SECONDS = 5;

/** An allocation that carried media; connectivity checks alone do not count, they use every pair. */
export interface RelayFlow {
  /** Relayed transport address, as advertised. */
  readonly relay: string;
  /** Transport address of the peer, as the TURN server sees it; of a relay of ours, as advertised. */
  readonly peer: string;
  /** One way alone: the endpoints do not use the same pair, or one of them says nothing. */
  readonly isOneWay: boolean;
}

export interface PathObservation {
  /** By m-line; of lines in a BUNDLE group, only that of the group's transport is looked at. */
  readonly media: readonly MediaSeen[];
  /** Of the addresses in {@link PathConclusion.ownRelays}; undefined: a TURN server was asked and did not answer. */
  readonly relays: readonly RelayFlow[] | undefined;
  /** Checks with the right credentials that came to the B2BUA's own candidate. */
  readonly checks: Readonly<Record<Side, boolean>>;
  /** Whose checks nominated the B2BUA's own candidate; undefined: nobody's. */
  readonly nominatedBy: Side | undefined;
  /** Why the call could not leave the B2BUA, by configuration: `zone internal is not encrypted`. */
  readonly obstacle: string | undefined;
}

export interface LineVerdict {
  readonly media: string;
  readonly callType: CallType;
  readonly evidence: Evidence;
  readonly selected: TypePair;
}

/** What is said of a call in the end. */
export interface PathVerdict {
  readonly callType: CallType;
  readonly evidence: Evidence;
  /** Lines took paths of different types. */
  readonly isMixed: boolean;
  /** Why the media was not optimised; null where it was. */
  readonly reason: string | null;
  readonly lines: readonly LineVerdict[];
}

export const CANDIDATE_TYPES: readonly CandidateType[] = ['host', 'srflx', 'relay'];

export function otherSide(side: Side): Side {
  return side === 'caller' ? 'callee' : 'caller';
}

/** The type of a pair; the order of its ends has no meaning. */
export function callTypeOf(one: CandidateType, other: CandidateType): CallType {
  const ranks = [CANDIDATE_TYPES.indexOf(one), CANDIDATE_TYPES.indexOf(other)];
  const near = CANDIDATE_TYPES[Math.min(...ranks)];
  const far = CANDIDATE_TYPES[Math.max(...ranks)];
  return CALL_TYPES.find((name) => name === `${near}_to_${far}`) ?? 'none';
}

/** A transport address in its one spelling; names in lower case. */
export function placeOf(address: string, port: number): string {
  const bytes = parseAddress(address);
  return formatEndpoint(bytes ? formatAddress(bytes) : address.toLowerCase(), port);
}

/** Undoes {@link placeOf}. */
export function partsOf(place: string): { address: string; port: number } {
  const colon = place.lastIndexOf(':');
  const address = place.slice(0, colon).replace(/^\[|\]$/g, '');
  return { address, port: Number(place.slice(colon + 1)) };
}
