/** The door between a browser and the node's admin server. */
import { once } from 'node:events';
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PageDoor } from '../../../lab/page-door.ts';

let node: HttpServer;
let outer: Server;
let door: PageDoor;

beforeEach(async () => {
  // Tells what came to it.
  node = createHttpServer(async (asked, reply) => {
    const { method, url, headers } = asked;
    const body = await text(asked);
    reply.statusCode = 201;
    reply.setHeader('x-of-node', 'yes');
    reply.end(JSON.stringify({ method, url, headers, body }));
  });
  node.listen(0, '127.0.0.1');
  outer = createServer();
  outer.listen(0, '127.0.0.1');
  await Promise.all([once(node, 'listening'), once(outer, 'listening')]);
  const url = `http://127.0.0.1:${(node.address() as AddressInfo).port}`;
  door = new PageDoor(outer, { url, token: 'secret' });
});

afterEach(() => {
  door.close();
  node.close();
  node.closeAllConnections();
});

function knock(): Socket {
  return connect((outer.address() as AddressInfo).port, '127.0.0.1');
}

interface Reply {
  readonly status: string;
  readonly head: string;
  readonly body: string;
}

/** Writes a request as it is, and reads until the door closes. */
async function ask(lines: readonly string[], body = ''): Promise<Reply> {
  const socket = knock();
  socket.write([...lines, 'Connection: close', '', body].join('\r\n'));
  const [head = '', ...rest] = (await text(socket)).split('\r\n\r\n');
  return { status: head.split(' ')[1] ?? '', head: head.toLowerCase(), body: rest.join('\r\n\r\n') };
}

describe('the page door', () => {
  it('hands a request on with the token, its body and its own headers, and the answer back', async () => {
    const lines = ['POST /api/x?y=1 HTTP/1.1', 'Host: localhost:8080', 'Authorization: Bearer mine'];
    const { status, head, body } = await ask(
      [...lines, 'Sec-Fetch-Site: cross-site', 'Content-Length: 3'],
      'abc',
    );
    expect(status).toBe('201');
    expect(head).toContain('x-of-node: yes');
    expect(JSON.parse(body)).toMatchObject({
      ...{ method: 'POST', url: '/api/x?y=1', body: 'abc' },
      headers: { authorization: 'Bearer secret', 'sec-fetch-site': 'cross-site' },
    });
    expect(JSON.parse(body).headers.host).not.toBe('localhost:8080');
  });

  it('keeps a body in its request, so that it cannot pass for another', async () => {
    const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n';
    const lines = ['GET /first HTTP/1.1', 'Host: localhost', 'Transfer-Encoding: chunked'];
    const chunk = `${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`;
    const { body } = await ask(lines, chunk);
    expect(JSON.parse(body)).toMatchObject({ url: '/first', body: smuggled });
  });

  it('keeps headers of the connection to itself', async () => {
    const lines = [
      'GET / HTTP/1.1',
      'Host: 127.0.0.1',
      'Upgrade: websocket',
      'TE: trailers',
      'Keep-Alive: 9',
    ];
    const { status, body } = await ask(lines);
    expect(status).toBe('201');
    expect(Object.keys(JSON.parse(body).headers)).not.toEqual(
      expect.arrayContaining([expect.stringMatching(/upgrade|^te$|keep-alive/)]),
    );
  });

  it.each([
    'evil.example',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '127.0.0.1@evil',
    '[::1]',
    '',
  ])('refuses the Host header "%s"', async (host) => {
    expect(await ask(['GET / HTTP/1.1', `Host: ${host}`])).toMatchObject({ status: '403' });
  });

  it.each(['GET http://evil.example/ HTTP/1.1', 'OPTIONS * HTTP/1.1'])('refuses %s', async (line) => {
    const { status, body } = await ask([line, 'Host: localhost']);
    expect([status, body]).toEqual(['400', 'The request target must be a path.\n']);
  });

  it('opens no tunnel', async () => {
    const { status } = await ask(['CONNECT 127.0.0.1:22 HTTP/1.1', 'Host: localhost']);
    expect(status).toBe('');
  });

  it('says that the node does not answer', async () => {
    node.close();
    await once(node, 'close');
    expect(await ask(['GET / HTTP/1.1', 'Host: localhost'])).toMatchObject({ status: '502' });
  });

  it('closes with all who are in it, also those who have asked nothing yet', async () => {
    const socket = knock();
    await once(outer, 'connection');
    door.close();
    socket.resume();
    await once(socket, 'close');
  });
});
