import type { Hono } from 'hono';
import { pino } from 'pino';
import { beforeEach, describe, expect, it } from 'vitest';
import { type AdminAppOptions, REQUEST_BODY_BYTES_MAX } from '../../../src/admin/app.ts';
import type { TrafficRates } from '../../../src/admin/source.ts';
import { fakeApp } from './fake-app.ts';
import { FakeSource, fakeRelay } from './fake-source.ts';

const RATES: TrafficRates = {
  windowSeconds: 5,
  packetsPerSecondClientToPeer: 1500,
  bitsPerSecondClientToPeer: 2_064_000,
  packetsPerSecondPeerToClient: 7,
  bitsPerSecondPeerToClient: 9632,
};
const TOKEN = 'a-token-of-some-length';
const JSON_TYPE = { 'content-type': 'application/json' };

let source: FakeSource;
let logLines: string[];

beforeEach(() => {
  source = new FakeSource();
  logLines = [];
});

function app(options: Partial<AdminAppOptions> = {}): Hono {
  const log = pino({}, { write: (line: string) => void logLines.push(line) });
  return fakeApp(source, { log, rates: () => RATES, ...options });
}

function postCredential(body: unknown, headers: Record<string, string> = JSON_TYPE): Promise<Response> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return Promise.resolve(app().request('/api/credentials', { method: 'POST', body: text, headers }));
}

describe('GET /healthz', () => {
  it('says ok', async () => {
    const response = await app().request('/healthz');
    expect([response.status, await response.json()]).toEqual([200, { status: 'ok' }]);
  });

  it('says 503 and why while the node is not in service', async () => {
    source.node = { ...source.node, healthy: false, reason: 'worker 1 has ended' };
    const response = await app().request('/healthz');
    expect([response.status, await response.json()]).toEqual([
      503,
      { status: 'unavailable', reason: 'worker 1 has ended' },
    ]);
  });

  it('needs no token', async () => {
    expect((await app({ token: TOKEN }).request('/healthz')).status).toBe(200);
  });
});

describe('reading', () => {
  it('serves metrics as Prometheus text', async () => {
    const response = await app().request('/metrics');
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await response.text()).toBe('# TYPE up gauge\nup 1\n');
  });

  it('serves the status with the current traffic', async () => {
    const response = await app().request('/api/status');
    expect(await response.json()).toEqual({ ...source.node, traffic: RATES });
  });

  it('serves the TURN state with its relays', async () => {
    source.relays = [fakeRelay(1), fakeRelay(2)];
    const response = await app().request('/api/turn');
    expect(await response.json()).toEqual(await source.turn(0));
    expect(source.relaysAskedFor[0]).toBe(1000);
  });

  it('lists no more relays than asked for and tells how many there are', async () => {
    source.relays = [fakeRelay(1), fakeRelay(2), fakeRelay(3)];
    const response = await app().request('/api/turn?limit=2');
    expect(await response.json()).toMatchObject({ relays: [{ id: '0.1' }, { id: '0.2' }], relaysTotal: 3 });
    expect(source.relaysAskedFor).toEqual([2]);
    expect(await (await app().request('/api/turn?limit=0')).json()).toMatchObject({
      relays: [],
      relaysTotal: 3,
    });
  });

  it.each(['-1', '1.5', 'all', '', '100001', '1e9'])('refuses ?limit=%s', async (limit) => {
    const response = await app().request(`/api/turn?limit=${limit}`);
    expect([response.status, await response.json()]).toEqual([
      400,
      { error: 'limit must be a whole number from 0 to 100000' },
    ]);
  });

  it.each(['/api', '/api/nothing', '/favicon.ico', '/healthz/x'])(
    'answers 404 in JSON elsewhere: %s',
    async (path) => {
      const response = await app().request(path);
      expect([response.status, await response.json()]).toEqual([404, { error: 'not found' }]);
    },
  );

  it('hides what went wrong inside, and logs it', async () => {
    source.status = () => Promise.reject(new Error('inner detail'));
    const response = await app().request('/api/status');
    expect([response.status, await response.json()]).toEqual([500, { error: 'internal error' }]);
    expect(logLines.join()).toContain('inner detail');
  });
});

