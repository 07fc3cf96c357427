/**
 * What each key and flag of the `ng` protocol does to the request that is being read. One function a kind of
 * value; the tables say which keys have it.
 */
import { formatAddress, parseAddress } from '../wire/address.ts';
import type { IceFlag, NgRequest, NgValue, ReplaceFlag, RtcpMuxFlag } from './ng-request.ts';
import { canonicalName, integerOf, textOf, textsOf } from './ng-words.ts';

/** Names of one request that are reported as unknown, and what is shown of each. */
export const UNKNOWN_NAMES_MAX = 16;
export const UNKNOWN_NAME_CHARACTERS_MAX = 64;

/** The request as far as it has been read. */
class Draft implements NgRequest {
  command = '';
  callId: string | undefined;
  fromTag: string | undefined;
  toTag: string | undefined;
  viaBranch: string | undefined;
  sdp: string | undefined;
  ice: IceFlag | undefined;
  dtls: NgRequest['dtls'];
  readonly sdes = {
    off: false,
    pad: false,
    noNew: false,
    without: [] as string[],
    only: [] as string[],
    order: [] as string[],
  };
  transportProtocol: string | undefined;
  readonly rtcpMux: Set<RtcpMuxFlag> = new Set();
  readonly replace: Set<ReplaceFlag> = new Set();
  direction: readonly string[] = [];
  addressFamily: 'IP4' | 'IP6' | undefined;
  mediaAddress: string | undefined;
  receivedFrom: string | undefined;
  deleteDelaySeconds: number | undefined;
  readonly flags: Set<string> = new Set();
  readonly supports: Set<string> = new Set();
  limit: number | undefined;
  readonly unknown: string[] = [];
}

/** What is read, and what can be told only at the end. */
export class Reading {
  readonly request: Draft = new Draft();
  /** By `direction`, `from-interface` and `to-interface`. */
  readonly zones: [from: string | undefined, to: string | undefined] = [undefined, undefined];
  /** Words of a transport protocol said one by one: `SRTP AVPF`. */
  readonly transport: Set<string> = new Set();
  /** Which of the {@link zones} the next word of a direction names. */
  nextZone = 0;

  /** Takes note of a key or flag that means nothing here. */
  miss(name: string): void {
    const { unknown } = this.request;
    const shown = name.slice(0, UNKNOWN_NAME_CHARACTERS_MAX).replace(/[^ -~]/g, '?');
    if (unknown.length < UNKNOWN_NAMES_MAX && !unknown.includes(shown)) unknown.push(shown);
  }

  finish(): NgRequest {
    const { request, transport } = this;
    const [from, to] = this.zones;
    if (from !== undefined && to !== undefined) request.direction = [from, to];
    else if (from !== undefined || to !== undefined) this.miss('direction');
    if (transport.size > 0) {
      const secure = transport.has('SRTP') || transport.has('DTLS') ? 'SAVP' : 'AVP';
      const profile = transport.has('AVPF') ? `${secure}F` : secure;
      request.transportProtocol = transport.has('DTLS') ? `UDP/TLS/RTP/${profile}` : `RTP/${profile}`;
    }
    return request;
  }
}

/** Reads a value; false if it means nothing. */
export type Take = (reading: Reading, value: NgValue) => boolean;

/** By canonical name; also as `name=value` among the flags. */
export const OPTIONS: ReadonlyMap<string, Take> = new Map<string, Take>([
  ['call-id', takeText('callId')],
  ['from-tag', takeText('fromTag')],
  ['to-tag', takeText('toTag')],
  ['via-branch', takeText('viaBranch')],
  ['ice', takeIce],
  ['dtls', takeDtls],
  ['sdes', takeSdes],
  ['transport-protocol', takeTransport],
  ['rtcp-mux', takeRtcpMux],
  ['replace', takeReplace],
  ['direction', takeZones],
  ['from-interface', (reading, value) => takeZone(reading, 0, textOf(value))],
  ['to-interface', (reading, value) => takeZone(reading, 1, textOf(value))],
  ['address-family', takeAddressFamily],
  ['media-address', takeAddress('mediaAddress')],
  ['received-from', takeAddress('receivedFrom')],
  ['delete-delay', takeInteger('deleteDelaySeconds', 0)],
  ['limit', takeInteger('limit', 1)],
  ['supports', takeSupports],
  ['all', takeAll],
]);

