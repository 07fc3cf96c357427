/** What of a program's addresses is the simulated network's: IPv4 but loopback. Names and IPv6 are the machine's. */
import { isIPv4 } from 'node:net';
import { constants } from 'node:os';
import type { TransportAddress } from '../../phone/protocol.ts';

/** Whether it is a literal address in the simulated network. */
export function isSimulated(address: string): boolean {
  return isIPv4(address) && !address.startsWith('127.') && address !== UNSPECIFIED;
}

export const UNSPECIFIED = '0.0.0.0';

/** As the system's own: `bind EADDRINUSE 10.10.0.20:5000`, `read ECONNRESET`. */
export function systemError(
  syscall: string,
  code: keyof typeof constants.errno,
  at?: TransportAddress,
): NodeJS.ErrnoException {
  const error = new Error(`${syscall} ${code}${at ? ` ${at.address}:${at.port}` : ''}`);
  return Object.assign(error, { code, errno: -constants.errno[code], syscall, ...at });
}
