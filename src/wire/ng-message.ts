/**
 * Messages of the `ng` protocol: `cookie SP dictionary`, the dictionary in bencode (begins with `d`) or
 * JSON (begins with `{`). Requests and replies look alike.
 *
 * Whatever the notation, text in a dictionary is one character a byte, as `bencode.ts` has it: a call-id is
 * the same whether it came as bencode or as JSON.
 */
import {
  BENCODE_DEPTH_MAX,
  BENCODE_VALUES_MAX,
  type BencodeDictionary,
  type BencodeValue,
  byteString,
  decodeBencode,
  emptyDictionary,
  encodeBencode,
  isList,
  latin1Bytes,
  latin1Text,
  utf8ByteString,
} from './bencode.ts';
import { u8 } from './bytes.ts';

/** Payload of the largest UDP datagram over IPv4. */
export const NG_DATAGRAM_BYTES_MAX = 65_507;
/** A proxy's cookie has about 20. */
export const NG_COOKIE_BYTES_MAX = 128;

export type NgEncoding = 'bencode' | 'json';

export interface NgMessage {
  /** 1 to {@link NG_COOKIE_BYTES_MAX} visible ASCII characters. */
  readonly cookie: string;
  readonly encoding: NgEncoding;
  /** Undefined where it is malformed. */
  readonly dictionary: BencodeDictionary | undefined;
}

const SPACE = 0x20;
const CARRIAGE_RETURN = 0x0d;
const LINE_FEED = 0x0a;
const LETTER_D = 0x64;
const OPENING_BRACE = 0x7b;

/** Undefined where there is no cookie, or behind it neither notation begins: that deserves no reply. */
export function parseNgMessage(bytes: Uint8Array): NgMessage | undefined {
  const space = bytes.indexOf(SPACE);
  if (space < 1 || space > NG_COOKIE_BYTES_MAX) return undefined;
  const cookie = latin1Text(bytes.subarray(0, space));
  if (!/^[!-~]+$/.test(cookie)) return undefined;
  const body = bytes.subarray(space + 1, endOfBody(bytes));
  const first = u8(body, 0);
  if (first === OPENING_BRACE) {
    const text = utf8Text(body);
    return {
      cookie,
      encoding: 'json',
      dictionary: text === undefined ? undefined : dictionaryFromJson(text),
    };
  }
  if (first !== LETTER_D) return undefined;
  const value = decodeBencode(body);
  // A value that begins with `d` is a dictionary.
  return { cookie, encoding: 'bencode', dictionary: value as BencodeDictionary | undefined };
}

export function formatNgMessage(
  cookie: string,
  encoding: NgEncoding,
  dictionary: BencodeDictionary,
): Uint8Array {
  const body =
    encoding === 'bencode'
      ? encodeBencode(dictionary)
      : new TextEncoder().encode(dictionaryToJson(dictionary));
  const message = new Uint8Array(cookie.length + 1 + body.length);
  message.set(latin1Bytes(`${cookie} `));
  message.set(body, cookie.length + 1);
  return message;
}

/**
 * A JSON object as a dictionary; undefined if the text is none or beyond the limits of `bencode.ts`.
 * `true` and `false` become 1 and 0, `null` is as good as absent, and a number that is no safe integer becomes its text.
 */
export function dictionaryFromJson(text: string): BencodeDictionary | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return undefined;
  return new JsonReader().value(json, 1) as BencodeDictionary | undefined;
}

/** Text that is no UTF-8 is shown as Latin-1: JSON has no bytes. */
export function dictionaryToJson(dictionary: BencodeDictionary): string {
  return JSON.stringify(jsonValue(dictionary));
}

/** People who type messages into netcat end them with a line feed. */
function endOfBody(bytes: Uint8Array): number {
  let end = bytes.length;
  while (end > 0 && (u8(bytes, end - 1) === LINE_FEED || u8(bytes, end - 1) === CARRIAGE_RETURN)) end--;
  return end;
}

class JsonReader {
  #values = 0;

  /** What a value of `JSON.parse` is in a dictionary; undefined if it is beyond the limits. */
  value(json: unknown, depth: number): BencodeValue | undefined {
    if (++this.#values > BENCODE_VALUES_MAX) return undefined;
    if (typeof json === 'string') return utf8ByteString(json);
    if (typeof json === 'number') return Number.isSafeInteger(json) ? json : String(json);
    if (typeof json === 'boolean') return Number(json);
    if (depth > BENCODE_DEPTH_MAX) return undefined;
    if (Array.isArray(json)) return this.#list(json, depth);
    return this.#dictionary(json as object, depth);
  }

  #list(json: readonly unknown[], depth: number): BencodeValue[] | undefined {
    const list: BencodeValue[] = [];
    for (const item of json) {
      if (item === null) continue;
      const value = this.value(item, depth + 1);
      if (value === undefined) return undefined;
      list.push(value);
    }
    return list;
  }

  #dictionary(json: object, depth: number): BencodeDictionary | undefined {
    const dictionary = emptyDictionary<BencodeValue>();
    for (const [key, item] of Object.entries(json)) {
      if (item === null) continue;
      const value = this.value(item, depth + 1);
      if (value === undefined) return undefined;
      dictionary[utf8ByteString(key)] = value;
    }
    return dictionary;
  }
}

function jsonValue(value: BencodeValue): unknown {
  if (typeof value === 'number') return value;
  if (typeof value === 'string') return readableText(value);
  if (isList(value)) return value.map(jsonValue);
  const json = emptyDictionary<unknown>();
  for (const [key, item] of Object.entries(value)) json[readableText(key)] = jsonValue(item);
  return json;
}

function readableText(text: string): string {
  if (!/[\u0080-\uffff]/.test(text)) return text;
  const bytes = byteString(text);
  return utf8Text(latin1Bytes(bytes)) ?? bytes;
}

function utf8Text(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
