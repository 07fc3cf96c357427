import { describe, expect, it } from 'vitest';
import { csvText, iceMetricsCsv } from '../../../src/metrics/csv.ts';
import { type IceIntervalReport, noCalls } from '../../../src/metrics/ice-metrics.ts';

function interval(day: number, counters: Partial<IceIntervalReport> = {}): IceIntervalReport {
  return {
    startTime: `2026-03-0${day}T14:30:00.000Z`,
    endTime: `2026-03-0${day + 1}T14:30:00.000Z`,
    ...noCalls(),
    ...counters,
  };
}

describe('a table as CSV', () => {
  it('ends every row with CRLF and quotes what needs it', () => {
    expect(
      csvText([
        ['plain', 1, 0.5],
        ['a,b', 'say "hi"', 'two\r\nlines', ''],
      ]),
    ).toBe('plain,1,0.5\r\n"a,b","say ""hi""","two\r\nlines",\r\n');
  });

  it.each([
    ['=cmd|x!A1', "'=cmd|x!A1"],
    ['+1', "'+1"],
    ['-node', "'-node"],
    ['@SUM(A1)', "'@SUM(A1)"],
    ['  =1+1', "'  =1+1"],
    ['\t=1', "'\t=1"],
    ['＝1', "'＝1"],
    ['\rx', `"'\rx"`],
    ['=a,"b"', `"'=a,""b"""`],
  ])('makes text of what a spreadsheet would take for a formula: %j', (cell, written) => {
    expect(csvText([[cell]])).toBe(`${written}\r\n`);
  });

  it('leaves numbers alone, negative ones too', () => {
    expect(csvText([[-5]])).toBe('-5\r\n');
  });
});

describe('the ICE passthrough metrics as CSV', () => {
  const report = {
    node: '-edge1',
    current: interval(4, { b2buacalls: 1, noicecandidatesoffered: 1 }),
    history: [
      interval(3, { b2buacalls: 4, icecalls: 2, hosthostcalls: 2, icecandidatecalls: 3 }),
      interval(2),
    ],
  };
  const rows = iceMetricsCsv([report])
    .split('\r\n')
    .map((row) => row.split(','));

  it('have a row of labels and one an interval, the running one first', () => {
    expect(rows[0]?.slice(0, 8)).toEqual([
      'Node',
      'Start time',
      'End time',
      'Complete',
      'B2BUA connected calls',
      'Calls with optimized ICE media paths',
      'Calls with optimized ICE media paths (%)',
      'Host to host',
    ]);
    expect(rows.slice(1, 4).map((row) => row.slice(1, 4))).toEqual([
      ['2026-03-04T14:30:00.000Z', '2026-03-05T14:30:00.000Z', 'no'],
      ['2026-03-03T14:30:00.000Z', '2026-03-04T14:30:00.000Z', 'yes'],
      ['2026-03-02T14:30:00.000Z', '2026-03-03T14:30:00.000Z', 'yes'],
    ]);
    expect(rows.slice(4)).toEqual([['']]);
    for (const row of rows.slice(0, 4)) expect(row.length).toBe(rows[0]?.length);
  });

  it('have the figures of the page', () => {
    const column = (label: string): string[] =>
      rows.slice(1, 4).map((row) => row[rows[0]?.indexOf(label) ?? -1] ?? '');
    expect(column('B2BUA connected calls')).toEqual(['1', '4', 'N/A']);
    expect(column('Calls with optimized ICE media paths')).toEqual(['0', '2', 'N/A']);
    expect(column('Calls with optimized ICE media paths (%)')).toEqual(['0', '50', 'N/A']);
    expect(column('Host to host (%)')).toEqual(['N/A', '100', 'N/A']);
    expect(column('Calls attempted with offered ICE candidates (%)')).toEqual(['0', '75', 'N/A']);
    expect(column('Calls with non-optimized media paths')).toEqual(['1', '2', 'N/A']);
  });

  it('name the node without giving a spreadsheet a formula', () => {
    expect(rows[1]?.[0]).toBe("'-edge1");
  });

  it('stand below each other for several nodes', () => {
    const both = iceMetricsCsv([report, { ...report, node: 'core1' }]).split('\r\n');
    expect(both.length).toBe(8);
    expect(both[4]).toMatch(/^core1,2026-03-04/);
  });
});
