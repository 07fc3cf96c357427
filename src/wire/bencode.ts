/**
 * Bencode (BEP 3), the notation of the `ng` protocol: integers, byte strings, lists, dictionaries.
 *
 * A byte string is held as text of one character a byte (Latin-1), so that bytes which are no UTF-8 come
 * out as they went in. Dictionaries have no prototype: a key such as `__proto__` is a key as any other.
 */
import { u8 } from './bytes.ts';

export type BencodeValue = string | number | readonly BencodeValue[] | BencodeDictionary;
export interface BencodeDictionary {
  readonly [key: string]: BencodeValue;
}

/** Dictionaries and lists inside each other; the statistics of a stream in the reply to `query` take all of them. */
export const BENCODE_DEPTH_MAX = 8;
/** Values in one message, keys not counted. */
export const BENCODE_VALUES_MAX = 4096;

/** Of 2^53. */
const DIGITS_MAX = 16;
/** Arguments of one call of `String.fromCharCode`. */
const CHUNK_BYTES = 8192;

const MINUS = 0x2d;
const COLON = 0x3a;
const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;
const LETTER_D = 0x64;
const LETTER_E = 0x65;
const LETTER_I = 0x69;
const LETTER_L = 0x6c;

/**
 * The one value that the bytes are; undefined if they are not exactly one well-formed value, if an integer
 * is beyond ±2^53, or beyond {@link BENCODE_DEPTH_MAX} and {@link BENCODE_VALUES_MAX}. Keys may come
 * in any order, as SIP proxies send them; of equal keys the last one counts, as in JSON.
 */
export function decodeBencode(bytes: Uint8Array): BencodeValue | undefined {
  const reader = new Reader(bytes);
  const value = reader.value(1);
  return reader.at === bytes.length ? value : undefined;
}

/**
 * Keys are sorted; text is written as {@link byteString} has it. Bencode has no fractions: a number is cut
 * to a whole one within ±2^53, and NaN is 0.
 */
export function encodeBencode(value: BencodeValue): Uint8Array {
  const parts: string[] = [];
  append(parts, value);
  return latin1Bytes(parts.join(''));
}

/** An empty dictionary to fill. */
export function emptyDictionary<Value>(): Record<string, Value> {
  return Object.create(null) as Record<string, Value>;
}

/** Text of one character a byte: characters beyond 0xFF become their UTF-8 bytes, the others are bytes already. */
export function byteString(text: string): string {
  if (!/[\u0100-\uffff]/.test(text)) return text; // as nearly all are
  return text.replace(/[\u{100}-\u{10ffff}]+/gu, utf8ByteString);
}

/** All of a text as UTF-8, one character a byte. */
export function utf8ByteString(text: string): string {
  return latin1Text(new TextEncoder().encode(text));
}

/** Each byte as the character of its number. */
export function latin1Text(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
    // Nine times as fast as a spread argument, which goes through the array's iterator.
    text += Reflect.apply(String.fromCharCode, undefined, bytes.subarray(at, at + CHUNK_BYTES));
  }
  return text;
}

/** The other way round; no character may be beyond 0xFF. */
export function latin1Bytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

class Reader {
  /** Where the next value begins. */
  at = 0;
  readonly #bytes: Uint8Array;
  #values = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** The value at {@link at}, which moves behind it; undefined if there is none. The outermost has depth 1. */
  value(depth: number): BencodeValue | undefined {
    if (++this.#values > BENCODE_VALUES_MAX) return undefined;
    const first = u8(this.#bytes, this.at);
    if (first >= DIGIT_0 && first <= DIGIT_9) return this.#string();
    this.at++;
    if (first === LETTER_I) return this.#number(LETTER_E);
    if (depth > BENCODE_DEPTH_MAX) return undefined;
    if (first === LETTER_L) return this.#list(depth);
    return first === LETTER_D ? this.#dictionary(depth) : undefined;
  }

  #list(depth: number): BencodeValue[] | undefined {
    const list: BencodeValue[] = [];
    while (!this.#ends()) {
      const value = this.value(depth + 1);
      if (value === undefined) return undefined;
      list.push(value);
    }
    return list;
  }

  #dictionary(depth: number): BencodeDictionary | undefined {
    const dictionary = emptyDictionary<BencodeValue>();
    while (!this.#ends()) {
      const key = this.#string();
      const value = key === undefined ? undefined : this.value(depth + 1);
      if (key === undefined || value === undefined) return undefined;
      dictionary[key] = value;
    }
    return dictionary;
  }

  #ends(): boolean {
    if (u8(this.#bytes, this.at) !== LETTER_E) return false;
    this.at++;
    return true;
  }

  #string(): string | undefined {
    const length = this.#number(COLON);
    if (length === undefined || length < 0 || length > this.#bytes.length - this.at) return undefined;
    const start = this.at;
    this.at += length;
    return latin1Text(this.#bytes.subarray(start, this.at));
  }

  /** The integer up to `terminator`, without leading zeros or a negative zero (BEP 3). */
  #number(terminator: number): number | undefined {
    const bytes = this.#bytes;
    const isNegative = u8(bytes, this.at) === MINUS;
    const first = isNegative ? this.at + 1 : this.at;
    let end = first;
    let number = 0;
    for (; end < bytes.length && end - first < DIGITS_MAX; end++) {
      const digit = u8(bytes, end) - DIGIT_0;
      if (digit < 0 || digit > 9) break;
      number = number * 10 + digit;
    }
    const hasLeadingZero = u8(bytes, first) === DIGIT_0 && (isNegative || end - first > 1);
    if (end === first || hasLeadingZero || u8(bytes, end) !== terminator) return undefined;
    this.at = end + 1;
    if (!Number.isSafeInteger(number)) return undefined;
    return isNegative ? -number : number;
  }
}

function append(parts: string[], value: BencodeValue): void {
  if (typeof value === 'number') {
    parts.push(`i${whole(value)}e`);
  } else if (typeof value === 'string') {
    appendString(parts, byteString(value));
  } else if (isList(value)) {
    parts.push('l');
    for (const item of value) append(parts, item);
    parts.push('e');
  } else {
    appendDictionary(parts, value);
  }
}

function appendDictionary(parts: string[], dictionary: BencodeDictionary): void {
  const entries = Object.entries(dictionary).map(([key, value]) => [byteString(key), value] as const);
  entries.sort(([a], [b]) => (a < b ? -1 : Number(a > b))); // by bytes, as one is a character
  parts.push('d');
  for (const [key, value] of entries) {
    appendString(parts, key);
    append(parts, value);
  }
  parts.push('e');
}

function appendString(parts: string[], text: string): void {
  parts.push(`${text.length}:${text}`);
}

function whole(number: number): number {
  if (Number.isNaN(number)) return 0;
  return Math.trunc(Math.min(Math.max(number, Number.MIN_SAFE_INTEGER), Number.MAX_SAFE_INTEGER));
}

/** `Array.isArray` as a guard that leaves the other types of the union intact. */
export function isList(value: BencodeValue): value is readonly BencodeValue[] {
  return Array.isArray(value);
}
