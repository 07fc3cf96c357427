/** The status pages. Each has one URL: browsers get the page, their `EventSource` what changes on it. */
import type { HttpBindings } from '@hono/node-server';
import type { Context, Hono } from 'hono';
import type { LinkStatus } from './call-status.ts';
import type { LiveUpdates } from './live-updates.ts';
import { callHistoryPage, callRecordPage } from './pages/call-history-page.tsx';
import { callPage, callsPage } from './pages/calls-page.tsx';
import { iceHistoryPage } from './pages/ice-history-page.tsx';
import { iceMetricsPage } from './pages/ice-metrics-page.tsx';
import { CONTENT_SECURITY_POLICY, documentOf, mainOf } from './pages/layout.tsx';
import { linksPage } from './pages/links-page.tsx';
import { notFoundPage } from './pages/not-found-page.tsx';
import { overviewPage } from './pages/overview-page.tsx';
import { type Page, type PageRequest, ROWS_SHOWN } from './pages/page.ts';
import { turnRelaysPage } from './pages/turn-relays-page.tsx';
import type { RatePoint } from './rate-history.ts';
import type { AdminSource, NodeStatus, TrafficRates } from './source.ts';

export interface PageRoutesOptions {
  readonly source: AdminSource;
  readonly live: LiveUpdates;
  rates(): TrafficRates;
  links(): readonly LinkStatus[];
  /** Bits per second that TURN relayed from clients and from peers. */
  trafficHistory(): readonly RatePoint[];
  /** Bits per second received and sent of each link, in the order of `links`. */
  linkHistory(): readonly RatePoint[];
}

/** Seconds after which a window that found no room may come back. */
const RETRY_AFTER_SECONDS = 30;

interface Asked extends PageRequest {
  /** The last part of the path, where the route has one. */
  readonly name: string;
  readonly status: NodeStatus;
}

/** Undefined: there is no such page, or not any more. */
type PageMaker = (asked: Asked) => Page | undefined | Promise<Page | undefined>;

export function addPageRoutes(app: Hono, options: PageRoutesOptions): void {
  const { source } = options;
  const add = (path: string, make: PageMaker): void => {
    app.get(path, (c) => answer(c, options, make));
  };
  add('/', ({ status }) =>
    overviewPage({
      status,
      traffic: options.rates(),
      trafficHistory: options.trafficHistory(),
      links: options.links(),
    }),
  );
  add('/turn-relays', async (asked) => turnRelaysPage(await source.turn(ROWS_SHOWN), asked));
  add('/calls', async (asked) => callsPage(await source.calls(ROWS_SHOWN), asked, new Date().toISOString()));
  add('/calls/:name', async ({ name }) => {
    const call = await source.call(name);
    return call && callPage(call);
  });
  add('/call-history', (asked) => callHistoryPage(source.callHistory(), asked));
  add('/call-history/:name', ({ name }) => {
    const call = source.callRecord(name);
    return call && callRecordPage(call);
  });
  add('/ice-metrics', async (asked) => iceMetricsPage(await source.iceMetricsOfNodes(), asked));
  add('/ice-metrics/:name', async (asked) => {
    const node = (await source.iceMetricsOfNodes()).find((one) => one.node === asked.name);
    return node && iceHistoryPage(node, asked);
  });
  add('/links', (asked) => linksPage({ links: options.links(), history: options.linkHistory() }, asked));
}

async function answer(c: Context, { source, live }: PageRoutesOptions, make: PageMaker): Promise<Response> {
  const { pathname, search } = new URL(c.req.url);
  const request: PageRequest = { path: pathname, query: c.req.query() };
  const made = async (): Promise<{ page: Page; status: NodeStatus; isFound: boolean }> => {
    const status = await source.status();
    const page = await make({ ...request, name: c.req.param('name') ?? '', status });
    return { status, page: page ?? notFoundPage(), isFound: page !== undefined };
  };
  c.header('Vary', 'Accept');
  if (c.req.header('accept') === 'text/event-stream') {
    const outgoing = (c.env as Partial<HttpBindings> | undefined)?.outgoing;
    const events = live.listen({
      key: pathname + search,
      render: async () => {
        const { page, status } = await made();
        return mainOf(page, status);
      },
      drop: () => outgoing?.destroy(),
    });
    if (!events) {
      c.header('Retry-After', String(RETRY_AFTER_SECONDS));
      return c.json({ error: 'too many windows are kept up to date already' }, 503);
    }
    return c.body(events, 200, { 'Content-Type': 'text/event-stream; charset=utf-8' });
  }
  const { page, status, isFound } = await made();
  c.header('Content-Security-Policy', CONTENT_SECURITY_POLICY);
  return c.html(documentOf(page, status, request), isFound ? 200 : 404);
}
