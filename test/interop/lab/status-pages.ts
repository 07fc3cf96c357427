/** The status pages of a lab in Chromium, through the page door: several at once, each watched without loading it again. */
import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { type Browser, type BrowserContext, chromium, type Locator, type Page } from 'playwright-core';
import type { ExpectStatic } from 'vitest';

const EXECUTABLE = '/usr/bin/chromium';
/** Root needs --no-sandbox; the others keep Chromium from looking for its vendor's hosts. */
const BROWSER_FLAGS = [
  ...['--no-sandbox', '--disable-gpu', '--no-proxy-server', '--disable-background-networking'],
];
/** Watched while the lab works. */
const PATHS = {
  calls: '/calls',
  history: '/call-history',
  metrics: '/ice-metrics?interval=running',
} as const;
/** Where the table of calls has the packets of all streams: after zones, state, type, start and duration. */
const PACKETS_CELL = 5;
/** And that of a call's streams: after protocol, encryption, local port, where it sends to, signalled and ICE. */
const STREAM_PACKETS_CELL = 6;
const POLL = { timeout: 30_000, interval: 100 };

/**
 * At most five tabs: each holds a connection for what is new, and a browser has six to one server, without one of which
 * nothing is loaded any more.
 */
export class StatusPages {
  /** What the browser complained of, and requests to anywhere else. */
  readonly complaints: string[] = [];
  readonly #expect: ExpectStatic;
  readonly #browser: Browser;
  readonly #context: BrowserContext;
  readonly #tabs = new Map<string, Page>();
  #origin = '';

  private constructor(expect: ExpectStatic, browser: Browser, context: BrowserContext) {
    this.#expect = expect;
    this.#browser = browser;
    this.#context = context;
  }

  /** @param expect of the test, which tells those apart that run at the same time */
  static async open(expect: ExpectStatic): Promise<StatusPages> {
    const browser = await chromium.launch({ executablePath: EXECUTABLE, args: BROWSER_FLAGS });
    return new StatusPages(expect, browser, await browser.newContext());
  }

  close(): Promise<void> {
    return this.#browser.close();
  }

