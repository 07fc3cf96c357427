/**
 * `turn` is the TURN server (RFC 8656) as a pure core: bytes, addresses and times in, bytes out. No
 * socket, clock, timer or random source lives here; `DatagramIo` and `TurnCrypto` bring them in.
 *
 *     server          what a packet is, expiry, the life of allocations
 *     requests        control plane: requests and answers, with authentication, peer-filter, relays
 *     data-path       per packet: client ↔ peer
 *     allocations     the tables both work on
 *     shared-state    what several workers must agree on
 */
import { u8 } from '../wire/bytes.ts';
import { isChannelData } from '../wire/channel-data.ts';
import { count } from '../wire/counters.ts';
import type { DatagramIo, DatagramReceiver } from '../wire/datagram-io.ts';
import { KIND_STUN, kindOf } from '../wire/demux.ts';
import {
  ATTR_CHANNEL_NUMBER,
  ATTR_DATA,
  ATTR_DONT_FRAGMENT,
  ATTR_EVEN_PORT,
  ATTR_LIFETIME,
  ATTR_MESSAGE_INTEGRITY,
  ATTR_MESSAGE_INTEGRITY_SHA256,
  ATTR_NONCE,
  ATTR_PASSWORD_ALGORITHM,
  ATTR_REALM,
  ATTR_REQUESTED_ADDRESS_FAMILY,
  ATTR_REQUESTED_TRANSPORT,
  ATTR_RESERVATION_TOKEN,
  ATTR_USERHASH,
  ATTR_USERNAME,
  ATTR_XOR_PEER_ADDRESS,
  CLASS_INDICATION,
  CLASS_REQUEST,
  METHOD_BINDING,
  METHOD_SEND,
  STUN_BAD_FINGERPRINT,
  STUN_OK,
  StunReader,
} from '../wire/stun.ts';
import {
  type Allocation,
  Allocations,
  type Relay,
  TALLY_COLUMNS,
  TALLY_ERROR_RESPONSES,
  TALLY_SUCCESS_RESPONSES,
} from './allocations.ts';
import { Authentication } from './authentication.ts';
import { TURN } from './counters.ts';
import { DataPath } from './data-path.ts';
import { PeerFilter } from './peer-filter.ts';
import { Relays } from './relays.ts';
import { type Origin, Requests } from './requests.ts';
import type { AllocationEnd, TurnCredential, TurnCrypto, TurnEvents, TurnSettings } from './settings.ts';
import type { TurnSharedState } from './shared-state.ts';
import { StaticNat } from './static-nat.ts';

const UNDERSTOOD = [
  ATTR_USERNAME,
  ATTR_MESSAGE_INTEGRITY,
  ATTR_CHANNEL_NUMBER,
  ATTR_LIFETIME,
  ATTR_XOR_PEER_ADDRESS,
  ATTR_DATA,
  ATTR_REALM,
  ATTR_NONCE,
  ATTR_REQUESTED_ADDRESS_FAMILY,
  ATTR_EVEN_PORT,
  ATTR_REQUESTED_TRANSPORT,
  ATTR_MESSAGE_INTEGRITY_SHA256,
  ATTR_PASSWORD_ALGORITHM,
  ATTR_USERHASH,
  ATTR_RESERVATION_TOKEN,
];

/** What a core is made of; see each type for what is asked of it. */
export interface TurnParts {
  readonly io: DatagramIo;
  readonly settings: TurnSettings;
  readonly shared: TurnSharedState;
  readonly crypto: TurnCrypto;
  readonly events: TurnEvents;
  /** One place a name of `TURN_COUNTER_NAMES`. */
  readonly counters: Float64Array;
  /** Wall clock, for time-limited credentials alone. */
  readonly unixMs: () => number;
  /** Secret seed of the hash tables, 32 bits. */
  readonly hashSeed: number;
}

