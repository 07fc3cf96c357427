/** A line for each thing that happens, in words that stay as they are, then the table: for logs, pipes and `grep`. */
import type { CallEnd, CallRow, LabEvent, LabResult } from '../events.ts';
import { callTable } from './call-table.ts';
import { withoutColours } from './colours.ts';
import { oneLine } from './columns.ts';
import { endLines, type MetricsEvent } from './end.ts';
import { mediaPlaneLines, networkLine, stepLine } from './headings.ts';
import type { Afterwards, ViewOptions, ViewOutput } from './output.ts';

export class LinesView {
  readonly #output: ViewOutput;
  readonly #afterwards: Afterwards;
  /** Calls as they were last told, by their ids. */
  readonly #rows = new Map<string, CallRow>();
  #metrics: MetricsEvent | null = null;
  #isClosed = false;

  constructor(output: ViewOutput, { afterwards }: Pick<ViewOptions, 'afterwards'>) {
    this.#output = output;
    this.#afterwards = afterwards;
  }

  readonly listener = (event: LabEvent): void => {
    if (this.#isClosed) return;
    const lines = this.#lines(event);
    if (lines.length > 0) this.#output.write(`${lines.join('\n')}\n`);
  };

  close(): void {
    this.#isClosed = true;
  }

  #lines(event: LabEvent): string[] {
    switch (event.event) {
      case 'network':
        return [networkLine(event)];
      case 'media-plane':
        return mediaPlaneLines(event);
      case 'step':
        return [stepLine(event)];
      case 'call': {
        const before = this.#rows.get(event.row.id);
        this.#rows.set(event.row.id, event.row);
        return changeLines(before, event.row);
      }
      case 'note':
        return [`note: ${oneLine(event.text)}`];
      case 'metrics':
        this.#metrics = event;
        return [];
      case 'end':
        return this.#endLines(event.result);
    }
  }

  #endLines(result: LabResult): string[] {
    const table = callTable(result.calls, Number.POSITIVE_INFINITY, withoutColours);
    return ['', ...table, '', ...endLines(result, this.#metrics, this.#afterwards, withoutColours)];
  }
}

/** What is worth a line about a call that was as `before`; undefined: it is new. */
export function changeLines(before: CallRow | undefined, row: CallRow): string[] {
  const { id, caller, callee, state, path, fault, isRight } = row;
  const call = `call ${id}  ${caller.place} → ${callee.place}`;
  const lines: string[] = [];
  if (isAnswered(row) && !(before && isAnswered(before))) lines.push(`${call}  answered`);
  if (path !== '' && path !== before?.path) lines.push(`${call}  path ${oneLine(path)}`);
  if (state !== before?.state) {
    if (state === 'interrupted') lines.push(`${call}  interrupted`);
    if (state === 'talking' && before?.state === 'interrupted') lines.push(`${call}  talks again`);
  }
  if (fault !== null && fault !== before?.fault) lines.push(`${call}  after the fault: ${oneLine(fault)}`);
  if (isRight !== null && before?.isRight !== isRight) lines.push(resultLine(row), ...problemLines(row));
  return lines;
}

/** All of a call that is over, in one line. */
export function resultLine(row: CallRow): string {
  const { id, caller, callee, expected, got, evidence, fault, isRight } = row;
  return [
    `call ${id}`,
    `${caller.place} → ${callee.place}`,
    `(${caller.nat ?? 'no NAT'}, ${callee.nat ?? 'no NAT'})`,
    `expected ${expected}`,
    `got ${got ?? 'nothing'}`,
    evidence ?? 'no evidence',
    `loss ${loss(caller)}/${loss(callee)}`,
    ...(fault === null ? [] : [`after the fault: ${oneLine(fault)}`]),
    isRight ? 'right' : 'wrong',
  ].join('  ');
}

function problemLines({ id, problems }: CallRow): string[] {
  return problems.map((problem) => `call ${id}  problem: ${oneLine(problem)}`);
}

function isAnswered({ state }: CallRow): boolean {
  return state === 'checking' || state === 'talking' || state === 'interrupted' || state === 'ended';
}

function loss({ lossPercent }: CallEnd): string {
  return lossPercent === null ? 'unknown' : `${lossPercent.toFixed(1)} %`;
}
