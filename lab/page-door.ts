/**
 * The address of the status pages on the user's machine. The node's admin server is inside the lab's network and wants
 * a token; the door hands each request on to it, with the token. Requests of other sites' pages are refused by the
 * admin server, to which the headers go that tell of them.
 */
import {
  createServer,
  type Server as HttpServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type ServerResponse,
} from 'node:http';
import type { Server, Socket } from 'node:net';

/** Of one connection, not of a request (RFC 9110 §7.6.1); how a body is cut into chunks is Node's to say. */
const HOP_BY_HOP = new Set([
  ...['connection', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'proxy-connection'],
  ...['te', 'trailer', 'upgrade'],
]);

export class PageDoor {
  readonly #outer: Server;
  readonly #inner: HttpServer;
  /** An HTTP server that never listened keeps no list of its own. */
  readonly #sockets = new Set<Socket>();

  /**
   * @param outer listens already
   * @param pages where the node's admin server is, and its token
   */
  constructor(outer: Server, { url, token }: { readonly url: string; readonly token: string }) {
    this.#outer = outer;
    this.#inner = createServer((asked, reply) => handOn(asked, reply, url, token));
    outer.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      this.#inner.emit('connection', socket);
    });
  }

  close(): void {
    this.#outer.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

function handOn(asked: IncomingMessage, reply: ServerResponse, url: string, token: string): void {
  const { host = '', ...headers } = asked.headers;
  // A page of the web that has a name for this machine must not read through the door (DNS rebinding).
  if (!/^(localhost|127\.0\.0\.1)(:\d+)?$/i.test(host)) {
    return refuse(reply, 403, 'The Host header must be localhost or 127.0.0.1.');
  }
  // `GET http://elsewhere/` and `OPTIONS *` are for proxies and servers, and this is neither.
  if (!asked.url?.startsWith('/')) return refuse(reply, 400, 'The request target must be a path.');
  const { hostname, port } = new URL(url);
  const onward = request(
    {
      ...{ hostname, port, path: asked.url, method: asked.method },
      headers: { ...endToEnd(headers), authorization: `Bearer ${token}` },
    },
    (answer) => {
      const { 'transfer-encoding': _, ...answered } = endToEnd(answer.headers);
      reply.writeHead(answer.statusCode ?? 502, answered);
      answer.pipe(reply);
      answer.on('error', () => reply.destroy());
    },
  );
  onward.on('error', () => {
    if (reply.headersSent) return void reply.destroy();
    refuse(reply, 502, 'The node does not answer; it may just be restarted. Try again.');
  });
  reply.on('close', () => onward.destroy());
  asked.pipe(onward);
}

function endToEnd(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !HOP_BY_HOP.has(name)));
}

function refuse(reply: ServerResponse, status: number, why: string): void {
  reply.statusCode = status;
  reply.setHeader('content-type', 'text/plain; charset=utf-8');
  reply.end(`${why}\n`);
}
