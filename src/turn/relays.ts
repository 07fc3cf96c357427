/**
 * Opens and closes relayed transport addresses: port claims, sockets, reservations. The one place that
 * must give back whatever it took when something fails half-way.
 */
import {
  type DatagramIo,
  type DatagramReceiver,
  OPEN_PORT_IN_USE,
  OPEN_RESOURCES_EXHAUSTED,
} from '../wire/datagram-io.ts';
import { INET } from '../wire/endpoint.ts';
import type { AllocateWish } from './allocate-request.ts';
import type { Relay } from './allocations.ts';
import { RESERVATION_TOKEN_BYTES, type Reservation } from './reservations.ts';
import type { ListenerSettings, TurnCrypto, TurnSettings } from './settings.ts';
import type { TurnSharedState } from './shared-state.ts';

/** Another program may sit in our range: so many ports are tried before the range counts as full. */
const OPEN_TRIES = 32;

export interface OpenedRelays {
  ipv4: Relay | undefined;
  ipv6: Relay | undefined;
  /** Why a family of a dual allocation is missing: 440 or 508 (ADDRESS-ERROR-CODE), else 0. */
  ipv4Error: number;
  ipv6Error: number;
  /** Set where the next port up is held for a second allocation. */
  token: Uint8Array | undefined;
}

export class Relays {
  readonly #io: DatagramIo;
  readonly #receiver: DatagramReceiver;
  readonly #settings: TurnSettings;
  readonly #crypto: TurnCrypto;
  readonly #shared: TurnSharedState;

  constructor(
    io: DatagramIo,
    receiver: DatagramReceiver,
    settings: TurnSettings,
    crypto: TurnCrypto,
    shared: TurnSharedState,
  ) {
    this.#io = io;
    this.#receiver = receiver;
    this.#settings = settings;
    this.#crypto = crypto;
    this.#shared = shared;
  }

  /** Whether there is a relay address of a family that would do; a reserved port has its own already. */
  offers(wish: AllocateWish, listener: ListenerSettings): boolean {
    if (wish.token >= 0) return true;
    return (wish.ipv4 && listener.relayIPv4 >= 0) || (wish.ipv6 && listener.relayIPv6 >= 0);
  }

  /** Opens what an Allocate wants for the allocation `id`, or says 508 with nothing left open. */
  open(
    wish: AllocateWish,
    listener: ListenerSettings,
    id: number,
    bytes: Uint8Array,
    nowMs: number,
    lifetimeMs: number,
  ): OpenedRelays | 508 {
    const opened: OpenedRelays = {
      ipv4: undefined,
      ipv6: undefined,
      ipv4Error: 0,
      ipv6Error: 0,
      token: undefined,
    };
    const expiresAtMs = nowMs + lifetimeMs;
    if (wish.token >= 0) {
      const relay = this.#openReserved(bytes, wish.token, id, nowMs, expiresAtMs);
      if (relay === undefined) return 508;
      if (this.#io.endpoints.family(relay.endpoint) === INET) opened.ipv4 = relay;
      else opened.ipv6 = relay;
      return opened;
    }
    if (wish.ipv4) {
      const relay = this.#openOne(listener.relayIPv4, wish.port, id, expiresAtMs, opened, nowMs);
      if (typeof relay === 'number') opened.ipv4Error = relay;
      else opened.ipv4 = relay;
    }
    if (wish.ipv6 && (opened.ipv4Error === 0 || wish.eitherSuffices)) {
      const relay = this.#openOne(listener.relayIPv6, wish.port, id, expiresAtMs, opened, nowMs);
      if (typeof relay === 'number') opened.ipv6Error = relay;
      else opened.ipv6 = relay;
    }
    return opened.ipv4 || opened.ipv6 ? opened : 508;
  }

  /** Closes the socket and gives the port back; the relay's row stays its owner's. */
  close(relay: Relay): void {
    this.#io.close(relay.socket);
    this.#shared.portClaims.release(relay.relayAddress, relay.port);
  }

  /** Closes what {@link open} opened for an allocation that does not come about. */
  abandon(opened: OpenedRelays, nowMs: number): void {
    if (opened.token) this.cancelReservation(opened.token, nowMs);
    for (const relay of [opened.ipv4, opened.ipv6]) {
      if (!relay) continue;
      this.close(relay);
      this.#io.endpoints.release(relay.endpoint);
    }
  }

  /**
   * Closes the port held for the token, if nobody came for it. Called when the allocation that reserved it
   * ends, so that nobody holds more ports than allocations.
   */
  cancelReservation(token: Uint8Array, nowMs: number): void {
    const reservation = this.#shared.reservations.take(token, 0, Math.trunc(nowMs / 1000));
    if (reservation) this.#discard(reservation);
  }

  /** Closes reserved ports that nobody came for. */
  expireReservations(nowMs: number): void {
    const nowSeconds = Math.trunc(nowMs / 1000);
    for (;;) {
      const expired = this.#shared.reservations.takeExpired(nowSeconds);
      if (expired === undefined) return;
      this.#discard(expired);
    }
  }

  #discard({ socketToken, relayAddress, port }: Reservation): void {
    this.#io.discard(socketToken);
    this.#shared.portClaims.release(relayAddress, port);
  }

