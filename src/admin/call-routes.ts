/** `GET /api/calls`, `/api/calls/history`, `/api/calls/ID` and `/api/links`. */
import type { Context, Hono } from 'hono';
import type { LinkStatus } from './call-status.ts';
import type { AdminSource } from './source.ts';

/** Calls that `/api/calls` lists unless `?limit=` says otherwise, and at most. */
export const CALLS_LISTED_DEFAULT = 1000;
export const CALLS_LISTED_MAX = 100_000;

export function addCallRoutes(app: Hono, source: AdminSource, links: () => readonly LinkStatus[]): void {
  app.get('/api/calls', async (c) => {
    const limit = limitOf(c);
    if (limit === undefined) {
      return c.json({ error: `limit must be a whole number from 0 to ${CALLS_LISTED_MAX}` }, 400);
    }
    const { calls, callsTotal } = await source.calls(limit);
    return c.json({ callsTotal, calls: calls.slice(0, limit) });
  });
  // Before the calls by their ids, none of which is `history`.
  app.get('/api/calls/history', (c) => c.json({ calls: source.callHistory() }));
  app.get('/api/calls/:id', async (c) => {
    const id = c.req.param('id');
    // One that goes on, or one of the history by its UUID.
    const call = (await source.call(id)) ?? source.callRecord(id);
    return call ? c.json(call) : c.json({ error: 'no such call' }, 404);
  });
  app.get('/api/links', (c) => c.json({ links: links() }));
}

function limitOf(c: Context): number | undefined {
  const asked = c.req.query('limit');
  if (asked === undefined) return CALLS_LISTED_DEFAULT;
  const limit = Number(asked);
  return asked !== '' && Number.isInteger(limit) && limit >= 0 && limit <= CALLS_LISTED_MAX
    ? limit
    : undefined;
}