describe('the token', () => {
  const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });
  const basic = (password: string): Record<string, string> => ({
    authorization: `Basic ${Buffer.from(`anyone:${password}`).toString('base64')}`,
  });

  it.each([
    '/',
    '/metrics',
    '/api/status',
    '/api/turn',
    '/api/credentials',
    '/api/credentials/alice',
    '/nothing',
  ])('is asked for at %s', async (path) => {
    const response = await app({ token: TOKEN }).request(path);
    expect([response.status, await response.json()]).toEqual([401, { error: 'a valid token is required' }]);
    expect(response.headers.get('www-authenticate')).toContain('Bearer');
  });

  it('opens', async () => {
    expect((await app({ token: TOKEN }).request('/api/turn', { headers: bearer(TOKEN) })).status).toBe(200);
    expect(
      (await app({ token: TOKEN }).request('/api/turn', { headers: { authorization: `bearer ${TOKEN}` } }))
        .status,
    ).toBe(200);
  });

  it.each([
    ['another', bearer(`${TOKEN.slice(0, -1)}X`)],
    ['a part', bearer(TOKEN.slice(0, -1))],
    ['a longer', bearer(`${TOKEN}0`)],
    ['an empty', bearer('')],
    ['no scheme', { authorization: TOKEN }],
    ['another scheme', { authorization: `Digest ${TOKEN}` }],
    ['Basic with the wrong password', basic('wrong')],
    ['Basic without a colon', { authorization: `Basic ${Buffer.from(TOKEN).toString('base64')}` }],
  ])('refuses %s', async (_what, headers) => {
    expect((await app({ token: TOKEN }).request('/api/turn', { headers })).status).toBe(401);
  });

  it('opens pages in a browser as the password, for reading only', async () => {
    const guarded = app({ token: TOKEN });
    expect((await guarded.request('/', { headers: basic(TOKEN) })).status).toBe(200);
    const removal = await guarded.request('/api/credentials/alice', {
      method: 'DELETE',
      headers: basic(TOKEN),
    });
    expect([removal.status, source.removed]).toEqual([401, []]);
  });

  it('is needed to change credentials', async () => {
    const guarded = app({ token: TOKEN });
    const init = { method: 'POST', body: JSON.stringify({ name: 'bob', password: 'p' }) };
    expect((await guarded.request('/api/credentials', { ...init, headers: JSON_TYPE })).status).toBe(401);
    expect(source.passwords.has('bob')).toBe(false);
    const response = await guarded.request('/api/credentials', {
      ...init,
      headers: { ...JSON_TYPE, ...bearer(TOKEN) },
    });
    expect(response.status).toBe(201);
  });
});

