/** Headless Chromium: two peer connections of one page, relayed candidates only. */
import { mkdir, mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHROMIUM, CHROMIUM_FLAGS } from '../../lab/real/chromium.ts';
import { SERVER_KIND, startServer, type TurnServer } from './harness.ts';
import { describeEnd, run, tail } from './processes.ts';

const CERTUTIL_TIMEOUT_MS = 20_000;
const ECHO_TIMEOUT_MS = 20_000;

/** What clients/relay-page.js returns. */
interface PageReport {
  readonly echo: string | null;
  readonly pairs: readonly {
    readonly local: string;
    readonly remote: string;
    readonly relayProtocol: string;
    readonly bytesSent: number;
    readonly bytesReceived: number;
  }[];
  readonly candidates: readonly string[];
  readonly errors: readonly string[];
}

let server: TurnServer;
let browser: BrowserContext;
let page: Page;

beforeAll(async () => {
  server = await startServer();
  browser = await startBrowser();
  page = await browser.newPage();
  await page.addScriptTag({ path: join(import.meta.dirname, 'clients/relay-page.js') });
});

afterAll(async () => {
  await browser?.close();
  await server?.stop();
});

describe('Chromium, iceTransportPolicy relay', () => {
  it.each([
    ['UDP', 'udp', () => `turn:127.0.0.1:${server.port}?transport=udp`],
    ['TCP', 'tcp', () => `turn:127.0.0.1:${server.port}?transport=tcp`],
    ['TLS', 'tls', () => `turns:127.0.0.1:${server.tlsPort}?transport=tcp`],
    ['UDP and IPv6', 'udp', () => `turn:[::1]:${server.port}?transport=udp`],
  ] as const)('data goes both ways relay to relay over %s', async (_name, protocol, url) => {
    const report = await relayInPage(url(), server.password);
    expect(report.echo, explainPage(report)).toBe('hello yourself');
    expect(report.pairs, explainPage(report)).toHaveLength(2);
    for (const pair of report.pairs) {
      expect(pair).toMatchObject({ local: 'relay', remote: 'relay', relayProtocol: protocol });
      expect(pair.bytesSent).toBeGreaterThan(0);
      expect(pair.bytesReceived).toBeGreaterThan(0);
    }
  });

  it('gets no relay with a wrong password', async () => {
    const report = await relayInPage(`turn:127.0.0.1:${server.port}?transport=udp`, 'wrong');
    expect(report.echo).toBeNull();
    expect(report.candidates).toEqual([]);
    expect(report.errors.join('\n')).toContain('401');
  });
});

function relayInPage(url: string, credential: string): Promise<PageReport> {
  const argument = JSON.stringify({ url, username: server.user, credential, timeoutMs: ECHO_TIMEOUT_MS });
  return page.evaluate<PageReport>(`relayRoundTrip(${argument})`);
}

function explainPage(report: PageReport): string {
  return `${JSON.stringify(report, null, 2)}\n--- log of the server (${SERVER_KIND})\n${tail(server.log(), 40)}`;
}

/** A browser with a profile of its own that trusts the suite's certificate authority. */
async function startBrowser(): Promise<BrowserContext> {
  const home = await mkdtemp(join(server.directory, 'chromium-'));
  const database = join(home, '.pki/nssdb');
  await mkdir(database, { recursive: true });
  await certutil('-N', '--empty-password', '-d', `sql:${database}`);
  await certutil('-A', '-n', 'interop', '-t', 'C,,', '-i', server.authorityFile, '-d', `sql:${database}`);
  return chromium.launchPersistentContext(join(home, 'profile'), {
    executablePath: CHROMIUM,
    headless: true,
    args: [...CHROMIUM_FLAGS],
    env: { ...process.env, HOME: home } as Record<string, string>,
  });
}

async function certutil(...args: readonly string[]): Promise<void> {
  const result = await run('certutil', args, CERTUTIL_TIMEOUT_MS);
  if (result.exitCode !== 0)
    throw new Error(`${result.commandLine}: ${describeEnd(result)}\n${result.output}`);
}
