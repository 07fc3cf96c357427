/**
 * `bench` is the load generators behind `causeway bench`: clients of any server, apart from the server's
 * own code but for the formats in `wire` and, of `b2bua`, SRTP and its keys in SDP. This file is what they
 * ask of sockets.
 *
 * The engines of `net` are no use here: they wait for packets, while a generator sends by the clock,
 * from connected sockets, and wants the kernel's time of arrival rather than its own time of reading.
 */
import type { EndpointBook } from '../wire/endpoint.ts';
import type { MediaCrypto } from '../wire/media-crypto.ts';

/** Size of the area at {@link GeneratorIo.sendOffset}. */
export const SEND_AREA_BYTES = 2048;

/** Outcomes of {@link GeneratorIo.send}. */
export const SEND_OK = 0;
/** The socket's send buffer, or the device's queue, is full. */
export const SEND_FULL = 1;
/** An ICMP "port unreachable" came back for an earlier packet; this one was not sent. */
export const SEND_REFUSED = 2;
export const SEND_FAILED = 3;

/** Undefined bytes in front of what is sent or received, as ciphers may want (`wire/media-crypto`). */
export const PACKET_HEADROOM_BYTES = 64;
/** And behind it. */
export const PACKET_TAILROOM_BYTES = 128;

/**
 * Called for every datagram; the bytes, in {@link GeneratorIo.bytes}, are lent until it returns and may be
 * changed in place. `receivedNs` is on the clock of {@link GeneratorIo.nowNs}.
 */
export type GeneratorReceiver = (
  socket: number,
  bytes: Uint8Array,
  offset: number,
  length: number,
  receivedNs: number,
) => void;

export interface GeneratorIo {
  /** Which implementation, for the report. */
  readonly kind: 'linux' | 'portable';
  readonly bytes: Uint8Array;
  readonly endpoints: EndpointBook;
  /** {@link SEND_AREA_BYTES} of {@link bytes} to build a packet in; free again when {@link send} returns. */
  readonly sendOffset: number;
  receiver: GeneratorReceiver;
  /** Ciphers over {@link bytes} that cost little a packet; undefined where there are none. */
  mediaCrypto(): MediaCrypto | undefined;
  /** ICMP "port unreachable" seen so far by connected sockets: nothing listens at the server. */
  readonly refusals: number;

  /**
   * Opens a UDP socket and returns its number, counted from 0. `remote`: row of the only peer it
   * talks to (connected, bound to any local port), or -1; `local`: row of the address to bind, or -1.
   * Throws an Error that names the address and the reason.
   */
  open(local: number, remote: number, receiveBufferBytes: number): Promise<number>;
  /** Writes the socket's own address and port into `row`. */
  localEndpoint(socket: number, row: number): void;
  /** Sends at once. `destination`: a row, or -1 on a connected socket. Returns a `SEND_…` outcome. */
  send(socket: number, offset: number, length: number, destination: number): number;
  /**
   * Hands what has arrived to {@link receiver}, then passes the time until `waitNs` are over.
   * With `wakeOnPacket` it returns as soon as something arrives. A promise where the event loop
   * must turn.
   */
  idle(waitNs: number, wakeOnPacket: boolean): Promise<void> | undefined;
  /** Nanoseconds, whole, of a clock that {@link receiver} is told too. */
  nowNs(): number;
  /** Datagrams dropped so far because a socket of this generator was full; -1 if it cannot tell. */
  ownDrops(): number;
  close(): void;
}
