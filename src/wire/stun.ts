/**
 * STUN messages (RFC 8489), parsed in place.
 *
 *      0                   1                   2                   3
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *     |0 0|     STUN message type     |         message length        |
 *     |                     magic cookie 0x2112A442                   |
 *     |                  transaction ID (96 bits)                     |
 *     |       attributes: type (16) length (16) value, padded to 4    |
 *
 * One {@link StunReader} serves all messages of a core: it keeps offsets, never views.
 */
import { i32, u8, u16 } from './bytes.ts';
import { crc32 } from './crc32.ts';
import { type EndpointBook, INET } from './endpoint.ts';

export const STUN_HEADER_BYTES = 20;
export const MAGIC_COOKIE = 0x2112a442;

/** Message classes (RFC 8489 §5). */
export const CLASS_REQUEST = 0;
export const CLASS_INDICATION = 1;
export const CLASS_SUCCESS = 2;
export const CLASS_ERROR = 3;

/** Methods (RFC 8489 §18.2, RFC 8656 §17). */
export const METHOD_BINDING = 0x001;
export const METHOD_ALLOCATE = 0x003;
export const METHOD_REFRESH = 0x004;
export const METHOD_SEND = 0x006;
export const METHOD_DATA = 0x007;
export const METHOD_CREATE_PERMISSION = 0x008;
export const METHOD_CHANNEL_BIND = 0x009;

/** Attributes (RFC 8489 §18.3, RFC 8656 §18, RFC 8445 §16.1). */
export const ATTR_MAPPED_ADDRESS = 0x0001;
export const ATTR_USERNAME = 0x0006;
export const ATTR_MESSAGE_INTEGRITY = 0x0008;
export const ATTR_ERROR_CODE = 0x0009;
export const ATTR_UNKNOWN_ATTRIBUTES = 0x000a;
export const ATTR_CHANNEL_NUMBER = 0x000c;
export const ATTR_LIFETIME = 0x000d;
export const ATTR_XOR_PEER_ADDRESS = 0x0012;
export const ATTR_DATA = 0x0013;
export const ATTR_REALM = 0x0014;
export const ATTR_NONCE = 0x0015;
export const ATTR_XOR_RELAYED_ADDRESS = 0x0016;
export const ATTR_REQUESTED_ADDRESS_FAMILY = 0x0017;
export const ATTR_EVEN_PORT = 0x0018;
export const ATTR_REQUESTED_TRANSPORT = 0x0019;
export const ATTR_DONT_FRAGMENT = 0x001a;
export const ATTR_MESSAGE_INTEGRITY_SHA256 = 0x001c;
export const ATTR_PASSWORD_ALGORITHM = 0x001d;
export const ATTR_USERHASH = 0x001e;
export const ATTR_XOR_MAPPED_ADDRESS = 0x0020;
export const ATTR_RESERVATION_TOKEN = 0x0022;
export const ATTR_PRIORITY = 0x0024;
export const ATTR_USE_CANDIDATE = 0x0025;
export const ATTR_ADDITIONAL_ADDRESS_FAMILY = 0x8000;
export const ATTR_ADDRESS_ERROR_CODE = 0x8001;
export const ATTR_PASSWORD_ALGORITHMS = 0x8002;
export const ATTR_ICMP = 0x8004;
export const ATTR_FINGERPRINT = 0x8028;
export const ATTR_ICE_CONTROLLED = 0x8029;
export const ATTR_ICE_CONTROLLING = 0x802a;

/** Address families as attributes write them (RFC 8489 §14.1). */
export const FAMILY_IPV4 = 0x01;
export const FAMILY_IPV6 = 0x02;

/** XORed into the CRC-32 of FINGERPRINT (RFC 8489 §14.7). */
export const FINGERPRINT_XOR = 0x5354554e;

/** Outcomes of {@link StunReader.parse}. */
export const STUN_OK = 0;
export const STUN_NOT_STUN = 1;
export const STUN_BAD_LENGTH = 2;
export const STUN_BAD_ATTRIBUTE = 3;
export const STUN_BAD_FINGERPRINT = 4;

