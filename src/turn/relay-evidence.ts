/**
 * What TURN knows of a call's path: which relayed addresses are its own, and how much each of their peers
 * was sent and heard. Endpoints give their relays up as they hang up, before anybody asks, so relays that
 * have ended are remembered for a while. Control plane.
 */
import { parseEndpoint } from '../wire/address.ts';
import type { EndpointBook } from '../wire/endpoint.ts';
import type { Allocation, Allocations, Relay } from './allocations.ts';
import type { FlowRows } from './flow-rows.ts';
import type { StaticNat } from './static-nat.ts';

/** Relays that one worker remembers, and for how long after their end. */
export const ENDED_RELAYS_MAX = 4096;
export const ENDED_RELAY_SECONDS = 120;
/** Peers that an ended relay is remembered with: those with the most packets. A call has a handful. */
export const PEERS_REMEMBERED_MAX = 16;

/** A relayed transport address of ours, now or within the last {@link ENDED_RELAY_SECONDS}. */
export interface RelayEvidence {
  /** As clients are told it, IPv6 as in RFC 5952: `198.51.100.1:24000`, `[2001:db8::1]:24000`. */
  readonly address: string;
  /** Whether an allocation has it now. */
  readonly active: boolean;
  /** Those that any packet was relayed to or from. */
  readonly peers: readonly PeerTraffic[];
}

export interface PeerTraffic {
  /** Of a peer with a channel, its transport address; of what went by a permission alone, the IP address. */
  readonly address: string;
  /** Packets relayed. */
  readonly toPeer: number;
  readonly fromPeer: number;
}

interface EndedRelay {
  readonly endedAtMs: number;
  readonly peers: readonly PeerTraffic[];
}

export class RelayMemory {
  readonly #allocations: Allocations;
  readonly #book: EndpointBook;
  readonly #nat: StaticNat;
  readonly #asked: number; // scratch row
  /** By address as clients are told it; oldest first. */
  readonly #ended = new Map<string, EndedRelay>();

  constructor(parts: { allocations: Allocations; book: EndpointBook; nat: StaticNat }) {
    this.#allocations = parts.allocations;
    this.#book = parts.book;
    this.#nat = parts.nat;
    this.#asked = parts.book.acquire();
  }

  /** Ended relays remembered. */
  get size(): number {
    return this.#ended.size;
  }

  /** To be called while the allocation still has the relay and its flows. */
  remember(allocation: Allocation, relay: Relay, nowMs: number): void {
    const peers = this.#peersOf(allocation, relay).sort(byPackets).slice(0, PEERS_REMEMBERED_MAX);
    const address = this.#text(relay.endpoint);
    // Deleted first, so that the order of the map is that of the ends.
    this.#ended.delete(address);
    this.#ended.set(address, { endedAtMs: nowMs, peers });
    if (this.#ended.size > ENDED_RELAYS_MAX) this.#forgetOldest();
  }

  /** Forgets what ended too long ago. */
  sweep(nowMs: number): void {
    for (const { endedAtMs } of this.#ended.values()) {
      if (!isOver(endedAtMs, nowMs)) return;
      this.#forgetOldest();
    }
  }

  /**
   * Those of the addresses (`ip:port`) that are ours, or were. What is no transport address is nobody's.
   * Behind static NAT a relay is known by its internal address too; it is answered with the external one.
   */
  evidence(addresses: readonly string[], nowMs: number): RelayEvidence[] {
    const found = new Map<string, RelayEvidence>();
    for (const text of addresses) {
      const asked = parseEndpoint(text);
      if (!asked) continue;
      this.#book.set(this.#asked, asked.address, 0, asked.address.length, asked.port);
      if (this.#nat.active) this.#nat.toInternal(this.#asked);
      const evidence = this.#evidenceOf(this.#asked, nowMs);
      if (evidence) found.set(evidence.address, evidence);
    }
    return [...found.values()];
  }

  #evidenceOf(row: number, nowMs: number): RelayEvidence | undefined {
    const address = this.#text(row);
    const allocation = this.#allocations.ofRelay(row);
    const relay = allocation?.relays.find(({ endpoint }) => this.#book.equals(endpoint, row));
    const ended = this.#ended.get(address);
    const before = ended && !isOver(ended.endedAtMs, nowMs) ? ended.peers : undefined;
    if (!(allocation && relay)) return before && { address, active: false, peers: before };
    // The port may have been another client's a moment ago, and the question be about that one.
    const now = this.#peersOf(allocation, relay);
    return { address, active: true, peers: mergePeers([...now, ...(before ?? [])]) };
  }

  /**
   * The relay's peers that packets went to or came from; a dual allocation has those of two families. Media that goes
   * to the B2BUA of this host has not left it, and is no sign of where it went when it did.
   */
  #peersOf(allocation: Allocation, relay: Relay): PeerTraffic[] {
    const { permissions, channels } = this.#allocations;
    const family = this.#book.family(relay.endpoint);
    const of = (flows: FlowRows, first: number, text: (row: number) => string): PeerTraffic[] =>
      flows.listed(first).flatMap((flow) => {
        const peer = flows.peer[flow] as number;
        const toPeer = (flows.packetsToPeer[flow] as number) - (flows.toOwnHost[flow] as number);
        const fromPeer = (flows.packetsFromPeer[flow] as number) - (flows.fromOwnHost[flow] as number);
        if (this.#book.family(peer) !== family || toPeer + fromPeer === 0) return [];
        return [{ address: text(this.#nat.shown(peer)), toPeer, fromPeer }];
      });
    return [
      ...of(channels, allocation.firstChannel, (row) => this.#book.text(row)),
      ...of(permissions, allocation.firstPermission, (row) => this.#book.addressText(row)),
    ];
  }

  #text(row: number): string {
    return this.#book.text(this.#nat.shown(row));
  }

  #forgetOldest(): void {
    const [oldest] = this.#ended.keys();
    if (oldest !== undefined) this.#ended.delete(oldest);
  }
}

/** Puts together what several workers or nodes say; of each address one entry. */
export function mergeRelayEvidence(all: readonly RelayEvidence[]): RelayEvidence[] {
  const merged = new Map<string, RelayEvidence>();
  for (const one of all) {
    const { address } = one;
    const other = merged.get(address);
    merged.set(
      address,
      other
        ? { address, active: one.active || other.active, peers: mergePeers([...other.peers, ...one.peers]) }
        : one,
    );
  }
  return [...merged.values()];
}

function mergePeers(all: readonly PeerTraffic[]): PeerTraffic[] {
  const merged = new Map<string, PeerTraffic>();
  for (const { address, toPeer, fromPeer } of all) {
    const other = merged.get(address) ?? { toPeer: 0, fromPeer: 0 };
    merged.set(address, {
      address,
      toPeer: other.toPeer + toPeer,
      fromPeer: other.fromPeer + fromPeer,
    });
  }
  return [...merged.values()];
}

function byPackets(a: PeerTraffic, b: PeerTraffic): number {
  return b.toPeer + b.fromPeer - (a.toPeer + a.fromPeer);
}

function isOver(endedAtMs: number, nowMs: number): boolean {
  return nowMs - endedAtMs >= ENDED_RELAY_SECONDS * 1000;
}
