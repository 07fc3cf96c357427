/** What carries TURN for werift's client: a phone's UDP socket, or a TCP connection; both fail without harm. */
import { connect, type Socket } from 'node:net';
import type { TurnProtocol } from 'werift';
import type { TransportAddress } from './protocol.ts';
import type { UdpSocket } from './udp-socket.ts';

type Transport = TurnProtocol['transport'];
type Receive = Transport['onData'];

const CONNECTION_MS_MAX = 3000;

/** The socket carries TURN alone. */
export function udpTransport(socket: UdpSocket, server: TransportAddress): Transport {
  const transport: Transport = {
    type: 'udp',
    address: { ...socket.place, family: 'IPv4' },
    closed: false,
    onData: () => {},
    send: async (bytes) => socket.send(bytes, server),
    close: async () => {
      transport.closed = true;
      socket.close();
    },
  };
  socket.onDatagram = (bytes, { address, port }) => guarded(transport.onData, bytes, [address, port]);
  return transport;
}

/** @throws Error (rejects) where the server cannot be reached */
export async function tcpTransport({ address, port }: TransportAddress): Promise<Transport> {
  const socket = await connected(address, port);
  const transport: Transport = {
    type: 'tcp',
    address: { address: socket.localAddress ?? '', port: socket.localPort ?? 0, family: 'IPv4' },
    closed: false,
    onData: () => {},
    send: async (bytes) => {
      if (!transport.closed) socket.write(bytes);
    },
    close: async () => {
      transport.closed = true;
      socket.destroy();
    },
  };
  socket.on('data', (bytes) => guarded(transport.onData, bytes, [address, port]));
  socket.on('end', () => void transport.close());
  socket.on('close', () => {
    transport.closed = true;
  });
  return transport;
}

function connected(host: string, port: number): Promise<Socket> {
  const socket = connect({ host, port, noDelay: true });
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => socket.destroy(new Error('no answer')), CONNECTION_MS_MAX);
    // Stays, as a reset may come at any time; what it means, 'close' says.
    socket.on('error', (error) => {
      clearTimeout(timer);
      reject(new Error(`TCP to ${host}:${port}: ${error.message}`));
    });
    socket.once('connect', () => {
      clearTimeout(timer);
      resolve(socket);
    });
  });
}

/** What comes from the network must not throw out of an event of the socket. */
function guarded(receive: Receive, bytes: Buffer, from: readonly [string, number]): void {
  try {
    receive(bytes, from);
  } catch {
    // as if it had not come
  }
}
