import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RESERVATION_SECONDS, type Reservation, Reservations } from '../../../src/turn/reservations.ts';
import { holds } from '../../fuzz/seeded.ts';

const ENTRIES = 4;

function reservations(): Reservations {
  const limits = { reservations: ENTRIES } as Parameters<typeof Reservations.words>[0];
  return new Reservations(new Int32Array(Reservations.words(limits)));
}

function token(n: number): Uint8Array {
  // Tokens that differ in one bit of either half, some with the sign bit set.
  return Uint8Array.of(n & 1 ? 0xff : 0, 0, 0, n & 2 ? 1 : 0, n & 4 ? 0x80 : 0, 0, 0, 1);
}

describe('reservations', () => {
  it('are taken once, by their own token, before they expire; and none is lost', () => {
    const step = fc.record({
      action: fc.constantFrom('put', 'take', 'expire'),
      token: fc.nat(7),
      waitSeconds: fc.constantFrom(0, 0, 1, 10, 29, 30),
    });
    holds(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const real = reservations();
        const model: { token: number; reservation: Reservation; expires: number }[] = [];
        let now = 1000;
        let next = 1;
        for (const { action, token: name, waitSeconds } of steps) {
          now += waitSeconds;
          if (action === 'put' && !model.some((entry) => entry.token === name)) {
            const reservation = { socketToken: next, relayAddress: next % 3, port: 24000 + next++ };
            const fits = model.length < ENTRIES;
            expect(real.put(token(name), reservation, now)).toBe(fits);
            if (fits) model.push({ token: name, reservation, expires: now + RESERVATION_SECONDS });
          } else if (action === 'take') {
            const at = model.findIndex((entry) => entry.token === name && entry.expires > now);
            const bytes = Buffer.concat([Buffer.alloc(5), token(name)]);
            expect(real.take(bytes, 5, now)).toEqual(
              at < 0 ? undefined : model.splice(at, 1)[0]?.reservation,
            );
          } else if (action === 'expire') {
            const expired = model.filter((entry) => entry.expires <= now);
            for (const entry of expired) model.splice(model.indexOf(entry), 1);
            const given: (Reservation | undefined)[] = [];
            for (let one = real.takeExpired(now); one; one = real.takeExpired(now)) given.push(one);
            const byPort = (a?: Reservation, b?: Reservation): number => (a?.port ?? 0) - (b?.port ?? 0);
            expect(given.sort(byPort)).toEqual(expired.map((entry) => entry.reservation).sort(byPort));
          }
        }
      }),
      500,
    );
  });
});
