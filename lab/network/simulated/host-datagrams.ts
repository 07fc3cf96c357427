/**
 * `node:dgram` in the simulated network. A socket becomes one of that network by the address it is bound to, or first
 * sends to; all others stay real.
 */
import { Socket } from 'node:dgram';
import type { TransportAddress } from '../../phone/protocol.ts';
import { PLACES } from '../../topology.ts';
import { bindWish, type SendWish, sendWish } from './datagram-arguments.ts';
import { isSimulated, systemError, UNSPECIFIED } from './host-address.ts';
import { type RealMethod, replaceMethod } from './replace-method.ts';
import type { SimulatedHost } from './simulated-host.ts';

/** Of Linux, where nobody has set another. */
const BUFFER_BYTES = 212_992;
/** IPv4's largest, without headers. */
const PAYLOAD_BYTES_MAX = 65_507;

/** A socket that is of the simulated network. */
interface Bound {
  readonly id: number;
  readonly at: TransportAddress;
  isHolding: boolean;
  /** As wished for; nothing comes of it. */
  readonly bufferBytes: { Recv: number; Send: number };
}

/** From now on, for all sockets of this thread. */
export function simulateDatagrams(host: SimulatedHost): void {
  const sockets = new Datagrams(host);
  const { prototype } = Socket;
  replaceMethod(prototype, 'bind', (socket, args, real) => (sockets.bind(socket, args) ? socket : real()));
  replaceMethod(prototype, 'send', (socket, args, real) => (sockets.send(socket, args) ? undefined : real()));
  replaceMethod(prototype, 'connect', (socket, args, real) => sockets.connect(socket, args, real));
  replaceMethod(prototype, 'close', (socket, _args, real) => {
    sockets.close(socket);
    return real();
  });
  replaceMethod(prototype, 'ref', (socket, _args, real) => {
    sockets.hold(socket, true);
    return real();
  });
  replaceMethod(prototype, 'unref', (socket, _args, real) => {
    sockets.hold(socket, false);
    return real();
  });
  replaceMethod(prototype, 'address', (socket, _args, real) => {
    const at = sockets.of(socket)?.at;
    return at ? { address: at.address, family: 'IPv4', port: at.port } : real();
  });
  for (const direction of ['Recv', 'Send'] as const) {
    replaceMethod(prototype, `get${direction}BufferSize`, (socket, _args, real) => {
      return sockets.of(socket)?.bufferBytes[direction] ?? real();
    });
    replaceMethod(prototype, `set${direction}BufferSize`, (socket, [bytes], real) => {
      const bound = sockets.of(socket);
      if (!bound) return real();
      bound.bufferBytes[direction] = Number(bytes);
      return undefined;
    });
  }
}

class Datagrams {
  readonly #host: SimulatedHost;
  readonly #bound = new WeakMap<Socket, Bound>();
  /** Decided: they stay as they are. */
  readonly #real = new WeakSet<Socket>();
  readonly #unrefed = new WeakSet<Socket>();

  constructor(host: SimulatedHost) {
    this.#host = host;
  }

  of(socket: Socket): Bound | undefined {
    return this.#bound.get(socket);
  }

