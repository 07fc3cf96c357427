/**
 * Remembers the last answers, so that a retransmitted request gets the same one (RFC 8489 §6.3.1): an
 * Allocate repeated because its answer was lost must not end in 437, nor a Refresh(0) that worked.
 *
 * Only answers to authenticated requests over UDP are kept. A direct-mapped cache: a newer answer takes
 * the place of an older one that hashes alike, and then the request is simply handled again.
 */
import { i32 } from '../wire/bytes.ts';
import { ENDPOINT_WORDS, type EndpointBook, INET } from '../wire/endpoint.ts';
import { finish, mix } from '../wire/hash.ts';

const ENTRIES = 8192;
const KEY_WORDS = 12; // length of the answer (0: empty), when, socket, endpoint (6), transaction ID (3)
/** Answers longer than this are not kept; none that the server makes is. */
const ANSWER_BYTES_MAX = 256;
/** A client retransmits for at most 39.5 s (RFC 8489 §6.2.1). */
const KEPT_MS = 40_000;

export class ReplyMemory {
  readonly #book: EndpointBook;
  readonly #seed: number;
  readonly #keys = new Int32Array(ENTRIES * KEY_WORDS);
  readonly #savedAtMs = new Float64Array(ENTRIES);
  readonly #answers = new Uint8Array(ENTRIES * ANSWER_BYTES_MAX);
  readonly #key = new Int32Array(KEY_WORDS);

  constructor(book: EndpointBook, seed: number) {
    this.#book = book;
    this.#seed = seed;
  }

  /** Copies the remembered answer to the request at `request` to `to` in `bytes`; its length, or 0. */
  recall(
    bytes: Uint8Array,
    request: number,
    socket: number,
    client: number,
    nowMs: number,
    to: number,
  ): number {
    const entry = this.#locate(bytes, request, socket, client);
    const base = entry * KEY_WORDS;
    const length = this.#keys[base] as number;
    if (length === 0 || nowMs - (this.#savedAtMs[entry] as number) > KEPT_MS) return 0;
    for (let i = 1; i < KEY_WORDS; i++) if (this.#keys[base + i] !== this.#key[i]) return 0;
    const from = entry * ANSWER_BYTES_MAX;
    bytes.set(this.#answers.subarray(from, from + length), to);
    return length;
  }

  /** Keeps the answer of `length` bytes at `answer`; it carries the request's transaction ID. */
  remember(
    bytes: Uint8Array,
    answer: number,
    length: number,
    socket: number,
    client: number,
    nowMs: number,
  ): void {
    if (length > ANSWER_BYTES_MAX) return;
    const entry = this.#locate(bytes, answer, socket, client);
    this.#key[0] = length;
    this.#keys.set(this.#key, entry * KEY_WORDS);
    this.#savedAtMs[entry] = nowMs;
    this.#answers.set(bytes.subarray(answer, answer + length), entry * ANSWER_BYTES_MAX);
  }

  /** Fills the key of the message at `message` and says in which entry it belongs. */
  #locate(bytes: Uint8Array, message: number, socket: number, client: number): number {
    const key = this.#key;
    const words = this.#book.words;
    const base = client * ENDPOINT_WORDS;
    const endpointWords = this.#book.family(client) === INET ? 2 : 6;
    key[1] = socket;
    for (let i = 0; i < 6; i++) key[2 + i] = i < endpointWords ? (words[base + i] as number) : 0;
    for (let i = 0; i < 3; i++) key[8 + i] = i32(bytes, message + 8 + i * 4);
    let hash = this.#seed;
    for (let i = 1; i < KEY_WORDS; i++) hash = mix(hash, key[i] as number);
    return finish(hash) & (ENTRIES - 1);
  }
}
