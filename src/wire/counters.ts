/**
 * Counters live in one `Float64Array` over shared memory per worker: one writer, any number of
 * readers, exact up to 2^53. A module lists the names it counts; the place in the list is the index.
 */

/** Maps each name to its place in the list: `indexed(['a', 'b'])` is `{ a: 0, b: 1 }`. */
export function indexed<const Names extends readonly string[]>(
  names: Names,
): Readonly<Record<Names[number], number>> {
  return Object.freeze(Object.fromEntries(names.map((name, index) => [name, index]))) as Readonly<
    Record<Names[number], number>
  >;
}

/** Adds to a counter. */
export function count(counters: Float64Array, index: number, amount = 1): void {
  counters[index] = (counters[index] as number) + amount;
}
