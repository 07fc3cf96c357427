/**
 * Configuration: text in YAML → validated, deep-frozen {@link Config}. This folder parses and judges
 * text; the one file that reads files is `files.ts`. It starts nothing and knows no socket.
 *
 * This file says what each setting means; `schema.ts` holds every rule and every default, one line a
 * setting; `cross-checks.ts` what must hold between settings.
 */

export interface Config {
  readonly node: NodeConfig;
  readonly turn: TurnConfig;
  readonly b2bua: B2buaConfig;
  readonly metrics: MetricsConfig;
  readonly admin: AdminConfig;
}

/** First and last port, both included. */
export type PortRange = readonly [first: number, last: number];

/** Written `ADDRESS:PORT` in the file, IPv6 in brackets. */
export interface SocketAddress {
  readonly address: string;
  /** 0: the system chooses. */
  readonly port: number;
}

export interface NodeConfig {
  readonly name: string;
  /** Threads that move media; `auto`: by the number of processors. */
  readonly workers: 'auto' | number;
  /** How packets are moved; `auto`: the fastest that works here. */
  readonly engine: 'auto' | 'batch' | 'dgram';
  /** Metrics intervals, call history and credentials added at run time; relative to the working directory. */
  readonly stateDirectory: string;
  readonly log: LogConfig;
  readonly limits: NodeLimits;
  /** Other nodes of the deployment. */
  readonly peers: readonly NodePeer[];
}

export interface LogConfig {
  readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';
  /** `auto`: readable on a terminal, JSON otherwise. */
  readonly format: 'auto' | 'json' | 'pretty';
}

export interface NodeLimits {
  /** Wanted SO_RCVBUF and SO_SNDBUF of each listening socket; the kernel may give less. */
  readonly listenerBufferBytes: number;
  /** The same of each relay socket. Counts only while packets wait in it. */
  readonly relayBufferBytes: number;
  /**
   * Longest wait for more packets before those that are there are relayed, at middle rates: costs latency,
   * saves processor time. 0: relay at once.
   */
  readonly pauseMicrosecondsMax: number;
}

export interface NodePeer {
  readonly name: string;
  /** Base of the peer's admin HTTP, `http:` or `https:`. */
  readonly url: string;
  readonly token: string | null;
}

export interface TurnConfig {
  /** False: no TURN server on this node. */
  readonly services: boolean;
  readonly listenAddresses: readonly string[];
  /** The one port for requests; null where {@link requestsPortRange} is set. */
  readonly requestsPort: number | null;
  /** Several ports for requests (the Large appliance has 3478–3483); null where {@link requestsPort} is set. */
  readonly requestsPortRange: PortRange | null;
  readonly protocolMode: 'udp' | 'tcp' | 'both';
  readonly tls: TurnTlsConfig | null;
  /** Whether requests are also heard on TCP port 443. */
  readonly tcp443: boolean;
  readonly realm: string;
  /** False: an open relay. */
  readonly authentication: boolean;
  /** Whether Binding requests without credentials are answered (ordinary `stun:` clients send them). */
  readonly unauthenticatedBinding: boolean;
  readonly credentials: readonly Credential[];
  /** Key of time-limited credentials; null: none. */
  readonly sharedSecret: string | null;
  /** UDP ports of relays. */
  readonly mediaPorts: PortRange;
  /** Addresses that relays are bound to; empty: the listening addresses, else the host's. */
  readonly relayAddresses: readonly string[];
  /** Static NAT: relay address → the address that clients and peers are told. */
  readonly externalAddresses: Readonly<Record<string, string>>;
  readonly peers: TurnPeersConfig;
  /**
   * Which channel numbers clients may bind: up to 0x7FFF (`rfc5766`, which clients in the field still
   * use) or up to 0x4FFF (`rfc8656`).
   */
  readonly channelNumbers: 'rfc5766' | 'rfc8656';
  /** `media`: relays pass only STUN, DTLS, RTP and RTCP, told by the first byte (RFC 7983). */
  readonly mediaPolicy: 'any' | 'media';
  readonly limits: TurnLimitsConfig;
  /** Longest lifetime an allocation is granted, seconds (RFC 8656 §7.2). */
  readonly lifetimeSecondsMax: number;
}

export interface TurnTlsConfig {
  readonly port: number;
  /** Path of the certificate chain, PEM; relative to the working directory. */
  readonly certificate: string;
  /** Path of its private key, PEM. */
  readonly key: string;
}

/** A user of the local database (long-term credentials, RFC 8489 §9.2). */
export interface Credential {
  readonly name: string;
  readonly password: string;
}

/** Which peers a client may reach, on top of the safe default that refuses private and local addresses. */
export interface TurnPeersConfig {
  /** CIDRs opened although the default refuses them. */
  readonly allow: readonly string[];
  /** CIDRs refused although the default allows them; they win over {@link allow}. */
  readonly deny: readonly string[];
  /** `error`: 403; `silent`: success, but nothing passes (some clients give up everything at one 403). */
  readonly refusal: 'error' | 'silent';
}

