/**
 * From one datagram of the `ng` protocol to its reply: framing, repeats, errors. Where datagrams come from
 * and who may send them is for `ng-server.ts`; what a command does, for the `handle` it is given.
 */
import type { Logger } from 'pino';
import type { NgDictionary } from '../b2bua/ng-request.ts';
import {
  formatNgMessage,
  NG_DATAGRAM_BYTES_MAX,
  type NgMessage,
  parseNgMessage,
} from '../wire/ng-message.ts';
import { NgReplies, type NgRepliesLimits } from './ng-replies.ts';

/** Totals since the start. */
export interface NgCounters {
  /** Datagrams from sources that are allowed. */
  received: number;
  /** Replies given, those to repeats and errors included. */
  replies: number;
  /** Repeated commands that got a reply from memory. */
  repeats: number;
  /** Datagrams from sources that are not allowed. */
  refused: number;
  /** Datagrams without a cookie or a readable dictionary. */
  malformed: number;
  /** Commands that were not taken since too many were under way. */
  dropped: number;
  /** Commands answered with an error. */
  errors: number;
  /** Replies that the socket did not take. */
  unsent: number;
  /** Commands by name, without repeats; all names unheard of are one: `other`. */
  readonly commands: Record<string, number>;
}

export interface NgResponderOptions {
  /** Carries a command out. */
  handle(dictionary: NgDictionary): Promise<NgDictionary>;
  readonly log: Logger;
  /** Monotonic milliseconds. */
  nowMs(): number;
  readonly limits?: Partial<NgRepliesLimits>;
}

/** Commands that are counted by name. */
const COMMANDS: readonly string[] = [
  'ping',
  'offer',
  'answer',
  'delete',
  'query',
  'list',
  'statistics',
  'block media',
  'unblock media',
  'silence media',
  'unsilence media',
  'start recording',
  'stop recording',
  'start forwarding',
  'stop forwarding',
];
const OTHER_COMMANDS = 'other';

export class NgResponder {
  readonly counters: NgCounters = {
    received: 0,
    replies: 0,
    repeats: 0,
    refused: 0,
    malformed: 0,
    dropped: 0,
    errors: 0,
    unsent: 0,
    commands: Object.fromEntries([...COMMANDS, OTHER_COMMANDS].map((name) => [name, 0])),
  };
  readonly #options: NgResponderOptions;
  readonly #replies: NgReplies;

  constructor(options: NgResponderOptions) {
    this.#options = options;
    this.#replies = new NgReplies(options.limits);
  }

  /** For tests and metrics: what is remembered. */
  get memory(): Pick<NgReplies, 'repliesKept' | 'bytesKept' | 'commandsUnderWay'> {
    return this.#replies;
  }

  /**
   * Answers a datagram; undefined where it deserves no reply. Never rejects. Commands are handed on in the
   * order of the calls, before this returns.
   * @param source transport address of the sender, as text
   */
  async respond(source: string, datagram: Uint8Array): Promise<Uint8Array | undefined> {
    const { counters } = this;
    counters.received++;
    const message = parseNgMessage(datagram);
    if (!message?.dictionary) counters.malformed++;
    if (!message) return undefined;
    if (!message.dictionary) {
      counters.errors++;
      counters.replies++;
      return formatNgMessage(message.cookie, message.encoding, ngError('Malformed dictionary'));
    }
    // A reply that strays here, from another engine or by forgery, must not start an endless exchange.
    if (message.dictionary.result !== undefined && message.dictionary.command === undefined) return undefined;
    const key = `${source} ${message.encoding} ${message.cookie}`;
    const reply = await this.#replyTo(key, message, message.dictionary);
    if (reply) counters.replies++;
    return reply;
  }

  /** Forgets replies that are too old. */
  sweep(): void {
    this.#replies.sweep(this.#options.nowMs());
  }

  #replyTo(
    key: string,
    message: NgMessage,
    command: NgDictionary,
  ): Promise<Uint8Array> | Uint8Array | undefined {
    const known = this.#replies.recall(key, this.#options.nowMs());
    if (known) {
      this.counters.repeats++;
      return known;
    }
    if (this.#replies.isBusy) {
      this.counters.dropped++;
      return undefined;
    }
    const reply = this.#carryOut(command).then((result) => {
      const bytes = this.#format(message, result);
      this.#replies.finish(key, bytes, this.#options.nowMs());
      return bytes;
    });
    this.#replies.begin(key, reply);
    return reply;
  }

  async #carryOut(dictionary: NgDictionary): Promise<NgDictionary> {
    const { command } = dictionary;
    const name = typeof command === 'string' && COMMANDS.includes(command) ? command : OTHER_COMMANDS;
    this.counters.commands[name] = (this.counters.commands[name] ?? 0) + 1;
    try {
      return await this.#options.handle(dictionary);
    } catch (error) {
      this.#options.log.error({ err: error, command: name }, 'ng command failed');
      return ngError('Internal error');
    }
  }

  #format({ cookie, encoding }: NgMessage, result: NgDictionary): Uint8Array {
    if (result.result === 'error') this.counters.errors++;
    const bytes = formatNgMessage(cookie, encoding, result);
    if (bytes.length <= NG_DATAGRAM_BYTES_MAX) return bytes;
    if (result.result !== 'error') this.counters.errors++;
    return formatNgMessage(cookie, encoding, ngError('Reply too large'));
  }
}

function ngError(reason: string): NgDictionary {
  return { result: 'error', 'error-reason': reason };
}
