/**
 * What a description says of ICE, copied out of it as it is read: the SDP may be rewritten afterwards.
 * All that is kept has a limit, since anyone may send it.
 */
import { formatAddress, parseAddress } from '../wire/address.ts';
import type { SdpDocument, SdpMedia, SdpSection } from '../wire/sdp.ts';
import { parseCandidate, parseRemoteCandidates } from '../wire/sdp-candidate.ts';
import { CANDIDATE_TYPES, type CandidateType, placeOf } from './path.ts';

/** Candidates of a side on a line, all components and messages of a generation together; further ones are not heeded. About 200 B each. */
export const PATH_CANDIDATES_MAX = 64;
/** Entries of a=remote-candidates that are read. */
const REMOTE_CANDIDATES_MAX = 64;
/** Characters of a ufrag or password (RFC 8839 §5.4); longer ones are no credentials. */
const CREDENTIAL_CHARACTERS_MAX = 256;
/** Discard: stands where an address is not known yet (RFC 8839 §4.2.5). */
const DISCARD_PORT = 9;

/** The type as listed; peer-reflexive, or one to come, is `other`. */
export type ListedType = CandidateType | 'other';

/** Where a listed candidate stands. */
export interface Listed {
  readonly componentId: number;
  readonly place: string;
  readonly type: ListedType;
}

/** One m-line of an offer or answer. */
export interface LineMessage {
  readonly media: string;
  readonly isRtp: boolean;
  readonly port: number;
  readonly mid: string | undefined;
  readonly isBundleOnly: boolean;
  readonly hasRtcpMux: boolean;
  readonly hasMismatch: boolean;
  /** a=ice-options has ice2 or trickle: the other side need not send an updated offer (`PathEnd.waivesUpdate`). */
  readonly waivesUpdate: boolean;
  /** a=ice-lite (RFC 8839 §5.3). */
  readonly isLite: boolean;
  /** Undefined: the line is without ICE. */
  readonly credentials: { readonly ufrag: string; readonly password: string } | undefined;
  /** By component and place; of equals the most direct type. */
  readonly candidates: ReadonlyMap<string, Listed>;
  /** Distinct places by component. */
  readonly remoteCandidates: ReadonlyMap<number, readonly string[]>;
  /** Where the side listens by default, by component: of m=/c= and a=rtcp; without placeholders. */
  readonly defaults: ReadonlyMap<number, string>;
}

export interface PathMessage {
  readonly lines: readonly LineMessage[];
  /** Mids of each BUNDLE group (RFC 9143 §7). */
  readonly bundles: readonly (readonly string[])[];
}

export function readMessage(document: SdpDocument): PathMessage {
  const bundles = document.session
    .attributes('group')
    .map((value) => value.split(/ +/))
    .filter(([semantics]) => semantics === 'BUNDLE')
    .map((words) => words.slice(1));
  return { lines: document.media.map((line) => readLine(line, document.session)), bundles };
}

export function candidateKey(componentId: number, place: string): string {
  return `${componentId} ${place}`;
}

/**
 * The line whose transport each line uses: its own, or the first one of its BUNDLE group that the answer
 * did not refuse (RFC 9143 §7.3).
 */
export function transportsOf(answer: PathMessage): number[] {
  const byMid = new Map(answer.lines.flatMap(({ mid }, i) => (mid === undefined ? [] : [[mid, i] as const])));
  const transports = answer.lines.map((_, i) => i);
  for (const mids of answer.bundles) {
    const members = mids.flatMap((mid) => byMid.get(mid) ?? []);
    const first = members.find((i) => answer.lines[i]?.port !== 0);
    if (first === undefined) continue;
    for (const member of members) if (isServed(answer.lines[member], true)) transports[member] = first;
  }
  return transports;
}

/** Whether the line is not refused; a port of 0 is no refusal where the transport is that of a group (RFC 9143 §6). */
export function isServed(line: LineMessage | undefined, isBundled: boolean): boolean {
  return line !== undefined && (line.port !== 0 || (isBundled && line.isBundleOnly));
}