export interface TurnLimitsConfig {
  /** Allocations on the node. */
  readonly relays: number;
  /** Allocations of one user name. */
  readonly relaysPerUser: number;
  /** Allocations from one client IP address. */
  readonly relaysPerAddress: number;
  readonly permissionsPerRelay: number;
  readonly channelsPerRelay: number;
  /** Ports held for a RESERVATION-TOKEN (EVEN-PORT) on the node. */
  readonly reservations: number;
  /** Answers without authentication (401, 438, Binding) a source IP gets each second; 0: no limit. */
  readonly unauthenticatedRepliesPerSecond: number;
  /** TCP and TLS connections on the node. */
  readonly streams: number;
  /** TCP and TLS connections from one client IP address. */
  readonly streamsPerAddress: number;
  /** TLS handshakes under way on the node. */
  readonly halfOpenHandshakes: number;
}

export interface B2buaConfig {
  /** False: no B2BUA on this node: `ng` is not heard, there are no calls. */
  readonly services: boolean;
  /** Where the `ng` protocol is heard, UDP. */
  readonly ng: SocketAddress;
  /** CIDRs that may speak `ng`. */
  readonly ngAllow: readonly string[];
  /** UDP ports of media legs. */
  readonly mediaPorts: PortRange;
  /** A call without media for so long is ended; not while all its lines are on hold. */
  readonly mediaTimeoutSeconds: number;
  /**
   * An offer without an answer for so long is given up; null: after three times {@link mediaTimeoutSeconds}.
   * A callee may ring for three minutes and more (timer C, RFC 3261 §16.6).
   */
  readonly offerTimeoutSeconds: number | null;
  /** A call is ended when all its lines have been on hold for so long. */
  readonly holdTimeoutSeconds: number;
  /** As {@link mediaTimeoutSeconds}, for a call whose media ICE passthrough may have moved to a direct path. */
  readonly directTimeoutSeconds: number;
  /** How long after an offer or answer the address of an unencrypted stream may still be learned from its packets. */
  readonly latchSeconds: number;
  readonly limits: B2buaLimitsConfig;
  /** Empty: one zone named `default` on the default address. */
  readonly zones: readonly ZoneConfig[];
}

export interface B2buaLimitsConfig {
  /** Calls on the node. */
  readonly calls: number;
  /** UDP ports of one call, all its legs together. */
  readonly portsPerCall: number;
}

export interface ZoneConfig {
  readonly id: number;
  readonly name: string;
  readonly kind: 'traversal' | 'neighbor';
  /** Address of this zone's media; null: the default address. */
  readonly address: string | null;
  /** Static NAT: written into SDP in place of {@link address}; null: the address itself. */
  readonly externalAddress: string | null;
  readonly signalling: 'tls' | 'tcp' | 'udp';
  readonly mediaEncryption: 'force' | 'off' | 'bestEffort' | 'auto';
  readonly aesGcm: boolean;
  /** Whether the B2BUA itself is the ICE peer of this leg; passthrough takes precedence. */
  readonly ice: boolean;
  readonly icePassthrough: boolean;
  /** True: BFCP lines are refused (a disabled TCP/BFCP) instead of forwarded. */
  readonly bfcpFilter: boolean;
  /** True: iX lines are refused (a disabled RTP/AVP) instead of forwarded. */
  readonly ixFilter: boolean;
  /** `relay`: packets pass untouched (an edge node). */
  readonly media: 'terminate' | 'relay';
  /**
   * Pairs of ports that all calls share, RTP on the even and RTCP on the odd ones; null: a pair of ports a
   * stream.
   */
  readonly multiplexedPorts: PortRange | null;
}

export interface MetricsConfig {
  /** Length of an ICE metrics interval; the appliance's is 24. */
  readonly intervalHours: number;
  /** Call detail records, written into the state directory. */
  readonly cdr: CdrConfig;
  /** null: nothing is sent to a collectd. */
  readonly collectd: CollectdConfig | null;
}

export interface CdrConfig {
  /** Files that are kept, the one that grows included; 0: no records are written. */
  readonly files: number;
  /** A file that would grow beyond it is followed by another. */
  readonly fileBytes: number;
}

export interface CollectdConfig {
  /** IP address, or a host name that is resolved for every sending. */
  readonly address: string;
  readonly port: number;
  readonly intervalSeconds: number;
  /** The host that collectd files the values under; null: `node.name`. */
  readonly hostname: string | null;
}

export interface AdminConfig {
  /** Where status pages, `/api` and `/metrics` are served, TCP. */
  readonly http: SocketAddress;
  /** Bearer token of every request except `/healthz`; null: none, which only a loopback address may have. */
  readonly token: string | null;
}
