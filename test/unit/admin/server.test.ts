import { request } from 'node:http';
import { connect } from 'node:net';
import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { type AdminServer, startAdminServer } from '../../../src/admin/server.ts';
import { FakeSource } from './fake-source.ts';

const log = pino({ level: 'silent' });
const servers: AdminServer[] = [];

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function start(token: string | null = null, port = 0): Promise<AdminServer> {
  const server = await startAdminServer(
    { http: { address: '127.0.0.1', port }, token },
    new FakeSource(),
    log,
  );
  servers.push(server);
  return server;
}

describe('startAdminServer', () => {
  it('serves on the port the system chose', async () => {
    const { address, port } = await start();
    const response = await fetch(`http://${address}:${port}/healthz`);
    expect([response.status, await response.json()]).toEqual([200, { status: 'ok' }]);
  });

  it('serves credentials over a real connection, with a body in chunks', async () => {
    const { port } = await start('t0ken');
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const headers = { authorization: 'Bearer t0ken', 'content-type': 'application/json' };
      const post = request(
        { host: '127.0.0.1', port, path: '/api/credentials', method: 'POST', headers },
        (response) => {
          response.resume();
          resolve(response.statusCode);
        },
      );
      post.on('error', reject);
      post.write('{"name": "bob", ');
      post.end('"password": "p"}');
    });
    expect(status).toBe(201);
  });

  it('refuses a rebound name', async () => {
    const { port } = await start();
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const get = request(
        { host: '127.0.0.1', port, path: '/', headers: { host: 'evil.example' } },
        (response) => {
          response.resume();
          resolve(response.statusCode);
        },
      );
      get.on('error', reject);
      get.end();
    });
    expect(status).toBe(403);
  });

  it('says which address is taken', async () => {
    const { port } = await start();
    await expect(start(null, port)).rejects.toMatchObject({
      code: 'EADDRINUSE',
      message: `admin.http: cannot listen on 127.0.0.1:${port}/tcp (EADDRINUSE)`,
    });
  });

  it('ends open connections when it closes', async () => {
    const server = await start();
    const socket = connect(server.port, '127.0.0.1');
    await new Promise((resolve) => socket.once('connect', resolve));
    const ended = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => {}); // a reset is one way to end
    socket.write('GET / HTTP/1.1\r\n'); // never finished
    await server.close();
    await ended;
  });
});
