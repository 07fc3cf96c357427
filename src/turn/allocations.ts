/**
 * The allocations of one worker with their permissions and channels (RFC 8656 §3), and the tables by
 * which packets find them. Knows no messages and no sockets: `data-path` and `requests` use it.
 */
import type { EndpointBook } from '../wire/endpoint.ts';
import { EndpointTable } from '../wire/endpoint-table.ts';
import { ChannelIndex } from './channel-index.ts';
import { FlowRows } from './flow-rows.ts';

/** A relayed transport address of an allocation; a dual allocation has one of each family. */
export interface Relay {
  readonly socket: number;
  /** Place in the settings' relay addresses. */
  readonly relayAddress: number;
  readonly port: number;
  /** Row of the address the socket is bound to. */
  readonly endpoint: number;
  expiresAtMs: number;
}

export class Allocation {
  readonly id: number;
  readonly listener: number;
  /** The socket its client is reached through, and the row of the client's address. */
  readonly socket: number;
  readonly client: number;
  readonly user: string;
  /** What quotas know the client's host by. */
  readonly clientHost: string;
  readonly createdAtMs: number;
  /** Sockets as plain numbers, -1 if there is none: what the data path reads. */
  socketIPv4 = -1;
  socketIPv6 = -1;
  relayIPv4: Relay | undefined;
  relayIPv6: Relay | undefined;
  /** Of the port held for a second allocation, as long as this one lives or until it is taken. */
  reservationToken: Uint8Array | undefined;
  firstPermission = -1;
  permissions = 0;
  firstChannel = -1;
  channels = 0;

  constructor(
    id: number,
    origin: { listener: number; socket: number; client: number; user: string; clientHost: string },
    nowMs: number,
  ) {
    this.id = id;
    this.listener = origin.listener;
    this.socket = origin.socket;
    this.client = origin.client;
    this.user = origin.user;
    this.clientHost = origin.clientHost;
    this.createdAtMs = nowMs;
  }

  get relays(): Relay[] {
    return [this.relayIPv4, this.relayIPv6].filter((relay) => relay !== undefined);
  }
}

/** Columns of the per-allocation counters. */
export const TALLY_COLUMNS = 9;
export const TALLY_PACKETS_FROM_CLIENT = 0;
export const TALLY_BYTES_FROM_CLIENT = 1;
export const TALLY_PACKETS_TO_CLIENT = 2;
export const TALLY_BYTES_TO_CLIENT = 3;
export const TALLY_PACKETS_FROM_PEERS = 4;
export const TALLY_PACKETS_DROPPED = 5;
export const TALLY_REQUESTS = 6;
export const TALLY_SUCCESS_RESPONSES = 7;
export const TALLY_ERROR_RESPONSES = 8;

export class Allocations {
  readonly permissions: FlowRows = new FlowRows();
  readonly channels: FlowRows = new FlowRows();
  /** Per allocation {@link TALLY_COLUMNS} counters. */
  tallies: Float64Array = new Float64Array(256 * TALLY_COLUMNS);
  readonly #byId: (Allocation | undefined)[] = [];
  readonly #freeIds: number[] = [];
  readonly #book: EndpointBook;
  readonly #byClient: EndpointTable; // (socket, client) → allocation
  readonly #byRelay: EndpointTable; // own relay endpoint → allocation
  readonly #permissionByPeer: EndpointTable; // (allocation, peer address) → permission row
  readonly #channelByPeer: EndpointTable; // (allocation, peer endpoint) → channel row
  readonly #channelByNumber: ChannelIndex; // (allocation, channel number) → channel row
  #size = 0;

  constructor(book: EndpointBook, hashSeed: number) {
    this.#book = book;
    this.#byClient = new EndpointTable(book, 'compared', hashSeed);
    this.#byRelay = new EndpointTable(book, 'compared', hashSeed);
    this.#permissionByPeer = new EndpointTable(book, 'ignored', hashSeed);
    this.#channelByPeer = new EndpointTable(book, 'compared', hashSeed);
    this.#channelByNumber = new ChannelIndex(hashSeed);
  }

