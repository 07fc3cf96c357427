/**
 * Keys in SDP: the a=crypto attribute (RFC 4568), for the suites of RFC 4568 §6.2, RFC 6188 §4 and
 * RFC 7714 §14.2. What is read here is secret: no refusal repeats any of it.
 */
import { type SrtpSuite, suiteNamed } from './srtp/suites.ts';

/** Keys in one attribute. RFC 4568 sets no limit; nobody sends more than a few. */
export const SDES_KEYS_MAX = 16;

/** One a=crypto that can be served. */
export interface SdesCrypto {
  /** 0–999,999,999; an answer repeats it. */
  readonly tag: number;
  readonly suite: SrtpSuite;
  /** At least one; with more than one, each has an MKI, all of one length and all different. */
  readonly keys: readonly SdesKey[];
  /** Session parameters, as written: those that change nothing for the receiver (WSH, KDR=0, optional ones). */
  readonly parameters: readonly string[];
}

export interface SdesKey {
  /** As long as the suite says. */
  readonly masterKey: Uint8Array;
  readonly masterSalt: Uint8Array;
  /** After so many packets the key is used up, 1–2^48; undefined: the suite's own limit. */
  readonly lifetimePackets: number | undefined;
  /** Master key identifier that ends every packet, 1–128 bytes; undefined: packets have none. */
  readonly mki: Uint8Array | undefined;
}

/** Why an attribute can not be served. It must then be ignored as a whole (RFC 4568 §7.1). */
export type CryptoRefusal =
  | 'malformed'
  | 'unknown suite'
  | 'unknown key method'
  | 'key of wrong length'
  | 'invalid lifetime'
  | 'invalid MKI'
  | 'unencrypted or unauthenticated'
  | 'unsupported session parameter';

/** RFC 3711 §9.2: packets of SRTP under one master key, for all suites. */
const LIFETIME_PACKETS_MAX = 2 ** 48;
const MKI_BYTES_MAX = 128;
/** 128 bytes are 309 digits. */
const MKI_DIGITS_MAX = 309;
/** RFC 4568 §6.3.7: a window-size hint is never smaller. */
const WINDOW_SIZE_MIN = 64;

/** What follows `a=crypto:`. */
export function parseCrypto(value: string): SdesCrypto | CryptoRefusal {
  const [tagText = '', suiteName = '', keyText = '', ...parameters] = value.trim().split(/[ \t]+/);
  if (!/^(0|[1-9]\d{0,8})$/.test(tagText) || keyText === '') return 'malformed';
  const suite = suiteNamed(suiteName);
  if (!suite) return 'unknown suite';
  const keys = parseKeys(keyText, suite);
  if (typeof keys === 'string') return keys;
  for (const parameter of parameters) {
    const refusal = parameterRefusal(parameter);
    if (refusal) return refusal;
  }
  return { tag: Number(tagText), suite, keys, parameters };
}

/**
 * What follows `a=crypto:` for one key without lifetime, MKI and session parameters. `pad`: with the
 * padding that RFC 4568 §6.1 wants and real phones need (a suite whose key and salt fill the last group
 * has none).
 */
export function formatCrypto(
  tag: number,
  suiteName: string,
  masterKey: Uint8Array,
  masterSalt: Uint8Array,
  pad: boolean,
): string {
  const text = btoa(String.fromCharCode(...masterKey, ...masterSalt));
  return `${tag} ${suiteName} inline:${pad ? text : text.replace(/=+$/, '')}`;
}

/** key-params (RFC 4568 §9.1): one or more of `inline:…`, separated by semicolons. */
function parseKeys(text: string, suite: SrtpSuite): SdesKey[] | CryptoRefusal {
  const keys: SdesKey[] = [];
  for (const parameter of text.split(';', SDES_KEYS_MAX + 1)) {
    const key = parseKey(parameter, suite);
    if (typeof key === 'string') return key;
    keys.push(key);
  }
  if (keys.length > SDES_KEYS_MAX) return 'malformed';
  return keys.length > 1 && !haveDistinctMkis(keys) ? 'invalid MKI' : keys;
}

