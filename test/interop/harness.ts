/**
 * The server under test for the interop suite: Causeway, or coturn with
 * CAUSEWAY_INTEROP_SERVER=coturn, which shows that a test is right when it fails on Causeway.
 * Real clients run against it over loopback, each bounded in time.
 */
import { createSocket } from 'node:dgram';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type CertificateFiles, makeCertificates } from './certificates.ts';
import { freePort } from './ports.ts';
import {
  type BackgroundProcess,
  describeEnd,
  type FinishedRun,
  type ProcessEnd,
  startBackground,
  tail,
} from './processes.ts';

/** Root of the project's checkout. */
export const PROJECT_DIRECTORY: string = resolve(import.meta.dirname, '../..');

/** Which server the suite runs against (CAUSEWAY_INTEROP_SERVER). */
export const SERVER_KIND: 'causeway' | 'coturn' = choice('CAUSEWAY_INTEROP_SERVER', ['causeway', 'coturn']);

/** Which media engine calls go through (CAUSEWAY_INTEROP_B2BUA); rtpengine shows that a test is right. */
export const B2BUA_KIND: 'causeway' | 'rtpengine' = choice('CAUSEWAY_INTEROP_B2BUA', [
  'causeway',
  'rtpengine',
]);

/** Causeway's engine (CAUSEWAY_INTEROP_ENGINE); coturn takes no notice of it. */
export const ENGINE: 'auto' | 'batch' | 'dgram' = choice('CAUSEWAY_INTEROP_ENGINE', [
  'auto',
  'batch',
  'dgram',
]);

/** Debian's Python: the python3-* packages are there, not in whichever Python comes first in PATH. */
export const DEBIAN_PYTHON = '/usr/bin/python3';

const REALM = 'causeway.example';
const USER = 'alice';
const PASSWORD = 'correct horse';

/** Relay ports of the server under test: enough for the suite, below the ports of clients. */
const RELAY_PORTS: readonly [number, number] = [24_000, 25_999];

const READY_TIMEOUT_MS = 20_000;
const READY_POLL_MS = 50;

/** A STUN Binding request (RFC 8489 §5) without attributes. */
const BINDING_REQUEST = Buffer.from('000100002112a442000102030405060708090a0b', 'hex');

export interface ServerSettings {
  /** Time-limited credentials by this secret instead of the user and password. */
  readonly sharedSecret?: string;
}

/** A TURN server on 127.0.0.1 and ::1 that relays on both. */
export interface TurnServer {
  /** UDP and TCP. */
  readonly port: number;
  readonly tlsPort: number;
  readonly user: string;
  readonly password: string;
  /** PEM file of the authority that signed the server's certificate. */
  readonly authorityFile: string;
  /** A folder for files of the test; removed by `stop()`. */
  readonly directory: string;
  /** What the server has logged so far. */
  log(): string;
  /**
   * Ends it with SIGTERM and removes its files.
   * @throws Error when it had died, does not end in time, or ends with an exit code other than 0
   */
  stop(): Promise<void>;
}

/**
 * Starts the server under test and waits until it serves.
 * @throws Error with the server's log when it ends or does not serve within 20 s
 */
export async function startServer(settings: ServerSettings = {}): Promise<TurnServer> {
  const directory = await mkdtemp(join(tmpdir(), 'causeway-interop-'));
  const certificates = await makeCertificates(directory);
  const [port, tlsPort, adminPort, ngPort] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ];
  const plan: ServerPlan = { settings, directory, certificates, port, tlsPort, adminPort, ngPort };
  const server = SERVER_KIND === 'coturn' ? startCoturn(plan) : await startCauseway(plan);
  const isReady =
    SERVER_KIND === 'coturn' ? () => answersDatagram('127.0.0.1', port) : () => answersHealthCheck(adminPort);
  try {
    await waitUntilReady(server, isReady);
  } catch (error) {
    // What matters is why it did not start, not how it ends.
    if (server.end() === undefined) await server.stop().catch(() => undefined);
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
  return {
    port,
    tlsPort,
    user: USER,
    password: PASSWORD,
    authorityFile: certificates.authority,
    directory,
    log: server.output,
    async stop(): Promise<void> {
      try {
        const end = await server.stop();
        if (!endedCleanly(end)) throw new Error(`after SIGTERM: ${describeEnd(end)}`);
      } catch (error) {
        throw new Error(`${String(error)}\n--- server log\n${tail(server.output(), 60)}`);
      } finally {
        await rm(directory, { recursive: true, force: true });
      }
    },
  };
}

/** What to read when a client's run was not as expected: the command, its output, the server's log. */
export function explain(client: FinishedRun, server: TurnServer): string {
  const end = client.timedOut ? 'timed out' : describeEnd(client);
  return [
    `${client.commandLine}: ${end}`,
    tail(client.output, 60),
    `--- log of the server (${SERVER_KIND})`,
    tail(server.log(), 40),
  ].join('\n');
}

/**
 * Waits until `isReady` says so, asking again every 50 ms.
 * @throws Error with the process's output when it ends first or is not ready within 20 s
 */
