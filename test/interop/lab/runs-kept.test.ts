/** A lab that stays up: `up`, `status`, runs in it, `down`, and a keeper that is killed. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { LabResult } from '../../../lab/events.ts';
import { LabRig } from './lab-rig.ts';
import type { LabRun } from './lab-run.ts';

const CALL =
  'title: One call\nsteps: [{ title: One, calls: [{ from: internet, to: desk, expect: none }] }]\n';

let rig: LabRig;
beforeEach(() => {
  rig = new LabRig();
});
afterEach(() => rig.remove());

async function expectEnd(run: LabRun, exitCode: number): Promise<LabRun> {
  expect(await run.ended, run.output + run.errors).toEqual({ exitCode, signal: null });
  return run;
}

async function command(exitCode: number, ...args: readonly string[]): Promise<LabRun> {
  return expectEnd(await rig.run(...args), exitCode);
}

it('takes one run at a time, outlives them, and is gone when it is told to go down', async () => {
  expect((await command(1, 'status')).output).toBe('no lab is up\n');
  const up = await command(0, 'up', '--page-port', '0');
  expect(up.output).toMatch(/^up since \S+ on the namespaces network; pages http:\S+\/, logs \S+\n/);
  const { pageUrl = '' } = up;
  const [isUp = ''] = up.output.split('\n');
  expect((await command(0, 'status')).output).toBe(`${isUp}\n`);
  expect((await command(0, 'up')).output).toBe(`up already: ${isUp}\n`);

  const long = rig.file('long.yaml', `talkSeconds: 5\n${CALL}`);
  const first = rig.start('run', '--scenario', long);
  await first.shows(/^call 1 .* answered$/m);
  const isBusy = isUp.replace('network;', 'network, running a scenario;');
  expect((await command(0, 'status')).output).toBe(`${isBusy}\n`);
  const second = await command(1, 'run', '--scenario', long);
  expect(second.errors).toBe('lab: the lab is running a scenario already\n');
  expect((await command(0, 'status')).output).toBe(`${isBusy}\n`);
  await expectEnd(first, 0);
  expect(first.output).toMatch(/^1 of 1 calls took the expected path$/m);
  expect((await command(0, 'status')).output).toBe(`${isUp}\n`);

  const short = rig.file('short.yaml', `talkSeconds: 3\n${CALL}`);
  const json = await command(0, 'run', '--json', '--scenario', short);
  const { calls, metrics, problems, pageUrl: told } = JSON.parse(json.output) as LabResult;
  expect(problems).toEqual([]);
  expect(calls.map(({ got, evidence }) => [got, evidence])).toEqual([['none', 'verified']]);
  expect(told).toBe(pageUrl);
  // The nodes are the same as before, and count on.
  expect(metrics.find(({ label }) => label === 'B2BUA connected calls')?.value).toBe(2);

  expect((await command(0, 'down')).output).toBe('down\n');
  await rig.expectNothingLeft();
  expect((await command(1, 'status')).output).toBe('no lab is up\n');
  expect((await command(0, 'down')).output).toBe('no lab is up\n');
});

it.each(['namespaces', 'simulated'])(
  'nothing runs on when its keeper is killed (%s), and it comes up again',
  async (network) => {
    const up = ['up', '--page-port', '0', '--network', network];
    await command(0, ...up);
    const keeper = rig.processOf('keep');
    expect(rig.processes().length).toBeGreaterThan(3);
    process.kill(keeper, 'SIGKILL');
    await rig.untilNothingRuns();
    expect((await command(1, 'status')).output).toBe('no lab is up\n');
    expect(rig.files()).toContain(`run-${keeper}`);

    await command(0, ...up);
    await command(0, 'down');
    expect(rig.processes()).toEqual([]);
    // It may still be there, as long as the system has not noticed the keeper's death.
    expect(rig.files().filter((name) => name !== `run-${keeper}`)).toEqual([]);
  },
);

it('a run in it that is interrupted goes on without who looks at it', async () => {
  await command(0, 'up', '--page-port', '0');
  const run = rig.start('run', '--scenario', rig.file('long.yaml', `talkSeconds: 600\n${CALL}`));
  await run.shows(/^call 1 .* answered$/m);
  process.kill(rig.processOf('run'), 'SIGINT');
  await expectEnd(run, 130);
  expect(run.errors).toBe('the run goes on in the lab that is up (npm run lab -- down ends both)\n');
  expect((await command(0, 'status')).output).toContain(', running a scenario;');
  await command(0, 'down');
  await rig.expectNothingLeft();
});
