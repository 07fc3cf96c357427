/** Starts the servers that are compared, pinned to the same CPU, and ends them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { openSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

export interface Server {
  readonly name: string;
  readonly pid: number;
  readonly port: number;
  /** How it was started, for the report. */
  readonly command: string;
  stop(): Promise<void>;
}

/** How to start a server on loopback, and how to tell that it is there. */
export interface Launch {
  readonly name: string;
  readonly command: readonly string[];
  readonly port: number;
  /** A datagram to its port that it answers as soon as it is ready. */
  readonly probe: Uint8Array;
  /** Where its log goes. */
  readonly directory: string;
}

const READY_MS_MAX = 10_000;
const PROBE_MS = 100;
const STOP_MS_MAX = 5_000;
/** The server's CPU, and the generator's. Without two there is nothing to pin. */
const SERVER_CPU = 1;
const GENERATOR_CPU = 0;

/** Puts `taskset` before a command where the machine has CPUs to choose from. */
export function pinned(part: 'server' | 'generator', command: readonly string[]): string[] {
  if (availableParallelism() < 2) return [...command];
  return ['taskset', '-c', String(part === 'server' ? SERVER_CPU : GENERATOR_CPU), ...command];
}

/** Starts servers one after the other, and ends them whatever happens. */
export async function withServers(
  launches: readonly Launch[],
  body: (servers: readonly Server[]) => Promise<void>,
): Promise<void> {
  const servers: Server[] = [];
  try {
    for (const launch of launches) servers.push(await start(launch));
    await body(servers);
  } finally {
    for (const server of servers) await server.stop();
  }
}

/** @throws Error, with the end of the server's log, if it does not answer in time. */
async function start({ command, directory, name, port, probe }: Launch): Promise<Server> {
  const words = pinned('server', command);
  const log = join(directory, `${name}.log`);
  const output = openSync(log, 'w');
  const child = spawn(words[0] as string, words.slice(1), { stdio: ['ignore', output, output] });
  try {
    await untilReady(child, port, probe);
  } catch (error) {
    child.kill('SIGKILL');
    throw new Error(`${name}: ${(error as Error).message}\n${readFileSync(log, 'utf8').slice(-2000)}`);
  }
  // `taskset` becomes the server: it keeps the process id.
  return { name, pid: child.pid as number, port, command: words.join(' '), stop: () => stop(child) };
}

async function untilReady(child: ChildProcess, port: number, probe: Uint8Array): Promise<void> {
  const socket = createSocket('udp4');
  // Nothing listens yet: asked again.
  socket.on('error', () => {});
  const answered = once(socket, 'message').then(() => true);
  try {
    for (let waitedMs = 0; waitedMs < READY_MS_MAX; waitedMs += PROBE_MS) {
      if (child.exitCode !== null) throw new Error(`it ended with exit code ${child.exitCode}`);
      socket.send(probe, port, '127.0.0.1');
      if (await Promise.race([answered, after(PROBE_MS)])) return;
    }
  } finally {
    socket.close();
  }
  throw new Error(`no answer on port ${port} within ${READY_MS_MAX / 1000} s`);
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit').then(() => true);
  child.kill('SIGTERM');
  if (await Promise.race([exited, after(STOP_MS_MAX)])) return;
  child.kill('SIGKILL');
  await exited;
}

function after(ms: number): Promise<false> {
  return new Promise((resolve) => {
    setTimeout(() => resolve(false), ms);
  });
}
