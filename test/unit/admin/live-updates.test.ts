import { once } from 'node:events';
import type { Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LISTENERS_MAX, LiveUpdates } from '../../../src/admin/live-updates.ts';
import { startAdminServer } from '../../../src/admin/server.ts';
import { fakeApp } from './fake-app.ts';
import { FakeSource } from './fake-source.ts';
import { endedCall } from './sample-data.ts';

const log = pino({ level: 'silent' });
const EVENT_STREAM = { headers: { accept: 'text/event-stream' } };

describe('live updates', () => {
  let live: LiveUpdates;
  let shown: string;
  let rendered: number;
  let dropped: number;

  beforeEach(() => {
    vi.useFakeTimers();
    live = new LiveUpdates(log);
    shown = 'first';
    rendered = 0;
    dropped = 0;
  });

  afterEach(() => {
    live.close();
    vi.useRealTimers();
  });

  function listen(key = '/'): ReadableStream<Uint8Array> | undefined {
    return live.listen({
      key,
      render: async () => {
        rendered++;
        return shown;
      },
      drop: () => dropped++,
    });
  }

  /** What has come until now. */
  function reading(stream: ReadableStream<Uint8Array> | undefined): {
    readonly text: () => string;
    readonly isDone: () => boolean;
  } {
    let text = '';
    let isDone = false;
    void stream?.pipeTo(
      new WritableStream({
        write: (chunk) => {
          text += new TextDecoder().decode(chunk);
        },
        close: () => {
          isDone = true;
        },
      }),
    );
    return { text: () => text, isDone: () => isDone };
  }

  it('send a page whenever it has changed, and only then', async () => {
    const { text } = reading(listen());
    await vi.advanceTimersByTimeAsync(2000);
    expect(text()).toBe('retry: 3000\n\ndata: "first"\n\n');
    await vi.advanceTimersByTimeAsync(4000);
    expect([rendered, text()]).toEqual([3, 'retry: 3000\n\ndata: "first"\n\n']);
    shown = 'line\nbreak\r\ndata: forged';
    await vi.advanceTimersByTimeAsync(2000);
    expect(text().slice('retry: 3000\n\ndata: "first"\n\n'.length)).toBe(
      'data: "line\\nbreak\\r\\ndata: forged"\n\n',
    );
  });

  it('render a page once for all who look at it', async () => {
    const [one, other, another] = [reading(listen()), reading(listen()), reading(listen('/calls'))];
    await vi.advanceTimersByTimeAsync(2000);
    expect(rendered).toBe(2);
    for (const { text } of [one, other, another]) expect(text()).toContain('data: "first"');
  });

  it('say every 15 s that the server is there', async () => {
    const { text } = reading(listen());
    await vi.advanceTimersByTimeAsync(16_000);
    expect(text()).not.toContain('still here');
    await vi.advanceTimersByTimeAsync(2000);
    expect(text().match(/^: still here$/gm)).toHaveLength(1);
  });

  it('have room for so many listeners, and again when one has gone', async () => {
    const streams = Array.from({ length: LISTENERS_MAX }, () => listen());
    expect(listen()).toBeUndefined();
    await streams[7]?.cancel();
    expect(live.listeners).toBe(LISTENERS_MAX - 1);
    expect(listen()).toBeDefined();
  });

  it('keep one event for a slow reader, the newest it has room for, and drop it in the end', async () => {
    const reader = listen()?.getReader(); // takes nothing: the first chunk fills its room
    for (let i = 0; i < 14; i++) {
      shown = `state ${i}`;
      await vi.advanceTimersByTimeAsync(2000);
    }
    expect([dropped, live.listeners]).toEqual([0, 1]);
    await vi.advanceTimersByTimeAsync(4000);
    expect([dropped, live.listeners]).toEqual([1, 0]);
    const chunks: string[] = [];
    for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) {
      chunks.push(new TextDecoder().decode(part.value));
    }
    expect(chunks).toEqual(['retry: 3000\n\n']);
  });

  it('let a reader that was slow for a while see the newest', async () => {
    const reader = listen()?.getReader();
    shown = 'missed';
    await vi.advanceTimersByTimeAsync(4000);
    await reader?.read();
    shown = 'newest';
    await vi.advanceTimersByTimeAsync(2000);
    expect(new TextDecoder().decode((await reader?.read())?.value)).toBe('data: "newest"\n\n');
  });

  it('outlive a page that fails to render', async () => {
    let isBroken = true;
    const stream = live.listen({
      key: '/',
      render: () => (isBroken ? Promise.reject(new Error('stuck')) : Promise.resolve('back')),
      drop: () => {},
    });
    const { text } = reading(stream);
    await vi.advanceTimersByTimeAsync(4000);
    isBroken = false;
    await vi.advanceTimersByTimeAsync(2000);
    expect(text()).toBe('retry: 3000\n\ndata: "back"\n\n');
  });

  it('outlive a page that never comes', async () => {
    const stuck = live.listen({ key: '/stuck', render: () => new Promise(() => {}), drop: () => {} });
    const [stuckText, text] = [reading(stuck).text, reading(listen()).text];
    await vi.advanceTimersByTimeAsync(30_000);
    expect(text()).toContain('data: "first"');
    expect(stuckText()).toContain(': still here');
  });

  it('render nothing when nobody listens any more', async () => {
    const stream = listen();
    await stream?.cancel();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(rendered).toBeLessThanOrEqual(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('end with the server', async () => {
    const { isDone } = reading(listen());
    await vi.advanceTimersByTimeAsync(0);
    live.close();
    await vi.advanceTimersByTimeAsync(0);
    expect([isDone(), live.listeners, vi.getTimerCount()]).toEqual([true, 0, 0]);
    expect(listen()).toBeUndefined();
  });
});

describe('a page asked for as events', () => {
  it('comes as the inside of its main part', async () => {
    const live = new LiveUpdates(log, { refreshMs: 1 });
    const response = await fakeApp(new FakeSource(), { live }).request('/calls?sort=call', EVENT_STREAM);
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(response.headers.get('vary')).toBe('Accept');
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    const event = new TextDecoder().decode((await reader.read()).value);
    const html = JSON.parse(event.slice('data: '.length)) as string;
    expect(html).toMatch(/^<h1 id="title">Calls<\/h1>/);
    expect(html).not.toContain('<script');
    await reader.cancel();
    expect(live.listeners).toBe(0);
  });

  it('is refused with 503 beyond the limit, and needs the token', async () => {
    const live = new LiveUpdates(log);
    const app = fakeApp(new FakeSource(), { live });
    for (let i = 0; i < LISTENERS_MAX; i++) expect((await app.request('/', EVENT_STREAM)).status).toBe(200);
    const refused = await app.request('/', EVENT_STREAM);
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '30']);
    expect((await app.request('/')).status).toBe(200);
    live.close();
    expect((await fakeApp(new FakeSource(), { token: 't' }).request('/', EVENT_STREAM)).status).toBe(401);
  });
});

