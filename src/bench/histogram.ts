/**
 * Latencies counted in log-linear buckets of fixed memory (the idea of HdrHistogram): 64 linear
 * buckets for every power of two, so a percentile is exact to 1/64 (1.6 %) whatever the range.
 */

const SUB_BUCKET_BITS = 6;
const SUB_BUCKETS = 1 << SUB_BUCKET_BITS;
const VALUE_MAX = 0xffff_ffff;
const BUCKETS = (32 - SUB_BUCKET_BITS + 1) * SUB_BUCKETS;

export class LatencyHistogram {
  readonly #counts = new Float64Array(BUCKETS);
  #count = 0;
  #max = 0;
  #sum = 0;

  /** Values recorded. */
  get count(): number {
    return this.#count;
  }

  /** The largest value, exact. */
  get max(): number {
    return this.#max;
  }

  /** Arithmetic mean, exact; 0 while empty. */
  get mean(): number {
    return this.#count === 0 ? 0 : this.#sum / this.#count;
  }

  /** Records a value in whole units (nanoseconds here); below 0 counts as 0, above 2^32 − 1 as that. */
  record(value: number): void {
    const bounded = value < 0 ? 0 : Math.min(value, VALUE_MAX);
    const bucket = bucketOf(bounded >>> 0);
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
    this.#count++;
    this.#sum += bounded;
    if (bounded > this.#max) this.#max = bounded;
  }

  /**
   * The smallest value that `percent` (above 0, at most 100) of the recorded values do not exceed,
   * rounded up to its bucket's end but never above {@link max}; 0 while empty.
   */
  percentile(percent: number): number {
    const wanted = Math.ceil((this.#count * percent) / 100);
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      seen += this.#counts[bucket] as number;
      if (seen >= wanted) return Math.min(endOf(bucket), this.#max);
    }
    return this.#max;
  }

  reset(): void {
    this.#counts.fill(0);
    this.#count = this.#max = this.#sum = 0;
  }
}

function bucketOf(value: number): number {
  if (value < SUB_BUCKETS) return value;
  const shift = 31 - Math.clz32(value) - SUB_BUCKET_BITS;
  return shift < 0 ? value : shift * SUB_BUCKETS + (value >>> shift);
}

/** Largest value that falls into the bucket. */
function endOf(bucket: number): number {
  if (bucket < 2 * SUB_BUCKETS) return bucket;
  const shift = (bucket >>> SUB_BUCKET_BITS) - 1;
  const start = bucket - shift * SUB_BUCKETS;
  return (start + 1) * 2 ** shift - 1;
}
