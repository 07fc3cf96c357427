/**
 * The spelling of `ng` keys and flags, and which of them are known to have no effect here. What they mean
 * is in `ng-request.ts`.
 */
import { type BencodeValue, isList } from '../wire/bencode.ts';

/** The name of a key or flag whatever its case and whether space, hyphen or underscore joins its words. */
export function canonicalName(name: string): string {
  return name.toLowerCase().replace(/[ _]/g, '-');
}

/** `name=value`, or a name alone. */
export function splitAtEquals(word: string): { readonly name: string; readonly value: string | undefined } {
  const equals = word.indexOf('=');
  if (equals < 0) return { name: word, value: undefined };
  return { name: word.slice(0, equals), value: word.slice(equals + 1) };
}

/** Splits at spaces, except between square brackets: `a b=[c d]` is `a` and `b=[c d]`. */
export function splitWords(text: string): string[] {
  const words: string[] = [];
  let start = 0;
  let depth = 0;
  for (let i = 0; i <= text.length; i++) {
    const character = text[i];
    if (character === '[') depth++;
    if (character === ']') depth = Math.max(0, depth - 1);
    if (i < text.length && (character !== ' ' || depth > 0)) continue;
    if (i > start) words.push(text.slice(start, i));
    start = i + 1;
  }
  return words;
}

/** The text of a string or number; undefined for anything else, and for no text. */
export function textOf(value: BencodeValue | undefined): string | undefined {
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** The texts of a list, of `[a b]` in one string, or of one value alone. */
export function textsOf(value: BencodeValue | undefined): string[] {
  if (typeof value === 'string' && value.startsWith('[')) {
    return splitWords(value.slice(1, value.endsWith(']') ? -1 : undefined));
  }
  const values = value !== undefined && typeof value === 'object' && isList(value) ? value : [value];
  return values.map(textOf).filter((text) => text !== undefined);
}

/** A whole number, also one in a string; undefined for anything else. */
export function integerOf(value: BencodeValue | undefined): number | undefined {
  const text = textOf(value)?.trim() ?? '';
  const number = /^-?\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(number) ? number : undefined;
}

/** Whether a key or flag (canonical) is understood and rightly changes nothing. */
export function hasNoEffect(name: string): boolean {
  return NO_EFFECT.has(name) || NO_EFFECT_PREFIXES.some((prefix) => name.startsWith(prefix));
}

/**
 * Descriptions, tuning of what this engine does anyway or never does (transcoding, recording), and
 * selectors that the commands here do not need. Whoever asks for something that a caller would miss
 * (announcements, DTMF blocking) is to find it in the log as unknown.
 */
const NO_EFFECT: ReadonlySet<string> = new Set([
  'allow-asymmetric-codecs',
  'allow-transcoding',
  'always-transcode',
  'asymmetric-codecs',
  'codec',
  'codecs',
  'debug',
  'debugging',
  'early-media',
  'endpoint-learning',
  'fast',
  'from-label',
  'generate-mid',
  'ice-lite',
  'interface',
  'label',
  'loop-protect',
  'media-handover',
  'metadata',
  'nat-wait',
  'new-branch',
  'no-codec-renegotiation',
  'no-jitter-buffer',
  'no-redis-update',
  'no-tls-id',
  'original-sendrecv',
  'provisional',
  'ptime',
  'ptime-reverse',
  'record-call',
  'reorder-codecs',
  'reuse-codecs',
  'reverse-ptime',
  'set-label',
  'single-codec',
  'sip-code',
  'sip-message-type',
  'sip-response-code',
  'static-codecs',
  'symmetric',
  'symmetric-codecs',
  'template',
  'to-label',
  'tos',
  'transcode',
  'trickle-ice',
  'unidirectional',
  'xmlrpc-callback',
]);

const NO_EFFECT_PREFIXES: readonly string[] = [
  'bundle-',
  'codec-',
  'endpoint-learning-',
  'from-tags-',
  'ice-lite-',
  'osrtp-',
  't.38-',
  't38-',
  'transcode-',
];
