/**
 * The values of single SDP lines (RFC 8866 §5): o=, c=, m= and a=rtcp (RFC 3605), read and edited so
 * that what nobody changed keeps its characters, spacing included.
 */
import { parseAddress } from './address.ts';

export type AddressFamily = 'IP4' | 'IP6';

export interface ConnectionData {
  readonly family: AddressFamily;
  /** An IP literal of the family, or a host name; not resolved. */
  readonly address: string;
}

/** `o=`; id and version are digits in RFC 8866, but what came is kept and not checked. */
export interface Origin {
  readonly username: string;
  readonly sessionId: string;
  readonly sessionVersion: string;
  readonly family: AddressFamily;
  readonly address: string;
}

/** `a=rtcp`: where RTCP goes if not to the port after RTP's. */
export interface RtcpPort {
  /** 0–65535. */
  readonly port: number;
  /** Undefined: the address of RTP. */
  readonly connection: ConnectionData | undefined;
}

/** `m=` */
export interface MediaFields {
  readonly media: string;
  /** 0–65535; 0 refuses the line. */
  readonly port: number;
  /** 1 unless `port/count` says more. */
  readonly portCount: number;
  readonly protocol: string;
  /** Payload types of RTP, `*` of BFCP; empty only where the port is 0. */
  readonly formats: readonly string[];
}

/** The number that decimal digits write, without sign or leading zeros; undefined if not in min–max. */
export function decimal(text: string, min: number, max: number): number | undefined {
  if (!/^(0|[1-9]\d{0,14})$/.test(text)) return undefined;
  const value = Number(text);
  return value >= min && value <= max ? value : undefined;
}

/**
 * The value of a c= line; undefined if malformed. A multicast address, or one with a TTL or count, is
 * `'multicast'`: well-formed, but nothing for a relay.
 */
export function parseConnection(value: string): ConnectionData | 'multicast' | undefined {
  const fields = fieldsOf(value);
  if (fields.length !== 3) return undefined;
  const [address = '', ...numbers] = (fields[2] ?? '').split('/');
  const connection = connectionOf(fields[0], fields[1], address);
  if (!connection || numbers.length > 2) return undefined;
  if (numbers.some((number) => decimal(number, 0, 65_535) === undefined)) return undefined;
  return numbers.length > 0 || isMulticast(address) ? 'multicast' : connection;
}

export function formatConnection(connection: ConnectionData): string {
  return `IN ${connection.family} ${connection.address}`;
}

/** The value of an a=rtcp line (RFC 3605 §2.1); undefined if malformed. */
export function parseRtcpPort(value: string): RtcpPort | undefined {
  const [portText = '', ...rest] = fieldsOf(value);
  const port = decimal(portText, 0, 65_535);
  if (port === undefined) return undefined;
  if (rest.length === 0) return { port, connection: undefined };
  const connection = rest.length === 3 ? connectionOf(rest[0], rest[1], rest[2] ?? '') : undefined;
  return connection && { port, connection };
}

/** The value of an o= line; undefined if malformed. A user name with spaces, seen in the wild, is taken whole. */
export function parseOrigin(value: string): Origin | undefined {
  const parts = value.split(/( +)/);
  const last = lastField(parts);
  if (last < 10) return undefined;
  const connection = connectionOf(parts[last - 4], parts[last - 2], parts[last] ?? '');
  if (!connection) return undefined;
  return {
    username: parts.slice(0, last - 9).join(''),
    sessionId: parts[last - 8] ?? '',
    sessionVersion: parts[last - 6] ?? '',
    ...connection,
  };
}

/** The value of a well-formed o= line with some of its fields changed. */
export function editOrigin(value: string, changes: Partial<Origin>): string {
  const parts = value.split(/( +)/);
  const last = lastField(parts);
  if (changes.address !== undefined) parts[last] = changes.address;
  if (changes.family !== undefined) parts[last - 2] = changes.family;
  if (changes.sessionVersion !== undefined) parts[last - 6] = changes.sessionVersion;
  if (changes.sessionId !== undefined) parts[last - 8] = changes.sessionId;
  if (changes.username !== undefined) parts.splice(0, last - 9, changes.username);
  return parts.join('');
}

/** The value of an m= line (RFC 8866 §5.14); undefined if malformed. */
export function parseMedia(value: string): MediaFields | undefined {
  const [media = '', ports = '', protocol = '', ...formats] = value.split(/ +/);
  if (formats.at(-1) === '') formats.pop(); // spaces at the end
  const [portText = '', countText = '1', ...more] = ports.split('/');
  const port = decimal(portText, 0, 65_535);
  const portCount = decimal(countText, 1, 65_535);
  if (media === '' || protocol === '' || more.length > 0) return undefined;
  if (port === undefined || portCount === undefined) return undefined;
  // Refused lines without a format are sent by some, and nobody needs it.
  if (formats.length === 0 && port !== 0) return undefined;
  return { media, port, portCount, protocol, formats };
}

/** The value of a well-formed m= line with some of its fields changed; a new port has no count. */
export function editMedia(
  value: string,
  changes: Partial<Pick<MediaFields, 'port' | 'protocol' | 'formats'>>,
): string {
  const parts = value.split(/( +)/);
  if (changes.port !== undefined) parts[2] = `${changes.port}`;
  if (changes.protocol !== undefined) parts[4] = changes.protocol;
  if (changes.formats !== undefined) parts.splice(5, parts.length, ` ${changes.formats.join(' ')}`);
  return parts.join('');
}

/** The words between spaces. */
export function fieldsOf(value: string): string[] {
  return value.split(' ').filter((field) => field !== '');
}

/** Index of the last field that is not empty, among fields (even) and spaces (odd). */
function lastField(parts: readonly string[]): number {
  return parts.at(-1) === '' ? parts.length - 3 : parts.length - 1;
}

function connectionOf(
  network: string | undefined,
  family: string | undefined,
  address: string,
): ConnectionData | undefined {
  if (network !== 'IN' || (family !== 'IP4' && family !== 'IP6')) return undefined;
  return isAddressOrName(address, family) ? { family, address } : undefined;
}

function isAddressOrName(text: string, family: AddressFamily): boolean {
  const bytes = parseAddress(text);
  return bytes ? (bytes.length === 4) === (family === 'IP4') : isHostName(text);
}

/** Letters, digits, `-` and `.` (FQDN of RFC 8866 §9), and the `_` that private names have. */
export function isHostName(text: string): boolean {
  return text.length <= 255 && /^[A-Za-z0-9._-]+$/.test(text);
}

/** 224.0.0.0/4 (RFC 5771), ff00::/8 (RFC 4291 §2.7). */
function isMulticast(address: string): boolean {
  const bytes = parseAddress(address);
  const first = bytes?.[0] ?? 0;
  return bytes?.length === 4 ? first >= 224 && first < 240 : first === 0xff;
}
