/** The table of a run: a row a call. */
import type { CallEnd, CallRow } from '../events.ts';
import type { Meaning, Paint } from './colours.ts';
import { type Cell, type Column, oneLine, tableLines } from './columns.ts';

const NOTHING = '–';
const PLACE_WIDTH = 'internet'.length;

/** The head and a line a call, no wider than `width`; empty where there are no calls. */
export function callTable(rows: readonly CallRow[], width: number, paint: Paint): string[] {
  return rows.length === 0 ? [] : tableLines(columnsOf(rows), width, paint);
}

/** What is wrong with a call, one line each. */
export function problemLines(row: CallRow): string[] {
  return row.problems.map((problem) => `call ${row.id}: ${oneLine(problem)}`);
}

function columnsOf(rows: readonly CallRow[]): Column[] {
  const column = (
    head: string,
    rank: number,
    cell: (row: CallRow) => Cell,
    more: Partial<Column> = {},
  ): Column => ({
    ...{ head, rank, cells: rows.map(cell) },
    ...more,
  });
  const expectedWidth = Math.max(...rows.map(({ expected }) => expected.length));
  const columns = [
    column('#', 0, ({ id }) => plain(id)),
    column('from', 0, ({ caller }) => plain(caller.place), { widthReserved: PLACE_WIDTH }),
    column('to', 0, ({ callee }) => plain(callee.place), { widthReserved: PLACE_WIDTH }),
    column('expected', 2, ({ expected }) => secondary(expected)),
    column('got', 0, gotCell, { widthReserved: expectedWidth }),
    column('evidence', 3, evidenceCell, { widthReserved: 'verified'.length }),
    column('state', 0, stateCell, { widthReserved: 'checking'.length }),
    column('fault', 1, faultCell, { widthMin: 'recovered 12.3 s'.length }),
    column('loss', 4, lossCell, { widthReserved: '0.0/0.0 %'.length }),
    column('path', 5, pathCell, { widthMin: 28, widthReserved: 28 }),
    column('B2BUA', 6, planeCell, { widthReserved: '100/100'.length }),
    column('heard', 7, heardCell, { widthReserved: '100/100'.length }),
    column('NATs', 8, natsCell),
    column('ICE', 9, ({ caller, callee }) => secondary(pair(caller.agent, callee.agent))),
    column('title', 10, ({ title }) => plain(oneLine(title)), { widthMin: 12 }),
  ];
  return columns.filter(({ head }) => {
    if (head === 'fault') return rows.some(({ fault }) => fault !== null);
    return head !== 'title' || rows.some(hasOwnTitle);
  });
}

/** A title that only repeats the places tells nothing. */
function hasOwnTitle({ title, caller, callee }: CallRow): boolean {
  return title !== `${caller.place} → ${callee.place}`;
}

function gotCell({ got, expected, isRight }: CallRow): Cell {
  if (got === null) return { text: NOTHING, meaning: isRight === false ? 'wrong' : 'secondary' };
  // Before the end it may still become what is expected.
  if (got !== expected) return { text: got, meaning: isRight === null ? 'secondary' : 'wrong' };
  return { text: got, meaning: 'right' };
}

const EVIDENCE: Readonly<Record<NonNullable<CallRow['evidence']>, Meaning>> = {
  verified: 'right',
  endpoints: 'plain',
  unknown: 'attention',
  contradicted: 'wrong',
};

function evidenceCell({ evidence }: CallRow): Cell {
  return evidence === null ? secondary(NOTHING) : { text: evidence, meaning: EVIDENCE[evidence] };
}

function stateCell({ state, isRight }: CallRow): Cell {
  if (isRight !== null)
    return isRight ? { text: 'right', meaning: 'right' } : { text: 'wrong', meaning: 'wrong' };
  if (state === 'interrupted' || state === 'failed') return { text: state, meaning: 'attention' };
  return { text: state, meaning: state === 'talking' ? 'plain' : 'secondary' };
}

/** Whether that is as expected, the state says. */
function faultCell({ fault }: CallRow): Cell {
  if (fault === null) return secondary(NOTHING);
  const text = oneLine(fault);
  return { text, shorter: [text.replace(/^recovered after /, 'recovered ')], meaning: 'plain' };
}

function lossCell({ caller, callee }: CallRow): Cell {
  if (caller.lossPercent === null && callee.lossPercent === null) return secondary(NOTHING);
  return plain(`${percent(caller)}/${percent(callee)} %`);
}

/** Without ports where it is long, and then without the types, which the call's has too. */
function pathCell({ path }: CallRow): Cell {
  if (path === '') return secondary(NOTHING);
  const text = oneLine(path);
  const addresses = text.replace(/:\d{1,5}\b/g, '');
  const shorter = [addresses, addresses.replace(/\b(host|srflx|prflx|relay) /g, '')];
  return { text, shorter, meaning: 'plain' };
}

function planeCell({ caller, callee }: CallRow): Cell {
  if (caller.planePackets === null && callee.planePackets === null) return secondary(NOTHING);
  return secondary(`${caller.planePackets ?? NOTHING}/${callee.planePackets ?? NOTHING}`);
}

function heardCell({ caller, callee }: CallRow): Cell {
  const isHeard = caller.hearsTone && callee.hearsTone;
  return { text: `${caller.heardPackets}/${callee.heardPackets}`, meaning: isHeard ? 'plain' : 'secondary' };
}

function natsCell({ caller, callee }: CallRow): Cell {
  return secondary(pair(caller.nat ?? NOTHING, callee.nat ?? NOTHING));
}

function pair(ofCaller: string, ofCallee: string): string {
  return ofCaller === ofCallee && ofCaller !== NOTHING ? `both ${ofCaller}` : `${ofCaller}, ${ofCallee}`;
}

function percent({ lossPercent }: CallEnd): string {
  return lossPercent === null ? NOTHING : lossPercent.toFixed(1);
}

function plain(text: string): Cell {
  return { text, meaning: 'plain' };
}

function secondary(text: string): Cell {
  return { text, meaning: 'secondary' };
}
