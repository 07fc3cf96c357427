/**
 * The portable engine: Node's own `dgram`, on any platform. It costs two to three times as much a
 * packet as the batch engine, and is what that one falls back to.
 *
 * Every datagram is a batch of its own: `dgram` tells of them one by one, and sends at once.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { count } from '../wire/counters.ts';
import {
  type DatagramReceiver,
  HEADROOM_BYTES,
  OPEN_ADDRESS_UNAVAILABLE,
  OPEN_PORT_IN_USE,
  OPEN_RESOURCES_EXHAUSTED,
  RESERVED_SLOT_BYTES,
  TAILROOM_BYTES,
} from '../wire/datagram-io.ts';
import { ENDPOINT_WORDS, EndpointBook, INET6 } from '../wire/endpoint.ts';
import { monotonicMs } from './clock.ts';
import {
  type DriveMode,
  ENGINE,
  type Engine,
  type EngineOptions,
  EngineUnavailableError,
  type SocketBuffers,
  STREAM_AREA_BYTES,
} from './engine.ts';
import { nodeAddress, setNodeAddress } from './socket-address.ts';

/** Creates an engine over `node:dgram`. It drives its cores in `cooperative` mode only. */
export function createDgramEngine(options: EngineOptions): Engine {
  return new DgramEngine(options);
}

/**
 * Bytes that may wait in one socket for the kernel's buffer to drain; what comes then is dropped.
 * `dgram` has no other way to refuse a packet, and media that waited longer is worth nothing.
 */
const SEND_QUEUE_BYTES_MAX = 65_536;
/** Packets kept for a detached socket until somebody attaches it. */
const DETACHED_PACKETS_MAX = 16;
/** Source addresses whose bytes are remembered, so that an established flow is not parsed again. */
const KNOWN_SOURCES_MAX = 4096;
const SWEEP_INTERVAL_MS = 1000;

const DATAGRAM_BYTES_MAX = 65_536;
const RESERVED_SLOTS = 64;
const RECEIVE_OFFSET = HEADROOM_BYTES;
const RESERVED_OFFSET = RECEIVE_OFFSET + DATAGRAM_BYTES_MAX + TAILROOM_BYTES;
const STREAM_AREA_OFFSET = RESERVED_OFFSET + RESERVED_SLOTS * RESERVED_SLOT_BYTES;
const SLAB_BYTES = STREAM_AREA_OFFSET + STREAM_AREA_BYTES;

/** The scratch row: the source of the datagram that is being received. */
const SOURCE_ROW = 0;
const SCRATCH_ROWS = 1;

interface WaitingPacket {
  readonly payload: Uint8Array;
  readonly source: RemoteInfo;
}

/** A bound socket. `owner` is undefined while it is detached, and once it is closed. */
class DgramSocket {
  readonly socket: Socket;
  owner: DgramEngine | undefined;
  receiver: DatagramReceiver;
  tag: number;
  number = -1;
  readonly waiting: WaitingPacket[] = [];

  constructor(socket: Socket, receiver: DatagramReceiver, tag: number) {
    this.socket = socket;
    this.receiver = receiver;
    this.tag = tag;
  }
}

/** Detached sockets by token. One thread's engines can hand sockets to one another; `dgram` knows no other way. */
const detachedSockets = new Map<number, DgramSocket>();
let nextToken = 1;

class DgramEngine implements Engine {
  readonly kind = 'dgram';
  readonly driveModes: readonly DriveMode[] = ['cooperative'];
  readonly wakeDescriptor = -1;
  readonly streamAreaOffset = STREAM_AREA_OFFSET;
  readonly canSetDontFragment = false;
  readonly bytes: Uint8Array = new Uint8Array(SLAB_BYTES);
  readonly endpoints: EndpointBook;

