/** Text in columns: which of them fit a width, and lines cut and padded to it. */
import stringWidth from 'string-width';
import type { Meaning, Paint } from './colours.ts';

export interface Cell {
  readonly text: string;
  readonly meaning: Meaning;
  /** Of which the first that fits stands for a {@link text} that does not; the last is cut. */
  readonly shorter?: readonly string[];
}

export interface Column {
  readonly head: string;
  /** One a row. */
  readonly cells: readonly Cell[];
  /** 0: always there. Where not all columns fit, those with the highest go first. */
  readonly rank: number;
  /** It may be cut to this width rather than be left out. Absent: it is never cut. */
  readonly widthMin?: number;
  /** So wide it is at least, that the table does not jump while it fills. */
  readonly widthReserved?: number;
}

/** Between columns. */
const GAP = '  ';

/** The head, and a line for each row; no line is wider than `width`, none ends with spaces. */
export function tableLines(columns: readonly Column[], width: number, paint: Paint): string[] {
  const shown = fittingColumns(columns, width);
  const rows = columns[0]?.cells.length ?? 0;
  const line = (cellOf: (column: Column) => Cell): string => {
    let left = width;
    const parts = shown.map(({ column, width: columnWidth }) => {
      const { text, meaning } = fitted(cellOf(column), Math.min(columnWidth, Math.max(0, left)));
      left -= columnWidth + GAP.length;
      return { text: paint(meaning, text), padding: ' '.repeat(columnWidth - stringWidth(text)) };
    });
    const whole = parts.map(({ text, padding }) => text + padding).join(GAP);
    return whole.trimEnd();
  };
  return [
    line(({ head }) => ({ text: head, meaning: 'heading' })),
    ...Array.from({ length: rows }, (_, i) =>
      line(({ cells }) => cells[i] ?? { text: '', meaning: 'plain' }),
    ),
  ];
}

/** Text of at most `width` columns, ending with `…` where something is missing. */
export function cut(text: string, width: number): string {
  if (stringWidth(text) <= width) return text;
  let kept = '';
  let keptWidth = 0;
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    keptWidth += stringWidth(segment);
    if (keptWidth > width - 1) break;
    kept += segment;
  }
  return width < 1 ? '' : `${kept}…`;
}

/** What comes from elsewhere (a title, a refusal) as one line without control characters. */
export function oneLine(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ').trim();
}

interface ShownColumn {
  readonly column: Column;
  readonly width: number;
}

/** In their order: by rank as many as fit at their least width, which then share what is left, by rank again. */
function fittingColumns(columns: readonly Column[], width: number): ShownColumn[] {
  const byRank = columns.toSorted((a, b) => a.rank - b.rank);
  const widths = new Map<Column, number>();
  let left = width + GAP.length;
  for (const column of byRank) {
    const least = Math.min(column.widthMin ?? Number.POSITIVE_INFINITY, wholeWidth(column));
    if (column.rank > 0 && least + GAP.length > left) break;
    widths.set(column, least);
    left -= least + GAP.length;
  }
  for (const column of byRank) {
    const least = widths.get(column);
    if (least === undefined) break;
    const more = Math.max(0, Math.min(left, wholeWidth(column) - least));
    widths.set(column, least + more);
    left -= more;
  }
  return columns.flatMap((column) => {
    const columnWidth = widths.get(column);
    return columnWidth === undefined ? [] : [{ column, width: columnWidth }];
  });
}

function wholeWidth({ head, cells, widthReserved = 0 }: Column): number {
  return Math.max(stringWidth(head), widthReserved, ...cells.map(({ text }) => stringWidth(text)));
}

function fitted({ text, shorter = [], meaning }: Cell, width: number): Cell {
  const forms = [text, ...shorter];
  const form = forms.find((one) => stringWidth(one) <= width) ?? forms.at(-1) ?? text;
  return { text: cut(form, width), meaning };
}
