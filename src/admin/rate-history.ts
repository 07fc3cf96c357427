/** Rates over the last minutes, for charts. */

/** Ten minutes. */
export const RATE_POINTS_MAX = 120;
export const RATE_POINT_MS = 5000;

export interface RatePoint {
  /** Unix time, milliseconds. */
  readonly unixMs: number;
  /** Bits per second, each known by its place. */
  readonly values: readonly number[];
}

export class RateHistory {
  readonly #points: RatePoint[] = [];

  /** Oldest first, at most {@link RATE_POINTS_MAX}. */
  get points(): readonly RatePoint[] {
    return this.#points;
  }

  /** Call it as often as you like: what comes sooner than {@link RATE_POINT_MS} after the last one is left out. */
  add(unixMs: number, values: readonly number[]): void {
    const last = this.#points.at(-1);
    // A clock that was set back is no reason to stand still.
    if (last && unixMs >= last.unixMs && unixMs - last.unixMs < RATE_POINT_MS) return;
    if (last && unixMs < last.unixMs) this.#points.length = 0;
    this.#points.push({ unixMs, values });
    if (this.#points.length > RATE_POINTS_MAX) this.#points.shift();
  }
}
