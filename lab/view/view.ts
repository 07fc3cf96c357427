/**
 * What the user sees of a run: built from its events alone, whatever network, media plane or scenario is behind them.
 * - `live`: on a terminal, a table that is kept up to date in place
 * - `lines`: a line for each thing that happens, then the table; for logs and pipes
 * - `json`: the result, and nothing else
 */
import type { LabEvent, LabListener } from '../events.ts';
import { LinesView } from './lines-view.ts';
import { LiveView } from './live-view.ts';
import type { ViewOptions, ViewOutput } from './output.ts';

export type ViewKind = 'live' | 'lines' | 'json';

export interface View {
  readonly listener: LabListener;
  /** Shows what is not shown yet, and nothing more after that. Safe to call twice. */
  close(): void;
}

export function createView(kind: ViewKind, output: ViewOutput, options: ViewOptions): View {
  if (kind === 'live') return new LiveView(output, options);
  if (kind === 'lines') return new LinesView(output, options);
  return { listener: (event) => writeResult(event, output), close: () => undefined };
}

function writeResult(event: LabEvent, output: ViewOutput): void {
  if (event.event === 'end') output.write(`${JSON.stringify(event.result, null, 2)}\n`);
}
