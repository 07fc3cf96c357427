/** Where a view writes, and how it ends. */
export interface ViewOutput {
  write(text: string): unknown;
  /** Of the terminal, as it is now; absent: 80. Lines that are no terminal's are as long as they need to be. */
  readonly columns?: () => number;
  /** Of the terminal, as it is now; absent: 24. */
  readonly rows?: () => number;
}

/**
 * What becomes of nodes and pages when the run is over.
 * - `ends`: they end with it
 * - `stays`: they stay until Ctrl-C
 * - `kept`: they were up before, and stay
 */
export type Afterwards = 'ends' | 'stays' | 'kept';

export interface ViewOptions {
  readonly afterwards: Afterwards;
  /** See `wantsColours`; of `live` alone. */
  readonly hasColours: boolean;
}
