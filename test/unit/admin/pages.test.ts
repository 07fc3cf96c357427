import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { CALLS_KEPT } from '../../../src/metrics/call-history.ts';
import { all, type HtmlElement, one, parseHtml, rowsOf, textOf } from '../../kit/strict-html.ts';
import { fakeApp } from './fake-app.ts';
import { FakeSource, fakeRelay } from './fake-source.ts';
import { busySource, endedCall, runningCall, SAMPLE_START_MS } from './sample-data.ts';

const PAGES = [
  ['/', 'Overview'],
  ['/turn-relays', 'TURN relay usage'],
  ['/calls', 'Calls'],
  ['/calls/0-2', 'Call 4'],
  ['/call-history', 'Call history'],
  [`/call-history/${endedCall(7).uuid}`, 'Call '],
  ['/ice-metrics', 'ICE passthrough metrics'],
  ['/ice-metrics?interval=running', 'ICE passthrough metrics'],
  ['/ice-metrics/core1', 'ICE passthrough metrics of core1'],
  ['/ice-metrics/edge1', 'ICE passthrough metrics of edge1'],
  ['/ice-metrics/edge2', 'ICE passthrough metrics of edge2'],
  ['/links', 'Links'],
] as const;

const NASTY = `<script>alert(1)</script>"'&lt;\u0000`;

async function get(source: FakeSource, path: string): Promise<HtmlElement> {
  const response = await fakeApp(source).request(path);
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/html; charset=UTF-8']);
  return parseHtml(await response.text());
}

