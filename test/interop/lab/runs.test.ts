/**
 * Whole runs of the lab, as its users start them. They wait far more than they work, so several go on at the same
 * time. Each has its own files, and nothing of it may be left.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { CallRow, CallType, LabResult } from '../../../lab/events.ts';
import type { NetworkKind } from '../../../lab/network/network.ts';
import { callTypeText } from '../../../src/admin/pages/formats.tsx';
import { PROJECT_DIRECTORY } from '../harness.ts';
import { type LabRig, newRig } from './lab-rig.ts';
import { AS_NOBODY, AS_SELF, NO_NFT, OWN_USERS, without } from './namespaces-rig.ts';
import { StatusPages } from './status-pages.ts';

/** Nothing waits for these: they end what hangs. */
const RUN_MS_MAX = 200_000;
const LONG_RUN_MS_MAX = 400_000;

/** Of the lab itself, and of its ten places and routers. Those of the trial before it may be seen too. */
const NETWORKS_MIN = 11;

/** In the order of the default scenario. */
const PATHS: readonly (readonly [from: string, to: string, type: CallType])[] = [
  ['homeA', 'homeA2', 'host_to_host'],
  ['internet', 'homeB', 'host_to_srflx'],
  ['homeA', 'homeB', 'srflx_to_srflx'],
  ['homeA', 'desk', 'none'],
  ['internet', 'homeB', 'host_to_relay'],
  ['homeA', 'homeB', 'srflx_to_relay'],
  ['homeA', 'homeB', 'relay_to_relay'],
];

/** Ordinary users can be played by root alone. */
const RUNNERS = [
  { user: AS_SELF, network: 'namespaces' },
  { user: process.getuid?.() === 0 ? AS_NOBODY : AS_SELF, network: 'namespaces' },
  { user: process.getuid?.() === 0 ? AS_NOBODY : AS_SELF, network: 'simulated' },
] as const;

/** What becomes of each call of the scenario of faults; `recovered` is followed by how long it took. */
const FAULT_OUTCOMES: readonly (readonly [ends: string, type: CallType, outcome: RegExp])[] = [
  ['homeA → homeB', 'srflx_to_srflx', /^unharmed$/],
  ['homeA → homeA2', 'host_to_host', /^unharmed$/],
  ['internet → desk', 'none', /^recovered after \d+\.\d s$/],
  ['homeA → homeB', 'srflx_to_relay', /^recovered after \d+\.\d s$/],
  ['homeA2 → desk', 'none', /^recovered after \d+\.\d s$/],
  ['internet → homeA', 'host_to_srflx', /^unharmed$/],
  ['homeA → homeB', 'srflx_to_srflx', /^recovered after \d+\.\d s$/],
  ['homeA → desk', 'none', /^recovered after \d+\.\d s$/],
  ['homeA → homeA2', 'host_to_host', /^unharmed$/],
  ['internet → homeB', 'host_to_srflx', /^unharmed$/],
  ['homeA → homeB', 'srflx_to_srflx', /^unharmed$/],
  ['internet → homeA', 'host_to_srflx', /^unharmed$/],
  ['homeA → homeB', 'srflx_to_relay', /^recovered after \d+\.\d s$/],
  ['internet → homeA', 'host_to_srflx', /^unharmed$/],
];
/** The call that loses 10 % of its packets, each way. */
const LOSSY = 10;

it.concurrent.for(['namespaces', 'simulated'] as const)(
  'faults, on the network of %s: some calls are not harmed, the others recover',
  { timeout: LONG_RUN_MS_MAX },
  async (network, context) => {
    const rig = newRig(context);
    const { calls } = await rig.result('--scenario', 'faults', '--network', network);
    expectNetworks(rig, network);
    expect(calls).toHaveLength(FAULT_OUTCOMES.length);
    for (const [i, [ends, type, outcome]] of FAULT_OUTCOMES.entries()) {
      const { title, got, evidence, fault, isRight } = rowOf(calls, i);
      expect({ title, got, evidence, fault, isRight }).toEqual({
        ...{ title: ends, got: type, evidence: 'verified' },
        ...{ fault: expect.stringMatching(outcome), isRight: true },
      });
    }
    for (const end of endsOf(rowOf(calls, LOSSY))) {
      expect(end.lossPercent).toBeGreaterThan(3);
      expect(end.lossPercent).toBeLessThan(25);
    }
  },
);

