/** A TCP server of the simulated network: it listens on loopback, and its clients come with their simulated addresses. */
import { Server, type Socket } from 'node:net';
import type { TransportAddress } from '../../phone/protocol.ts';
import { PLACES } from '../../topology.ts';
import { systemError } from './host-address.ts';
import type { RealMethod } from './replace-method.ts';
import type { SimulatedHost } from './simulated-host.ts';
import { LOOPBACK, show, showEnds, unshow } from './stream-addresses.ts';
import type { StreamWish } from './stream-arguments.ts';

/** @param real `Server.listen` */
export function listenSimulated(
  host: SimulatedHost,
  server: Server,
  { address, port, options, callback }: StreamWish,
  real: RealMethod,
): void {
  const fail = (code: 'EADDRNOTAVAIL' | 'EADDRINUSE'): void =>
    process.nextTick(() => server.emit('error', systemError('listen', code, { address, port })));
  if (!PLACES[host.place].addresses.includes(address)) return fail('EADDRNOTAVAIL');
  const taken = host.locks.take('tcp', { address, port });
  if (taken === undefined) return fail('EADDRINUSE');
  if (callback) server.once('listening', callback);
  new SimulatedListener(host, server, { address, port: taken }).open();
  real([{ ...options, host: LOOPBACK, port: 0, ipv6Only: false }]);
}

class SimulatedListener {
  readonly #host: SimulatedHost;
  readonly #server: Server;
  readonly #at: TransportAddress;
  readonly #id: number;
  #isOpen = true;

  constructor(host: SimulatedHost, server: Server, at: TransportAddress) {
    this.#host = host;
    this.#server = server;
    this.#at = at;
    this.#id = host.link.add({ heard: () => this.#emit('listening') });
  }

  /** Steps between the server and its owner. */
  open(): void {
    show(this.#server, {
      address: () => ({ ...this.#at, family: 'IPv4' }),
      close: (...args: readonly unknown[]) => {
        this.#close();
        return Reflect.apply(this.#server.close, this.#server, args);
      },
      emit: (event: string, ...args: readonly unknown[]) => {
        if (event === 'listening') return this.#listens();
        if (event === 'connection') return this.#ask(args[0] as Socket);
        if (event === 'error' && !this.#server.listening) this.#close();
        return this.#emit(event, ...args);
      },
    });
  }

  /** The owner hears of it when the network knows, so that nobody is refused afterwards. */
  #listens(): true {
    const bound = Reflect.apply(Server.prototype.address, this.#server, []) as { readonly port: number };
    this.#host.link.say({ say: 'listen', id: this.#id, ...this.#at, realPort: bound.port });
    return true;
  }

  /** Who has called; somebody whom the network does not know gets no answer. */
  #ask(socket: Socket): true {
    const { remotePort } = socket;
    if (remotePort === undefined) {
      socket.destroy(); // reset before it was accepted
      return true;
    }
    const { link } = this.#host;
    const ignoreError = (): void => {}; // 'close' follows
    socket.on('error', ignoreError);
    const id = link.add({
      heard: (message) => {
        socket.off('error', ignoreError);
        if (message.say === 'caller') this.#connected(socket, message.from);
      },
    });
    socket.once('close', () => link.forget(id));
    link.say({ say: 'accepted', id, listener: this.#id, realPort: remotePort });
    return true;
  }

  #connected(socket: Socket, remote: TransportAddress): void {
    if (!this.#isOpen) socket.destroy();
    if (socket.destroyed) return;
    showEnds(socket, { local: this.#at, remote });
    this.#emit('connection', socket);
    // It has ended while nobody could hear that.
    if (socket.readableEnded) process.nextTick(() => socket.emit('end'));
  }

  #emit(event: string, ...args: readonly unknown[]): boolean {
    return Reflect.apply(Server.prototype.emit, this.#server, [event, ...args]) as boolean;
  }

  /** The port is free at once, though connections may still stand. */
  #close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    unshow(this.#server, ['address', 'close', 'emit']);
    this.#host.link.forget(this.#id);
    this.#host.locks.give('tcp', this.#at);
  }
}
