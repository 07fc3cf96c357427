/**
 * The lab: real peers in network namespaces, behind NATs. It lies beside the checkout (CAUSEWAY_SHARED,
 * else ../shared) and needs root.
 */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PROJECT_DIRECTORY } from './harness.ts';
import { describeEnd, type FinishedRun, run, tail } from './processes.ts';

export const LAB_DIRECTORY: string = join(
  process.env.CAUSEWAY_SHARED ?? resolve(PROJECT_DIRECTORY, '../shared'),
  'lab',
);

/** Namespaces of the suite's own: a lab that someone else has up is left alone. */
const PREFIX = 'causeway-lab-';

const DOWN_TIMEOUT_MS = 20_000;

/**
 * A `describe` of what needs the lab. Where it cannot run it is skipped with the reason in its title; on
 * CI (CI=true) that is a failure.
 */
export function describeInLab(title: string, tests: () => void): void {
  const whyNot = reasonAgainst();
  if (whyNot === undefined) describe(title, tests);
  else if (process.env.CI === 'true')
    it(title, () => expect.fail(`the lab must be able to run on CI: ${whyNot}`));
  else describe.skip(`${title} (${whyNot})`, tests);
}

/**
 * Runs one of the lab's scripts, with its logs, captures and recordings below `output`. What it leaves
 * behind when it is killed is removed.
 */
export async function runLab(
  script: string,
  args: readonly string[],
  timeoutMs: number,
  output: string,
  environment: Readonly<Record<string, string>>,
): Promise<FinishedRun> {
  const settings = { LAB_PREFIX: PREFIX, LAB_OUT: output };
  try {
    return await run(join(LAB_DIRECTORY, script), args, timeoutMs, {
      environment: { ...environment, ...settings },
      workingDirectory: PROJECT_DIRECTORY,
    });
  } finally {
    await run(join(LAB_DIRECTORY, 'lab'), ['down'], DOWN_TIMEOUT_MS, { environment: settings });
  }
}

/** What to read when a script did not pass: its output, and the end of a log below its output folder. */
export async function explainLab(result: FinishedRun, title: string, logFile: string): Promise<string> {
  const log = await run('tail', ['-n', '40', logFile], 5_000);
  return [
    `${result.commandLine}: ${result.timedOut ? 'timed out' : describeEnd(result)}`,
    tail(result.output, 60),
    `--- ${title}`,
    log.output,
  ].join('\n');
}

function reasonAgainst(): string | undefined {
  if (!existsSync(LAB_DIRECTORY)) return `no lab at ${LAB_DIRECTORY}`;
  return process.getuid?.() === 0 ? undefined : 'network namespaces need root';
}
