/**
 * Calls of the lab between two phones outside, through Causeway: its network and scripts, with the proxy and the
 * node of examples/ in place of its own, which keeps such calls from the media engine.
 *
 * The scripts read the proxy's configuration from their own folder, so they run from a copy of it.
 */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitFor } from '../../../lab/real/wait.ts';
import { PROJECT_DIRECTORY, waitUntilReady } from '../harness.ts';
import { LAB_DIRECTORY } from '../lab.ts';
import { type BackgroundProcess, describeEnd, type FinishedRun, run, startBackground } from '../processes.ts';

/** Namespaces of this suite alone. */
const PREFIX = 'causeway-ice-';
const NODE_NAMESPACE = `${PREFIX}dmz`;

const SCRIPT_TIMEOUT_MS = 80_000;
const LAB_TIMEOUT_MS = 20_000;
const ASK_TIMEOUT_MS = 5_000;

/**
 * How long baresip's phones talk once ICE is done. Silence of 5 s at the B2BUA is what proves that media has
 * left, and the lab's own 4 s are too short for it.
 */
const TALK_SECONDS = 7;

/** What the history has of a call; more is there. */
export interface HistoryCall {
  readonly callId: string;
  readonly icePassthroughCallType: string;
  readonly evidence: string;
  readonly reason: string | null;
}

export interface LabCall {
  readonly script: FinishedRun;
  /** The lab's checks that did not hold. */
  readonly failed: readonly string[];
  /** Every offer and answer as the caller sent and got it. */
  readonly sdp: string;
  /** What the two phones logged: the caller, the callee. */
  readonly phoneLogs: readonly [string, string];
  /** What the node has recorded. */
  readonly record: HistoryCall;
}

export interface PassthroughLab {
  /** Runs one call of a script and waits until the node has recorded it. */
  call(script: 'call-ice' | 'call-linphone', path: string): Promise<LabCall>;
  /** The newest first. */
  history(): Promise<readonly HistoryCall[]>;
  /** The counters of the interval under way. */
  iceMetrics(): Promise<Readonly<Record<string, unknown>>>;
  nodeLog(): string;
  /** Ends and removes everything. @throws Error when the node did not end well */
  stop(): Promise<void>;
}

/** Makes the network and starts the node. @throws Error with what was printed when that does not work */
export async function startPassthroughLab(): Promise<PassthroughLab> {
  const directory = await mkdtemp(join(tmpdir(), 'causeway-passthrough-'));
  try {
    await copyLab(join(directory, 'lab'));
    await labCommand(directory, 'down'); // what an earlier run has left
    const up = await labCommand(directory, 'up');
    if (up.exitCode !== 0) throw new Error(`${up.commandLine}: ${up.output}`);
    const node = startBackground('ip', [
      ...['netns', 'exec', NODE_NAMESPACE],
      ...[process.execPath, join(import.meta.dirname, '../lab-node.mjs'), directory],
    ]);
    await waitUntilReady(node, async () => (await ask('/healthz')) !== undefined);
    return labWith(directory, node);
  } catch (error) {
    await removeLab(directory);
    throw error;
  }
}

function labWith(directory: string, node: BackgroundProcess): PassthroughLab {
  const history = async (): Promise<readonly HistoryCall[]> =>
    ((await ask('/api/calls/history')) as { calls: HistoryCall[] } | undefined)?.calls ?? [];
  return {
    async call(name, path) {
      const before = (await history()).length;
      const script = await run(join(directory, 'lab', name), [path], SCRIPT_TIMEOUT_MS, {
        environment: { ...labSettings(directory), TURN_ADDR: '198.51.100.10:3478' },
      });
      const output = (file: string): Promise<string> =>
        readFile(join(directory, 'output', name, file), 'utf8').catch(() => '');
      const log = `${script.commandLine}: ${describeEnd(script)}\n${script.output}`;
      await waitFor(
        `a record of the call\n${log}\n${node.output()}`,
        async () => (await history()).length > before,
      );
      const calls = await history();
      const [record] = calls;
      if (record === undefined || calls.length !== before + 1)
        throw new Error(`${calls.length - before} calls:\n${log}`);
      return {
        script,
        failed: [...script.output.matchAll(/^FAIL (?!call-)(.*)$/gm)].map((match) => match[1] ?? ''),
        sdp: await output(`${path}.sdp`),
        phoneLogs: [await output(`alice-${path}.log`), await output(`bob-${path}.log`)],
        record,
      };
    },
    history,
    async iceMetrics() {
      return (
        ((await ask('/api/ice-metrics')) as { current: Record<string, unknown> } | undefined)?.current ?? {}
      );
    },
    nodeLog: () => node.output(),
    async stop() {
      try {
        const end = await node.stop();
        if (end.exitCode !== 0) throw new Error(`the node: ${describeEnd(end)}\n${node.output()}`);
      } finally {
        await removeLab(directory);
      }
    },
  };
}

async function copyLab(copy: string): Promise<void> {
  await cp(LAB_DIRECTORY, copy, { recursive: true });
  const example = await readFile(join(PROJECT_DIRECTORY, 'examples/kamailio.cfg'), 'utf8');
  const addresses = [
    '#!KAMAILIO',
    '#!define EXTERNAL_IP "198.51.100.10"',
    '#!define INTERNAL_IP "10.10.0.10"',
  ];
  await writeFile(join(copy, 'conf/kamailio.cfg'), [...addresses, example].join('\n'));
  const script = join(copy, 'call-ice');
  const text = await readFile(script, 'utf8');
  const changed = text.replace(/^TALK=\d+/m, `TALK=${TALK_SECONDS}`);
  if (changed === text) throw new Error(`${script}: no line begins with TALK=`);
  await writeFile(script, changed);
}

async function removeLab(directory: string): Promise<void> {
  await labCommand(directory, 'down');
  await rm(directory, { recursive: true, force: true });
}

function labCommand(directory: string, command: string): Promise<FinishedRun> {
  return run(join(directory, 'lab/lab'), [command], LAB_TIMEOUT_MS, { environment: labSettings(directory) });
}

function labSettings(directory: string): Record<string, string> {
  return { LAB_PREFIX: PREFIX, LAB_OUT: join(directory, 'output') };
}

/** What the node's admin server answers, in its namespace; undefined where it does not. */
async function ask(path: string): Promise<unknown> {
  const program = `const answer = await fetch('http://127.0.0.1:8080${path}');
    if (!answer.ok) process.exit(1);
    console.log(await answer.text());`;
  const command = [process.execPath, '--input-type=module', '-e', program];
  const result = await run('ip', ['netns', 'exec', NODE_NAMESPACE, ...command], ASK_TIMEOUT_MS);
  return result.exitCode === 0 ? JSON.parse(result.output) : undefined;
}
