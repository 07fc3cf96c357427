/** What a core can tell about its allocations, as plain data for status pages. Control plane. */
import type { EndpointBook } from '../wire/endpoint.ts';
import {
  type Allocation,
  TALLY_BYTES_FROM_CLIENT,
  TALLY_BYTES_TO_CLIENT,
  TALLY_COLUMNS,
  TALLY_ERROR_RESPONSES,
  TALLY_PACKETS_DROPPED,
  TALLY_PACKETS_FROM_CLIENT,
  TALLY_PACKETS_FROM_PEERS,
  TALLY_PACKETS_TO_CLIENT,
  TALLY_REQUESTS,
  TALLY_SUCCESS_RESPONSES,
} from './allocations.ts';
import type { TurnCore } from './server.ts';

/** One allocation. Addresses are text with ports; lifetimes are what is left, whole seconds. */
export interface AllocationReport {
  readonly id: number;
  /** Place in the settings' listeners. */
  readonly listener: number;
  readonly client: string;
  readonly user: string;
  /** As clients are told them (behind static NAT the external ones): IPv4 first. */
  readonly relayAddresses: readonly string[];
  readonly expiresInSeconds: number;
  /** Packet counts of a permission leave out what went by a channel. */
  readonly permissions: readonly ({ address: string; expiresInSeconds: number } & PeerPackets)[];
  readonly channels: readonly ({ number: number; peer: string; expiresInSeconds: number } & PeerPackets)[];
  readonly counters: {
    readonly packetsFromClient: number;
    readonly bytesFromClient: number;
    readonly packetsToClient: number;
    readonly bytesToClient: number;
    readonly packetsFromPeers: number;
    readonly packetsDropped: number;
    readonly requests: number;
    readonly successResponses: number;
    readonly errorResponses: number;
  };
}

/** Packets relayed to a peer and from it. */
export interface PeerPackets {
  readonly packetsToPeer: number;
  readonly packetsFromPeer: number;
}

export interface TurnReport {
  readonly allocations: readonly AllocationReport[];
  readonly allocationsTotal: number;
  /** Different client addresses among all allocations. */
  readonly clientAddresses: readonly string[];
}

/** Reports at most `allocationsMax` allocations in full; the totals count all. */
export function inspect(core: TurnCore, allocationsMax: number, nowMs: number): TurnReport {
  const reports: AllocationReport[] = [];
  const clients = new Set<string>();
  for (const allocation of core.allocations) {
    clients.add(core.io.endpoints.addressText(allocation.client));
    if (reports.length < allocationsMax) reports.push(report(core, allocation, nowMs));
  }
  return {
    allocations: reports,
    allocationsTotal: core.allocations.size,
    clientAddresses: [...clients],
  };
}

function report(core: TurnCore, allocation: Allocation, nowMs: number): AllocationReport {
  const { endpoints } = core.io;
  const { permissions, channels, tallies } = core.allocations;
  const tally = (column: number): number => tallies[allocation.id * TALLY_COLUMNS + column] ?? 0;
  const left = (expiresAtMs: number): number => Math.max(0, Math.ceil((expiresAtMs - nowMs) / 1000));
  return {
    id: allocation.id,
    listener: allocation.listener,
    client: endpoints.text(allocation.client),
    user: allocation.user,
    relayAddresses: allocation.relays.map((relay) => endpoints.text(core.nat.shown(relay.endpoint))),
    expiresInSeconds: left(Math.max(...allocation.relays.map((relay) => relay.expiresAtMs))),
    permissions: permissions.listed(allocation.firstPermission).map((row) => ({
      address: peerText(core, endpoints, permissions.peer[row] ?? 0, false),
      expiresInSeconds: left(permissions.expiresAtMs[row] ?? 0),
      packetsToPeer: permissions.packetsToPeer[row] ?? 0,
      packetsFromPeer: permissions.packetsFromPeer[row] ?? 0,
    })),
    channels: channels.listed(allocation.firstChannel).map((row) => ({
      number: channels.detail[row] ?? 0,
      peer: peerText(core, endpoints, channels.peer[row] ?? 0, true),
      expiresInSeconds: left(channels.expiresAtMs[row] ?? 0),
      packetsToPeer: channels.packetsToPeer[row] ?? 0,
      packetsFromPeer: channels.packetsFromPeer[row] ?? 0,
    })),
    counters: {
      packetsFromClient: tally(TALLY_PACKETS_FROM_CLIENT),
      bytesFromClient: tally(TALLY_BYTES_FROM_CLIENT),
      packetsToClient: tally(TALLY_PACKETS_TO_CLIENT),
      bytesToClient: tally(TALLY_BYTES_TO_CLIENT),
      packetsFromPeers: tally(TALLY_PACKETS_FROM_PEERS),
      packetsDropped: tally(TALLY_PACKETS_DROPPED),
      requests: tally(TALLY_REQUESTS),
      successResponses: tally(TALLY_SUCCESS_RESPONSES),
      errorResponses: tally(TALLY_ERROR_RESPONSES),
    },
  };
}

function peerText(core: TurnCore, endpoints: EndpointBook, row: number, withPort: boolean): string {
  const shown = core.nat.shown(row);
  return withPort ? endpoints.text(shown) : endpoints.addressText(shown);
}
