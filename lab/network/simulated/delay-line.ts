/** What comes in comes out after a constant time, in order. */
export class DelayLine<Item> {
  readonly #delayMs: number;
  readonly #out: (item: Item) => void;
  #waiting: { readonly item: Item; readonly dueMs: number }[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(delayMs: number, out: (item: Item) => void) {
    this.#delayMs = delayMs;
    this.#out = out;
  }

  push(item: Item): void {
    this.#waiting.push({ item, dueMs: performance.now() + this.#delayMs });
    this.#timer ??= setTimeout(() => this.#release(), this.#delayMs);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#waiting = [];
  }

  #release(): void {
    this.#timer = undefined;
    const nowMs = performance.now();
    const later = this.#waiting.findIndex(({ dueMs }) => dueMs > nowMs);
    const due = this.#waiting.splice(0, later < 0 ? this.#waiting.length : later);
    const [next] = this.#waiting;
    if (next) this.#timer = setTimeout(() => this.#release(), Math.ceil(next.dueMs - nowMs));
    for (const { item } of due) this.#out(item);
  }
}
