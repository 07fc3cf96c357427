/**
 * Requests and their answers (RFC 8489 §6.3, RFC 8656 §§7–12): authentication first, then unknown
 * attributes, then each method in the RFC's order of checks. Control plane.
 */
import { formatAddress } from '../wire/address.ts';
import { u16, u32 } from '../wire/bytes.ts';
import { CHANNEL_NUMBER_MIN } from '../wire/channel-data.ts';
import { count } from '../wire/counters.ts';
import type { DatagramIo } from '../wire/datagram-io.ts';
import { type EndpointBook, INET } from '../wire/endpoint.ts';
import {
  ATTR_ADDRESS_ERROR_CODE,
  ATTR_CHANNEL_NUMBER,
  ATTR_LIFETIME,
  ATTR_MAPPED_ADDRESS,
  ATTR_REQUESTED_ADDRESS_FAMILY,
  ATTR_RESERVATION_TOKEN,
  ATTR_XOR_MAPPED_ADDRESS,
  ATTR_XOR_RELAYED_ADDRESS,
  CLASS_ERROR,
  CLASS_SUCCESS,
  FAMILY_IPV4,
  FAMILY_IPV6,
  METHOD_ALLOCATE,
  METHOD_BINDING,
  METHOD_CHANNEL_BIND,
  METHOD_CREATE_PERMISSION,
  METHOD_REFRESH,
  readXorAddress,
  type StunReader,
} from '../wire/stun.ts';
import { StunWriter } from '../wire/stun-writer.ts';
import { grantedLifetimeSeconds, readAllocateRequest } from './allocate-request.ts';
import {
  Allocation,
  type Allocations,
  type Relay,
  TALLY_ERROR_RESPONSES,
  TALLY_REQUESTS,
  TALLY_SUCCESS_RESPONSES,
} from './allocations.ts';
import type { Authentication } from './authentication.ts';
import { TURN } from './counters.ts';
import type { Lifecycle } from './lifecycle.ts';
import { PEER_FORBIDDEN, type PeerFilter } from './peer-filter.ts';
import type { OpenedRelays, Relays } from './relays.ts';
import { ReplyMemory } from './reply-memory.ts';
import type { TurnCrypto, TurnSettings } from './settings.ts';
import type { TurnSharedState } from './shared-state.ts';
import type { StaticNat } from './static-nat.ts';

export const PERMISSION_LIFETIME_MS = 300_000; // RFC 8656 §9
export const CHANNEL_LIFETIME_MS = 600_000; // RFC 8656 §12

/** Where a request came from. */
export interface Origin {
  /** Place in the settings' listeners. */
  listener: number;
  socket: number;
  /** Row of the client's address, lent by the engine. */
  client: number;
}

/** What requests are answered with. */
export interface RequestParts {
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
  readonly lifecycle: Lifecycle;
  readonly hashSeed: number;
}

type ErrorCode = 400 | 401 | 403 | 420 | 437 | 438 | 440 | 441 | 442 | 443 | 486 | 508;

const REQUEST_COUNTERS: Readonly<Record<number, number>> = {
  [METHOD_BINDING]: TURN.requestBinding,
  [METHOD_ALLOCATE]: TURN.requestAllocate,
  [METHOD_REFRESH]: TURN.requestRefresh,
  [METHOD_CREATE_PERMISSION]: TURN.requestCreatePermission,
  [METHOD_CHANNEL_BIND]: TURN.requestChannelBind,
};

export class Requests {
  nowMs = 0;
  /** Replies left unsent by the rate limit since somebody last asked. */
  unsentReplies = 0;
  readonly #parts: RequestParts;
  readonly #io: DatagramIo;
  readonly #writer: StunWriter;
  readonly #memory: ReplyMemory;
  readonly #peer: number; // scratch row
  /** Of the request at hand: whether its sender has proved who it is. */
  #authenticated = false;