  get size(): number {
    return this.#size;
  }

  /** The allocation of a five-tuple: our socket and the client's address. */
  ofClient(socket: number, client: number): Allocation | undefined {
    const id = this.#byClient.get(socket, client);
    return id < 0 ? undefined : this.#byId[id];
  }

  /** The allocation with one of whose relays on this worker the row agrees. */
  ofRelay(endpoint: number): Allocation | undefined {
    const id = this.#byRelay.get(0, endpoint);
    return id < 0 ? undefined : this.#byId[id];
  }

  byId(id: number): Allocation | undefined {
    return this.#byId[id];
  }

  *[Symbol.iterator](): Generator<Allocation> {
    for (const allocation of this.#byId) if (allocation) yield allocation;
  }

  nextId(): number {
    return this.#freeIds.at(-1) ?? this.#byId.length;
  }

  /** Takes in an allocation made with {@link nextId}; the client's row is the allocation's from now on. */
  add(allocation: Allocation): void {
    const { id } = allocation;
    if (this.#freeIds.at(-1) === id) this.#freeIds.pop();
    this.#byId[id] = allocation;
    this.#size++;
    this.#byClient.set(allocation.socket, allocation.client, id);
    for (const relay of allocation.relays) this.#byRelay.set(0, relay.endpoint, id);
    if ((id + 1) * TALLY_COLUMNS > this.tallies.length) {
      const larger = new Float64Array(this.tallies.length * 2);
      larger.set(this.tallies);
      this.tallies = larger;
    }
    this.tallies.fill(0, id * TALLY_COLUMNS, (id + 1) * TALLY_COLUMNS);
  }

  /** Forgets an allocation with all that hangs on it. Its sockets must be closed before. */
  remove(allocation: Allocation): void {
    while (allocation.firstChannel >= 0) this.removeChannel(allocation, allocation.firstChannel);
    while (allocation.firstPermission >= 0) this.#removePermission(allocation, allocation.firstPermission);
    for (const relay of allocation.relays) this.#forgetRelay(relay);
    this.#byClient.delete(allocation.socket, allocation.client);
    this.#book.release(allocation.client);
    this.#byId[allocation.id] = undefined;
    this.#freeIds.push(allocation.id);
    this.#size--;
  }

  /** Takes one relay from an allocation that keeps the other. Its socket must be closed before. */
  removeRelay(allocation: Allocation, relay: Relay): void {
    this.#forgetRelay(relay);
    if (allocation.relayIPv4 === relay) {
      allocation.relayIPv4 = undefined;
      allocation.socketIPv4 = -1;
    } else {
      allocation.relayIPv6 = undefined;
      allocation.socketIPv6 = -1;
    }
  }

  /** Adds to one of an allocation's own counters, a `TALLY_…` column. */
  tally(allocation: number, column: number, amount: number): void {
    const index = allocation * TALLY_COLUMNS + column;
    this.tallies[index] = (this.tallies[index] as number) + amount;
  }

  /** Row of the permission for the peer's address (its port does not matter), or -1. */
  permissionFor(allocation: number, peer: number): number {
    return this.#permissionByPeer.get(allocation, peer);
  }

  /** Row of the channel bound to the peer's address and port, or -1. */
  channelFor(allocation: number, peer: number): number {
    return this.#channelByPeer.get(allocation, peer);
  }

  /** Row of the channel with this number, or -1. */
  channelNumbered(allocation: number, channelNumber: number): number {
    return this.#channelByNumber.get(allocation, channelNumber);
  }

  /** Installs or refreshes a permission; returns its row, or -1 if the endpoint book is full. */
  permit(allocation: Allocation, peer: number, verdict: number, expiresAtMs: number): number {
    const { permissions } = this;
    let row = this.permissionFor(allocation.id, peer);
    if (row < 0) {
      const endpoint = this.#book.acquireCopy(peer);
      if (endpoint < 0) return -1;
      this.#book.setPort(endpoint, 0);
      row = permissions.acquire();
      permissions.owner[row] = allocation.id;
      permissions.peer[row] = endpoint;
      permissions.detail[row] = 0;
      permissions.permission[row] = row;
      permissions.verdict[row] = verdict;
      permissions.next[row] = allocation.firstPermission;
      allocation.firstPermission = row;
      allocation.permissions++;
      this.#permissionByPeer.set(allocation.id, endpoint, row);
    }
    permissions.expiresAtMs[row] = expiresAtMs;
    return row;
  }

  /** Binds or refreshes a channel that stands on a permission; returns its row, or -1 if the book is full. */
  bind(
    allocation: Allocation,
    channelNumber: number,
    peer: number,
    permission: number,
    verdict: number,
    expiresAtMs: number,
  ): number {
    const { channels } = this;
    let row = this.channelNumbered(allocation.id, channelNumber);
    if (row < 0) {
      const endpoint = this.#book.acquireCopy(peer);
      if (endpoint < 0) return -1;
      row = channels.acquire();
      channels.owner[row] = allocation.id;
      channels.peer[row] = endpoint;
      channels.detail[row] = channelNumber;
      channels.permission[row] = permission;
      channels.verdict[row] = verdict;
      channels.next[row] = allocation.firstChannel;
      allocation.firstChannel = row;
      allocation.channels++;
      this.permissions.detail[permission] = (this.permissions.detail[permission] as number) + 1;
      this.#channelByPeer.set(allocation.id, endpoint, row);
      this.#channelByNumber.set(allocation.id, channelNumber, row);
    }
    channels.expiresAtMs[row] = expiresAtMs;
    return row;
  }

  removeChannel(allocation: Allocation, row: number): void {
    const { channels } = this;
    const endpoint = channels.peer[row] as number;
    const permission = channels.permission[row] as number;
    this.permissions.detail[permission] = (this.permissions.detail[permission] as number) - 1;
    this.#channelByPeer.delete(allocation.id, endpoint);
    this.#channelByNumber.delete(allocation.id, channels.detail[row] as number);
    allocation.firstChannel = unlink(channels, allocation.firstChannel, row);
    allocation.channels--;
    this.#book.release(endpoint);
    channels.release(row);
  }

  /** Removes what has expired of an allocation: channels, then permissions that no channel stands on. */
  expireFlows(allocation: Allocation, nowMs: number): void {
    const { channels, permissions } = this;
    for (let row = allocation.firstChannel; row >= 0; ) {
      const next = channels.next[row] as number;
      if ((channels.expiresAtMs[row] as number) <= nowMs) this.removeChannel(allocation, row);
      row = next;
    }
    for (let row = allocation.firstPermission; row >= 0; ) {
      const next = permissions.next[row] as number;
      const over = (permissions.expiresAtMs[row] as number) <= nowMs;
      if (over && permissions.detail[row] === 0) this.#removePermission(allocation, row);
      row = next;
    }
  }

  #forgetRelay(relay: Relay): void {
    this.#byRelay.delete(0, relay.endpoint);
    this.#book.release(relay.endpoint);
  }

  #removePermission(allocation: Allocation, row: number): void {
    const { permissions } = this;
    const endpoint = permissions.peer[row] as number;
    this.#permissionByPeer.delete(allocation.id, endpoint);
    allocation.firstPermission = unlink(permissions, allocation.firstPermission, row);
    allocation.permissions--;
    this.#book.release(endpoint);
    permissions.release(row);
  }
}

/** Takes a row out of an owner's list; returns the list's new first row. */
function unlink(rows: FlowRows, first: number, row: number): number {
  const after = rows.next[row] as number;
  if (first === row) return after;
  let before = first;
  while (rows.next[before] !== row) before = rows.next[before] as number;
  rows.next[before] = after;
  return first;
}
