/**
 * STUN for the peers of our tests and the lab: an encoder and decoder written from RFC 8489 alone, sharing
 * nothing with `src/wire`, so that a fault of the server's codec cannot hide behind the same fault here.
 */
import { createHash, createHmac } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { TransportAddress } from './protocol.ts';

export const COOKIE = 0x2112a442;

export const REQUEST = 0;
export const INDICATION = 1;
export const SUCCESS = 2;
export const FAILURE = 3;

export const BINDING = 1;
export const ALLOCATE = 3;
export const REFRESH = 4;
export const SEND = 6;
export const DATA_METHOD = 7;
export const CREATE_PERMISSION = 8;
export const CHANNEL_BIND = 9;

/** Attribute types by name, as the registry has them. */
export const A = {
  mappedAddress: 0x0001,
  username: 0x0006,
  messageIntegrity: 0x0008,
  errorCode: 0x0009,
  unknownAttributes: 0x000a,
  channelNumber: 0x000c,
  lifetime: 0x000d,
  xorPeerAddress: 0x0012,
  data: 0x0013,
  realm: 0x0014,
  nonce: 0x0015,
  xorRelayedAddress: 0x0016,
  requestedAddressFamily: 0x0017,
  evenPort: 0x0018,
  requestedTransport: 0x0019,
  dontFragment: 0x001a,
  messageIntegritySha256: 0x001c,
  passwordAlgorithm: 0x001d,
  userhash: 0x001e,
  xorMappedAddress: 0x0020,
  reservationToken: 0x0022,
  additionalAddressFamily: 0x8000,
  addressErrorCode: 0x8001,
  passwordAlgorithms: 0x8002,
  icmp: 0x8004,
  fingerprint: 0x8028,
} as const;

export interface Attribute {
  readonly type: number;
  readonly value: Uint8Array;
}

export interface Integrity {
  readonly algorithm: 'sha1' | 'sha256';
  readonly key: Uint8Array;
}

export interface Message {
  readonly method: number;
  /** {@link REQUEST}, {@link INDICATION}, {@link SUCCESS} or {@link FAILURE}. */
  readonly kind: number;
  readonly transactionId: Uint8Array;
  readonly attributes: readonly Attribute[];
}

/** Encodes a message; integrity and fingerprint, if wanted, come last. `cookie` is false for RFC 3489. */
export function encode(
  message: Message,
  options: {
    readonly integrity?: Integrity | undefined;
    readonly fingerprint?: boolean;
    readonly after?: readonly Attribute[];
  } = {},
): Buffer {
  const { method, kind } = message;
  const header = Buffer.alloc(20);
  const type = (method & 0xf) | ((method & 0x70) << 1) | ((method & 0xf80) << 2);
  header.writeUInt16BE(type | ((kind & 1) << 4) | ((kind & 2) << 7), 0);
  header.writeUInt32BE(COOKIE, 4);
  header.set(message.transactionId, 8);
  let bytes = Buffer.concat([header, ...message.attributes.map(encodeAttribute)]);
  if (options.integrity) {
    const { algorithm, key } = options.integrity;
    const size = algorithm === 'sha1' ? 20 : 32;
    bytes.writeUInt16BE(bytes.length - 20 + 4 + size, 2);
    const value = createHmac(algorithm, key).update(bytes).digest();
    const integrity = algorithm === 'sha1' ? A.messageIntegrity : A.messageIntegritySha256;
    bytes = Buffer.concat([bytes, encodeAttribute({ type: integrity, value })]);
  }
  if (options.after) bytes = Buffer.concat([bytes, ...options.after.map(encodeAttribute)]);
  if (options.fingerprint) {
    bytes.writeUInt16BE(bytes.length - 20 + 8, 2);
    const value = Buffer.alloc(4);
    value.writeUInt32BE((crc32(bytes) ^ 0x5354554e) >>> 0);
    bytes = Buffer.concat([bytes, encodeAttribute({ type: A.fingerprint, value })]);
  }
  bytes.writeUInt16BE(bytes.length - 20, 2);
  return bytes;
}

/** Decodes a message; throws on anything that is not a well-formed one with zero padding. */
export function decode(bytes: Uint8Array): Message {
  const buffer = Buffer.from(bytes);
  const type = buffer.readUInt16BE(0);
  if (type >> 14 !== 0 || buffer.readUInt16BE(2) !== buffer.length - 20) throw new Error('no STUN message');
  if (buffer.readUInt32BE(4) !== COOKIE) throw new Error('no magic cookie');
  const attributes: Attribute[] = [];
  for (let at = 20; at < buffer.length; ) {
    const length = buffer.readUInt16BE(at + 2);
    const end = at + 4 + length;
    const next = at + 4 + Math.ceil(length / 4) * 4;
    if (next > buffer.length) throw new Error('attribute beyond the end of its message');
    if (buffer.subarray(end, next).some((byte) => byte !== 0)) throw new Error('padding that is not zero');
    attributes.push({ type: buffer.readUInt16BE(at), value: Uint8Array.from(buffer.subarray(at + 4, end)) });
    at = next;
  }
  return {
    method: (type & 0xf) | ((type >> 1) & 0x70) | ((type >> 2) & 0xf80),
    kind: ((type >> 4) & 1) | ((type >> 7) & 2),
    transactionId: Uint8Array.from(buffer.subarray(8, 20)),
    attributes,
  };
}

