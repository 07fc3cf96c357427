/**
 * The address of the status pages on the user's machine. The node's admin server is inside the lab's network and wants
 * a token; the door hands each request on to it, with the token.
 */
import {
  createServer,
  type Server as HttpServer,
  type IncomingMessage,
  request,
  type ServerResponse,
} from 'node:http';
import type { Server } from 'node:net';

export class PageDoor {
  readonly #outer: Server;
  readonly #inner: HttpServer;

  /**
   * @param outer listens already
   * @param pages where the node's admin server is, and its token
   */
  constructor(outer: Server, { url, token }: { readonly url: string; readonly token: string }) {
    this.#outer = outer;
    this.#inner = createServer((asked, reply) => handOn(asked, reply, url, token));
    outer.on('connection', (socket) => this.#inner.emit('connection', socket));
  }

  close(): void {
    this.#outer.close();
    this.#inner.closeAllConnections();
  }
}

function handOn(asked: IncomingMessage, reply: ServerResponse, url: string, token: string): void {
  const { host = '', ...headers } = asked.headers;
  // A page of the web that has a name for this machine must not read through the door (DNS rebinding).
  if (!/^(localhost|127\.0\.0\.1)(:\d+)?$/.test(host)) {
    reply.writeHead(403, { 'content-type': 'text/plain; charset=utf-8' });
    reply.end('The Host header must be localhost or 127.0.0.1.\n');
    return;
  }
  const { hostname, port } = new URL(url);
  const onward = request(
    {
      ...{ hostname, port, path: asked.url, method: asked.method },
      headers: { ...headers, authorization: `Bearer ${token}` },
    },
    (answer) => {
      reply.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(reply);
      answer.on('error', () => reply.destroy());
    },
  );
  onward.on('error', () => {
    if (reply.headersSent) return void reply.destroy();
    reply.writeHead(502, { 'content-type': 'text/plain; charset=utf-8' });
    reply.end('The node does not answer; it may just be restarted. Try again.\n');
  });
  reply.on('close', () => onward.destroy());
  asked.pipe(onward);
}
