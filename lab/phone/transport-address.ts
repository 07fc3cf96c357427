/** Transport addresses as text, for keys and for people. */
import type { TransportAddress } from './protocol.ts';

/** `192.0.2.1:5000`, `[2001:db8::1]:5000`. */
export function transportText({ address, port }: TransportAddress): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
