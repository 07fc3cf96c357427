import { stripVTControlCharacters } from 'node:util';
import stringWidth from 'string-width';
import { describe, expect, it } from 'vitest';
import { callTable } from '../../../lab/view/call-table.ts';
import { wantsColours, withColours, withoutColours } from '../../../lab/view/colours.ts';
import { cut, oneLine, tableLines } from '../../../lab/view/columns.ts';
import { callRow, labRun, labRunWithFaults, labRunWithWrongCall, rowsOf } from './lab-run.ts';

const table = (rows = rowsOf(labRun()), width = 200): string =>
  `\n${callTable(rows, width, withoutColours).join('\n')}\n`;

describe('the table of calls', () => {
  it('at 60 columns', () => {
    expect(table(undefined, 60)).toMatchInlineSnapshot(`
      "
      #  from      to        got             state
      1  homeA     homeA2    host_to_host    right
      2  homeA     homeB     srflx_to_srflx  right
      3  homeA     desk      none            right
      4  internet  homeB     host_to_relay   right
      "
    `);
  });

  it('at 80 columns', () => {
    expect(table(undefined, 80)).toMatchInlineSnapshot(`
      "
      #  from      to        expected        got             evidence  state
      1  homeA     homeA2    host_to_host    host_to_host    verified  right
      2  homeA     homeB     srflx_to_srflx  srflx_to_srflx  verified  right
      3  homeA     desk      none            none            verified  right
      4  internet  homeB     host_to_relay   host_to_relay   verified  right
      "
    `);
  });

  it('at 120 columns', () => {
    expect(table(undefined, 120)).toMatchInlineSnapshot(`
      "
      #  from      to        expected        got             evidence  state     loss       path
      1  homeA     homeA2    host_to_host    host_to_host    verified  right     0.0/0.0 %  192.168.1.11 ↔ 192.168.1.12
      2  homeA     homeB     srflx_to_srflx  srflx_to_srflx  verified  right     0.0/0.0 %  203.0.113.2 ↔ 203.0.113.18
      3  homeA     desk      none            none            verified  right     0.0/0.0 %  through the media plane
      4  internet  homeB     host_to_relay   host_to_relay   verified  right     0.0/0.0 %  192.0.2.50 ↔ 198.51.100.10
      "
    `);
  });

  it('at 200 columns', () => {
    expect(table(undefined, 200)).toMatchInlineSnapshot(`
      "
      #  from      to        expected        got             evidence  state     loss       path                                                B2BUA    heard    NATs                       ICE
      1  homeA     homeA2    host_to_host    host_to_host    verified  right     0.0/0.0 %  host 192.168.1.11:40000 ↔ host 192.168.1.12:44000   17/17    400/400  both endpoint-independent  full, werift
      2  homeA     homeB     srflx_to_srflx  srflx_to_srflx  verified  right     0.0/0.0 %  srflx 203.0.113.2:40001 ↔ srflx 203.0.113.18:40000  17/17    400/400  both endpoint-independent  both full
      3  homeA     desk      none            none            verified  right     0.0/0.0 %  through the media plane                             400/400  400/400  endpoint-independent, –    full, none
      4  internet  homeB     host_to_relay   host_to_relay   verified  right     0.0/0.0 %  host 192.0.2.50:40000 ↔ relay 198.51.100.10:24002   17/17    400/400  –, udp-blocked             both full
      "
    `);
  });

  it('at 80 columns with faults', () => {
    expect(table(rowsOf(labRunWithFaults()), 80)).toMatchInlineSnapshot(`
      "
      #  from      to        got             state     fault
      1  homeA     homeA2    host_to_host    right     unharmed
      2  homeA     homeB     srflx_to_srflx  right     recovered after 12.3 s
      3  homeA     desk      none            right     unharmed
      4  internet  homeB     host_to_relay   right     recovered after 2.0 s
      "
    `);
  });

  it('before anything has happened', () => {
    expect(
      table([callRow('1', { from: 'homeA', to: 'homeB', expected: 'srflx_to_srflx', path: '' })], 80),
    ).toMatchInlineSnapshot(`
      "
      #  from      to        expected        got             evidence  state
      1  homeA     homeB     srflx_to_srflx  –               –         waiting
      "
    `);
  });

  it('is never wider than it may be, whatever the calls are called', () => {
    const rows = rowsOf(labRunWithFaults()).map((row) => ({
      ...row,
      title: '東京の本社から 📞 会議室へ '.repeat(8),
    }));
    for (let width = 1; width <= 260; width++) {
      for (const line of callTable(rows, width, withoutColours)) {
        expect(stringWidth(line)).toBeLessThanOrEqual(width);
      }
    }
  });

  it('keeps the places and the outcome where little else fits', () => {
    const [head] = callTable(rowsOf(labRunWithFaults()), 20, withoutColours);
    expect(head).toMatch(/^# {2}from/);
    const [narrow] = callTable(rowsOf(labRun()), 62, withoutColours);
    expect(narrow?.trim().split(/ +/)).toEqual(['#', 'from', 'to', 'got', 'state']);
  });

  it('colours what is right and what is wrong, and nothing else changes', () => {
    const rows = rowsOf(labRunWithWrongCall());
    const painted = callTable(rows, 120, withColours);
    expect(painted[1]).toContain('\x1b[32mright\x1b[39m');
    expect(painted[2]).toContain('\x1b[31msrflx_to_relay\x1b[39m');
    expect(painted[2]).toContain('\x1b[31mwrong\x1b[39m');
    const bare = painted.map((line) => stripVTControlCharacters(line));
    expect(bare).toEqual(callTable(rows, 120, withoutColours));
  });

  it('has colours on a terminal alone, and not where they are not wanted', () => {
    expect(wantsColours({ TERM: 'xterm' }, true)).toBe(true);
    expect(wantsColours({ NO_COLOR: '' }, true)).toBe(true);
    expect(wantsColours({ NO_COLOR: '1' }, true)).toBe(false);
    expect(wantsColours({ NODE_DISABLE_COLORS: '1' }, true)).toBe(false);
    expect(wantsColours({ TERM: 'dumb' }, true)).toBe(false);
    expect(wantsColours({}, false)).toBe(false);
  });
});

describe('columns', () => {
  const column = (head: string, rank: number, text: string, more: object = {}) => ({
    ...{ head, rank, cells: [{ text, meaning: 'plain' as const }] },
    ...more,
  });
  const lines = (width: number): string[] =>
    tableLines(
      [
        column('a', 0, 'always'),
        column('b', 2, 'last to come'),
        column('c', 1, 'a long path', { widthMin: 6 }),
      ],
      width,
      withoutColours,
    );

  it('come by rank, may be cut to their least width, and share what is left', () => {
    expect(lines(13)).toEqual(['a', 'always']);
    expect(lines(14)).toEqual(['a       c', 'always  a lon…']);
    expect(lines(19)).toEqual(['a       c', 'always  a long path']);
    expect(lines(27)).toEqual(['a       c', 'always  a long path']);
    expect(lines(28)).toEqual(['a       b             c', 'always  last to come  a lon…']);
    expect(lines(33)).toEqual(['a       b             c', 'always  last to come  a long path']);
  });

  it('are as wide as their characters on the screen', () => {
    const [, row] = tableLines([column('x', 0, '東京'), column('y', 0, 'z')], 80, withoutColours);
    expect(row).toBe('東京  z');
  });

  it('cut between whole characters', () => {
    expect(cut('東京都', 5)).toBe('東京…');
    expect(cut('東京都', 6)).toBe('東京都');
    expect(cut('e\u0301a\u0301i\u0301', 2)).toBe('e\u0301…');
    expect(cut('abc', 1)).toBe('…');
    expect(cut('abc', 0)).toBe('');
  });

  it('hold one line without control characters, whatever comes', () => {
    expect(oneLine('refused:\n\x1b[31mno\x07\x9b2J ')).toBe('refused: [31mno 2J');
  });
});