it.concurrent.for(['namespaces', 'simulated'] as const)(
  'pairs of NATs, on the network of %s: each the best path that it leaves',
  { timeout: LONG_RUN_MS_MAX },
  async (network, context) => {
    const rig = newRig(context);
    const { calls, problems } = await rig.result('--scenario', 'nats', '--network', network);
    expectNetworks(rig, network);
    expect(problems).toEqual([]);
    expect(calls).toHaveLength(13);
    for (const { title, got, expected, evidence, isRight } of calls) {
      expect({ title, got, evidence, isRight }).toEqual({
        title,
        got: expected,
        evidence: 'verified',
        isRight: true,
      });
    }
  },
);

it.concurrent(
  'by default every kind of path: as root, as an ordinary user, and on a simulated network',
  async (context) => {
    await Promise.all(
      RUNNERS.map(async ({ user, network }) => {
        const rig = newRig(context, { user });
        const result = await rig.result('--network', network);
        expectNetworks(rig, network);
        expect(result.network).toBe(network);
        expectEveryPath(result);
      }),
    );
  },
  RUN_MS_MAX,
);

it.concurrent(
  'the status pages show calls while they are up, and what came of them',
  async (context) => {
    const rig = newRig(context);
    const pages = await StatusPages.open(context.expect);
    context.onTestFinished(() => pages.close());
    // Longer calls than usual, for there is much to look at.
    const scenario = rig.file('paths.yaml', `talkSeconds: 15\n${labScenario('paths')}`);
    const run = rig.start('run', '--page-port', '0', '--stay', '--scenario', scenario);
    await run.shows(/^status pages: http:\/\/127\.0\.0\.1:\d+$/m);
    await pages.visit(run.pageUrl ?? '');

    await pages.expectLiveCalls(4);
    await pages.expectOverview(4);
    await run.shows(/^Ctrl-C ends the lab$/m);
    await pages.expectCallIsOver();
    await pages.expectHistory(PATHS.map(([, , type]) => callTypeText(type)));
    await pages.expectMetrics(metricsOfPaths());
    await pages.expectExport(PATHS.length);
    await pages.expectDoorIsShutToOtherNames();
    expect(pages.complaints).toEqual([]);
    process.kill(rig.processOf('run'), 'SIGINT');
    expect(await run.ended, run.errors).toEqual({ exitCode: 0, signal: null });
    await rig.expectNothingLeft();
  },
  RUN_MS_MAX,
);

it.concurrent(
  'another media plane and TURN server: rtpengine and coturn',
  async (context) => {
    const rig = newRig(context);
    const result = await rig.result('--scenario', 'rtpengine-coturn', '--network', 'namespaces');
    expect(result.pageUrl).toBeNull();
    expect(result.calls.map(({ title, got, evidence }) => [title, got, evidence])).toEqual(
      ['homeA → desk', 'internet → desk', 'homeA → desk', 'homeB → desk', 'homeA → homeB'].map((title) => [
        ...[title, 'none', 'endpoints'],
      ]),
    );
    expect(result.metrics).toEqual([]);
  },
  RUN_MS_MAX,
);

it.concurrent('a call that takes another path than its scenario expects: what, and where the logs are', async (context) => {
  const rig = newRig(context);
  const scenario = rig.file(
    'mine.yaml',
    `title: Mine
talkSeconds: 3
steps:
  - title: Two homes
    calls:
      - { from: homeA, to: homeB, expect: relay_to_relay, evidence: any }
`,
  );
  const run = await rig.run('run', '--page-port', '0', '--scenario', scenario);
  expect(await run.ended).toEqual({ exitCode: 1, signal: null });
  const problem = 'expected relay_to_relay, the media plane recorded srflx_to_srflx';
  expect(run.output).toMatch(new RegExp(`^call 1  problem: ${problem} `, 'm'));
  expect(run.output).toMatch(/^0 of 1 calls took the expected path, 1 call is wrong$/m);
  const [, logs = ''] = /^logs: (\S+)\n$/.exec(run.errors) ?? [];
  expect(readFileSync(join(logs, 'core/causeway.log'), 'utf8')).toContain('media ports');
  expect(rig.processes()).toEqual([]);
  expect(rig.files()).toEqual([expect.stringMatching(/^run-\d+$/)]);
});

