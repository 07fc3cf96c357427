import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Quota } from '../../../src/turn/quota.ts';
import type { TurnLimits } from '../../../src/turn/settings.ts';
import { holds, Random, SEED } from '../../fuzz/seeded.ts';

function limits(over: Partial<TurnLimits>): TurnLimits {
  return {
    relays: 40,
    relaysPerUser: 6,
    relaysPerAddress: 8,
    reservations: 4,
    permissionsPerRelay: 8,
    channelsPerRelay: 8,
    unauthenticatedRepliesPerSecond: 0,
    ...over,
  };
}

function quota(of: TurnLimits, seed: number): Quota {
  return new Quota(new Int32Array(Quota.words(of)), of, seed);
}

/** What a quota is, said with maps. */
class Model {
  readonly users = new Map<string, number>();
  readonly addresses = new Map<string, number>();
  relays = 0;
  readonly #limits: TurnLimits;

  constructor(of: TurnLimits) {
    this.#limits = of;
  }

  acquire(user: string, address: string, relays: number): string {
    if (this.relays + relays > this.#limits.relays) return 'node-full';
    const ofUser = (this.users.get(user) ?? 0) + relays;
    const ofAddress = (this.addresses.get(address) ?? 0) + relays;
    // Without authentication nobody has a name, and names are no measure.
    if (user !== '' && ofUser > this.#limits.relaysPerUser) return 'user-full';
    if (ofAddress > this.#limits.relaysPerAddress) return 'user-full';
    this.add(user, address, relays);
    return 'granted';
  }

  add(user: string, address: string, relays: number): void {
    this.users.set(user, (this.users.get(user) ?? 0) + relays);
    this.addresses.set(address, (this.addresses.get(address) ?? 0) + relays);
    this.relays += relays;
  }
}

function expectLikeModel(
  of: TurnLimits,
  seed: number,
  steps: readonly (readonly [string, string, number, number])[],
): void {
  const real = quota(of, seed);
  const model = new Model(of);
  const held: [string, string, number][] = [];
  for (const [user, address, relays, choice] of steps) {
    if (choice % 3 > 0) {
      const outcome = model.acquire(user, address, relays);
      expect(real.acquire(user, address, relays)).toBe(outcome);
      if (outcome === 'granted') held.push([user, address, relays]);
    } else if (held.length > 0) {
      const [holder, from, count] = held.splice(choice % held.length, 1)[0] as [string, string, number];
      real.release(holder, from, count);
      model.add(holder, from, -count);
    }
    expect(real.relays).toBe(model.relays);
  }
  for (const [holder, from, count] of held) real.release(holder, from, count);
  expect(real.relays).toBe(0);
  // Nothing is left behind: everybody has the whole allowance again.
  for (const name of model.users.keys()) {
    expect(real.acquire(name, `of ${name}`, of.relaysPerUser)).toBe('granted');
    real.release(name, `of ${name}`, of.relaysPerUser);
  }
}

describe('the quota', () => {
  it('grants what its limits leave, in any order of coming and going', () => {
    const step = fc.tuple(
      fc.constantFrom('', 'alice', 'bob', 'carol', 'dave'),
      fc.constantFrom('192.0.2.1', '192.0.2.2', '192.0.2.3', 'alice'),
      fc.constantFrom(1, 2),
      fc.nat(1000),
    );
    holds(
      fc.property(fc.array(step, { maxLength: 200 }), fc.integer(), (steps, seed) => {
        expectLikeModel(limits({}), seed, steps);
      }),
      400,
    );
  });

  it('keeps every holder reachable as its table fills and gaps close', () => {
    const random = new Random(SEED);
    // As many holders as there can be: each relay of a user and an address of its own.
    const of = limits({ relays: 200, relaysPerUser: 2, relaysPerAddress: 2 });
    for (let round = 0; round < 10; round++) {
      const steps = Array.from({ length: 3000 }, () => {
        const user = `user${random.below(400)}`;
        return [user, `address of ${user}`, random.between(1, 2), random.below(100_000)] as const;
      });
      expectLikeModel(of, random.word(), steps);
    }
  });

  it('counts a user and an address of the same name apart', () => {
    const real = quota(limits({ relaysPerUser: 1, relaysPerAddress: 1 }), SEED);
    expect(real.acquire('192.0.2.1', '192.0.2.2', 1)).toBe('granted');
    expect(real.acquire('192.0.2.2', '192.0.2.1', 1)).toBe('granted');
  });

  it('takes nothing when it grants nothing', () => {
    const real = quota(limits({ relaysPerUser: 1, relaysPerAddress: 3 }), SEED);
    expect(real.acquire('alice', '192.0.2.1', 2)).toBe('user-full');
    expect(real.acquire('bob', '192.0.2.1', 1)).toBe('granted');
    expect(real.acquire('alice', '192.0.2.1', 1)).toBe('granted');
    expect(real.relays).toBe(2);
  });
});
