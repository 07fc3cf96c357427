/**
 * How allocations begin and end: the one place where tables, sockets, quotas, counters and events are
 * kept in step.
 */
import { count } from '../wire/counters.ts';
import type { Allocation, Allocations, Relay } from './allocations.ts';
import { TURN } from './counters.ts';
import type { Quota } from './quota.ts';
import type { RelayMemory } from './relay-evidence.ts';
import type { Relays } from './relays.ts';
import type { AllocationEnd, TurnEvents } from './settings.ts';

const END_COUNTERS: Readonly<Record<AllocationEnd, number>> = {
  deleted: TURN.allocationsDeleted,
  expired: TURN.allocationsExpired,
  revoked: TURN.allocationsRevoked,
  closed: TURN.allocationsClosed,
};

export class Lifecycle {
  nowMs = 0;
  readonly #allocations: Allocations;
  readonly #relays: Relays;
  readonly #quota: Quota;
  readonly #relayMemory: RelayMemory;
  readonly #counters: Float64Array;
  readonly #events: TurnEvents;

  constructor(parts: {
    allocations: Allocations;
    relays: Relays;
    quota: Quota;
    relayMemory: RelayMemory;
    counters: Float64Array;
    events: TurnEvents;
  }) {
    this.#allocations = parts.allocations;
    this.#relays = parts.relays;
    this.#quota = parts.quota;
    this.#relayMemory = parts.relayMemory;
    this.#counters = parts.counters;
    this.#events = parts.events;
  }

  /** Takes in a new allocation whose relays are open and whose quota is acquired. */
  begin(allocation: Allocation): void {
    this.#allocations.add(allocation);
    count(this.#counters, TURN.allocationsCreated);
    this.showGauges();
    this.#events.allocated(allocation.id);
  }

  /** Ends an allocation with all its relays. */
  end(allocation: Allocation, reason: AllocationEnd): void {
    this.endRelays(allocation, allocation.relays, reason);
  }

  /** Closes some relays of an allocation, and with the last of them ends the allocation. */
  endRelays(allocation: Allocation, relays: readonly Relay[], reason: AllocationEnd): void {
    for (const relay of relays) {
      this.#relays.close(relay);
      this.#relayMemory.remember(allocation, relay, this.nowMs);
    }
    this.#quota.release(allocation.user, allocation.clientHost, relays.length);
    if (relays.length < allocation.relays.length) {
      for (const relay of relays) this.#allocations.removeRelay(allocation, relay);
      return;
    }
    if (allocation.reservationToken) this.#relays.cancelReservation(allocation.reservationToken, this.nowMs);
    this.#events.ended(allocation.id, reason);
    this.#allocations.remove(allocation);
    count(this.#counters, END_COUNTERS[reason]);
    this.showGauges();
  }

  /** Brings the gauges up to date. */
  showGauges(): void {
    this.#counters[TURN.allocations] = this.#allocations.size;
    this.#counters[TURN.permissions] = this.#allocations.permissions.size;
    this.#counters[TURN.channels] = this.#allocations.channels.size;
  }
}
