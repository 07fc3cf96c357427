/** Gathers lines for a file: however many come, they are written at most once a second. */

export interface LineBatchesOptions {
  /** Called with one batch at a time. What it keeps of lines that it rejects with is its own affair. */
  readonly write: (lines: readonly string[]) => Promise<void>;
  /** Hears why `write` rejected, and which lines were lost. */
  readonly failed: (error: Error, lines: readonly string[]) => void;
}

/** From the beginning of one write to that of the next. */
const PAUSE_MS = 1000;
/** Lines that wait while a slow disk writes; then new ones are lost. */
const LINES_MAX = 10_000;

export class LineBatches {
  readonly #options: LineBatchesOptions;
  #lines: string[] = [];
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  #beganMs = Number.NEGATIVE_INFINITY;
  #isWanted = false; // once more, when what is being written is written

  constructor(options: LineBatchesOptions) {
    this.#options = options;
  }

  /** The line is on its way within a second, if nothing was written in the last one as soon as this turn ends. */
  add(line: string): void {
    if (this.#lines.length < LINES_MAX) this.#lines.push(line);
    else this.#options.failed(new Error(`${LINES_MAX} lines wait for the disk`), [line]);
    this.wake();
  }

  /** Has `write` called in the same time as after {@link add}, without a line if none waits. */
  wake(): void {
    this.#isWanted = true;
    if (this.#timer || this.#writing) return;
    const waitMs = Math.max(0, this.#beganMs + PAUSE_MS - performance.now());
    this.#timer = setTimeout(() => this.#begin(), waitMs).unref();
  }

  /** Resolves when every line that was added before is written or lost. */
  async flush(): Promise<void> {
    await this.#writing;
    if (this.#isWanted) this.#begin();
    await this.#writing;
  }

  #begin(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#isWanted = false;
    this.#beganMs = performance.now();
    const lines = this.#lines;
    this.#lines = [];
    this.#writing = this.#options
      .write(lines)
      .catch((error) => this.#options.failed(error, lines))
      .then(() => {
        this.#writing = undefined;
        if (this.#isWanted) this.wake();
      });
  }
}
