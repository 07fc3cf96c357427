/** The system's programs that make the network: where they are, and how one is run to its end. */
import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { join } from 'node:path';

/** An ordinary user's PATH often lacks the places of `ip` and `nft`. */
export const PROGRAM_PATH: string = [process.env.PATH, '/usr/local/sbin', '/usr/sbin', '/sbin']
  .filter((directory) => directory !== undefined && directory !== '')
  .join(':');

/** The lab's own environment, with a PATH that has the programs. */
export function programEnvironment(more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  return { ...process.env, PATH: PROGRAM_PATH, ...more };
}

export function hasProgram(name: string): boolean {
  return PROGRAM_PATH.split(':').some((directory) => isProgram(join(directory, name)));
}

export interface ProgramRun {
  readonly command: string;
  readonly args: readonly string[];
  /** Its standard input. */
  readonly input: string;
}

/** Rejects with one line where the program fails: its name, and what it said. */
export async function runProgram(run: ProgramRun): Promise<void> {
  const child = spawn(run.command, run.args, {
    env: programEnvironment(),
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  const said = collect(child);
  // A program that fails at once may not read its input.
  child.stdin.on('error', () => {});
  child.stdin.end(run.input);
  const end = await ended(child);
  if (end !== 0) throw new Error(`${[run.command, ...run.args].join(' ')}: ${oneLine(said()) || end}`);
}

/** Collects standard error from now on. */
export function collect(child: ChildProcess): () => string {
  let text = '';
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  return () => text;
}

/** Resolves when the process has ended and its output was read: 0, or what went wrong. */
export function ended(child: ChildProcess): Promise<0 | string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(code === 0 ? 0 : (signal ?? `exit code ${code}`)));
  });
}

export function oneLine(text: string): string {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .join('; ');
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
