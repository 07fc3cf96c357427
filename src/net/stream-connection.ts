/** The state of one stream connection. It decides nothing but whether its time is over; `stream-io` acts. */
import type { Socket } from 'node:net';
import type { DatagramReceiver } from '../wire/datagram-io.ts';
import { StreamFramer } from '../wire/stream-framing.ts';
import type { StreamLimits } from './stream-limits.ts';

/** Who hears the messages of a listener's connections, and under which tag. */
export interface StreamService {
  readonly receiver: DatagramReceiver;
  readonly tag: number;
}

/** How the rest of the program knows a connection. */
export interface StreamIdentity {
  /** The socket number that cores see. */
  readonly number: number;
  /** The connection's own row of the endpoint book: the client's address. */
  readonly row: number;
  /** What it counts under in `connectionsPerAddress`. */
  readonly addressKey: string;
}

/** A moment that has not come. */
const NEVER = -1;

export class StreamConnection {
  readonly identity: StreamIdentity;
  readonly service: StreamService;
  /** Carries plain bytes: the TCP socket, or the TLS one around it. */
  readonly socket: Socket;
  readonly framer: StreamFramer;
  isOpen = true;
  /** False during a TLS handshake. */
  secured: boolean;
  /** A message has come whole, so the core knows the connection. */
  hasSpoken = false;
  /** Its writes of this batch are held back, to leave as one. */
  corked = false;
  /** Bytes of an unfinished message that count in the sum over all connections. */
  unfinishedBytes = 0;

  readonly #openedMs: number;
  #activeMs: number;
  #unfinishedSinceMs = NEVER;
  #fullSinceMs = NEVER;
  #endedMs = NEVER;

  constructor(
    identity: StreamIdentity,
    service: StreamService,
    socket: Socket,
    secured: boolean,
    messageBytesMax: number,
    nowMs: number,
  ) {
    this.identity = identity;
    this.service = service;
    this.socket = socket;
    this.secured = secured;
    this.framer = new StreamFramer(messageBytesMax);
    this.#openedMs = nowMs;
    this.#activeMs = nowMs;
  }

  /** Bytes came, or were taken to be sent. */
  noteActivity(nowMs: number): void {
    this.#activeMs = nowMs;
  }

  /** A chunk is cut up: `messages` were whole, and the framer tells what is left. */
  noteProgress(messages: number, nowMs: number): void {
    if (this.framer.unfinishedBytes === 0) this.#unfinishedSinceMs = NEVER;
    else if (messages > 0 || this.#unfinishedSinceMs === NEVER) this.#unfinishedSinceMs = nowMs;
  }

  /** A message was dropped because the client leaves too much unread. */
  noteFull(nowMs: number): void {
    if (this.#fullSinceMs === NEVER) this.#fullSinceMs = nowMs;
  }

  noteRoom(): void {
    this.#fullSinceMs = NEVER;
  }

  /** The client will send no more; what waits for it may still leave. */
  noteEnd(nowMs: number): void {
    this.#endedMs = nowMs;
  }

  /** Whether one of the times in `limits` is over. */
  isOverdue(limits: StreamLimits, nowMs: number): boolean {
    const isOver = (sinceMs: number, limitMs: number): boolean =>
      sinceMs !== NEVER && nowMs - sinceMs > limitMs;
    return (
      isOver(this.secured ? NEVER : this.#openedMs, limits.handshakeMs) ||
      isOver(this.hasSpoken ? NEVER : this.#openedMs, limits.firstMessageMs) ||
      isOver(this.#unfinishedSinceMs, limits.unfinishedMessageMs) ||
      isOver(this.#fullSinceMs, limits.unreadMs) ||
      isOver(this.#endedMs, limits.unreadMs) ||
      isOver(this.#activeMs, limits.idleMs)
    );
  }
}
