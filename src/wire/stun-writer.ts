/** Writes a STUN message (RFC 8489) into a slot of the slab, attribute by attribute. */
import { setU8, setU16, setU32, u8, u16 } from './bytes.ts';
import { crc32 } from './crc32.ts';
import type { EndpointBook } from './endpoint.ts';
import {
  ATTR_ERROR_CODE,
  ATTR_FINGERPRINT,
  ATTR_MESSAGE_INTEGRITY,
  ATTR_MESSAGE_INTEGRITY_SHA256,
  ATTR_UNKNOWN_ATTRIBUTES,
  FINGERPRINT_XOR,
  MAGIC_COOKIE,
  STUN_HEADER_BYTES,
  writeAddressValue,
} from './stun.ts';

export type HmacAlgorithm = 'sha1' | 'sha256';

/** HMAC over `length` bytes at `offset`; given to the cores, which hold no crypto of their own. */
export type Hmac = (
  algorithm: HmacAlgorithm,
  key: Uint8Array,
  bytes: Uint8Array,
  offset: number,
  length: number,
) => Uint8Array;

export class StunWriter {
  readonly bytes: Uint8Array;
  /** Where the message begins. */
  offset = 0;
  #end = 0;
  #classic = false;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** Bytes written so far, header included. */
  get length(): number {
    return this.#end - this.offset;
  }

  /** Begins a message at `offset`; its transaction ID must be written next. */
  begin(offset: number, method: number, messageClass: number): this {
    this.offset = offset;
    this.#end = offset + STUN_HEADER_BYTES;
    this.#classic = false;
    const type =
      (method & 0x000f) |
      ((method & 0x0070) << 1) |
      ((method & 0x0f80) << 2) |
      ((messageClass & 1) << 4) |
      ((messageClass & 2) << 7);
    setU16(this.bytes, offset, type);
    setU16(this.bytes, offset + 2, 0);
    setU32(this.bytes, offset + 4, MAGIC_COOKIE);
    return this;
  }

  /** Takes the transaction ID (96 bits) from `source`. */
  transactionId(source: Uint8Array, offset: number): this {
    for (let i = 0; i < 12; i++) this.bytes[this.offset + 8 + i] = u8(source, offset + i);
    return this;
  }

  /** Takes cookie and transaction ID from the header of the request at `request`. */
  answering(source: Uint8Array, request: number, classic: boolean): this {
    for (let i = 4; i < STUN_HEADER_BYTES; i++) this.bytes[this.offset + i] = u8(source, request + i);
    this.#classic = classic;
    return this;
  }

  /** An attribute whose value is copied. */
  attribute(type: number, value: Uint8Array, from = 0, length: number = value.length): this {
    const at = this.#open(type, length);
    for (let i = 0; i < length; i++) this.bytes[at + i] = u8(value, from + i);
    return this;
  }

  attributeU32(type: number, value: number): this {
    setU32(this.bytes, this.#open(type, 4), value);
    return this;
  }

  /** An attribute without a value. */
  flag(type: number): this {
    this.#open(type, 0);
    return this;
  }

  xorAddress(type: number, book: EndpointBook, row: number): this {
    return this.#address(type, this.#classic ? -1 : this.offset, book, row);
  }

  plainAddress(type: number, book: EndpointBook, row: number): this {
    return this.#address(type, -1, book, row);
  }

  /** ERROR-CODE (RFC 8489 §14.8), without a reason phrase: it would only amplify. */
  errorCode(code: number, type: number = ATTR_ERROR_CODE, firstByte = 0): this {
    const at = this.#open(type, 4);
    setU32(this.bytes, at, 0);
    setU8(this.bytes, at, firstByte);
    setU8(this.bytes, at + 2, Math.trunc(code / 100));
    setU8(this.bytes, at + 3, code % 100);
    return this;
  }

  unknownAttributes(types: Uint16Array, count: number): this {
    const at = this.#open(ATTR_UNKNOWN_ATTRIBUTES, count * 2);
    for (let i = 0; i < count; i++) setU16(this.bytes, at + i * 2, types[i] as number);
    return this;
  }

  /** MESSAGE-INTEGRITY or MESSAGE-INTEGRITY-SHA256 over all before it (RFC 8489 §14.5, §14.6). */
  integrity(algorithm: HmacAlgorithm, key: Uint8Array, hmac: Hmac): this {
    const length = algorithm === 'sha1' ? 20 : 32;
    const covered = this.length;
    const at = this.#open(
      algorithm === 'sha1' ? ATTR_MESSAGE_INTEGRITY : ATTR_MESSAGE_INTEGRITY_SHA256,
      length,
    );
    this.bytes.set(hmac(algorithm, key, this.bytes, this.offset, covered), at);
    return this;
  }

  fingerprint(): this {
    const covered = this.length;
    const at = this.#open(ATTR_FINGERPRINT, 4);
    setU32(this.bytes, at, crc32(this.bytes, this.offset, covered) ^ FINGERPRINT_XOR);
    return this;
  }

  #address(type: number, message: number, book: EndpointBook, row: number): this {
    const at = this.#end + 4;
    const length = writeAddressValue(this.bytes, message, at, book, row);
    this.#open(type, length);
    return this;
  }

  /** Writes type, length and zero padding, moves the end, keeps the header's length right; returns the value's offset. */
  #open(type: number, length: number): number {
    const at = this.#end + 4;
    setU16(this.bytes, at - 4, type);
    setU16(this.bytes, at - 2, length);
    this.#end = at + ((length + 3) & ~3);
    for (let i = at + length; i < this.#end; i++) this.bytes[i] = 0;
    setU16(this.bytes, this.offset + 2, this.#end - this.offset - STUN_HEADER_BYTES);
    return at;
  }
}

/**
 * Checks the integrity attribute whose header is at `attribute` of the message at `message`, in
 * constant time. The length field is set, while hashing, to end with the attribute (RFC 8489 §14.5).
 */
export function verifyIntegrity(
  algorithm: HmacAlgorithm,
  key: Uint8Array,
  bytes: Uint8Array,
  message: number,
  attribute: number,
  hmac: Hmac,
): boolean {
  const valueLength = u16(bytes, attribute + 2);
  const original = u16(bytes, message + 2);
  setU16(bytes, message + 2, attribute + 4 + valueLength - message - STUN_HEADER_BYTES);
  const expected = hmac(algorithm, key, bytes, message, attribute - message);
  setU16(bytes, message + 2, original);
  let difference = valueLength > expected.length ? 1 : 0;
  for (let i = 0; i < valueLength; i++) difference |= u8(bytes, attribute + 4 + i) ^ (expected[i] ?? 0);
  return difference === 0;
}
