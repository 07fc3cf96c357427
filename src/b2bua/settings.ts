/** What a B2BUA core is told once at its start, already validated and resolved to addresses. */
import type { PortRange } from '../wire/port-claims.ts';
import type { Hmac } from '../wire/stun-writer.ts';
import type { Keystream } from './srtp/key-derivation.ts';

export interface B2buaSettings {
  /** At least one. The first one serves a command that names no zone. */
  readonly zones: readonly ZoneSettings[];
  /** Whether a name in `direction` that is no zone's means the first zone; else it is an error. */
  readonly anyDirection: boolean;
  /** Addresses that media sockets are bound to; zones name them by their place here. */
  readonly mediaAddresses: readonly string[];
  readonly mediaPorts: PortRange;
  /** Relayed addresses that TURN servers of ours give out: their address, as clients are told it, and their ports. */
  readonly relayRanges: readonly RelayRange[];
  /** A call without a packet for so long is ended. */
  readonly mediaTimeoutSeconds: number;
  /** So long an offer may wait for its answer. */
  readonly offerTimeoutSeconds: number;
  /** As {@link mediaTimeoutSeconds}, for a call all of whose lines are on hold. */
  readonly holdTimeoutSeconds: number;
  /** As {@link mediaTimeoutSeconds}, for a call whose media may have left for a direct path. */
  readonly directTimeoutSeconds: number;
  /** So long after an offer or answer the address of an unencrypted stream may still be learned. */
  readonly latchSeconds: number;
  readonly limits: { readonly calls: number; readonly portsPerCall: number };
}

export interface ZoneSettings {
  readonly id: number;
  readonly name: string;
  /** At most one a family; at least one. The first is used unless another family is asked for. */
  readonly addresses: readonly ZoneAddress[];
  readonly mediaEncryption: 'force' | 'off' | 'bestEffort' | 'auto';
  readonly aesGcm: boolean;
  /** Whether offers into the zone have ICE, and offers with ICE from it are answered with it, unless the proxy says otherwise. */
  readonly ice: boolean;
  /** Whether candidates and keys may pass through to and from the zone; see {@link passthroughObstacle}. */
  readonly icePassthrough: boolean;
  /** Keys travel in SDP: they pass through only where the signalling is encrypted. */
  readonly isSignallingEncrypted: boolean;
  /** `relay`: packets pass untouched, where the other leg's zone says so too. */
  readonly media: 'terminate' | 'relay';
  /** RTP and RTCP of all calls on these two ports, which the worker hears; undefined: ports of each stream's own. */
  readonly multiplexedPorts: readonly [rtp: number, rtcp: number] | undefined;
  /** BFCP lines offered into the zone are disabled. */
  readonly bfcpFilter: boolean;
  /** iX lines offered into the zone are disabled. */
  readonly ixFilter: boolean;
}

export interface RelayRange {
  readonly address: string;
  readonly ports: PortRange;
}

/** Why nothing passes through a zone, in words for the operator; undefined: it may. */
export function passthroughObstacle(zone: ZoneSettings): string | undefined {
  if (!zone.icePassthrough) return `zone ${zone.name} does not allow ICE passthrough`;
  if (!zone.isSignallingEncrypted) return `signalling of zone ${zone.name} is not TLS`;
  return zone.mediaEncryption === 'off' ? `zone ${zone.name} is not encrypted` : undefined;
}

export interface ZoneAddress {
  /** Place in {@link B2buaSettings.mediaAddresses}. */
  readonly place: number;
  readonly address: string;
  /** What is written into SDP: {@link address}, or the external one (static NAT). */
  readonly advertised: string;
  readonly family: 'IP4' | 'IP6';
}

/** Randomness and the cryptography of the control plane; that of packets is a `MediaCrypto`. */
export interface B2buaCrypto {
  readonly keystream: Keystream;
  readonly hmac: Hmac;
  /** Fills with bytes of a cryptographically secure generator. */
  randomFill(bytes: Uint8Array): void;
  /** Uniform in 0 ≤ n < bound (bound ≤ 2^32), cryptographically secure. */
  randomBelow(bound: number): number;
}

export type CallEnd = 'deleted' | 'media timeout' | 'offer timeout' | 'closed';
