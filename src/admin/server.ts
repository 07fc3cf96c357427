import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { performance } from 'node:perf_hooks';
import { createAdaptorServer } from '@hono/node-server';
import type { Logger } from 'pino';
import type { AdminConfig } from '../config/config.ts';
import { isLoopback } from '../config/rules.ts';
import { formatEndpoint } from '../wire/address.ts';
import { createAdminApp } from './app.ts';
import type { LinkStatus } from './call-status.ts';
import { LiveUpdates } from './live-updates.ts';
import { RateHistory } from './rate-history.ts';
import type { AdminSource } from './source.ts';
import { LinkMeter, TrafficMeter } from './traffic-meter.ts';

/** Connections at once; more are closed as they come. */
const CONNECTIONS_MAX = 256;
/** A whole request must have come within this time. */
const REQUEST_MS_MAX = 10_000;
const SAMPLE_INTERVAL_MS = 1000;

export interface AdminServer {
  readonly address: string;
  /** As the system chose it where the configuration says 0. */
  readonly port: number;
  /** Ends listening and every connection. */
  close(): Promise<void>;
}

/**
 * Serves the admin HTTP interface.
 * @throws Error (rejects) with a message that names the address where it cannot listen there
 */
export async function startAdminServer(
  config: AdminConfig,
  source: AdminSource,
  log: Logger,
): Promise<AdminServer> {
  const meter = new TrafficMeter();
  const linkMeter = new LinkMeter();
  const trafficHistory = new RateHistory();
  const linkHistory = new RateHistory();
  const live = new LiveUpdates(log);
  const links = (): LinkStatus[] => linkMeter.status(source.links());
  const sample = (): void => {
    meter.sample(performance.now(), source.traffic());
    linkMeter.sample(performance.now(), source.links());
    const { bitsPerSecondClientToPeer, bitsPerSecondPeerToClient } = meter.rates();
    trafficHistory.add(Date.now(), [bitsPerSecondClientToPeer, bitsPerSecondPeerToClient]);
    linkHistory.add(
      Date.now(),
      links().flatMap((link) => [link.bitsPerSecondReceived, link.bitsPerSecondSent]),
    );
  };
  const { address } = config.http;
  const app = createAdminApp({
    source,
    token: config.token,
    onLoopback: isLoopback(address),
    log,
    live,
    rates: () => meter.rates(),
    links,
    trafficHistory: () => trafficHistory.points,
    linkHistory: () => linkHistory.points,
  });
  const server = createAdaptorServer({
    fetch: app.fetch,
    serverOptions: {
      requestTimeout: REQUEST_MS_MAX,
      headersTimeout: REQUEST_MS_MAX,
      connectionsCheckingInterval: 1000,
    },
  }) as Server;
  server.maxConnections = CONNECTIONS_MAX;
  await listen(server, address, config.http.port);
  server.on('error', (error) => log.error({ err: error }, 'admin HTTP server'));
  sample();
  const timer = setInterval(sample, SAMPLE_INTERVAL_MS).unref();
  return {
    address,
    port: (server.address() as AddressInfo).port,
    close: () => {
      clearInterval(timer);
      live.close();
      return new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
}

function listen(server: Server, address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const message = `admin.http: cannot listen on ${formatEndpoint(address, port)}/tcp (${error.code ?? error.message})`;
      reject(Object.assign(new Error(message), { code: error.code ?? 'LISTEN_FAILED' }));
    });
    server.listen(port, address, resolve);
  });
}
