/** Child processes of the interop suite: run one to its end, or keep one in the background. */
import { type ChildProcess, spawn } from 'node:child_process';

/** Output kept of a process, in characters; what is older is dropped. */
const OUTPUT_CHARACTERS_MAX = 400_000;

/** How long a process may take to end after SIGTERM before it is killed and the stop has failed. */
const STOP_TIMEOUT_MS = 10_000;

/** How a process ended. Exactly one of `exitCode` and `signal` is set. */
export interface ProcessEnd {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A process that ran to its end. `output` is standard output and error, interleaved. */
export interface FinishedRun extends ProcessEnd {
  readonly commandLine: string;
  readonly output: string;
  readonly timedOut: boolean;
}

export interface ProcessOptions {
  /** Variables on top of the suite's own environment. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly workingDirectory?: string;
  /** Its standard input; `write()` may add to that of a background process. Without it there is none. */
  readonly input?: string;
}

/** A process that runs until it is stopped. */
export interface BackgroundProcess {
  readonly commandLine: string;
  /** Standard output and error so far. */
  output(): string;
  /** How it ended; undefined while it runs. */
  end(): ProcessEnd | undefined;
  /** Writes to its standard input; only where the options have `input`. */
  write(text: string): void;
  /**
   * Sends SIGTERM and waits for the end.
   * @throws Error when it had ended before, or did not end within 10 s (it is killed then)
   */
  stop(): Promise<ProcessEnd>;
}

/** Runs a command to its end; killed, and `timedOut` set, after `timeoutMs`. Never rejects for an exit code. */
export async function run(
  command: string,
  args: readonly string[],
  timeoutMs: number,
  options: ProcessOptions = {},
): Promise<FinishedRun> {
  const started = start(command, args, options);
  started.child.stdin?.end();
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    started.child.kill('SIGKILL');
  }, timeoutMs);
  const end = await started.ended;
  clearTimeout(timer);
  return { ...end, commandLine: started.commandLine, output: started.output(), timedOut };
}

/** Starts a command that `stop()` ends. It does not outlive the suite, however that ends. */
export function startBackground(
  command: string,
  args: readonly string[],
  options: ProcessOptions = {},
): BackgroundProcess {
  const started = start(command, args, options);
  let end: ProcessEnd | undefined;
  void started.ended.then((result) => {
    end = result;
  });
  return {
    commandLine: started.commandLine,
    output: started.output,
    end: () => end,
    write(text): void {
      if (started.child.stdin === null) throw new Error(`${started.commandLine}: started without input`);
      started.child.stdin.write(text);
    },
    async stop(): Promise<ProcessEnd> {
      if (end !== undefined) {
        throw new Error(`${started.commandLine}: ended before it was stopped, ${describeEnd(end)}`);
      }
      started.child.kill('SIGTERM');
      let killed = false;
      const timer = setTimeout(() => {
        killed = true;
        started.child.kill('SIGKILL');
      }, STOP_TIMEOUT_MS);
      const result = await started.ended;
      clearTimeout(timer);
      if (killed) throw new Error(`${started.commandLine}: still ran ${STOP_TIMEOUT_MS} ms after SIGTERM`);
      return result;
    },
  };
}

/** "exit code 1" or "signal SIGSEGV". */
export function describeEnd(end: ProcessEnd): string {
  return end.signal === null ? `exit code ${end.exitCode}` : `signal ${end.signal}`;
}

/** The last `lines` lines of a text. */
export function tail(text: string, lines: number): string {
  return text.trimEnd().split('\n').slice(-lines).join('\n');
}

interface StartedProcess {
  readonly child: ChildProcess;
  readonly commandLine: string;
  readonly ended: Promise<ProcessEnd>;
  output(): string;
}

function start(command: string, args: readonly string[], options: ProcessOptions): StartedProcess {
  const child: ChildProcess = spawn(command, args, {
    stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...options.environment },
    ...(options.workingDirectory === undefined ? {} : { cwd: options.workingDirectory }),
  });
  let output = '';
  const collect = (chunk: string): void => {
    output = (output + chunk).slice(-OUTPUT_CHARACTERS_MAX);
  };
  child.stdout?.setEncoding('utf8').on('data', collect);
  child.stderr?.setEncoding('utf8').on('data', collect);
  child.stdin?.on('error', () => undefined); // it ended before it read all: its end tells more
  if (options.input !== undefined) child.stdin?.write(options.input);

  const killWithSuite = (): void => void child.kill('SIGKILL');
  process.once('exit', killWithSuite);
  const ended = new Promise<ProcessEnd>((resolve) => {
    // 'close' rather than 'exit': all output has been read by then.
    child.once('close', (exitCode, signal) => resolve({ exitCode, signal }));
    child.once('error', (error) => {
      collect(`${command}: ${error.message}\n`);
      if (child.pid === undefined) resolve({ exitCode: 127, signal: null });
    });
  }).finally(() => process.removeListener('exit', killWithSuite));
  return { child, commandLine: [command, ...args].join(' '), ended, output: () => output };
}