/** `inline:key-and-salt[|lifetime][|MKI:length]` (RFC 4568 §9.2). */
function parseKey(text: string, suite: SrtpSuite): SdesKey | CryptoRefusal {
  const colon = text.indexOf(':');
  if (colon < 0) return 'malformed';
  if (text.slice(0, colon).toLowerCase() !== 'inline') return 'unknown key method';
  const [keyText = '', ...fields] = text.slice(colon + 1).split('|');
  const bytes = decodeBase64(keyText);
  if (!bytes) return 'malformed';
  if (bytes.length !== suite.keyBytes + suite.saltBytes) return 'key of wrong length';
  // A lifetime has no colon, an MKI always has one.
  const lifetimeText = fields[0]?.includes(':') === false ? fields.shift() : undefined;
  const mkiText = fields.shift();
  if (fields.length > 0) return 'malformed';
  const lifetimePackets = lifetimeText === undefined ? undefined : parseLifetime(lifetimeText);
  if (lifetimeText !== undefined && lifetimePackets === undefined) return 'invalid lifetime';
  const mki = mkiText === undefined ? undefined : parseMki(mkiText);
  if (mkiText !== undefined && mki === undefined) return 'invalid MKI';
  return {
    masterKey: bytes.slice(0, suite.keyBytes),
    masterSalt: bytes.slice(suite.keyBytes),
    lifetimePackets,
    mki,
  };
}

/** `2^n` or a decimal number, without leading zeros, at most 2^48 (RFC 4568 §6.1). */
function parseLifetime(text: string): number | undefined {
  const power = /^2\^(0|[1-9]\d?)$/.exec(text)?.[1];
  const packets = power === undefined ? Number(/^[1-9]\d{0,14}$/.exec(text)?.[0]) : 2 ** Number(power);
  return packets <= LIFETIME_PACKETS_MAX ? packets : undefined;
}

/** `value:length`: a decimal number in so many bytes, the highest first (RFC 4568 §6.1). */
function parseMki(text: string): Uint8Array | undefined {
  const [valueText = '', lengthText = '', ...more] = text.split(':');
  if (more.length > 0 || valueText.length > MKI_DIGITS_MAX) return undefined;
  if (!/^\d+$/.test(valueText) || !/^[1-9]\d{0,2}$/.test(lengthText)) return undefined;
  const length = Number(lengthText);
  if (length > MKI_BYTES_MAX) return undefined;
  const mki = new Uint8Array(length);
  let rest = BigInt(valueText);
  for (let i = length - 1; i >= 0; i--) {
    mki[i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return rest === 0n ? mki : undefined;
}

/** The receiver tells keys apart by MKI, whose length it must know before it has read it (RFC 4568 §6.1). */
function haveDistinctMkis(keys: readonly SdesKey[]): boolean {
  const length = keys[0]?.mki?.length;
  if (length === undefined || keys.some(({ mki }) => mki?.length !== length)) return false;
  return new Set(keys.map(({ mki }) => mki?.join())).size === keys.length;
}

/** Session parameters (RFC 4568 §6.3): which ones can not be lived with. */
function parameterRefusal(parameter: string): CryptoRefusal | undefined {
  // The sender says that it may be ignored (§6.3.8).
  if (parameter.startsWith('-')) return undefined;
  const [name = '', value = ''] = parameter.split('=', 2);
  switch (name) {
    case 'UNENCRYPTED_SRTP':
    case 'UNENCRYPTED_SRTCP':
    case 'UNAUTHENTICATED_SRTP':
      return 'unencrypted or unauthenticated';
    case 'WSH':
      return /^\d{2,9}$/.test(value) && Number(value) >= WINDOW_SIZE_MIN ? undefined : 'malformed';
    case 'KDR':
      return value === '0' ? undefined : 'unsupported session parameter';
    default: // FEC_ORDER, FEC_KEY, and those to come
      return 'unsupported session parameter';
  }
}

const BASE64_DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** Base64 (RFC 4648 §4), padded or not, whatever the bits that pad; undefined if it is none. */
function decodeBase64(text: string): Uint8Array | undefined {
  const digits = /^([A-Za-z0-9+/]+)={0,2}$/.exec(text)?.[1];
  if (digits === undefined || digits.length % 4 === 1) return undefined;
  const bytes = new Uint8Array((digits.length * 3) >> 2);
  let bits = 0;
  let filled = 0;
  for (let i = 0, at = 0; i < digits.length; i++) {
    bits = ((bits << 6) | BASE64_DIGITS.indexOf(digits.charAt(i))) & 0xfff;
    filled += 6;
    if (filled < 8) continue;
    filled -= 8;
    bytes[at++] = bits >>> filled;
  }
  return bytes;
}
