/** The last lines of a terminal, which are drawn anew in place; what is written above them scrolls away. */
import stringWidth from 'string-width';
import type { ViewOutput } from './output.ts';

const COLUMNS = 80;
const ROWS = 24;

const ROW_ABOVE_ERASED = '\x1b[1A\x1b[2K';

export class RedrawnRegion {
  readonly #output: ViewOutput;
  #drawn: readonly string[] = [];

  constructor(output: ViewOutput) {
    this.#output = output;
  }

  /** What a line may have: the last column stays free, since terminals differ in what comes after it. */
  get width(): number {
    return Math.max(1, (this.#output.columns?.() ?? COLUMNS) - 1);
  }

  /**
   * Replaces what was drawn.
   * @param above lines that stay, before the region
   * @param lines of at most {@link width} columns; the first are left out where the terminal has not as many rows
   */
  draw(above: readonly string[], lines: readonly string[]): void {
    const rows = Math.max(1, (this.#output.rows?.() ?? ROWS) - 1);
    const shown = lines.slice(-rows);
    const text = [...above, ...shown].map((line) => `${line}\n`).join('');
    // One write, so that nobody sees the region half drawn.
    this.#output.write(this.#erasure() + text);
    this.#drawn = shown;
  }

  /**
   * Upwards over what was drawn, in as many rows as the terminal makes of it now. Row by row: a screen that is cleared
   * from its first row on goes to the scrollback in tmux.
   */
  #erasure(): string {
    const columns = this.width + 1;
    const rows = this.#drawn.reduce(
      (sum, line) => sum + Math.max(1, Math.ceil(stringWidth(line) / columns)),
      0,
    );
    return rows === 0 ? '' : `${ROW_ABOVE_ERASED.repeat(rows)}\r`;
  }
}
