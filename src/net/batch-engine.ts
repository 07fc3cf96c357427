/**
 * The `batch` engine: UDP on Linux through system calls of its own (`linux/`), many packets a call.
 *
 * A batch: epoll tells which sockets have something; each gives a bounded number of packets into the
 * slots of the slab (`batch-reader`); each packet is handed to its core where it lies; what the cores
 * queued goes out at the end (`batch-send-queue`); then, if it pays, there is a short pause (`batch-pacer`).
 */
import { count } from '../wire/counters.ts';
import {
  type DatagramReceiver,
  OPEN_ADDRESS_UNAVAILABLE,
  OPEN_RESOURCES_EXHAUSTED,
  RESERVED_SLOT_BYTES,
} from '../wire/datagram-io.ts';
import { ENDPOINT_BYTES, ENDPOINT_WORDS, EndpointBook, INET, INET6 } from '../wire/endpoint.ts';
import type { MediaCrypto } from '../wire/media-crypto.ts';
import { Pacer } from './batch-pacer.ts';
import { BatchReader } from './batch-reader.ts';
import { QUEUED_PACKETS_MAX, SendQueue } from './batch-send-queue.ts';
import {
  PACKET_BYTES_MAX,
  packetOffset,
  RECEIVE_SLOTS,
  RESERVED_OFFSET,
  RESERVED_SLOTS,
  SLAB_BYTES,
  SLOT_STRIDE,
  STREAM_AREA_OFFSET,
} from './batch-slab.ts';
import { BatchSockets, LISTENER, RELAY } from './batch-sockets.ts';
import {
  type DriveMode,
  ENGINE,
  type Engine,
  type EngineOptions,
  EngineUnavailableError,
  type SocketBuffers,
} from './engine.ts';
import { DATAGRAM_SOCKETS_MEMORY_BYTES, DatagramSockets } from './linux/datagram-sockets.ts';
import {
  ERROR_QUEUE_EMPTY,
  ERROR_QUEUE_ICMP,
  ERROR_QUEUE_MEMORY_BYTES,
  ErrorQueue,
} from './linux/error-queue.ts';
import { loadNative, type Native, type Watch } from './linux/libc.ts';
import { MACHINE_MEMORY_BYTES, Machine } from './linux/machine.ts';
import { Memory } from './linux/memory.ts';
import { createOpenSslCrypto, OPENSSL_MEMORY_BYTES } from './linux/openssl.ts';
import { POLLER_MEMORY_BYTES, Poller, WAKE_MARK } from './linux/poller.ts';
import { ReceiveRing, receiveRingMemoryBytes } from './linux/receive-ring.ts';
import { SendRing, sendRingMemoryBytes } from './linux/send-ring.ts';

const SWEEP_MS = 1000;
/** Errors taken from a relay's queue per batch. */
const ICMP_ERRORS_PER_BATCH = 8;
/** Batches in a row before a cooperative engine lets its thread's event loop have a turn. */
const COOPERATIVE_BATCHES = 8;

/** A scratch row for the source of each slot, and one for the destination an ICMP error is about. */
const SCRATCH_ROWS: number = RECEIVE_SLOTS + 1;
const ERROR_ROW = RECEIVE_SLOTS;

const STRUCTURES_BYTES: number =
  receiveRingMemoryBytes(RECEIVE_SLOTS) +
  sendRingMemoryBytes(QUEUED_PACKETS_MAX, QUEUED_PACKETS_MAX) +
  POLLER_MEMORY_BYTES +
  ERROR_QUEUE_MEMORY_BYTES +
  DATAGRAM_SOCKETS_MEMORY_BYTES +
  MACHINE_MEMORY_BYTES +
  OPENSSL_MEMORY_BYTES;

/** What the batch engine tells beyond {@link Engine}. */
export interface BatchEngine extends Engine {
  readonly kind: 'batch';
  /** The errno with which the kernel refused UDP_SEGMENT, so that every packet is sent singly; 0: it did not. */
  readonly segmentationRefusal: number;
  /** The process's limit on open descriptors, after the engine raised it as far as it may. */
  readonly descriptorLimit: number;
}

/**
 * Makes a batch engine for the calling thread.
 * @throws EngineUnavailableError where it cannot work: no Linux, no koffi, no memory.
 */
export function createBatchEngine(options: EngineOptions): BatchEngine {
  return new LinuxEngine(options);
}

