/**
 * What the admin HTTP server asks of a node, and the shapes it serves as JSON. `node` implements
 * {@link AdminSource}; nothing here knows workers, sockets or cores.
 *
 * Transport addresses are text: `192.0.2.1:3478`, `[2001:db8::1]:3478`. Times are ISO 8601, durations
 * seconds, counters totals since the node started unless a field says otherwise.
 */
import type { CallRecord } from '../metrics/call-record.ts';
import type { IceMetricsReport } from '../metrics/ice-metrics.ts';
import type { BencodeDictionary } from '../wire/bencode.ts';
import type { CallStatus, CallsStatus, LinkTotals } from './call-status.ts';

export interface AdminSource {
  /** Cheap and synchronous: read from shared memory. Called once a second. */
  traffic(): TrafficTotals;
  status(): Promise<NodeStatus>;
  /** @param relaysMax how many entries `relays` needs at most, 0 or more; the totals count all. */
  turn(relaysMax: number): Promise<TurnStatus>;
  /**
   * Those of the transport addresses that are relayed ones of this node, or were within the last two minutes.
   * Other nodes ask for it, so it never asks other nodes.
   */
  relayEvidence(addresses: readonly string[]): Promise<readonly RelayEvidence[]>;
  /** @param callsMax how many calls are wanted at most, 0 or more; the total counts all. */
  calls(callsMax: number): Promise<CallsStatus>;
  call(id: string): Promise<CallStatus | undefined>;
  /** Calls that ended, newest first, as many as are kept. */
  callHistory(): readonly CallRecord[];
  /** One of them. */
  callRecord(uuid: string): CallRecord | undefined;
  /** Of this node. Other nodes ask for it, so it never asks other nodes. */
  iceMetrics(): IceMetricsReport;
  /** Of this node, then of its peers in the order of the configuration, asked in bounded time. Never rejects. */
  iceMetricsOfNodes(): Promise<readonly NodeIceMetrics[]>;
  /** Cheap and synchronous, as {@link traffic}. */
  links(): readonly LinkTotals[];
  /** The page of `/metrics`, in the text format of Prometheus. */
  metricsText(): Promise<string>;
  /** Carries out a command of the `ng` protocol; undefined where the B2BUA is off. */
  ng(command: BencodeDictionary): Promise<BencodeDictionary | undefined>;
  readonly credentials: CredentialAdmin;
}

/** The local credential database. Passwords go in and never come out. */
export interface CredentialAdmin {
  list(): string[];
  /** Adds a user, or gives an existing one a new password. */
  add(name: string, password: string): Promise<void>;
  /** Removes a user and ends its allocations; tells how many. */
  remove(name: string): Promise<number>;
}

/** A column of the ICE passthrough metrics. */
export interface NodeIceMetrics {
  /** As the configuration names it. */
  readonly node: string;
  /** Null: the node did not answer, or not sensibly. */
  readonly metrics: IceMetricsReport | null;
}

/** A relayed transport address with what its peers were sent and heard. */
export interface RelayEvidence {
  /** As clients are told it. */
  readonly address: string;
  /** Whether a client has it now. */
  readonly active: boolean;
  /** Those with any packet: with their port where they have a channel, else all of the IP address together. */
  readonly peers: readonly { readonly address: string; readonly toPeer: number; readonly fromPeer: number }[];
}

/** Relayed data of the node. */
export interface TrafficTotals {
  readonly packetsClientToPeer: number;
  readonly bytesClientToPeer: number;
  readonly packetsPeerToClient: number;
  readonly bytesPeerToClient: number;
}

