/** Call detail records, one JSON object a line, in a bounded number of files: `cdr.jsonl`, then `cdr.1.jsonl`, … */
import { type FileHandle, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { CallRecord } from '../metrics/call-record.ts';
import { callDetailRecord } from '../metrics/cdr.ts';
import { LineBatches } from './metrics-batches.ts';

const FILE_NAME = 'cdr.jsonl';
const LINE_FEED = 0x0a;

export interface CdrFilesOptions {
  readonly directory: string;
  /** Files that are kept, the one that grows included; 0: no records are written. */
  readonly files: number;
  /** A file that would grow beyond it is followed by another. */
  readonly fileBytes: number;
  readonly log: Logger;
}

export class CdrFiles {
  readonly #options: CdrFilesOptions;
  readonly #batches: LineBatches;
  #file: FileHandle | undefined;
  #sizeBytes = 0;
  #recordsLost = 0;
  #isFailing = false;

  constructor(options: CdrFilesOptions) {
    this.#options = options;
    this.#batches = new LineBatches({
      write: (lines) => this.#write(lines),
      failed: (error, lines) => this.#failed(error, lines),
    });
  }

  /** Records of writes that failed; a few of them may have got through. */
  get recordsLost(): number {
    return this.#recordsLost;
  }

  /** @param nowMs Unix time, milliseconds */
  add(call: CallRecord, nowMs: number): void {
    if (this.#options.files > 0) this.#batches.add(JSON.stringify(callDetailRecord(call, nowMs)));
  }

  /** Resolves when what was added before is written, or could not be. */
  flush(): Promise<void> {
    return this.#batches.flush();
  }

  async close(): Promise<void> {
    await this.#batches.flush();
    await this.#closeFile();
  }

  async #write(lines: readonly string[]): Promise<void> {
    const { fileBytes } = this.#options;
    let part: string[] = [];
    let partBytes = 0;
    for (const line of lines) {
      const text = `${line}\n`;
      const textBytes = Buffer.byteLength(text);
      this.#file ??= await this.#open();
      const sizeBytes = this.#sizeBytes + partBytes;
      if (sizeBytes > 0 && sizeBytes + textBytes > fileBytes) {
        await this.#append(part, partBytes);
        part = [];
        partBytes = 0;
        await this.#rotate();
      }
      part.push(text);
      partBytes += textBytes;
    }
    this.#file ??= await this.#open();
    await this.#append(part, partBytes);
    if (this.#isFailing) this.#options.log.info('call detail records are written again');
    this.#isFailing = false;
  }

  async #append(texts: readonly string[], sizeBytes: number): Promise<void> {
    if (sizeBytes === 0) return;
    await this.#file?.appendFile(texts.join(''));
    this.#sizeBytes += sizeBytes;
  }

  async #open(): Promise<FileHandle> {
    const { directory } = this.#options;
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const file = await open(join(directory, FILE_NAME), 'a+', 0o600);
    try {
      const { size } = await file.stat();
      this.#sizeBytes = size;
      // Half a line, from a crash or a full disk, must not swallow the record behind it.
      if (size > 0 && (await lastByte(file, size)) !== LINE_FEED) {
        await file.appendFile('\n');
        this.#sizeBytes++;
      }
      return file;
    } catch (error) {
      await file.close().catch(() => undefined);
      throw error;
    }
  }

  /** Every file moves on by one; those beyond the number of files go, also of a larger number before. */
  async #rotate(): Promise<void> {
    const { directory, files } = this.#options;
    await this.#closeFile();
    for (const name of await readdir(directory)) {
      const number = Number(/^cdr\.(\d+)\.jsonl$/.exec(name)?.[1] ?? -1);
      if (number >= files) await rm(join(directory, name));
    }
    for (let number = files - 1; number >= 1; number--) {
      const from = number === 1 ? FILE_NAME : `cdr.${number - 1}.jsonl`;
      await renameIfThere(join(directory, from), join(directory, `cdr.${number}.jsonl`));
    }
    if (files === 1) await rm(join(directory, FILE_NAME), { force: true });
  }

  async #closeFile(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close().catch(() => undefined);
  }

  #failed(error: Error, lines: readonly string[]): void {
    this.#recordsLost += lines.length;
    if (!this.#isFailing) this.#options.log.warn(`call detail records are lost: ${error.message}`);
    this.#isFailing = true;
    void this.#closeFile(); // and look at its end again
  }
}

async function lastByte(file: FileHandle, sizeBytes: number): Promise<number | undefined> {
  const { buffer } = await file.read({ buffer: Buffer.alloc(1), position: sizeBytes - 1 });
  return buffer[0];
}

async function renameIfThere(from: string, to: string): Promise<void> {
  await rename(from, to).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
}