class LinuxEngine implements BatchEngine {
  readonly kind = 'batch';
  readonly driveModes: readonly DriveMode[] = ['blocking', 'cooperative'];
  readonly canSetDontFragment = true;
  readonly streamAreaOffset: number = STREAM_AREA_OFFSET;
  readonly bytes: Uint8Array;
  readonly endpoints: EndpointBook;
  readonly descriptorLimit: number;

  readonly #options: EngineOptions;
  readonly #native: Native;
  readonly #counters: Float64Array;
  readonly #memory: Memory;
  readonly #slabOffset: number;
  readonly #datagrams: DatagramSockets;
  readonly #errors: ErrorQueue;
  readonly #machine: Machine;
  readonly #poller: Poller;
  readonly #reader: BatchReader;
  readonly #queue: SendQueue;
  readonly #pacer: Pacer;
  readonly #sockets = new BatchSockets();

  #receivers: readonly DatagramReceiver[] = [];
  #onWake: () => void = () => {};
  #watch: Watch | undefined;
  #sweepTimer: NodeJS.Timeout | undefined;
  #pendingTurn: NodeJS.Immediate | undefined;
  #nextReserved = 0;
  #sweepDueMs = 0;
  #isInBatch = false;
  #isStopping = false;
  #isReleased = false;

  constructor(options: EngineOptions) {
    const native = loadNative();
    const rows = SCRATCH_ROWS + options.endpoints;
    const bookBytes = rows * ENDPOINT_BYTES;
    this.#options = options;
    this.#native = native;
    this.#counters = options.counters;
    this.#pacer = new Pacer(options.pauseMicrosecondsMax);
    const memory = new Memory(native, bookBytes + SLAB_BYTES + STRUCTURES_BYTES);
    this.#memory = memory;
    memory.carve(bookBytes); // the first, so at offset 0: row i lies at i * ENDPOINT_BYTES
    this.#slabOffset = memory.carve(SLAB_BYTES);
    this.bytes = new Uint8Array(memory.buffer, this.#slabOffset, SLAB_BYTES);
    this.endpoints = new EndpointBook(rows, SCRATCH_ROWS, memory.buffer);
    this.#queue = new SendQueue(
      new SendRing(native, memory, QUEUED_PACKETS_MAX, QUEUED_PACKETS_MAX),
      this.#sockets,
      this.endpoints,
      options.counters,
      this.#slabOffset,
    );
    const receiveRing = new ReceiveRing(native, memory, {
      slots: RECEIVE_SLOTS,
      packets: this.#slabOffset + packetOffset(0),
      packetStride: SLOT_STRIDE,
      packetBytesMax: PACKET_BYTES_MAX,
      sources: 0,
      sourceStride: ENDPOINT_BYTES,
    });
    this.#reader = new BatchReader(receiveRing, this.#sockets, this.#queue, this.bytes, options.counters);
    this.#errors = new ErrorQueue(native, memory, ERROR_ROW * ENDPOINT_BYTES);
    this.#datagrams = new DatagramSockets(native, memory);
    this.#machine = new Machine(native, memory);
    this.#poller = new Poller(native, memory);
    this.descriptorLimit = this.#machine.raiseDescriptorLimit();
    this.#sweepDueMs = this.now() + SWEEP_MS;
  }

  get wakeDescriptor(): number {
    return this.#poller.wakeDescriptor;
  }

  get segmentationRefusal(): number {
    return this.#queue.mergeRefusal;
  }

