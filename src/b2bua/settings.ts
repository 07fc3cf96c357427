/** What a B2BUA core is told once at its start, already validated and resolved to addresses. */
import type { PortRange } from '../wire/port-claims.ts';
import type { Hmac } from '../wire/stun-writer.ts';
import type { CallReport } from './inspect.ts';
import type { Keystream } from './srtp/key-derivation.ts';

export interface B2buaSettings {
  /** At least one. The first one serves a command that names no zone. */
  readonly zones: readonly ZoneSettings[];
  /** Whether a name in `direction` that is no zone's means the first zone; else it is an error. */
  readonly anyDirection: boolean;
  /** Addresses that media sockets are bound to; zones name them by their place here. */
  readonly mediaAddresses: readonly string[];
  readonly mediaPorts: PortRange;
  /** A call without a packet for so long is ended. */
  readonly mediaTimeoutSeconds: number;
  /** So long an offer may wait for its answer. */
  readonly offerTimeoutSeconds: number;
  /** As {@link mediaTimeoutSeconds}, for a call all of whose lines are on hold. */
  readonly holdTimeoutSeconds: number;
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
  /** `relay`: packets pass untouched, where the other leg's zone says so too. */
  readonly media: 'terminate' | 'relay';
  /** RTP and RTCP of all calls on these two ports, which the worker hears; undefined: ports of each stream's own. */
  readonly multiplexedPorts: readonly [rtp: number, rtcp: number] | undefined;
  /** BFCP lines offered into the zone are disabled. */
  readonly bfcpFilter: boolean;
  /** iX lines offered into the zone are disabled. */
  readonly ixFilter: boolean;
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

/** What the core reports as it happens. Never called per packet. */
export interface B2buaEvents {
  callEnded(call: CallReport, reason: CallEnd): void;
  /** A key or flag of a command that means nothing here. The same one may be reported again. */
  unknownFlag(text: string): void;
}
