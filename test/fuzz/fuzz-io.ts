/**
 * `DatagramIo` for fuzzing: fast enough for millions of packets, and no more helpful than an engine must
 * be. Sends wait until the batch ends; closing a socket sends what is queued only if that socket queued
 * any; rows and slots are used again at once. It throws when a core breaks a promise of
 * `wire/datagram-io`: writes outside what it was lent, changes bytes or rows that are queued, sends on a
 * socket that is not open, opens a port twice.
 */
import {
  type DatagramIo,
  type DatagramReceiver,
  HEADROOM_BYTES,
  OPEN_PORT_IN_USE,
  QUEUED_SENDS_MAX,
  RESERVED_SLOT_BYTES,
  TAILROOM_BYTES,
} from '../../src/wire/datagram-io.ts';
import { ENDPOINT_WORDS, EndpointBook } from '../../src/wire/endpoint.ts';

/** The largest UDP payload there is over IPv4. */
export const PAYLOAD_BYTES_MAX = 65_507;
const GUARD_BYTES = 16;
const GUARD = 0xa5;
/** Packets that can be held at once, as long as they fit the area: more than an engine queues. */
const SOURCE_ROWS = 4096;
const AREA_BYTES = 4 << 20;
const RESERVED_SLOTS = 512;
const RESERVED_STRIDE = RESERVED_SLOT_BYTES + 2 * GUARD_BYTES;
const RESERVED_OFFSET = AREA_BYTES;
/** Words of a row that are an address; the last is the book's own. */
const ADDRESS_WORDS = ENDPOINT_WORDS - 1;

/** An address to send from, ready to be copied into a row. */
export interface Source {
  readonly address: string;
  readonly port: number;
  readonly words: Int32Array;
}

const scratch = new EndpointBook(1, 1);

export function source(address: string, port: number): Source {
  if (!scratch.setText(0, address, port)) throw new Error(`no address: ${address}`);
  return { address: scratch.addressText(0), port, words: scratch.words.slice(0, ENDPOINT_WORDS) };
}

interface OpenSocket {
  readonly receiver: DatagramReceiver;
  readonly tag: number;
  /** `address:port`, or undefined for a stream. */
  readonly local: string | undefined;
  queued: number;
}

interface QueuedSend {
  readonly socket: number;
  readonly offset: number;
  readonly bytes: Buffer;
  readonly destination: number;
  readonly row: Int32Array;
}

export class FuzzIo implements DatagramIo {
  readonly bytes: Uint8Array = new Uint8Array(RESERVED_OFFSET + RESERVED_SLOTS * RESERVED_STRIDE).fill(GUARD);
  readonly endpoints: EndpointBook;
  readonly canSetDontFragment: boolean;
  /** Called with each packet that leaves. The row holds the destination. */
  onSent: (socket: number, bytes: Buffer, destination: number) => void = () => {};
  /** An `OPEN_…` reason with which to refuse a socket, or 0. */
  refuse: () => number = () => 0;
  /** Sends asked for since the start. */
  sends = 0;
  readonly #buffer = Buffer.from(this.bytes.buffer);
  readonly #sockets: (OpenSocket | undefined)[] = [];
  readonly #freeSockets: number[] = [];
  readonly #bound = new Set<string>();
  readonly #detached = new Map<number, string>();
  #nextToken = 1;
  #queue: QueuedSend[] = [];
  #rowsUsed = 0;
  #areaUsed = 0;
  #reservedUsed = 0;

  /** `rows`: what the book has room for beyond the sources of packets. */
  constructor(rows: number, canSetDontFragment = true) {
    this.endpoints = new EndpointBook(SOURCE_ROWS + rows, SOURCE_ROWS);
    this.canSetDontFragment = canSetDontFragment;
  }

  get openSockets(): number {
    return this.#sockets.length - this.#freeSockets.length;
  }

  get detachedSockets(): number {
    return this.#detached.size;
  }

