/** Tables for spreadsheets (RFC 4180): commas, CRLF, quotes where they are needed. */
import { figuresOf, ICE_METRIC_ROWS, type IceIntervalReport, type IceMetricsReport } from './ice-metrics.ts';

export type CsvCell = string | number;

export function csvText(rows: readonly (readonly CsvCell[])[]): string {
  return rows.map((row) => `${row.map(csvCell).join(',')}\r\n`).join('');
}

const NOT_AVAILABLE = 'N/A';

/**
 * The figures of the page under the page's labels: one row an interval, newest first, that of now included and
 * marked as not complete. Percentages are numbers from 0 to 100.
 */
export function iceMetricsCsv(nodes: readonly IceMetricsReport[]): string {
  const header = ['Node', 'Start time', 'End time', 'Complete'];
  for (const { label, shareOf } of ICE_METRIC_ROWS) header.push(label, ...(shareOf ? [`${label} (%)`] : []));
  const rows = nodes.flatMap(({ node, current, history }) => [
    intervalRow(node, current, 'no'),
    ...history.map((interval) => intervalRow(node, interval, 'yes')),
  ]);
  return csvText([header, ...rows]);
}

function intervalRow(node: string, interval: IceIntervalReport, complete: 'yes' | 'no'): CsvCell[] {
  const cells: CsvCell[] = [node, interval.startTime, interval.endTime, complete];
  for (const row of ICE_METRIC_ROWS) {
    const { count, percent } = figuresOf(row, interval);
    cells.push(count ?? NOT_AVAILABLE, ...(row.shareOf ? [percent ?? NOT_AVAILABLE] : []));
  }
  return cells;
}

/**
 * A spreadsheet takes text that begins with = + - @, in some after white space or full width, for a formula; an
 * apostrophe in front makes it text. Numbers of ours are left alone.
 */
function csvCell(cell: CsvCell): string {
  if (typeof cell === 'number') return String(cell);
  const text = /^(?:\s*[=+\-@＝＋－＠]|[\t\r\n])/.test(cell) ? `'${cell}` : cell;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
