/** As much of a terminal as the live view uses: a screen that scrolls, cursor up, erase a row, colours. */
import stringWidth from 'string-width';

export class VirtualTerminal {
  /** Everything that was written, as it was. */
  written = '';
  writes = 0;
  readonly #columns: number;
  readonly #rows: number;
  /** All rows, those that have scrolled away too; the last {@link #rows} of them are the screen. */
  #lines: string[] = [''];
  #row = 0;
  #column = 0;

  constructor(columns: number, rows: number) {
    this.#columns = columns;
    this.#rows = rows;
  }

  /** What one sees when one scrolls up to the beginning. */
  get text(): string {
    return this.#lines.join('\n').trimEnd();
  }

  readonly columns = (): number => this.#columns;
  readonly rows = (): number => this.#rows;

  readonly write = (text: string): void => {
    this.written += text;
    this.writes++;
    const [plain = '', ...commanded] = text.split('\x1b[');
    for (const character of plain) this.#put(character);
    for (const part of commanded) {
      const [whole = '', count, command] = /^(\d*)([A-Za-z])/.exec(part) ?? [];
      this.#obey(command, Number(count));
      for (const character of part.slice(whole.length)) this.#put(character);
    }
  };

  #obey(command: string | undefined, count: number): void {
    const top = Math.max(0, this.#lines.length - this.#rows);
    if (command === 'A') this.#row = Math.max(top, this.#row - Math.max(1, count));
    else if (command === 'K' && count === 2) this.#lines[this.#row] = '';
    else if (command !== 'm') throw new Error(`no such command here: ${command}`);
  }

  #put(character: string): void {
    if (character === '\r') {
      this.#column = 0;
    } else if (character === '\n') {
      this.#toNextRow();
    } else {
      if (this.#column + stringWidth(character) > this.#columns) this.#toNextRow();
      this.#lines[this.#row] = (this.#lines[this.#row] ?? '') + character;
      this.#column += stringWidth(character);
    }
  }

  #toNextRow(): void {
    this.#row++;
    this.#column = 0;
    if (this.#row === this.#lines.length) this.#lines.push('');
  }
}
