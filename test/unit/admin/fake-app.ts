import type { Hono } from 'hono';
import { pino } from 'pino';
import { type AdminAppOptions, createAdminApp } from '../../../src/admin/app.ts';
import { LiveUpdates } from '../../../src/admin/live-updates.ts';
import { LinkMeter } from '../../../src/admin/traffic-meter.ts';
import { FakeSource } from './fake-source.ts';

/** The admin app of a node without traffic, a token or a log, as far as `options` say nothing else. */
export function fakeApp(source: FakeSource = new FakeSource(), options: Partial<AdminAppOptions> = {}): Hono {
  const log = pino({ level: 'silent' });
  return createAdminApp({
    ...{ source, token: null, onLoopback: false, log, live: new LiveUpdates(log) },
    rates: () => ({
      windowSeconds: 5,
      packetsPerSecondClientToPeer: 1500,
      bitsPerSecondClientToPeer: 2_064_000,
      packetsPerSecondPeerToClient: 7,
      bitsPerSecondPeerToClient: 9632,
    }),
    links: () => new LinkMeter().status(source.links()),
    trafficHistory: () => [],
    linkHistory: () => [],
    ...options,
  });
}
