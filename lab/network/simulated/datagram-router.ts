/** Carries the datagrams of the simulated network from socket to socket, as the topology and the gateways have it. */
import type { TransportAddress } from '../../phone/protocol.ts';
import { transportText } from '../../phone/transport-address.ts';
import { HOME_NAMES, type HomeName } from '../../topology.ts';
import { DelayLine } from './delay-line.ts';
import type { Gateway, GatewayDrop } from './gateway.ts';
import type { HostThread } from './host-thread.ts';
import { isPrivate, isPublicHost, wayOut } from './ways.ts';

/** Why a datagram did not arrive. */
export type DatagramDrop = GatewayDrop | 'no-way' | 'no-socket';

/** Across the internet, one way; a LAN takes no time. Constant, so that order is kept. */
const INTERNET_MS = 5;

interface BoundSocket {
  readonly thread: HostThread;
  readonly id: number;
  readonly at: TransportAddress;
}

interface Datagram {
  readonly from: TransportAddress;
  readonly to: TransportAddress;
  readonly payload: Buffer;
}

export class DatagramRouter {
  readonly #gateways: Readonly<Record<HomeName, Gateway>>;
  readonly #sockets = new Map<string, BoundSocket>();
  readonly #byThread = new Map<HostThread, Map<number, BoundSocket>>();
  readonly #drops = new Map<DatagramDrop, number>();
  readonly #internet = new DelayLine<Datagram>(INTERNET_MS, (datagram) => this.#arrive(datagram));

  constructor(gateways: Readonly<Record<HomeName, Gateway>>) {
    this.#gateways = gateways;
  }

  get drops(): ReadonlyMap<DatagramDrop, number> {
    return this.#drops;
  }

  bind(thread: HostThread, id: number, at: TransportAddress): void {
    const socket = { thread, id, at };
    this.#sockets.set(transportText(at), socket);
    const ofThread = this.#byThread.get(thread) ?? new Map<number, BoundSocket>();
    this.#byThread.set(thread, ofThread.set(id, socket));
  }

  close(thread: HostThread, id: number): void {
    const socket = this.#byThread.get(thread)?.get(id);
    if (!socket) return;
    this.#byThread.get(thread)?.delete(id);
    const key = transportText(socket.at);
    // Another program may have the port by now.
    if (this.#sockets.get(key) === socket) this.#sockets.delete(key);
  }

  forget(thread: HostThread): void {
    for (const id of this.#byThread.get(thread)?.keys() ?? []) this.close(thread, id);
    this.#byThread.delete(thread);
  }

  send(thread: HostThread, id: number, to: TransportAddress, payload: Buffer): void {
    const from = this.#byThread.get(thread)?.get(id)?.at;
    if (!from || !thread.place) return this.#drop('no-socket');
    const way = wayOut(thread.place, to.address);
    if (way.by === 'lan') return this.#deliver({ from, to, payload }, to);
    if (way.by === 'none') return this.#drop('no-way');
    const source = way.by === 'gateway' ? this.#gateways[way.home].outgoing(from, to) : from;
    if (typeof source === 'string') return this.#drop(source);
    // As from the edge's address in the office.
    if (isPrivate(source.address)) return this.#drop('no-way');
    this.#internet.push({ from: source, to, payload });
  }

  end(): void {
    this.#internet.close();
  }

  /** At the other end of the internet. */
  #arrive(datagram: Datagram): void {
    const { from, to } = datagram;
    if (isPublicHost(to.address)) return this.#deliver(datagram, to);
    const home = HOME_NAMES.find((name) => this.#gateways[name].wanAddress === to.address);
    if (home === undefined) return this.#drop('no-way');
    const inside = this.#gateways[home].incoming(to.port, from);
    if (typeof inside === 'string') return this.#drop(inside);
    this.#deliver(datagram, inside);
  }

  #deliver({ from, payload }: Datagram, to: TransportAddress): void {
    const socket = this.#sockets.get(transportText(to));
    if (!socket) return this.#drop('no-socket');
    socket.thread.deliver(socket.id, from, payload);
  }

  #drop(reason: DatagramDrop): void {
    this.#drops.set(reason, (this.#drops.get(reason) ?? 0) + 1);
  }
}
