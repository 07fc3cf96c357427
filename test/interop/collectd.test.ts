/** A real collectd hears our gauges and files them; that it is gone for a while disturbs nothing. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { filedValues, startCollectd } from '../../lab/real/collectd.ts';
import type { Program } from '../../lab/real/program.ts';
import { ICE_METRIC_NAMES, type IceCounters } from '../../src/metrics/ice-metrics.ts';
import { CollectdSender } from '../../src/node/collectd-sender.ts';
import { freePort } from './ports.ts';
import { startBackground } from './processes.ts';

const HOSTNAME = 'node1.example.org';
const ZONES = 30; // enough for several packets
const WAIT = { timeout: 20_000, interval: 50 };

let folder: string;
let port: number;
let collectd: Program | undefined;
let sender: CollectdSender | undefined;
let round: number;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'causeway-collectd-'));
  port = await freePort();
  round = 0;
});

afterEach(async () => {
  sender?.close();
  await collectd?.stop();
  collectd = undefined;
  rmSync(folder, { recursive: true });
});

async function start(): Promise<void> {
  collectd = await startCollectd(startBackground, { address: '127.0.0.1', port, directory: folder });
}

function startSender(): CollectdSender {
  sender = new CollectdSender({
    address: '127.0.0.1',
    port,
    intervalSeconds: 600, // the test says when
    hostname: HOSTNAME,
    read: () => ({
      iceCounters: Object.fromEntries(
        ICE_METRIC_NAMES.map((name, i) => [name, 100 * round + i]),
      ) as IceCounters,
      activeCalls: 1000 + round,
      activeRelays: 2000 + round,
      blockedAddresses: 3000 + round,
      zones: Array.from({ length: ZONES }, (_, i) => ({
        name: `zone-${i}`,
        activeCalls: 10_000 * round + i,
        bytesReceived: 0,
        bytesSent: 0,
      })),
    }),
    log: pino({ level: 'silent' }),
  });
  return sender;
}

/** What a round sends, by type instance. */
function expectedValues(sent: number): Record<string, number> {
  return Object.fromEntries([
    ...ICE_METRIC_NAMES.map((name, i) => [`ICEPassthroughMetrics.${name}`, 100 * sent + i]),
    ['CallMetrics.activecalls', 1000 + sent],
    ['TURNMetrics.activerelays', 2000 + sent],
    ['ProtectionMetrics.blockedaddresses', 3000 + sent],
    ...Array.from({ length: ZONES }, (_, i) => [
      [`ZoneMetrics.zone-${i}.activecalls`, 10_000 * sent + i],
      [`ZoneMetrics.zone-${i}.bandwidthreceived`, 0],
      [`ZoneMetrics.zone-${i}.bandwidthsent`, 0],
    ]).flat(),
  ]);
}

function filed(): Promise<Record<string, number>> {
  return filedValues(folder, HOSTNAME);
}

function sendRound(to: CollectdSender): void {
  round++;
  to.send();
}

describe('a real collectd', () => {
  it('files every gauge under its name with its value', async () => {
    await start();
    sendRound(startSender());
    await vi.waitFor(async () => expect(await filed()).toEqual(expectedValues(1)), WAIT);
  });

  it('may go and come back: what is sent then is filed, what was sent meanwhile is a counted failure', async () => {
    await start();
    const to = startSender();
    sendRound(to);
    await vi.waitFor(async () => expect(await filed()).toEqual(expectedValues(1)), WAIT);
    await collectd?.stop();
    collectd = undefined;
    sendRound(to);
    await vi.waitFor(() => expect(to.failures).toBe(1), WAIT);
    await start();
    sendRound(to);
    await vi.waitFor(async () => expect(await filed()).toEqual(expectedValues(3)), WAIT);
    expect(to.failures).toBe(1);
  });
});
