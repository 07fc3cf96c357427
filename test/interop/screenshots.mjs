/**
 * Takes pictures of a running node's status pages with headless Chromium:
 *
 *     node test/interop/screenshots.mjs http://127.0.0.1:8080 docs
 *
 * Of pages about one call it takes the first that is there.
 */
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const [origin, directory] = process.argv.slice(2);
if (!origin || !directory) throw new Error('usage: screenshots.mjs URL DIRECTORY');

/** Long pages are cut off below. */
const HEIGHT_MAX = 1100;
const METRICS_HEIGHT_MAX = 1800;
const WINDOW = { width: 1280, height: 720 };
const PHONE = { width: 390, height: 844 };

const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu'],
});

async function picture(
  name,
  path,
  { first, viewport = WINDOW, colorScheme = 'light', heightMax = HEIGHT_MAX } = {},
) {
  const page = await browser.newPage({ viewport, colorScheme });
  await page.goto(origin + path);
  if (first !== undefined) await page.locator(first).first().click();
  await page.getByRole('status').filter({ hasText: 'Live updates are on.' }).waitFor();
  const height = await page.evaluate('document.documentElement.scrollHeight');
  const clip = { x: 0, y: 0, width: viewport.width, height: Math.min(height, heightMax) };
  await page.screenshot({ path: join(directory, `${name}.png`), fullPage: true, clip });
  await page.close();
}

await picture('overview', '/');
await picture('turn-relays', '/turn-relays');
await picture('calls', '/calls');
await picture('call', '/calls', { first: '#calls tbody a' });
await picture('call-history', '/call-history');
await picture('call-record', '/call-history', { first: '#history tbody a' });
await picture('ice-metrics', '/ice-metrics', { heightMax: METRICS_HEIGHT_MAX });
await picture('ice-metrics-node', '/ice-metrics', { first: 'a[aria-label^="History of"]' });
await picture('links', '/links');
await picture('ice-metrics-dark', '/ice-metrics', { colorScheme: 'dark' });
await picture('ice-metrics-phone', '/ice-metrics', { viewport: PHONE });
await browser.close();
