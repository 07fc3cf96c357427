/** What becomes of a scenario's calls, whatever their phones, the media plane and the network do. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CallRow, LabResult } from '../../../lab/events.ts';
import { runScenario } from '../../../lab/run-scenario.ts';
import { FakeDeployment, over } from './fake-deployment.ts';

// Node's own are not among what is faked.
vi.mock('node:timers/promises', () => ({
  setTimeout: (delayMs: number) => new Promise((resolve) => globalThis.setTimeout(resolve, delayMs)),
}));

let deployment: FakeDeployment;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] });
  deployment = new FakeDeployment();
});

afterEach(() => {
  vi.useRealTimers();
});

const CALL = '{ from: homeA, to: homeB, expect: srflx_to_srflx }';
const RECOVERS = '{ from: homeA, to: homeB, expect: srflx_to_srflx, afterFault: recovers }';
const LOST = '{ from: homeA, to: homeB, expect: srflx_to_srflx, afterFault: lost }';
const REBINDING = 'fault: { kind: nat-rebinding, home: A }';

function run(...steps: readonly string[]): Promise<LabResult> {
  const written = steps.map((step, i) => `{ title: S${i + 1}, ${step} }`).join(', ');
  return over(runScenario(deployment.run(`[${written}]`), deployment.phoneSource()));
}

/** After so many seconds of the run. */
function later(seconds: number, happens: () => void): void {
  setTimeout(happens, seconds * 1000);
}

/** One after the other. */
function statesOf(id: string): string[] {
  const states = deployment.events.flatMap((event) =>
    event.event === 'call' && event.row.id === id ? [event.row.state] : [],
  );
  return states.filter((state, i) => state !== states[i - 1]);
}

function only(result: LabResult): CallRow {
  expect(result.calls).toHaveLength(1);
  return result.calls[0] as CallRow;
}

describe('calls without a fault', () => {
  it('end right where all that was expected came true', async () => {
    const result = await run(`calls: [${CALL}]`);
    expect(result.problems).toEqual([]);
    expect(only(result)).toMatchObject({
      ...{ id: '1', state: 'ended', isRight: true, got: 'srflx_to_srflx', evidence: 'verified', fault: null },
      path: 'srflx 203.0.113.2:40000 ↔ srflx 203.0.113.2:40001',
      caller: { lossPercent: 0, hearsTone: true, planePackets: 1 },
    });
    expect(statesOf('1')).toEqual(['waiting', 'ringing', 'checking', 'talking', 'ended']);
    expect(deployment.deeds).toEqual(['phones closed']);
  });

  it('have names of their own, though their plans are the same', async () => {
    const result = await run(`calls: [${CALL}, ${CALL}]`, `calls: [${CALL}]`);
    expect(result.calls.map(({ id, isRight }) => [id, isRight])).toEqual([
      ['1', true],
      ['2', true],
      ['3', true],
    ]);
    expect(new Set(deployment.records.map(({ callId }) => callId)).size).toBe(3);
  });

  it('never have two ends of one tone', async () => {
    await run(`calls: [${Array.from({ length: 12 }, () => CALL).join(', ')}]`);
    const pairs = deployment.phones.map(({ toneHz, other }) => Math.abs(toneHz - (other?.toneHz ?? 0)));
    expect(new Set(pairs)).toEqual(new Set([100]));
  });

  it('fail alone where the plane refuses them, and are hung up and deleted', async () => {
    deployment.refusal = (what) => (what === 'offer 1' ? 'no port is left' : undefined);
    const result = await run(`calls: [${CALL}, ${CALL}]`);
    const problem = 'offer refused (in to out): no port is left';
    expect(result.calls.map(({ state, isRight }) => [state, isRight])).toEqual([
      ['failed', false],
      ['ended', true],
    ]);
    expect(result.problems).toEqual([`call 1 (homeA → homeB): ${problem}`]);
    for (const { asked } of deployment.phonesOf(1)) expect(asked).toContain('hangUp');
    const deleted = deployment.commands.filter(({ command }) => command === 'delete');
    expect(deleted).toHaveLength(2);
  });

  it('are wrong where an end hears nothing at last, though what it heard before was right', async () => {
    later(2.5, () => deployment.cut(true));
    const { problems, isRight } = only(await run(`calls: [${CALL}]`));
    expect(isRight).toBe(false);
    expect(problems).toEqual([
      expect.stringMatching(/^the caller has heard nothing for the last 2\.\d s$/),
      expect.stringMatching(/^the callee has heard nothing for the last 2\.\d s$/),
    ]);
  });

  it('fail where a process of phones ends, for the first reason, and do not come back', async () => {
    later(2, () => {
      for (const phone of deployment.phones) phone.gone = 'the process of the phones is gone';
    });
    later(3, () => {
      for (const phone of deployment.phones) phone.gone = undefined;
    });
    const row = only(await run(`calls: [${CALL}]`));
    expect(row).toMatchObject({ state: 'failed', isRight: false, got: 'srflx_to_srflx' });
    expect(row.problems).toEqual(['the process of the phones is gone']);
  });

  it('stay failed where one question fails, and the next are answered', async () => {
    // The first is that of who watches the call; who waits for ICE asks on.
    deployment.opened = (phone) => {
      if (deployment.phones.length === 1) phone.gone = 'no answer within 30000 ms';
      phone.isGone = (asked) => asked.at(-1) === 'status' && asked.indexOf('status') === asked.length - 1;
    };
    const row = only(await run(`calls: [${CALL}]`));
    expect(row).toMatchObject({ state: 'failed', problems: ['no answer within 30000 ms'] });
    expect(statesOf('1')).toEqual(['waiting', 'ringing', 'checking', 'failed']);
  });

  it('keep what they showed where the metrics cannot be asked for', async () => {
    deployment.metricsProblems = () => {
      throw new Error('fetch failed', { cause: new Error('connect ECONNREFUSED') });
    };
    const result = await run(`calls: [${CALL}]`);
    expect(only(result).isRight).toBe(true);
    expect(result.problems).toEqual(['metrics: fetch failed: connect ECONNREFUSED']);
  });
});