  constructor(parts: RequestParts) {
    this.#parts = parts;
    this.#io = parts.io;
    this.#writer = new StunWriter(parts.io.bytes);
    this.#memory = new ReplyMemory(parts.io.endpoints, parts.hashSeed);
    this.#peer = parts.io.endpoints.acquire();
  }

  handle(request: StunReader, origin: Origin): void {
    const { counters, settings } = this.#parts;
    count(counters, REQUEST_COUNTERS[request.method] ?? TURN.requestOther);
    this.#authenticated = false;
    if (request.method === METHOD_BINDING && settings.unauthenticatedBinding) {
      if (request.integrityOffset < 0 && request.integritySha256Offset < 0) {
        return this.#bindingOrUnknown(request, origin);
      }
    }
    // A client of RFC 3489 knows no TURN.
    if (request.classic) return count(counters, TURN.dropNotTurn);
    if (!this.#io.isStream(origin.socket) && this.#repeat(request, origin)) return;
    if (settings.authentication) {
      const { endpoints } = this.#io;
      const outcome = this.#parts.authentication.check(request, endpoints, origin.client, this.nowMs);
      if (outcome !== 0) return this.#refuse(request, origin, outcome);
      this.#authenticated = true;
    }
    const allocation = this.#parts.allocations.ofClient(origin.socket, origin.client);
    if (allocation) this.#parts.allocations.tally(allocation.id, TALLY_REQUESTS, 1);
    if (request.unknownCount > 0) return this.#refuse(request, origin, 420);
    if (request.method === METHOD_BINDING) return this.#bindingOrUnknown(request, origin);
    if (request.method === METHOD_ALLOCATE) return this.#allocate(request, origin, allocation);
    if (allocation === undefined) return this.#refuse(request, origin, 437);
    if (settings.authentication && allocation.user !== this.#parts.authentication.identity.user) {
      return this.#refuse(request, origin, 441);
    }
    const error = this.#manage(request, origin, allocation);
    if (error !== 0) this.#refuse(request, origin, error);
  }

  /** Requests about an allocation that is there and its sender's own; 0 where they were answered. */
  #manage(request: StunReader, origin: Origin, allocation: Allocation): ErrorCode | 0 {
    switch (request.method) {
      case METHOD_REFRESH:
        return this.#refresh(request, origin, allocation);
      case METHOD_CREATE_PERMISSION:
        return this.#createPermission(request, origin, allocation);
      case METHOD_CHANNEL_BIND:
        return this.#channelBind(request, origin, allocation);
      default:
        return 400; // Connect and ConnectionBind (RFC 6062) among them: relays are UDP
    }
  }

  #bindingOrUnknown(request: StunReader, origin: Origin): void {
    if (request.unknownCount > 0) return this.#refuse(request, origin, 420);
    if (this.#authenticated || this.#mayAnswerStranger(origin)) this.#binding(request, origin);
  }