export class TurnCore implements DatagramReceiver {
  readonly io: DatagramIo;
  readonly settings: TurnSettings;
  readonly shared: TurnSharedState;
  readonly crypto: TurnCrypto;
  readonly counters: Float64Array;
  readonly allocations: Allocations;
  readonly authentication: Authentication;
  readonly peerFilter: PeerFilter;
  readonly nat: StaticNat;
  readonly relays: Relays;
  readonly #events: TurnEvents;
  readonly #requests: Requests;
  readonly #dataPath: DataPath;
  readonly #reader: StunReader;
  readonly #origin: Origin = { listener: 0, socket: 0, client: 0 };
  readonly #external: number; // scratch row
  #rateLimitedAddress = '';

  constructor(parts: TurnParts) {
    const { io, settings, crypto, counters } = parts;
    this.io = io;
    this.settings = settings;
    this.shared = parts.shared;
    this.crypto = crypto;
    this.counters = counters;
    this.#events = parts.events;
    this.allocations = new Allocations(io.endpoints, parts.hashSeed);
    this.authentication = new Authentication(settings, crypto, counters, parts.unixMs);
    this.peerFilter = new PeerFilter(settings);
    this.nat = new StaticNat(io.endpoints, settings.relayAddresses);
    this.relays = new Relays(io, this, settings, crypto, parts.shared);
    this.#requests = new Requests(this, parts.hashSeed);
    this.#dataPath = new DataPath({
      io,
      allocations: this.allocations,
      filter: this.peerFilter,
      nat: this.nat,
      crypto,
      counters,
      mediaOnly: settings.mediaPolicy === 'media',
    });
    this.#reader = new StunReader(io.canSetDontFragment ? [...UNDERSTOOD, ATTR_DONT_FRAGMENT] : UNDERSTOOD);
    this.#external = io.endpoints.acquire();
  }

  /** The tag under which an engine must deliver what arrives at a listener. */
  static listenerTag(listener: number): number {
    return -1 - listener;
  }

  batchBegins(nowMs: number): void {
    this.#dataPath.nowMs = nowMs;
    this.#requests.nowMs = nowMs;
  }

  receive(tag: number, socket: number, offset: number, length: number, source: number): void {
    if (tag >= 0) {
      const allocation = this.allocations.byId(tag);
      if (allocation) this.#dataPath.fromPeer(allocation, offset, length, source);
      return;
    }
    if (length === 0) return this.drop(TURN.dropEmpty);
    const { bytes } = this.io;
    if (isChannelData(u8(bytes, offset))) return this.#dataPath.channelData(socket, offset, length, source);
    if (kindOf(bytes, offset) !== KIND_STUN) return this.drop(TURN.dropNotTurn);
    const outcome = this.#reader.parse(this.io.bytes, offset, length);
    if (outcome === STUN_BAD_FINGERPRINT) return this.drop(TURN.dropBadFingerprint);
    if (outcome !== STUN_OK) return this.drop(TURN.dropMalformedStun);
    if (this.#reader.messageClass === CLASS_REQUEST) this.#request(-1 - tag, socket, source);
    else this.#indication(socket, source);
  }

  receiveIcmpError(tag: number, type: number, code: number, info: number, destination: number): void {
    const allocation = this.allocations.byId(tag);
    if (allocation) this.#dataPath.icmpError(allocation, type, code, info, destination);
  }

  streamClosed(socket: number, source: number): void {
    const allocation = this.allocations.ofClient(socket, source);
    if (allocation) this.endRelays(allocation, allocation.relays, 'closed');
  }

  /** Ends what has expired, gives reserved ports back, brings the gauges up to date. */
  sweep(nowMs: number): void {
    this.batchBegins(nowMs);
    for (const allocation of this.allocations) {
      const expired = allocation.relays.filter((relay) => relay.expiresAtMs <= nowMs);
      if (expired.length > 0) this.endRelays(allocation, expired, 'expired');
      this.allocations.expireFlows(allocation, nowMs);
    }
    this.relays.expireReservations(nowMs);
    this.counters[TURN.allocations] = this.allocations.size;
    this.counters[TURN.permissions] = this.allocations.permissions.size;
    this.counters[TURN.channels] = this.allocations.channels.size;
    if (this.#requests.unsentReplies > 0) {
      this.#events.rateLimited(this.#rateLimitedAddress, this.#requests.unsentReplies);
      this.#requests.unsentReplies = 0;
    }
  }

  setUser(credential: TurnCredential): void {
    this.authentication.setUser(credential);
  }

  /** Removes a user and ends the user's allocations; returns how many. */
  removeUser(name: string): number {
    const user = this.authentication.removeUser(name);
    let ended = 0;
    for (const allocation of this.allocations) {
      if (allocation.user !== user) continue;
      this.endRelays(allocation, allocation.relays, 'revoked');
      ended++;
    }
    return ended;
  }

  /** Ends every allocation. */
  close(): void {
    for (const allocation of this.allocations) this.endRelays(allocation, allocation.relays, 'closed');
  }

  /** Takes in a new allocation whose relays are open. */
  allocated(allocation: Allocation): void {
    this.allocations.add(allocation);
    count(this.counters, TURN.allocationsCreated);
    this.counters[TURN.allocations] = this.allocations.size;
    this.#events.allocated(allocation.id);
  }

  /** Closes relays of an allocation, and with the last of them ends the allocation. */
  endRelays(allocation: Allocation, relays: readonly Relay[], reason: AllocationEnd): void {
    for (const relay of relays) this.relays.close(relay);
    this.shared.quota.release(allocation.user, allocation.clientAddress, relays.length);
    if (relays.length < allocation.relays.length) {
      for (const relay of relays) this.#dropRelay(allocation, relay);
      return;
    }
    this.#events.ended(allocation.id, reason);
    this.allocations.remove(allocation);
    count(this.counters, END_COUNTERS[reason]);
    this.counters[TURN.allocations] = this.allocations.size;
  }

  /** The row of a relay's address as the world knows it; valid until the next call. */
  externalRow(endpoint: number): number {
    if (!this.nat.active) return endpoint;
    this.io.endpoints.copy(endpoint, this.#external);
    this.nat.toExternal(this.#external);
    return this.#external;
  }

  drop(reason: number): void {
    count(this.counters, reason);
  }

  tally(allocation: Allocation, column: number): void {
    const index = allocation.id * TALLY_COLUMNS + column;
    this.allocations.tallies[index] = (this.allocations.tallies[index] as number) + 1;
  }

  tallyResponse(allocation: Allocation, succeeded: boolean): void {
    this.tally(allocation, succeeded ? TALLY_SUCCESS_RESPONSES : TALLY_ERROR_RESPONSES);
  }

  #request(listener: number, socket: number, client: number): void {
    this.#origin.listener = listener;
    this.#origin.socket = socket;
    this.#origin.client = client;
    const unsent = this.#requests.unsentReplies;
    this.#requests.handle(this.#reader, this.#origin);
    if (unsent === 0 && this.#requests.unsentReplies > 0) {
      this.#rateLimitedAddress = this.io.endpoints.addressText(client);
    }
  }

  #indication(socket: number, client: number): void {
    const reader = this.#reader;
    // A Binding indication is a keep-alive and wants nothing (RFC 8489 §6.3.2).
    if (reader.messageClass !== CLASS_INDICATION) return this.drop(TURN.dropUnexpectedClass);
    if (reader.method === METHOD_BINDING) return;
    if (reader.method !== METHOD_SEND || reader.unknownCount > 0)
      return this.drop(TURN.dropUnknownIndication);
    this.#dataPath.sendIndication(reader, socket, client);
  }

  #dropRelay(allocation: Allocation, relay: Relay): void {
    this.allocations.forgetRelay(relay);
    if (allocation.relayIPv4 === relay) {
      allocation.relayIPv4 = undefined;
      allocation.socketIPv4 = -1;
    } else {
      allocation.relayIPv6 = undefined;
      allocation.socketIPv6 = -1;
    }
  }
}

const END_COUNTERS: Readonly<Record<AllocationEnd, number>> = {
  deleted: TURN.allocationsDeleted,
  expired: TURN.allocationsExpired,
  revoked: TURN.allocationsRevoked,
  closed: TURN.allocationsClosed,
};
