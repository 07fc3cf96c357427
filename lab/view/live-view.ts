/** On a terminal: notes scroll by, and below them stands the table, kept up to date in place. */
import type { CallRow, LabEvent, LabResult } from '../events.ts';
import { callTable, problemLines } from './call-table.ts';
import { type Meaning, type Paint, withColours, withoutColours } from './colours.ts';
import { cut, oneLine } from './columns.ts';
import { endLines, type MetricsEvent } from './end.ts';
import { mediaPlaneLines, networkLine, stepLine } from './headings.ts';
import type { Afterwards, ViewOptions, ViewOutput } from './output.ts';
import { RedrawnRegion } from './redrawn-region.ts';

/** Ten times a second is as often as anybody reads. */
const REDRAW_MS_MIN = 100;

export class LiveView {
  readonly #region: RedrawnRegion;
  readonly #afterwards: Afterwards;
  readonly #paint: Paint;
  readonly #rows = new Map<string, CallRow>();
  #network: readonly string[] = [];
  #mediaPlane: readonly string[] = [];
  #step = '';
  #metrics: MetricsEvent | null = null;
  /** What is to be written above the region, and stays. */
  #above: string[] = [];
  /** As it was drawn last. */
  #frame: readonly string[] = [];
  #isDirty = false;
  #isOver = false;
  #isClosed = false;
  /** Runs while nothing is drawn, for something just was. */
  #pause: NodeJS.Timeout | undefined;

  constructor(output: ViewOutput, { afterwards, hasColours }: ViewOptions) {
    this.#region = new RedrawnRegion(output);
    this.#afterwards = afterwards;
    this.#paint = hasColours ? withColours : withoutColours;
  }

  readonly listener = (event: LabEvent): void => {
    if (this.#isClosed) return;
    this.#take(event);
    this.#isDirty = true;
    // The first change is shown at once, those that follow within the pause together.
    if (this.#pause === undefined) this.#draw();
  };

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#pause);
    if (this.#isDirty) this.#show();
  }

  #take(event: LabEvent): void {
    switch (event.event) {
      case 'network':
        this.#network = [networkLine(event)];
        return;
      case 'media-plane':
        this.#mediaPlane = mediaPlaneLines(event);
        return;
      case 'step':
        this.#step = stepLine(event);
        return;
      case 'call':
        this.#rows.set(event.row.id, event.row);
        return;
      case 'note':
        this.#above.push(this.#paint('attention', oneLine(event.text)));
        return;
      case 'metrics':
        this.#metrics = event;
        return;
      case 'end':
        return this.#end(event.result);
    }
  }

  /** The table leaves the region and stays, as it is then, and the rest below it. */
  #end(result: LabResult): void {
    const table = callTable(result.calls, this.#region.width, this.#paint);
    const end = endLines(result, this.#metrics, this.#afterwards, this.#paint);
    this.#above.push(...this.#header(), '', ...table, '', ...end);
    this.#isOver = true;
  }

  #draw(): void {
    this.#show();
    this.#pause = setTimeout(() => {
      this.#pause = undefined;
      if (this.#isDirty) this.#draw();
    }, REDRAW_MS_MIN);
    this.#pause.unref();
  }

  #show(): void {
    this.#isDirty = false;
    const frame = this.#isOver ? [] : this.#lines();
    const isShown = frame.length === this.#frame.length && frame.every((line, i) => line === this.#frame[i]);
    if (isShown && this.#above.length === 0) return;
    this.#region.draw(this.#above, frame);
    this.#above = [];
    this.#frame = frame;
  }

  #lines(): string[] {
    const rows = [...this.#rows.values()];
    const table = callTable(rows, this.#region.width, this.#paint);
    const problems = rows.flatMap(problemLines).map((line) => this.#line('wrong', `  ${line}`));
    const step = this.#step === '' ? [] : [this.#line('plain', this.#step)];
    return [...this.#header(), ...step, ...(table.length > 0 ? ['', ...table] : []), ...problems];
  }

  #header(): string[] {
    return [...this.#network, ...this.#mediaPlane].map((line) => this.#line('secondary', line));
  }

  #line(meaning: Meaning, text: string): string {
    return this.#paint(meaning, cut(text, this.#region.width));
  }
}
