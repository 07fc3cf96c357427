import type { CallRecord } from './call-record.ts';

/** Calls that are kept, as many as on the appliance. */
export const CALLS_KEPT = 500;

/** The newest calls that ended. */
export class CallHistory {
  readonly #calls = new Map<string, CallRecord>(); // by uuid, oldest first

  /** @param calls oldest first */
  constructor(calls: readonly CallRecord[] = []) {
    for (const call of calls) this.add(call);
  }

  get size(): number {
    return this.#calls.size;
  }

  add(call: CallRecord): void {
    this.#calls.set(call.uuid, call);
    if (this.#calls.size <= CALLS_KEPT) return;
    for (const oldest of this.#calls.keys()) {
      this.#calls.delete(oldest);
      return;
    }
  }

  /** Newest first. */
  newest(limit: number = CALLS_KEPT): CallRecord[] {
    return [...this.#calls.values()].toReversed().slice(0, limit);
  }

  find(uuid: string): CallRecord | undefined {
    return this.#calls.get(uuid);
  }
}
