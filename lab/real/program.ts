/** A program of others while it runs: what it says is kept and logged, and it takes its user's commands. */
import type { ChildProcess } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { endProcess } from '../end-process.ts';
import type { LabNetwork } from '../network/network.ts';
import type { PlaceName } from '../topology.ts';

/** What is read of a program is near its end; in characters. */
const OUTPUT_MAX = 400_000;
const STOP_MS_MAX = 3000;
/** Of what a program said last, in an error. */
const LINES_TOLD = 4;

/** A program that was started, here or in a place. */
export interface Program {
  /** Standard output and error so far. */
  output(): string;
  /** Undefined while it runs. */
  end(): unknown;
  /** Writes to its standard input. */
  write(text: string): void;
  stop(): Promise<unknown>;
}

/** Starts a program somewhere. */
export type StartProgram = (command: string, args: readonly string[]) => Program;

/** All of them, or none: where one does not start, those that have are stopped. */
export async function startAll<Started extends { stop(): Promise<unknown> }>(
  starting: readonly Promise<Started>[],
): Promise<Started[]> {
  const outcomes = await Promise.allSettled(starting);
  const started = outcomes.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  if (started.length < starting.length) await Promise.all(started.map((one) => one.stop()));
  return Promise.all(starting);
}

/** @param logFile gets all that the programs started with it say */
export function programsIn(network: LabNetwork, place: PlaceName, logFile: string): StartProgram {
  return (command, args) => {
    const child = network.startCommand(place, command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    return new PlaceProgram(command, child, logFile);
  };
}

class PlaceProgram implements Program {
  readonly #child: ChildProcess;
  readonly #closed: Promise<void>;
  #output = '';
  #end: string | undefined;

  constructor(command: string, child: ChildProcess, logFile: string) {
    this.#child = child;
    const log = createWriteStream(logFile, { flags: 'a' });
    const collect = (text: string): void => {
      this.#output = (this.#output + text).slice(-OUTPUT_MAX);
      log.write(text);
    };
    child.stdout?.setEncoding('utf8').on('data', collect);
    child.stderr?.setEncoding('utf8').on('data', collect);
    // It ended before it read all: its end tells more.
    child.stdin?.on('error', () => {});
    child.once('error', (error) => {
      this.#end = `${command}: ${error.message}`;
    });
    this.#closed = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        this.#end ??= signal ?? `exit code ${code}`;
        log.end();
        resolve();
      });
    });
  }

  output(): string {
    return this.#output;
  }

  end(): string | undefined {
    return this.#end;
  }

  write(text: string): void {
    this.#child.stdin?.write(text);
  }

  /** Its last words are part of the output then. */
  async stop(): Promise<void> {
    await endProcess(this.#child, STOP_MS_MAX);
    await this.#closed;
  }
}

/** What a program said last, in one line. */
export function lastWords(output: string): string {
  const lines = plainText(output)
    .split('\n')
    .map((line) => line.trim());
  return lines
    .filter((line) => line !== '')
    .slice(-LINES_TOLD)
    .join(' | ');
}

/** Without colours and other control sequences. */
export function plainText(output: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return output.replace(/\u001b\[[0-9;]*[A-Za-z]/g, '').replaceAll('\r', '\n');
}
