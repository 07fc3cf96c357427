/**
 * Commands and replies of the `ng` protocol, as a SIP proxy writes and reads them: `cookie SP dictionary`
 * in bencode. Of a reply only the few values that a caller acts on are read, and the rest is stepped over:
 * the reply to a delete holds more than a hundred, and a generator must not be slower than the engine.
 */

import { type BencodeDictionary, encodeBencode, latin1Bytes, latin1Text } from '../wire/bencode.ts';
import { u8 } from '../wire/bytes.ts';

export type NgCommand = BencodeDictionary;

export interface NgReply {
  /** Undefined where the engine said `ok` or `pong`. */
  readonly failure: string | undefined;
  /** One character a byte. */
  readonly sdp: string | undefined;
}

const SPACE = 0x20;
const COLON = 0x3a;
const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;
const LETTER_D = 0x64;
const LETTER_E = 0x65;
const LETTER_I = 0x69;
const LETTER_L = 0x6c;
const DEPTH_MAX = 32;

const MALFORMED: NgReply = { failure: 'the reply is no bencode dictionary', sdp: undefined };

/** `cookie`: Latin-1 without spaces. */
export function writeNgCommand(cookie: string, command: NgCommand): Uint8Array {
  const dictionary = encodeBencode(command);
  const bytes = new Uint8Array(cookie.length + 1 + dictionary.length);
  bytes.set(latin1Bytes(`${cookie} `));
  bytes.set(dictionary, cookie.length + 1);
  return bytes;
}

/** Undefined if the datagram is no reply to this cookie; a dictionary that cannot be read is a failure. */
export function readNgReply(
  bytes: Uint8Array,
  offset: number,
  length: number,
  cookie: string,
): NgReply | undefined {
  if (length <= cookie.length || u8(bytes, offset + cookie.length) !== SPACE) return undefined;
  for (let i = 0; i < cookie.length; i++)
    if (u8(bytes, offset + i) !== cookie.charCodeAt(i)) return undefined;
  const texts = readTexts(bytes.subarray(offset + cookie.length + 1, offset + length));
  if (!texts) return MALFORMED;
  const result = texts.get('result');
  if (result === 'ok' || result === 'pong') return { failure: undefined, sdp: texts.get('sdp') };
  const reason = texts.get('error-reason') ?? texts.get('message') ?? 'without a reason';
  return { failure: `the engine says ${result}: ${reason}`, sdp: undefined };
}

/** The strings of the dictionary, without those in lists and dictionaries inside it; undefined if it is none. */
function readTexts(bytes: Uint8Array): Map<string, string> | undefined {
  if (u8(bytes, 0) !== LETTER_D) return undefined;
  const texts = new Map<string, string>();
  let at = 1;
  while (u8(bytes, at) !== LETTER_E) {
    const keyEnd = endOfValue(bytes, at, 1);
    const end = keyEnd < 0 ? -1 : endOfValue(bytes, keyEnd, 1);
    if (end < 0) return undefined;
    const key = textAt(bytes, at, keyEnd);
    if (key === undefined) return undefined;
    const value = textAt(bytes, keyEnd, end);
    if (value !== undefined) texts.set(key, value);
    at = end;
  }
  return at + 1 === bytes.length ? texts : undefined;
}

/** The byte string from `at` to `end`; undefined if the value there is of another kind. */
function textAt(bytes: Uint8Array, at: number, end: number): string | undefined {
  const first = u8(bytes, at);
  if (first < DIGIT_0 || first > DIGIT_9) return undefined;
  return latin1Text(bytes.subarray(bytes.indexOf(COLON, at) + 1, end));
}

/** Where the value at `at` ends; -1 if there is no whole one. */
function endOfValue(bytes: Uint8Array, at: number, depth: number): number {
  const first = u8(bytes, at);
  if (first === LETTER_I) return bytes.indexOf(LETTER_E, at) + 1 || -1;
  if (first === LETTER_L || first === LETTER_D) {
    let next = at + 1;
    while (next > 0 && u8(bytes, next) !== LETTER_E) {
      next = depth < DEPTH_MAX ? endOfValue(bytes, next, depth + 1) : -1;
    }
    return next < 0 ? -1 : next + 1;
  }
  let length = 0;
  let digit = at;
  for (; u8(bytes, digit) >= DIGIT_0 && u8(bytes, digit) <= DIGIT_9 && length <= bytes.length; digit++) {
    length = length * 10 + u8(bytes, digit) - DIGIT_0;
  }
  const end = digit + 1 + length;
  return digit > at && u8(bytes, digit) === COLON && end <= bytes.length ? end : -1;
}