  /** Opens all pages, and waits until each is kept up to date. */
  async visit(origin: string): Promise<void> {
    this.#origin = origin;
    this.#context.on('request', (asked) => {
      if (!asked.url().startsWith(`${origin}/`)) this.complaints.push(`request to ${asked.url()}`);
    });
    await Promise.all(
      Object.entries(PATHS).map(async ([name, path]) => {
        this.#tabs.set(name, await this.#openTab(path));
      }),
    );
  }

  /** Calls that are up, and one of them that stays on the B2BUA, whose packets are counted while one looks. */
  async expectLiveCalls(count: number): Promise<void> {
    const calls = this.#tab('calls');
    const rows = calls.locator('#calls tbody tr').filter({ has: calls.getByRole('link', { name: /^lab-/ }) });
    await this.#expect.poll(() => rows.count(), POLL).toBe(count);
    const toDesk = rows.filter({ hasText: 'traversal → internal' });
    await this.#expect.poll(() => toDesk.count(), POLL).toBe(1);
    await this.#expectGrowth(toDesk.getByRole('cell').nth(PACKETS_CELL));

    const call = await this.#openTab((await toDesk.getByRole('link').getAttribute('href')) ?? '');
    this.#expect(await call.getByRole('heading', { level: 2 }).allTextContents()).toEqual([
      ...['Leg 1: zone traversal', 'Leg 2: zone internal'],
    ]);
    const stream = call.locator('#streams-1 tbody tr').first();
    this.#expect(await stream.textContent()).toContain('AES_CM_128_HMAC_SHA1_80');
    await this.#expectGrowth(stream.getByRole('cell').nth(STREAM_PACKETS_CELL));
    this.#tabs.set('call', call);
  }

  /** The overview counts calls, and has no TURN server to tell of: that is the edge's, and the pages are the core's. */
  async expectOverview(calls: number): Promise<void> {
    const overview = await this.#openTab('/');
    const tile = overview.locator('.tiles div').filter({ hasText: 'Active calls' });
    await this.#expect.poll(() => tile.locator('dd').textContent(), POLL).toBe(String(calls));
    await overview.getByRole('link', { name: 'TURN relay usage' }).click();
    const state = overview.getByRole('row', { name: /^State/ });
    await this.#expect.poll(() => state.textContent(), POLL).toBe('StateInactive');
    this.#expect(await overview.getByText('No client has a relay at the moment.').count()).toBe(1);
    await overview.close();
  }

  /** Who looks at a call when it ends is told where it is now. */
  async expectCallIsOver(): Promise<void> {
    const call = this.#tab('call');
    await this.#expect
      .poll(() => call.getByRole('heading', { level: 1 }).textContent(), POLL)
      .toBe('Not found');
    this.#expect(await call.getByRole('main').getByRole('link', { name: 'call history' }).count()).toBe(1);
  }

  /** @param types as the page says them, in the order of the scenario */
  async expectHistory(types: readonly string[]): Promise<void> {
    const rows = this.#tab('history').locator('#history tbody tr');
    await this.#expect.poll(() => rows.count(), POLL).toBe(types.length);
    const shown = await rows.evaluateAll((all) =>
      all.map((row) => [...row.querySelectorAll('td')].slice(0, 2).map((cell) => cell.textContent)),
    );
    this.#expect(shown.map(([type]) => type).toSorted()).toEqual(types.toSorted());
    this.#expect(shown.map(([, evidence]) => evidence)).toEqual(types.map(() => 'verified'));
  }

  async expectMetrics(metrics: ReadonlyMap<string, number>): Promise<void> {
    const page = this.#tab('metrics');
    const shown = async (): Promise<Map<string, number>> => {
      const rows = await page
        .locator('tr.metric')
        .evaluateAll((all) =>
          all.map((row): [string, number] => [
            row.querySelector('th')?.firstChild?.textContent ?? '',
            Number.parseInt(row.querySelector('td')?.textContent ?? '', 10),
          ]),
        );
      return new Map(rows);
    };
    await this.#expect.poll(shown, POLL).toEqual(metrics);
  }

  /** The link gets a file with all calls of the core. */
  async expectExport(calls: number): Promise<void> {
    const page = this.#tab('metrics');
    const download = page.waitForEvent('download');
    await page.getByRole('main').getByRole('link', { name: 'Export to CSV' }).click();
    const file = await download;
    this.#expect(file.suggestedFilename()).toBe('ice-metrics.csv');
    const [header = '', core = ''] = (await readFile(await file.path(), 'utf8')).split('\r\n');
    const cells = core.split(',');
    this.#expect(cells[0]).toBe('core');
    this.#expect(cells[header.split(',').indexOf('B2BUA connected calls')]).toBe(String(calls));
  }

  /** A page of the web that has a name for this machine is not let in. */
  async expectDoorIsShutToOtherNames(): Promise<void> {
    const { host, port } = new URL(this.#origin);
    this.#expect(await this.#statusFor(host)).toBe(200);
    this.#expect(await this.#statusFor(`localhost:${port}`)).toBe(200);
    for (const name of [
      'rebound.example',
      `rebound.example:${port}`,
      '127.0.0.1.rebound.example',
      '10.10.0.20',
    ]) {
      this.#expect(await this.#statusFor(name), name).toBe(403);
    }
  }

  #statusFor(host: string): Promise<number | undefined> {
    return new Promise((resolve, reject) => {
      const asked = request(`${this.#origin}/api/status`, { headers: { host } }, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      });
      asked.on('error', reject);
      asked.end();
    });
  }

  async #openTab(path: string): Promise<Page> {
    const page = await this.#context.newPage();
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) this.complaints.push(`${path}: ${message.text()}`);
    });
    page.on('pageerror', (error) => this.complaints.push(`${path}: ${error.message}`));
    await page.goto(this.#origin + path);
    await this.#expect.poll(() => page.getByRole('status').textContent(), POLL).toBe('Live updates are on.');
    return page;
  }

  #tab(name: keyof typeof PATHS | 'call'): Page {
    const page = this.#tabs.get(name);
    if (!page) throw new Error(`${name} is not open`);
    return page;
  }

  /** A number on a page that becomes larger while one looks. */
  async #expectGrowth(cell: Locator): Promise<void> {
    const value = async (): Promise<number> => Number((await cell.textContent())?.replaceAll(',', ''));
    const before = await value();
    this.#expect(before).toBeGreaterThanOrEqual(0);
    await this.#expect.poll(value, POLL).toBeGreaterThan(before);
  }
}
