/** The lab's `turn-clients`: the same clients from behind NATs, in network namespaces. */
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { PROJECT_DIRECTORY, SERVER_KIND } from './harness.ts';
import { describeInLab, explainLab, runLab } from './lab.ts';

const LAB_TIMEOUT_MS = 80_000;

/** The lab's `turn-clients` takes these; without them it starts coturn. */
const CAUSEWAY = {
  TURN_ADDR: '198.51.100.10:3478',
  // The lab hands this to a shell.
  TURN_CMD: `'${process.execPath}' '${join(import.meta.dirname, 'lab-turn.mjs')}'`,
};

describeInLab('lab, through NATs', () => {
  let output: string;

  beforeAll(async () => {
    output = await mkdtemp(join(tmpdir(), 'causeway-lab-output-'));
    // turn-clients takes playwright-core from here, and would install it again otherwise.
    await mkdir(join(output, 'npm'));
    await symlink(join(PROJECT_DIRECTORY, 'node_modules'), join(output, 'npm/node_modules'));
  });
  afterAll(() => rm(output, { recursive: true, force: true }));

  it.each([
    ['uclient', 'turnutils_uclient over UDP, TCP and TLS from behind a symmetric NAT'],
    ['probe', 'a wrong password is refused with 401, a peer in the corporate network with 403'],
    ['aioice', 'aioice in two homes over UDP, TCP and TLS'],
    ['chromium', 'Chromium over UDP, and over TCP and TLS where the NAT blocks UDP'],
  ])('%s: %s', async (clients) => {
    const environment = SERVER_KIND === 'causeway' ? CAUSEWAY : {};
    const result = await runLab('turn-clients', [clients], LAB_TIMEOUT_MS, output, environment);
    const log = join(output, 'turn-clients/turn.log');
    expect(result.exitCode, await explainLab(result, `log of the server (${SERVER_KIND})`, log)).toBe(0);
    expect(result.output).toContain('PASS turn-clients');
  });
});