  #openOne(
    relayAddress: number,
    wanted: AllocateWish['port'],
    id: number,
    expiresAtMs: number,
    opened: OpenedRelays,
    nowMs: number,
  ): Relay | 440 | 508 {
    if (relayAddress < 0) return 440;
    const { endpoints } = this.#io;
    const endpoint = endpoints.acquire();
    if (endpoint < 0) return 508;
    for (let attempt = 0; attempt < OPEN_TRIES; attempt++) {
      const port = this.#shared.portClaims.claim(relayAddress, wanted, this.#crypto.randomBelow);
      if (port === 0) break;
      const socket = this.#openSocket(relayAddress, port, endpoint, id);
      const pair = wanted === 'even-pair';
      const outcome = socket >= 0 && pair ? this.#reserve(relayAddress, port + 1, opened, nowMs) : socket;
      if (outcome >= 0) return { socket, relayAddress, port, endpoint, expiresAtMs };
      if (socket >= 0) this.#io.close(socket);
      this.#shared.portClaims.release(relayAddress, port);
      if (pair) this.#shared.portClaims.release(relayAddress, port + 1);
      if (outcome === OPEN_RESOURCES_EXHAUSTED) break;
    }
    endpoints.release(endpoint);
    return 508;
  }

  /** Opens a port that is claimed already, and holds it under a new token; 0, or the `OPEN_…` reason. */
  #reserve(relayAddress: number, port: number, opened: OpenedRelays, nowMs: number): number {
    const endpoint = this.#io.endpoints.acquire();
    if (endpoint < 0) return OPEN_RESOURCES_EXHAUSTED;
    const socket = this.#openSocket(relayAddress, port, endpoint, -1);
    this.#io.endpoints.release(endpoint);
    if (socket < 0) return socket;
    const token = new Uint8Array(RESERVATION_TOKEN_BYTES);
    this.#crypto.randomFill(token);
    const socketToken = this.#io.detach(socket);
    const reservation = { socketToken, relayAddress, port };
    if (!this.#shared.reservations.put(token, reservation, Math.trunc(nowMs / 1000))) {
      this.#io.discard(socketToken);
      return OPEN_RESOURCES_EXHAUSTED;
    }
    opened.token = token;
    return 0;
  }

  #openReserved(
    bytes: Uint8Array,
    token: number,
    id: number,
    nowMs: number,
    expiresAtMs: number,
  ): Relay | undefined {
    const reservation = this.#shared.reservations.take(bytes, token, Math.trunc(nowMs / 1000));
    if (reservation === undefined) return undefined;
    const { socketToken, relayAddress, port } = reservation;
    const endpoint = this.#io.endpoints.acquire();
    const socket = endpoint < 0 ? endpoint : this.#io.attach(socketToken, this.#receiver, id);
    if (socket < 0) {
      if (endpoint >= 0) this.#io.endpoints.release(endpoint);
      this.#discard(reservation);
      return undefined;
    }
    this.#io.endpoints.setText(endpoint, this.#address(relayAddress), port);
    return { socket, relayAddress, port, endpoint, expiresAtMs };
  }

  #openSocket(relayAddress: number, port: number, endpoint: number, id: number): number {
    if (!this.#io.endpoints.setText(endpoint, this.#address(relayAddress), port)) return OPEN_PORT_IN_USE;
    return this.#io.open(endpoint, this.#receiver, id);
  }

  #address(relayAddress: number): string {
    return this.#settings.relayAddresses[relayAddress]?.address ?? '';
  }
}