it.concurrent('a scenario file that is wrong: each problem in a line, and nothing is started', async (context) => {
  const rig = newRig(context);
  const scenario = rig.file(
    'broken.yaml',
    'title: Broken\nsteps: [{ title: One, calls: [{ from: homeA }] }]\n',
  );
  const run = await rig.run('run', '--scenario', scenario);
  expect(await run.ended).toEqual({ exitCode: 2, signal: null });
  expect(run.output).toBe('');
  expect(run.errors).toMatch(
    /^lab: \S+broken\.yaml: steps\[0\]\.calls\[0\]\.to: .+\n\S+broken.yaml: .+expect.+\n$/,
  );
  await rig.expectNothingLeft();
});

it.concurrent('where namespaces are impossible: refused by one line, or simulated, and it says why', async (context) => {
  const reason = 'nft is not installed (Debian package nftables)';
  const rig = newRig(context, { prefix: without(OWN_USERS, NO_NFT) });
  const refused = await rig.run('run', '--network', 'namespaces');
  expect(await refused.ended).toEqual({ exitCode: 2, signal: null });
  expect(refused.output).toBe('');
  expect(refused.errors).toBe(`lab: network namespaces do not work here: ${reason}\n`);

  const scenario = rig.file(
    'short.yaml',
    'title: Short\ntalkSeconds: 3\nsteps: [{ title: One, calls: [{ from: internet, to: desk, expect: none }] }]\n',
  );
  const simulated = await rig.run('run', '--page-port', '0', '--scenario', scenario);
  expect(await simulated.ended, simulated.errors).toEqual({ exitCode: 0, signal: null });
  expect(simulated.output.split('\n')[0]).toBe(`network: simulated (${reason})`);
  expect(simulated.output).toMatch(/^1 of 1 calls took the expected path$/m);
  await rig.expectNothingLeft();
});

/** That it was where it says; what is left of namespaces that were never seen cannot be missed. */
function expectNetworks(rig: LabRig, network: NetworkKind): void {
  if (network === 'simulated') expect(rig.networks).toBe(0);
  else expect(rig.networks).toBeGreaterThanOrEqual(NETWORKS_MIN);
}

function expectEveryPath({ calls, metrics, problems }: LabResult): void {
  expect(problems).toEqual([]);
  expect(calls.map(({ caller, callee, got }) => [caller.place, callee.place, got])).toEqual(PATHS);
  for (const row of calls) {
    expect(row).toMatchObject({ state: 'ended', evidence: 'verified', isRight: true, problems: [] });
    for (const { heardPackets, lossPercent, hearsTone } of endsOf(row)) {
      expect(heardPackets).toBeGreaterThan(300);
      expect(lossPercent).toBeLessThanOrEqual(1);
      expect(hearsTone).toBe(true);
    }
  }
  expect(new Map(metrics.map(({ label, value }) => [label, value]))).toEqual(metricsOfPaths());
}

/** What seven calls count for: six are optimized, the one to the office has candidates on one side alone. */
function metricsOfPaths(): Map<string, number> {
  return new Map([
    ['B2BUA connected calls', 7],
    ['Calls with optimized ICE media paths', 6],
    ...PATHS.filter(([, , type]) => type !== 'none').map(([, , type]) => [callTypeText(type), 1] as const),
    ['Calls with required Expressway ICE configuration', 6],
    ['Calls attempted with offered ICE candidates', 7],
    ['Calls with ICE candidates offered by one endpoint', 1],
    ['Calls without ICE candidates', 0],
    ['Calls with non-optimized media paths', 1],
    ['Calls with ICE candidates offered but without required Expressway ICE configuration', 1],
  ]);
}

function labScenario(name: string): string {
  return readFileSync(join(PROJECT_DIRECTORY, 'lab/scenarios', `${name}.yaml`), 'utf8');
}

function rowOf(calls: readonly CallRow[], index: number): CallRow {
  const row = calls[index];
  if (!row) throw new Error(`there is no call ${index + 1}`);
  return row;
}

function endsOf({ caller, callee }: CallRow): CallRow['caller'][] {
  return [caller, callee];
}
