/**
 * Stream clients (TCP, TLS) in front of an engine. To a core a connection is one more socket, with a
 * number from {@link STREAM_SOCKET_BASE} upward: each message of the stream arrives like a datagram,
 * and what is sent to the number leaves as one message. All else goes to the engine as it is.
 *
 * A core hears of a connection with its first message, and of its end only if it has heard of it.
 *
 * Streams run on the thread's event loop, so the engine must be driven in `cooperative` mode.
 */
import type { Server, Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import { isChannelData } from '../wire/channel-data.ts';
import { count } from '../wire/counters.ts';
import {
  type DatagramIo,
  type DatagramReceiver,
  HEADROOM_BYTES,
  TAILROOM_BYTES,
} from '../wire/datagram-io.ts';
import type { EndpointBook } from '../wire/endpoint.ts';
import { FRAME_MALFORMED, FRAME_READY } from '../wire/stream-framing.ts';
import { ENGINE, type Engine, STREAM_AREA_BYTES } from './engine.ts';
import { setNodeAddress } from './socket-address.ts';
import { StreamConnection, type StreamIdentity, type StreamService } from './stream-connection.ts';
import { addressKey, DEFAULT_STREAM_LIMITS, type StreamLimits } from './stream-limits.ts';
import {
  listenTcp,
  type StreamListener,
  secureContext,
  type TlsIdentity,
  tlsSocket,
} from './stream-listener.ts';

/** Socket numbers from here on are streams; no engine has so many sockets. */
export const STREAM_SOCKET_BASE: number = 2 ** 24;

/** Corked bytes go to the kernel early at this size, so that `unsentBytes` counts what the client left. */
const CORKED_BYTES_MAX = 32_768;
/** First probe of TCP keep-alive: a client whose host is gone is noticed although nothing is sent to it. */
const KEEP_ALIVE_MS = 60_000;
const SWEEP_INTERVAL_MS = 1000;

export interface StreamListenOptions {
  /** A literal IP address. */
  readonly address: string;
  /** 0: one of the kernel's choice. */
  readonly port: number;
  /** Hears the messages of all connections, under `tag`. */
  readonly receiver: DatagramReceiver;
  readonly tag: number;
  /** Absent: plain TCP. */
  readonly tls?: TlsIdentity;
}

/** What a listener's connections have in common, and are found by; `reload` changes the context. */
interface ListenerService extends StreamService {
  context: SecureContext | undefined;
}

export class StreamIo implements DatagramIo {
  readonly bytes: Uint8Array;
  readonly endpoints: EndpointBook;
  readonly canSetDontFragment: boolean;

  readonly #engine: Engine;
  readonly #counters: Float64Array;
  readonly #limits: Readonly<StreamLimits>;
  readonly #listeners = new Set<StreamListener>();
  readonly #connections: (StreamConnection | undefined)[] = [];
  readonly #freeNumbers: number[] = [];
  readonly #perAddress = new Map<string, number>();
  #open = 0;
  #handshakes = 0;
  #unfinishedBytes = 0;
  /** Bytes of the stream area that hold messages of the current batch. */
  #areaUsed = 0;
  #corked: StreamConnection[] = [];
  #sweepTimer: NodeJS.Timeout | undefined;

  /** `counters`: those of the engine. */
  constructor(
    engine: Engine,
    counters: Float64Array,
    limits: Readonly<StreamLimits> = DEFAULT_STREAM_LIMITS,
  ) {
    this.bytes = engine.bytes;
    this.endpoints = engine.endpoints;
    this.canSetDontFragment = engine.canSetDontFragment;
    this.#engine = engine;
    this.#counters = counters;
    this.#limits = limits;
  }

  /** Connections that stand, TLS handshakes under way included. */
  get connections(): number {
    return this.#open;
  }

  /** TLS handshakes under way. */
  get halfOpenHandshakes(): number {
    return this.#handshakes;
  }

  /** Opens a port for stream clients. Rejects with `StreamListenError`. */
  async listen(options: StreamListenOptions): Promise<StreamListener> {
    const { address, receiver, tag, tls } = options;
    const protocol = tls ? 'tls' : 'tcp';
    const service: ListenerService = { receiver, tag, context: tls && secureContext(tls) };
    const server = await listenTcp(protocol, address, options.port, (socket) =>
      this.#accept(socket, service),
    );
    const bound = server.address();
    const listener: StreamListener = {
      protocol,
      address,
      port: bound !== null && typeof bound === 'object' ? bound.port : options.port,
      reload: (identity) => {
        if (!service.context) throw new TypeError(`${protocol} listeners have no certificate to reload`);
        service.context = secureContext(identity);
      },
      close: () => {
        this.#listeners.delete(listener);
        return this.#closeListener(server, service);
      },
    };
    this.#listeners.add(listener);
    this.#sweepTimer ??= setInterval(() => this.sweep(this.#engine.now()), SWEEP_INTERVAL_MS).unref();
    return listener;
  }

  /** Closes all listeners and connections. To be called before the engine stops, whose memory they use. */
  async stop(): Promise<void> {
    clearInterval(this.#sweepTimer);
    this.#sweepTimer = undefined;
    await Promise.all([...this.#listeners].map((listener) => listener.close()));
  }

  /** Closes the connections whose time is over. Called once a second while there is a listener. */
  sweep(nowMs: number): void {
    for (const connection of this.#connections) {
      if (!connection) continue;
      if (connection.socket.writableLength < this.#limits.unsentBytes) connection.noteRoom();
      if (connection.isOverdue(this.#limits, nowMs)) this.#endFor(ENGINE.streamsTimedOut, connection);
    }
  }

  open(local: number, receiver: DatagramReceiver, tag: number): number {
    return this.#engine.open(local, receiver, tag);
  }

  /** Closes a socket. Of a stream that a core closes itself no `streamClosed` is told. */
  close(socket: number): void {
    if (socket < STREAM_SOCKET_BASE) {
      this.#engine.close(socket);
      return;
    }
    const connection = this.#connections[socket - STREAM_SOCKET_BASE];
    if (!connection) return;
    this.#uncork(connection); // what was sent before leaves first, as far as the kernel takes it
    this.#forget(connection);
  }

  detach(socket: number): number {
    if (this.isStream(socket)) throw new TypeError(`a stream cannot be detached: socket ${socket}`);
    return this.#engine.detach(socket);
  }

  attach(token: number, receiver: DatagramReceiver, tag: number): number {
    return this.#engine.attach(token, receiver, tag);
  }

  discard(token: number): void {
    this.#engine.discard(token);
  }

  reserve(): number {
    return this.#engine.reserve();
  }

  isStream(socket: number): boolean {
    return socket >= STREAM_SOCKET_BASE;
  }

  send(socket: number, offset: number, length: number, destination: number): void {
    if (socket < STREAM_SOCKET_BASE) this.#engine.send(socket, offset, length, destination);
    else this.#write(socket, offset, length);
  }

  sendDontFragment(socket: number, offset: number, length: number, destination: number): void {
    if (socket < STREAM_SOCKET_BASE) this.#engine.sendDontFragment(socket, offset, length, destination);
    else this.#write(socket, offset, length);
  }

  #accept(raw: Socket, service: ListenerService): void {
    // Resets and the like: 'close' follows every error, and says all there is to know.
    raw.on('error', () => {});
    const { remoteAddress, remotePort } = raw;
    if (remoteAddress === undefined || remotePort === undefined) {
      raw.destroy(); // reset before it was accepted
      return;
    }
    const identity = this.#admit(remoteAddress, remotePort, service);
    if (!identity) {
      count(this.#counters, ENGINE.streamsRefused);
      raw.destroy();
      return;
    }
    count(this.#counters, ENGINE.streamsAccepted);
    raw.setKeepAlive(true, KEEP_ALIVE_MS);
    const { context } = service;
    const socket = context ? tlsSocket(raw, context) : raw;
    const { messageBytes } = this.#limits;
    const nowMs = this.#engine.now();
    const connection = new StreamConnection(identity, service, socket, !context, messageBytes, nowMs);
    this.#connections[identity.number - STREAM_SOCKET_BASE] = connection;
    this.#open++;
    this.#perAddress.set(identity.addressKey, (this.#perAddress.get(identity.addressKey) ?? 0) + 1);
    if (context) {
      this.#handshakes++;
      socket.on('error', () => {});
      socket.once('secure', () => this.#noteSecured(connection));
    }
    socket.on('data', (chunk: Uint8Array) => this.#onChunk(connection, chunk));
    socket.on('end', () => connection.noteEnd(this.#engine.now()));
    socket.on('close', () => this.#onClose(connection));
  }

  /** Number and row of a new connection; undefined if a limit is reached. */
  #admit(address: string, port: number, service: ListenerService): StreamIdentity | undefined {
    const limits = this.#limits;
    if (this.#open >= limits.connections) return undefined;
    if (service.context && this.#handshakes >= limits.halfOpenHandshakes) return undefined;
    const row = this.endpoints.acquire();
    if (row < 0) return undefined;
    if (setNodeAddress(this.endpoints, row, address, port)) {
      const key = addressKey(this.endpoints.address(row));
      if ((this.#perAddress.get(key) ?? 0) < limits.connectionsPerAddress) {
        const number = this.#freeNumbers.pop() ?? STREAM_SOCKET_BASE + this.#connections.length;
        return { number, row, addressKey: key };
      }
    }
    this.endpoints.release(row);
    return undefined;
  }

  #noteSecured(connection: StreamConnection): void {
    if (!connection.isOpen) return;
    connection.secured = true;
    this.#handshakes--;
  }

  /** A chunk is one batch: its messages go to the core one by one, and what that sends leaves at the end. */
  #onChunk(connection: StreamConnection, chunk: Uint8Array): void {
    if (!connection.isOpen) return;
    const { framer } = connection;
    const nowMs = this.#engine.now();
    connection.noteActivity(nowMs);
    connection.service.receiver.batchBegins(nowMs);
    count(this.#counters, ENGINE.batches);
    framer.feed(chunk);
    let messages = 0;
    let outcome = framer.next();
    for (; outcome === FRAME_READY; outcome = framer.next()) {
      messages++;
      this.#deliver(connection);
      if (!connection.isOpen) break; // the core has closed it
    }
    this.#flush();
    if (!connection.isOpen) return;
    connection.noteProgress(messages, nowMs);
    this.#countUnfinished(connection, framer.unfinishedBytes);
    if (outcome === FRAME_MALFORMED) this.#endFor(ENGINE.streamsMalformed, connection);
    else if (this.#unfinishedBytes > this.#limits.unfinishedBytes) this.#evictLargest();
  }

  /** Hands the framer's message to the core, from a slot of its own in the slab. */
  #deliver(connection: StreamConnection): void {
    const { framer, identity, service } = connection;
    const { length } = framer;
    const slotBytes = HEADROOM_BYTES + length + TAILROOM_BYTES;
    if (this.#areaUsed + slotBytes > STREAM_AREA_BYTES) this.#flush();
    const offset = this.#engine.streamAreaOffset + this.#areaUsed + HEADROOM_BYTES;
    this.#areaUsed += slotBytes;
    this.bytes.set(framer.bytes.subarray(framer.offset, framer.offset + length), offset);
    count(this.#counters, ENGINE.packetsReceived);
    count(this.#counters, ENGINE.bytesReceived, length);
    connection.hasSpoken = true;
    service.receiver.receive(service.tag, identity.number, offset, length, identity.row);
  }

  /** Sends what the core has queued in the engine, after which the slots are free again. */
  #flush(): void {
    this.#engine.flush();
    this.#areaUsed = 0;
  }

  #write(number: number, offset: number, length: number): void {
    const connection = this.#connections[number - STREAM_SOCKET_BASE];
    if (!connection?.socket.writable) {
      count(this.#counters, ENGINE.dropSendFailed);
      return;
    }
    const { socket } = connection;
    if (socket.writableLength >= this.#limits.unsentBytes) {
      connection.noteFull(this.#engine.now());
      count(this.#counters, ENGINE.dropStreamFull);
      return;
    }
    const padded = isChannelData(this.bytes[offset] as number) ? (length + 3) & ~3 : length;
    const message = Buffer.allocUnsafe(padded);
    message.set(this.bytes.subarray(offset, offset + length));
    message.fill(0, length); // padding shows nothing of what memory held before
    this.#cork(connection);
    socket.write(message);
    connection.noteActivity(this.#engine.now());
    count(this.#counters, ENGINE.packetsSent);
    count(this.#counters, ENGINE.bytesSent, length);
    if (socket.writableLength > CORKED_BYTES_MAX) {
      socket.uncork();
      socket.cork();
    }
  }

  /** Holds writes back until all callbacks of this turn have run, so that they leave in one system call. */
  #cork(connection: StreamConnection): void {
    if (connection.corked) return;
    connection.corked = true;
    connection.socket.cork();
    if (this.#corked.push(connection) === 1) process.nextTick(() => this.#uncorkAll());
  }

  #uncorkAll(): void {
    const corked = this.#corked;
    this.#corked = [];
    for (const connection of corked) this.#uncork(connection);
  }

  #uncork(connection: StreamConnection): void {
    if (!connection.corked) return;
    connection.corked = false;
    connection.socket.uncork();
  }

  #countUnfinished(connection: StreamConnection, bytes: number): void {
    this.#unfinishedBytes += bytes - connection.unfinishedBytes;
    connection.unfinishedBytes = bytes;
  }

  /** Closes the connection with the most unfinished bytes, not the one that happened to come last. */
  #evictLargest(): void {
    let largest: StreamConnection | undefined;
    for (const connection of this.#connections) {
      if (connection && connection.unfinishedBytes > (largest?.unfinishedBytes ?? 0)) largest = connection;
    }
    if (largest) this.#endFor(ENGINE.streamsEvicted, largest);
  }

  #onClose(connection: StreamConnection): void {
    if (!connection.isOpen) return;
    if (connection.secured) this.#end(connection);
    else this.#endFor(ENGINE.streamsHandshakeFailed, connection);
  }

  #endFor(counter: number, connection: StreamConnection): void {
    count(this.#counters, counter);
    this.#end(connection);
  }

  /** Closes a connection and tells its core, if that ever heard of it. */
  #end(connection: StreamConnection): void {
    const { receiver } = connection.service;
    const { number, row } = connection.identity;
    if (connection.hasSpoken) {
      receiver.batchBegins(this.#engine.now());
      receiver.streamClosed(number, row);
      this.#engine.flush();
    }
    this.#forget(connection);
  }

  /** Destroys a connection and gives up its number and row. */
  #forget(connection: StreamConnection): void {
    if (!connection.isOpen) return;
    const { number, row, addressKey: key } = connection.identity;
    connection.isOpen = false;
    this.#connections[number - STREAM_SOCKET_BASE] = undefined;
    this.#freeNumbers.push(number);
    this.endpoints.release(row);
    this.#open--;
    if (!connection.secured) this.#handshakes--;
    this.#countUnfinished(connection, 0);
    const others = (this.#perAddress.get(key) ?? 1) - 1;
    if (others > 0) this.#perAddress.set(key, others);
    else this.#perAddress.delete(key);
    connection.socket.destroy();
  }

  #closeListener(server: Server, service: ListenerService): Promise<void> {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const connection of this.#connections) if (connection?.service === service) this.#end(connection);
    return closed;
  }
}
