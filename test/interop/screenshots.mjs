/**
 * Takes pictures of the status pages, of the nodes of a lab that it brings up, with calls in it. Needs Chromium,
 * pngquant, network namespaces, no lab that is up already, and `npm run build:lab` before; takes about six minutes:
 *
 *     node test/interop/screenshots.mjs docs
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { chromium } from 'playwright-core';
import { parse } from 'yaml';

const [directory] = process.argv.slice(2);
if (!directory) throw new Error('usage: screenshots.mjs DIRECTORY');

const ROOT = join(import.meta.dirname, '../..');
const LAB = join(ROOT, 'dist-lab/lab/main.js');
const PAGE_DOOR = join(ROOT, 'dist-lab/lab/page-door.js');

/** What fills history and metrics. */
const SCENARIOS_BEFORE = ['nats', 'faults', 'paths'];
/** What is up in the pictures. */
const CALLS_UP = `
title: Calls for pictures
talkSeconds: 120
steps:
  - title: Home B lets no UDP out
    nats: { A: port-restricted, B: udp-blocked }
    calls:
      - { from: homeA, to: homeB, expect: srflx_to_relay }
      - { from: internet, to: homeB, expect: host_to_relay }
      - { from: homeA, to: homeA2, expect: host_to_host }
      - { from: internet, to: homeA, expect: host_to_srflx }
      - { from: homeB, to: desk, expect: none }
      - { from: homeA2, to: desk, expect: none }
`;
/** Until each call is on its path, and the curves have a past. */
const CALLS_UP_MS = 50_000;

/** Long pages are cut off below. */
const HEIGHT_MAX = 1100;
const METRICS_HEIGHT_MAX = 1900;
const WINDOW = { width: 1280, height: 720 };
const PHONE = { width: 390, height: 844 };

/** Runs a command of the lab; resolves with what it printed. */
async function lab(...args) {
  const child = spawn(process.execPath, [LAB, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    printed += text;
  });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`lab ${args.join(' ')} ended with exit code ${code}:\n${printed}`);
  return printed;
}

/** The lab's own page address shows the core alone: this opens another for the edge, out of the edge's network. */
async function openEdgeDoor(logs) {
  const file = join(logs, 'edge/causeway.yaml');
  const { admin } = parse(readFileSync(file, 'utf8'));
  const pid = readdirSync('/proc').find((name) => /^\d+$/.test(name) && commandLineOf(name).includes(file));
  const user = process.getuid() === 0 ? [] : ['--user', '--preserve-credentials'];
  const program = `
    import { PageDoor } from ${JSON.stringify(PAGE_DOOR)};
    process.on('message', (pages, listening) => new PageDoor(listening, pages));
    process.on('disconnect', () => process.exit());
  `;
  const node = [process.execPath, '--input-type=module', '--eval', program];
  const child = spawn('nsenter', ['--target', pid, ...user, '--net', '--', ...node], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const server = createServer({ pauseOnConnect: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  await new Promise((resolve) =>
    child.send({ url: `http://${admin.http}`, token: admin.token }, server, resolve),
  );
  server.close();
  return { url: `http://127.0.0.1:${port}`, close: () => child.disconnect() };
}

function commandLineOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return []; // It has ended.
  }
}

async function takePictures(core, edge) {
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu'],
  });
  /** `first`: what is clicked on the page, where the picture is of another that it leads to. */
  async function picture(name, url, options = {}) {
    const { first, viewport = WINDOW, colorScheme = 'light', heightMax = HEIGHT_MAX } = options;
    const page = await browser.newPage({ viewport, colorScheme });
    await page.goto(url);
    if (first !== undefined) await page.locator(first).first().click();
    await page.getByRole('status').filter({ hasText: 'Live updates are on.' }).waitFor();
    const height = await page.evaluate('document.documentElement.scrollHeight');
    const clip = { x: 0, y: 0, width: viewport.width, height: Math.min(height, heightMax) };
    const file = join(directory, `${name}.png`);
    await page.screenshot({ path: file, fullPage: true, clip });
    await page.close();
    execFileSync('pngquant', ['--force', '--ext', '.png', file]);
  }
  const heightMax = METRICS_HEIGHT_MAX;
  await picture('overview', `${edge}/`);
  await picture('turn-relays', `${edge}/turn-relays`);
  await picture('calls', `${core}/calls`);
  await picture('call', `${core}/calls`, { first: '#calls tr:has-text("internal") a' });
  await picture('links', `${core}/links`);
  await picture('call-history', `${core}/call-history`);
  await picture('call-record', `${core}/call-history`, { first: '#history tbody a' });
  await picture('ice-metrics', `${core}/ice-metrics`, { heightMax });
  await picture('ice-metrics-node', `${core}/ice-metrics`, { first: 'a[aria-label^="History of"]' });
  await picture('ice-metrics-dark', `${core}/ice-metrics`, { colorScheme: 'dark' });
  await picture('ice-metrics-phone', `${core}/ice-metrics`, { viewport: PHONE });
  await browser.close();
}

const scratch = mkdtempSync(join(tmpdir(), 'causeway-pictures-'));
const callsUp = join(scratch, 'calls-up.yaml');
writeFileSync(callsUp, CALLS_UP);
execFileSync(process.execPath, [LAB, 'up', '--network', 'namespaces']);
try {
  const [, core, logs] = /pages (\S+)\/, logs (\S+)\n/.exec(await lab('status'));
  for (const scenario of SCENARIOS_BEFORE) await lab('run', '--scenario', scenario);
  const run = lab('run', '--scenario', callsUp);
  const edge = await openEdgeDoor(logs);
  await Promise.race([delay(CALLS_UP_MS), run]);
  await takePictures(core, edge.url);
  edge.close();
  await run;
} finally {
  await lab('down');
  rmSync(scratch, { recursive: true });
}
