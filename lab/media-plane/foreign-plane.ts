/** A media plane, or a TURN server, that is not the lab's own: what a scenario points at, and perhaps starts. */
import type { ChildProcess } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { endProcess } from '../end-process.ts';
import type { LabNetwork } from '../network/network.ts';
import { startWithLog } from '../run-directory.ts';
import type { Scenario } from '../scenario/scenario.ts';
import type { Hop, MediaPlane, Side, TurnService } from './media-plane.ts';
import { httpNgClient, type NgClient, udpNgClient } from './ng-client.ts';

const START_MS_MAX = 10_000;
const STOP_MS_MAX = 3000;
const POLL_MS = 200;
const LOG_LINES = 3;

/**
 * Starts what the scenario says is to be started.
 * @param own the lab's, for what the scenario does not replace
 * @throws Error (rejects) with one line
 */
export async function startForeignPlane(
  scenario: Scenario,
  network: LabNetwork,
  directory: string,
  own: MediaPlane | undefined,
): Promise<MediaPlane> {
  const { mediaPlane, turn } = scenario;
  const programs = new ForeignPrograms(network, directory);
  const stop = (): Promise<void> => programs.stop();
  try {
    programs.start('media-plane', mediaPlane?.command);
    programs.start('turn-server', turn?.command);
    const client = mediaPlane && (await clientOf(mediaPlane, programs));
    const service = turn ? { ...turn, server: serverOf(turn.server) } : own?.turn;
    if (!service)
      throw new Error('a scenario with another media plane must say what its TURN server is (turn)');
    return {
      name: [mediaPlane ? `ng at ${mediaPlane.ng}` : own?.name, turn ? `TURN at ${turn.server}` : '']
        .filter(Boolean)
        .join(', '),
      turn: service,
      hops: (caller, callee) =>
        mediaPlane && client ? [hop(client, mediaPlane, caller, callee)] : (own?.hops(caller, callee) ?? []),
      records: mediaPlane ? undefined : own?.records,
      pages: mediaPlane ? undefined : own?.pages,
      faults: undefined,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

type PlaneSettings = NonNullable<Scenario['mediaPlane']>;

function hop(
  client: NgClient,
  { directions, offer = {}, answer = {} }: PlaneSettings,
  caller: Side,
  callee: Side,
): Hop {
  return { client, suffix: '', direction: [directions[caller], directions[callee]], offer, answer };
}

/** A client of the plane, once it answers. */
async function clientOf({ ng, token }: PlaneSettings, programs: ForeignPrograms): Promise<NgClient> {
  const client = ng.startsWith('udp:') ? udpClient(ng) : httpNgClient(ng, token);
  const deadlineMs = performance.now() + START_MS_MAX;
  for (;;) {
    const reply = await client.command({ command: 'ping' }).catch(() => undefined);
    if (reply?.result === 'pong') return client;
    await programs.throwIfFailed();
    if (performance.now() > deadlineMs) {
      throw new Error(`no answer to ng ping at ${ng}${await programs.lastWords('media-plane')}`);
    }
    await delay(POLL_MS);
  }
}

/** What a scenario has started, each with a log of its name. */
class ForeignPrograms {
  readonly #network: LabNetwork;
  readonly #directory: string;
  readonly #started = new Map<string, ChildProcess>();

  constructor(network: LabNetwork, directory: string) {
    this.#network = network;
    this.#directory = directory;
  }

  /** @throws Error where the network carries no commands */
  start(name: string, command: readonly string[] | undefined): void {
    const [program, ...args] = command ?? [];
    if (program === undefined) return;
    const child = startWithLog(this.#directory, name, (log) =>
      this.#network.startCommand('edge', program, args, { stdio: ['ignore', log, log] }),
    );
    child.on('error', () => {}); // throwIfFailed tells
    this.#started.set(name, child);
  }

  /** One that goes on in the background, as a daemon, ends well. */
  async throwIfFailed(): Promise<void> {
    for (const [name, { pid, exitCode, signalCode }] of this.#started) {
      const why = pid === undefined ? 'it cannot be started' : (signalCode ?? exitCode);
      if (why !== null && why !== 0) throw new Error(`${name}: ended (${why})${await this.lastWords(name)}`);
    }
  }

  /** Of its log; '' where it said nothing. */
  async lastWords(name: string): Promise<string> {
    const log = await readFile(join(this.#directory, `${name}.log`), 'utf8').catch(() => '');
    const lines = log.trimEnd().split('\n').slice(-LOG_LINES);
    return lines[0] ? `: ${lines.join(' | ')}` : '';
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#started.values()].map((child) => endProcess(child, STOP_MS_MAX)));
  }
}

function udpClient(ng: string): NgClient {
  const { address, port } = serverOf(ng.slice('udp:'.length));
  return udpNgClient(address, port);
}

function serverOf(text: string): TurnService['server'] {
  const [address = '', port = ''] = text.split(':');
  return { address, port: Number(port) };
}
