/**
 * Seeded 32-bit hashing of addresses and names: murmur3's rounds (Austin Appleby, public domain).
 * Cheap, and with a secret seed good enough that a stranger cannot aim at one bucket.
 */
import { ENDPOINT_WORDS, type EndpointBook, INET } from './endpoint.ts';

export function mix(hash: number, word: number): number {
  word = Math.imul(word, 0xcc9e2d51);
  word = Math.imul((word << 15) | (word >>> 17), 0x1b873593);
  hash ^= word;
  return (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
}

export function finish(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

/** Hash of a host: its IPv4 address, or the /64 of its IPv6 address (one subscriber owns all of it). */
export function hashHost(book: EndpointBook, row: number, seed: number): number {
  const base = row * ENDPOINT_WORDS;
  const words = book.words;
  if (book.family(row) === INET) return finish(mix(seed, words[base + 1] as number));
  return finish(mix(mix(seed, words[base + 2] as number), words[base + 3] as number));
}

/** Hash of a text's UTF-16 code units. */
export function hashText(text: string, seed: number): number {
  let hash = mix(seed, text.length);
  for (let i = 0; i < text.length; i++) hash = mix(hash, text.charCodeAt(i));
  return finish(hash);
}
