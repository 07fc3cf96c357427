/** A media plane, or a TURN server, that is not the lab's own: what a scenario points at, and perhaps starts. */
import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { endProcess } from '../end-process.ts';
import type { LabNetwork } from '../network/network.ts';
import type { Scenario } from '../scenario/scenario.ts';
import type { Hop, MediaPlane, Side, TurnService } from './media-plane.ts';
import { httpNgClient, type NgClient, udpNgClient } from './ng-client.ts';

const START_MS_MAX = 10_000;
const STOP_MS_MAX = 3000;
const POLL_MS = 200;

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
  const started: ChildProcess[] = [];
  const start = (name: string, command: readonly string[] | undefined): void => {
    const [program, ...args] = command ?? [];
    if (program === undefined) return;
    const log = openSync(join(directory, `${name}.log`), 'a');
    started.push(network.startCommand('edge', program, args, { stdio: ['ignore', log, log] }));
    closeSync(log);
  };
  const stop = async (): Promise<void> => {
    await Promise.all(started.map((child) => endProcess(child, STOP_MS_MAX)));
  };
  const { mediaPlane, turn } = scenario;
  start('media-plane', mediaPlane?.command);
  start('turn-server', turn?.command);
  try {
    const client = mediaPlane && (await clientOf(mediaPlane, directory));
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
async function clientOf({ ng, token }: PlaneSettings, directory: string): Promise<NgClient> {
  const client = ng.startsWith('udp:') ? udpClient(ng) : httpNgClient(ng, token);
  const deadlineMs = performance.now() + START_MS_MAX;
  for (;;) {
    const reply = await client.command({ command: 'ping' }).catch(() => undefined);
    if (reply?.result === 'pong') return client;
    if (performance.now() > deadlineMs) {
      const log = await readFile(join(directory, 'media-plane.log'), 'utf8').catch(() => '');
      throw new Error(`no answer to ng ping at ${ng} ${log.trimEnd().split('\n').slice(-3).join(' | ')}`);
    }
    await delay(POLL_MS);
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
