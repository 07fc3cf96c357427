/**
 * A simulated IP network: a virtual clock, addresses with UDP sockets, links with latency, loss,
 * reordering and duplication, ICMP, and static NAT. Everything random comes from one seed, and nothing
 * happens outside {@link SimNetwork.run}, so a scenario of hours takes milliseconds and repeats exactly.
 */
import { seededRandom } from '../../lab/network/simulated/seeded-random.ts';

/** An IP address as text, and a port. */
export interface Place {
  readonly address: string;
  readonly port: number;
}

/** ICMP as an error queue reports it: what was met by a packet sent to `destination`. */
export interface IcmpError {
  readonly type: number;
  readonly code: number;
  /** The MTU of "too big" in bytes, else 0. */
  readonly info: number;
  readonly destination: Place;
}

/** What a socket's owner does with what arrives. */
export interface SocketOwner {
  receive(bytes: Uint8Array, from: Place): void;
  icmpError?(error: IcmpError): void;
}

/** How a link treats packets; rates are probabilities from 0 to 1. */
export interface Link {
  readonly latencyMs: number;
  readonly lossRate: number;
  readonly duplicateRate: number;
  /** Of packets delayed by up to three more latencies, so that later ones overtake them. */
  readonly reorderRate: number;
  /** Largest IP packet, bytes; larger ones with DF set meet "too big". */
  readonly mtuBytes: number;
}

const PERFECT: Link = { latencyMs: 10, lossRate: 0, duplicateRate: 0, reorderRate: 0, mtuBytes: 65_535 };
const IPV4_HEADERS_BYTES = 28; // IP and UDP
const IPV6_HEADERS_BYTES = 48;

/** A UDP socket; {@link owner} may change (a socket handed from worker to worker). */
export class SimSocket {
  readonly place: Place;
  readonly isShared: boolean;
  owner: SocketOwner;

  constructor(place: Place, isShared: boolean, owner: SocketOwner) {
    this.place = place;
    this.isShared = isShared;
    this.owner = owner;
  }
}

interface Happening {
  readonly atMs: number;
  readonly sequence: number;
  readonly happen: () => void;
}

export class SimNetwork {
  /** Virtual time, whole milliseconds. */
  nowMs: number;
  /** Packets lost to a link, to an address nobody has, or to a NAT that does not hairpin. */
  lost = 0;
  hairpinned = 0;
  delivered = 0;
  defaultLink: Link = PERFECT;
  readonly random: () => number;
  readonly #links = new Map<string, Link>();
  readonly #sockets = new Map<string, SimSocket[]>();
  readonly #hosts = new Set<string>();
  readonly #externalOf = new Map<string, string>();
  readonly #internalOf = new Map<string, string>();
  readonly #happenings: Happening[] = []; // a binary heap
  #sequence = 0;

  constructor(seed: number, nowMs = 1_000_000) {
    this.random = seededRandom(seed);
    this.nowMs = nowMs;
  }

