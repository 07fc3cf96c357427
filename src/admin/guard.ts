/**
 * Who may speak to the admin HTTP server. Three defences, each a middleware: against web pages that
 * reach a loopback server under a name of their own (DNS rebinding), against requests without the
 * token, and against web pages that make a browser change something (cross-site requests).
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { MiddlewareHandler } from 'hono';
import { canonicalAddress, isLoopback, parseSocketAddress } from '../config/rules.ts';

/**
 * For a server on a loopback address: refuses a Host header that names anything but this machine, since
 * only a browser that was lied to about a name can send one.
 */
export function refuseForeignHosts(): MiddlewareHandler {
  return async (c, next) => {
    if (namesThisMachine(c.req.header('host') ?? '')) return next();
    return c.json({ error: 'the Host header must be localhost or a loopback address' }, 403);
  };
}

/**
 * Lets pass what carries the token: `Authorization: Bearer TOKEN`. For people with a browser, which can
 * send no such header on its own, reading is also possible with Basic authentication, any name and
 * the token as password; changing is not, as a browser adds Basic credentials to any request.
 */
export function requireToken(token: string): MiddlewareHandler {
  return async (c, next) => {
    const [scheme = '', credentials = ''] = (c.req.header('authorization') ?? '').split(' ');
    const reading = c.req.method === 'GET' || c.req.method === 'HEAD';
    let given: string | undefined;
    if (/^bearer$/i.test(scheme)) given = credentials;
    else if (/^basic$/i.test(scheme) && reading) given = basicPassword(credentials);
    if (given !== undefined && equalInConstantTime(given, token)) return next();
    c.header('WWW-Authenticate', 'Bearer realm="causeway"', { append: true });
    if (reading) c.header('WWW-Authenticate', 'Basic realm="causeway"', { append: true });
    return c.json({ error: 'a valid token is required' }, 401);
  };
}

/** Refuses requests that change something and come from another site's page, or could (no JSON). */
export function refuseCrossSite(): MiddlewareHandler {
  return async (c, next) => {
    if (c.req.method === 'GET' || c.req.method === 'HEAD') return next();
    // Sent by browsers only; `none` is a person at the address bar.
    const site = c.req.header('sec-fetch-site') ?? 'none';
    if (site !== 'same-origin' && site !== 'none') return c.json({ error: 'refused across sites' }, 403);
    // A page of another site can send a form unasked, but JSON only after a preflight, which is refused.
    const hasBody = c.req.method !== 'DELETE';
    const type = (c.req.header('content-type') ?? '').split(';')[0]?.trim().toLowerCase();
    if (hasBody && type !== 'application/json')
      return c.json({ error: 'Content-Type must be application/json' }, 415);
    return next();
  };
}

function namesThisMachine(host: string): boolean {
  if (/^localhost(:\d{1,5})?$/i.test(host)) return true;
  const bare = host.replace(/^\[(.*)\]$/, '$1');
  const address = parseSocketAddress(host, 0)?.address ?? canonicalAddress(bare);
  return address !== undefined && isLoopback(address);
}

function basicPassword(credentials: string): string | undefined {
  const text = Buffer.from(credentials, 'base64').toString();
  const colon = text.indexOf(':');
  return colon < 0 ? undefined : text.slice(colon + 1);
}

/** Hashes first, so that neither content nor length shows in the time it takes. */
function equalInConstantTime(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
