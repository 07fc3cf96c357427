/**
 * IP addresses as bytes (4 or 16, network order) and as text, and prefixes (CIDR).
 * Control plane only: everything here allocates.
 */

const DIGIT_0 = 0x30;
const DOT = 0x2e;

/** Parses a textual IPv4 or IPv6 address (RFC 4291 §2.2); undefined if it is neither. */
export function parseAddress(text: string): Uint8Array | undefined {
  return text.includes(':') ? parseIPv6(text) : parseIPv4(text);
}

/** Character by character: a call's SDP has dozens of addresses. */
function parseIPv4(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(4);
  let at = 0;
  for (let i = 0; i < 4; i++) {
    if (i > 0 && text.charCodeAt(at++) !== DOT) return undefined;
    const first = at;
    let value = 0;
    while (at < text.length) {
      const digit = text.charCodeAt(at) - DIGIT_0;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
      at++;
    }
    const digits = at - first;
    const hasLeadingZero = digits > 1 && text.charCodeAt(first) === DIGIT_0;
    if (digits === 0 || digits > 3 || value > 255 || hasLeadingZero) return undefined;
    bytes[i] = value;
  }
  return at === text.length ? bytes : undefined;
}

function parseIPv6(text: string): Uint8Array | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0] ?? '', halves.length === 1);
  const tail = halves.length === 2 ? parseGroups(halves[1] ?? '', true) : [];
  if (!head || !tail) return undefined;
  const missing = 16 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 2) return undefined;
  return Uint8Array.from([...head, ...new Array<number>(missing).fill(0), ...tail]);
}

/** The bytes of colon-separated groups; the last may be dotted IPv4 where `dottedEnd`. */
function parseGroups(text: string, dottedEnd: boolean): number[] | undefined {
  if (text === '') return [];
  const bytes: number[] = [];
  const groups = text.split(':');
  for (const [i, group] of groups.entries()) {
    if (dottedEnd && i === groups.length - 1 && group.includes('.')) {
      const ipv4 = parseIPv4(group);
      if (!ipv4) return undefined;
      bytes.push(...ipv4);
    } else if (/^[0-9a-fA-F]{1,4}$/.test(group)) {
      const value = Number.parseInt(group, 16);
      bytes.push(value >>> 8, value & 0xff);
    } else {
      return undefined;
    }
  }
  return bytes;
}

/** Text of a 4- or 16-byte address; IPv6 in the form of RFC 5952 (lower case, longest zero run as `::`). */
export function formatAddress(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0));
  let runStart = -1;
  let runLength = 1; // a single zero group is not shortened (RFC 5952 §4.2.2)
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (groups[start + length] === 0) length++;
    if (length > runLength) [runStart, runLength] = [start, length];
  }
  const hex = (part: number[]): string => part.map((group) => group.toString(16)).join(':');
  if (runStart < 0) return hex(groups);
  return `${hex(groups.slice(0, runStart))}::${hex(groups.slice(runStart + runLength))}`;
}

/** `address:port`, with brackets around IPv6. */
export function formatEndpoint(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** Undoes {@link formatEndpoint}: `192.0.2.1:80`, `[2001:db8::1]:80`; undefined if it is neither. */
export function parseEndpoint(text: string): { address: Uint8Array; port: number } | undefined {
  const match = /^(?:\[([^[\]]*:[^[\]]*)\]|([^:[\]]*)):(\d{1,5})$/.exec(text);
  const address = parseAddress(match?.[1] ?? match?.[2] ?? '');
  const port = Number(match?.[3]);
  return address && port <= 65_535 ? { address, port } : undefined;
}

/** A block of addresses: the leading `bits` bits of `bytes` are fixed. */
export interface Prefix {
  readonly bytes: Uint8Array;
  readonly bits: number;
}

/** Parses `address/bits`, or a bare address as a prefix of full length; undefined if it is not one. */
export function parsePrefix(text: string): Prefix | undefined {
  const slash = text.indexOf('/');
  const bytes = parseAddress(slash < 0 ? text : text.slice(0, slash));
  if (!bytes) return undefined;
  if (slash < 0) return { bytes, bits: bytes.length * 8 };
  const bitsText = text.slice(slash + 1);
  if (!/^\d{1,3}$/.test(bitsText) || Number(bitsText) > bytes.length * 8) return undefined;
  return { bytes, bits: Number(bitsText) };
}

/** True if the address (same length as the prefix's) lies in the prefix. */
export function prefixContains(prefix: Prefix, address: Uint8Array): boolean {
  if (prefix.bytes.length !== address.length) return false;
  const whole = prefix.bits >> 3;
  for (let i = 0; i < whole; i++) if (prefix.bytes[i] !== address[i]) return false;
  const rest = prefix.bits & 7;
  return rest === 0 || (((prefix.bytes[whole] ?? 0) ^ (address[whole] ?? 0)) & (0xff00 >> rest) & 0xff) === 0;
}
