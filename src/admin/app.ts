/**
 * The admin HTTP interface: health, metrics, JSON under `/api`, pages. Routes only; what they show
 * comes from an {@link AdminSource}, and `server.ts` binds them to a socket.
 */
import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { Logger } from 'pino';
import { credentialSchema } from '../config/schema.ts';
import { addCallRoutes } from './call-routes.ts';
import { refuseCrossSite, refuseForeignHosts, requireToken } from './guard.ts';
import { addIceRoutes } from './ice-routes.ts';
import { addNgRoute } from './ng-route.ts';
import { addPageRoutes, type PageRoutesOptions } from './page-routes.ts';
import { addRelayEvidenceRoute } from './relay-evidence-route.ts';
import type { AdminSource } from './source.ts';

/** Relays that `/api/turn` lists unless `?limit=` says otherwise, and at most. */
export const RELAYS_LISTED_DEFAULT = 1000;
export const RELAYS_LISTED_MAX = 100_000;
/** A credential is a few hundred bytes. */
export const REQUEST_BODY_BYTES_MAX = 8192;

export interface AdminAppOptions extends PageRoutesOptions {
  /** null: none asked for. */
  readonly token: string | null;
  /** Whether the server listens on a loopback address only. */
  readonly onLoopback: boolean;
  readonly log: Logger;
}

export function createAdminApp(options: AdminAppOptions): Hono {
  const { source, log } = options;
  const app = new Hono();
  app.use(securityHeaders);
  if (options.onLoopback) app.use(refuseForeignHosts());
  app.get('/healthz', async (c) => {
    const { healthy, reason } = await source.status();
    return healthy ? c.json({ status: 'ok' }) : c.json({ status: 'unavailable', reason }, 503);
  });
  if (options.token !== null) app.use(requireToken(options.token));
  app.use(refuseCrossSite());
  addNgRoute(app, source);
  app.use(
    bodyLimit({
      maxSize: REQUEST_BODY_BYTES_MAX,
      onError: (c) => c.json({ error: `the body must be at most ${REQUEST_BODY_BYTES_MAX} bytes` }, 413),
    }),
  );

  addPageRoutes(app, options);
  app.get('/metrics', async (c) => {
    c.header('Content-Type', 'text/plain; version=0.0.4; charset=utf-8');
    return c.body(await source.metricsText());
  });
  app.get('/api/status', async (c) => c.json({ ...(await source.status()), traffic: options.rates() }));
  app.get('/api/turn', (c) => turnStatus(c, source));
  addRelayEvidenceRoute(app, source);
  addCallRoutes(app, source, options.links);
  addIceRoutes(app, source);
  addCredentialRoutes(app, options);

  app.notFound((c) => c.json({ error: 'not found' }, 404));
  app.onError((error, c) => {
    log.error({ err: error, method: c.req.method, path: c.req.path }, 'admin request failed');
    return c.json({ error: 'internal error' }, 500);
  });
  return app;
}

async function turnStatus(c: Context, source: AdminSource): Promise<Response> {
  const asked = c.req.query('limit');
  const limit = asked === undefined ? RELAYS_LISTED_DEFAULT : Number(asked);
  if (asked === '' || !Number.isInteger(limit) || limit < 0 || limit > RELAYS_LISTED_MAX) {
    return c.json({ error: `limit must be a whole number from 0 to ${RELAYS_LISTED_MAX}` }, 400);
  }
  const status = await source.turn(limit);
  return c.json({ ...status, relays: status.relays.slice(0, limit) });
}

/** Names can be listed, added and removed; a password is never shown. */
function addCredentialRoutes(app: Hono, { source: { credentials } }: AdminAppOptions): void {
  app.get('/api/credentials', (c) => c.json({ names: credentials.list() }));

  app.post('/api/credentials', async (c) => {
    const body: unknown = await c.req.json().catch(() => undefined);
    const parsed = credentialSchema.safeParse(body);
    if (!parsed.success) {
      const problems = parsed.error.issues.map((issue) => [...issue.path, issue.message].join(': '));
      return c.json(
        { error: `the body must be JSON as {"name": …, "password": …}; ${problems.join('; ')}` },
        400,
      );
    }
    const { name, password } = parsed.data;
    const replaces = credentials.list().includes(name);
    await credentials.add(name, password);
    return c.json({ name }, replaces ? 200 : 201);
  });

  app.get('/api/credentials/:name', (c) => {
    const name = c.req.param('name');
    return credentials.list().includes(name) ? c.json({ name }) : c.json({ error: 'no such user' }, 404);
  });

  app.delete('/api/credentials/:name', async (c) => {
    const name = c.req.param('name');
    if (!credentials.list().includes(name)) return c.json({ error: 'no such user' }, 404);
    await credentials.remove(name);
    return c.body(null, 204);
  });
}

/** What holds for every answer; pages have a policy of their own, which lets their style and script through. */
async function securityHeaders(c: Context, next: () => Promise<void>): Promise<void> {
  await next();
  c.header('X-Content-Type-Options', 'nosniff');
  c.header('Referrer-Policy', 'no-referrer');
  c.header('Cache-Control', 'no-store');
  if (c.res.headers.has('Content-Security-Policy')) return;
  c.header('Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'; base-uri 'none'");
}
