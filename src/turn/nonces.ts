/**
 * Nonces that need no memory (RFC 8489 §9.2): the time of issue and an HMAC over it and the client's
 * address and port, under a key of this process. So a nonce works for one client, for a while, on
 * every worker, and verifying one creates nothing.
 *
 *     "obMatJos2" | security features, 24 bits in base64 (4) | base64url of seconds (4) + HMAC (12)
 *
 * The first 13 characters are RFC 8489's nonce cookie: they protect the password algorithms from
 * being bid down, and say that anonymous usernames (USERHASH) are understood (§9.2, §18.1).
 */
import { i32, setU32, u8 } from '../wire/bytes.ts';
import type { EndpointBook } from '../wire/endpoint.ts';
import { INET } from '../wire/endpoint.ts';
import type { Hmac } from '../wire/stun-writer.ts';

/** A nonce is renewed (438) after this time. */
export const NONCE_LIFETIME_SECONDS = 600;
export const NONCE_BYTES = 35;

const PREFIX = 'obMatJos2wAAA'; // security features: bit 0 password algorithms, bit 1 username anonymity
const TIME_BYTES = 4;
const TAG_BYTES = 12;
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

export class Nonces {
  readonly #key: Uint8Array;
  readonly #hmac: Hmac;
  readonly #input = new Uint8Array(TIME_BYTES + 2 + 16);
  readonly #raw = new Uint8Array(TIME_BYTES + TAG_BYTES);
  readonly #text = new Uint8Array(NONCE_BYTES);

  /** `key`: 32 random bytes, the same in all workers of a node. */
  constructor(key: Uint8Array, hmac: Hmac) {
    this.#key = key;
    this.#hmac = hmac;
    for (let i = 0; i < PREFIX.length; i++) this.#text[i] = PREFIX.charCodeAt(i);
  }

  /** A nonce for the client in `row`: {@link NONCE_BYTES} ASCII bytes, valid until the next call. */
  issue(book: EndpointBook, row: number, nowMs: number): Uint8Array {
    return this.#make(book, row, Math.trunc(nowMs / 1000));
  }

  /** Whether the nonce at `offset` was issued to the client in `row` and is fresh. */
  accepts(
    bytes: Uint8Array,
    offset: number,
    length: number,
    book: EndpointBook,
    row: number,
    nowMs: number,
  ): boolean {
    if (length !== NONCE_BYTES) return false;
    const issuedSeconds = readSeconds(bytes, offset + PREFIX.length);
    const ageSeconds = Math.trunc(nowMs / 1000) - issuedSeconds;
    if (ageSeconds < 0 || ageSeconds > NONCE_LIFETIME_SECONDS) return false;
    const expected = this.#make(book, row, issuedSeconds);
    let difference = 0;
    for (let i = 0; i < NONCE_BYTES; i++) difference |= u8(bytes, offset + i) ^ u8(expected, i);
    return difference === 0;
  }

  #make(book: EndpointBook, row: number, seconds: number): Uint8Array {
    const isIPv4 = book.family(row) === INET;
    const address = book.addressOffset(row);
    const addressBytes = isIPv4 ? 4 : 16;
    const port = book.port(row);
    setU32(this.#input, 0, seconds);
    this.#input[4] = port >>> 8;
    this.#input[5] = port;
    for (let i = 0; i < addressBytes; i++) this.#input[6 + i] = u8(book.bytes, address + i);
    const tag = this.#hmac('sha256', this.#key, this.#input, 0, 6 + addressBytes);
    this.#raw.set(this.#input.subarray(0, TIME_BYTES));
    this.#raw.set(tag.subarray(0, TAG_BYTES), TIME_BYTES);
    encode(this.#raw, this.#text, PREFIX.length);
    return this.#text;
  }
}

/** base64url without padding. */
function encode(raw: Uint8Array, text: Uint8Array, at: number): void {
  for (let i = 0; i < raw.length; i += 3) {
    const bits = (u8(raw, i) << 16) | ((raw[i + 1] ?? 0) << 8) | (raw[i + 2] ?? 0);
    for (let c = 0; c < 4 && at < text.length; c++) {
      text[at++] = ALPHABET.charCodeAt((bits >>> (18 - c * 6)) & 63);
    }
  }
}

/** The 32 bits that the first six base64url characters begin with; rubbish gives some number. */
function readSeconds(bytes: Uint8Array, offset: number): number {
  const value = new Uint8Array(4);
  let bits = 0;
  let have = 0;
  let at = 0;
  for (let i = 0; i < 6 && at < 4; i++) {
    bits = (bits << 6) | (ALPHABET.indexOf(String.fromCharCode(u8(bytes, offset + i))) & 63);
    have += 6;
    if (have >= 8) {
      have -= 8;
      value[at++] = bits >>> have;
      bits &= (1 << have) - 1;
    }
  }
  return i32(value, 0) >>> 0;
}
