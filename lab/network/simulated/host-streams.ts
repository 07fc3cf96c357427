/**
 * `node:net` in the simulated network: a client that connects to one of its addresses, and a server that listens on
 * one, do so over the machine's loopback, as the network arranges it, and each sees the other's simulated address.
 * All else stays real, as does a server that names no address.
 */
import { Server, Socket } from 'node:net';
import type { NetworkMessage } from './frames.ts';
import { isSimulated, systemError } from './host-address.ts';
import { type RealMethod, replaceMethod } from './replace-method.ts';
import type { SimulatedHost } from './simulated-host.ts';
import { listenSimulated } from './simulated-listener.ts';
import { LOOPBACK, showEnds } from './stream-addresses.ts';
import { type StreamWish, streamWish } from './stream-arguments.ts';

/** From now on, for all connections and servers of this thread. */
export function simulateStreams(host: SimulatedHost): void {
  replaceMethod(Socket.prototype, 'connect', (socket, args, real) => {
    const wish = streamWish(args);
    if (!wish || !isSimulated(wish.address)) return real();
    connectSimulated(host, socket, wish, real);
    return socket;
  });
  replaceMethod(Server.prototype, 'listen', (server, args, real) => {
    const wish = streamWish(args);
    if (!wish || !isSimulated(wish.address) || server.listening) return real();
    listenSimulated(host, server, wish, real);
    return server;
  });
}

function connectSimulated({ link }: SimulatedHost, socket: Socket, wish: StreamWish, real: RealMethod): void {
  const { address, port } = wish;
  if (wish.callback) socket.once('connect', wish.callback);
  // What is written meanwhile waits, as during any connecting.
  Object.assign(socket, { connecting: true });
  let isAsking = true;
  const asked = (): void => {
    if (isAsking) link.release();
    isAsking = false;
  };
  const id = link.add({
    heard: (message) => {
      asked();
      if (message.say === 'no-way') socket.destroy(systemError('connect', message.code, { address, port }));
      else if (message.say === 'reset') socket.destroy(systemError('read', 'ECONNRESET'));
      else if (message.say === 'way') go(message);
    },
  });
  const go = ({ realPort, from }: Extract<NetworkMessage, { say: 'way' }>): void => {
    socket.prependOnceListener('connect', () => {
      link.say({ say: 'connected', id, realPort: socket.localPort ?? 0 });
      showEnds(socket, { local: from, remote: { address, port } });
    });
    const place = { host: LOOPBACK, port: realPort, localAddress: undefined, localPort: undefined };
    real([{ ...wish.options, ...place }]);
  };
  socket.once('close', () => {
    asked();
    link.forget(id);
  });
  link.hold();
  link.say({ say: 'connect', id, to: { address, port }, from: wish.local });
}
