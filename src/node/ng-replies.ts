/**
 * Replies of the last minute, so that a command which a proxy repeats, since the reply was lost or late, gets
 * the same reply and is not carried out again. A proxy repeats a command up to five times, a second apart.
 */

/** Replies kept; the oldest go first. */
export const REPLIES_KEPT_MAX = 20_000;
/** Bytes of all the replies kept, besides about 200 an entry. */
export const REPLY_BYTES_KEPT_MAX = 33_554_432;
/** So long a reply is kept after it was given. */
export const REPLY_KEPT_MS = 60_000;
/** Commands under way at once; more are not taken, and will be repeated. */
export const COMMANDS_UNDER_WAY_MAX = 4096;

export interface NgRepliesLimits {
  readonly repliesKept: number;
  readonly bytesKept: number;
  readonly commandsUnderWay: number;
}

interface Kept {
  readonly reply: Uint8Array;
  readonly atMs: number;
}

export class NgReplies {
  readonly #limits: NgRepliesLimits;
  readonly #underWay = new Map<string, Promise<Uint8Array>>();
  readonly #kept = new Map<string, Kept>(); // in the order of time
  #bytesKept = 0;

  constructor(limits: Partial<NgRepliesLimits> = {}) {
    this.#limits = {
      repliesKept: REPLIES_KEPT_MAX,
      bytesKept: REPLY_BYTES_KEPT_MAX,
      commandsUnderWay: COMMANDS_UNDER_WAY_MAX,
      ...limits,
    };
  }

  get repliesKept(): number {
    return this.#kept.size;
  }

  get bytesKept(): number {
    return this.#bytesKept;
  }

  get commandsUnderWay(): number {
    return this.#underWay.size;
  }

  /** Whether there is no room for a command more. */
  get isBusy(): boolean {
    return this.#underWay.size >= this.#limits.commandsUnderWay;
  }

  /** The reply to a command that was heard before, or the promise of it; undefined if it was not. */
  recall(key: string, nowMs: number): Uint8Array | Promise<Uint8Array> | undefined {
    this.sweep(nowMs);
    return this.#underWay.get(key) ?? this.#kept.get(key)?.reply;
  }

  /** Begins a command that {@link recall} does not know; the reply must not reject. */
  begin(key: string, reply: Promise<Uint8Array>): void {
    this.#underWay.set(key, reply);
  }

  /** Ends a command and keeps its reply. */
  finish(key: string, reply: Uint8Array, nowMs: number): void {
    this.#underWay.delete(key);
    this.#kept.set(key, { reply, atMs: nowMs });
    this.#bytesKept += reply.length;
    this.sweep(nowMs);
  }

  /** Forgets what is too old or too much. */
  sweep(nowMs: number): void {
    for (const [key, { reply, atMs }] of this.#kept) {
      const isTooMuch =
        this.#kept.size > this.#limits.repliesKept || this.#bytesKept > this.#limits.bytesKept;
      if (!isTooMuch && nowMs - atMs < REPLY_KEPT_MS) return;
      this.#kept.delete(key);
      this.#bytesKept -= reply.length;
    }
  }
}
