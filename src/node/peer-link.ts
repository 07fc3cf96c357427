/** Questions to one other node over its HTTP interface: in bounded time, number and size, and nowhere else. */
import type { Logger } from 'pino';
import type { z } from 'zod';
import type { NodePeer } from '../config/config.ts';

/** A peer is asked while somebody waits for a call's record or a page. */
export const ANSWER_MS_MAX = 1000;
/** Longer answers are cut off and count as none: 60 intervals or 64 relays take a fraction. */
export const ANSWER_BYTES_MAX = 1_048_576;
/** Questions that a peer has at once; more wait, within their time. */
export const REQUESTS_MAX = 8;
export const WAITING_MAX = 256;
/** Unanswered questions are told of once in this time. */
const LOGGED_MS = 60_000;

export interface PeerLinkOptions {
  readonly peer: NodePeer;
  readonly log: Logger;
  /** Monotonic. */
  readonly nowMs: () => number;
  /** Default {@link ANSWER_MS_MAX}. */
  readonly answerMsMax?: number;
}

export interface Question<Answer> {
  /** Below the peer's URL: `api/ice-metrics`. */
  readonly path: string;
  readonly answer: z.ZodType<Answer>;
  /** Sent by POST as JSON; undefined: GET. */
  readonly body?: object;
}

export class PeerLink {
  readonly name: string;
  questions = 0;
  /** Of those, how many had no answer that was right and in time. */
  unanswered = 0;
  readonly #peer: NodePeer;
  readonly #log: Logger;
  readonly #nowMs: () => number;
  readonly #answerMsMax: number;
  #underWay = 0;
  readonly #waiting: (() => void)[] = [];
  #loggedAtMs = Number.NEGATIVE_INFINITY;
  #unansweredSinceLogged = 0;

  constructor({ peer, log, nowMs, answerMsMax = ANSWER_MS_MAX }: PeerLinkOptions) {
    this.name = peer.name;
    this.#peer = peer;
    this.#log = log;
    this.#nowMs = nowMs;
    this.#answerMsMax = answerMsMax;
  }

  /** The peer's answer, or undefined if none came that was right and in time. Never rejects. */
  async ask<Answer>(question: Question<Answer>): Promise<Answer | undefined> {
    this.questions++;
    const outOfTime = new AbortController();
    const timer = setTimeout(() => outOfTime.abort(), this.#answerMsMax);
    try {
      await this.#turn();
      try {
        return await this.#fetch(question, outOfTime.signal);
      } finally {
        this.#nextTurn();
      }
    } catch (error) {
      this.#failed(
        outOfTime.signal.aborted ? `no answer within ${this.#answerMsMax} ms` : reasonOf(error),
        question.path,
      );
      return undefined;
    } finally {
      clearTimeout(timer);
    }
  }

  async #fetch<Answer>({ path, answer, body }: Question<Answer>, signal: AbortSignal): Promise<Answer> {
    const { url, token } = this.#peer;
    const response = await fetch(new URL(path, url.endsWith('/') ? url : `${url}/`), {
      signal,
      // The token is this peer's alone: nobody it points to gets to see it.
      redirect: 'error',
      headers: {
        Accept: 'application/json',
        ...(token === null ? {} : { Authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      },
      ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
    });
    if (response.status !== 200) {
      await response.body?.cancel();
      throw new Error(`HTTP ${response.status}`);
    }
    const parsed = answer.safeParse(jsonOf(await textOf(response)));
    if (!parsed.success) throw new Error('an answer of another shape');
    return parsed.data;
  }

  /**
   * Waits until the peer has few enough questions; rejects if too many wait already. It watches no clock:
   * all have the same time, so those before it end before its own time is up.
   */
  async #turn(): Promise<void> {
    if (this.#underWay < REQUESTS_MAX) {
      this.#underWay++;
      return;
    }
    if (this.#waiting.length >= WAITING_MAX) throw new Error(`${WAITING_MAX} questions wait already`);
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Hands the place of a question that is over to the first that waits. */
  #nextTurn(): void {
    const begin = this.#waiting.shift();
    if (begin) begin();
    else this.#underWay--;
  }

  #failed(reason: string, path: string): void {
    this.unanswered++;
    this.#unansweredSinceLogged++;
    const nowMs = this.#nowMs();
    if (nowMs - this.#loggedAtMs < LOGGED_MS) return;
    const unanswered = this.#unansweredSinceLogged;
    this.#log.warn({ peer: this.name, path, reason, unanswered }, 'a peer node did not answer');
    this.#loggedAtMs = nowMs;
    this.#unansweredSinceLogged = 0;
  }
}

/** The body, as far as it is no longer than it may be. What counts is its size unpacked. */
async function textOf(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES_MAX) throw new Error(`an answer of more than ${ANSWER_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** `fetch` says only that it failed; its cause knows why. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  if (!(cause instanceof Error)) return String(cause);
  return 'code' in cause && typeof cause.code === 'string' ? cause.code : cause.message;
}
