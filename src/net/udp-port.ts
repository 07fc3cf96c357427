/** Whether a UDP port is free: SO_REUSEPORT would let a second node share it and take half the packets. */
import { createSocket } from 'node:dgram';
import { formatEndpoint } from '../wire/address.ts';

/** The port cannot be bound; the message is one line and says which and why. */
export class UdpPortError extends Error {
  readonly code = 'UDP_LISTEN_FAILED';
}

/** Binds the port alone and lets it go again. Rejects with {@link UdpPortError} where that fails. */
export function assertUdpPortFree(address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const ipv6 = address.includes(':');
    const socket = createSocket({ type: ipv6 ? 'udp6' : 'udp4', ipv6Only: ipv6 });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      socket.close();
      reject(new UdpPortError(`cannot listen on udp ${formatEndpoint(address, port)}: ${reason(error)}`));
    });
    socket.bind({ address, port, exclusive: true }, () => socket.close(resolve));
  });
}

function reason({ code, message }: NodeJS.ErrnoException): string {
  if (code === 'EADDRINUSE') return 'the port is in use (EADDRINUSE)';
  if (code === 'EADDRNOTAVAIL') return 'the address is not one of this host (EADDRNOTAVAIL)';
  if (code === 'EACCES') return 'the port needs privileges (EACCES)';
  return code ?? message;
}