describe('calls with a fault', () => {
  // Whenever that is between two looks at the call.
  it.each([5.05, 5.3, 5.55, 5.8, 6.05])(
    'recover by a re-INVITE, and what the gap of %d s lost does not count',
    async (seconds) => {
      deployment.refusal = (deed) => void (deed === 'rebind A' && deployment.cut(true));
      deployment.reinvited = () => later(seconds, () => deployment.cut(false));
      const result = await run(`${REBINDING}, calls: [${RECOVERS}]`);
      expect(result.problems).toEqual([]);
      expect(only(result)).toMatchObject({
        fault: expect.stringMatching(/^recovered after [78]\.\d s$/),
        ...{ state: 'ended', isRight: true, caller: { lossPercent: 0 }, callee: { lossPercent: 0 } },
      });
      expect(statesOf('1')).toEqual([
        'waiting',
        'ringing',
        'checking',
        'talking',
        'interrupted',
        'talking',
        'ended',
      ]);
    },
  );

  it('are lost where nothing brings them back, and that may be expected', async () => {
    deployment.refusal = (deed) => void (deed === 'rebind A' && deployment.cut(true));
    const row = only(await run(`${REBINDING}, calls: [${LOST}]`));
    expect(row).toMatchObject({ fault: 'lost', isRight: true, state: 'ended' });
  });

  it('are not lost where they come back late', async () => {
    deployment.refusal = (deed) => void (deed === 'rebind A' && deployment.cut(true));
    deployment.reinvited = () => later(14, () => deployment.cut(false));
    const row = only(await run(`${REBINDING}, calls: [${LOST}]`));
    expect(row.problems).toEqual([
      expect.stringMatching(/^expected after the fault: lost; it was recovered after 16\.\d s$/),
    ]);
  });

  it('stay lost where they come back when nobody waits for it any more', async () => {
    deployment.refusal = (deed) => void (deed === 'rebind A' && deployment.cut(true));
    later(53, () => deployment.cut(false));
    const row = only(await run(`${REBINDING}, calls: [${LOST}]`));
    expect(row).toMatchObject({ fault: 'lost', isRight: true });
    expect(statesOf('1').at(-2)).toBe('interrupted');
  });

  it('have none where they failed before it', async () => {
    deployment.refusal = (what) => (what === 'offer 1' ? 'no port is left' : undefined);
    const result = await run(`${REBINDING}, calls: [${CALL}, ${CALL}]`);
    expect(result.calls.map(({ fault }) => fault)).toEqual([null, 'unharmed']);
  });

  it('do not have it where none of them came up', async () => {
    deployment.refusal = (what) => (what.startsWith('offer') ? 'no port is left' : undefined);
    await run(`${REBINDING}, calls: [${CALL}]`);
    expect(deployment.deeds).toEqual(['phones closed']);
  });

  it('are judged by the record of what ended last, not by that of before a restart', async () => {
    deployment.refusal = (deed) => {
      if (deed !== 'restart core') return undefined;
      deployment.restartPlane();
      deployment.cut(true);
      return undefined;
    };
    deployment.reinvited = () => deployment.cut(false);
    const fault = 'fault: { kind: media-plane-restart, node: core }';
    const row = only(await run(`${fault}, calls: [${RECOVERS}]`));
    expect(deployment.records).toHaveLength(2);
    expect(row).toMatchObject({ isRight: true, caller: { planePackets: 2 } });
  });

  it('are judged by the record of before a restart where the plane knows them no more', async () => {
    deployment.refusal = (deed) => void (deed === 'restart core' && deployment.restartPlane());
    const fault = 'fault: { kind: media-plane-restart, node: core }';
    const row = only(await run(`${fault}, calls: [${CALL}]`));
    expect(row).toMatchObject({ isRight: true, fault: 'unharmed', caller: { planePackets: 1 } });
  });
});

describe('a fault that does not work', () => {
  it('is a problem of its step, and the next step runs', async () => {
    deployment.refusal = (deed) => (deed === 'restart edge' ? 'the node edge does not start' : undefined);
    const fault = 'fault: { kind: media-plane-restart, node: edge }';
    const result = await run(`${fault}, calls: [${CALL}]`, `calls: [${CALL}]`);
    expect(result.problems).toEqual(['step 1 (S1): the node edge does not start']);
    expect(result.calls.map(({ isRight }) => isRight)).toEqual([true, true]);
  });

  it('leaves no loss behind', async () => {
    deployment.refusal = (deed) => (deed === 'setLoss B 10' ? 'nft: no such rule' : undefined);
    const fault = 'fault: { kind: loss, home: B, percent: 10, seconds: 2 }';
    const result = await run(`${fault}, calls: [${CALL}]`);
    expect(result.problems).toContain('step 1 (S1): nft: no such rule');
    expect(deployment.deeds).toEqual(['setLoss B 10', 'setLoss B 0', 'phones closed']);
  });

  it('brings the TURN user back', async () => {
    deployment.refusal = (deed) => (deed === 'remove credentials' ? 'it answers 500' : undefined);
    const fault = 'fault: { kind: turn-credentials-removed, seconds: 1 }';
    const result = await run(`${fault}, calls: [${CALL}]`);
    expect(result.problems).toEqual(['step 1 (S1): it answers 500']);
    expect(deployment.deeds).toEqual(['remove credentials', 'restore credentials', 'phones closed']);
  });
});