/** Flags by canonical name, in the spelling of {@link NgRequest.flags}. */
export const FLAGS: ReadonlyMap<string, string> = new Map(
  [
    'all',
    'asymmetric',
    'directional',
    'fatal',
    'full-rtcp-attribute',
    'ICE-reject',
    'no-port-latching',
    'no-rtcp-attribute',
    'port-latching',
    'recrypt',
    'reset',
    'SIP-source-address',
    'strict-source',
    'to-tag',
    'trust-address',
  ].map((flag) => [canonicalName(flag), flag] as const),
).set('reject-ice', 'ICE-reject');

/** Options that are also said as a flag: `SDES-off`. */
export const FLAG_PREFIXES: readonly (readonly [prefix: string, take: Take])[] = [
  ['sdes-', takeSdes],
  ['rtcp-mux-', takeRtcpMux],
  ['replace-', takeReplace],
];

const ICE_FLAGS: readonly IceFlag[] = [
  'remove',
  'force',
  'default',
  'optional',
  'force-relay',
  'passthrough',
];
const RTCP_MUX_FLAGS: readonly RtcpMuxFlag[] = ['offer', 'require', 'demux', 'accept', 'reject'];
const REPLACE_FLAGS: ReadonlyMap<string, readonly ReplaceFlag[]> = new Map<string, readonly ReplaceFlag[]>([
  ['origin', ['origin']],
  ['origin-full', ['origin', 'username']],
  ['session-name', ['session-name']],
  ['session-connection', ['session-connection']],
  ['sdp-version', ['sdp-version']],
  ['force-increment-sdp-ver', ['sdp-version']],
  ['username', ['username']],
  ['zero-address', ['zero-address']],
]);
const TRANSPORT_PROTOCOLS: readonly string[] = [
  'RTP/AVP',
  'RTP/AVPF',
  'RTP/SAVP',
  'RTP/SAVPF',
  'UDP/TLS/RTP/SAVP',
  'UDP/TLS/RTP/SAVPF',
];
const NO: readonly string[] = ['off', 'no', 'disable', 'disabled'];
/** What `SDES` may say beside suites that changes nothing: keys have no lifetime or session parameters here. */
const SDES_WITHOUT_EFFECT: readonly string[] = [
  'lifetime',
  'static',
  'prefer',
  'encrypted-srtp',
  'encrypted-srtcp',
  'authenticated-srtp',
];

function takeText(field: 'callId' | 'fromTag' | 'toTag' | 'viaBranch'): Take {
  return ({ request }, value) => {
    const text = textOf(value);
    if (text !== undefined) request[field] = text;
    return text !== undefined;
  };
}

function takeInteger(field: 'deleteDelaySeconds' | 'limit', min: number): Take {
  return ({ request }, value) => {
    const integer = integerOf(value);
    if (integer === undefined || integer < min) return false;
    request[field] = integer;
    return true;
  };
}

/** An address alone, or behind its family: `["IP4", "192.0.2.1"]`. */
function takeAddress(field: 'mediaAddress' | 'receivedFrom'): Take {
  return ({ request }, value) => {
    const text = textsOf(value).at(-1)?.split(' ').at(-1);
    const bytes = text === undefined ? undefined : parseAddress(text);
    if (bytes) request[field] = formatAddress(bytes);
    return bytes !== undefined;
  };
}

function takeAddressFamily({ request }: Reading, value: NgValue): boolean {
  const family = textOf(value)?.toUpperCase();
  if (family !== 'IP4' && family !== 'IP6') return false;
  request.addressFamily = family;
  return true;
}

/** One mode, and words that tune an agent which this engine has not (`trickle`, `lite-…`, `ice2`). */
function takeIce({ request }: Reading, value: NgValue): boolean {
  return everyText(value, (word) => {
    const flag = ICE_FLAGS.find((one) => one === word);
    if (flag) request.ice = flag;
    return flag !== undefined || /^(trickle|ice2|no-lite|lite.*)$/.test(word);
  });
}

