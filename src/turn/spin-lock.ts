/** A lock in shared memory for the few short sections of the control plane that several workers enter. */

/** Runs `section` while holding the lock in `words[0]`. It must be short and must not throw. */
export function locked<Result>(words: Int32Array, section: () => Result): Result {
  while (Atomics.compareExchange(words, 0, 0, 1) !== 0);
  try {
    return section();
  } finally {
    Atomics.store(words, 0, 0);
  }
}
