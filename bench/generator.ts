/** Runs the load generator of the command line, in a process of its own, and collects its results. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { pinned } from './servers.ts';

/** Beyond the run itself: setting up, draining, giving back. */
const OVERHEAD_SECONDS_MAX = 60;

/**
 * Runs `causeway bench …` with these parameters for about `seconds`; `what` names the run in an error.
 * @throws Error if the run failed.
 */
export async function runGenerator<Result>(
  what: string,
  seconds: number,
  parameters: readonly (string | number)[],
): Promise<Result> {
  const command = pinned('generator', [
    ...[process.execPath, 'dist/main.js', 'bench', ...parameters.map(String), '--json', '-'],
  ]);
  const child = spawn(command[0] as string, command.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), (seconds + OVERHEAD_SECONDS_MAX) * 1000);
  const [exitCode] = (await once(child, 'close')) as [number | null];
  clearTimeout(timer);
  if (exitCode !== 0) throw new Error(`the generator on ${what} failed: ${errors.slice(-500)}`);
  return JSON.parse(output) as Result;
}
