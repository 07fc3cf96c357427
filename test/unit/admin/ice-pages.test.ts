import { describe, expect, it } from 'vitest';
import { meaningOf } from '../../../src/admin/pages/ice-meanings.ts';
import { ICE_METRIC_ROWS, noCalls } from '../../../src/metrics/ice-metrics.ts';
import { all, type HtmlElement, one, parseHtml, rowsOf, textOf } from '../../kit/strict-html.ts';
import { fakeApp } from './fake-app.ts';
import { FakeSource } from './fake-source.ts';
import { busySource } from './sample-data.ts';

async function get(source: FakeSource, path: string): Promise<HtmlElement> {
  const response = await fakeApp(source).request(path);
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/html; charset=UTF-8']);
  return parseHtml(await response.text());
}

describe('ICE passthrough metrics', () => {
  const times = { startTime: '2026-01-01T00:00:00.000Z', endTime: '2026-01-02T00:00:00.000Z' };
  const sample = {
    ...{ ...times, ...noCalls(), b2buacalls: 4, icecalls: 2, hosthostcalls: 2 },
    ...{ iceconfiguredcalls: 3, icecandidatecalls: 3, noicecandidatesoffered: 1 },
  };

  function sampleSource(): FakeSource {
    const source = new FakeSource();
    source.intervals = [sample];
    return source;
  }

  it('show the newest complete interval in the sections of the guide', async () => {
    const rows = rowsOf(await get(sampleSource(), '/ice-metrics'), 'The newest complete interval');
    expect(rows.filter((row) => row.length === 1).flat()).toEqual(['Metrics', 'Call types', 'Advanced']);
    const values = Object.fromEntries(rows.map(([label = '', value]) => [label, value]));
    const shown = (label: string) => values[`${label}${meaningOf(label)}`];
    expect(shown('B2BUA connected calls')).toBe('4');
    expect(shown('Calls with optimized ICE media paths')).toBe('2 (50 %)');
    expect(shown('Host to host')).toBe('2 (100 %)');
    expect(shown('Relay to relay')).toBe('0 (0 %)');
    expect(shown('Calls with non-optimized media paths')).toBe('2 (50 %)');
    expect(shown('Calls without ICE candidates')).toBe('1 (25 %)');
  });

  it('say what each line means', () => {
    for (const { label } of ICE_METRIC_ROWS) expect(meaningOf(label)).toMatch(/^[A-Z].*\.$/);
  });

  it('show N/A where no call ended, and where no interval is complete', async () => {
    const source = new FakeSource();
    const shown = async () =>
      rowsOf(await get(source, '/ice-metrics?interval=complete'), 'The newest').flatMap(
        ([, value]) => value ?? [],
      );
    expect(new Set(await shown())).toEqual(new Set(['N/A']));
    source.intervals = [{ ...times, ...noCalls() }];
    expect(new Set(await shown())).toEqual(new Set(['N/A']));
  });

  it('have a column a node, and say which one does not answer', async () => {
    const page = await get(busySource(), '/ice-metrics');
    const [names, times] = all(one(page, 'thead'), 'tr').map((row) =>
      row.children.map((cell) => textOf(cell as HtmlElement)),
    );
    expect(names).toEqual(['Metric↕', 'core1↕', 'edge1↕', 'edge2↕']);
    expect(times?.[1]).toBe('2026-04-29 06:30:00to 2026-04-30 06:30:00History');
    expect(times?.[3]).toBe('no answer');
    expect(textOf(one(await get(busySource(), '/ice-metrics/edge2'), 'main'))).toContain(
      'edge2 did not answer',
    );
  });

  it('can show the running interval', async () => {
    const source = sampleSource();
    source.current = { ...sample, b2buacalls: 9 };
    const page = await get(source, '/ice-metrics?interval=running');
    expect(rowsOf(page, 'The running interval')[1]?.[1]).toBe('9');
  });

  it('show the running interval until one is complete', async () => {
    const source = new FakeSource();
    source.current = { ...sample, b2buacalls: 9 };
    expect(rowsOf(await get(source, '/ice-metrics'), 'The running interval')[1]?.[1]).toBe('9');
    source.intervals = [sample];
    expect(rowsOf(await get(source, '/ice-metrics'), 'The newest complete interval')).not.toEqual([]);
  });

  it('keep raw values of every interval', async () => {
    const rows = rowsOf(
      await get(busySource(), '/ice-metrics/core1'),
      'Raw values of the 60 complete intervals',
    );
    expect(rows).toHaveLength(60);
    expect(rows[0]?.slice(0, 2)).toEqual(['2026-04-29 06:30:00', '2026-04-30 06:30:00']);
    expect(rows.every((row) => row.slice(2).every((value) => /^\d+$/.test(value)))).toBe(true);
  });

  it('draw the call types of every interval, and tell them in words', async () => {
    const chart = all(await get(busySource(), '/ice-metrics'), 'svg').find(
      (svg) => svg.attributes.get('role') === 'img',
    );
    expect(chart && all(chart, 'g')).toHaveLength(60);
    expect(chart && textOf(one(chart, 'desc'))).toMatch(
      /^60 intervals, the running one last, with \d+ connected calls/,
    );
  });

  it('are exported as CSV, of all nodes or of one', async () => {
    const app = fakeApp(busySource());
    const all = await app.request('/ice-metrics.csv');
    expect(all.headers.get('content-type')).toBe('text/csv; charset=utf-8; header=present');
    const lines = (await all.text()).trimEnd().split('\r\n');
    expect(lines).toHaveLength(1 + 61 + 61);
    expect(lines[0]).toMatch(/^Node,Start time,End time,Complete,B2BUA connected calls,/);
    const edge = (await (await app.request('/ice-metrics.csv?node=edge1')).text()).trimEnd().split('\r\n');
    expect(edge).toHaveLength(62);
    expect(edge[2]).toMatch(/^edge1,2026-04-29T06:30:00.000Z,2026-04-30T06:30:00.000Z,yes,17,/);
    expect((await app.request('/ice-metrics.csv?node=nobody')).status).toBe(404);
  });

  it('are told of this node alone to other nodes', async () => {
    const response = await fakeApp(busySource()).request('/api/ice-metrics');
    const body = (await response.json()) as Record<string, unknown>;
    expect(body).toEqual(busySource().iceMetrics());
    expect(Object.keys(body)).toEqual(['node', 'current', 'history']);
  });

  it('keep their sections when they are sorted', async () => {
    const rows = rowsOf(await get(busySource(), '/ice-metrics?sort=node-core1&order=desc'), 'The newest');
    const sections = rows.flatMap((row, i) => (row.length === 1 ? [[row[0], i]] : []));
    expect(sections).toEqual([
      ['Metrics', 0],
      ['Call types', 3],
      ['Advanced', 10],
    ]);
    const counts = rows.slice(4, 10).map(([, value = '']) => Number.parseInt(value, 10));
    expect(counts).toEqual(counts.toSorted((a, b) => b - a));
    expect(counts[0]).toBeGreaterThan(counts[5] as number);
  });
});
