/**
 * The narrow waist between the sans-IO cores (turn, b2bua, ice) and whatever moves their packets:
 * an engine of `net`, or the simulated network of the tests. Both sides speak in small integers:
 * sockets, rows of the endpoint book, offsets into the slab.
 */
import type { EndpointBook } from './endpoint.ts';

/** Free bytes in front of every received packet, so that a header is prepended in place. */
export const HEADROOM_BYTES = 64;
/**
 * Free bytes behind every received packet: the padding of a Data indication, an SRTCP trailer with its tag
 * (20), what an HMAC needs behind the message (80).
 */
export const TAILROOM_BYTES = 96;
/** Size of a slot that {@link DatagramIo.reserve} hands out; no message a core makes itself is larger. */
export const RESERVED_SLOT_BYTES = 1024;

/** An engine sends what is queued after at most this many sends; a core's ring of destinations needs one row more. */
export const QUEUED_SENDS_MAX = 1024;

/** Reasons why {@link DatagramIo.open} gave no socket. */
export const OPEN_PORT_IN_USE = -1;
export const OPEN_ADDRESS_UNAVAILABLE = -2;
export const OPEN_RESOURCES_EXHAUSTED = -3;

/** What a core asks of the world. Nothing here throws, and a packet that cannot be sent is counted and gone. */
export interface DatagramIo {
  /** The slab: received packets and reserved slots lie in it. */
  readonly bytes: Uint8Array;
  readonly endpoints: EndpointBook;
  /** Whether {@link sendDontFragment} can set the IPv4 DF bit. */
  readonly canSetDontFragment: boolean;

  /**
   * Opens a UDP socket on the endpoint in `local` (port included); what arrives goes to `receiver`
   * under `tag`. Returns the socket (0 or more) or an `OPEN_…` reason.
   */
  open(local: number, receiver: DatagramReceiver, tag: number): number;
  /** Closes a socket, after what it has queued. */
  close(socket: number): void;

  /** Gives up a socket without closing it; returns a token with which any worker's io can {@link attach} it. */
  detach(socket: number): number;
  /** Takes over a detached socket; returns the socket's number here, or an `OPEN_…` reason. */
  attach(token: number, receiver: DatagramReceiver, tag: number): number;
  /** Closes a detached socket that nobody took over. */
  discard(token: number): void;

  /** Offset of a slot of {@link RESERVED_SLOT_BYTES} to write a message into, valid until the batch ends. */
  reserve(): number;

  /**
   * Queues `length` bytes of the slab at `offset` for the endpoint in row `destination`.
   * The bytes and the row must stay as they are (a released row does) until the batch ends, or {@link QUEUED_SENDS_MAX} sends later.
   */
  send(socket: number, offset: number, length: number, destination: number): void;
  /** The same with the DF bit set, at once and unbatched (RFC 8656 §11.2: DONT-FRAGMENT). */
  sendDontFragment(socket: number, offset: number, length: number, destination: number): void;

  /** Whether the socket number is a stream connection (TCP, TLS), on which ChannelData is padded. */
  isStream(socket: number): boolean;
}

/** What an engine calls on a core. Rows and slab bytes are only lent until the call returns. */
export interface DatagramReceiver {
  /** A batch of packets begins; time is read once for all of them. Monotonic milliseconds, whole. */
  batchBegins(nowMs: number): void;
  /**
   * A datagram, or one message of a stream. `offset` has {@link HEADROOM_BYTES} before and
   * {@link TAILROOM_BYTES} after the packet that the core may overwrite.
   */
  receive(tag: number, socket: number, offset: number, length: number, source: number): void;
  /** An ICMP error for a packet sent earlier to `destination`. `info`: the MTU of "too big", else 0. */
  receiveIcmpError(tag: number, type: number, code: number, info: number, destination: number): void;
  /** A stream connection is gone; its number will be used again. */
  streamClosed(socket: number, source: number): void;
  /** Called about once a second: expire what is over. */
  sweep(nowMs: number): void;
}
