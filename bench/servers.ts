/** Starts the servers that are compared, each on ports of its own, pinned to the same CPU. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { openSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

export type ServerName = 'coturn' | 'causeway' | 'forwarder';

export interface Server {
  readonly name: ServerName;
  readonly pid: number;
  readonly port: number;
  /** How it was started, for the report. */
  readonly command: string;
  stop(): Promise<void>;
}

export interface ServerOptions {
  /** Long-term credentials `alice:secret`, or none. */
  readonly authentication: boolean;
  /** Relay ports of Causeway; coturn's are those of the recorded command line. */
  readonly relayPorts: readonly [first: number, last: number];
  /** Where configuration and logs go. */
  readonly directory: string;
}

/** Outside every range of relay ports, like those of Causeway's other services below. */
const PORTS: Readonly<Record<ServerName, number>> = { coturn: 8478, causeway: 8479, forwarder: 8480 };
const REALM = 'TANDBERG';
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

/** @throws Error, with the end of the server's log, if it does not answer in time. */
export async function startServer(name: ServerName, options: ServerOptions): Promise<Server> {
  const command = pinned('server', COMMANDS[name](options));
  const log = join(options.directory, `${name}.log`);
  const output = openSync(log, 'w');
  const child = spawn(command[0] as string, command.slice(1), { stdio: ['ignore', output, output] });
  const port = PORTS[name];
  try {
    await untilReady(child, port);
  } catch (error) {
    child.kill('SIGKILL');
    throw new Error(`${name}: ${(error as Error).message}\n${readFileSync(log, 'utf8').slice(-2000)}`);
  }
  // `taskset` becomes the server: it keeps the process id.
  return { name, pid: child.pid as number, port, command: command.join(' '), stop: () => stop(child) };
}

const COMMANDS: Readonly<Record<ServerName, (options: ServerOptions) => string[]>> = {
  coturn: ({ authentication, directory }) => [
    'turnserver',
    '-n',
    ...(authentication ? ['--lt-cred-mech', '--user', 'alice:secret', '--realm', REALM] : ['--no-auth']),
    ...'--allow-loopback-peers --listening-ip 127.0.0.1 --relay-ip 127.0.0.1'.split(' '),
    ...'--no-cli --no-tls --no-dtls --min-port 24000 --max-port 29999'.split(' '),
    ...['--listening-port', String(PORTS.coturn)],
    ...['--pidfile', join(directory, 'coturn.pid'), '--log-file', join(directory, 'coturn-own.log')],
  ],
  causeway: (options) => {
    const file = join(options.directory, 'causeway.yaml');
    writeFileSync(file, causewayConfiguration(options));
    return [process.execPath, 'dist/main.js', 'serve', '-c', file];
  },
  forwarder: ({ directory }) => {
    const binary = join(directory, 'forwarder');
    execFileSync('cc', ['-O2', '-o', binary, 'bench/forwarder.c']);
    return [binary, String(PORTS.forwarder), 'batch'];
  },
};

/** JSON is YAML. The limits are opened: every allocation comes from one user on one address. */
function causewayConfiguration({ authentication, directory, relayPorts }: ServerOptions): string {
  const unlimited = 100_000;
  return JSON.stringify({
    node: {
      workers: 1,
      engine: 'batch',
      stateDirectory: join(directory, 'state'),
      log: { level: 'warn', format: 'json' },
    },
    turn: {
      listenAddresses: ['127.0.0.1'],
      relayAddresses: ['127.0.0.1'],
      requestsPort: PORTS.causeway,
      protocolMode: 'udp',
      realm: REALM,
      authentication,
      credentials: authentication ? [{ name: 'alice', password: 'secret' }] : [],
      mediaPorts: relayPorts,
      peers: { allow: ['127.0.0.0/8'] },
      limits: {
        relays: relayPorts[1] - relayPorts[0] + 1,
        relaysPerUser: unlimited,
        relaysPerAddress: unlimited,
        unauthenticatedRepliesPerSecond: unlimited,
      },
    },
    b2bua: { ng: '127.0.0.1:8482' },
    admin: { http: '127.0.0.1:8481' },
  });
}

/** Asks with Binding requests until one is answered. */
async function untilReady(child: ChildProcess, port: number): Promise<void> {
  const request = Buffer.from('000100002112a442636175736577617962656e63', 'hex');
  const socket = createSocket('udp4');
  // Nothing listens yet: asked again.
  socket.on('error', () => {});
  const answered = once(socket, 'message').then(() => true);
  try {
    for (let waitedMs = 0; waitedMs < READY_MS_MAX; waitedMs += PROBE_MS) {
      if (child.exitCode !== null) throw new Error(`it ended with exit code ${child.exitCode}`);
      socket.send(request, port, '127.0.0.1');
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