  /** False: it is the machine's. */
  bind(socket: Socket, args: readonly unknown[]): boolean {
    if (this.#bound.has(socket)) throw alreadyBound();
    const wish = bindWish(args);
    if (!wish || this.#real.has(socket) || !takesAddress(socket, wish.address)) return this.#leave(socket);
    const { callback } = wish;
    const isHeard = socket.listenerCount('error') > 0;
    if (callback) listenOnce(socket, callback);
    const address = wish.address === undefined || wish.address === UNSPECIFIED ? undefined : wish.address;
    const failure = this.#bind(socket, {
      address: address ?? PLACES[this.#host.place].addresses[0],
      port: wish.port,
    });
    if (!failure) return true;
    // With a lookup that answers at once the real one fails before it returns, else after it.
    if (isHeard) socket.emit('error', failure);
    else process.nextTick(() => socket.emit('error', failure));
    return true;
  }

  /** False: it is the machine's. */
  send(socket: Socket, args: readonly unknown[]): boolean {
    if (this.#real.has(socket)) return false;
    const bound = this.#bound.get(socket) ?? this.#bindForSending(socket, args);
    if (!bound) return this.#leave(socket);
    const wish = sendWish(args);
    const failure = sendFailure(wish);
    const { payload, address = '', port, callback } = wish;
    if (!failure) this.#host.link.send(bound.id, { address, port }, payload);
    if (callback) process.nextTick(callback, failure ?? null, payload.length);
    else if (failure) process.nextTick(() => socket.emit('error', failure));
    return true;
  }

  connect(socket: Socket, args: readonly unknown[], real: RealMethod): unknown {
    const isOfNetwork = this.#bound.has(socket) || isSimulated(String(args[1]));
    if (isOfNetwork) throw new Error('the simulated network has no connected UDP sockets');
    this.#leave(socket);
    return real();
  }

  close(socket: Socket): void {
    const bound = this.#bound.get(socket);
    if (!bound) return;
    this.hold(socket, false);
    this.#bound.delete(socket);
    this.#leave(socket);
    this.#host.link.forget(bound.id);
    this.#host.locks.give('udp', bound.at);
  }

  /** Whether the socket keeps the thread alive. */
  hold(socket: Socket, isHolding: boolean): void {
    if (isHolding) this.#unrefed.delete(socket);
    else this.#unrefed.add(socket);
    const bound = this.#bound.get(socket);
    if (!bound || bound.isHolding === isHolding) return;
    bound.isHolding = isHolding;
    if (isHolding) this.#host.link.hold();
    else this.#host.link.release();
  }

  #bind(socket: Socket, { address, port }: TransportAddress): Error | undefined {
    const { link, locks, place } = this.#host;
    if (!PLACES[place].addresses.includes(address))
      return systemError('bind', 'EADDRNOTAVAIL', { address, port });
    const taken = locks.take('udp', { address, port });
    if (taken === undefined) return systemError('bind', 'EADDRINUSE', { address, port });
    const at = { address, port: taken };
    const id = link.add({
      heard: () => socket.emit('listening'),
      received: (from, payload) => {
        const { length } = payload;
        socket.emit('message', Buffer.from(payload), { ...from, family: 'IPv4', size: length });
      },
    });
    const bufferBytes = { Recv: BUFFER_BYTES, Send: BUFFER_BYTES };
    this.#bound.set(socket, { id, at, isHolding: false, bufferBytes });
    if (!this.#unrefed.has(socket)) this.hold(socket, true);
    link.say({ say: 'bind', id, ...at });
    return undefined;
  }

  /** Undefined: it sends to the machine. */
  #bindForSending(socket: Socket, args: readonly unknown[]): Bound | undefined {
    if (!isIPv4Socket(socket)) return undefined;
    const { address } = sendWish(args);
    if (address === undefined || !isSimulated(address)) return undefined;
    const failure = this.#bind(socket, { address: PLACES[this.#host.place].addresses[0], port: 0 });
    if (failure) throw failure;
    return this.#bound.get(socket);
  }

  #leave(socket: Socket): false {
    this.#real.add(socket);
    return false;
  }
}

function isIPv4Socket(socket: Socket): boolean {
  return 'type' in socket && socket.type === 'udp4';
}

function takesAddress(socket: Socket, address: string | undefined): boolean {
  if (!isIPv4Socket(socket)) return false;
  return address === undefined || address === UNSPECIFIED || isSimulated(address);
}

/** As with the real one, an error takes the callback away. */
function listenOnce(socket: Socket, callback: () => void): void {
  const remove = (): void => {
    socket.off('error', remove);
    socket.off('listening', listening);
  };
  const listening = (): void => {
    remove();
    callback.call(socket);
  };
  socket.on('error', remove);
  socket.on('listening', listening);
}

function sendFailure({ address, port, payload }: SendWish): Error | undefined {
  if (address === undefined || !isSimulated(address)) {
    return systemError('send', 'ENETUNREACH', { address: address ?? '127.0.0.1', port });
  }
  return payload.length > PAYLOAD_BYTES_MAX ? systemError('send', 'EMSGSIZE', { address, port }) : undefined;
}

function alreadyBound(): Error {
  return Object.assign(new Error('Socket is already bound'), { code: 'ERR_SOCKET_ALREADY_BOUND' });
}
