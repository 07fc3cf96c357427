/** The lab's end of the channel to a process of phones. */
import type { ChildProcess } from 'node:child_process';
import type { PhoneAnswer, PhoneCommand, PhoneCommands, PhoneQuestion } from '../phone/protocol.ts';

/** Gathering takes seconds where UDP is blocked. */
const ANSWER_MS_MAX = 30_000;
const END_MS_MAX = 2000;
/** Of what the process has said last, for errors. */
const STDERR_CHARACTERS_MAX = 2000;

interface Asked {
  resolve(answer: PhoneCommands[PhoneCommand]['answer']): void;
  reject(error: Error): void;
}

export class PhoneHost {
  readonly #process: ChildProcess;
  readonly #asked = new Map<number, Asked>();
  #nextId = 1;
  #stderr = '';
  /** Why it cannot be asked any more. */
  #end: string | undefined;

  /** @param process `phone-host.js` with an IPC channel */
  constructor(process: ChildProcess) {
    this.#process = process;
    process.stderr?.on('data', (text) => {
      this.#stderr = (this.#stderr + String(text)).slice(-STDERR_CHARACTERS_MAX);
    });
    process.on('message', (message) => this.#answered(message as PhoneAnswer));
    process.on('error', (error) => this.#ended(error.message));
    process.on('exit', (code, signal) => this.#ended(`it ended with ${signal ?? code}`));
    process.on('disconnect', () => this.#ended('its channel is closed'));
  }

  /** It cannot be asked any more. */
  get hasEnded(): boolean {
    return this.#end !== undefined;
  }

  /** @throws Error (rejects) with one line: what the phone says, that it is silent, or that its process is gone */
  async ask<Command extends PhoneCommand>(
    phone: string,
    command: Command,
    question: PhoneCommands[Command]['question'],
  ): Promise<PhoneCommands[Command]['answer']> {
    if (this.#end !== undefined) throw new Error(this.#gone());
    const id = this.#nextId++;
    const asked: PhoneQuestion = { id, phone, command, question };
    let timer: NodeJS.Timeout | undefined;
    try {
      return (await new Promise<PhoneCommands[PhoneCommand]['answer']>((resolve, reject) => {
        this.#asked.set(id, { resolve, reject });
        const late = (): void => reject(new Error(`no answer within ${ANSWER_MS_MAX} ms`));
        timer = setTimeout(late, ANSWER_MS_MAX);
        this.#process.send(asked, (error) => {
          if (error) reject(error);
        });
      })) as PhoneCommands[Command]['answer'];
    } catch (error) {
      throw new Error(`phone ${phone}, ${command}: ${(error as Error).message}`);
    } finally {
      clearTimeout(timer);
      this.#asked.delete(id);
    }
  }

  /** Ends the process, and all calls of its phones with it. */
  async close(): Promise<void> {
    const child = this.#process;
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    const timer = setTimeout(() => child.kill('SIGKILL'), END_MS_MAX);
    if (child.connected) child.disconnect();
    await exited;
    clearTimeout(timer);
  }

  #answered(message: PhoneAnswer): void {
    const asked = this.#asked.get(message.id);
    if ('error' in message) asked?.reject(new Error(message.error));
    else asked?.resolve(message.answer);
  }

  #ended(reason: string): void {
    this.#end ??= reason;
    for (const { reject } of this.#asked.values()) reject(new Error(this.#gone()));
  }

  #gone(): string {
    const last = this.#stderr.trim().split('\n').at(-1);
    return `the process of the phones is gone: ${this.#end}${last ? ` (${last})` : ''}`;
  }
}
