/** `lab up`, `lab down`, `lab status`: a lab that stays up, and the process that keeps it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { askKeeper, type KeeperStatus, keep, keeperStatus } from '../keeper.ts';
import { chooseNetwork } from '../network/choose-network.ts';
import { RunDirectory } from '../run-directory.ts';
import { LabSession } from '../session.ts';
import { EXIT_FAILED, EXIT_FINE } from './exit-codes.ts';
import { whenInterrupted } from './interruption.ts';
import type { SharedOptions } from './options.ts';

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
  const [said] = (await Promise.race([once(keeper, 'message'), once(keeper, 'exit')])) as [unknown];
  if (typeof said !== 'object' || said === null) throw new Error('the lab did not come up');
  const start = said as KeeperStart;
  if ('failed' in start) throw new Error(start.failed);
  keeper.disconnect();
  keeper.unref();
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
  const tell = (start: KeeperStart): void => {
    if (process.connected) process.send?.(start);
  };
  const interrupted = whenInterrupted();
  const directory = new RunDirectory();
  try {
    const { kind: network } = await chooseNetwork(options.network);
    const { seed, pagePort } = options;
    const session = await LabSession.start({ network, directory, seed, pagePort, planeShape: 'pair' });
    await keep(session, directory.path, interrupted, () => tell({ isUp: true }));
    return EXIT_FINE;
  } catch (error) {
    tell({ failed: error instanceof Error ? error.message : String(error) });
    return EXIT_FAILED;
  } finally {
    directory.remove();
  }
}

export async function down(): Promise<number> {
  const reply = await askKeeper({ ask: 'down' });
  process.stdout.write(reply ? 'down\n' : 'no lab is up\n');
  return EXIT_FINE;
}

export async function status(): Promise<number> {
  const known = await keeperStatus();
  process.stdout.write(known ? `${statusText(known)}\n` : 'no lab is up\n');
  return known ? EXIT_FINE : EXIT_FAILED;
}

function statusText({ network, pageUrl, upSince, directory, isRunning }: KeeperStatus): string {
  const busy = isRunning ? ', running a scenario' : '';
  return `up since ${upSince} on the ${network} network${busy}; pages ${pageUrl}/, logs ${directory}`;
}
