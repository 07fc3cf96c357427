/**
 * `turn` is the TURN server (RFC 8656) as a pure core: bytes, addresses and times in, bytes out. No
 * socket, clock, timer or random source lives here; `DatagramIo` and `TurnCrypto` bring them in.
 *
 *     server          what a packet is, expiry
 *     lifecycle       how allocations begin and end
 *     requests        control plane: requests and answers, with authentication, peer-filter, relays
 *     data-path       per packet: client ↔ peer
 *     allocations     the tables both work on
 *     relay-evidence  what is known of a call's path, also after its relays have ended
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
import { Allocations } from './allocations.ts';
import { Authentication } from './authentication.ts';
import { TURN } from './counters.ts';
import { DataPath } from './data-path.ts';
import { Lifecycle } from './lifecycle.ts';
import { PeerFilter } from './peer-filter.ts';
import { type RelayEvidence, RelayMemory } from './relay-evidence.ts';
import { Relays } from './relays.ts';
import { type Origin, Requests } from './requests.ts';
import type { TurnCredential, TurnCrypto, TurnEvents, TurnSettings } from './settings.ts';
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
  /**
   * Whether a row is a port on an own address, in no relay's range, that relays may reach at this moment: a
   * media port of the B2BUA on the same host. Asked per packet to such a port. Undefined: there are none.
   */
  readonly isOwnMedia?: (row: number) => boolean;
}

export class TurnCore implements DatagramReceiver {
  readonly io: DatagramIo;
  readonly allocations: Allocations;
  readonly authentication: Authentication;
  readonly nat: StaticNat;
  readonly #counters: Float64Array;
  readonly #events: TurnEvents;
  readonly #relays: Relays;
  readonly #lifecycle: Lifecycle;
  readonly #relayMemory: RelayMemory;
  readonly #requests: Requests;
  readonly #dataPath: DataPath;
  readonly #reader: StunReader;
  readonly #origin: Origin = { listener: 0, socket: 0, client: 0 };
  #rateLimitedAddress = '';

  constructor(parts: TurnParts) {
    const { io, settings, shared, crypto, counters, events, hashSeed } = parts;
    const allocations = new Allocations(io.endpoints, hashSeed);
    const authentication = new Authentication(settings, crypto, counters, parts.unixMs);
    const peerFilter = new PeerFilter(settings);
    const nat = new StaticNat(io.endpoints, settings.relayAddresses);
    const relays = new Relays(io, this, settings, crypto, shared);
    const relayMemory = new RelayMemory({ allocations, book: io.endpoints, nat });
    const lifecycle = new Lifecycle({
      ...{ allocations, relays, quota: shared.quota, relayMemory, counters, events },
    });
    this.io = io;
    this.allocations = allocations;
    this.authentication = authentication;
    this.nat = nat;
    this.#counters = counters;
    this.#events = events;
    this.#relays = relays;
    this.#lifecycle = lifecycle;
    this.#relayMemory = relayMemory;
    this.#requests = new Requests({
      ...{ io, settings, shared, crypto, counters, hashSeed },
      ...{ allocations, authentication, peerFilter, nat, relays, lifecycle },
    });
    this.#dataPath = new DataPath({
      ...{ io, allocations, filter: peerFilter, nat, crypto, counters },
      isOwnMedia: parts.isOwnMedia ?? (() => false),
      mediaOnly: settings.mediaPolicy === 'media',
    });
    this.#reader = new StunReader(io.canSetDontFragment ? [...UNDERSTOOD, ATTR_DONT_FRAGMENT] : UNDERSTOOD);
  }

  /** The tag under which an engine must deliver what arrives at a listener. */
  static listenerTag(listener: number): number {
    return -1 - listener;
  }

  batchBegins(nowMs: number): void {
    this.#dataPath.nowMs = nowMs;
    this.#requests.nowMs = nowMs;
    this.#lifecycle.nowMs = nowMs;
  }

  receive(tag: number, socket: number, offset: number, length: number, source: number): void {
    if (tag >= 0) {
      const allocation = this.allocations.byId(tag);
      if (allocation === undefined) return this.#drop(TURN.dropNoAllocation);
      return this.#dataPath.fromPeer(allocation, offset, length, source);
    }
    if (length === 0) return this.#drop(TURN.dropEmpty);
    const { bytes } = this.io;
    if (isChannelData(u8(bytes, offset))) return this.#dataPath.channelData(socket, offset, length, source);
    if (kindOf(bytes, offset) !== KIND_STUN) return this.#drop(TURN.dropNotTurn);
    const outcome = this.#reader.parse(this.io.bytes, offset, length);
    if (outcome === STUN_BAD_FINGERPRINT) return this.#drop(TURN.dropBadFingerprint);
    if (outcome !== STUN_OK) return this.#drop(TURN.dropMalformedStun);
    if (this.#reader.messageClass === CLASS_REQUEST) this.#request(-1 - tag, socket, source);
    else this.#indication(socket, source);
  }

  receiveIcmpError(tag: number, type: number, code: number, info: number, destination: number): void {
    const allocation = this.allocations.byId(tag);
    if (allocation) this.#dataPath.icmpError(allocation, type, code, info, destination);
  }

  streamClosed(socket: number, source: number): void {
    const allocation = this.allocations.ofClient(socket, source);
    if (allocation) this.#lifecycle.end(allocation, 'closed');
  }

  /** Ends what has expired, gives reserved ports back, brings the gauges up to date. */
  sweep(nowMs: number): void {
    this.batchBegins(nowMs);
    for (const allocation of this.allocations) {
      const expired = allocation.relays.filter((relay) => relay.expiresAtMs <= nowMs);
      if (expired.length > 0) this.#lifecycle.endRelays(allocation, expired, 'expired');
      this.allocations.expireFlows(allocation, nowMs);
    }
    this.#relays.expireReservations(nowMs);
    this.#relayMemory.sweep(nowMs);
    this.#lifecycle.showGauges();
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
      this.#lifecycle.end(allocation, 'revoked');
      ended++;
    }
    return ended;
  }

  /** Those of the transport addresses that are relayed ones of this worker, or were a moment ago. */
  relayEvidence(addresses: readonly string[], nowMs: number): RelayEvidence[] {
    return this.#relayMemory.evidence(addresses, nowMs);
  }

  /** Relays that have ended and are still told of. */
  get endedRelays(): number {
    return this.#relayMemory.size;
  }

  /** Ends every allocation. */
  close(): void {
    for (const allocation of this.allocations) this.#lifecycle.end(allocation, 'closed');
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
    if (reader.messageClass !== CLASS_INDICATION) return this.#drop(TURN.dropUnexpectedClass);
    if (reader.method === METHOD_BINDING) return;
    if (reader.method !== METHOD_SEND || reader.unknownCount > 0)
      return this.#drop(TURN.dropUnknownIndication);
    this.#dataPath.sendIndication(reader, socket, client);
  }

  #drop(reason: number): void {
    count(this.#counters, reason);
  }
}
