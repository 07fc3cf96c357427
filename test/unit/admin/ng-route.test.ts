import type { Hono } from 'hono';
import { pino } from 'pino';
import { beforeEach, describe, expect, it } from 'vitest';
import { type AdminAppOptions, REQUEST_BODY_BYTES_MAX } from '../../../src/admin/app.ts';
import { NG_BODY_BYTES_MAX } from '../../../src/admin/ng-route.ts';
import { latin1Text } from '../../../src/wire/bencode.ts';
import { fakeApp } from './fake-app.ts';
import { FakeSource } from './fake-source.ts';

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
  return fakeApp(source, { log, ...options });
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

async function post(
  body: unknown,
  headers: Record<string, string> = {},
  options: Partial<AdminAppOptions> = {},
): Promise<Answer> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const init = { method: 'POST', body: text, headers: { ...JSON_TYPE, ...headers } };
  const response = await app(options).request('/ng', init);
  expect(response.headers.get('content-type')).toMatch(/^application\/json/);
  return { status: response.status, body: await response.json() };
}

describe('POST /ng', () => {
  it('hands a command on and answers with its reply', async () => {
    source.ngReply = { result: 'ok', sdp: 'v=0\r\n', totals: { RTP: { packets: 5 } } };
    const command = { command: 'offer', 'call-id': 'c', replace: ['origin'], 'delete-delay': 0 };
    expect(await post(command)).toEqual({ status: 200, body: source.ngReply });
    expect(source.ngCommands).toEqual([command]);
  });

  it.each(['error', 'load limit'])('answers 200 whatever the result: %s', async (result) => {
    source.ngReply = { result, 'error-reason': 'Unknown call-id' };
    expect(await post({ command: 'query' })).toEqual({ status: 200, body: source.ngReply });
  });

  it('keeps text beyond ASCII', async () => {
    source.ng = async (command) => {
      source.ngCommands.push(command);
      return { result: 'ok', sdp: command.sdp ?? '' };
    };
    expect((await post({ sdp: 's=Zoë 會議' })).body).toEqual({ result: 'ok', sdp: 's=Zoë 會議' });
    expect(source.ngCommands[0]?.sdp).toBe(latin1Text(new TextEncoder().encode('s=Zoë 會議')));
  });

  it.each(['', '{"command": "ping"', '[]', '"ping"', 'null', 'd7:command4:pinge'])(
    'refuses what is no JSON object: %j',
    async (body) => {
      expect(await post(body)).toEqual({
        status: 400,
        body: { result: 'error', 'error-reason': 'The body must be a JSON object' },
      });
      expect(source.ngCommands).toEqual([]);
    },
  );

  it('takes a body as large as a datagram, and none that is larger', async () => {
    const sized = (bytes: number): string => `{"sdp":"${'x'.repeat(bytes - 10)}"}`;
    expect(NG_BODY_BYTES_MAX).toBeGreaterThan(REQUEST_BODY_BYTES_MAX);
    expect((await post(sized(NG_BODY_BYTES_MAX))).status).toBe(200);
    expect(await post(sized(NG_BODY_BYTES_MAX + 1))).toEqual({
      status: 413,
      body: { result: 'error', 'error-reason': 'The body must be at most 65536 bytes' },
    });
    expect(source.ngCommands).toHaveLength(1);
  });

  it('leaves the limit for other bodies as it is', async () => {
    const init = { method: 'POST', body: 'x'.repeat(REQUEST_BODY_BYTES_MAX + 1), headers: JSON_TYPE };
    expect((await app().request('/api/credentials', init)).status).toBe(413);
  });

  it('says 404 where the B2BUA is off', async () => {
    source.ngReply = undefined;
    expect(await post({ command: 'ping' })).toEqual({
      status: 404,
      body: { result: 'error', 'error-reason': 'The B2BUA is off' },
    });
  });

  it('hides what went wrong inside, and logs it without the command', async () => {
    source.ng = () => Promise.reject(new Error('inner detail'));
    const { status, body } = await post({ command: 'offer', sdp: 'a=crypto:1 X inline:c2VjcmV0' });
    expect([status, body]).toEqual([500, { error: 'internal error' }]);
    expect(logLines.join()).toContain('inner detail');
    expect(logLines.join()).not.toContain('inline');
  });

  it('is for POST alone', async () => {
    expect((await app().request('/ng')).status).toBe(404);
  });
});

describe('POST /ng is guarded as everything else', () => {
  it('by the token', async () => {
    expect((await post({}, {}, { token: TOKEN })).status).toBe(401);
    expect((await post({}, { authorization: `Bearer ${TOKEN.slice(1)}` }, { token: TOKEN })).status).toBe(
      401,
    );
    expect(source.ngCommands).toEqual([]);
    expect((await post({}, { authorization: `Bearer ${TOKEN}` }, { token: TOKEN })).status).toBe(200);
  });

  it('against other sites', async () => {
    expect((await post({}, { 'sec-fetch-site': 'cross-site' })).status).toBe(403);
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data']) {
      expect((await post({}, { 'content-type': type })).status).toBe(415);
    }
    expect(source.ngCommands).toEqual([]);
  });

  it('against rebound names', async () => {
    expect((await post({}, { host: 'evil.example' }, { onLoopback: true })).status).toBe(403);
    expect(source.ngCommands).toEqual([]);
    expect((await post({}, { host: 'localhost:8080' }, { onLoopback: true })).status).toBe(200);
  });
});
