/** What every page has: head, way around, state of the node, live updates. */
import { createHash } from 'node:crypto';
import { raw } from 'hono/html';
import type { JSX } from 'hono/jsx/jsx-runtime';
import type { NodeStatus } from '../source.ts';
import { LIVE_SCRIPT } from './live-script.ts';
import type { Page, PageLink, PageRequest } from './page.ts';
import { STYLE } from './style.ts';

/** Nothing is loaded but the page itself, nothing runs or styles it but what stands here, nobody frames it. */
export const CONTENT_SECURITY_POLICY: string = [
  "default-src 'none'",
  `style-src '${hashSource(STYLE)}'`,
  `script-src '${hashSource(LIVE_SCRIPT)}'`,
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Without a script, a page that the reader asked to be refreshed loads itself again after so long. */
const REFRESH_SECONDS = 5;
/** Browsers ask for an icon; this one is drawn here. */
const ICON = `data:image/svg+xml,${encodeURIComponent(
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path d="M1 11c4 0 3-6 7-6s3 6 7 6" fill="none" stroke="#1d5fb8" stroke-width="2.4" stroke-linecap="round"/></svg>',
)}`;

const SITE: readonly PageLink[] = [
  { href: '/', text: 'Overview' },
  { href: '/turn-relays', text: 'TURN relay usage' },
  { href: '/calls', text: 'Calls' },
  { href: '/call-history', text: 'Call history' },
  { href: '/ice-metrics', text: 'ICE passthrough metrics' },
  { href: '/links', text: 'Links' },
];

/** The whole document. */
export function documentOf(page: Page, status: NodeStatus, request: PageRequest): string {
  return `<!doctype html>${String(<Document page={page} status={status} request={request} />)}`;
}

/** What is inside `main`: all that changes while one looks at the page. */
export function mainOf(page: Page, status: NodeStatus): string {
  return String(<Main page={page} status={status} />);
}

interface DocumentProps {
  readonly page: Page;
  readonly status: NodeStatus;
  readonly request: PageRequest;
}

function Document({ page, status, request }: DocumentProps): JSX.Element {
  const refreshes = request.query.refresh === 'on';
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>{`${page.title} · ${status.name} · Causeway`}</title>
        <link rel="icon" href={ICON} />
        <style>{raw(STYLE)}</style>
        {refreshes && (
          <noscript>
            <meta http-equiv="refresh" content={String(REFRESH_SECONDS)} />
          </noscript>
        )}
      </head>
      <body>
        <a class="skip" href="#main">
          Skip to content
        </a>
        <header>
          <span class="brand">
            Causeway <span>{status.name}</span>
          </span>
          <nav aria-label="Pages">
            <ul>
              {SITE.map(({ href, text }) => (
                <li>
                  <a href={href} aria-current={currentOf(href, request.path)}>
                    {text}
                  </a>
                </li>
              ))}
            </ul>
          </nav>
        </header>
        <main id="main" tabindex={-1}>
          <Main page={page} status={status} />
        </main>
        <Footer data={page.data} refreshes={refreshes} request={request} />
        <script>{raw(LIVE_SCRIPT)}</script>
      </body>
    </html>
  );
}

function Main({ page, status }: { page: Page; status: NodeStatus }): JSX.Element {
  return (
    <>
      {!status.healthy && (
        <p class="problem" id="problem" role="alert">
          Not in service: {status.reason ?? 'reason unknown'}
        </p>
      )}
      <h1 id="title">{page.title}</h1>
      {page.content}
    </>
  );
}

interface FooterProps {
  readonly data: readonly PageLink[];
  readonly refreshes: boolean;
  readonly request: PageRequest;
}

function Footer({ data, refreshes, request }: FooterProps): JSX.Element {
  const { refresh: _, ...query } = request.query;
  const search = new URLSearchParams(refreshes ? query : { ...query, refresh: 'on' }).toString();
  return (
    <footer>
      <nav aria-label="Data">
        <ul>
          {[
            ...data,
            { href: '/metrics', text: 'Metrics (Prometheus)' },
            { href: '/healthz', text: 'Health' },
          ].map(({ href, text }) => (
            <li>
              <a href={href}>{text}</a>
            </li>
          ))}
        </ul>
      </nav>
      <div class="live" hidden>
        <span role="status" aria-live="polite" />
        <button type="button">Pause updates</button>
      </div>
      <noscript>
        <a href={`${request.path}${search && '?'}${search}`}>
          {refreshes ? 'Stop refreshing' : `Refresh every ${REFRESH_SECONDS} seconds`}
        </a>
      </noscript>
    </footer>
  );
}

/** A page below another one belongs to it. */
function currentOf(href: string, path: string): 'page' | 'true' | undefined {
  if (path === href) return 'page';
  return href !== '/' && path.startsWith(`${href}/`) ? 'true' : undefined;
}

function hashSource(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}
