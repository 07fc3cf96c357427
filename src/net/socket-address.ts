/**
 * Addresses as Node's own socket modules tell and take them: text, IPv4 sometimes mapped into IPv6
 * (`::ffff:192.0.2.1`), link-local IPv6 with the interface behind a `%`.
 */
import { networkInterfaces } from 'node:os';
import { parseAddress } from '../wire/address.ts';
import { ENDPOINT_WORDS, type EndpointBook, INET6 } from '../wire/endpoint.ts';

/** Word of an IPv6 row that holds the scope of a link-local address. */
const SCOPE_WORD = 6;

/** Writes an address given by Node into a row; false (and nothing written) if it is not one. */
export function setNodeAddress(book: EndpointBook, row: number, address: string, port: number): boolean {
  const zoneAt = address.indexOf('%');
  const bytes = parseAddress(zoneAt < 0 ? address : address.slice(0, zoneAt));
  if (!bytes) return false;
  if (isMappedIPv4(bytes)) book.set(row, bytes, 12, 4, port);
  else book.set(row, bytes, 0, bytes.length, port);
  if (zoneAt >= 0) book.words[row * ENDPOINT_WORDS + SCOPE_WORD] = scopeOf(address.slice(zoneAt + 1));
  return true;
}

/** The row's address as Node takes it. */
export function nodeAddress(book: EndpointBook, row: number): string {
  const scope = book.words[row * ENDPOINT_WORDS + SCOPE_WORD] as number;
  const text = book.addressText(row);
  return scope === 0 || book.family(row) !== INET6 ? text : `${text}%${zoneOf(scope)}`;
}

/** RFC 4291 §2.5.5.2: ten zero bytes, two of ones, then the IPv4 address. */
function isMappedIPv4(bytes: Uint8Array): boolean {
  if (bytes.length !== 16 || bytes[10] !== 0xff || bytes[11] !== 0xff) return false;
  for (let i = 0; i < 10; i++) if (bytes[i] !== 0) return false;
  return true;
}

// Zones are interface names on POSIX systems and numbers on Windows.
function scopeOf(zone: string): number {
  if (/^\d+$/.test(zone)) return Number(zone);
  for (const address of networkInterfaces()[zone] ?? []) {
    if (address.family === 'IPv6' && address.scopeid !== 0) return address.scopeid;
  }
  return 0;
}

function zoneOf(scope: number): string {
  if (process.platform === 'win32') return String(scope);
  for (const [name, addresses] of Object.entries(networkInterfaces())) {
    for (const address of addresses ?? []) {
      if (address.family === 'IPv6' && address.scopeid === scope) return name;
    }
  }
  return String(scope);
}
