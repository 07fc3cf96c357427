/**
 * A media engine between two sides of a network: Causeway, or rtpengine with
 * CAUSEWAY_INTEROP_B2BUA=rtpengine, which shows that a test is right when it fails on Causeway.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { B2BUA_KIND, DEBIAN_PYTHON, ENGINE, PROJECT_DIRECTORY, waitUntilReady } from '../harness.ts';
import { type BackgroundProcess, describeEnd, run, startBackground, tail } from '../processes.ts';
import type { Network, NodePlace } from './network.ts';

/** Of the engine's ng socket, in its namespace. */
export const NG_ADDRESS = '127.0.0.1:2223';

/** The appliance's media ports, which are the example's. */
export const MEDIA_PORTS: readonly [first: number, last: number] = [36_000, 59_999];

/** Shared ports of the inner side of an edge (Causeway alone has them). */
export const MULTIPLEXED_PORTS: readonly [number, number] = [2776, 2777];

/** The configuration that users are given; its addresses are those of a network with one media node. */
const EXAMPLE_FILE = join(PROJECT_DIRECTORY, 'examples/causeway.yaml');

/** Settings of the zones `external` and `internal`. */
const ZONES: Readonly<Record<Exclude<EngineRole, 'example'>, readonly [external: object, internal: object]>> =
  {
    b2bua: [{ mediaEncryption: 'force', aesGcm: true }, { mediaEncryption: 'off' }],
    auto: [
      { mediaEncryption: 'auto', aesGcm: true },
      { mediaEncryption: 'auto', aesGcm: true },
    ],
    edge: [{ media: 'relay' }, { media: 'relay', multiplexedPorts: MULTIPLEXED_PORTS }],
  };

const NG_TIMEOUT_MS = 10_000;

/**
 * `b2bua` terminates SRTP: forced outside, off inside; `example` does so as examples/causeway.yaml has it. `auto`
 * leaves that to the flags of each command. `edge` passes packets as they are, inwards on shared ports.
 */
export type EngineRole = 'example' | 'b2bua' | 'auto' | 'edge';

export interface MediaEngine {
  /** The reply to an ng command. */
  ask(dictionary: Readonly<Record<string, unknown>>): Promise<Readonly<Record<string, unknown>>>;
  /** Call-IDs of all its calls. */
  callIds(): Promise<readonly string[]>;
  /** Media ports of its namespace that are bound. */
  boundPorts(): Promise<readonly number[]>;
  log(): string;
  /** @throws Error when it had died, or does not end with exit code 0 */
  stop(): Promise<void>;
}

/**
 * Starts the engine of a node, with the zones `external` and `internal`, and waits until it answers.
 * @param directory for its files; no other engine may have it
 */
export async function startMediaEngine(
  network: Network,
  place: NodePlace,
  role: EngineRole,
  directory: string,
): Promise<MediaEngine> {
  const start = B2BUA_KIND === 'causeway' ? startCauseway : startRtpengine;
  const server = await start(network, place, directory, role);
  const ask: MediaEngine['ask'] = async (dictionary) => {
    const [command, ...args] = network.within(place.name);
    const tool = [DEBIAN_PYTHON, join(import.meta.dirname, 'ng.py'), NG_ADDRESS, JSON.stringify(dictionary)];
    const result = await run(command, [...args, ...tool], NG_TIMEOUT_MS);
    if (result.exitCode !== 0)
      throw new Error(`ng on ${place.name}: ${result.output}\n${tail(server.output(), 40)}`);
    return JSON.parse(result.output) as Record<string, unknown>;
  };
  await waitUntilReady(server, () =>
    ask({ command: 'ping' }).then(
      (reply) => reply.result === 'pong',
      () => false,
    ),
  );
  return {
    ask,
    async callIds() {
      return (await ask({ command: 'list', limit: 1000 })).calls as readonly string[];
    },
    async boundPorts() {
      const [first, last] = MEDIA_PORTS;
      return (await network.udpPorts(place.name)).filter((port) => port >= first && port <= last);
    },
    log: server.output,
    async stop() {
      const end = await server.stop();
      if (end.exitCode !== 0)
        throw new Error(`${place.name}: ${describeEnd(end)}\n${tail(server.output(), 60)}`);
    },
  };
}

async function startCauseway(
  network: Network,
  place: NodePlace,
  directory: string,
  role: EngineRole,
): Promise<BackgroundProcess> {
  const file = join(directory, 'causeway.yaml');
  const text =
    role === 'example' ? await exampleText() : JSON.stringify(settings(place, directory, role), null, 2);
  await writeFile(file, text);
  const [command, ...args] = network.within(place.name);
  const program = join(PROJECT_DIRECTORY, 'dist/main.js');
  return startBackground(command, [...args, process.execPath, program, 'serve', '-c', file], {
    workingDirectory: directory,
  });
}

/** The example as it is, with the engine that the suite is to run on. */
async function exampleText(): Promise<string> {
  return (await readFile(EXAMPLE_FILE, 'utf8')).replace(/^node:$/m, `node:\n  engine: ${ENGINE}`);
}

function settings(place: NodePlace, directory: string, role: keyof typeof ZONES): object {
  const [external, internal] = ZONES[role];
  const zones = [
    { id: 1, name: 'external', kind: 'traversal', address: place.outerAddress, ...external },
    { id: 2, name: 'internal', kind: 'neighbor', address: place.innerAddress, ...internal },
  ];
  return {
    node: {
      name: place.name,
      engine: ENGINE,
      stateDirectory: join(directory, 'state'),
      log: { level: 'info', format: 'json' },
    },
    turn: { services: false },
    b2bua: { ng: NG_ADDRESS, mediaPorts: MEDIA_PORTS, zones },
    admin: { http: '127.0.0.1:8080' },
  };
}

/** It knows no zones: what a leg is offered is up to the proxy's flags. */
async function startRtpengine(
  network: Network,
  place: NodePlace,
  directory: string,
): Promise<BackgroundProcess> {
  const [command, ...args] = network.within(place.name);
  return startBackground(command, [
    ...args,
    ...['rtpengine', '--foreground', '--log-stderr', '--log-level=6', '--table=-1', '--num-threads=2'],
    ...[`--interface=external/${place.outerAddress}`, `--interface=internal/${place.innerAddress}`],
    ...[`--listen-ng=${NG_ADDRESS}`, `--port-min=${MEDIA_PORTS[0]}`, `--port-max=${MEDIA_PORTS[1]}`],
    ...[`--pidfile=${join(directory, 'rtpengine.pid')}`, '--delete-delay=0'],
  ]);
}