/** A request with more unknown attributes than this reports only the first ones. */
const UNKNOWN_MAX = 16;
/** XOR-PEER-ADDRESS may be repeated (CreatePermission); further ones are counted but not kept. */
const PEERS_MAX = 64;

/** Attribute types are kept by place: 0x0000–0x003F, then 0x8000–0x803F. */
const PLACES = 128;
const place = (type: number): number => (type & 0x7fc0 ? -1 : (type & 0x3f) | ((type >>> 15) << 6));

export class StunReader {
  bytes: Uint8Array = new Uint8Array(0);
  /** Offset of the header in {@link bytes}. */
  offset = 0;
  /** Header and attributes, bytes. */
  length = 0;
  method = 0;
  messageClass = 0;
  /** No magic cookie: a client of RFC 3489, whose transaction ID is 128 bits long. */
  classic = false;
  /** Offsets of the integrity and fingerprint attributes (their headers), or -1. */
  integrityOffset = -1;
  integritySha256Offset = -1;
  fingerprintOffset = -1;
  /** Comprehension-required attributes that the owner of this reader does not understand. */
  readonly unknown: Uint16Array = new Uint16Array(UNKNOWN_MAX);
  unknownCount = 0;
  /** Value offsets of the XOR-PEER-ADDRESS attributes; `peerCount` may exceed what is kept. */
  readonly peers: Int32Array = new Int32Array(PEERS_MAX);
  peerCount = 0;

  readonly #understood = new Uint8Array(PLACES);
  readonly #values = new Int32Array(PLACES);
  readonly #lengths = new Int32Array(PLACES);

  /** `understood`: the comprehension-required attributes that the owner knows (RFC 8489 §14). */
  constructor(understood: readonly number[]) {
    for (const type of understood) this.#understood[place(type)] = 1;
  }

  /** Parses one message that fills `length` bytes at `offset` exactly; returns a `STUN_…` outcome. */
  parse(bytes: Uint8Array, offset: number, length: number): number {
    if (length < STUN_HEADER_BYTES || u8(bytes, offset) > 3) return STUN_NOT_STUN;
    const type = u16(bytes, offset);
    const bodyLength = u16(bytes, offset + 2);
    if (bodyLength + STUN_HEADER_BYTES !== length || bodyLength & 3) return STUN_BAD_LENGTH;
    this.bytes = bytes;
    this.offset = offset;
    this.length = length;
    this.method = (type & 0x000f) | ((type & 0x00e0) >>> 1) | ((type & 0x3e00) >>> 2);
    this.messageClass = ((type & 0x0010) >>> 4) | ((type & 0x0100) >>> 7);
    this.classic = i32(bytes, offset + 4) !== MAGIC_COOKIE;
    return this.#parseAttributes();
  }

