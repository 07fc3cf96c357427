/**
 * Runs one operation over many clients, a bounded number at a time, each request sent again until it
 * is answered.
 */

/** What became of an operation when a message arrived. */
export type RequestOutcome =
  /** Not an answer to the request under way: nothing changed. */
  | 'unrelated'
  /** The operation goes on: {@link RequestClient.request} is a new request to send. */
  | 'again'
  | 'done'
  /** {@link RequestClient.failure} says why. */
  | 'failed';

/** One side of a conversation with the server, without sockets or clocks. */
export interface RequestClient<Operation> {
  /** The request under way; the same bytes however often it is sent. */
  readonly request: Uint8Array;
  readonly failure: string;
  /** Whether the operation makes sense: there is nothing to release where nothing was had. */
  canBegin(operation: Operation): boolean;
  begin(operation: Operation): void;
  receive(bytes: Uint8Array, offset: number, length: number): RequestOutcome;
  /** Ends the operation under way as failed. */
  abandon(reason: string): void;
}

/**
 * STUN over UDP (RFC 8489 §6.2.1): after 500 ms, then twice as long each time, seven times in all, and
 * a last wait of 16 first ones.
 */
export const STUN_WAITS_MS: readonly number[] = [500, 1000, 2000, 4000, 8000, 16_000, 8000];

/** How often outstanding requests are looked through for ones to send again. */
const SCAN_INTERVAL_MS = 10;
const FAILURES_KEPT = 5;

export interface RequestWindowOptions {
  /** Requests under way at once, 1 or more. */
  readonly outstandingMax: number;
  /** Operations begun a second, or Infinity. */
  readonly operationsPerSecond: number;
  /** How long to wait after each transmission of a request: as many transmissions as there are waits. */
  readonly waitsMs: readonly number[];
}

/** Counts of one run of an operation over all clients. */
export interface RequestTally {
  done: number;
  failed: number;
  retransmissions: number;
  /** The first failures, as text. */
  failures: string[];
  readonly beganMs: number;
  endedMs: number;
}

interface Outstanding {
  readonly client: number;
  transmissions: number;
  nextMs: number;
}

export class RequestWindow<Operation> {
  readonly #clients: readonly RequestClient<Operation>[];
  readonly #send: (client: number, request: Uint8Array) => void;
  readonly #options: RequestWindowOptions;
  readonly #outstanding = new Map<number, Outstanding>();
  #operation: Operation | undefined;
  #only: ReadonlySet<number> | undefined;
  #next: number;
  #scannedMs = 0;
  #tally: RequestTally = emptyTally(0);

  constructor(
    clients: readonly RequestClient<Operation>[],
    send: (client: number, request: Uint8Array) => void,
    options: RequestWindowOptions,
  ) {
    this.#clients = clients;
    this.#send = send;
    this.#options = options;
    this.#next = clients.length;
  }

  get tally(): Readonly<RequestTally> {
    return this.#tally;
  }

  /** Every client's operation has ended, well or not. */
  get isOver(): boolean {
    return this.#next >= this.#clients.length && this.#outstanding.size === 0;
  }

  /** Begins the operation over all clients, or `only` some; the one before must be over. */
  begin(operation: Operation, nowMs: number, only?: ReadonlySet<number>): void {
    this.#operation = operation;
    this.#only = only;
    this.#next = 0;
    this.#scannedMs = nowMs;
    this.#tally = emptyTally(nowMs);
  }

  /** Begins what the window and the rate allow, and sends again what is overdue. */
  step(nowMs: number): void {
    const allowed = this.#allowed(nowMs);
    const operation = this.#operation as Operation;
    while (this.#next < allowed && this.#outstanding.size < this.#options.outstandingMax) {
      const client = this.#next++;
      if (this.#only && !this.#only.has(client)) continue;
      if (!this.#client(client).canBegin(operation)) continue;
      this.#client(client).begin(operation);
      this.#transmit(client, nowMs);
    }
    if (nowMs - this.#scannedMs >= SCAN_INTERVAL_MS) this.#scan(nowMs);
    if (this.isOver && this.#tally.endedMs === 0) this.#tally.endedMs = nowMs;
  }

  /** Hands a message that arrived for a client to it. */
  receive(client: number, bytes: Uint8Array, offset: number, length: number, nowMs: number): RequestOutcome {
    if (!this.#outstanding.has(client)) return 'unrelated';
    const outcome = this.#client(client).receive(bytes, offset, length);
    if (outcome === 'unrelated') return outcome;
    if (outcome === 'again') {
      this.#transmit(client, nowMs);
      return outcome;
    }
    this.#outstanding.delete(client);
    if (outcome === 'done') this.#tally.done++;
    else this.#noteFailure(client);
    if (this.isOver) this.#tally.endedMs = nowMs;
    return outcome;
  }

  /** Gives up what has not been begun; requests under way still end. */
  cancel(): void {
    this.#next = this.#clients.length;
  }

  #client(index: number): RequestClient<Operation> {
    return this.#clients[index] as RequestClient<Operation>;
  }

  /** How many operations may have begun by now. */
  #allowed(nowMs: number): number {
    const { operationsPerSecond } = this.#options;
    if (operationsPerSecond === Number.POSITIVE_INFINITY) return this.#clients.length;
    const begun = Math.floor(((nowMs - this.#tally.beganMs) * operationsPerSecond) / 1000) + 1;
    return Math.min(this.#clients.length, begun);
  }

  /** First transmission of a new request. */
  #transmit(client: number, nowMs: number): void {
    this.#outstanding.set(client, { client, transmissions: 1, nextMs: nowMs + this.#waitMs(1) });
    this.#send(client, this.#client(client).request);
  }

  #scan(nowMs: number): void {
    this.#scannedMs = nowMs;
    for (const entry of this.#outstanding.values()) {
      if (nowMs < entry.nextMs) continue;
      if (entry.transmissions === this.#options.waitsMs.length) {
        this.#outstanding.delete(entry.client);
        this.#client(entry.client).abandon('no answer');
        this.#noteFailure(entry.client);
        continue;
      }
      entry.transmissions++;
      entry.nextMs = nowMs + this.#waitMs(entry.transmissions);
      this.#tally.retransmissions++;
      this.#send(entry.client, this.#client(entry.client).request);
    }
  }

  /** After the n-th transmission, counted from 1. */
  #waitMs(transmission: number): number {
    return this.#options.waitsMs[transmission - 1] as number;
  }

  #noteFailure(client: number): void {
    this.#tally.failed++;
    if (this.#tally.failures.length < FAILURES_KEPT) this.#tally.failures.push(this.#client(client).failure);
  }
}

function emptyTally(beganMs: number): RequestTally {
  return { done: 0, failed: 0, retransmissions: 0, failures: [], beganMs, endedMs: 0 };
}
