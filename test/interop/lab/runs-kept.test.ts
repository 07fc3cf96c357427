/** A lab that stays up: `up`, `status`, runs in it, `down`, and a keeper that is killed. */
import { expect, it } from 'vitest';
import type { LabResult } from '../../../lab/events.ts';
import { type LabRig, newRig } from './lab-rig.ts';
import type { LabRun } from './lab-run.ts';

const CALL =
  'title: One call\nsteps: [{ title: One, calls: [{ from: internet, to: desk, expect: none }] }]\n';

/** Runs a command, which has to end so, and tells its output. */
async function output(rig: LabRig, exitCode: number, ...args: readonly string[]): Promise<string> {
  const run = await rig.run(...args);
  await expectEnd(run, exitCode);
  return run.output;
}

async function expectEnd(run: LabRun, exitCode: number): Promise<void> {
  expect(await run.ended, run.output + run.errors).toEqual({ exitCode, signal: null });
}

it.concurrent('runs take place in it, and it outlives them until it is told to go down', async (context) => {
  const rig = newRig(context);
  const scenario = rig.file('short.yaml', `talkSeconds: 3\n${CALL}`);
  expect(await output(rig, 1, 'status')).toBe('no lab is up\n');
  const [isUp = ''] = (await output(rig, 0, 'up', '--page-port', '0')).split('\n');
  const [, pageUrl] =
    /^up since \S+ on the namespaces network; pages (http:\S+)\/, logs \S+$/.exec(isUp) ?? [];
  expect(pageUrl).toBeDefined();
  expect(await output(rig, 0, 'status')).toBe(`${isUp}\n`);
  expect(await output(rig, 0, 'up')).toBe(`up already: ${isUp}\n`);

  const lines = await output(rig, 0, 'run', '--scenario', scenario);
  expect(lines).toMatch(/^1 of 1 calls took the expected path$/m);
  expect(await output(rig, 0, 'status')).toBe(`${isUp}\n`);

  const result = JSON.parse(await output(rig, 0, 'run', '--json', '--scenario', scenario)) as LabResult;
  expect(result).toMatchObject({ pageUrl, problems: [], calls: [{ got: 'none', evidence: 'verified' }] });
  // The nodes are the same as before, and count on.
  expect(result.metrics.find(({ label }) => label === 'B2BUA connected calls')?.value).toBe(2);

  expect(await output(rig, 0, 'down')).toBe('down\n');
  await rig.expectNothingLeft();
  expect(await output(rig, 1, 'status')).toBe('no lab is up\n');
  expect(await output(rig, 0, 'down')).toBe('no lab is up\n');
});

it.concurrent('it runs one scenario at a time, also when nobody looks at it any more', async (context) => {
  const rig = newRig(context);
  const scenario = rig.file('endless.yaml', `talkSeconds: 3600\n${CALL}`);
  await output(rig, 0, 'up', '--page-port', '0');
  const first = rig.start('run', '--scenario', scenario);
  await first.shows(/^call 1 .* answered$/m);
  const second = await rig.run('run', '--scenario', scenario);
  await expectEnd(second, 1);
  expect(second.errors).toBe('lab: the lab is running a scenario already\n');
  expect(await output(rig, 0, 'status')).toContain(' network, running a scenario; pages ');

  process.kill(rig.processOf('run'), 'SIGINT');
  await expectEnd(first, 130);
  expect(first.errors).toBe('the run goes on in the lab that is up (npm run lab -- down ends both)\n');
  expect(await output(rig, 0, 'status')).toContain(' network, running a scenario; pages ');
  expect(await output(rig, 0, 'down')).toBe('down\n');
  await rig.expectNothingLeft();
});

it.concurrent.for(['namespaces', 'simulated'])(
  'nothing runs on when its keeper is killed (%s), and it comes up again',
  async (network, context) => {
    const rig = newRig(context);
    const up = ['up', '--page-port', '0', '--network', network];
    await output(rig, 0, ...up);
    const keeper = rig.processOf('keep');
    // The keeper, what it holds, and two nodes.
    expect(rig.processes().length).toBeGreaterThanOrEqual(4);
    process.kill(keeper, 'SIGKILL');
    await rig.untilNothingRuns();
    expect(await output(rig, 1, 'status')).toBe('no lab is up\n');
    expect(rig.files()).toContain(`run-${keeper}`);

    await output(rig, 0, ...up);
    await output(rig, 0, 'down');
    expect(rig.processes()).toEqual([]);
    // Its files are there as long as the system has not noticed the keeper's death.
    expect(rig.files().filter((name) => name !== `run-${keeper}`)).toEqual([]);
  },
);
