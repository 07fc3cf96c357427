import type { Hono } from 'hono';
import { beforeEach, describe, expect, it } from 'vitest';
import { EVIDENCE_ADDRESSES_MAX } from '../../../src/admin/relay-evidence-route.ts';
import { fakeApp } from './fake-app.ts';
import { FakeSource } from './fake-source.ts';

const TOKEN = 'a-token-of-some-length';
const PATH = '/api/turn/relay-evidence';

let source: FakeSource;

beforeEach(() => {
  source = new FakeSource();
});

function app(token: string | null = null): Hono {
  return fakeApp(source, { token });
}

async function post(body: unknown, headers: Record<string, string> = {}, token: string | null = null) {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const init = { method: 'POST', body: text, headers: { 'content-type': 'application/json', ...headers } };
  const response = await app(token).request(PATH, init);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

describe('POST /api/turn/relay-evidence', () => {
  it('answers with what the node knows of the addresses', async () => {
    source.evidence = [
      {
        address: '198.51.100.1:24000',
        active: false,
        peers: [{ address: '192.0.2.1:5000', toPeer: 7, fromPeer: 8 }],
      },
    ];
    const addresses = ['198.51.100.1:24000', '[2001:db8::1]:24001'];
    expect(await post({ addresses })).toEqual({ status: 200, body: { relays: source.evidence } });
    expect(source.evidenceAskedFor).toEqual([addresses]);
  });

  it('takes as many addresses as it says, and none', async () => {
    const longest = '[1111:2222:3333:4444:5555:6666:255.255.255.255]:65535';
    const addresses = new Array<string>(EVIDENCE_ADDRESSES_MAX).fill(longest);
    expect((await post({ addresses })).status).toBe(200);
    expect((await post({ addresses: [] })).status).toBe(200);
  });

  it.each<[string, unknown]>([
    ['no JSON', '{"addresses": ['],
    ['no object', []],
    ['no list', {}],
    ['another type', { addresses: '198.51.100.1:24000' }],
    ['numbers', { addresses: [24000] }],
    ['too many', { addresses: new Array(EVIDENCE_ADDRESSES_MAX + 1).fill('a') }],
    ['too long a text', { addresses: ['a'.repeat(65)] }],
  ])('refuses %s, and asks nobody', async (_, body) => {
    const { status, body: answer } = await post(body);
    expect(status).toBe(400);
    expect(answer.error).toContain('at most 64 transport addresses');
    expect(source.evidenceAskedFor).toEqual([]);
  });

  it('wants the token where there is one, from a header that no browser adds by itself', async () => {
    const basic = `Basic ${Buffer.from(`x:${TOKEN}`).toString('base64')}`;
    for (const [authorization, status] of [
      ['', 401],
      ['Bearer wrong', 401],
      [basic, 401],
      [`Bearer ${TOKEN}`, 200],
    ] as const) {
      expect((await post({ addresses: [] }, { authorization }, TOKEN)).status).toBe(status);
    }
  });
});
