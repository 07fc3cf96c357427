/** What a TCP connection shows of itself: the simulated addresses, not those of the loopback it goes over. */
import type { Server, Socket } from 'node:net';
import type { TransportAddress } from '../../phone/protocol.ts';

export const LOOPBACK = '127.0.0.1';

export interface StreamEnds {
  readonly local: TransportAddress;
  readonly remote: TransportAddress;
}

export function showEnds(socket: Socket, { local, remote }: StreamEnds): void {
  show(socket, {
    ...{ localAddress: local.address, localPort: local.port, localFamily: 'IPv4' },
    ...{ remoteAddress: remote.address, remotePort: remote.port, remoteFamily: 'IPv4' },
    address: () => ({ ...local, family: 'IPv4' }),
  });
}

/** Gives an instance what others have of their prototype, until {@link unshow}. */
export function show(instance: Socket | Server, values: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(values))
    Object.defineProperty(instance, name, { configurable: true, writable: true, value });
}

export function unshow(instance: Socket | Server, names: readonly string[]): void {
  for (const name of names) Reflect.deleteProperty(instance, name);
}
