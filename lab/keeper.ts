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
  readonly directory: string;
  readonly isRunning: boolean;
}

export type KeeperReply =
  | { readonly say: 'event'; readonly event: LabEvent }
  | { readonly say: 'status'; readonly status: KeeperStatus }
  | { readonly say: 'done' }
  | { readonly say: 'failed'; readonly reason: string };

/**
 * Serves requests until one says that the lab is to go down, the lab ends by itself, or `interrupted` settles.
 * @param listening called when requests are taken
 */
export async function keep(
  session: LabSession,
  directory: string,
  interrupted: Promise<unknown>,
  listening: () => void,
): Promise<void> {
  const upSince = new Date().toISOString();
  let isRunning = false;
  let goDown: () => void = () => {};
  const down = new Promise<void>((resolve) => {
    goDown = resolve;
  });
  const leaving: Socket[] = [];
  const server = createServer((socket) => {
    const say = (reply: KeeperReply): void => void socket.write(`${JSON.stringify(reply)}\n`);
    socket.on('error', () => {});
    const lines = createInterface({ input: socket });
    lines.on('error', () => {}); // the socket's
    lines.on('line', (line) => void answer(JSON.parse(line) as KeeperRequest));
    const answer = async (request: KeeperRequest): Promise<void> => {
      if (request.ask === 'down') {
        leaving.push(socket);
        return goDown();
      }
      if (request.ask === 'status') {
        const { network, pageUrl } = session;
        say({ say: 'status', status: { network, pageUrl, upSince, directory, isRunning } });
        return void socket.end();
      }
      isRunning = true;
      try {
        await session.run(request.options, (event) => say({ say: 'event', event }));
        say({ say: 'done' });
      } catch (error) {
        say({ say: 'failed', reason: error instanceof Error ? error.message : String(error) });
      } finally {
        isRunning = false;
        socket.end();
      }
    };
  });
  await listen(server);
  listening();
  await Promise.race([down, session.ended, interrupted]);
  await session.close();
  for (const socket of leaving) socket.end(`${JSON.stringify({ say: 'done' } satisfies KeeperReply)}\n`);
  server.close();
}

/**
 * Asks the keeper. Resolves with its last reply when it has said all; undefined: no lab is up.
 * @param listener of events that come before
 */
export function askKeeper(
  request: KeeperRequest,
  listener: (event: LabEvent) => void = () => {},
): Promise<KeeperReply | undefined> {
  return new Promise((resolve) => {
    const socket = createConnection(socketPath());
    let last: KeeperReply | undefined;
    socket.on('connect', () => socket.write(`${JSON.stringify(request)}\n`));
    socket.on('error', () => resolve(undefined));
    const lines = createInterface({ input: socket });
    lines.on('error', () => {}); // the socket's, which has its own listener
    lines.on('line', (line) => {
      const reply = JSON.parse(line) as KeeperReply;
      if (reply.say === 'event') listener(reply.event);
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
