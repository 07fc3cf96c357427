/** Descriptions of ICE phones in a few words, and what is made of a series of them. */

import {
  type CandidateType,
  type MediaSeen,
  type OwnAddresses,
  otherSide,
  type PathConclusion,
  type PathObservation,
  type PathVerdict,
  type RelayFlow,
  type Side,
} from '../../../src/ice/path.ts';
import { judgePath } from '../../../src/ice/path-evidence.ts';
import { PathTracker } from '../../../src/ice/path-tracker.ts';
import { SdpDocument } from '../../../src/wire/sdp.ts';

/** The B2BUA is all of 198.51.100.20, our TURN server gives out 198.51.100.10. */
export const B2BUA = '198.51.100.20:36000';
export const OWN: OwnAddresses = {
  isB2bua: (address) => address === '198.51.100.20' || address === '2001:db8::20',
  isOwnRelay: (address, port) =>
    (address === '198.51.100.10' || address === '2001:db8::10') && port >= 24_000,
};

/** `host 192.168.1.11:5000`, `prflx [2001:db8::1]:5000`; of component 2 with ` 2` behind it. */
export type CandidateText = string;

export interface LineSpec {
  readonly media?: string;
  readonly protocol?: string;
  /** m= and c=; a line without is at 0.0.0.0:9. */
  readonly at?: string;
  /** a=rtcp. */
  readonly rtcpAt?: string;
  /** Username fragment, from which the password is made; null: no ICE. */
  readonly ufrag?: string | null;
  readonly candidates?: readonly CandidateText[];
  /** a=remote-candidates: `1.2.3.4:5`, of component 2 with ` 2` behind it. */
  readonly remote?: readonly string[];
  /** Further lines. */
  readonly more?: readonly string[];
  /** a=rtcp-mux, the default. */
  readonly isMuxed?: boolean;
}

export interface SessionSpec {
  readonly more?: readonly string[];
}

/** An offer, an answer, or a refusal. */
export type Step = readonly ['offer' | 'answer', Side, string] | readonly ['refused'];

export function sdp(lines: readonly LineSpec[], session: SessionSpec = {}): string {
  const head = ['v=0', 'o=- 1 1 IN IP4 192.0.2.1', 's=-', 't=0 0', ...(session.more ?? [])];
  return [...head, ...lines.flatMap(lineOf)].map((line) => `${line}\r\n`).join('');
}

function lineOf(spec: LineSpec): string[] {
  const { media = 'audio', protocol = 'RTP/SAVP', at = '0.0.0.0:9', ufrag = 'none', isMuxed = true } = spec;
  const [address, port] = split(at);
  const lines = [`m=${media} ${port} ${protocol} 0`, `c=${connection(address)}`];
  if (spec.rtcpAt) lines.push(`a=rtcp:${split(spec.rtcpAt)[1]} ${connection(split(spec.rtcpAt)[0])}`);
  if (isMuxed) lines.push('a=rtcp-mux');
  if (ufrag !== null) lines.push(`a=ice-ufrag:${ufrag}`, `a=ice-pwd:${ufrag}-password-of-22-characters`);
  for (const [i, text] of (spec.candidates ?? []).entries()) lines.push(candidateOf(text, i));
  if (spec.remote) lines.push(`a=remote-candidates:${spec.remote.map(remoteOf).join(' ')}`);
  return [...lines, ...(spec.more ?? [])];
}

function candidateOf(text: CandidateText, index: number): string {
  const [type = '', place = '', component = '1'] = text.split(' ');
  const [address, port] = split(place);
  const related = type === 'host' ? '' : ' raddr 0.0.0.0 rport 9';
  return `a=candidate:${index + 1} ${component} UDP ${1000 - index} ${address} ${port} typ ${type}${related}`;
}

function remoteOf(text: string): string {
  const [place = '', component = '1'] = text.split(' ');
  return `${component} ${split(place).join(' ')}`;
}

function split(place: string): [string, string] {
  const colon = place.lastIndexOf(':');
  return [place.slice(0, colon).replace(/^\[|\]$/g, ''), place.slice(colon + 1)];
}

function connection(address: string): string {
  return `IN ${address.includes(':') ? 'IP6' : 'IP4'} ${address}`;
}

