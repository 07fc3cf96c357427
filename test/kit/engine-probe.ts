/**
 * Both ends of an engine under test: a core that records what it is given, and a peer outside the
 * engine (Node's own dgram) that records what the engine sent.
 */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { vi } from 'vitest';
import type { Engine } from '../../src/net/engine.ts';
import { formatEndpoint } from '../../src/wire/address.ts';
import type { DatagramReceiver } from '../../src/wire/datagram-io.ts';

const PATIENCE_MS = 10_000;

/** Waits until `condition` holds; fails with `what` after ten seconds. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  await vi.waitFor(
    () => {
      if (!condition()) throw new Error(`never happened: ${what}`);
    },
    { timeout: PATIENCE_MS, interval: 2 },
  );
}

export interface RecordedPacket {
  readonly tag: number;
  readonly socket: number;
  readonly payload: Buffer;
  /** `address:port` */
  readonly source: string;
}

export interface RecordedIcmpError {
  readonly tag: number;
  readonly type: number;
  readonly code: number;
  readonly info: number;
  /** `address:port` */
  readonly destination: string;
}

type OnPacket = (tag: number, socket: number, offset: number, length: number, source: number) => void;

/** A core that copies all it is given, and then does what the test wants done with the packet. */
export class RecordingCore implements DatagramReceiver {
  readonly packets: RecordedPacket[] = [];
  readonly icmpErrors: RecordedIcmpError[] = [];
  /** The times given to batchBegins and to sweep, in order. */
  readonly batchTimesMs: number[] = [];
  readonly sweepTimesMs: number[] = [];
  onPacket: OnPacket = () => {};
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  batchBegins(nowMs: number): void {
    this.batchTimesMs.push(nowMs);
  }

  receive(tag: number, socket: number, offset: number, length: number, source: number): void {
    const { bytes, endpoints } = this.#engine;
    const payload = Buffer.from(bytes.slice(offset, offset + length));
    this.packets.push({ tag, socket, payload, source: endpoints.text(source) });
    this.onPacket(tag, socket, offset, length, source);
  }

  receiveIcmpError(tag: number, type: number, code: number, info: number, destination: number): void {
    this.icmpErrors.push({ tag, type, code, info, destination: this.#engine.endpoints.text(destination) });
  }

  streamClosed(): void {}

  sweep(nowMs: number): void {
    this.sweepTimesMs.push(nowMs);
  }
}

/** A UDP socket outside the engine. */
export class Peer {
  readonly messages: Buffer[] = [];
  /** `address:port` of each message's sender. */
  readonly senders: string[] = [];
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('message', (message, sender) => {
      this.messages.push(message);
      this.senders.push(formatEndpoint(sender.address, sender.port));
    });
  }

  static async open(address = '127.0.0.1', port = 0): Promise<Peer> {
    const socket = createSocket({
      type: address.includes(':') ? 'udp6' : 'udp4',
      recvBufferSize: 4 << 20,
      sendBufferSize: 4 << 20,
    });
    socket.bind(port, address);
    await once(socket, 'listening');
    return new Peer(socket);
  }

  get port(): number {
    return this.#socket.address().port;
  }

  /** `address:port` */
  get text(): string {
    const { address, port } = this.#socket.address();
    return formatEndpoint(address, port);
  }

  send(payload: string | Uint8Array, port: number): void {
    this.#socket.send(payload, port, this.#socket.address().address);
  }

  /** Sends, and resolves when the kernel has taken the datagram. */
  async sent(payload: string | Uint8Array, port: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#socket.send(payload, port, this.#socket.address().address, (error) =>
        error ? reject(error) : resolve(),
      );
    });
  }

  close(): void {
    this.#socket.close();
  }
}

/** Whether this machine has an IPv6 loopback address. */
export async function hasIPv6(): Promise<boolean> {
  try {
    (await Peer.open('::1')).close();
    return true;
  } catch {
    return false;
  }
}

/** Acquires a row for an address given as text. */
export function rowFor(engine: Engine, address: string, port: number): number {
  const row = engine.endpoints.acquire();
  if (row < 0 || !engine.endpoints.setText(row, address, port)) throw new Error(`no row for ${address}`);
  return row;
}

/** Writes text or bytes into a reserved slot; returns its offset. */
export function reserved(engine: Engine, payload: string | Uint8Array): number {
  const offset = engine.reserve();
  engine.bytes.set(typeof payload === 'string' ? Buffer.from(payload) : payload, offset);
  return offset;
}

/** The port a socket of the engine is bound to. */
export function portOf(engine: Engine, socket: number): number {
  const row = engine.endpoints.acquire();
  engine.localEndpoint(socket, row);
  const port = engine.endpoints.port(row);
  engine.endpoints.release(row);
  return port;
}
