/** One process of the lab's command line, while it runs and when it has ended. */
import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { connect } from 'node:net';
import type { ProcessEnd } from '../processes.ts';

export class LabRun {
  readonly ended: Promise<ProcessEnd>;
  readonly #child: ChildProcess;
  #output = '';
  #errors = '';
  #end: ProcessEnd | undefined;
  /** Emits `change` when there is more output, or the end. */
  readonly #news = new EventEmitter();

  /** @param input whether it has a standard input, for `press` */
  constructor(commandLine: readonly string[], env: NodeJS.ProcessEnv, input: 'ignore' | 'pipe') {
    const [command = '', ...args] = commandLine;
    const child = spawn(command, args, { env, stdio: [input, 'pipe', 'pipe'] });
    this.#child = child;
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#output += text;
      this.#news.emit('change');
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#errors += text;
      this.#news.emit('change');
    });
    child.stdin?.on('error', () => {}); // it has ended, which is what is looked at
    const killWithSuite = (): void => void child.kill('SIGKILL');
    process.once('exit', killWithSuite);
    this.ended = new Promise<ProcessEnd>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (exitCode, signal) => {
        process.removeListener('exit', killWithSuite);
        this.#end = { exitCode, signal };
        resolve(this.#end);
        this.#news.emit('change');
      });
    });
  }

  /** Standard output so far. */
  get output(): string {
    return this.#output;
  }

  /** Standard error so far. */
  get errors(): string {
    return this.#errors;
  }

  /** Of the status pages, as the output names it, also in JSON; undefined: not yet, or there are none. */
  get pageUrl(): string | undefined {
    return /http:\/\/127\.0\.0\.1:\d+/.exec(this.#output)?.[0];
  }

  /** Resolves when the output so far matches, or is what is wanted; rejects where it has ended without. */
  async shows(wanted: RegExp | ((output: string) => boolean)): Promise<void> {
    const isShown = (): boolean =>
      typeof wanted === 'function' ? wanted(this.#output) : wanted.test(this.#output);
    while (!isShown()) {
      if (this.#end) throw new Error(`ended without ${wanted}: ${this.#output}${this.#errors}`);
      await once(this.#news, 'change');
    }
  }

  /** Keys, where it runs in a terminal. */
  press(keys: string): void {
    this.#child.stdin?.write(keys);
  }
}

/** Whether anybody listens on a port of this machine. */
export function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
