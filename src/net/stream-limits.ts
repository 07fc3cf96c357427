/**
 * What stream clients (TCP, TLS) may take of a worker. Before a client has proved who it is, these
 * limits are all that stands between it and the worker's memory.
 */

/** All counts and bytes are of one worker, all its stream listeners together. */
export interface StreamLimits {
  /** Connections, TLS handshakes under way included. Memory of an idle one: about 12 KB, 40 KB with TLS. */
  connections: number;
  /** Connections of one client address; of IPv6 addresses the first 64 bits count. */
  connectionsPerAddress: number;
  /** TLS handshakes under way. */
  halfOpenHandshakes: number;
  /** A TLS handshake must end within this time. */
  handshakeMs: number;
  /** The first message must be complete within this time of the connection's start. */
  firstMessageMs: number;
  /** The rest of a message must follow its first byte within this time. */
  unfinishedMessageMs: number;
  /** A client must read some of what waits for it within this time once messages to it are dropped. */
  unreadMs: number;
  /** A connection on which no bytes come, and none are sent, for this long is closed. */
  idleMs: number;
  /** Size of one message on the wire, padding included: at most `STREAM_MESSAGE_BYTES_MAX`. */
  messageBytes: number;
  /** Bytes of unfinished messages, all connections together; whoever exceeds it is closed. */
  unfinishedBytes: number;
  /**
   * Once so many bytes wait for one client to read, further messages to it are dropped. Memory: as much
   * for each client that does not read, for at most `unreadMs`.
   */
  unsentBytes: number;
}

/** What an address of 4 or 16 bytes counts under in `connectionsPerAddress`. */
export function addressKey(address: Uint8Array): string {
  return address.subarray(0, 8).join('.'); // whoever has one IPv6 address usually has all of its /64
}

export const DEFAULT_STREAM_LIMITS: Readonly<StreamLimits> = Object.freeze({
  connections: 4096,
  connectionsPerAddress: 256,
  halfOpenHandshakes: 256,
  handshakeMs: 10_000,
  firstMessageMs: 30_000,
  unfinishedMessageMs: 10_000,
  unreadMs: 30_000,
  // A little more than the default lifetime of an allocation and that of a channel (RFC 8656 §3.2, §12):
  // a client that has not even refreshed those is gone.
  idleMs: 660_000,
  messageBytes: 65_552,
  unfinishedBytes: 16 << 20,
  unsentBytes: 256 << 10,
});