  has(type: number): boolean {
    return (this.#values[place(type)] as number) >= 0;
  }

  /** Offset of the attribute's value in {@link bytes}, or -1. Of several the first one counts. */
  value(type: number): number {
    return this.#values[place(type)] as number;
  }

  /** Length of the attribute's value without padding, bytes; 0 if it is absent. */
  valueLength(type: number): number {
    return this.has(type) ? (this.#lengths[place(type)] as number) : 0;
  }

  /** The attribute as text (UTF-8), or undefined. Control plane: allocates. */
  text(type: number): string | undefined {
    const value = this.value(type);
    if (value < 0) return undefined;
    return decoder.decode(this.bytes.subarray(value, value + this.valueLength(type)));
  }

  #parseAttributes(): number {
    const { bytes, offset } = this;
    const end = offset + this.length;
    this.#values.fill(-1);
    this.integrityOffset = this.integritySha256Offset = this.fingerprintOffset = -1;
    this.unknownCount = this.peerCount = 0;
    for (let at = offset + STUN_HEADER_BYTES; at < end; ) {
      if (at + 4 > end) return STUN_BAD_ATTRIBUTE;
      const type = u16(bytes, at);
      const valueLength = u16(bytes, at + 2);
      const next = at + 4 + ((valueLength + 3) & ~3);
      if (next > end) return STUN_BAD_ATTRIBUTE;
      if (type === ATTR_FINGERPRINT) {
        // The last attribute of a message, covering all before it (RFC 8489 §14.7).
        if (valueLength !== 4 || next !== end) return STUN_BAD_FINGERPRINT;
        const crc = crc32(bytes, offset, at - offset) ^ FINGERPRINT_XOR;
        if (i32(bytes, at + 4) !== crc) return STUN_BAD_FINGERPRINT;
        this.fingerprintOffset = at;
      } else if (this.integritySha256Offset >= 0) {
        // Nothing but FINGERPRINT counts behind MESSAGE-INTEGRITY-SHA256 (RFC 8489 §14.6).
      } else if (type === ATTR_MESSAGE_INTEGRITY_SHA256) {
        // Truncation needs a usage that defines it (RFC 8489 §14.6), and TURN does not.
        if (valueLength !== 32) return STUN_BAD_ATTRIBUTE;
        this.integritySha256Offset = at;
      } else if (this.integrityOffset >= 0) {
        // Nothing but MESSAGE-INTEGRITY-SHA256 and FINGERPRINT counts behind it (RFC 8489 §14.5).
      } else if (type === ATTR_MESSAGE_INTEGRITY) {
        if (valueLength !== 20) return STUN_BAD_ATTRIBUTE;
        this.integrityOffset = at;
      } else {
        this.#note(type, at + 4, valueLength);
      }
      at = next;
    }
    return STUN_OK;
  }

  #note(type: number, value: number, length: number): void {
    const index = place(type);
    if (type < 0x8000 && (index < 0 || this.#understood[index] === 0)) {
      if (this.unknownCount < UNKNOWN_MAX) this.unknown[this.unknownCount++] = type;
      return;
    }
    if (type === ATTR_XOR_PEER_ADDRESS) {
      if (this.peerCount < PEERS_MAX) this.peers[this.peerCount] = value;
      this.peerCount++;
    }
    if (index < 0 || (this.#values[index] as number) >= 0) return;
    this.#values[index] = value;
    this.#lengths[index] = length;
  }
}

const decoder = new TextDecoder();

/** Bytes of an address attribute's value: 8 for IPv4, 20 for IPv6. */
export function addressValueBytes(isIPv4: boolean): number {
  return isIPv4 ? 8 : 20;
}

/**
 * Reads an XOR-…-ADDRESS value (RFC 8489 §14.2) of the message at `message` into a row.
 * False (and nothing written) if family or length are wrong. `valueLength` is what the attribute says.
 */
export function readXorAddress(
  bytes: Uint8Array,
  message: number,
  value: number,
  book: EndpointBook,
  row: number,
): boolean {
  const family = u8(bytes, value + 1);
  const valueLength = u16(bytes, value - 2);
  if (family === FAMILY_IPV4 ? valueLength !== 8 : family !== FAMILY_IPV6 || valueLength !== 20) return false;
  const addressLength = valueLength - 4;
  for (let i = 0; i < addressLength; i++) {
    scratch[i] = u8(bytes, value + 4 + i) ^ u8(bytes, message + 4 + i);
  }
  book.set(row, scratch, 0, addressLength, u16(bytes, value + 2) ^ (MAGIC_COOKIE >>> 16));
  return true;
}

/**
 * Writes family, port and address of a row as an address attribute's value; XORed with the magic
 * cookie and transaction ID of the message at `message`, or plain if `message` is -1.
 * Returns the value's length.
 */
export function writeAddressValue(
  bytes: Uint8Array,
  message: number,
  value: number,
  book: EndpointBook,
  row: number,
): number {
  const isIPv4 = book.family(row) === INET;
  const from = book.addressOffset(row);
  const length = isIPv4 ? 4 : 16;
  const port = book.port(row) ^ (message < 0 ? 0 : MAGIC_COOKIE >>> 16);
  bytes[value] = 0;
  bytes[value + 1] = isIPv4 ? FAMILY_IPV4 : FAMILY_IPV6;
  bytes[value + 2] = port >>> 8;
  bytes[value + 3] = port;
  for (let i = 0; i < length; i++) {
    bytes[value + 4 + i] = u8(book.bytes, from + i) ^ (message < 0 ? 0 : u8(bytes, message + 4 + i));
  }
  return 4 + length;
}

const scratch = new Uint8Array(16);
