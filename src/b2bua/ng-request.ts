/**
 * A command of the `ng` protocol, from the dictionary a proxy sent to the settings it means. Keys and
 * flags come in several spellings (a key of its own, a word in `flags`, one string in `rtpp-flags`;
 * words joined by space, hyphen or underscore); here they become one.
 */
import type { BencodeDictionary, BencodeValue } from '../wire/bencode.ts';
import { FLAG_PREFIXES, FLAGS, OPTIONS, Reading, takeTransportWord, takeZones } from './ng-options.ts';
import { canonicalName, hasNoEffect, splitAtEquals, splitWords, textOf, textsOf } from './ng-words.ts';

/** A value of an `ng` dictionary. Text has one character a byte, whether it came as bencode or JSON: nothing is lost. */
export type NgValue = BencodeValue;
export type NgDictionary = BencodeDictionary;

export type IceFlag = 'remove' | 'force' | 'default' | 'optional' | 'force-relay' | 'passthrough';
export type RtcpMuxFlag = 'offer' | 'require' | 'demux' | 'accept' | 'reject';
export type ReplaceFlag =
  | 'origin'
  | 'session-name'
  | 'sdp-version'
  | 'username'
  | 'zero-address'
  | 'session-connection';

/** What the `SDES` list asks of the offers that we make. Suite names in upper case, as SDP has them. */
export interface SdesFlags {
  /** No SDES towards the receiver of this SDP. */
  readonly off: boolean;
  readonly pad: boolean;
  /** Offer no suite that the offerer did not offer. */
  readonly noNew: boolean;
  /** `no-SUITE` */
  readonly without: readonly string[];
  /** `only-SUITE`; empty: all. */
  readonly only: readonly string[];
  /** `order:A;B;C`: these first, in this order. */
  readonly order: readonly string[];
}

export interface NgRequest {
  readonly command: string;
  readonly callId: string | undefined;
  readonly fromTag: string | undefined;
  readonly toTag: string | undefined;
  readonly viaBranch: string | undefined;
  readonly sdp: string | undefined;
  readonly ice: IceFlag | undefined;
  readonly dtls: 'off' | 'passive' | 'active' | undefined;
  readonly sdes: SdesFlags;
  /**
   * `RTP/AVP`, `RTP/AVPF`, `RTP/SAVP`, `RTP/SAVPF`, `UDP/TLS/RTP/SAVP`, `UDP/TLS/RTP/SAVPF`; undefined: as
   * offered, which is also what `accept` asks for where each leg has a protocol of its own.
   */
  readonly transportProtocol: string | undefined;
  readonly rtcpMux: ReadonlySet<RtcpMuxFlag>;
  readonly replace: ReadonlySet<ReplaceFlag>;
  /** Names of the zones: where this SDP comes from, where it goes to. Empty, or both. */
  readonly direction: readonly string[];
  readonly addressFamily: 'IP4' | 'IP6' | undefined;
  /** A literal address to write into the SDP in place of the zone's; canonical text. */
  readonly mediaAddress: string | undefined;
  /** Literal address that the SIP message came from; canonical text. */
  readonly receivedFrom: string | undefined;
  readonly deleteDelaySeconds: number | undefined;
  /**
   * Words with a meaning, in this spelling: `all`, `asymmetric`, `directional`, `fatal`, `full-rtcp-attribute`,
   * `ICE-reject`, `no-port-latching`, `no-rtcp-attribute`, `port-latching`, `recrypt`, `reset`,
   * `SIP-source-address`, `strict-source`, `to-tag`, `trust-address`.
   */
  readonly flags: ReadonlySet<string>;
  /** What the proxy understands: `load limit`. */
  readonly supports: ReadonlySet<string>;
  /** Of `list`. */
  readonly limit: number | undefined;
  /**
   * Keys and flags that mean nothing here, and keys whose value does not, as they came, without values. To be
   * logged once each. At most 16, of at most 64 printable ASCII characters.
   */
  readonly unknown: readonly string[];
}

/**
 * Reads a command. Values of a wrong type are as good as absent; nothing throws. Where a setting comes more
 * than once, flags win over keys of their own and the last flag wins: what the proxy's script says
 * is meant to override what its module fills in.
 */
export function parseNgRequest(dictionary: NgDictionary): NgRequest {
  const reading = new Reading();
  const entries = Object.entries(dictionary).map(([key, value]) => ({
    key,
    name: canonicalName(key),
    value,
  }));
  for (const { key, name, value } of entries) {
    if (name === 'command') reading.request.command = textOf(value) ?? '';
    else if (name === 'sdp') reading.request.sdp = textOf(value);
    else if (name !== 'flags' && name !== 'rtpp-flags') takeOption(reading, key, value);
  }
  for (const list of ['flags', 'rtpp-flags']) {
    for (const { name, value } of entries) if (name === list) takeWords(reading, wordsOf(value));
  }
  return reading.finish();
}

/** A list of words, or all of them in one string. */
function wordsOf(value: NgValue): string[] {
  return typeof value === 'string' ? splitWords(value) : textsOf(value);
}

/** Words of `flags` or `rtpp-flags`: options as `name=value`, and flags. */
function takeWords(reading: Reading, words: readonly string[]): void {
  reading.nextZone = 0;
  for (const word of words) {
    const { name, value } = splitAtEquals(word);
    if (value) takeOption(reading, name, value);
    else takeFlag(reading, name);
  }
}

function takeOption(reading: Reading, key: string, value: NgValue): void {
  if (value === '') return;
  const name = canonicalName(key);
  const take = OPTIONS.get(name);
  const isUnderstood = take ? take(reading, value) : hasNoEffect(name);
  if (!isUnderstood) reading.miss(key);
}

function takeFlag(reading: Reading, word: string): void {
  const { request } = reading;
  const name = canonicalName(word);
  const flag = FLAGS.get(name);
  const prefix = FLAG_PREFIXES.find(([start]) => name.startsWith(start));
  let isUnderstood = true;
  if (flag !== undefined) request.flags.add(flag);
  else if (name === 'pad-crypto') request.sdes.pad = true;
  // Zones of these names may be said without `direction=`.
  else if (name === 'internal' || name === 'external') isUnderstood = takeZones(reading, word);
  else if (prefix) isUnderstood = prefix[1](reading, word.slice(prefix[0].length));
  else isUnderstood = takeTransportWord(reading, word.toUpperCase()) || hasNoEffect(name);
  if (!isUnderstood) reading.miss(word);
}
