/** SDP of ICE endpoints, written and read as plain text (RFC 8839); shares nothing with `src/wire/sdp`. */

import type { AgentCandidate, AgentCandidateType, AgentCredentials } from './ice-candidates.ts';
import type { TransportAddress } from './protocol.ts';
import {
  attributeOf,
  keysOf,
  type OfferedKey,
  type PhoneSdpLine,
  readPhoneSdp,
  rtcpPlaceOf,
} from './sdp-lines.ts';

/** What one description of an endpoint says, one audio line. */
export interface IceDescription {
  readonly version: number;
  /** Where it listens by default: RTP, and RTCP where that has a port of its own. */
  readonly defaults: readonly TransportAddress[];
  /** Undefined: plain RTP. */
  readonly key: Pick<OfferedKey, 'tag' | 'suite' | 'keyAndSalt'> | undefined;
  /** The default: where RTCP has no port of its own. With one, that is for who wants no RTCP on RTP's. */
  readonly isRtcpMuxed?: boolean;
  /** Undefined: without ICE. */
  readonly credentials: AgentCredentials | undefined;
  readonly candidates: readonly AgentCandidate[];
  /** Of an updated offer. */
  readonly remoteCandidates?: readonly AgentCandidate[];
  readonly iceOptions?: string;
  readonly direction?: string;
}

export interface ReadDescription {
  readonly line: PhoneSdpLine;
  readonly isRtcpMuxed: boolean;
  readonly rtp: TransportAddress;
  readonly rtcp: TransportAddress;
  readonly keys: readonly OfferedKey[];
  readonly credentials: AgentCredentials | undefined;
  /** Its ICE agent only answers: the other one controls (RFC 8445 §6.1.1). */
  readonly isLite: boolean;
  readonly candidates: readonly AgentCandidate[];
  /** `1 192.0.2.1 5000`. */
  readonly remoteCandidates: readonly string[];
}

export function writeIceSdp(description: IceDescription): string {
  const { version, defaults, key, credentials, candidates, direction } = description;
  const { remoteCandidates = [], iceOptions } = description;
  const [rtp, rtcp] = defaults;
  const isRtcpMuxed = description.isRtcpMuxed ?? rtcp === undefined;
  if (!rtp) throw new Error('a description needs a default address');
  const { ufrag, pwd } = credentials ?? {};
  return [
    'v=0',
    `o=endpoint 7 ${version} IN ${connection(rtp)}`,
    's=-',
    `c=IN ${connection(rtp)}`,
    't=0 0',
    `m=audio ${rtp.port} ${key ? 'RTP/SAVP' : 'RTP/AVP'} 0`,
    'a=rtpmap:0 PCMU/8000',
    ...(rtcp ? [`a=rtcp:${rtcp.port} IN ${connection(rtcp)}`] : []),
    ...(isRtcpMuxed ? ['a=rtcp-mux'] : []),
    ...(key ? [`a=crypto:${key.tag} ${key.suite} inline:${key.keyAndSalt.toString('base64')}`] : []),
    ...(ufrag === undefined ? [] : [`a=ice-ufrag:${ufrag}`, `a=ice-pwd:${pwd}`]),
    ...(iceOptions === undefined ? [] : [`a=ice-options:${iceOptions}`]),
    ...candidates.map((candidate) => `a=candidate:${candidateText(candidate)}`),
    ...(remoteCandidates.length > 0
      ? [`a=remote-candidates:${remoteCandidates.map(remoteText).join(' ')}`]
      : []),
    ...(direction === undefined ? [] : [`a=${direction}`]),
    '',
  ].join('\r\n');
}

/** The first line of a description. */
export function readIceSdp(text: string): ReadDescription {
  const [line] = readPhoneSdp(text);
  if (!line) throw new Error('no media line');
  const isRtcpMuxed = attributeOf(line, 'rtcp-mux') !== undefined;
  const rtp = { address: line.address, port: line.port };
  const [ufrag, pwd] = ['ice-ufrag', 'ice-pwd'].map((name) => attributeOf(line, name));
  return {
    line,
    isRtcpMuxed,
    rtp,
    rtcp: isRtcpMuxed ? rtp : rtcpPlaceOf(line),
    keys: keysOf(line),
    credentials: ufrag === undefined || pwd === undefined ? undefined : { ufrag, pwd },
    isLite: /^a=ice-lite\r?$/m.test(text),
    candidates: valuesOf(line, 'candidate').map(readCandidate),
    remoteCandidates: valuesOf(line, 'remote-candidates').flatMap(
      (value) => value.match(/\d+ \S+ \d+/g) ?? [],
    ),
  };
}

/** All values of an attribute, in order. */
export function valuesOf({ attributes }: PhoneSdpLine, name: string): string[] {
  const prefix = `${name}:`;
  return attributes.filter((text) => text.startsWith(prefix)).map((text) => text.slice(prefix.length));
}

/** What follows `a=candidate:`. */
export function candidateText({ component, type, place, priority }: AgentCandidate): string {
  const related = type === 'host' ? '' : ' raddr 0.0.0.0 rport 9';
  return `${type} ${component} UDP ${priority} ${place.address} ${place.port} typ ${type}${related}`;
}

function readCandidate(value: string): AgentCandidate {
  const [, component = '', , priority = '', address = '', port = '', , type = ''] = value.split(' ');
  return {
    component: Number(component),
    type: type as AgentCandidateType,
    place: { address, port: Number(port) },
    priority: Number(priority),
  };
}

function remoteText({ component, place }: AgentCandidate): string {
  return `${component} ${place.address} ${place.port}`;
}

function connection({ address }: TransportAddress): string {
  return `${address.includes(':') ? 'IP6' : 'IP4'} ${address}`;
}
