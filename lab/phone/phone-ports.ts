/** Local UDP ports of a process's phones, given out in a ring: no two phones try the same one at a time. */

type Range = readonly [first: number, last: number];

const pools = new Map<string, PhonePorts>();

export class PhonePorts {
  readonly #range: Range;
  #next: number;

  constructor(range: Range) {
    this.#range = range;
    this.#next = range[0];
  }

  /** All phones of one range share its ports. */
  static of(range: Range): PhonePorts {
    const key = range.join('-');
    const pool = pools.get(key) ?? new PhonePorts(range);
    pools.set(key, pool);
    return pool;
  }

  /** How often {@link take} gives other ports. */
  rounds(count: number): number {
    return Math.floor((this.#range[1] - this.#range[0] + 1) / count);
  }

  /** The first of so many ports in a row; even where the range begins so and the count is even. */
  take(count: number): number {
    const [first, last] = this.#range;
    if (this.#next + count - 1 > last) this.#next = first;
    const port = this.#next;
    this.#next += count;
    return port;
  }
}
