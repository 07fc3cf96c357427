/** A media plane that a scenario starts and points at. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startForeignPlane } from '../../../lab/media-plane/foreign-plane.ts';
import type { LabNetwork } from '../../../lab/network/network.ts';
import { loadScenario } from '../../../lab/scenario/read-scenario.ts';
import type { Scenario } from '../../../lab/scenario/scenario.ts';

let directory: string;
let started: ChildProcess[];
/** As many commands as it starts; more, and it throws. */
let carries: number;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'causeway-foreign-'));
  [started, carries] = [[], 2];
});

afterEach(() => {
  for (const child of started) child.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

const network = {
  startCommand: (_, command, args, options) => {
    if (started.length === carries) throw new Error('carries Node programs alone');
    const child = spawn(command, args, { stdio: options?.stdio ?? 'ignore' });
    started.push(child);
    return child;
  },
} as Pick<LabNetwork, 'startCommand'> as LabNetwork;

/** A media plane and a TURN server, each a program of Node. */
function scenario(plane: string, turn: string = 'setInterval(() => {}, 1000)'): Scenario {
  const command = (text: string): string => JSON.stringify([process.execPath, '-e', text]);
  return loadScenario(
    `title: T
mediaPlane: { ng: 'http://127.0.0.1:9/ng', directions: { outside: pub, inside: priv }, command: ${command(plane)} }
turn: { server: '198.51.100.10:3478', username: u, password: p, command: ${command(turn)} }
steps: [{ title: S, calls: [{ from: homeA, to: desk, expect: none }] }]`,
    'test.yaml',
  );
}

function haveEnded(): boolean {
  return started.every(({ exitCode, signalCode }) => exitCode !== null || signalCode !== null);
}

describe('a media plane of others', () => {
  it('that ends at once says why, and the TURN server ends with it', async () => {
    const failing = 'console.error("no such interface: pub"); process.exit(3)';
    const starting = startForeignPlane(scenario(failing), network, directory, undefined);
    await expect(starting).rejects.toThrow('media-plane: ended (3): no such interface: pub');
    expect([started.length, haveEnded()]).toEqual([2, true]);
  });

  it('is ended where its TURN server cannot be started', async () => {
    carries = 1;
    const starting = startForeignPlane(
      scenario('setInterval(() => {}, 1000)'),
      network,
      directory,
      undefined,
    );
    await expect(starting).rejects.toThrow('carries Node programs alone');
    expect([started.length, haveEnded()]).toEqual([1, true]);
  });
});
