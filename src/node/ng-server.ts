/** The sockets of the `ng` protocol: hears SIP proxies over UDP on the main thread, and only those that may speak. */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { networkInterfaces } from 'node:os';
import type { Logger } from 'pino';
import { formatEndpoint, type Prefix, parseAddress, prefixContains } from '../wire/address.ts';
import { expandAddress, hostAddressesOf } from './host-addresses.ts';
import { type NgCounters, NgResponder, type NgResponderOptions } from './ng-responder.ts';

/** Wanted of the kernel, so that a burst of commands waits rather than being lost; it may give less. */
const RECEIVE_BUFFER_BYTES = 1024 * 1024;
const SWEEP_INTERVAL_MS = 10_000;
/** A refused source is named in the log once in this time … */
const REFUSAL_LOGGED_MS = 60_000;
/** … and at most so many sources are. */
const REFUSED_SOURCES_MAX = 64;

export interface NgServerOptions extends NgResponderOptions {
  /** A wildcard (`0.0.0.0`, `::`) stands for all of the host's addresses of its family. */
  readonly address: string;
  /** 0: the system chooses one. */
  readonly port: number;
  /** Sources that may command. */
  readonly allow: readonly Prefix[];
}

export class NgServer {
  /** Where it listens: one address, or those that the wildcard stands for. */
  readonly addresses: readonly string[];
  readonly port: number;
  readonly #log: Logger;
  readonly #allow: readonly Prefix[];
  readonly #nowMs: () => number;
  readonly #responder: NgResponder;
  readonly #refusals = new Map<string, number>(); // by address: when it was logged
  readonly #sockets: readonly Socket[];
  readonly #sweeper: NodeJS.Timeout;
  #closed: Promise<void> | undefined;

  private constructor(options: NgServerOptions, addresses: readonly string[], sockets: readonly Socket[]) {
    this.addresses = addresses;
    this.port = sockets[0]?.address().port ?? options.port;
    this.#log = options.log;
    this.#allow = options.allow;
    this.#nowMs = options.nowMs;
    this.#responder = new NgResponder(options);
    this.#sockets = sockets;
    for (const socket of sockets) {
      socket.on('message', (datagram, source) => void this.#heard(socket, datagram, source));
      socket.on('error', (error) => this.#log.error({ err: error }, 'ng socket'));
    }
    this.#sweeper = setInterval(() => this.#responder.sweep(), SWEEP_INTERVAL_MS).unref();
  }

  /**
   * Binds a socket an address: a reply must leave from the address the command came to, as proxies connect
   * theirs.
   * @throws Error (rejects) with a code and a one-line message that names `b2bua.ng` and the address; nothing is left open
   */
  static async start(options: NgServerOptions): Promise<NgServer> {
    const addresses = expandAddress(options.address, hostAddressesOf(networkInterfaces()));
    if (addresses.length === 0) {
      throw listenError(
        options.address,
        options.port,
        'it must stand for an address of this host',
        'NO_ADDRESS',
      );
    }
    const sockets: Socket[] = [];
    try {
      for (const address of addresses) {
        const port = sockets[0]?.address().port ?? options.port;
        sockets.push(await bind(address, port));
      }
    } catch (error) {
      for (const socket of sockets) socket.close();
      throw error;
    }
    return new NgServer(options, addresses, sockets);
  }

  get counters(): Readonly<NgCounters> {
    return this.#responder.counters;
  }

  /** Stops listening. Commands under way are carried out, but no longer answered. */
  close(): Promise<void> {
    clearInterval(this.#sweeper);
    this.#closed ??= Promise.all(
      this.#sockets.map((socket) => new Promise<void>((resolve) => socket.close(() => resolve()))),
    ).then(() => {});
    return this.#closed;
  }

  async #heard(socket: Socket, datagram: Buffer, { address, port }: RemoteInfo): Promise<void> {
    if (!this.#isAllowed(address)) return this.#refuse(address);
    const reply = await this.#responder.respond(formatEndpoint(address, port), datagram);
    if (!reply || this.#closed) return;
    socket.send(reply, port, address, (error) => {
      if (!error) return;
      this.#responder.counters.unsent++;
      this.#log.debug({ source: formatEndpoint(address, port), code: errorCode(error) }, 'ng reply not sent');
    });
  }

  #isAllowed(address: string): boolean {
    const bytes = parseAddress(address.replace(/%.*$/, '')); // link-local IPv6 comes with its zone
    return bytes !== undefined && this.#allow.some((prefix) => prefixContains(prefix, bytes));
  }

  #refuse(address: string): void {
    this.#responder.counters.refused++;
    const nowMs = this.#nowMs();
    for (const [logged, atMs] of this.#refusals) {
      if (nowMs - atMs >= REFUSAL_LOGGED_MS) this.#refusals.delete(logged);
    }
    if (this.#refusals.has(address) || this.#refusals.size >= REFUSED_SOURCES_MAX) return;
    this.#refusals.set(address, nowMs);
    this.#log.warn({ address }, 'ng command refused: the source is not in b2bua.ngAllow');
  }
}

function bind(address: string, port: number): Promise<Socket> {
  const ipv6 = address.includes(':');
  const socket = createSocket({
    type: ipv6 ? 'udp6' : 'udp4',
    ipv6Only: ipv6,
    recvBufferSize: RECEIVE_BUFFER_BYTES,
  });
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => {
      socket.close();
      const code = errorCode(error);
      reject(listenError(address, port, code, code));
    };
    socket.once('error', fail);
    socket.bind({ address, port, exclusive: true }, () => {
      socket.off('error', fail);
      resolve(socket);
    });
  });
}

function listenError(address: string, port: number, reason: string, code: string): Error {
  const message = `b2bua.ng: cannot listen on ${formatEndpoint(address, port)}/udp (${reason})`;
  return Object.assign(new Error(message), { code });
}

function errorCode(error: NodeJS.ErrnoException): string {
  return error.code ?? 'LISTEN_FAILED';
}