function takeDtls({ request }: Reading, value: NgValue): boolean {
  const word = canonicalName(textOf(value) ?? '');
  if (NO.includes(word)) request.dtls = 'off';
  else if (word === 'passive' || word === 'active') request.dtls = word;
  else return false;
  return true;
}

function takeSdes({ request: { sdes } }: Reading, value: NgValue): boolean {
  return everyText(value, (word) => {
    if (NO.includes(word)) sdes.off = true;
    else if (word === 'pad') sdes.pad = true;
    else if (word === 'nonew') sdes.noNew = true;
    else if (word.startsWith('no-')) sdes.without.push(suiteName(word.slice(3)));
    else if (word.startsWith('only-')) sdes.only.push(suiteName(word.slice(5)));
    else if (word.startsWith('order:')) sdes.order.push(...suiteNames(word.slice(6)));
    else return SDES_WITHOUT_EFFECT.includes(word) || word.startsWith('offerer-pref:');
    return true;
  });
}

/** Suites have underscores and upper case in SDP, whatever the flag has. */
function suiteName(canonical: string): string {
  return canonical.replaceAll('-', '_').toUpperCase();
}

function suiteNames(canonical: string): string[] {
  return canonical
    .split(';')
    .filter((name) => name !== '')
    .map(suiteName);
}

function takeRtcpMux({ request }: Reading, value: NgValue): boolean {
  return everyText(value, (word) => {
    const flag = RTCP_MUX_FLAGS.find((one) => one === word);
    if (flag) request.rtcpMux.add(flag);
    return flag !== undefined;
  });
}

function takeReplace({ request }: Reading, value: NgValue): boolean {
  return everyText(value, (word) => {
    const flags = REPLACE_FLAGS.get(word);
    for (const flag of flags ?? []) request.replace.add(flag);
    return flags !== undefined;
  });
}

/** Zones one after the other: in a list, in one string, or a word at a time. */
export function takeZones(reading: Reading, value: NgValue): boolean {
  const names = textsOf(value).flatMap((text) => text.split(' '));
  return names.length > 0 && names.every((name) => takeZone(reading, reading.nextZone++, name));
}

function takeZone({ zones }: Reading, place: number, name: string | undefined): boolean {
  if (!name || (place !== 0 && place !== 1)) return false;
  zones[place] = name;
  return true;
}

function takeTransport(reading: Reading, value: NgValue): boolean {
  const protocol = textOf(value)?.toUpperCase() ?? '';
  if (protocol !== 'ACCEPT' && !TRANSPORT_PROTOCOLS.includes(protocol)) return false;
  reading.request.transportProtocol = protocol === 'ACCEPT' ? undefined : protocol;
  reading.transport.clear();
  return true;
}

/** `RTP/SAVPF` as a flag, or its parts: `RTP` or `SRTP` or `DTLS`, `AVP` or `AVPF`. */
export function takeTransportWord(reading: Reading, word: string): boolean {
  const { transport } = reading;
  if (TRANSPORT_PROTOCOLS.includes(word)) return takeTransport(reading, word);
  if (word === 'RTP') transport.delete('SRTP');
  else if (word === 'AVP') transport.delete('AVPF');
  else if (word !== 'SRTP' && word !== 'AVPF' && word !== 'DTLS') return false;
  transport.add(word);
  return true;
}

function takeSupports({ request }: Reading, value: NgValue): boolean {
  return everyText(value, (word) => {
    request.supports.add(word.replaceAll('-', ' '));
    return true;
  });
}

/** Offer and answer are all the media flows there are here. */
function takeAll({ request }: Reading, value: NgValue): boolean {
  const word = canonicalName(textOf(value) ?? '');
  if (word === 'all' || word === 'offer-answer') request.flags.add('all');
  return ['all', 'offer-answer', 'none', 'except-offer-answer', 'flows'].includes(word);
}

/** Hands each text of the value, as a canonical name, to `take`; true if there is one and all were taken. */
function everyText(value: NgValue, take: (word: string) => boolean): boolean {
  const words = textsOf(value).map(canonicalName);
  return words.length > 0 && words.map(take).every(Boolean);
}
