/** Opens and closes the local ports of lines: claims, sockets, components. What fails half-way leaves nothing open. */
import { count } from '../wire/counters.ts';
import { type DatagramIo, type DatagramReceiver, OPEN_RESOURCES_EXHAUSTED } from '../wire/datagram-io.ts';
import type { EndpointTable } from '../wire/endpoint-table.ts';
import type { PortClaims } from '../wire/port-claims.ts';
import { Component } from './component.ts';
import { B2BUA } from './counters.ts';
import type { MediaPath } from './media-path.ts';
import type { Reception } from './reception.ts';
import type { B2buaCrypto, ZoneAddress } from './settings.ts';

/** Another program may sit in our range: so many ports are tried before the range counts as full. */
const OPEN_TRIES = 32;

export interface MediaPortsParts {
  readonly io: DatagramIo;
  readonly receiver: DatagramReceiver;
  readonly path: MediaPath;
  readonly reception: Reception;
  readonly portClaims: PortClaims;
  readonly shared: EndpointTable;
  readonly crypto: B2buaCrypto;
  readonly counters: Float64Array;
  readonly componentsMax: number;
}

/** The sockets that all streams of a zone share. */
export interface MultiplexedSockets {
  readonly sockets: readonly [rtp: number, rtcp: number];
  readonly ports: readonly [rtp: number, rtcp: number];
}

export class MediaPorts {
  readonly #parts: MediaPortsParts;
  readonly #freeIds: number[] = [];
  #ids = 0;
  /** By place of the zone. */
  readonly multiplexed: Map<number, MultiplexedSockets> = new Map();

  constructor(parts: MediaPortsParts) {
    this.#parts = parts;
  }

  /**
   * Opens the components of a line: an even port and the next one where there are two, any port where there is
   * one. Undefined if there are no ports, or no sockets or memory for them.
   */
  open(zone: number, address: ZoneAddress, carries: readonly number[]): Component[] | undefined {
    const shared = this.multiplexed.get(zone);
    if (shared) return this.#openShared(zone, address, carries, shared);
    const { portClaims, crypto } = this.#parts;
    const wanted = carries.length === 2 ? 'even-pair' : 'even';
    for (let attempt = 0; attempt < OPEN_TRIES; attempt++) {
      const port = portClaims.claim(address.place, wanted, crypto.randomBelow);
      if (port === 0) return undefined;
      const components: Component[] = [];
      let outcome = 0;
      for (const [i, carried] of carries.entries()) {
        const component = this.#openOne(zone, address, port + i, carried);
        if (typeof component === 'number') {
          outcome = component;
          break;
        }
        components.push(component);
      }
      if (outcome === 0) return components;
      for (const component of components) this.close(component);
      for (let i = components.length; i < carries.length; i++) portClaims.release(address.place, port + i);
      if (outcome === OPEN_RESOURCES_EXHAUSTED) return undefined;
    }
    return undefined;
  }

  close(component: Component): void {
    const { io, path, shared, portClaims, counters } = this.#parts;
    if (component.isMultiplexed) {
      if (component.remote >= 0 && shared.get(component.socket, component.remote) === component.id) {
        shared.delete(component.socket, component.remote);
      }
    } else {
      io.close(component.socket);
      portClaims.release(component.addressPlace, component.localPort);
    }
    component.unfollow(io.endpoints);
    path.components[component.id] = undefined;
    this.#freeIds.push(component.id);
    count(counters, B2BUA.mediaPorts, -1);
  }

  /** Makes the component's packets be told apart by where they come from, on a socket that streams share. */
  route(component: Component, before: number): void {
    const { shared } = this.#parts;
    if (before >= 0 && shared.get(component.socket, before) === component.id) {
      shared.delete(component.socket, before);
    }
    if (component.remote >= 0) shared.set(component.socket, component.remote, component.id);
  }

  #openShared(
    zone: number,
    address: ZoneAddress,
    carries: readonly number[],
    { sockets, ports }: MultiplexedSockets,
  ): Component[] | undefined {
    const components: Component[] = [];
    for (const [i, carried] of carries.entries()) {
      const id = this.#takeId();
      if (id < 0) {
        for (const component of components) this.close(component);
        return undefined;
      }
      components.push(
        this.#add(
          new Component(id, {
            carries: carried,
            zone,
            socket: sockets[i] ?? sockets[0],
            localPort: ports[i] ?? ports[0],
            addressPlace: address.place,
            isMultiplexed: true,
          }),
        ),
      );
    }
    return components;
  }

  /** A component on a port that is claimed already, or an `OPEN_…` reason. */
  #openOne(zone: number, address: ZoneAddress, port: number, carries: number): Component | number {
    const { io, receiver } = this.#parts;
    const id = this.#takeId();
    const row = id < 0 ? -1 : io.endpoints.acquire();
    if (row < 0) {
      if (id >= 0) this.#freeIds.push(id);
      return OPEN_RESOURCES_EXHAUSTED;
    }
    io.endpoints.setText(row, address.address, port);
    const socket = io.open(row, receiver, id);
    io.endpoints.release(row);
    if (socket < 0) {
      this.#freeIds.push(id);
      return socket;
    }
    return this.#add(
      new Component(id, {
        carries,
        zone,
        socket,
        localPort: port,
        addressPlace: address.place,
        isMultiplexed: false,
      }),
    );
  }

  #add(component: Component): Component {
    const { path, reception, counters } = this.#parts;
    path.components[component.id] = component;
    reception.reset(component.id);
    count(counters, B2BUA.mediaPorts);
    return component;
  }

  #takeId(): number {
    const free = this.#freeIds.pop();
    if (free !== undefined) return free;
    return this.#ids < this.#parts.componentsMax ? this.#ids++ : -1;
  }
}
