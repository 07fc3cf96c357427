export const EXIT_FINE = 0;
/** A call took another path than expected, or the lab does not work. */
export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;
export const EXIT_INTERRUPTED = 130;
