/** What the `bench` commands share: option values, progress, and where the result goes. */
import { lookup } from 'node:dns/promises';
import { writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { InvalidArgumentError } from 'commander';
import { renderProgress } from '../bench/load-report.ts';
import { LoadError, type RunProgress } from '../bench/load-run.ts';
import type { LoadThread } from '../bench/load-thread.ts';

export const EXIT_USAGE = 2;
export const PACKETS_PER_SECOND_MAX = 10_000_000;
export const SECONDS_MAX = 86_400;
export const PROCESS_ID_MAX: number = 2 ** 22;

/** Said by every `bench` command's help. */
export const EXIT_CODES_HELP =
  '\nExit code: 0 measured (whether the figures count is in the table and the JSON), 1 failed or interrupted, 2 wrong usage.';
export const JSON_HELP = 'write the result as JSON (-: to standard output, and the table to standard error)';

export interface Host {
  readonly host: string;
  readonly port: number;
}

/**
 * Waits for a run with progress on standard error, and prints its result; SIGINT and SIGTERM end it cleanly.
 * `givenBack`: what an interrupted run has done with the server's resources.
 * @throws LoadError if it failed or was interrupted, the latter with the result printed.
 */
export async function attend<Result extends { readonly interrupted: boolean }>(
  start: (progress: (progress: RunProgress) => void) => LoadThread<Result>,
  render: (result: Result) => string,
  json: string | undefined,
  givenBack: string,
): Promise<void> {
  const progress = new ProgressLine(process.stderr);
  const thread = start((state) => progress.show(state));
  const stop = (): void => thread.stop();
  // Once more ends the process as usual: what it had of the server then lives on until it expires.
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  try {
    const result = await thread.result;
    progress.clear();
    writeResult(result, render(result), json);
    if (result.interrupted) throw new LoadError(`interrupted; ${givenBack}`);
  } finally {
    progress.clear();
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
}

function writeResult(result: unknown, table: string, json: string | undefined): void {
  const text = `${JSON.stringify(result, null, 2)}\n`;
  if (json === '-') {
    process.stderr.write(table);
    process.stdout.write(text);
    return;
  }
  process.stdout.write(table);
  if (json !== undefined) writeFileSync(json, text);
}

/** On a terminal one line that is written over, elsewhere a line a second. */
class ProgressLine {
  readonly #stream: NodeJS.WriteStream;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
  }

  show(state: RunProgress): void {
    const text = renderProgress(state);
    if (this.#stream.isTTY) this.#stream.write(`\r\x1b[K${text.slice(0, this.#stream.columns - 1)}`);
    else this.#stream.write(`${text}\n`);
  }

  clear(): void {
    if (this.#stream.isTTY) this.#stream.write('\r\x1b[K');
  }
}

/** Reads `host`, `host:port`, `[v6]:port` or a bare IPv6 address. */
export function parseHost(portDefault: number): (text: string) => Host {
  return (text) => {
    if (isIP(text) === 6) return { host: text, port: portDefault };
    const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text);
    const host = match?.[1] ?? match?.[2] ?? '';
    const port = match?.[3] === undefined ? portDefault : Number(match[3]);
    if (host === '' || (match?.[1] !== undefined && isIP(host) !== 6)) {
      throw new InvalidArgumentError('must be host:port, [IPv6]:port or a host.');
    }
    if (port < 1 || port > 65_535) throw new InvalidArgumentError('the port must be 1 to 65535.');
    return { host, port };
  };
}

export function parseIp(text: string): string {
  if (isIP(text) === 0) throw new InvalidArgumentError('must be an IP address.');
  return text;
}

export function integerIn(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most) {
      throw new InvalidArgumentError(`must be a whole number from ${least} to ${most}.`);
    }
    return value;
  };
}

/** @throws LoadError if the name has no address. */
export async function resolveHost(host: string): Promise<string> {
  if (isIP(host) !== 0) return host;
  try {
    return (await lookup(host)).address;
  } catch (error) {
    throw new LoadError(`cannot resolve ${host}: ${(error as NodeJS.ErrnoException).code ?? error}`);
  }
}
