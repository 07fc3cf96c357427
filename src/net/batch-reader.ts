/**
 * The receiving half of the batch engine: takes a bounded number of packets from a ready socket into
 * free slots and hands them to the socket's core where they lie.
 *
 * The source of the packet in slot i is row i of the endpoint book. Packets stay in their slots until
 * what the cores queued has been sent, so when slots run out within a batch, the queue is flushed.
 */
import { count } from '../wire/counters.ts';
import { type DatagramReceiver, HEADROOM_BYTES, TAILROOM_BYTES } from '../wire/datagram-io.ts';
import type { SendQueue } from './batch-send-queue.ts';
import { PIECES_BYTES, PIECES_OFFSET, packetOffset, RECEIVE_SLOTS } from './batch-slab.ts';
import { type BatchSockets, LISTENER } from './batch-sockets.ts';
import { ENGINE } from './engine.ts';
import type { ReceiveRing } from './linux/receive-ring.ts';

/** A listener's packets per call, and calls per batch. */
const LISTENER_PACKETS = 64;
const LISTENER_CALLS = 4;
/** A relay's packets per batch, once it has shown that it has several. */
const RELAY_PACKETS = 16;
/** Batches for which a relay that had but one packet is asked for one alone. */
const RELAY_MODESTY = 32;
/** Pieces of one aggregate: the kernel makes no more (UDP_MAX_SEGMENTS). */
const PIECES_MAX = 128;

/** What the reader needs of the ring and of the send queue (a test gives its own). */
export type PacketRing = Pick<ReceiveRing, 'receiveMany' | 'receiveOne' | 'length' | 'segmentBytes'>;
export type Flushable = Pick<SendQueue, 'flush'>;

export class BatchReader {
  readonly #ring: PacketRing;
  readonly #sockets: BatchSockets;
  readonly #queue: Flushable;
  readonly #slab: Uint8Array;
  readonly #counters: Float64Array;
  #nextSlot = 0;
  /** Bytes of the room for pieces that are in use. */
  #piecesUsed = 0;

  constructor(
    ring: PacketRing,
    sockets: BatchSockets,
    queue: Flushable,
    slab: Uint8Array,
    counters: Float64Array,
  ) {
    this.#ring = ring;
    this.#sockets = sockets;
    this.#queue = queue;
    this.#slab = slab;
    this.#counters = counters;
  }

  /** Frees all slots; nothing queued may lie in them any more. */
  reset(): void {
    this.#nextSlot = 0;
    this.#piecesUsed = 0;
  }

  /** Reads from a socket that is ready; returns how many packets or aggregates there were. */
  read(socket: number): number {
    return this.#sockets.role[socket] === LISTENER ? this.#readListener(socket) : this.#readRelay(socket);
  }

  #readListener(socket: number): number {
    const generation = this.#sockets.generation[socket];
    let packets = 0;
    for (let call = 0; call < LISTENER_CALLS; call++) {
      const received = this.#readMany(socket, LISTENER_PACKETS, true);
      packets += received;
      if (received < LISTENER_PACKETS || this.#sockets.generation[socket] !== generation) break;
    }
    return packets;
  }

  /** A relay that is ready usually has one packet; those that had more are asked for more. */
  #readRelay(socket: number): number {
    const { patience } = this.#sockets;
    const left = patience[socket] as number;
    if (left > 0) {
      patience[socket] = left - 1;
      return this.#readOne(socket);
    }
    const received = this.#readMany(socket, RELAY_PACKETS, false);
    if (received < 2) patience[socket] = RELAY_MODESTY;
    return received;
  }

  #readOne(socket: number): number {
    const slot = this.#takeSlots(1);
    const length = this.#ring.receiveOne(this.#sockets.fd[socket] as number, slot);
    if (length < -1) return 0;
    this.#nextSlot = slot + 1;
    this.#deliver(socket, slot, length, 0);
    return 1;
  }

  /** An error is not looked into: it is an ICMP error's echo, or none that reading again would cure. */
  #readMany(socket: number, wanted: number, aggregates: boolean): number {
    const generation = this.#sockets.generation[socket];
    const first = this.#takeSlots(wanted);
    const received = this.#ring.receiveMany(this.#sockets.fd[socket] as number, first, wanted, aggregates);
    if (received <= 0) return 0;
    this.#nextSlot = first + received;
    for (let slot = first; slot < first + received; slot++) {
      if (this.#sockets.generation[socket] !== generation) break; // closed by its core
      const segmentBytes = aggregates ? this.#ring.segmentBytes(slot) : 0;
      this.#deliver(socket, slot, this.#ring.length(slot), segmentBytes);
    }
    return received;
  }

  /** The first of `wanted` free slots; if there are not so many, all are freed by sending what is queued. */
  #takeSlots(wanted: number): number {
    if (this.#nextSlot + wanted > RECEIVE_SLOTS) {
      this.#queue.flush();
      this.reset();
    }
    return this.#nextSlot;
  }

  #deliver(socket: number, slot: number, length: number, segmentBytes: number): void {
    if (length < 0) {
      count(this.#counters, ENGINE.dropTruncated);
    } else if (segmentBytes > 0 && segmentBytes < length) {
      this.#deliverAggregate(socket, slot, length, segmentBytes);
    } else {
      count(this.#counters, ENGINE.packetsReceived);
      count(this.#counters, ENGINE.bytesReceived, length);
      const receiver = this.#sockets.receivers[socket] as DatagramReceiver;
      receiver.receive(this.#sockets.tag[socket] as number, socket, packetOffset(slot), length, slot);
    }
  }

  /**
   * Hands over an aggregate packet by packet. All but the first are copied to places with room around
   * them before the first is handed over, for its core may write into the room behind it.
   */
  #deliverAggregate(socket: number, slot: number, length: number, segmentBytes: number): void {
    let pieces = Math.ceil(length / segmentBytes);
    if (pieces > PIECES_MAX) {
      count(this.#counters, ENGINE.dropTruncated, pieces - PIECES_MAX);
      pieces = PIECES_MAX;
      length = pieces * segmentBytes;
    }
    const stride = HEADROOM_BYTES + segmentBytes + TAILROOM_BYTES;
    const offset = packetOffset(slot);
    const firstCopy = this.#takePieces((pieces - 1) * stride) + HEADROOM_BYTES;
    for (let piece = 1; piece < pieces; piece++) {
      const from = offset + piece * segmentBytes;
      const end = Math.min(from + segmentBytes, offset + length);
      this.#slab.copyWithin(firstCopy + (piece - 1) * stride, from, end);
    }
    const generation = this.#sockets.generation[socket];
    const receiver = this.#sockets.receivers[socket] as DatagramReceiver;
    const tag = this.#sockets.tag[socket] as number;
    for (let piece = 0; piece < pieces; piece++) {
      const at = piece === 0 ? offset : firstCopy + (piece - 1) * stride;
      const bytes = Math.min(segmentBytes, length - piece * segmentBytes);
      count(this.#counters, ENGINE.packetsReceived);
      count(this.#counters, ENGINE.bytesReceived, bytes);
      receiver.receive(tag, socket, at, bytes, slot);
      if (this.#sockets.generation[socket] !== generation) return;
    }
  }

  /** Offset of free room for pieces; {@link PIECES_BYTES} is several times what one aggregate needs. */
  #takePieces(bytes: number): number {
    if (this.#piecesUsed + bytes > PIECES_BYTES) {
      this.#queue.flush();
      this.#piecesUsed = 0;
    }
    const offset = PIECES_OFFSET + this.#piecesUsed;
    this.#piecesUsed += bytes;
    return offset;
  }
}