  /** Sockets bound to the address. */
  socketsAt(address: string): number {
    return [...this.#sockets.values()].flat().filter(({ place }) => place.address === address).length;
  }

  /** The link between two addresses, both ways; what is not given is as on a perfect link. */
  setLink(a: string, b: string, link: Partial<Link>): void {
    this.#links.set(linkKey(a, b), { ...PERFECT, ...link });
  }

  setDefaultLink(link: Partial<Link>): void {
    this.defaultLink = { ...PERFECT, ...link };
  }

  /** Makes an address exist, so that a closed port of it is answered by ICMP rather than by silence. */
  addHost(address: string): void {
    this.#hosts.add(address);
  }

  /** Puts the host `internal` behind a static NAT that shows it as `external` and does not hairpin. */
  addStaticNat(internal: string, external: string): void {
    this.#externalOf.set(internal, external);
    this.#internalOf.set(external, internal);
  }

  /** A socket, or undefined where the port is taken. Shared ones (SO_REUSEPORT) share with shared ones. */
  bind(place: Place, owner: SocketOwner, isShared = false): SimSocket | undefined {
    const key = placeKey(place);
    const there = this.#sockets.get(key) ?? [];
    if (there.some((socket) => !(socket.isShared && isShared))) return undefined;
    const socket = new SimSocket(place, isShared, owner);
    this.#sockets.set(key, [...there, socket]);
    this.#hosts.add(place.address);
    return socket;
  }

  unbind(socket: SimSocket): void {
    const key = placeKey(socket.place);
    const left = (this.#sockets.get(key) ?? []).filter((other) => other !== socket);
    if (left.length > 0) this.#sockets.set(key, left);
    else this.#sockets.delete(key);
  }

  /** Which of `count` sockets that share a port gets what `from` sends to `to`, as SO_REUSEPORT steers. */
  steer(from: Place, to: Place, count: number): number {
    let hash = 2166136261;
    for (const char of `${placeKey(from)}>${placeKey(to)}`) {
      hash = Math.imul(hash ^ char.charCodeAt(0), 16777619);
    }
    return ((hash ^ (hash >>> 15)) >>> 0) % count;
  }

  /** Sends a datagram from a socket; its bytes are copied at once. */
  send(socket: SimSocket, bytes: Uint8Array, to: Place, dontFragment = false): void {
    const link = this.#links.get(linkKey(socket.place.address, to.address)) ?? this.defaultLink;
    const packet = Uint8Array.from(bytes);
    const headers = to.address.includes(':') ? IPV6_HEADERS_BYTES : IPV4_HEADERS_BYTES;
    if (dontFragment && packet.length + headers > link.mtuBytes) {
      const error = { type: 3, code: 4, info: link.mtuBytes, destination: to };
      this.after(link.latencyMs, () => socket.owner.icmpError?.(error));
      return;
    }
    const copies = this.random() < link.duplicateRate ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      if (this.random() < link.lossRate) {
        this.lost++;
        continue;
      }
      const isDelayed = this.random() < link.reorderRate;
      const extraMs = isDelayed ? Math.floor(this.random() * 3 * link.latencyMs) + 1 : 0;
      this.after(link.latencyMs + extraMs, () => this.#arrive(socket, packet, to, link));
    }
  }

  /** Makes something happen later. */
  after(delayMs: number, happen: () => void): void {
    push(this.#happenings, { atMs: this.nowMs + delayMs, sequence: this.#sequence++, happen });
  }

  /** Lets `durationMs` of virtual time pass. */
  run(durationMs: number): void {
    this.runUntil(() => false, durationMs);
  }

  /** Lets time pass until the condition holds (true) or `limitMs` are over (false). */
  runUntil(holds: () => boolean, limitMs: number): boolean {
    const endMs = this.nowMs + limitMs;
    while (!holds()) {
      const next = this.#happenings[0];
      if (next === undefined || next.atMs > endMs) {
        this.nowMs = endMs;
        return false;
      }
      pop(this.#happenings);
      this.nowMs = next.atMs;
      next.happen();
    }
    return true;
  }

  #arrive(sender: SimSocket, packet: Uint8Array, to: Place, link: Link): void {
    const ownExternal = this.#externalOf.get(sender.place.address);
    const isLocal = sender.place.address === to.address;
    if (ownExternal !== undefined && to.address === ownExternal) {
      this.hairpinned++;
      this.lost++;
      return;
    }
    const from =
      ownExternal === undefined || isLocal ? sender.place : { ...sender.place, address: ownExternal };
    // From outside, an address behind the NAT is no address at all.
    const isPrivate = this.#externalOf.has(to.address) && !isLocal;
    const target = { address: this.#internalOf.get(to.address) ?? to.address, port: to.port };
    const sockets = isPrivate ? undefined : this.#sockets.get(placeKey(target));
    if (sockets !== undefined) {
      this.delivered++;
      const socket = sockets[this.steer(from, target, sockets.length)];
      socket?.owner.receive(packet, from);
      return;
    }
    this.lost++;
    if (isPrivate || !this.#hosts.has(target.address)) return;
    const isIPv4 = !to.address.includes(':');
    const error = { type: isIPv4 ? 3 : 1, code: isIPv4 ? 3 : 4, info: 0, destination: to };
    this.after(link.latencyMs, () => sender.owner.icmpError?.(error));
  }
}

function placeKey({ address, port }: Place): string {
  return `${address}|${port}`;
}

function linkKey(a: string, b: string): string {
  return a < b ? `${a}-${b}` : `${b}-${a}`;
}

function isBefore(a: Happening, b: Happening): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.sequence < b.sequence);
}

function push(heap: Happening[], added: Happening): void {
  let at = heap.push(added) - 1;
  while (at > 0) {
    const above = (at - 1) >> 1;
    const parent = heap[above] as Happening;
    if (!isBefore(added, parent)) break;
    heap[at] = parent;
    at = above;
  }
  heap[at] = added;
}

function pop(heap: Happening[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let at = 0;
  for (;;) {
    let below = at * 2 + 1;
    const right = heap[below + 1];
    if (right !== undefined && isBefore(right, heap[below] as Happening)) below++;
    const child = heap[below];
    if (child === undefined || !isBefore(child, last)) break;
    heap[at] = child;
    at = below;
  }
  heap[at] = last;
}
