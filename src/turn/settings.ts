/** What a TURN core is told once at its start, already validated and resolved to addresses. */
import type { Prefix } from '../wire/address.ts';
import type { Hmac } from '../wire/stun-writer.ts';

export interface TurnSettings {
  readonly realm: string;
  /** False: every client is served without credentials (an open relay). */
  readonly authentication: boolean;
  /** Whether Binding requests without credentials are answered. */
  readonly unauthenticatedBinding: boolean;
  /** Key of time-limited credentials, or undefined. */
  readonly sharedSecret: string | undefined;
  /** Key of the nonces, the same in all workers of a node; 32 random bytes. */
  readonly nonceKey: Uint8Array;
  /** Upper bound of LIFETIME, seconds (RFC 8656 §7.2: at least the default of 600). */
  readonly lifetimeSecondsMax: number;
  /** First and last relay port. */
  readonly relayPorts: readonly [number, number];
  readonly relayAddresses: readonly RelayAddress[];
  readonly listeners: readonly ListenerSettings[];
  readonly peers: PeerSettings;
  readonly limits: TurnLimits;
  /** Highest channel number a client may bind: 0x4FFF (RFC 8656) or 0x7FFF (RFC 5766). */
  readonly channelNumberMax: number;
  /** `media`: only STUN, DTLS and RTP pass, by first byte (RFC 7983); a tunnel finds no way. */
  readonly mediaPolicy: 'any' | 'media';
}

export interface RelayAddress {
  /** Address that relay sockets are bound to. */
  readonly address: string;
  /** Address that clients and peers are told (static NAT), if it differs. */
  readonly external: string | undefined;
}

export interface ListenerSettings {
  readonly protocol: 'udp' | 'tcp' | 'tls';
  readonly address: string;
  readonly port: number;
  /** Places in {@link TurnSettings.relayAddresses} from which its clients get relays, or -1. */
  readonly relayIPv4: number;
  readonly relayIPv6: number;
}

export interface PeerSettings {
  readonly allow: readonly Prefix[];
  readonly deny: readonly Prefix[];
  /** `error`: 403; `silent`: success, but nothing passes (some clients give up at the first 403). */
  readonly refusal: 'error' | 'silent';
  /** Addresses of this host: reachable as peers only on relay ports. */
  readonly ownAddresses: readonly string[];
  /** Ports on which this node itself listens: always refused on its own addresses. */
  readonly ownPorts: readonly number[];
}

export interface TurnLimits {
  /** Over the whole node. */
  readonly relays: number;
  readonly relaysPerUser: number;
  /** An IPv6 client counts as its /64: one subscriber owns all of it. */
  readonly relaysPerAddress: number;
  /** Ports held for a RESERVATION-TOKEN, over the whole node. */
  readonly reservations: number;
  readonly permissionsPerRelay: number;
  readonly channelsPerRelay: number;
  /** Answers to requests that are not (yet) authenticated, per source address and second; 0: no limit. */
  readonly unauthenticatedRepliesPerSecond: number;
}

/** A user of the local credential database. */
export interface TurnCredential {
  readonly name: string;
  readonly password: string;
}

/** Cryptography and randomness, injected so that the core stays free of both. */
export interface TurnCrypto {
  readonly hmac: Hmac;
  digest(algorithm: 'md5' | 'sha256', text: string): Uint8Array;
  /** Fills with bytes of a cryptographically secure generator. */
  randomFill(bytes: Uint8Array): void;
  /** Uniform in 0 ≤ n < bound (bound ≤ 2^32), cryptographically secure. */
  randomBelow(bound: number): number;
}

/** What the core reports as it happens, for logs. Never called per packet. */
export interface TurnEvents {
  allocated(id: number): void;
  ended(id: number, reason: AllocationEnd): void;
  /** At most one call a second, with what was left unanswered since the last. */
  rateLimited(address: string, droppedReplies: number): void;
}

export type AllocationEnd = 'deleted' | 'expired' | 'revoked' | 'closed';
