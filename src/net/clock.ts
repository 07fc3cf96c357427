/** The one clock of `net`: monotonic, and with the same origin in every thread of the process. */

// performance.now() counts from the start of its thread; hrtime from the same moment everywhere, but
// makes a BigInt or an array a call. So the distance between the two is taken once.
const originMs = Number(process.hrtime.bigint() / 1000n) / 1000 - performance.now();

/** Monotonic milliseconds, whole. */
export function monotonicMs(): number {
  return Math.floor(originMs + performance.now());
}
