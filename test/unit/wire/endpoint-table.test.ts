import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EndpointBook } from '../../../src/wire/endpoint.ts';
import { EndpointTable } from '../../../src/wire/endpoint-table.ts';
import { holds, Random, SEED } from '../../fuzz/seeded.ts';

/** Addresses that are easy to mistake for one another. */
const ADDRESSES = [
  '192.0.2.1',
  '192.0.2.2',
  '::192.0.2.1',
  '::ffff:192.0.2.1',
  '2001:db8::1',
  '2001:db8::2',
  '2001:db8:0:1::1',
  '::',
];

interface Step {
  readonly action: 'set' | 'get' | 'delete';
  readonly scope: number;
  readonly address: string;
  readonly port: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  action: fc.constantFrom('set', 'set', 'get', 'delete'),
  scope: fc.constantFrom(-1, 0, 1, 2, 0x7fffffff),
  address: fc.constantFrom(...ADDRESSES),
  port: fc.constantFrom(0, 1, 256, 5000, 65535),
});

function expectLikeMap(steps: readonly Step[], ports: 'compared' | 'ignored', seed: number): void {
  const book = new EndpointBook(2, 2);
  const table = new EndpointTable(book, ports, seed);
  const model = new Map<string, number>();
  for (const [i, { action, scope, address, port }] of steps.entries()) {
    book.words.fill(action === 'get' ? -1 : 0); // rows may carry leftovers of longer addresses
    book.setText(1, address, port);
    const key = `${scope} ${address}${ports === 'compared' ? ` ${port}` : ''}`;
    const known = model.get(key) ?? -1;
    if (action === 'set') {
      table.set(scope, 1, i);
      model.set(key, i);
    } else if (action === 'get') {
      expect(table.get(scope, 1)).toBe(known);
    } else {
      expect(table.delete(scope, 1)).toBe(known);
      model.delete(key);
    }
    expect(table.size).toBe(model.size);
  }
  for (const [key, value] of model) {
    const [scope, address, port] = key.split(' ');
    book.setText(0, address as string, Number(port ?? 4711));
    expect(table.get(Number(scope), 0), key).toBe(value);
  }
}

describe.each(['compared', 'ignored'] as const)('an endpoint table with ports %s', (ports) => {
  it('is a map', () => {
    const steps = fc.array(step, { maxLength: 300 });
    holds(
      fc.property(steps, fc.integer(), (steps, seed) => expectLikeMap(steps, ports, seed)),
      300,
    );
  });

  it('stays a map as it grows and as entries of long runs are deleted', () => {
    const random = new Random(SEED);
    const steps: Step[] = Array.from({ length: 40_000 }, (_, i) => ({
      // First mostly growing, then mostly shrinking.
      action: random.chance(i < 25_000 ? 0.6 : 0.15) ? 'set' : random.chance(0.5) ? 'delete' : 'get',
      scope: random.below(3),
      address: random.chance(0.5)
        ? `10.0.${random.below(4)}.${random.below(256)}`
        : `2001:db8::${random.below(1000)}`,
      port: random.below(4),
    }));
    expectLikeMap(steps, ports, random.word());
  });
});

describe('deletion', () => {
  it('loses none of a full table, in any order', () => {
    const random = new Random(SEED + 1);
    for (let round = 0; round < 50; round++) {
      const book = new EndpointBook(1, 1);
      const table = new EndpointTable(book, 'compared', random.word());
      const ports = Array.from({ length: 32 }, (_, i) => i); // half of the smallest table: the longest runs
      const at = (port: number): number => {
        book.setText(0, '192.0.2.1', port);
        return 0;
      };
      for (const port of ports) table.set(0, at(port), port);
      while (ports.length > 0) {
        const port = ports.splice(random.below(ports.length), 1)[0] as number;
        expect(table.delete(0, at(port))).toBe(port);
        expect(table.delete(0, at(port))).toBe(-1);
        for (const left of ports) expect(table.get(0, at(left)), `${left} after deleting ${port}`).toBe(left);
      }
      expect(table.size).toBe(0);
    }
  });
});
