/**
 * Keeps relays alive through a long run: permissions last 5 minutes, allocations and channels 10
 * (RFC 8656 §9, §12), so all are renewed well before, a few at a time so that it does not show.
 */
import { RequestWindow, STUN_WAITS_MS } from './request-window.ts';
import type { TurnClient, TurnOperation } from './turn-client.ts';

const RENEW_MS = 200_000;
const SPREAD_SECONDS = 30;
const OUTSTANDING_MAX = 4;

export class Renewal {
  /** Answers of the server go here. */
  readonly requests: RequestWindow<TurnOperation>;
  readonly #operations: readonly TurnOperation[];
  #next = 0;
  #nextMs: number;

  /** `binding`: what renews the permission, beside the allocation. */
  constructor(
    clients: readonly TurnClient[],
    send: (client: number, request: Uint8Array) => void,
    binding: 'bindChannel' | 'permit',
    nowMs: number,
  ) {
    const operationsPerSecond = Math.max(1, clients.length / SPREAD_SECONDS);
    this.requests = new RequestWindow(clients, send, {
      outstandingMax: OUTSTANDING_MAX,
      operationsPerSecond,
      waitsMs: STUN_WAITS_MS,
    });
    this.#operations = ['refresh', binding];
    this.#nextMs = nowMs + RENEW_MS;
  }

  step(nowMs: number): void {
    if (!this.requests.isOver) {
      this.requests.step(nowMs);
      return;
    }
    if (nowMs < this.#nextMs) return;
    this.requests.begin(this.#operations[this.#next] as TurnOperation, nowMs);
    this.#next = (this.#next + 1) % this.#operations.length;
    // One operation follows the other at once; then there is peace until the next round.
    if (this.#next === 0) this.#nextMs = nowMs + RENEW_MS;
  }
}