export async function waitUntilReady(
  server: BackgroundProcess,
  isReady: () => Promise<boolean>,
): Promise<void> {
  const deadlineMs = Date.now() + READY_TIMEOUT_MS;
  while (!(await isReady())) {
    const end = server.end();
    const reason =
      end !== undefined
        ? describeEnd(end)
        : Date.now() > deadlineMs
          ? `not ready after ${READY_TIMEOUT_MS} ms`
          : undefined;
    if (reason !== undefined) {
      throw new Error(`${server.commandLine}: ${reason}\n--- its output\n${tail(server.output(), 60)}`);
    }
    await delay(READY_POLL_MS);
  }
}

/** Whether anything comes back within 50 ms for a STUN Binding request over UDP. */
export function answersDatagram(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    const finish = (answered: boolean): void => {
      clearTimeout(timer);
      socket.close(() => resolve(answered));
    };
    const timer = setTimeout(finish, READY_POLL_MS, false);
    socket.once('message', () => finish(true));
    socket.once('error', () => finish(false));
    socket.connect(port, address, () => socket.send(BINDING_REQUEST));
  });
}

interface ServerPlan {
  readonly settings: ServerSettings;
  readonly directory: string;
  readonly certificates: CertificateFiles;
  readonly port: number;
  readonly tlsPort: number;
  readonly adminPort: number;
  readonly ngPort: number;
}

async function startCauseway(plan: ServerPlan): Promise<BackgroundProcess> {
  const { settings, directory, certificates } = plan;
  const configuration = {
    node: {
      engine: ENGINE,
      stateDirectory: join(directory, 'state'),
      log: { level: 'info', format: 'json' },
    },
    turn: {
      listenAddresses: ['127.0.0.1', '::1'],
      requestsPort: plan.port,
      tls: { port: plan.tlsPort, certificate: certificates.certificate, key: certificates.key },
      realm: REALM,
      mediaPorts: RELAY_PORTS,
      ...(settings.sharedSecret === undefined
        ? { credentials: [{ name: USER, password: PASSWORD }] }
        : { sharedSecret: settings.sharedSecret }),
      // Loopback peers are refused by default; here everything is on loopback.
      peers: { allow: ['127.0.0.0/8', '::1/128'] },
      // All clients of the suite share one address and one user, each begins with a 401, and
      // turnutils_uclient leaves its allocations to expire.
      limits: { unauthenticatedRepliesPerSecond: 10_000, relaysPerUser: 2_000, relaysPerAddress: 2_000 },
    },
    b2bua: { ng: `127.0.0.1:${plan.ngPort}` },
    admin: { http: `127.0.0.1:${plan.adminPort}` },
  };
  const file = join(directory, 'causeway.yaml');
  // JSON is YAML, and needs no quoting rules here.
  await writeFile(file, JSON.stringify(configuration, null, 2));
  return startBackground(process.execPath, [join(PROJECT_DIRECTORY, 'dist/main.js'), 'serve', '-c', file], {
    workingDirectory: directory,
  });
}

function startCoturn(plan: ServerPlan): BackgroundProcess {
  const { settings, directory, certificates } = plan;
  const credentials =
    settings.sharedSecret === undefined
      ? ['--lt-cred-mech', `--user=${USER}:${PASSWORD}`]
      : ['--use-auth-secret', `--static-auth-secret=${settings.sharedSecret}`];
  return startBackground(
    'turnserver',
    [
      ...[
        '-n',
        '--no-cli',
        '--no-dtls',
        '--no-rfc5780',
        '--log-file=stdout',
        '--simple-log',
        '--fingerprint',
      ],
      ...['--listening-ip=127.0.0.1', '--listening-ip=::1', '--relay-ip=127.0.0.1', '--relay-ip=::1'],
      ...[`--listening-port=${plan.port}`, `--tls-listening-port=${plan.tlsPort}`],
      ...[`--cert=${certificates.certificate}`, `--pkey=${certificates.key}`],
      ...[`--min-port=${RELAY_PORTS[0]}`, `--max-port=${RELAY_PORTS[1]}`, '--allow-loopback-peers'],
      ...[`--realm=${REALM}`, ...credentials],
      ...[`--pidfile=${join(directory, 'turnserver.pid')}`, `--userdb=${join(directory, 'turnserver.db')}`],
    ],
    { workingDirectory: directory },
  );
}

async function answersHealthCheck(adminPort: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${adminPort}/healthz`, {
      signal: AbortSignal.timeout(READY_TIMEOUT_MS),
    });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false; // not listening yet
  }
}

/** Causeway ends with exit code 0; coturn dies of the signal. */
function endedCleanly(end: ProcessEnd): boolean {
  return end.exitCode === 0 || (SERVER_KIND === 'coturn' && end.signal === 'SIGTERM');
}

/** The value of an environment variable that must be one of `allowed`; the first when it is not set. */
function choice<T extends string>(name: string, allowed: readonly [T, ...T[]]): T {
  const value = process.env[name];
  if (value === undefined || value === '') return allowed[0];
  const chosen = allowed.find((one) => one === value);
  if (chosen === undefined) throw new Error(`${name} must be one of ${allowed.join(', ')}: got ${value}`);
  return chosen;
}