describe.each([
  ['busy', () => busySource()],
  ['idle', () => new FakeSource()],
] as const)('every page of a node that is %s', (_state, makeSource) => {
  const isBusy = _state === 'busy';
  it.each(PAGES.filter(([path]) => isBusy || !/\/(?:0-2|core1|edge|0000)/.test(path)))(
    '%s is well-formed, has a title, a heading, a main part and its place in the navigation',
    async (path, title) => {
      const page = await get(makeSource(), path);
      expect(textOf(one(one(page, 'head'), 'title'))).toMatch(/^.+ · (?:core1|node1) · Causeway$/);
      expect(textOf(one(page, 'h1'))).toMatch(title);
      expect(all(one(page, 'main'), 'h1')).toHaveLength(1);
      expect(one(page, 'html').attributes.get('lang')).toBe('en');
      const current = all(all(page, 'nav')[0] as HtmlElement, 'a').filter((link) =>
        link.attributes.has('aria-current'),
      );
      expect(current.map((link) => link.attributes.get('href'))).toEqual([`/${path.split(/[/?]/)[1]}`]);
    },
  );

  it.each(PAGES.filter(([path]) => isBusy || !/\/(?:0-2|core1|edge|0000)/.test(path)))(
    '%s has ids once each, captions and scopes, and loads nothing',
    async (path) => {
      const page = await get(makeSource(), path);
      const ids = elements(page).flatMap((element) => element.attributes.get('id') ?? []);
      expect(new Set(ids).size).toBe(ids.length);
      for (const element of elements(page)) {
        const named = element.attributes.get('aria-labelledby')?.split(' ') ?? [];
        expect(ids).toEqual(expect.arrayContaining(named));
        expect(element.attributes.has('src')).toBe(false);
        expect(element.attributes.has('style')).toBe(false);
      }
      for (const table of all(page, 'table')) expect(textOf(one(table, 'caption'))).not.toBe('');
      for (const heading of all(page, 'th')) {
        expect(['col', 'row', 'rowgroup']).toContain(heading.attributes.get('scope'));
      }
      for (const svg of all(page, 'svg')) {
        const isHidden = svg.attributes.get('aria-hidden') === 'true';
        expect(isHidden || (svg.attributes.get('role') === 'img' && all(svg, 'desc').length === 1)).toBe(
          true,
        );
      }
      for (const link of all(page, 'a')) expect(link.attributes.get('href')).toMatch(/^[/#]/);
    },
  );
});

describe('text from the network', () => {
  it('is escaped on every page, in attributes too', async () => {
    const source = busySource();
    source.node = { ...source.node, name: NASTY, healthy: false, reason: NASTY };
    source.relays = [{ ...fakeRelay(1), user: NASTY }];
    source.callsKnown = [{ ...runningCall(1, SAMPLE_START_MS), id: NASTY, callId: NASTY }];
    source.historyKnown = [
      {
        ...endedCall(1),
        callId: NASTY,
        uuid: NASTY,
        disconnectReason: NASTY,
        sourceZone: NASTY,
        reason: NASTY,
      },
    ];
    source.peers = [{ node: NASTY, metrics: null }];
    source.linksKnown = source.linksKnown.map((link) => ({ ...link, name: NASTY }));
    const name = encodeURIComponent(NASTY);
    for (const path of [
      ...['/', '/turn-relays', '/calls', `/calls/${name}`, '/call-history', `/call-history/${name}`],
      ...['/ice-metrics', `/ice-metrics/${name}`, '/links', `/calls?sort=${name}&x=${name}`],
    ]) {
      const page = await get(source, path);
      expect(all(page, 'script')).toHaveLength(1);
      expect(textOf(one(page, 'main'))).toContain(`Not in service: ${NASTY}`);
    }
  });
});

describe('the security policy of a page', () => {
  it('lets through this style and this script alone', async () => {
    const response = await fakeApp(new FakeSource()).request('/');
    const policy = response.headers.get('content-security-policy') ?? '';
    const page = parseHtml(await response.text());
    const hash = (element: string): string =>
      createHash('sha256')
        .update(textOf(one(page, element)))
        .digest('base64');
    expect(policy.split('; ')).toEqual(
      expect.arrayContaining([
        "default-src 'none'",
        `script-src 'sha256-${hash('script')}'`,
        `style-src 'sha256-${hash('style')}'`,
        "frame-ancestors 'none'",
      ]),
    );
    expect(policy).not.toContain('unsafe');
  });

  it('lets through nothing elsewhere', async () => {
    const response = await fakeApp(new FakeSource()).request('/api/status');
    expect(response.headers.get('content-security-policy')).toMatch(/^default-src 'none'; frame-/);
  });
});

describe('the overview page', () => {
  it('shows state, relays, rates and the way to the data', async () => {
    const page = await get(new FakeSource(), '/');
    const text = textOf(one(page, 'main'));
    for (const part of [
      'Active',
      '1,234',
      '1,500 packets/s, 2.06 Mbit/s',
      '7 packets/s',
      '1 d 01:01:01',
      '2 workers',
    ]) {
      expect(text).toContain(part);
    }
    const links = all(page, 'a').map((link) => link.attributes.get('href'));
    expect(links).toEqual(expect.arrayContaining(['/api/status', '/metrics', '/healthz']));
  });

  it('says loudly when the node is not in service', async () => {
    const source = new FakeSource();
    source.node = { ...source.node, healthy: false, reason: 'no worker runs' };
    const alert = all(await get(source, '/'), 'p').find((p) => p.attributes.get('role') === 'alert');
    expect(alert && textOf(alert)).toBe('Not in service: no worker runs');
  });

  it('reloads only on request, and only where there is no script', async () => {
    const refreshes = (page: HtmlElement): number =>
      all(page, 'meta').filter((meta) => meta.attributes.has('http-equiv')).length;
    expect(refreshes(await get(new FakeSource(), '/'))).toBe(0);
    const page = await get(new FakeSource(), '/?refresh=on');
    expect([refreshes(page), refreshes(all(page, 'noscript')[0] as HtmlElement)]).toEqual([1, 1]);
    const stop = all(all(page, 'noscript')[1] as HtmlElement, 'a')[0];
    expect(stop?.attributes.get('href')).toBe('/');
  });
});

describe('TURN relay usage', () => {
  it('shows clients, relays, peers, permissions, channels and counters', async () => {
    const source = new FakeSource();
    source.relays = [fakeRelay(1)];
    const page = await get(source, '/turn-relays');
    expect(rowsOf(page, 'Relays and their clients')).toEqual([
      [
        ...['192.0.2.1:5000', 'UDP', 'alice', '192.0.2.9:24001', '198.51.100.1:7000'],
        ...['1198.51.100.1, 00:05:00 left', '10x4000 to 198.51.100.1:7000, 00:10:00 left'],
        ...['3', '2', '1', '1', '2', '0', '00:10:00'],
      ],
    ]);
    expect(rowsOf(page, 'Dropped, by reason')).toEqual([['no permission', '3']]);
  });

  it('asks the workers for no more than it shows, and says how many there are', async () => {
    const source = new FakeSource();
    source.relays = Array.from({ length: 201 }, (_, i) => fakeRelay(i));
    source.turn = ((turn) => async (max: number) => ({
      ...(await turn(max)),
      relays: source.relays.slice(0, max),
    }))(source.turn.bind(source));
    const page = await get(source, '/turn-relays');
    expect(source.relaysAskedFor).toEqual([200]);
    expect(rowsOf(page, 'Relays')).toHaveLength(200);
    expect(textOf(one(page, 'main'))).toContain('These are 200 of 201 relays.');
  });
});

describe('calls', () => {
  it('are shown with zones, state, type so far and what came in', async () => {
    const source = new FakeSource();
    source.callsKnown = [runningCall(1, Date.now() - 61_000)];
    const [row] = rowsOf(await get(source, '/calls'), 'Calls that are up');
    expect(row?.slice(0, 4)).toEqual([
      source.callsKnown[0]?.callId,
      'external → internal',
      'Connected',
      'Host to host',
    ]);
    expect(row?.at(5)).toMatch(/^00:01:0\d$/);
    expect(row?.slice(6)).toEqual(['14,480', '6 (0 %)']);
  });

  it('have each a page with legs and streams', async () => {
    const source = new FakeSource();
    source.callsKnown = [runningCall(2, SAMPLE_START_MS)];
    const page = await get(source, '/calls/0-2');
    expect(all(page, 'h2').map(textOf)).toEqual(['Leg 1: zone external', 'Leg 2: zone internal']);
    const [rtp, rtcp] = rowsOf(page, 'Received from this side, by stream (leg 1)');
    expect(rtp?.slice(0, 3)).toEqual(['1: audio, RTP', 'RTP/SAVP', 'AES_CM_128_HMAC_SHA1_80']);
    expect(rtp?.slice(6, 11)).toEqual(['nominated', '3,822', '657.4 kB', '2 (0.1 %)', '1.5 ms']);
    expect(rtcp?.at(11)).toBe('62');
  });

  it('that are not there have a page that says so', async () => {
    for (const path of ['/calls/9-9', '/call-history/none', '/ice-metrics/nobody']) {
      const response = await fakeApp(new FakeSource()).request(path);
      expect(response.status).toBe(404);
      expect(textOf(one(parseHtml(await response.text()), 'h1'))).toBe('Not found');
    }
  });
});

describe('the call history', () => {
  it('shows all that are kept, with type, evidence and why a call was not optimized', async () => {
    const source = new FakeSource();
    source.historyKnown = Array.from({ length: CALLS_KEPT }, (_, i) => endedCall(CALLS_KEPT - i));
    const rows = rowsOf(await get(source, '/call-history'), 'Calls that ended, newest first (500)');
    expect(rows).toHaveLength(500);
    const call = rows[CALLS_KEPT - 2];
    expect(call?.slice(1, 4)).toEqual(['None', 'verified', 'internal → external']);
    expect(call?.slice(6)).toEqual(['no candidates from the callee', 'deleted']);
  });

  it('shows all that is kept of one', async () => {
    const source = new FakeSource();
    source.historyKnown = [endedCall(6)];
    const page = await get(source, `/call-history/${endedCall(6).uuid}`);
    expect(rowsOf(page, 'Media path')).toContainEqual(['ICE Passthrough call type', 'Host to host']);
    expect(rowsOf(page, 'Media path')).toContainEqual(['Evidence', 'verified']);
    expect(rowsOf(page, 'Media lines')).toEqual([
      ['1: audio', 'host', 'host'],
      ['2: video', 'host', 'host'],
    ]);
    expect(rowsOf(page, 'What came in')[0]).toEqual([
      '1: audio, external',
      '206',
      '35.4 kB',
      '1 (0.5 %)',
      '1.8 ms',
    ]);
  });
});

describe('links', () => {
  it('show the bandwidth of each zone and its course', async () => {
    const source = busySource();
    const app = fakeApp(source, {
      links: () =>
        source.linksKnown.map((link) => ({
          ...{ ...link, bitsPerSecondReceived: 1_376_000, bitsPerSecondSent: 64_500 },
          ...{ packetsPerSecondReceived: 1000, packetsPerSecondSent: 50 },
        })),
      linkHistory: () => [
        { unixMs: 0, values: [0, 0, 5000, 100] },
        { unixMs: 5000, values: [1_376_000, 64_500, 6000, 200] },
      ],
    });
    const page = parseHtml(await (await app.request('/links')).text());
    expect(rowsOf(page, 'Bandwidth of each zone')).toEqual([
      ['external', '7', '1.38 Mbit/s', '64.5 kbit/s', '1,000', '50', '139.7 MB', '139.7 MB'],
      ['internal', '8', '1.38 Mbit/s', '64.5 kbit/s', '1,000', '50', '135.6 MB', '135.7 MB'],
    ]);
    expect(all(page, 'desc').map(textOf)).toEqual([
      'Bandwidth of zone external: received between 0 kbit/s and 1.38 Mbit/s, now 1.38 Mbit/s; sent between 0 kbit/s and 64.5 kbit/s, now 64.5 kbit/s.',
      'Bandwidth of zone internal: received between 5.0 kbit/s and 6.0 kbit/s, now 6.0 kbit/s; sent between 0.1 kbit/s and 0.2 kbit/s, now 0.2 kbit/s.',
    ]);
    expect(all(page, 'polyline')[0]?.attributes.get('points')).toBe('595.0,160.0 600.0,13.2');
  });
});

describe('sorting', () => {
  it.each([
    ['asc', ['192.0.2.1:9', '192.0.2.1:10', '192.0.2.9:9'], 'ascending'],
    ['desc', ['192.0.2.9:9', '192.0.2.1:10', '192.0.2.1:9'], 'descending'],
  ])('by a column, %s, is said and done', async (order, expected, said) => {
    const source = new FakeSource();
    source.relays = ['192.0.2.1:10', '192.0.2.9:9', '192.0.2.1:9'].map((address, i) => ({
      ...{ ...fakeRelay(i), client: { protocol: 'udp', address } },
    }));
    const page = await get(source, `/turn-relays?sort=client&order=${order}`);
    expect(rowsOf(page, 'Relays').map(([client]) => client)).toEqual(expected);
    const headings = all(page, 'th').filter((th) => th.attributes.get('aria-sort') === said);
    expect(headings.map(textOf)).toEqual([order === 'asc' ? 'Client↑' : 'Client↓']);
    const link = all(headings[0] as HtmlElement, 'a')[0]?.attributes.get('href');
    expect(link).toBe(`/turn-relays?sort=client&order=${order === 'asc' ? 'desc' : 'asc'}#relays`);
  });

  it('puts what is not known last in either order', async () => {
    const source = new FakeSource();
    source.callsKnown = [5, 1, 2].map((n) => runningCall(n, SAMPLE_START_MS));
    const types = async (order: string) =>
      rowsOf(await get(source, `/calls?sort=type&order=${order}`), 'Calls').map((row) => row[3]);
    expect(await types('asc')).toEqual(['Host to host', 'Host to server reflexive', 'not known yet']);
    expect(await types('desc')).toEqual(['Host to server reflexive', 'Host to host', 'not known yet']);
  });

  it('leaves the order as it is for a column that is not there', async () => {
    const source = busySource();
    const plain = rowsOf(await get(source, '/call-history'), 'Calls');
    expect(rowsOf(await get(source, '/call-history?sort=nothing'), 'Calls')).toEqual(plain);
    expect(rowsOf(await get(source, '/call-history?sort=__proto__&order=desc'), 'Calls')).toEqual(plain);
  });
});

function elements(element: HtmlElement): HtmlElement[] {
  return element.children.flatMap((child) => (typeof child === 'string' ? [] : [child, ...elements(child)]));
}