/** A copy with zeros for padding, which may be anything (RFC 8489 §14) but which {@link decode} wants so. */
export function withZeroPadding(message: Uint8Array): Buffer {
  const bytes = Buffer.from(message);
  for (let at = 20; at + 4 <= bytes.length; ) {
    const length = bytes.readUInt16BE(at + 2);
    const next = at + 4 + ((length + 3) & ~3);
    bytes.fill(0, Math.min(bytes.length, at + 4 + length), Math.min(bytes.length, next));
    at = next;
  }
  return bytes;
}

/** The attribute's value, or undefined. */
export function find(message: Message, type: number): Uint8Array | undefined {
  return message.attributes.find((attribute) => attribute.type === type)?.value;
}

/** All values of a type, in order. */
export function findAll(message: Message, type: number): Uint8Array[] {
  return message.attributes.filter((attribute) => attribute.type === type).map(({ value }) => value);
}

/** The error code of an error response, else 0. */
export function errorCode(message: Message): number {
  const value = find(message, A.errorCode);
  return value === undefined ? 0 : ((value[2] ?? 0) & 7) * 100 + (value[3] ?? 0);
}

/** Whether the message's integrity attribute is that of the key; false if it has none. */
export function hasIntegrity(bytes: Uint8Array, { algorithm, key }: Integrity): boolean {
  const buffer = Buffer.from(bytes);
  const wanted = algorithm === 'sha1' ? A.messageIntegrity : A.messageIntegritySha256;
  for (let at = 20; at < buffer.length; ) {
    const length = buffer.readUInt16BE(at + 2);
    if (buffer.readUInt16BE(at) === wanted) {
      const covered = Buffer.from(buffer.subarray(0, at));
      covered.writeUInt16BE(at + 4 + length - 20, 2);
      const expected = createHmac(algorithm, key).update(covered).digest();
      return expected.equals(buffer.subarray(at + 4, at + 4 + length));
    }
    at += 4 + Math.ceil(length / 4) * 4;
  }
  return false;
}

/** Whether the last attribute is a right FINGERPRINT. */
export function hasFingerprint(bytes: Uint8Array): boolean {
  const buffer = Buffer.from(bytes);
  const at = buffer.length - 8;
  if (at < 20 || buffer.readUInt32BE(at) !== 0x80280004) return false;
  return buffer.readUInt32BE(at + 4) === (crc32(buffer.subarray(0, at)) ^ 0x5354554e) >>> 0;
}

/** Key of long-term credentials (RFC 8489 §18.5.1). */
export function longTermKey(
  hash: 'md5' | 'sha256',
  user: string,
  realm: string,
  password: string,
): Uint8Array {
  return createHash(hash).update(`${user}:${realm}:${password}`).digest();
}

export function encodeXorAddress({ address, port }: TransportAddress, transactionId: Uint8Array): Uint8Array {
  const plain = addressBytes(address);
  const value = Buffer.alloc(4 + plain.length);
  value[1] = plain.length === 4 ? 1 : 2;
  value.writeUInt16BE(port ^ (COOKIE >>> 16), 2);
  value.set(xored(plain, transactionId), 4);
  return value;
}

export function decodeXorAddress(value: Uint8Array, transactionId: Uint8Array): TransportAddress {
  const buffer = Buffer.from(value);
  if (value[0] !== 0 || (value[1] === 1 ? value.length !== 8 : value[1] !== 2 || value.length !== 20)) {
    throw new Error(`no address: ${buffer.toString('hex')}`);
  }
  return {
    address: addressText(xored(buffer.subarray(4), transactionId)),
    port: buffer.readUInt16BE(2) ^ (COOKIE >>> 16),
  };
}

/** 4 or 16 bytes of an address in text; IPv4 in dotted form may end an IPv6 one. */
export function addressBytes(text: string): Uint8Array {
  if (!text.includes(':')) return Uint8Array.from(text.split('.').map(Number));
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  if (dotted) {
    const [a, b, c, d] = dotted.slice(2).map(Number) as [number, number, number, number];
    return addressBytes(`${dotted[1]}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`);
  }
  const [head = '', tail] = text.split('::');
  const groupsOf = (part: string | undefined): string[] => (part ? part.split(':') : []);
  const [first, last] = [groupsOf(head), groupsOf(tail)];
  const middle = new Array<string>(8 - first.length - last.length).fill('0');
  const bytes = Buffer.alloc(16);
  [...first, ...middle, ...last].forEach((group, i) => {
    bytes.writeUInt16BE(Number.parseInt(group, 16), i * 2);
  });
  return Uint8Array.from(bytes);
}

/** Text of an address; IPv6 with its longest run of zeros shortened. */
export function addressText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, i) =>
    Buffer.from(bytes)
      .readUInt16BE(i * 2)
      .toString(16),
  );
  const runs = [...`${groups.join(':')}:`.matchAll(/(?:\b0:){2,}/g)].sort(
    (a, b) => b[0].length - a[0].length,
  );
  const run = runs[0];
  if (run === undefined) return groups.join(':');
  const all = `${groups.join(':')}:`;
  const head = all.slice(0, run.index).replace(/:$/, '');
  return `${head}::${all.slice(run.index + run[0].length).replace(/:$/, '')}`;
}

function xored(address: Uint8Array, transactionId: Uint8Array): Uint8Array {
  const mask = Buffer.alloc(16);
  mask.writeUInt32BE(COOKIE, 0);
  mask.set(transactionId, 4);
  return address.map((byte, i) => byte ^ (mask[i] ?? 0));
}

function encodeAttribute({ type, value }: Attribute): Buffer {
  const bytes = Buffer.alloc(4 + Math.ceil(value.length / 4) * 4);
  bytes.writeUInt16BE(type, 0);
  bytes.writeUInt16BE(value.length, 2);
  bytes.set(value, 4);
  return bytes;
}
