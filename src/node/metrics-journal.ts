/**
 * The file of the metrics: lines are appended as things happen, and the whole state is written anew, beside the
 * old one and put in its place by a rename, when the appended lines outweigh it and whenever a write went wrong.
 * A crash leaves the old file or the new one, and at worst half a line at its end.
 */

import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { type FileHandle, mkdir, open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { type ReadState, readState } from '../metrics/saved-state.ts';
import { LineBatches } from './metrics-batches.ts';

const FILE_NAME = 'metrics.jsonl';
/** What could not be read at a start; replaced by the next start that meets such a thing. */
const ASIDE_NAME = 'metrics.unreadable.jsonl';

/** Appended bytes that are always allowed before the state is written anew. */
const APPENDED_BYTES_MIN = 1_048_576;
const RETRY_MS = 10_000;

export interface MetricsJournalOptions {
  readonly directory: string;
  /** Lines that stand for everything added so far. */
  readonly wholeState: () => string[];
  readonly log: Logger;
}

export class MetricsJournal {
  readonly #options: MetricsJournalOptions;
  readonly #batches: LineBatches;
  #file: FileHandle | undefined; // undefined: the whole state must be written first
  #stateBytes = 0;
  #appendedBytes = 0;
  #retry: NodeJS.Timeout | undefined;
  #isFailing = false;
  #failures = 0;

  /** Touches nothing yet: the file is made, or replaced, when the first line is added. */
  constructor(options: MetricsJournalOptions) {
    this.#options = options;
    this.#batches = new LineBatches({
      write: (lines) => this.#write(lines),
      failed: (error) => this.#failed(error),
    });
  }

  /** Writes that went wrong. Nothing is lost by one if a later one succeeds. */
  get failures(): number {
    return this.#failures;
  }

  /** Whether the file is there and holds what was added. */
  get isOpen(): boolean {
    return this.#file !== undefined;
  }

  /** The caller's state must hold already what the line tells. */
  append(line: string): void {
    this.#batches.add(line);
  }

  /** Writes the whole state, soon. */
  rewrite(): void {
    this.#stateBytes = 0;
    this.#appendedBytes = Number.POSITIVE_INFINITY;
    this.#batches.wake();
  }

  /** Resolves when what was added before is on the disk, or could not be written. */
  flush(): Promise<void> {
    return this.#batches.flush();
  }

  async close(): Promise<void> {
    await this.#batches.flush();
    clearTimeout(this.#retry);
    await this.#file?.close().catch(() => undefined);
    this.#file = undefined;
  }

  async #write(lines: readonly string[]): Promise<void> {
    if (this.#file && this.#appendedBytes <= Math.max(APPENDED_BYTES_MIN, this.#stateBytes)) {
      if (lines.length === 0) return;
      this.#appendedBytes += await writeLines(this.#file, lines);
    } else {
      await this.#writeState(this.#options.wholeState()); // the lines are part of it
    }
    this.#succeeded();
  }

  /** @param lines made in the same turn as the batch began: lines added later come after them */
  async #writeState(lines: readonly string[]): Promise<void> {
    const { directory } = this.#options;
    const name = join(directory, FILE_NAME);
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const file = await open(`${name}.new`, 'w', 0o600);
    try {
      const bytes = await writeLines(file, lines);
      await rename(`${name}.new`, name);
      await syncDirectory(directory);
      await this.#file?.close().catch(() => undefined);
      this.#file = file;
      this.#stateBytes = bytes;
      this.#appendedBytes = 0;
    } catch (error) {
      await file.close().catch(() => undefined);
      throw error;
    }
  }

  #failed(error: Error): void {
    this.#failures++;
    // The end of the file may be half a line, and lines are missing: only the whole state is sound again.
    this.#appendedBytes = Number.POSITIVE_INFINITY;
    if (!this.#isFailing) {
      this.#options.log.warn(
        `metrics cannot be written to ${this.#options.directory} (${error.message}): tried again every ${RETRY_MS / 1000} s`,
      );
    }
    this.#isFailing = true;
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#batches.wake(), RETRY_MS).unref();
  }

  #succeeded(): void {
    if (this.#isFailing) this.#options.log.info(`metrics are written to ${this.#options.directory} again`);
    this.#isFailing = false;
  }
}

/**
 * The state that a run before left in the directory; empty where there was none. What cannot be read is moved
 * aside and told in one warning; it never stops a start.
 */
export function readMetrics(directory: string, log: Logger): ReadState {
  const name = join(directory, FILE_NAME);
  const aside = join(directory, ASIDE_NAME);
  try {
    const state = readState(readFileSync(name, 'utf8'));
    if (state.unreadable.length > 0) {
      const isKept = attempt(() => writeFileSync(aside, `${state.unreadable.join('\n')}\n`, { mode: 0o600 }));
      log.warn(
        `${name}: ${state.unreadable.length} lines could not be read and were ${isKept ? `moved to ${aside}` : 'left out'}`,
      );
    }
    return state;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // Nothing to read, or no directory to read it from: that shows when something is to be written.
    if (code !== 'ENOENT' && code !== 'ENOTDIR') {
      const isKept = attempt(() => renameSync(name, aside));
      log.warn(
        `${name}: could not be read (${code ?? message})${isKept ? ` and was moved to ${aside}` : ''}: metrics begin anew`,
      );
    }
    return { intervals: [], calls: [], unreadable: [] };
  }
}

/** Bytes that were written, and are on the disk. */
async function writeLines(file: FileHandle, lines: readonly string[]): Promise<number> {
  const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
  await file.appendFile(bytes);
  await file.datasync();
  return bytes.length;
}

/** Makes a rename last; where directories cannot be synchronized (Windows) it may be a few seconds late. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r').catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close().catch(() => undefined);
}

function attempt(action: () => void): boolean {
  try {
    action();
    return true;
  } catch {
    return false;
  }
}
