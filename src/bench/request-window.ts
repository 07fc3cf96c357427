/**
 * Runs one operation over many clients, a bounded number at a time, each request sent again until
 * it is answered: over UDP after 500 ms, then twice as long each time, seven times in all
 * (RFC 8489 §6.2.1).
 */
import type { TurnClient, TurnOperation } from './turn-client.ts';

/** RFC 8489 §6.2.1: first timeout, number of transmissions, and the last wait in first timeouts. */
const RTO_MS = 500;
const TRANSMISSIONS_MAX = 7;
const LAST_WAIT_RTOS = 16;
/** How often outstanding requests are looked through for ones to send again. */
const SCAN_INTERVAL_MS = 10;
const FAILURES_KEPT = 5;

export interface RequestWindowOptions {
  /** Requests under way at once, 1 or more. */
  readonly outstandingMax: number;
  /** Operations begun a second, or Infinity. */
  readonly operationsPerSecond: number;
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

export class RequestWindow {
  readonly #clients: readonly TurnClient[];
  readonly #send: (client: number, request: Uint8Array) => void;
  readonly #options: RequestWindowOptions;
  readonly #outstanding = new Map<number, Outstanding>();
  #operation: TurnOperation = 'allocate';
  #only: ReadonlySet<number> | undefined;
  #next: number;
  #scannedMs = 0;
  #tally: RequestTally = emptyTally(0);

  constructor(
    clients: readonly TurnClient[],
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
  begin(operation: TurnOperation, nowMs: number, only?: ReadonlySet<number>): void {
    this.#operation = operation;
    this.#only = only;
    this.#next = 0;
    this.#scannedMs = nowMs;
    this.#tally = emptyTally(nowMs);
  }

  /** Begins what the window and the rate allow, and sends again what is overdue. */
  step(nowMs: number): void {
    const allowed = this.#allowed(nowMs);
    while (this.#next < allowed && this.#outstanding.size < this.#options.outstandingMax) {
      const client = this.#next++;
      if (this.#only && !this.#only.has(client)) continue;
      // Nothing to refresh, bind or release without an allocation.
      if (this.#operation !== 'allocate' && this.#client(client).relay < 0) continue;
      this.#client(client).begin(this.#operation);
      this.#transmit(client, nowMs);
    }
    if (nowMs - this.#scannedMs >= SCAN_INTERVAL_MS) this.#scan(nowMs);
    if (this.isOver && this.#tally.endedMs === 0) this.#tally.endedMs = nowMs;
  }

  /** Hands a STUN message that arrived for a client to it. */
  receive(client: number, bytes: Uint8Array, offset: number, length: number, nowMs: number): void {
    if (!this.#outstanding.has(client)) return;
    const outcome = this.#client(client).receive(bytes, offset, length);
    if (outcome === 'unrelated') return;
    if (outcome === 'again') {
      this.#transmit(client, nowMs);
      return;
    }
    this.#outstanding.delete(client);
    if (outcome === 'done') this.#tally.done++;
    else this.#noteFailure(client);
    if (this.isOver) this.#tally.endedMs = nowMs;
  }

  /** Gives up what has not been begun; requests under way still end. */
  cancel(): void {
    this.#next = this.#clients.length;
  }

  #client(index: number): TurnClient {
    return this.#clients[index] as TurnClient;
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
    this.#outstanding.set(client, { client, transmissions: 1, nextMs: nowMs + RTO_MS });
    this.#send(client, this.#client(client).request);
  }

  #scan(nowMs: number): void {
    this.#scannedMs = nowMs;
    for (const entry of this.#outstanding.values()) {
      if (nowMs < entry.nextMs) continue;
      if (entry.transmissions === TRANSMISSIONS_MAX) {
        this.#outstanding.delete(entry.client);
        this.#client(entry.client).abandon(`${this.#operation}: no answer`);
        this.#noteFailure(entry.client);
        continue;
      }
      entry.transmissions++;
      const waitRtos =
        entry.transmissions === TRANSMISSIONS_MAX ? LAST_WAIT_RTOS : 2 ** (entry.transmissions - 1);
      entry.nextMs = nowMs + RTO_MS * waitRtos;
      this.#tally.retransmissions++;
      this.#send(entry.client, this.#client(entry.client).request);
    }
  }

  #noteFailure(client: number): void {
    this.#tally.failed++;
    if (this.#tally.failures.length < FAILURES_KEPT) this.#tally.failures.push(this.#client(client).failure);
  }
}

function emptyTally(beganMs: number): RequestTally {
  return { done: 0, failed: 0, retransmissions: 0, failures: [], beganMs, endedMs: 0 };
}
