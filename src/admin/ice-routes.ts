/** `GET /api/ice-metrics` and `GET /ice-metrics.csv`. */
import type { Hono } from 'hono';
import { iceMetricsCsv } from '../metrics/csv.ts';
import type { AdminSource } from './source.ts';

export function addIceRoutes(app: Hono, source: AdminSource): void {
  app.get('/api/ice-metrics', (c) => c.json(source.iceMetrics()));
  // All nodes as on the page, or one (`?node=`); a node that does not answer has no rows.
  app.get('/ice-metrics.csv', async (c) => {
    const name = c.req.query('node');
    const nodes = (await source.iceMetricsOfNodes()).filter(
      ({ node }) => name === undefined || node === name,
    );
    if (nodes.length === 0) return c.json({ error: 'no such node' }, 404);
    c.header('Content-Type', 'text/csv; charset=utf-8; header=present');
    c.header('Content-Disposition', 'attachment; filename="ice-metrics.csv"');
    return c.body(iceMetricsCsv(nodes.flatMap(({ metrics }) => metrics ?? [])));
  });
}