/** `GET /api/status`, to which the admin server adds {@link TrafficRates} as `traffic`. */
export interface NodeStatus {
  readonly name: string;
  readonly version: string;
  /** False while the node starts, ends, or a part of it has failed; {@link reason} says which. */
  readonly healthy: boolean;
  readonly reason: string | null;
  readonly startTime: string;
  readonly uptimeSeconds: number;
  /** Engine in use: `batch` or `dgram`. */
  readonly engine: string;
  readonly workers: number;
  readonly turn: {
    readonly state: TurnState;
    readonly activeClients: number;
    readonly activeRelays: number;
    /** Relayed transport addresses that clients are given: address, first and last port. */
    readonly relayRanges: readonly { readonly address: string; readonly ports: readonly [number, number] }[];
  };
  readonly b2bua: {
    readonly state: 'active' | 'inactive';
    readonly activeCalls: number;
    /** How packets are encrypted: `openssl` through FFI, or `node`; null where there are no calls. */
    readonly crypto: 'openssl' | 'node' | null;
  };
}

/** Relayed data per second, averaged over the last few seconds. */
export interface TrafficRates {
  readonly windowSeconds: number;
  readonly packetsPerSecondClientToPeer: number;
  readonly bitsPerSecondClientToPeer: number;
  readonly packetsPerSecondPeerToClient: number;
  readonly bitsPerSecondPeerToClient: number;
}

export type TurnState = 'active' | 'inactive';

/** `GET /api/turn`. */
export interface TurnStatus {
  readonly state: TurnState;
  readonly realm: string;
  readonly engine: string;
  readonly workers: readonly TurnWorkerStatus[];
  readonly listeners: readonly TurnListenerStatus[];
  /** Client addresses that have at least one allocation. */
  readonly activeClients: number;
  /** Allocations. */
  readonly activeRelays: number;
  /** As many of the relays as were asked for. */
  readonly relays: readonly TurnRelayStatus[];
  /** How many there are. */
  readonly relaysTotal: number;
  /** Every counter by its name, summed over the workers. */
  readonly counters: Readonly<Record<string, number>>;
  /** Packets and messages dropped, by reason; only reasons that occurred. */
  readonly drops: Readonly<Record<string, number>>;
  /** Requests refused for their credentials, by reason; only reasons that occurred. */
  readonly authFailures: Readonly<Record<string, number>>;
}

export interface TurnWorkerStatus {
  readonly id: number;
  readonly kind: string;
  readonly counters: Readonly<Record<string, number>>;
}

export interface TurnListenerStatus {
  readonly protocol: 'udp' | 'tcp' | 'tls';
  readonly address: string;
  readonly port: number;
  /** What the kernel gave for SO_RCVBUF and SO_SNDBUF; null where the engine cannot tell. */
  readonly receiveBufferBytes: number | null;
  readonly sendBufferBytes: number | null;
}

export interface TurnRelayStatus {
  /** Unique on the node among the relays of this moment. */
  readonly id: string;
  readonly worker: number;
  readonly client: { readonly protocol: 'udp' | 'tcp' | 'tls'; readonly address: string };
  /** Empty where authentication is off. */
  readonly user: string;
  /** The relayed transport address as clients are told it. */
  readonly relayAddress: string;
  /** The second one of a dual allocation (RFC 8656 §7.2). */
  readonly additionalRelayAddress: string | null;
  readonly expiresInSeconds: number;
  /** Transport addresses of peers with a channel, and addresses of the others with a permission. */
  readonly peers: readonly string[];
  /** Packet counts of a permission leave out what went by a channel. */
  readonly permissions: readonly (TurnPeerPackets & {
    readonly address: string;
    readonly expiresInSeconds: number;
  })[];
  readonly channels: readonly (TurnPeerPackets & {
    /** 0x4000–0x4FFF. */
    readonly number: number;
    readonly peer: string;
    readonly expiresInSeconds: number;
  })[];
  readonly counters: TurnRelayCounters;
}

/** Packets relayed to a peer and from it. */
export interface TurnPeerPackets {
  readonly packetsToPeer: number;
  readonly packetsFromPeer: number;
}

export interface TurnRelayCounters {
  readonly packetsFromClient: number;
  readonly bytesFromClient: number;
  readonly packetsToClient: number;
  readonly bytesToClient: number;
  readonly packetsFromPeers: number;
  readonly packetsDropped: number;
  readonly requests: number;
  readonly successResponses: number;
  readonly errorResponses: number;
}