  /** Address and port a datagram socket is bound to, or undefined. */
  localOf(socket: number): string | undefined {
    return this.#sockets[socket]?.local;
  }

  open(local: number, receiver: DatagramReceiver, tag: number): number {
    const refusal = this.refuse();
    if (refusal !== 0) return refusal;
    const text = this.endpoints.text(local);
    if (this.#bound.has(text)) return OPEN_PORT_IN_USE;
    this.#bound.add(text);
    return this.#add({ receiver, tag, local: text, queued: 0 });
  }

  /** A stream connection, already accepted. */
  openStream(receiver: DatagramReceiver, tag: number): number {
    return this.#add({ receiver, tag, local: undefined, queued: 0 });
  }

  close(socket: number): void {
    const { local } = this.#remove(socket);
    if (local !== undefined) this.#bound.delete(local);
  }

  detach(socket: number): number {
    const { local } = this.#remove(socket);
    if (local === undefined) throw new Error(`stream ${socket} cannot be detached`);
    this.#detached.set(this.#nextToken, local);
    return this.#nextToken++;
  }

  attach(token: number, receiver: DatagramReceiver, tag: number): number {
    const refusal = this.refuse();
    if (refusal !== 0) return refusal;
    const local = this.#detached.get(token);
    if (local === undefined) throw new Error(`token ${token} is of no detached socket`);
    this.#detached.delete(token);
    return this.#add({ receiver, tag, local, queued: 0 });
  }

  discard(token: number): void {
    const local = this.#detached.get(token);
    if (local === undefined) throw new Error(`token ${token} is of no detached socket`);
    this.#detached.delete(token);
    this.#bound.delete(local);
  }

  reserve(): number {
    if (this.#reservedUsed === RESERVED_SLOTS) this.#takeBackReserved();
    return RESERVED_OFFSET + this.#reservedUsed++ * RESERVED_STRIDE + GUARD_BYTES;
  }

  send(socket: number, offset: number, length: number, destination: number): void {
    if (this.#queue.length === QUEUED_SENDS_MAX) this.#transmitQueue();
    this.#queue.push(this.#queued(socket, offset, length, destination));
    this.#open(socket).queued++;
  }

  sendDontFragment(socket: number, offset: number, length: number, destination: number): void {
    if (!this.canSetDontFragment) throw new Error('DF was asked for where it cannot be set');
    this.#transmitQueue();
    this.#transmit(this.#queued(socket, offset, length, destination));
  }

  isStream(socket: number): boolean {
    return this.#open(socket).local === undefined;
  }

  /** Hands a packet to whoever owns the socket. */
  deliver(socket: number, payload: Uint8Array, from: Source): void {
    const { receiver, tag } = this.#open(socket);
    const needed = 2 * GUARD_BYTES + HEADROOM_BYTES + payload.length + TAILROOM_BYTES;
    if (this.#areaUsed + needed > AREA_BYTES) this.flush();
    const row = this.#lendRow(from); // may flush too: before the place is taken
    const start = this.#areaUsed;
    const offset = start + GUARD_BYTES + HEADROOM_BYTES;
    const end = offset + payload.length + TAILROOM_BYTES;
    this.#areaUsed += needed;
    this.bytes.fill(GUARD, start, start + GUARD_BYTES);
    this.bytes.fill(GUARD, end, end + GUARD_BYTES);
    this.bytes.set(payload, offset);
    receiver.receive(tag, socket, offset, payload.length, row);
    this.#expectGuard(start);
    this.#expectGuard(end);
  }

  /** Reports an ICMP error to whoever has the tag. */
  deliverIcmpError(
    receiver: DatagramReceiver,
    tag: number,
    type: number,
    code: number,
    info: number,
    to: Source,
  ): void {
    receiver.receiveIcmpError(tag, type, code, info, this.#lendRow(to));
  }

  /** A stream is gone; its number will be used again. */
  closeStream(socket: number, from: Source): void {
    this.#open(socket).receiver.streamClosed(socket, this.#lendRow(from));
    this.#remove(socket);
  }

  /** Ends the batch: what is queued is sent, and what was lent is taken back. */
  flush(): void {
    this.#takeBackReserved();
    this.#areaUsed = 0;
    this.#rowsUsed = 0;
    this.endpoints.recycle();
  }

  #lendRow(of: Source): number {
    if (this.#rowsUsed === SOURCE_ROWS) this.flush();
    const row = this.#rowsUsed++;
    this.endpoints.words.set(of.words, row * ENDPOINT_WORDS);
    return row;
  }

  #takeBackReserved(): void {
    this.#transmitQueue();
    for (let slot = 0; slot < this.#reservedUsed; slot++) {
      const start = RESERVED_OFFSET + slot * RESERVED_STRIDE;
      this.#expectGuard(start);
      this.#expectGuard(start + RESERVED_STRIDE - GUARD_BYTES);
    }
    this.#reservedUsed = 0;
  }

  #open(socket: number): OpenSocket {
    const open = this.#sockets[socket];
    if (!open) throw new Error(`socket ${socket} is used, but it is not open`);
    return open;
  }

  #add(socket: OpenSocket): number {
    const number = this.#freeSockets.pop() ?? this.#sockets.length;
    this.#sockets[number] = socket;
    return number;
  }

  #remove(socket: number): OpenSocket {
    const open = this.#open(socket);
    if (open.queued > 0) this.#transmitQueue();
    this.#sockets[socket] = undefined;
    this.#freeSockets.push(socket);
    return open;
  }

  #queued(socket: number, offset: number, length: number, destination: number): QueuedSend {
    this.#open(socket);
    this.sends++;
    const limit = offset < RESERVED_OFFSET ? this.#areaUsed : reservedSlotEnd(offset);
    if (length < 0 || offset < 0 || offset + length > limit) {
      throw new Error(`${length} bytes at ${offset} lie in nothing that was lent`);
    }
    const start = destination * ENDPOINT_WORDS;
    if (destination < 0 || start >= this.endpoints.words.length)
      throw new Error(`row ${destination} is none`);
    return {
      socket,
      offset,
      bytes: Buffer.from(this.#buffer.subarray(offset, offset + length)),
      destination,
      row: this.endpoints.words.slice(start, start + ADDRESS_WORDS),
    };
  }

  #transmitQueue(): void {
    const queue = this.#queue;
    if (queue.length === 0) return;
    this.#queue = [];
    for (const queued of queue) this.#transmit(queued);
    for (const { socket } of queue) this.#open(socket).queued = 0;
  }

  #transmit({ socket, offset, bytes, destination, row }: QueuedSend): void {
    const start = destination * ENDPOINT_WORDS;
    for (let i = 0; i < ADDRESS_WORDS; i++) {
      if (this.endpoints.words[start + i] !== row[i]) {
        throw new Error(`the destination of a queued packet became ${this.endpoints.text(destination)}`);
      }
    }
    if (bytes.compare(this.#buffer, offset, offset + bytes.length) !== 0) {
      throw new Error('the bytes of a queued packet changed before it was sent');
    }
    this.onSent(socket, bytes, destination);
  }

  #expectGuard(at: number): void {
    for (let i = at; i < at + GUARD_BYTES; i++) {
      if (this.bytes[i] !== GUARD)
        throw new Error(`byte ${i} of the slab, which nobody was lent, was written`);
    }
  }
}

/** Where the reserved slot ends that the offset lies in. */
function reservedSlotEnd(offset: number): number {
  const slot = Math.floor((offset - RESERVED_OFFSET) / RESERVED_STRIDE);
  return RESERVED_OFFSET + (slot + 1) * RESERVED_STRIDE - GUARD_BYTES;
}