export function parsed(text: string): SdpDocument {
  const document = SdpDocument.parse(text);
  if (!document) throw new RangeError(`not SDP: ${text}`);
  return document;
}

export function concluded(steps: readonly Step[], own: OwnAddresses = OWN): PathConclusion {
  const tracker = new PathTracker(own);
  for (const [kind, side, text] of steps) {
    if (kind === 'refused') tracker.refused();
    else if (kind === 'offer') tracker.offered(side, parsed(text));
    else tracker.answered(side, parsed(text));
  }
  return tracker.conclusion();
}

/** What was seen; without a word nothing of relays, and no checks. */
export interface Sight {
  /** Of all lines, or of each. */
  readonly media?: MediaSeen | readonly MediaSeen[];
  /** null: a TURN server did not answer. */
  readonly flows?: readonly RelayFlow[] | null;
  readonly checks?: readonly Side[];
  readonly nominatedBy?: Side;
  readonly obstacle?: string;
}

export function observation(sight: Sight): PathObservation {
  const { media = 'unclear', flows = [], checks = [] } = sight;
  return {
    media: typeof media === 'string' ? new Array<MediaSeen>(32).fill(media) : media,
    relays: flows ?? undefined,
    checks: { caller: checks.includes('caller'), callee: checks.includes('callee') },
    nominatedBy: sight.nominatedBy,
    obstacle: sight.obstacle,
  };
}

export function verdictOn(steps: readonly Step[], sight: Sight): PathVerdict {
  return judgePath(concluded(steps), observation(sight), OWN);
}

/** The same call told from the other side. */
export function swapped(steps: readonly Step[]): Step[] {
  return steps.map((step) => (step[0] === 'refused' ? step : [step[0], otherSide(step[1]), step[2]]));
}

export function swappedSight(sight: Sight): Sight {
  const { checks = [], nominatedBy, ...rest } = sight;
  const swappedChecks = { ...rest, checks: checks.map(otherSide) };
  return nominatedBy ? { ...swappedChecks, nominatedBy: otherSide(nominatedBy) } : swappedChecks;
}

/** Media between two relayed addresses, or a relay and its peer, as the allocations show it. */
export function flow(relay: string, peer: string): RelayFlow {
  return { relay, peer, isOneWay: false };
}

/** Media that a relay carried to its peer, or from it, and nothing the other way. */
export function oneWay(relay: string, peer: string): RelayFlow {
  return { relay, peer, isOneWay: true };
}

/** A phone with one address of each type that it is given. */
export interface Phone {
  readonly host?: string;
  readonly srflx?: string;
  readonly relay?: string;
  readonly ufrag: string;
}

const DEFAULT_ORDER: readonly CandidateType[] = ['relay', 'srflx', 'host'];

/** Its first description of an audio line: all candidates, the default one by the likelihood that it works (RFC 5245 §4.1.4). */
export function first(phone: Phone, changes: LineSpec = {}): LineSpec {
  const types = DEFAULT_ORDER.filter((type) => phone[type] !== undefined);
  const candidates = types.toReversed().map((type) => `${type} ${phone[type]}`);
  return { at: phone[types[0] ?? 'host'] ?? '0.0.0.0:9', ufrag: phone.ufrag, candidates, ...changes };
}

/** Its description once a candidate was selected (RFC 8839 §4.4.1.2.2). */
export function selected(phone: Phone, candidate: CandidateText, changes: LineSpec = {}): LineSpec {
  return { at: candidate.split(' ')[1] ?? '', ufrag: phone.ufrag, candidates: [candidate], ...changes };
}

/** The first exchange of a call with one audio line. */
export function setUp(caller: LineSpec, callee: LineSpec): Step[] {
  return [
    ['offer', 'caller', sdp([caller])],
    ['answer', 'callee', sdp([callee])],
  ];
}

/** The concluding exchange of such a call. */
export function update(side: Side, offerer: LineSpec, answerer: LineSpec): Step[] {
  const far = answerer.at ?? '';
  return [
    ['offer', side, sdp([{ remote: [far], ...offerer }])],
    ['answer', otherSide(side), sdp([answerer])],
  ];
}
