/** The status pages in headless Chromium: seen, clicked, sorted, exported, and live. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Page,
} from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type AdminServer, startAdminServer } from '../../src/admin/server.ts';
import type { FakeSource } from '../unit/admin/fake-source.ts';
import { busySource, endedCall, runningCall } from '../unit/admin/sample-data.ts';

const EXECUTABLE = '/usr/bin/chromium';
/** Root needs --no-sandbox; the others keep Chromium from looking for its vendor's hosts. */
const BROWSER_FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--no-proxy-server',
  '--disable-background-networking',
];

const PATHS = [
  ...['/', '/turn-relays', '/calls', '/calls/1-3', '/call-history', `/call-history/${endedCall(4).uuid}`],
  ...['/ice-metrics', '/ice-metrics/core1', '/ice-metrics/edge2', '/links'],
];
const CHECKS = join(import.meta.dirname, 'clients/page-checks.js');

let browser: Browser;
let source: FakeSource;
let server: AdminServer;
let origin: string;
let context: BrowserContext;
let page: Page;
/** What a browser complains of, and requests to anywhere else. */
let complaints: string[];

beforeAll(async () => {
  browser = await chromium.launch({ executablePath: EXECUTABLE, headless: true, args: BROWSER_FLAGS });
});

afterAll(() => browser?.close());

beforeEach(async () => {
  source = busySource(Date.now());
  await serve(0);
  await open({});
});

afterEach(async () => {
  await context.close();
  await server.close();
  expect(complaints).toEqual([]);
});

async function serve(port: number): Promise<void> {
  const config = { http: { address: '127.0.0.1', port }, token: null };
  server = await startAdminServer(config, source, pino({ level: 'silent' }));
  origin = `http://127.0.0.1:${server.port}`;
}

async function open(options: BrowserContextOptions): Promise<void> {
  await context?.close();
  context = await browser.newContext(options);
  page = await context.newPage();
  complaints = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  context.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(`${origin}/`) && !url.startsWith('data:')) complaints.push(`request to ${url}`);
  });
}

async function problems(): Promise<string[]> {
  await page.evaluate(await readFile(CHECKS, 'utf8'));
  return page.evaluate('[...structureProblems(), ...contrastProblems()]');
}

const liveState = () => page.getByRole('status');

describe.each(['light', 'dark'] as const)('in %s colours', (colorScheme) => {
  it.each(PATHS)('%s can be read by everybody', async (path) => {
    await open({ colorScheme });
    await page.goto(origin + path);
    expect(await problems()).toEqual([]);
    // Screen readers are told of little: changes of the table itself are not read out.
    expect(await page.locator('main [aria-live]').count()).toBe(0);
  });
});

describe.each([320, 390])('on a window of %i px', (width) => {
  it.each(PATHS)('%s does not scroll sideways', async (path) => {
    await open({ viewport: { width, height: 740 } });
    await page.goto(origin + path);
    expect(await page.evaluate('document.scrollingElement.scrollWidth')).toBe(width);
  });
});

describe('a reader', () => {
  it('comes to every page by clicking', async () => {
    await page.goto(`${origin}/`);
    for (const name of [
      'TURN relay usage',
      'Calls',
      'Call history',
      'ICE passthrough metrics',
      'Links',
      'Overview',
    ]) {
      const link = page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name, exact: true });
      await link.click();
      expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe(name);
      expect(await page.title()).toBe(`${name} · core1 · Causeway`);
    }
    await page.goto(`${origin}/call-history`);
    await page.getByRole('row').nth(2).getByRole('link').click();
    expect(await page.getByRole('row', { name: 'UUID' }).textContent()).toContain(endedCall(119).uuid);
    await page.goto(`${origin}/ice-metrics`);
    await page.getByRole('link', { name: 'History of edge1' }).click();
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toContain('edge1');
  });

  it('sorts a table by its headings, by mouse and by keyboard', async () => {
    await page.goto(`${origin}/turn-relays`);
    const heading = page.getByRole('columnheader', { name: 'Packets from client' });
    const values = async (): Promise<number[]> => {
      const cells = await page.locator('#relays tbody td:nth-child(11)').allTextContents();
      return cells.map((cell) => Number(cell.replaceAll(',', '')));
    };
    const [first = 0, second = 0] = await values();
    expect(first).toBeLessThan(second);
    await heading.getByRole('link').click();
    expect(await heading.getAttribute('aria-sort')).toBe('descending');
    expect(await values()).toEqual((await values()).toSorted((a, b) => b - a));
    await heading.getByRole('link').focus();
    await page.keyboard.press('Enter');
    await page.waitForURL(/order=asc/);
    expect(await heading.getAttribute('aria-sort')).toBe('ascending');
    expect(await values()).toEqual((await values()).toSorted((a, b) => a - b));
  });

  it('exports the metrics', async () => {
    await page.goto(`${origin}/ice-metrics`);
    const download = page.waitForEvent('download');
    await page.getByRole('main').getByRole('link', { name: 'Export to CSV' }).click();
    const file = await download;
    expect(file.suggestedFilename()).toBe('ice-metrics.csv');
    const [header, ...lines] = (await readFile(await file.path(), 'utf8')).trimEnd().split('\r\n');
    expect(header).toContain('Calls with optimized ICE media paths,Calls with optimized ICE media paths (%)');
    expect(lines).toHaveLength(2 * 61);
    const shown = await page
      .getByRole('row', { name: /^B2BUA connected calls/ })
      .getByRole('cell')
      .first()
      .textContent();
    expect(lines[1]?.split(',')[4]).toBe(shown);
  });

  it('gets along with the keyboard alone', async () => {
    await page.goto(`${origin}/calls`);
    await page.keyboard.press('Tab');
    const focused = () => page.evaluate<string>('document.activeElement.textContent');
    expect(await focused()).toBe('Skip to content');
    expect(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')).toBe('solid');
    expect(await page.getByRole('link', { name: 'Skip to content' }).boundingBox()).toMatchObject({ x: 8 });
    const order = [];
    for (let i = 0; i < 7; i++) {
      await page.keyboard.press('Tab');
      order.push(await page.evaluate('document.activeElement.id || document.activeElement.textContent'));
    }
    expect(order).toEqual([
      ...['Overview', 'TURN relay usage', 'Calls', 'Call history', 'ICE passthrough metrics', 'Links'],
      'calls', // the table, which may have to be scrolled
    ]);
    await page.getByRole('link', { name: 'Skip to content' }).focus();
    await page.keyboard.press('Enter');
    expect(await page.evaluate('document.activeElement.id')).toBe('main');
  });
});