describe('over a real connection', () => {
  it('the server ends while a window listens', async () => {
    const config = { http: { address: '127.0.0.1', port: 0 }, token: null };
    const server = await startAdminServer(config, new FakeSource(), log);
    const response = await fetch(`http://127.0.0.1:${server.port}/`, EVENT_STREAM);
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    expect(new TextDecoder().decode((await reader.read()).value)).toBe('retry: 3000\n\n');
    await server.close();
    await reader.closed.catch(() => {}); // ended or reset, both are an end
  });

  it('a window that takes nothing is disconnected, and costs no more than one page until then', async () => {
    const source = new FakeSource();
    source.historyKnown = Array.from({ length: 500 }, (_, n) => endedCall(n));
    let renderings = 0;
    source.status = async () => ({
      ...source.node,
      name: `state ${renderings++}`,
      healthy: false,
      reason: `${renderings}`,
    });
    const live = new LiveUpdates(log, { refreshMs: 1, stalledMs: 300 });
    const server = createAdaptorServer({ fetch: fakeApp(source, { live }).fetch }) as Server;
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const accepted = once(server, 'connection');
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
    client.on('error', () => {}); // a reset is one way to end
    client.pause();
    client.write('GET /call-history HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n');
    const [socket] = await accepted;
    let waitingBytesMax = 0;
    const watch = setInterval(() => {
      waitingBytesMax = Math.max(waitingBytesMax, socket.writableLength);
    }, 1);
    await once(socket, 'close');
    clearInterval(watch);
    expect(renderings).toBeGreaterThan(1);
    expect(waitingBytesMax).toBeLessThan(600_000); // the page has about 240 kB
    expect(live.listeners).toBe(0);
    client.destroy();
    server.close();
    await once(server, 'close');
  });
});