  #binding(request: StunReader, origin: Origin): void {
    const answer = this.#begin(request, CLASS_SUCCESS);
    const { endpoints } = this.#io;
    if (request.classic) answer.plainAddress(ATTR_MAPPED_ADDRESS, endpoints, origin.client);
    else answer.xorAddress(ATTR_XOR_MAPPED_ADDRESS, endpoints, origin.client);
    this.#finish(request, origin);
  }

  #allocate(request: StunReader, origin: Origin, existing: Allocation | undefined): void {
    if (existing) return this.#refuse(request, origin, 437);
    const { settings, shared, relays, allocations, authentication, lifecycle } = this.#parts;
    const listener = settings.listeners[origin.listener];
    const wish = readAllocateRequest(request);
    if (typeof wish === 'number') return this.#refuse(request, origin, wish);
    const lifetimeSeconds = grantedLifetimeSeconds(request, settings.lifetimeSecondsMax);
    if (lifetimeSeconds === undefined || listener === undefined) return this.#refuse(request, origin, 400);
    if (!relays.offers(wish, listener)) return this.#refuse(request, origin, 440);
    const user = settings.authentication ? authentication.identity.user : '';
    const clientHost = hostName(this.#io.endpoints, origin.client);
    const wanted = wish.ipv4 && wish.ipv6 ? 2 : 1;
    const granted = shared.quota.acquire(user, clientHost, wanted);
    if (granted !== 'granted') return this.#refuse(request, origin, granted === 'user-full' ? 486 : 508);
    const id = allocations.nextId();
    const lifetimeMs = lifetimeSeconds * 1000;
    const opened = relays.open(wish, listener, id, this.#io.bytes, this.nowMs, lifetimeMs);
    const client = typeof opened === 'number' ? -1 : this.#io.endpoints.acquireCopy(origin.client);
    if (typeof opened === 'number' || client < 0) {
      shared.quota.release(user, clientHost, wanted);
      if (typeof opened !== 'number') relays.abandon(opened, this.nowMs);
      return this.#refuse(request, origin, typeof opened === 'number' ? opened : 508);
    }
    const allocation = new Allocation(
      id,
      { listener: origin.listener, socket: origin.socket, client, user, clientHost },
      this.nowMs,
    );
    allocation.relayIPv4 = opened.ipv4;
    allocation.relayIPv6 = opened.ipv6;
    allocation.socketIPv4 = opened.ipv4?.socket ?? -1;
    allocation.socketIPv6 = opened.ipv6?.socket ?? -1;
    allocation.reservationToken = opened.token;
    if (allocation.relays.length < wanted) shared.quota.release(user, clientHost, 1);
    lifecycle.begin(allocation);
    allocations.tally(id, TALLY_REQUESTS, 1);
    this.#answerAllocate(request, origin, opened, lifetimeSeconds);
  }

  #answerAllocate(request: StunReader, origin: Origin, opened: OpenedRelays, lifetimeSeconds: number): void {
    const answer = this.#begin(request, CLASS_SUCCESS);
    const { endpoints } = this.#io;
    for (const relay of [opened.ipv4, opened.ipv6]) {
      if (relay)
        answer.xorAddress(ATTR_XOR_RELAYED_ADDRESS, endpoints, this.#parts.nat.shown(relay.endpoint));
    }
    if (opened.ipv4Error) answer.errorCode(opened.ipv4Error, ATTR_ADDRESS_ERROR_CODE, FAMILY_IPV4);
    if (opened.ipv6Error) answer.errorCode(opened.ipv6Error, ATTR_ADDRESS_ERROR_CODE, FAMILY_IPV6);
    answer.attributeU32(ATTR_LIFETIME, lifetimeSeconds);
    if (opened.token) answer.attribute(ATTR_RESERVATION_TOKEN, opened.token);
    answer.xorAddress(ATTR_XOR_MAPPED_ADDRESS, endpoints, origin.client);
    this.#finish(request, origin);
  }

  #refresh(request: StunReader, origin: Origin, allocation: Allocation): ErrorCode | 0 {
    const { settings } = this.#parts;
    let relays: readonly Relay[] = allocation.relays;
    if (request.has(ATTR_REQUESTED_ADDRESS_FAMILY)) {
      if (request.valueLength(ATTR_REQUESTED_ADDRESS_FAMILY) !== 4) return 400;
      const family = request.bytes[request.value(ATTR_REQUESTED_ADDRESS_FAMILY)];
      const relay = family === FAMILY_IPV4 ? allocation.relayIPv4 : allocation.relayIPv6;
      if ((family !== FAMILY_IPV4 && family !== FAMILY_IPV6) || !relay) return 443;
      relays = [relay];
    }
    let lifetimeSeconds = grantedLifetimeSeconds(request, settings.lifetimeSecondsMax);
    if (lifetimeSeconds === undefined) return 400;
    const deletes = request.has(ATTR_LIFETIME) && u32(request.bytes, request.value(ATTR_LIFETIME)) === 0;
    if (deletes) lifetimeSeconds = 0;
    else for (const relay of relays) relay.expiresAtMs = this.nowMs + lifetimeSeconds * 1000;
    this.#begin(request, CLASS_SUCCESS).attributeU32(ATTR_LIFETIME, lifetimeSeconds);
    this.#finish(request, origin);
    if (deletes) this.#parts.lifecycle.endRelays(allocation, relays, 'deleted');
    return 0;
  }

  #createPermission(request: StunReader, origin: Origin, allocation: Allocation): ErrorCode | 0 {
    const { allocations, settings, peerFilter } = this.#parts;
    if (request.peerCount === 0) return 400;
    if (request.peerCount > request.peers.length) return 508;
    // All or none: judge every peer before the first permission is made (RFC 8656 §10.2).
    let added = 0;
    for (let i = 0; i < request.peerCount; i++) {
      const error = this.#readPeer(request, i, allocation);
      if (error !== 0) return error;
      const verdict = peerFilter.judgeAddress(this.#io.endpoints, this.#peer);
      if (verdict === PEER_FORBIDDEN && settings.peers.refusal === 'error') return 403;
      if (allocations.permissionFor(allocation.id, this.#peer) < 0) added++;
    }
    if (allocation.permissions + added > settings.limits.permissionsPerRelay) return 508;
    for (let i = 0; i < request.peerCount; i++) {
      this.#readPeer(request, i, allocation);
      if (this.#permit(allocation) < 0) return 508;
    }
    this.#begin(request, CLASS_SUCCESS);
    this.#finish(request, origin);
    return 0;
  }

  #channelBind(request: StunReader, origin: Origin, allocation: Allocation): ErrorCode | 0 {
    const { allocations, settings, peerFilter } = this.#parts;
    if (request.valueLength(ATTR_CHANNEL_NUMBER) !== 4 || request.peerCount === 0) return 400;
    const channelNumber = u16(request.bytes, request.value(ATTR_CHANNEL_NUMBER));
    if (channelNumber < CHANNEL_NUMBER_MIN || channelNumber > settings.channelNumberMax) return 400;
    const error = this.#readPeer(request, 0, allocation);
    if (error !== 0) return error;
    // Neither the number nor the peer may be bound otherwise (RFC 8656 §12.2).
    const numbered = allocations.channelNumbered(allocation.id, channelNumber);
    if (numbered !== allocations.channelFor(allocation.id, this.#peer)) return 400;
    const verdict = peerFilter.judge(this.#io.endpoints, this.#peer);
    if (verdict === PEER_FORBIDDEN && settings.peers.refusal === 'error') return 403;
    if (numbered < 0 && allocation.channels >= settings.limits.channelsPerRelay) return 508;
    const known = allocations.permissionFor(allocation.id, this.#peer) >= 0;
    if (!known && allocation.permissions >= settings.limits.permissionsPerRelay) return 508;
    const permission = this.#permit(allocation);
    const expiresAtMs = this.nowMs + CHANNEL_LIFETIME_MS;
    if (permission < 0) return 508;
    if (allocations.bind(allocation, channelNumber, this.#peer, permission, verdict, expiresAtMs) < 0)
      return 508;
    this.#begin(request, CLASS_SUCCESS);
    this.#finish(request, origin);
    return 0;
  }

  /** Installs or refreshes the permission for the peer in the scratch row. */
  #permit(allocation: Allocation): number {
    const { allocations, peerFilter } = this.#parts;
    const verdict = peerFilter.judgeAddress(this.#io.endpoints, this.#peer);
    return allocations.permit(allocation, this.#peer, verdict, this.nowMs + PERMISSION_LIFETIME_MS);
  }

  /** Reads the i-th XOR-PEER-ADDRESS into the scratch row: 400 if malformed, 443 if of no family we relay. */
  #readPeer(request: StunReader, i: number, allocation: Allocation): ErrorCode | 0 {
    const { endpoints } = this.#io;
    const value = request.peers[i] as number;
    if (!readXorAddress(request.bytes, request.offset, value, endpoints, this.#peer)) return 400;
    const isIPv4 = endpoints.family(this.#peer) === INET;
    if ((isIPv4 ? allocation.socketIPv4 : allocation.socketIPv6) < 0) return 443;
    if (this.#parts.nat.active) this.#parts.nat.toInternal(this.#peer);
    return 0;
  }

  /** Answers a retransmitted request as before; false if it is none. */
  #repeat(request: StunReader, origin: Origin): boolean {
    const to = this.#io.reserve();
    const { bytes, offset } = request;
    const length = this.#memory.recall(bytes, offset, origin.socket, origin.client, this.nowMs, to);
    if (length === 0) return false;
    count(this.#parts.counters, TURN.responseRepeated);
    this.#io.send(origin.socket, to, length, origin.client);
    return true;
  }

  #refuse(request: StunReader, origin: Origin, code: ErrorCode): void {
    const stranger = !this.#authenticated && (this.#parts.settings.authentication || code === 420);
    if (stranger && !this.#mayAnswerStranger(origin)) return;
    count(this.#parts.counters, TURN[`error${code}`]);
    const answer = this.#begin(request, CLASS_ERROR).errorCode(code);
    if (code === 420) answer.unknownAttributes(request.unknown, request.unknownCount);
    if (code === 401 || code === 438) {
      this.#parts.authentication.challenge(answer, this.#io.endpoints, origin.client, this.nowMs);
    }
    this.#send(request, origin, false);
  }

  /** On a stream the source of a request cannot be forged, and a request left unanswered is not sent again. */
  #mayAnswerStranger(origin: Origin): boolean {
    if (this.#io.isStream(origin.socket)) return true;
    if (this.#parts.shared.replyRate.allow(this.#io.endpoints, origin.client, this.nowMs)) return true;
    this.unsentReplies++;
    count(this.#parts.counters, TURN.dropRateLimited);
    return false;
  }

  #begin(request: StunReader, messageClass: number): StunWriter {
    return this.#writer
      .begin(this.#io.reserve(), request.method, messageClass)
      .answering(request.bytes, request.offset, request.classic);
  }

  #finish(request: StunReader, origin: Origin): void {
    count(this.#parts.counters, TURN.responseSuccess);
    this.#send(request, origin, true);
  }

  #send(request: StunReader, origin: Origin, succeeded: boolean): void {
    const { authentication, crypto, allocations } = this.#parts;
    const writer = this.#writer;
    if (this.#authenticated) {
      writer.integrity(authentication.identity.algorithm, authentication.identity.key, crypto.hmac);
    }
    if (request.fingerprintOffset >= 0) writer.fingerprint();
    const allocation = allocations.ofClient(origin.socket, origin.client);
    const column = succeeded ? TALLY_SUCCESS_RESPONSES : TALLY_ERROR_RESPONSES;
    if (allocation) allocations.tally(allocation.id, column, 1);
    const unauthenticatedBinding = request.method === METHOD_BINDING && !this.#authenticated;
    const settled = this.#authenticated || !this.#parts.settings.authentication;
    if (settled && !unauthenticatedBinding && !this.#io.isStream(origin.socket)) {
      const { bytes, offset, length } = writer;
      this.#memory.remember(bytes, offset, length, origin.socket, origin.client, this.nowMs);
    }
    this.#io.send(origin.socket, writer.offset, writer.length, origin.client);
  }
}

/** What quotas know a client's host by: its IPv4 address, or the /64 of its IPv6 address (a subscriber has all of it). */
function hostName(book: EndpointBook, row: number): string {
  if (book.family(row) === INET) return book.addressText(row);
  return `${formatAddress(book.address(row).fill(0, 8))}/64`;
}
