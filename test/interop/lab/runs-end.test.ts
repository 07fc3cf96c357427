/** Ways for a run of the lab to end before its scenario does: in order by a key or a signal, and otherwise. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VirtualTerminal } from '../../unit/lab/virtual-terminal.ts';
import { LabRig } from './lab-rig.ts';

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

let rig: LabRig;
beforeEach(() => {
  rig = new LabRig();
});
afterEach(() => rig.remove());

function isTalking(output: string): boolean {
  return seen(output).match(/^\d .* talking /gm)?.length === 2;
}

/** What somebody has before the eyes who reads all that a terminal was sent. */
function seen(output: string): string {
  const terminal = new VirtualTerminal(COLUMNS, ROWS);
  // A last line that is not whole yet may end within a command.
  terminal.write(output.slice(0, output.lastIndexOf('\n') + 1).replaceAll('\r\n', '\n'));
  return terminal.text;
}

describe('in a terminal', () => {
  it('Ctrl-C while calls are up: the table stays as it is, nothing else does', async () => {
    const run = rig.startInTerminal(
      COLUMNS,
      'run',
      '--page-port',
      '0',
      '--scenario',
      rig.file('a.yaml', ENDLESS),
    );
    await run.shows(isTalking);
    run.press('\x03');
    expect(await run.ended, run.output).toEqual({ exitCode: 130, signal: null });
    const text = seen(run.output);
    expect(text).toMatch(/^1 +homeA +homeB +srflx_to_srflx .* talking /m);
    expect(text).toMatch(/^2 +internet +desk +none .* talking /m);
    expect(text.match(/^# +from +to/gm)).toHaveLength(1);
    expect(text).toMatch(/the terminal is as before$/);
    await rig.expectNothingLeft();
  });

  it('stays up when the scenario has ended, until Ctrl-C', async () => {
    const run = rig.startInTerminal(
      COLUMNS,
      'run',
      '--page-port',
      '0',
      '--scenario',
      rig.file('a.yaml', SHORT),
    );
    await run.shows(/Ctrl-C ends the lab/);
    expect((await fetch(`${run.pageUrl}/call-history`)).status).toBe(200);
    run.press('\x03');
    expect(await run.ended, run.output).toEqual({ exitCode: 0, signal: null });
    const text = seen(run.output);
    expect(text.match(/^1 +homeA +homeB +srflx_to_srflx +srflx_to_srflx .* right /gm)).toHaveLength(1);
    expect(text.match(/^2 of 2 calls took the expected path$/gm)).toHaveLength(1);
    expect(text).toMatch(/the terminal is as before$/);
    await rig.expectNothingLeft();
  });
});

describe.each(['namespaces', 'simulated'])('on the network of %s', (network) => {
  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('%s ends all in order', async (signal) => {
    const run = rig.start(
      'run',
      '--page-port',
      '0',
      '--network',
      network,
      '--scenario',
      rig.file('a.yaml', ENDLESS),
    );
    await run.shows(HAVE_PATHS);
    process.kill(rig.processOf('run'), signal);
    expect(await run.ended, run.errors).toEqual({ exitCode: 130, signal: null });
    expect(run.errors).toBe('');
    await rig.expectNothingLeft();
  });

  it('nothing runs on when it is killed, and the next run removes its files', async () => {
    const run = rig.start(
      'run',
      '--page-port',
      '0',
      '--network',
      network,
      '--scenario',
      rig.file('a.yaml', ENDLESS),
    );
    await run.shows(HAVE_PATHS);
    const pid = rig.processOf('run');
    process.kill(pid, 'SIGKILL');
    expect(await run.ended).toEqual({ exitCode: null, signal: 'SIGKILL' });
    await rig.untilNothingRuns();
    expect(rig.files()).toContain(`run-${pid}`);
    await rig.result('--network', network, '--scenario', rig.file('b.yaml', SHORT));
  });
});

it('Ctrl-C while it starts', async () => {
  const run = rig.startInTerminal(
    COLUMNS,
    'run',
    '--page-port',
    '0',
    '--scenario',
    rig.file('a.yaml', ENDLESS),
  );
  await run.shows(/network: namespaces/);
  run.press('\x03');
  expect(await run.ended, run.output).toEqual({ exitCode: 130, signal: null });
  await rig.expectNothingLeft();
});
