/**
 * A lab that stays up: `lab up` leaves a keeper behind, which holds the session and takes requests of `lab run`,
 * `lab status` and `lab down` on a socket that only its user can reach. One JSON object a line, both ways.
 */
import { rmSync } from 'node:fs';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { platform, userInfo } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { LabEvent } from './events.ts';
import { errorLine } from './lab-error.ts';
import type { NetworkKind } from './network/network.ts';
import { labHome } from './run-directory.ts';
import type { LabSession } from './session.ts';
import type { RunOptions } from './session-messages.ts';

export type KeeperRequest =
  | { readonly ask: 'run'; readonly options: RunOptions }
  | { readonly ask: 'status' }
  | { readonly ask: 'down' };

export interface KeeperStatus {
  readonly network: NetworkKind;
  readonly pageUrl: string;
  readonly upSince: string;
  /** Of the keeper's process. */
  readonly pid: number;
  readonly directory: string;
  readonly isRunning: boolean;
}

export type KeeperReply =
  | { readonly say: 'event'; readonly event: LabEvent }
  | { readonly say: 'status'; readonly status: KeeperStatus }
  | { readonly say: 'done' }
  | { readonly say: 'failed'; readonly reason: string };

/** What the keeper needs of a session. */
export type KeptSession = Pick<LabSession, 'network' | 'pageUrl' | 'isBusy' | 'run' | 'ended' | 'close'>;

export interface KeeperOptions {
  readonly session: KeptSession;
  readonly directory: string;
  /** It ends when this settles. */
  readonly interrupted: Promise<unknown>;
  /** Called when requests are taken. */
  listening(): void;
}

/**
 * Serves requests, one a connection, until one says that the lab is to go down, or it is interrupted. Closes the
 * session.
 * @throws Error (rejects) where another lab is up, or this one ends by itself
 */
export async function keep({ session, directory, interrupted, listening }: KeeperOptions): Promise<void> {
  const upSince = new Date().toISOString();
  let goDown: (why: 'down') => void = () => {};
  const down = new Promise<'down'>((resolve) => {
    goDown = resolve;
  });
  const sockets = new Set<Socket>();
  const leaving = new Set<Socket>();
  const answering = new Set<Promise<void>>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {}); // who has gone hears nothing more
    const lines = createInterface({ input: socket });
    lines.on('error', () => {}); // the socket's
    lines.once('line', (line) => {
      const answered: Promise<void> = answer(socket, line).finally(() => answering.delete(answered));
      answering.add(answered);
    });
  });
  const answer = async (socket: Socket, line: string): Promise<void> => {
    const request = requestIn(line);
    switch (request?.ask) {
      case 'down':
        leaving.add(socket);
        return goDown('down');
      case 'status': {
        const { network, pageUrl, isBusy } = session;
        const status = { network, pageUrl, upSince, pid: process.pid, directory, isRunning: isBusy };
        return socketSays(socket, { say: 'status', status });
      }
      case 'run': {
        const tell = (event: LabEvent): void => void socket.write(lineOf({ say: 'event', event }));
        const end = await session.run(request.options, tell).then(
          (): KeeperReply => ({ say: 'done' }),
          (error: unknown): KeeperReply => ({ say: 'failed', reason: errorLine(error) }),
        );
        return socketSays(socket, end);
      }
      default:
        return socketSays(socket, { say: 'failed', reason: 'the lab that is up does not know this request' });
    }
  };
  try {
    await listen(server);
    listening();
    const why = await Promise.race([down, session.ended, interrupted.then(() => 'down')]);
    if (why !== 'down') throw new Error(why);
  } finally {
    await session.close();
    await Promise.all(answering); // who waits for a run is told what became of it
    for (const socket of leaving) socketSays(socket, { say: 'done' });
    server.close();
    for (const socket of sockets) socket.destroySoon();
  }
}

/** The last that it hears. */
function socketSays(socket: Socket, reply: KeeperReply): void {
  socket.end(lineOf(reply));
}

function lineOf(message: KeeperRequest | KeeperReply): string {
  return `${JSON.stringify(message)}\n`;
}

/** Undefined: it is none. */
function requestIn(line: string): KeeperRequest | undefined {
  return (parsed(line) ?? undefined) as KeeperRequest | undefined;
}

/** Undefined where it is no JSON, as the rest of a line that was never finished. */
function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/**
 * Asks the keeper. Resolves with its last reply when it has said all; undefined: no lab is up.
 * @param listener of events that come before
 * @param signal asks no longer; what runs goes on
 */
export function askKeeper(
  request: KeeperRequest,
  listener: (event: LabEvent) => void = () => {},
  signal?: AbortSignal,
): Promise<KeeperReply | undefined> {
  return new Promise((resolve) => {
    const socket = createConnection(socketPath());
    let last: KeeperReply | undefined;
    signal?.addEventListener('abort', () => socket.destroy());
    socket.on('connect', () => socket.write(lineOf(request)));
    socket.on('error', () => resolve(undefined));
    const lines = createInterface({ input: socket });
    socket.on('close', () => lines.close()); // which notices the other's end alone
    lines.on('error', () => {}); // the socket's, which has its own listener
    lines.on('line', (line) => {
      const reply = parsed(line) as KeeperReply | undefined;
      if (reply?.say === 'event') listener(reply.event);
      else last = reply;
    });
    lines.on('close', () => resolve(last ?? { say: 'failed', reason: 'the lab ended' }));
  });
}

/** Undefined: no lab is up. */
export async function keeperStatus(): Promise<KeeperStatus | undefined> {
  const reply = await askKeeper({ ask: 'status' });
  return reply?.say === 'status' ? reply.status : undefined;
}

function socketPath(): string {
  // Windows has pipes in place of sockets in the file system.
  return platform() === 'win32'
    ? `\\\\.\\pipe\\causeway-lab-${userInfo().username}`
    : join(labHome(), 'control');
}

/** A socket that nobody listens on is what a killed keeper has left. */
async function listen(server: Server): Promise<void> {
  const path = socketPath();
  if (await askKeeper({ ask: 'status' })) throw new Error('a lab is up already');
  if (platform() !== 'win32') rmSync(path, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
}
