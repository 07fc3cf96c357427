/** Which worker a command of the `ng` protocol is for, and the commands that are about the whole node. */
import type { NgDictionary, NgValue } from '../b2bua/ng-request.ts';
import { hashText } from '../wire/hash.ts';

/** A worker's end, as far as calls go. */
export interface CallWorker {
  ng(dictionary: NgDictionary): Promise<NgDictionary>;
}

export interface NgRouterOptions {
  /** Those that may have calls; at least one. */
  readonly workers: readonly CallWorker[];
  readonly hashSeed: number;
  /** Every counter of the node by its name. */
  counters(): Readonly<Record<string, number>>;
  readonly startedMs: number;
  nowMs(): number;
}

const LIST_CALLS_DEFAULT = 32;

export class NgRouter {
  readonly #options: NgRouterOptions;

  constructor(options: NgRouterOptions) {
    this.#options = options;
  }

  /** Answers a command. Rejects only if a worker does not answer. */
  async handle(dictionary: NgDictionary): Promise<NgDictionary> {
    switch (dictionary.command) {
      case 'ping':
        return { result: 'pong' };
      case 'statistics':
        return { result: 'ok', statistics: this.#statistics() };
      case 'list':
        return this.#list(dictionary);
      default:
        return this.#workerOf(dictionary['call-id']).ng(dictionary);
    }
  }

  /** All commands of a call go to the worker that has it. */
  #workerOf(callId: NgValue | undefined): CallWorker {
    const { workers, hashSeed } = this.#options;
    const place = hashText(String(callId ?? ''), hashSeed) >>> 0;
    return workers[place % workers.length] as CallWorker;
  }

  async #list(dictionary: NgDictionary): Promise<NgDictionary> {
    const replies = await Promise.all(this.#options.workers.map((worker) => worker.ng(dictionary)));
    const limit = Number(dictionary.limit ?? LIST_CALLS_DEFAULT);
    const calls = replies.flatMap(({ calls }) => (Array.isArray(calls) ? (calls as NgValue[]) : []));
    return { result: 'ok', calls: Number.isFinite(limit) ? calls.slice(0, limit) : calls };
  }

  #statistics(): NgDictionary {
    const counters = this.#options.counters();
    const value = (name: string): number => counters[name] ?? 0;
    const drops = Object.entries(counters)
      .filter(([name]) => name.startsWith('drop'))
      .reduce((sum, [, dropped]) => sum + dropped, 0);
    return {
      currentstatistics: {
        sessionstotal: value('calls'),
        mediaports: value('mediaPorts'),
      },
      totalstatistics: {
        uptime: Math.floor((this.#options.nowMs() - this.#options.startedMs) / 1000),
        managedsessions: value('callsCreated'),
        timeoutsessions: value('callsMediaTimeout') + value('callsOfferTimeout'),
        regularterminatedsessions: value('callsDeleted'),
        forcedterminatedsessions: value('callsClosed'),
        relayedpackets: value('rtpPackets') + value('rtcpPackets') + value('opaquePackets'),
        relayedbytes: value('rtpBytes') + value('rtcpBytes') + value('opaqueBytes'),
        relayedpacketerrors: drops,
      },
      controlstatistics: {
        offercount: value('ngOffers'),
        answercount: value('ngAnswers'),
        deletecount: value('ngDeletes'),
        errorcount: value('ngErrors'),
      },
    };
  }
}
