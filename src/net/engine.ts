/**
 * `net` is the only code that touches sockets. It knows no protocol beyond the framing of streams:
 * it receives, hands packets to the cores through `wire/datagram-io`, and sends what they queue.
 *
 * An engine owns one slab, one endpoint book and its sockets, and belongs to one thread.
 */
import { indexed } from '../wire/counters.ts';
import type { DatagramIo, DatagramReceiver } from '../wire/datagram-io.ts';
import type { MediaCrypto } from '../wire/media-crypto.ts';

export const ENGINE_COUNTER_NAMES = [
  'packetsReceived',
  'bytesReceived',
  'packetsSent',
  'bytesSent',
  'batches',
  /** Send refused with EAGAIN or ENOBUFS: the socket's buffer is full. */
  'dropSocketFull',
  /** Send refused for the packet's size (EMSGSIZE), with or without DF. */
  'dropTooBig',
  /** Send refused for any other reason (no route, permission, …). */
  'dropSendFailed',
  /** A received datagram did not fit its slot. */
  'dropTruncated',
  /** Bytes a stream client has not read for too long: the message is dropped. */
  'dropStreamFull',
  'icmpErrors',
  'streamsAccepted',
  /** Streams refused because a limit on connections was reached. */
  'streamsRefused',
  /** Streams closed for bytes that are no STUN or ChannelData, or for an oversized message. */
  'streamsMalformed',
  /** Streams closed because a handshake or an unfinished message took too long, or nothing came or was read. */
  'streamsTimedOut',
  /** TLS handshakes that failed, or whose client left before the end. */
  'streamsHandshakeFailed',
  /** Streams closed because unfinished messages took too much memory, and this one the most. */
  'streamsEvicted',
] as const;

export const ENGINE: Readonly<Record<(typeof ENGINE_COUNTER_NAMES)[number], number>> =
  indexed(ENGINE_COUNTER_NAMES);

/** Bytes of the slab that an engine sets aside for messages of stream clients (see `stream-io`). */
export const STREAM_AREA_BYTES = 262_144;

export interface EngineOptions {
  /** Rows of the endpoint book: the most transport addresses that can be remembered at once. */
  endpoints: number;
  /** Where {@link ENGINE_COUNTER_NAMES} are counted; usually shared memory. */
  counters: Float64Array;
  /** Wanted SO_RCVBUF and SO_SNDBUF of listeners and relays, bytes. */
  listenerBufferBytes: number;
  relayBufferBytes: number;
  /** The longest an engine may wait for more packets before it handles those that are there; 0: not at all. */
  pauseMicrosecondsMax: number;
}

/** What the kernel gave for the socket buffers that were asked for, bytes. */
export interface SocketBuffers {
  readonly receiveBytes: number;
  readonly sendBytes: number;
}

/**
 * How an engine drives its cores:
 * - `blocking`: the thread sleeps in the kernel and never returns to its event loop; `wake` of the
 *   control descriptor calls `onWake`.
 * - `cooperative`: the thread's event loop runs as well (stream clients need it).
 */
export type DriveMode = 'blocking' | 'cooperative';

export interface Engine extends DatagramIo {
  readonly kind: 'batch' | 'dgram';
  readonly driveModes: readonly DriveMode[];
  /** An eventfd: 8 bytes written to it make a blocked engine call `onWake`; -1 where there is none. */
  readonly wakeDescriptor: number;
  /**
   * Ciphers over the slab that are faster than what any thread can have from `node:crypto`, or why there are
   * none, in one line.
   */
  mediaCrypto(): MediaCrypto | string;
  /** Where the {@link STREAM_AREA_BYTES} begin in the slab; the engine itself never touches them. */
  readonly streamAreaOffset: number;

  /** As `open`, for a listener: several workers may share its address and port (SO_REUSEPORT) where the engine can. */
  openListener(local: number, receiver: DatagramReceiver, tag: number): number;
  /** Writes the socket's own address and port into `row`. */
  localEndpoint(socket: number, row: number): void;
  socketBuffers(socket: number): SocketBuffers;

  /** Sends what is queued, and recycles released rows. Called at the end of each batch; cores need not. */
  flush(): void;
  /** Monotonic milliseconds, whole; the same origin in every thread of the process. */
  now(): number;

  /**
   * Drives `receivers` (batchBegins before packets, sweep once a second). In `blocking` mode returns
   * after {@link stop}; in `cooperative` mode returns at once.
   */
  run(mode: DriveMode, receivers: readonly DatagramReceiver[], onWake: () => void): void;
  /** Ends {@link run}; closes every socket. */
  stop(): void;
}

/** Thrown by an engine's factory where it cannot work; the message says why in one line. */
export class EngineUnavailableError extends Error {
  readonly code = 'ENGINE_UNAVAILABLE';
}
