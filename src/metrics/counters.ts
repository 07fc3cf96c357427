/**
 * `metrics`: from counters to what people and monitoring systems read. Knows names and numbers only;
 * whose counters they are and where they lie is told by the node.
 */

/** Counters of one part of one worker, live: reading `values` reads shared memory. */
export interface CounterBlock {
  readonly worker: string;
  /** Name of each value, in order. */
  readonly names: readonly string[];
  readonly values: Float64Array;
}

/** Every counter by name, summed over all blocks. */
export function sumCounters(blocks: readonly CounterBlock[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { names, values } of blocks) {
    for (const [i, name] of names.entries()) sums[name] = (sums[name] ?? 0) + (values[i] ?? 0);
  }
  return sums;
}

/**
 * The counters whose names start with `prefix`, by the rest of the name and without zeros:
 * `{ dropNoPermission: 3 }` with `drop` is `{ no_permission: 3 }`.
 */
export function countersByReason(
  sums: Readonly<Record<string, number>>,
  prefix: 'drop' | 'auth',
): Record<string, number> {
  const reasons: Record<string, number> = {};
  for (const [name, value] of Object.entries(sums)) {
    const reason = suffixAfter(name, prefix);
    if (reason !== undefined && value !== 0) reasons[reason] = value;
  }
  return reasons;
}

/** `suffixAfter('dropNoPermission', 'drop')` is `no_permission`; undefined where the prefix is another word. */
export function suffixAfter(name: string, prefix: string): string | undefined {
  const rest = name.startsWith(prefix) ? name.slice(prefix.length) : '';
  if (!/^[A-Z]/.test(rest)) return undefined;
  return rest.replace(/(?<!^)([A-Z])/g, '_$1').toLowerCase();
}