describe('a page that is open', () => {
  it('shows what happens without being loaded again, and disturbs nobody', async () => {
    await page.goto(`${origin}/calls`);
    await page.evaluate('window.isTheSame = true');
    await expect.poll(() => liveState().textContent()).toBe('Live updates are on.');
    const before = source.callsKnown;
    const held = before[3] as (typeof before)[number];
    await page.getByRole('link', { name: held.callId }).focus();
    source.callsKnown = [runningCall(40, Date.now()), ...before.slice(1).toReversed()];
    await page.getByRole('link', { name: source.callsKnown[0]?.callId ?? '' }).waitFor();
    expect(await page.getByRole('link', { name: before[0]?.callId ?? '' }).count()).toBe(0);
    const links = await page.locator('#calls tbody a').allTextContents();
    expect(links).toEqual(source.callsKnown.map(({ callId }) => callId));
    // The focus has moved with its row.
    expect(await page.evaluate('document.activeElement.textContent')).toBe(held.callId);
    expect(await page.evaluate('window.isTheSame')).toBe(true);
  });

  it('leaves open what was opened, and keeps its sorting', async () => {
    await page.goto(`${origin}/turn-relays?sort=expires&order=asc`);
    await page.locator('#permissions-1-3 summary').click();
    const relays = source.relays;
    source.relays = relays.map((relay) => ({
      ...{
        ...relay,
        user: 'mallory',
        permissions: relay.permissions.map((one) => ({ ...one, address: '198.51.100.99' })),
      },
    }));
    await page.getByRole('cell', { name: 'mallory' }).first().waitFor();
    expect(await page.locator('#permissions-1-3 li').allTextContents()).toHaveLength(2);
    expect(await page.locator('#permissions-1-3 li').first().textContent()).toMatch(/^198\.51\.100\.99,/);
    expect(await page.locator('#permissions-1-3').getAttribute('open')).not.toBeNull();
    expect(await page.getByRole('columnheader', { name: 'Expires in' }).getAttribute('aria-sort')).toBe(
      'ascending',
    );
    const rows = await page.locator('#relays tbody tr').evaluateAll((all) => all.map(({ id }) => id));
    expect(rows).toEqual(relays.toReversed().map(({ id }) => `relays-${id}`));
  });

  it('stands still while it is paused', async () => {
    await page.goto(`${origin}/calls`);
    await expect.poll(() => liveState().textContent()).toBe('Live updates are on.');
    await page.getByRole('button', { name: 'Pause updates' }).click();
    expect(await liveState().textContent()).toBe('Live updates are paused.');
    const held = source.callsKnown.length;
    source.callsKnown = [];
    // Another window that is kept up to date shows when this one would have been.
    const other = await context.newPage();
    await other.goto(`${origin}/calls?sort=call`);
    source.callsKnown = [runningCall(50, Date.now())];
    await other.getByRole('link', { name: 'phone50' }).waitFor();
    expect(await page.locator('#calls tbody tr').count()).toBe(held);
    await page.bringToFront();
    await page.getByRole('button', { name: 'Resume updates' }).click();
    await page.getByRole('link', { name: 'phone50' }).waitFor();
    expect(await page.locator('#calls tbody tr').count()).toBe(1);
  });

  it('says that the server is gone, and goes on when it is back', async () => {
    await page.goto(`${origin}/calls`);
    await expect.poll(() => liveState().textContent()).toBe('Live updates are on.');
    const { port } = server;
    await server.close();
    await expect.poll(() => liveState().textContent()).toMatch(/Trying again\.$/);
    source.callsKnown = [runningCall(60, Date.now())];
    await serve(port);
    await page.getByRole('link', { name: 'phone60' }).waitFor();
    complaints = complaints.filter((complaint) => !complaint.includes('ERR_CONNECTION'));
    complaints = complaints.filter((complaint) => !complaint.includes('ERR_INCOMPLETE_CHUNKED_ENCODING'));
  });
});

describe('without a script', () => {
  it('pages are whole, can be sorted and refreshed, and promise no live updates', async () => {
    await open({ javaScriptEnabled: false });
    await page.goto(`${origin}/call-history`);
    expect(await page.locator('#history tbody tr').count()).toBe(120);
    expect(await page.getByRole('button').count()).toBe(0);
    await page.getByRole('columnheader', { name: 'Duration' }).getByRole('link').click();
    expect(await page.getByRole('columnheader', { name: 'Duration' }).getAttribute('aria-sort')).toBe(
      'descending',
    );
    await page.getByRole('link', { name: 'Refresh every 5 seconds' }).click();
    expect(page.url()).toBe(`${origin}/call-history?sort=duration&order=desc&refresh=on`);
    source.historyKnown = [];
    await page.getByText('No call has ended yet.').waitFor();
  });
});
