/** Ways for a run of the lab to end before its scenario does: in order by a key or a signal, and otherwise. */
import { expect, it } from 'vitest';
import { VirtualTerminal } from '../../unit/lab/virtual-terminal.ts';
import { type LabRig, newRig } from './lab-rig.ts';

const COLUMNS = 140;
const ROWS = 40;
const CALLS = `
steps:
  - title: One
    calls:
      - { from: homeA, to: homeB, expect: srflx_to_srflx, evidence: any }
      - { from: internet, to: desk, expect: none }
`;
const ENDLESS = `title: Endless\ntalkSeconds: 3600${CALLS}`;
const SHORT = `title: Short\ntalkSeconds: 3${CALLS}`;
/** Both calls have their paths. */
const HAVE_PATHS = /path srflx.*path through the media plane|path through the media plane.*path srflx/s;
const CTRL_C = '\x03';

/** Arguments of a run that meets no other. */
function running(rig: LabRig, scenario: string): string[] {
  return ['run', '--page-port', '0', '--scenario', rig.file('scenario.yaml', scenario)];
}

/** What somebody has before the eyes who reads all that a terminal was sent. */
function seen(output: string): string {
  const terminal = new VirtualTerminal(COLUMNS, ROWS);
  // A last line that is not whole yet may end within a command.
  terminal.write(output.slice(0, output.lastIndexOf('\n') + 1).replaceAll('\r\n', '\n'));
  return terminal.text;
}

function doBothTalk(output: string): boolean {
  return seen(output).match(/^\d .* talking /gm)?.length === 2;
}

it.concurrent('Ctrl-C in a terminal: the table of calls stays as it is, and nothing else', async (context) => {
  const rig = newRig(context);
  const run = rig.startInTerminal(COLUMNS, ROWS, ...running(rig, ENDLESS));
  await run.shows(doBothTalk);
  run.press(CTRL_C);
  expect(await run.ended, run.output).toEqual({ exitCode: 130, signal: null });
  const text = seen(run.output);
  expect(text).toMatch(/^1 +homeA +homeB +srflx_to_srflx .* talking /m);
  expect(text).toMatch(/^2 +internet +desk +none .* talking /m);
  expect(text.match(/^# +from +to/gm)).toHaveLength(1);
  expect(text).toMatch(/the terminal is as before$/);
  await rig.expectNothingLeft();
});

it.concurrent('Ctrl-C in a terminal while the lab starts', async (context) => {
  const rig = newRig(context);
  const run = rig.startInTerminal(COLUMNS, ROWS, ...running(rig, ENDLESS));
  await run.shows(/network: namespaces/);
  run.press(CTRL_C);
  expect(await run.ended, run.output).toEqual({ exitCode: 130, signal: null });
  expect(seen(run.output)).toMatch(/the terminal is as before$/);
  await rig.expectNothingLeft();
});

it.concurrent('in a terminal it stays when the scenario has ended, until Ctrl-C', async (context) => {
  const rig = newRig(context);
  const run = rig.startInTerminal(COLUMNS, ROWS, ...running(rig, SHORT));
  await run.shows(/Ctrl-C ends the lab/);
  expect((await fetch(`${run.pageUrl}/call-history`)).status).toBe(200);
  run.press(CTRL_C);
  expect(await run.ended, run.output).toEqual({ exitCode: 0, signal: null });
  const text = seen(run.output);
  expect(text.match(/^1 +homeA +homeB +srflx_to_srflx +srflx_to_srflx .* right /gm)).toHaveLength(1);
  expect(text.match(/^2 of 2 calls took the expected path$/gm)).toHaveLength(1);
  expect(text).toMatch(/the terminal is as before$/);
  await rig.expectNothingLeft();
});

it.concurrent.for([
  ['SIGTERM', 'namespaces'],
  ['SIGINT', 'namespaces'],
  ['SIGHUP', 'namespaces'],
  ['SIGTERM', 'simulated'],
] as const)('%s while calls are up ends all in order (%s)', async ([signal, network], context) => {
  const rig = newRig(context);
  const run = rig.start(...running(rig, ENDLESS), '--network', network);
  await run.shows(HAVE_PATHS);
  process.kill(rig.processOf('run'), signal);
  expect(await run.ended, run.errors).toEqual({ exitCode: 130, signal: null });
  expect(run.errors).toBe('');
  await rig.expectNothingLeft();
});

it.concurrent.for(['namespaces', 'simulated'])(
  'nothing runs on when it is killed (%s), and the next run removes its files',
  async (network, context) => {
    const rig = newRig(context);
    const run = rig.start(...running(rig, ENDLESS), '--network', network);
    await run.shows(HAVE_PATHS);
    const pid = rig.processOf('run');
    process.kill(pid, 'SIGKILL');
    expect(await run.ended).toEqual({ exitCode: null, signal: 'SIGKILL' });
    await rig.untilNothingRuns();
    expect(rig.files()).toContain(`run-${pid}`);
    await rig.result('--network', network, '--scenario', rig.file('short.yaml', SHORT));
  },
);
