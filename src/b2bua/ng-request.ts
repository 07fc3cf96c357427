/** A command of the `ng` protocol, in the one spelling that the core knows; `parse-ng-request` makes it of a dictionary. */
import type { BencodeDictionary, BencodeValue } from '../wire/bencode.ts';

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
