/** examples/webrtc-turn.html in Chromium, as a reader would use it, against a real server. */
import { createHmac } from 'node:crypto';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { PROJECT_DIRECTORY, type ServerSettings, startServer, type TurnServer } from './harness.ts';
import { tail } from './processes.ts';

const EXECUTABLE = '/usr/bin/chromium';
/** Root needs --no-sandbox; the others keep Chromium from looking for its vendor's hosts. */
const BROWSER_FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--no-proxy-server',
  '--disable-background-networking',
];

const PAGE = pathToFileURL(join(PROJECT_DIRECTORY, 'examples/webrtc-turn.html')).href;
const SHARED_SECRET = 'a secret of the web application';
const CALL_TIMEOUT_MS = 30_000;

let browser: Browser;
let page: Page;
let server: TurnServer;

beforeAll(async () => {
  browser = await chromium.launch({ executablePath: EXECUTABLE, headless: true, args: BROWSER_FLAGS });
});

afterAll(() => browser?.close());

describe.each<[string, ServerSettings, () => readonly [username: string, credential: string]]>([
  ['a configured user', {}, () => [server.user, server.password]],
  ['time-limited credentials', { sharedSecret: SHARED_SECRET }, timeLimited],
])('the page with %s', (_which, settings, credentials) => {
  beforeAll(async () => {
    server = await startServer(settings);
  });
  afterAll(() => server?.stop());
  afterEach(() => page?.close());

  it('sees its picture come back over two relays', async () => {
    const outcome = await call(...credentials());
    const relay = String.raw`relay 127\.0\.0\.1:2[45]\d{3}`;
    expect(outcome, tail(server.log(), 40)).toMatch(
      new RegExp(`^Seen, over (${relay}) and (${relay}); back over \\2\\.$`),
    );
    const size = await page.evaluate(
      '(({ videoWidth, videoHeight }) => [videoWidth, videoHeight])(document.querySelector("video"))',
    );
    expect(size).toEqual([320, 180]);
  });

  it('says why there is no call with a wrong password', async () => {
    const [username] = credentials();
    expect(await call(username, 'wrong')).toMatch(/^No call: 401/);
  });
});

/** Fills the form by the address bar, presses the button, and waits for what the page says. */
async function call(username: string, credential: string): Promise<string> {
  page = await browser.newPage();
  const url = `turn:127.0.0.1:${server.port}?transport=udp`;
  await page.goto(`${PAGE}?${new URLSearchParams({ url, username, credential })}`);
  await page.getByRole('button', { name: 'Call' }).click();
  const status = page.getByRole('status').filter({ hasText: /^(Seen|No call)/ });
  await status.waitFor({ timeout: CALL_TIMEOUT_MS });
  return (await status.textContent()) ?? '';
}

/** As README.md of the examples makes them with openssl. */
function timeLimited(): readonly [username: string, credential: string] {
  const username = `${Math.floor(Date.now() / 1000) + 3600}:alice`;
  return [username, createHmac('sha1', SHARED_SECRET).update(username).digest('base64')];
}