  readonly #options: EngineOptions;
  readonly #counters: Float64Array;
  readonly #sockets: (DgramSocket | undefined)[] = [];
  readonly #freeNumbers: number[] = [];
  readonly #knownSources = new Map<string, Int32Array>();
  readonly #destinations: DestinationTexts;
  readonly #onSent: (error: Error | null, bytes: number) => void;
  #reserved = 0;
  #sweepTimer: NodeJS.Timeout | undefined;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#counters = options.counters;
    this.endpoints = new EndpointBook(SCRATCH_ROWS + options.endpoints, SCRATCH_ROWS);
    this.#destinations = new DestinationTexts(this.endpoints);
    this.#onSent = (error, bytes) => this.#countSent(error, bytes);
  }

  open(local: number, receiver: DatagramReceiver, tag: number): number {
    return this.#open(local, receiver, tag, this.#options.relayBufferBytes);
  }

  openListener(local: number, receiver: DatagramReceiver, tag: number): number {
    return this.#open(local, receiver, tag, this.#options.listenerBufferBytes);
  }

  #open(local: number, receiver: DatagramReceiver, tag: number, bufferBytes: number): number {
    const isIPv6 = this.endpoints.family(local) === INET6;
    const socket = createSocket({ type: isIPv6 ? 'udp6' : 'udp4', ipv6Only: isIPv6, lookup: keepAddress });
    let failure: Error | undefined;
    // Before bind returns, an error is bind's own; later ones (of receiving) concern nobody, but an
    // 'error' event without a listener would end the process.
    socket.on('error', (error) => {
      failure = error;
    });
    socket.bind({
      address: nodeAddress(this.endpoints, local),
      port: this.endpoints.port(local),
      exclusive: true,
    });
    if (failure) {
      socket.close();
      return openReason(failure);
    }
    setBuffers(socket, bufferBytes);
    const entry = new DgramSocket(socket, receiver, tag);
    socket.on('message', (payload, source) => onMessage(entry, payload, source));
    return this.#adopt(entry);
  }

  close(socket: number): void {
    this.#disown(socket)?.socket.close();
  }

  detach(socket: number): number {
    const entry = this.#disown(socket);
    if (!entry) return -1;
    const token = nextToken++;
    detachedSockets.set(token, entry);
    return token;
  }

  attach(token: number, receiver: DatagramReceiver, tag: number): number {
    const entry = detachedSockets.get(token);
    if (!entry) return OPEN_RESOURCES_EXHAUSTED;
    detachedSockets.delete(token);
    entry.receiver = receiver;
    entry.tag = tag;
    const socket = this.#adopt(entry);
    // Not before the caller knows the socket's number.
    if (entry.waiting.length > 0) setImmediate(() => this.#deliverWaiting(entry));
    return socket;
  }

  discard(token: number): void {
    detachedSockets.get(token)?.socket.close();
    detachedSockets.delete(token);
  }

  reserve(): number {
    this.#reserved = (this.#reserved + 1) % RESERVED_SLOTS;
    return RESERVED_OFFSET + this.#reserved * RESERVED_SLOT_BYTES;
  }

  send(socket: number, offset: number, length: number, destination: number): void {
    const entry = this.#sockets[socket];
    const port = this.endpoints.port(destination);
    // dgram throws where the kernel would only refuse: port 0.
    if (!entry || port === 0) {
      count(this.#counters, ENGINE.dropSendFailed);
      return;
    }
    if (entry.socket.getSendQueueSize() > SEND_QUEUE_BYTES_MAX) {
      count(this.#counters, ENGINE.dropSocketFull);
      return;
    }
    // A copy: the packet may wait in the socket when its place in the slab is long used again.
    const packet = Buffer.allocUnsafe(length);
    packet.set(this.bytes.subarray(offset, offset + length));
    entry.socket.send(packet, port, this.#destinations.of(destination), this.#onSent);
  }

  /** Never called by cores, which see {@link canSetDontFragment}; better without DF than not at all. */
  sendDontFragment(socket: number, offset: number, length: number, destination: number): void {
    this.send(socket, offset, length, destination);
  }

  isStream(): boolean {
    return false;
  }

  mediaCrypto(): string {
    return 'the dgram engine has no memory that native code can work on';
  }

  localEndpoint(socket: number, row: number): void {
    const entry = this.#sockets[socket];
    if (!entry) return;
    const { address, port } = entry.socket.address();
    setNodeAddress(this.endpoints, row, address, port);
  }

  socketBuffers(socket: number): SocketBuffers {
    const entry = this.#sockets[socket];
    return {
      receiveBytes: entry ? entry.socket.getRecvBufferSize() : 0,
      sendBytes: entry ? entry.socket.getSendBufferSize() : 0,
    };
  }

  /** Nothing is ever queued here: {@link send} sends. */
  flush(): void {
    this.endpoints.recycle();
  }

  now(): number {
    return monotonicMs();
  }

  run(mode: DriveMode, receivers: readonly DatagramReceiver[]): void {
    if (mode !== 'cooperative')
      throw new EngineUnavailableError(`the dgram engine cannot run in ${mode} mode`);
    clearInterval(this.#sweepTimer);
    this.#sweepTimer = setInterval(() => {
      const nowMs = this.now();
      for (const receiver of receivers) receiver.sweep(nowMs);
    }, SWEEP_INTERVAL_MS);
    this.#sweepTimer.unref(); // open sockets keep the process alive, expiry alone does not
  }

  stop(): void {
    clearInterval(this.#sweepTimer);
    for (let socket = 0; socket < this.#sockets.length; socket++) this.close(socket);
  }

  /** Hands a datagram to the core. */
  deliver(entry: DgramSocket, payload: Uint8Array, source: RemoteInfo): void {
    if (payload.length > DATAGRAM_BYTES_MAX) {
      count(this.#counters, ENGINE.dropTruncated);
      return;
    }
    if (!this.#writeSource(source)) return;
    this.bytes.set(payload, RECEIVE_OFFSET);
    count(this.#counters, ENGINE.packetsReceived);
    count(this.#counters, ENGINE.bytesReceived, payload.length);
    count(this.#counters, ENGINE.batches);
    entry.receiver.batchBegins(this.now());
    entry.receiver.receive(entry.tag, entry.number, RECEIVE_OFFSET, payload.length, SOURCE_ROW);
    this.flush();
  }

  #deliverWaiting(entry: DgramSocket): void {
    while (entry.owner === this) {
      const packet = entry.waiting.shift();
      if (!packet) return;
      this.deliver(entry, packet.payload, packet.source);
    }
  }

  #writeSource(source: RemoteInfo): boolean {
    const known = this.#knownSources.get(source.address);
    if (known) {
      this.endpoints.words.set(known, SOURCE_ROW * ENDPOINT_WORDS);
      this.endpoints.setPort(SOURCE_ROW, source.port);
      return true;
    }
    if (!setNodeAddress(this.endpoints, SOURCE_ROW, source.address, source.port)) return false;
    if (this.#knownSources.size >= KNOWN_SOURCES_MAX) this.#knownSources.clear();
    const start = SOURCE_ROW * ENDPOINT_WORDS;
    this.#knownSources.set(source.address, this.endpoints.words.slice(start, start + ENDPOINT_WORDS));
    return true;
  }

  #adopt(entry: DgramSocket): number {
    const number = this.#freeNumbers.pop() ?? this.#sockets.length;
    this.#sockets[number] = entry;
    entry.owner = this;
    entry.number = number;
    return number;
  }

  #disown(socket: number): DgramSocket | undefined {
    const entry = this.#sockets[socket];
    if (!entry) return undefined;
    this.#sockets[socket] = undefined;
    this.#freeNumbers.push(socket);
    entry.owner = undefined;
    return entry;
  }

  #countSent(error: Error | null, bytes: number): void {
    if (!error) {
      count(this.#counters, ENGINE.packetsSent);
      count(this.#counters, ENGINE.bytesSent, bytes);
      return;
    }
    const code = errorCode(error);
    if (code === 'EMSGSIZE') count(this.#counters, ENGINE.dropTooBig);
    else if (code === 'EAGAIN' || code === 'ENOBUFS') count(this.#counters, ENGINE.dropSocketFull);
    else count(this.#counters, ENGINE.dropSendFailed);
  }
}

/**
 * The text of each row's address, made once and kept for as long as the row's contents stay: `dgram`
 * takes text, and a flow's destination changes only when its row is written anew.
 */
class DestinationTexts {
  readonly #book: EndpointBook;
  readonly #texts: (string | undefined)[];
  /** The words that each text was made of. */
  readonly #words: Int32Array;

  constructor(book: EndpointBook) {
    this.#book = book;
    this.#texts = new Array(book.capacity);
    this.#words = new Int32Array(book.capacity * ENDPOINT_WORDS);
  }

  of(row: number): string {
    const known = this.#texts[row];
    if (known !== undefined && this.#isUnchanged(row)) return known;
    const text = nodeAddress(this.#book, row);
    this.#texts[row] = text;
    const start = row * ENDPOINT_WORDS;
    this.#words.set(this.#book.words.subarray(start, start + ENDPOINT_WORDS), start);
    return text;
  }

  /** The last word is spare and no part of the address. */
  #isUnchanged(row: number): boolean {
    const { words } = this.#book;
    const start = row * ENDPOINT_WORDS;
    for (let i = start; i < start + ENDPOINT_WORDS - 1; i++) if (words[i] !== this.#words[i]) return false;
    return true;
  }
}

function onMessage(entry: DgramSocket, payload: Uint8Array, source: RemoteInfo): void {
  const { owner } = entry;
  // What waited since the socket was detached goes first.
  if (owner && entry.waiting.length === 0) owner.deliver(entry, payload, source);
  else if (entry.waiting.length < DETACHED_PACKETS_MAX) entry.waiting.push({ payload, source });
}

/**
 * In place of a DNS lookup, because every address here is a literal one. As it answers at once, so do
 * `bind` and `send`: the result of bind is known when it returns, and a packet is in the kernel.
 */
function keepAddress(
  address: string,
  _options: unknown,
  callback: (error: NodeJS.ErrnoException | null, address: string, family: number) => void,
): void {
  callback(null, address, 0);
}

/** Wishes: a platform that refuses a size keeps its own, and `socketBuffers` tells which. */
function setBuffers(socket: Socket, bytes: number): void {
  try {
    socket.setRecvBufferSize(bytes);
    socket.setSendBufferSize(bytes);
  } catch {}
}

function openReason(error: Error): number {
  const code = errorCode(error);
  if (code === 'EADDRINUSE') return OPEN_PORT_IN_USE;
  const resources = ['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM'];
  return resources.includes(code) ? OPEN_RESOURCES_EXHAUSTED : OPEN_ADDRESS_UNAVAILABLE;
}

function errorCode(error: Error): string {
  return 'code' in error ? String(error.code) : '';
}
