/** What one side says of one media line, read from its SDP: where it listens, how it encrypts, whether it does ICE. */
import { parseAddress } from '../wire/address.ts';
import type { MediaDirection, SdpMedia } from '../wire/sdp.ts';
import { parseCandidate } from '../wire/sdp-candidate.ts';
import { clockRates, silenceBytes } from '../wire/sdp-codecs.ts';
import type { ConnectionData } from '../wire/sdp-fields.ts';
import { parseCrypto, type SdesCrypto } from './sdes.ts';

/**
 * - `rtp`: RTP we can serve, encrypted by SDES or not at all
 * - `opaque`: UDP whose contents are none of our business (BFCP, iX, T.38, data channels)
 * - `refused`: port 0
 * - `unserved`: what cannot be carried at all (TCP, several ports in one line, DTLS-SRTP where it would have to be ended)
 */
export type LineKind = 'rtp' | 'opaque' | 'refused' | 'unserved';

/** a=crypto attributes that are looked at; there are 8 suites, and some list each with and without parameters. */
const CRYPTOS_MAX = 32;

/** Transports of RTP, as m= lines name them. */
const RTP_PROTOCOLS = ['RTP/AVP', 'RTP/AVPF', 'RTP/SAVP', 'RTP/SAVPF'];
const DTLS_RTP_PROTOCOLS = ['UDP/TLS/RTP/SAVP', 'UDP/TLS/RTP/SAVPF'];
/** First words of transports that run over UDP and are forwarded without a look inside. */
const OPAQUE_PROTOCOL = /^(UDP|UDP\/.+|udptl|UDPTL|DTLS\/SCTP)$/;

const RTCP_COMPONENT = 2;

export interface RemoteLine {
  readonly kind: LineKind;
  readonly media: string;
  readonly protocol: string;
  /** Payload types of RTP, or what else the m= line names. */
  readonly formats: readonly string[];
  /** The side wants RTP encrypted by the transport it names (SAVP, or DTLS). */
  readonly isSecureProtocol: boolean;
  /** Where it listens; undefined for a null address (an old way of hold) or a name, which is not resolved. */
  readonly rtp: TransportAddress | undefined;
  readonly rtcp: TransportAddress | undefined;
  readonly hasRtcpMux: boolean;
  /** Usable a=crypto attributes, in order, of the first {@link CRYPTOS_MAX}. */
  readonly cryptos: readonly SdesCrypto[];
  /** Undefined: no ICE. */
  readonly ice: RemoteIce | undefined;
  /** `grouped`: it shares the transport of another line; `only`: and has no port of its own. See `bundle`. */
  readonly bundled: 'no' | 'grouped' | 'only';
  readonly direction: MediaDirection;
  readonly isNullAddress: boolean;
  /** Hz by payload type. */
  readonly clockRates: Int32Array;
  /** The byte of silence by payload type, or -1. */
  readonly silence: Int16Array;
}

export interface RemoteIce {
  readonly ufrag: string;
  readonly password: string;
  /** There are candidates, or they will follow (trickle ICE, RFC 8838). */
  readonly hasCandidates: boolean;
  /** Some are for RTCP on a port of its own. */
  readonly hasRtcpCandidates: boolean;
}

export interface TransportAddress {
  readonly address: string;
  readonly port: number;
}

/** How the addresses of a description are to be taken. */
export interface AddressView {
  /** In place of the addresses in the SDP (flag `SIP-source-address`); undefined: those are trusted. */
  readonly override: string | undefined;
  /** Packets may pass untouched: DTLS-SRTP and bundled lines can be carried, though we cannot end them. */
  readonly passesUntouched: boolean;
}

export function readRemoteLine(line: SdpMedia, view: AddressView): RemoteLine {
  const connection = line.connection();
  const rtp = transportAddress(connection, line.port, view.override);
  const hasRtcpMux = line.hasAttribute('rtcp-mux');
  const ufrag = line.inherited('ice-ufrag');
  const password = line.inherited('ice-pwd');
  const hasIce = ufrag !== undefined && password !== undefined && !line.hasAttribute('ice-mismatch');
  // With ICE it is no hold, but stands for candidates that are still to come (RFC 8840 §4.1.1).
  const isNullAddress = !hasIce && connection !== undefined && isUnspecified(connection);
  return {
    kind: line.port === 0 ? 'refused' : kindServed(line, view),
    media: line.media,
    protocol: line.protocol,
    formats: line.formats,
    isSecureProtocol: isSecure(line.protocol),
    rtp,
    rtcp: hasRtcpMux ? rtp : rtcpAddress(line, connection, view.override),
    hasRtcpMux,
    cryptos: line
      .attributes('crypto')
      .slice(0, CRYPTOS_MAX)
      .map(parseCrypto)
      .filter((crypto) => typeof crypto !== 'string'),
    ice: hasIce
      ? { ufrag, password, hasCandidates: hasCandidates(line), hasRtcpCandidates: hasRtcpCandidates(line) }
      : undefined,
    bundled: 'no',
    direction: line.direction(),
    isNullAddress,
    clockRates: clockRates(line),
    silence: silenceBytes(line),
  };
}

/** What the line is, whatever its port says. */
export function kindServed(line: SdpMedia, view: AddressView): LineKind {
  if (line.portCount !== 1 || line.connection() === undefined) return 'unserved';
  if (RTP_PROTOCOLS.includes(line.protocol)) return 'rtp';
  if (DTLS_RTP_PROTOCOLS.includes(line.protocol)) return view.passesUntouched ? 'rtp' : 'unserved';
  return OPAQUE_PROTOCOL.test(line.protocol) ? 'opaque' : 'unserved';
}

/** Whether the keys are agreed on by DTLS. */
export function isDtls(protocol: string): boolean {
  return DTLS_RTP_PROTOCOLS.includes(protocol);
}

function hasCandidates(line: SdpMedia): boolean {
  const options = line.inherited('ice-options')?.split(' ') ?? [];
  return line.hasAttribute('candidate') || options.includes('trickle');
}

function hasRtcpCandidates(line: SdpMedia): boolean {
  return line.attributes('candidate').some((value) => parseCandidate(value)?.componentId === RTCP_COMPONENT);
}

/** Whether the transport is SRTP's: RTP/SAVP, RTP/SAVPF, or over DTLS. */
export function isSecure(protocol: string): boolean {
  return /\/SAVPF?$/.test(protocol);
}

/** Whether the line is on hold: somebody does not listen, or does not speak. */
export function isHeld(line: RemoteLine): boolean {
  return line.direction !== 'sendrecv' || line.isNullAddress;
}

function rtcpAddress(
  line: SdpMedia,
  connection: ConnectionData | undefined,
  override: string | undefined,
): TransportAddress | undefined {
  const rtcp = line.rtcp();
  if (rtcp) return transportAddress(rtcp.connection ?? connection, rtcp.port, override);
  return line.port === 65_535 ? undefined : transportAddress(connection, line.port + 1, override);
}

function transportAddress(
  connection: ConnectionData | undefined,
  port: number,
  override: string | undefined,
): TransportAddress | undefined {
  if (connection === undefined || port === 0 || isUnspecified(connection)) return undefined;
  const address = override ?? connection.address;
  return parseAddress(address) === undefined ? undefined : { address, port };
}

function isUnspecified({ address }: ConnectionData): boolean {
  return address === '0.0.0.0' || /^[0:]+$/.test(address);
}
