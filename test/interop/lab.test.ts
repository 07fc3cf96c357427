/**
 * The lab's `turn-clients`: the same clients from behind NATs, in network namespaces.
 * The lab lies beside the checkout (CAUSEWAY_SHARED, else ../shared) and needs root. Where it
 * cannot run it is skipped with its reason; on CI (CI=true) that is a failure.
 */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PROJECT_DIRECTORY, SERVER_KIND } from './harness.ts';
import { describeEnd, type FinishedRun, run, tail } from './processes.ts';

const LAB_TIMEOUT_MS = 80_000;

const shared = process.env.CAUSEWAY_SHARED ?? resolve(PROJECT_DIRECTORY, '../shared');
const turnClients = join(shared, 'lab/turn-clients');
const whyNot = !existsSync(turnClients)
  ? `no lab at ${turnClients}`
  : process.getuid?.() !== 0
    ? 'network namespaces need root'
    : undefined;
const title = whyNot === undefined ? 'lab, through NATs' : `lab, through NATs (${whyNot})`;

describe.skipIf(whyNot !== undefined && process.env.CI !== 'true')(title, () => {
  let output: string;

  beforeAll(async () => {
    expect(whyNot, 'the lab must be able to run on CI').toBeUndefined();
    output = await mkdtemp(join(tmpdir(), 'causeway-lab-output-'));
    // turn-clients takes playwright-core from here, and would install it again otherwise.
    await mkdir(join(output, 'npm'));
    await symlink(join(PROJECT_DIRECTORY, 'node_modules'), join(output, 'npm/node_modules'));
  });
  afterAll(async () => {
    if (output !== undefined) await rm(output, { recursive: true, force: true });
  });

  it.each([
    ['uclient', 'turnutils_uclient over UDP, TCP and TLS from behind a symmetric NAT'],
    ['probe', 'a wrong password is refused with 401, a peer in the corporate network with 403'],
    ['aioice', 'aioice in two homes over UDP, TCP and TLS'],
    ['chromium', 'Chromium over UDP, and over TCP and TLS where the NAT blocks UDP'],
  ])('%s: %s', async (clients) => {
    const result = await runLab(clients, output);
    expect(result.exitCode, await explainLab(result, output)).toBe(0);
    expect(result.output).toContain('PASS turn-clients');
  });
});

function runLab(clients: string, output: string): Promise<FinishedRun> {
  const launcher = join(import.meta.dirname, 'lab-turn.mjs');
  const causeway = {
    TURN_ADDR: '198.51.100.10:3478',
    // The lab hands this to a shell.
    TURN_CMD: `'${process.execPath}' '${launcher}'`,
  };
  return run(turnClients, [clients], LAB_TIMEOUT_MS, {
    environment: { LAB_OUT: output, ...(SERVER_KIND === 'causeway' ? causeway : {}) },
    workingDirectory: PROJECT_DIRECTORY,
  });
}

async function explainLab(result: FinishedRun, output: string): Promise<string> {
  const log = await run('tail', ['-n', '40', join(output, 'turn-clients/turn.log')], 5_000);
  return [
    `turn-clients: ${result.timedOut ? 'timed out' : describeEnd(result)}`,
    tail(result.output, 60),
    `--- log of the server (${SERVER_KIND})`,
    log.output,
  ].join('\n');
}