  mediaCrypto(): MediaCrypto | string {
    try {
      return createOpenSslCrypto(this.#native, this.#memory, this.#slabOffset, SLAB_BYTES);
    } catch (error) {
      if (error instanceof EngineUnavailableError) return error.message;
      throw error;
    }
  }

  now(): number {
    return Math.floor(this.#machine.nowMicroseconds() / 1000);
  }

  isStream(_socket: number): boolean {
    return false;
  }

  openListener(local: number, receiver: DatagramReceiver, tag: number): number {
    return this.#open(local, LISTENER, receiver, tag);
  }

  open(local: number, receiver: DatagramReceiver, tag: number): number {
    return this.#open(local, RELAY, receiver, tag);
  }

  close(socket: number): void {
    const fd = this.#remove(socket);
    if (fd >= 0) this.#datagrams.close(fd);
  }

  detach(socket: number): number {
    const fd = this.#remove(socket);
    if (fd >= 0) this.#poller.remove(fd);
    return fd;
  }

  attach(token: number, receiver: DatagramReceiver, tag: number): number {
    if (this.#isReleased || !this.#datagrams.localAddress(token, ERROR_ROW * ENDPOINT_BYTES)) {
      return OPEN_ADDRESS_UNAVAILABLE;
    }
    return this.#adopt(token, this.endpoints.family(ERROR_ROW), RELAY, receiver, tag);
  }

  discard(token: number): void {
    this.#datagrams.close(token);
  }

  localEndpoint(socket: number, row: number): void {
    const first = row * ENDPOINT_WORDS;
    this.endpoints.words.fill(0, first, first + ENDPOINT_WORDS - 1);
    this.#datagrams.localAddress(this.#descriptor(socket), row * ENDPOINT_BYTES);
  }

  socketBuffers(socket: number): SocketBuffers {
    const fd = this.#descriptor(socket);
    return {
      receiveBytes: this.#datagrams.receiveBufferBytes(fd),
      sendBytes: this.#datagrams.sendBufferBytes(fd),
    };
  }

  reserve(): number {
    if (this.#nextReserved === RESERVED_SLOTS) {
      this.flush();
      this.#nextReserved = 0;
    }
    return RESERVED_OFFSET + this.#nextReserved++ * RESERVED_SLOT_BYTES;
  }

  send(socket: number, offset: number, length: number, destination: number): void {
    if (this.#isSendable(socket, offset, length, destination)) {
      this.#queue.push(socket, offset, length, destination);
    } else {
      count(this.#counters, ENGINE.dropSendFailed);
    }
  }

  sendDontFragment(socket: number, offset: number, length: number, destination: number): void {
    if (!this.#isSendable(socket, offset, length, destination)) {
      count(this.#counters, ENGINE.dropSendFailed);
      return;
    }
    const fd = this.#descriptor(socket);
    const family = this.#sockets.family[socket] as number;
    this.flush(); // what was queued goes without DF
    this.#sockets.tooBigPort[socket] = this.endpoints.port(destination);
    this.#datagrams.setDontFragment(fd, family, true);
    this.#queue.sendNow(socket, offset, length, destination);
    this.#datagrams.setDontFragment(fd, family, false);
  }

  flush(): void {
    this.#queue.flush();
    this.endpoints.recycle();
  }

  run(mode: DriveMode, receivers: readonly DatagramReceiver[], onWake: () => void): void {
    this.#receivers = receivers;
    this.#onWake = onWake;
    this.#machine.sharpenTimers();
    if (mode === 'cooperative') {
      this.#runCooperative();
      return;
    }
    try {
      while (!this.#isStopping) {
        const waitMs = Math.max(0, Math.min(SWEEP_MS, this.#sweepDueMs - this.now()));
        const pauseMicroseconds = this.#batch(waitMs);
        if (pauseMicroseconds > 0) this.#machine.pause(pauseMicroseconds);
      }
    } finally {
      this.#release();
    }
  }

  stop(): void {
    this.#isStopping = true;
    if (!this.#isInBatch) this.#release();
  }

  #descriptor(socket: number): number {
    return this.#sockets.isOpen(socket) ? (this.#sockets.fd[socket] as number) : -1;
  }

  /** Whether the core gave numbers that mean something; it is its fault if not, but never the kernel's problem. */
  #isSendable(socket: number, offset: number, length: number, destination: number): boolean {
    return (
      this.#sockets.isOpen(socket) &&
      offset >= 0 &&
      length >= 0 &&
      offset + length <= SLAB_BYTES &&
      destination >= 0 &&
      destination < this.endpoints.capacity
    );
  }

  #open(local: number, role: number, receiver: DatagramReceiver, tag: number): number {
    if (this.#isReleased) return OPEN_RESOURCES_EXHAUSTED;
    const family = this.endpoints.family(local);
    if (family !== INET && family !== INET6) return OPEN_ADDRESS_UNAVAILABLE;
    const isListener = role === LISTENER;
    const { listenerBufferBytes, relayBufferBytes } = this.#options;
    const fd = this.#datagrams.open(local * ENDPOINT_BYTES, family, {
      role: isListener ? 'listener' : 'relay',
      aggregates: isListener,
      bufferBytes: isListener ? listenerBufferBytes : relayBufferBytes,
    });
    if (fd < 0) return fd;
    const socket = this.#adopt(fd, family, role, receiver, tag);
    if (socket < 0) this.#datagrams.close(fd);
    return socket;
  }

  #adopt(fd: number, family: number, role: number, receiver: DatagramReceiver, tag: number): number {
    const socket = this.#sockets.add(fd, family, role, receiver, tag);
    if (this.#poller.add(fd, socket, this.#sockets.generation[socket] as number)) return socket;
    this.#sockets.remove(socket);
    return OPEN_RESOURCES_EXHAUSTED;
  }

  /** Takes a socket out of use, after what it has queued; returns its descriptor or -1. */
  #remove(socket: number): number {
    if (!this.#sockets.isOpen(socket)) return -1;
    if ((this.#sockets.sendHead[socket] as number) >= 0) this.flush();
    return this.#sockets.remove(socket);
  }

  /** Waits, and deals with what there is; returns how long to pause, in microseconds. */
  #batch(waitMs: number): number {
    const events = this.#poller.wait(waitMs);
    const nowMs = this.now();
    let packets = 0;
    this.#isInBatch = true;
    try {
      if (events > 0) {
        count(this.#counters, ENGINE.batches);
        for (const receiver of this.#receivers) receiver.batchBegins(nowMs);
        for (let event = 0; event < events; event++) packets += this.#event(event);
      }
      if (nowMs >= this.#sweepDueMs) this.#sweep(nowMs);
      this.flush();
    } finally {
      this.#isInBatch = false;
    }
    // Whoever was answered may be waiting to ask the next thing: only a stream of packets is worth a pause.
    const answered = this.#nextReserved > 0;
    this.#reader.reset();
    this.#nextReserved = 0;
    if (packets === 0) return 0;
    const pauseMicroseconds = this.#pacer.batchEnded(this.#machine.nowMicroseconds(), packets);
    return answered ? 0 : pauseMicroseconds;
  }

  #sweep(nowMs: number): void {
    this.#sweepDueMs = nowMs + SWEEP_MS;
    for (const receiver of this.#receivers) receiver.sweep(nowMs);
  }

  /** Returns how many packets were received. */
  #event(event: number): number {
    const poller = this.#poller;
    const socket = poller.mark(event);
    if (socket === WAKE_MARK) {
      poller.clearWake();
      this.#onWake();
      return 0;
    }
    const generation = poller.generation(event);
    if (this.#sockets.generation[socket] !== generation) return 0; // closed earlier in this batch
    if (poller.failed(event)) this.#takeErrors(socket, generation);
    if (!poller.readable(event) || this.#sockets.generation[socket] !== generation) return 0;
    return this.#reader.read(socket);
  }

  #takeErrors(socket: number, generation: number): void {
    const fd = this.#sockets.fd[socket] as number;
    for (let taken = 0; taken < ICMP_ERRORS_PER_BATCH; taken++) {
      const outcome = this.#errors.next(fd);
      if (outcome === ERROR_QUEUE_EMPTY) {
        if (taken === 0) this.#datagrams.takeError(fd); // no message with it: left alone, epoll would repeat it
        return;
      }
      if (outcome !== ERROR_QUEUE_ICMP) continue;
      count(this.#counters, ENGINE.icmpErrors);
      if (this.endpoints.port(ERROR_ROW) === 0) {
        this.endpoints.setPort(ERROR_ROW, this.#sockets.tooBigPort[socket] as number);
      }
      const { type, code, info } = this.#errors;
      const receiver = this.#sockets.receivers[socket] as DatagramReceiver;
      receiver.receiveIcmpError(this.#sockets.tag[socket] as number, type, code, info, ERROR_ROW);
      if (this.#sockets.generation[socket] !== generation) return;
    }
  }

  #runCooperative(): void {
    // The watch is called outside of the event loop's own bookkeeping; what that does after a callback
    // (ticks, promises, uncaught errors) it does after an immediate.
    this.#watch = this.#poller.watch(() => {
      this.#pendingTurn ??= setImmediate(() => this.#turn());
    });
    this.#sweepTimer = setInterval(() => this.#turn(), SWEEP_MS / 4);
  }

  /** A cooperative engine's turn: some batches, while there is something to do. */
  #turn(): void {
    this.#pendingTurn = undefined;
    for (let i = 0; i < COOPERATIVE_BATCHES && !this.#isStopping; i++) {
      const pauseMicroseconds = this.#batch(0);
      if (pauseMicroseconds === 0) break;
      this.#machine.pause(pauseMicroseconds);
    }
    if (this.#isStopping) this.#release();
  }

  #release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.flush();
    this.#watch?.close();
    clearInterval(this.#sweepTimer);
    clearImmediate(this.#pendingTurn);
    for (const socket of this.#sockets.open()) this.close(socket);
    this.#poller.close();
    this.#memory.discard(this.#slabOffset, SLAB_BYTES);
  }
}
