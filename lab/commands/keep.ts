/** `lab up`, `lab down`, `lab status`: a lab that stays up, and the process that keeps it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { askKeeper, type KeeperStatus, keep, keeperStatus } from '../keeper.ts';
import { errorLine } from '../lab-error.ts';
import { chooseNetwork } from '../network/choose-network.ts';
import { isRunning, RunDirectory } from '../run-directory.ts';
import { LabSession } from '../session.ts';
import { EXIT_FAILED, EXIT_FINE, EXIT_INTERRUPTED } from './exit-codes.ts';
import { whenInterrupted } from './interruption.ts';
import type { SharedOptions } from './options.ts';

/** A keeper that is done removes a folder, and ends. */
const END_MS_MAX = 5000;
const POLL_MS = 20;

/** What a keeper says to the one who started it. */
type KeeperStart = { readonly isUp: true } | { readonly failed: string };

/** @param script the lab's own, which is run again as the keeper */
export async function up(options: SharedOptions, script: string): Promise<number> {
  const known = await keeperStatus();
  if (known) {
    process.stdout.write(`up already: ${statusText(known)}\n`);
    return EXIT_FINE;
  }
  const { kind, reason } = await chooseNetwork(options.network);
  const port = options.pagePort === undefined ? [] : ['--page-port', String(options.pagePort)];
  const args = ['keep', '--network', kind, '--seed', String(options.seed), ...port];
  const keeper = spawn(process.execPath, [script, ...args], {
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  try {
    const [said] = (await Promise.race([once(keeper, 'message'), once(keeper, 'exit')])) as [unknown];
    if (typeof said !== 'object' || said === null) throw new Error('the lab did not come up');
    const start = said as KeeperStart;
    if ('failed' in start) throw new Error(start.failed);
  } finally {
    if (keeper.connected) keeper.disconnect();
    keeper.unref();
  }
  const status = await keeperStatus();
  if (!status) throw new Error('the lab came up and has ended');
  const why = reason === null ? '' : ` (${reason})`;
  process.stdout.write(
    `${statusText(status)}${why}\nnpm run lab runs its calls in it; npm run lab -- down ends it\n`,
  );
  return EXIT_FINE;
}

/** What `up` leaves behind. */
export async function keepUp(options: SharedOptions): Promise<number> {
  let isUp = false;
  const tell = (start: KeeperStart): void => {
    // Who started it may have gone.
    if (process.connected) process.send?.(start, () => {});
  };
  const forsaken = new Promise<'interrupted'>((resolve) => {
    process.once('disconnect', () => !isUp && resolve('interrupted'));
    process.channel?.unref(); // listening alone must not keep this process
  });
  const interrupted = Promise.race([whenInterrupted(), forsaken]);
  const directory = new RunDirectory();
  let session: LabSession | undefined;
  let keepsLogs = false;
  try {
    const { kind: network } = await chooseNetwork(options.network);
    const { seed, pagePort } = options;
    const { path } = directory;
    session = await LabSession.open({ network, directory: path, seed, pagePort, planeShape: 'pair' });
    if ((await Promise.race([session.start(), interrupted])) === 'interrupted') return EXIT_INTERRUPTED;
    const listening = (): void => {
      isUp = true;
      tell({ isUp });
    };
    await keep({ session, directory: path, interrupted, listening });
    return EXIT_FINE;
  } catch (error) {
    tell({ failed: errorLine(error) });
    // They say why a lab that was up has ended; the next lab removes them.
    keepsLogs = isUp;
    return EXIT_FAILED;
  } finally {
    await session?.close();
    if (!keepsLogs) directory.remove();
  }
}

export async function down(): Promise<number> {
  const known = await keeperStatus();
  if (known) {
    await askKeeper({ ask: 'down' });
    await untilEnded(known.pid);
  }
  process.stdout.write(known ? 'down\n' : 'no lab is up\n');
  return EXIT_FINE;
}

/** The keeper answers when the lab is down, and has its own files to remove then. */
async function untilEnded(pid: number): Promise<void> {
  const deadlineMs = performance.now() + END_MS_MAX;
  while (isRunning(pid) && performance.now() < deadlineMs) await delay(POLL_MS);
}

export async function status(): Promise<number> {
  const known = await keeperStatus();
  process.stdout.write(known ? `${statusText(known)}\n` : 'no lab is up\n');
  return known ? EXIT_FINE : EXIT_FAILED;
}

function statusText({ network, pageUrl, upSince, directory, isRunning: isBusy }: KeeperStatus): string {
  const busy = isBusy ? ', running a scenario' : '';
  return `up since ${upSince} on the ${network} network${busy}; pages ${pageUrl}/, logs ${directory}`;
}