describe('credentials', () => {
  it('are listed by name, never with a password', async () => {
    const text = await (await app().request('/api/credentials')).text();
    expect(JSON.parse(text)).toEqual({ names: ['alice'] });
    expect(text).not.toContain('secret');
    const one = await app().request('/api/credentials/alice');
    expect(await one.json()).toEqual({ name: 'alice' });
    expect((await app().request('/api/credentials/bob')).status).toBe(404);
  });

  it('are added', async () => {
    const response = await postCredential({ name: 'bob', password: 'hunter2' });
    expect([response.status, await response.json()]).toEqual([201, { name: 'bob' }]);
    expect(source.passwords.get('bob')).toBe('hunter2');
  });

  it('are replaced', async () => {
    const response = await postCredential({ name: 'alice', password: 'hunter2' });
    expect([response.status, source.passwords.get('alice')]).toEqual([200, 'hunter2']);
  });

  it('are removed, once', async () => {
    const removed = await app().request('/api/credentials/alice', { method: 'DELETE' });
    expect([removed.status, await removed.text(), source.removed]).toEqual([204, '', ['alice']]);
    const again = await app().request('/api/credentials/alice', { method: 'DELETE' });
    expect([again.status, source.removed]).toEqual([404, ['alice']]);
  });

  it('with unusual names are found', async () => {
    source.passwords.set('ö/a b?', 'p');
    const path = `/api/credentials/${encodeURIComponent('ö/a b?')}`;
    expect((await app().request(path, { method: 'DELETE' })).status).toBe(204);
    expect(source.removed).toEqual(['ö/a b?']);
  });

  it.each([
    ['no JSON', '{"name": "bob"'],
    ['nothing', ''],
    ['a list', []],
    ['no password', { name: 'bob' }],
    ['an empty password', { name: 'bob', password: '' }],
    ['an empty name', { name: '', password: 'p' }],
    ['a number', { name: 'bob', password: 5 }],
    ['a name that is too long for the wire', { name: 'b'.repeat(128), password: 'p' }],
    ['an unknown member', { name: 'bob', password: 'p', admin: true }],
  ])('are refused with 400: %s', async (_what, body) => {
    const response = await postCredential(body);
    expect(response.status).toBe(400);
    expect(((await response.json()) as { error: string }).error).toMatch(/^the body must be JSON as/);
    expect([...source.passwords.keys()]).toEqual(['alice']);
  });

  it('are refused with 413 where the body is too large', async () => {
    const response = await postCredential({ name: 'bob', password: 'p'.repeat(REQUEST_BODY_BYTES_MAX) });
    expect([response.status, source.passwords.has('bob')]).toEqual([413, false]);
  });
});

describe('a web page of another site', () => {
  it.each(['cross-site', 'same-site'])('cannot change anything (Sec-Fetch-Site: %s)', async (site) => {
    const added = await postCredential(
      { name: 'bob', password: 'p' },
      { ...JSON_TYPE, 'sec-fetch-site': site },
    );
    const removed = await app().request('/api/credentials/alice', {
      method: 'DELETE',
      headers: { 'sec-fetch-site': site },
    });
    expect([added.status, removed.status, [...source.passwords.keys()]]).toEqual([403, 403, ['alice']]);
  });

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', 'application/jsonp'])(
    'cannot pass a form off as JSON (%s)',
    async (type) => {
      const response = await postCredential({ name: 'bob', password: 'p' }, { 'content-type': type });
      expect([response.status, source.passwords.has('bob')]).toEqual([415, false]);
    },
  );

  it('is told of no other origin that may read', async () => {
    const response = await app().request('/api/turn', { headers: { origin: 'http://evil.example' } });
    expect(response.headers.get('access-control-allow-origin')).toBeNull();
  });

  it.each(['same-origin', 'none'])(
    'does not stand in the way of our own (Sec-Fetch-Site: %s)',
    async (site) => {
      const headers = { 'content-type': 'application/json; charset=utf-8', 'sec-fetch-site': site };
      expect((await postCredential({ name: 'bob', password: 'p' }, headers)).status).toBe(201);
    },
  );
});

describe('on a loopback address', () => {
  const ask = async (host: string): Promise<number> =>
    (await app({ onLoopback: true }).request('/api/turn', { headers: { host } })).status;

  it.each([
    'localhost',
    'localhost:8080',
    'LOCALHOST:8080',
    '127.0.0.1',
    '127.0.0.1:8080',
    '127.9.9.9:80',
    '[::1]:8080',
    '[::1]',
  ])('Host %s is us', async (host) => {
    expect(await ask(host)).toBe(200);
  });

  it.each([
    'evil.example',
    'evil.example:8080',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '10.0.0.1:8080',
    '[2001:db8::1]:80',
    '',
    'localhost:x',
  ])('Host %j is refused, as a rebound name would bring it', async (host) => {
    expect(await ask(host)).toBe(403);
  });

  it('any host is fine on another address, where a token is required anyway', async () => {
    expect((await app().request('/api/turn', { headers: { host: 'turn.example' } })).status).toBe(200);
  });
});
