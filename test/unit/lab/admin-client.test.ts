/** Why a node cannot be asked, in words: a start that fails must not leave one guessing. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AdminClient } from '../../../lab/media-plane/admin-client.ts';

let server: Server;
let status: number;

beforeEach(async () => {
  server = createServer((_, reply) => reply.writeHead(status).end());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(() => server.close());

function client(): AdminClient {
  return new AdminClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, 'token');
}

describe('the problem of a node', () => {
  it('is none where it is healthy', async () => {
    status = 200;
    expect(await client().healthProblem()).toBeUndefined();
  });

  it('is its status where it is not', async () => {
    status = 503;
    expect(await client().healthProblem()).toMatch(/healthz answers 503$/);
  });

  it('is that nobody listens', async () => {
    const asked = client();
    server.close();
    expect(await asked.healthProblem()).toMatch(/ECONNREFUSED/);
  });

  it('is a port that fetch refuses to ask', async () => {
    expect(await new AdminClient('http://127.0.0.1:10080', 'token').healthProblem()).toBe('bad port');
  });
});
