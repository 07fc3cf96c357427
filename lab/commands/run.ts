/** `lab run`: runs a scenario, in a lab of its own that ends with it, or in the one that is up. */
import type { LabEvent, LabResult } from '../events.ts';
import { askKeeper, type KeeperStatus, keeperStatus } from '../keeper.ts';
import { LabError } from '../lab-error.ts';
import { chooseNetwork } from '../network/choose-network.ts';
import { projectFile } from '../project.ts';
import { RunDirectory } from '../run-directory.ts';
import { readScenario } from '../scenario/read-scenario.ts';
import { LabSession, type SessionOptions } from '../session.ts';
import type { Peers, RunOptions } from '../session-messages.ts';
import { wantsColours } from '../view/colours.ts';
import type { View } from '../view/view.ts';
import { createView } from '../view/view.ts';
import { EXIT_FAILED, EXIT_FINE, EXIT_INTERRUPTED } from './exit-codes.ts';
import { whenInterrupted } from './interruption.ts';
import type { SharedOptions } from './options.ts';

export interface RunCommandOptions extends SharedOptions {
  readonly scenario?: string;
  readonly peers: Peers;
  readonly json?: true;
  readonly stay?: boolean;
  readonly keepLogs?: true;
}

export async function run(options: RunCommandOptions): Promise<number> {
  const { peers } = options;
  const scenario = readScenario(
    scenarioFile(options.scenario ?? (peers === 'real' ? 'real-peers' : 'paths')),
  );
  const status = await keeperStatus();
  if (status && peers === 'real') {
    throw new LabError('real peers need a lab of their own: end the one that is up (npm run lab -- down)');
  }
  if (status && scenario.mediaPlane) {
    throw new LabError(
      'another media plane needs a lab of its own: end the one that is up (npm run lab -- down)',
    );
  }
  if (status && options.network !== 'auto' && options.network !== status.network) {
    throw new LabError(
      `the lab that is up is on the ${status.network} network (npm run lab -- down ends it)`,
    );
  }
  const isTerminal = process.stdout.isTTY === true && options.json !== true;
  const stays = options.stay ?? isTerminal;
  const afterwards = status ? 'kept' : stays ? 'stays' : 'ends';
  const kind = options.json ? 'json' : isTerminal ? 'live' : 'lines';
  const { stdout, env } = process;
  const output = {
    write: (text: string) => stdout.write(text),
    columns: () => stdout.columns ?? 80,
    rows: () => stdout.rows ?? 24,
  };
  const view = createView(kind, output, { hasColours: wantsColours(env, isTerminal), afterwards });
  const work = { scenario, peers };
  return status ? runInKeeper(status, work, view) : runAlone(options, work, view, stays);
}

async function runAlone(
  options: RunCommandOptions,
  work: RunOptions,
  view: View,
  stays: boolean,
): Promise<number> {
  const choice = await chooseNetwork(work.peers === 'real' ? 'namespaces' : options.network);
  const plane = await planeFor(work);
  const interrupted = whenInterrupted();
  const directory = new RunDirectory();
  let keepsLogs = true;
  let session: LabSession | undefined;
  try {
    view.listener({ event: 'network', ...choice });
    session = await LabSession.open({
      ...{ network: choice.kind, directory: directory.path, seed: options.seed, pagePort: options.pagePort },
      ...plane,
    });
    const exitCode = await Promise.race([runIn(session, work, view), interrupted]);
    if (exitCode !== 'interrupted' && stays) await untilInterrupted(session, interrupted);
    keepsLogs = exitCode === EXIT_FAILED;
    return exitCode === 'interrupted' ? EXIT_INTERRUPTED : exitCode;
  } finally {
    view.close();
    await session?.close();
    if (options.keepLogs) directory.keep();
    if (keepsLogs || options.keepLogs) process.stderr.write(`logs: ${directory.path}\n`);
    else directory.remove();
  }
}

async function runIn(session: LabSession, work: RunOptions, view: View): Promise<number> {
  await session.start();
  let result: LabResult | undefined;
  await session.run(work, (event) => {
    result = resultIn(event) ?? result;
    view.listener(event);
  });
  return exitCodeOf(result);
}

/** @throws Error (rejects) where the lab ends by itself */
async function untilInterrupted(session: LabSession, interrupted: Promise<'interrupted'>): Promise<void> {
  const why = await Promise.race([interrupted, session.ended]);
  if (why !== 'interrupted') throw new Error(why);
}

/** Ctrl-C ends what is shown, not what runs in a lab that is another process'. */
async function runInKeeper(status: KeeperStatus, work: RunOptions, view: View): Promise<number> {
  const interrupted = whenInterrupted();
  const leaving = new AbortController();
  let result: LabResult | undefined;
  view.listener({ event: 'network', kind: status.network, reason: null });
  const asked = askKeeper(
    { ask: 'run', options: work },
    (event) => {
      result = resultIn(event) ?? result;
      view.listener(event);
    },
    leaving.signal,
  );
  const reply = await Promise.race([asked, interrupted]);
  view.close();
  if (reply === 'interrupted') {
    leaving.abort();
    process.stderr.write('the run goes on in the lab that is up (npm run lab -- down ends both)\n');
    return EXIT_INTERRUPTED;
  }
  if (reply?.say === 'done') return exitCodeOf(result);
  throw new Error(reply?.say === 'failed' ? reply.reason : 'the lab that was up has ended');
}

/**
 * What the lab has besides phones. With real peers one SIP proxy hands each call to one node, and a real collectd
 * hears of it soon.
 * @throws LabError (rejects) where programs are missing
 */
async function planeFor({
  peers,
  scenario,
}: RunOptions): Promise<Pick<SessionOptions, 'planeShape' | 'collectd'>> {
  if (peers === 'lab') return { planeShape: scenario.mediaPlane ? 'none' : 'pair' };
  const { whyNoRealPeers } = await import('../real/packages.ts');
  const { COLLECTD } = await import('../real/collectd.ts');
  const missing = await whyNoRealPeers();
  if (missing) throw new LabError(missing);
  return { planeShape: 'single', collectd: COLLECTD };
}

/** A file of the user's own, or one of the lab's by its name. */
function scenarioFile(scenario: string): string {
  return /[./\\]/.test(scenario) ? scenario : projectFile(`lab/scenarios/${scenario}.yaml`);
}

function resultIn(event: LabEvent): LabResult | undefined {
  return event.event === 'end' ? event.result : undefined;
}

function exitCodeOf(result: LabResult | undefined): number {
  return result?.problems.length === 0 ? EXIT_FINE : EXIT_FAILED;
}