function readLine(line: SdpMedia, session: SdpSection): LineMessage {
  const candidates = readCandidates(line);
  const options = [...session.attributes('ice-options'), ...line.attributes('ice-options')]
    .join(' ')
    .split(' ');
  return {
    media: line.media,
    isRtp: /RTP\/S?AVPF?$/.test(line.protocol),
    port: line.port,
    mid: line.attribute('mid'),
    isBundleOnly: line.hasAttribute('bundle-only'),
    hasRtcpMux: line.hasAttribute('rtcp-mux'),
    hasMismatch: line.hasAttribute('ice-mismatch'),
    waivesUpdate: options.includes('ice2') || options.includes('trickle'),
    isLite: session.hasAttribute('ice-lite'),
    credentials: readCredentials(line),
    candidates,
    remoteCandidates: readRemoteCandidates(line),
    defaults: readDefaults(line, candidates),
  };
}

function readCredentials(line: SdpMedia): LineMessage['credentials'] {
  const ufrag = line.inherited('ice-ufrag');
  const password = line.inherited('ice-pwd');
  if (ufrag === undefined || password === undefined) return undefined;
  const isLong = Math.max(ufrag.length, password.length) > CREDENTIAL_CHARACTERS_MAX;
  return isLong ? undefined : { ufrag, password };
}

function readCandidates(line: SdpMedia): Map<string, Listed> {
  const candidates = new Map<string, Listed>();
  for (const value of line.attributes('candidate')) {
    if (candidates.size === PATH_CANDIDATES_MAX) break;
    const candidate = parseCandidate(value);
    if (!candidate) continue;
    const { componentId } = candidate;
    const place = placeOf(candidate.address, candidate.port);
    const type = CANDIDATE_TYPES.find((name) => name === candidate.type) ?? 'other';
    const key = candidateKey(componentId, place);
    const known = candidates.get(key);
    if (!known || rank(type) < rank(known.type)) candidates.set(key, { componentId, place, type });
  }
  return candidates;
}

function readRemoteCandidates(line: SdpMedia): Map<number, string[]> {
  const places = new Map<number, string[]>();
  const entries = line.attributes('remote-candidates').flatMap((value) => parseRemoteCandidates(value) ?? []);
  for (const { componentId, address, port } of entries.slice(0, REMOTE_CANDIDATES_MAX)) {
    const place = placeOf(address, port);
    const ofComponent = places.get(componentId) ?? [];
    if (!ofComponent.includes(place)) places.set(componentId, [...ofComponent, place]);
  }
  return places;
}

/**
 * RTP at m= and c=, RTCP at a=rtcp, else at the next port (RFC 8866 §5.14, RFC 3605). Null addresses, port 9
 * and names say that the address is not known, and are no mismatch (RFC 8839 §4.2.5), unless a candidate has them.
 */
function readDefaults(line: SdpMedia, candidates: ReadonlyMap<string, Listed>): Map<number, string> {
  const defaults = new Map<number, string>();
  const connection = line.connection();
  const rtcp = line.rtcp();
  const put = (componentId: number, address: string | undefined, port: number): void => {
    if (address === undefined || port === 0 || port > 65_535) return;
    const place = placeOf(address, port);
    const isListed = candidates.has(candidateKey(componentId, place));
    if (isListed || !isPlaceholder(address, port)) defaults.set(componentId, place);
  };
  put(1, connection?.address, line.port);
  if (line.port !== 0) put(2, (rtcp?.connection ?? connection)?.address, rtcp?.port ?? line.port + 1);
  return defaults;
}

function isPlaceholder(address: string, port: number): boolean {
  const bytes = parseAddress(address);
  if (!bytes || port === DISCARD_PORT) return true;
  const text = formatAddress(bytes);
  return text === '0.0.0.0' || text === '::';
}

function rank(type: ListedType): number {
  return type === 'other' ? CANDIDATE_TYPES.length : CANDIDATE_TYPES.indexOf(type);
}
