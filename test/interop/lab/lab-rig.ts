/**
 * The lab as its users run it: the compiled command line, as root or as an ordinary user, with a home and a temporary
 * folder of its own, so that runs do not meet. What is left of it can be seen.
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, type TestContext } from 'vitest';
import type { LabResult } from '../../../lab/events.ts';
import { PROJECT_DIRECTORY } from '../harness.ts';
import { isListening, LabRun } from './lab-run.ts';
import {
  AS_SELF,
  argumentsOf,
  isHeld,
  MARK,
  markedProcesses,
  networkOf,
  type User,
  until,
} from './namespaces-rig.ts';

const COMMAND = 'dist-lab/lab/main.js';
/** What the compiled lab needs of the project. */
const PROJECT_PARTS = ['package.json', 'dist', 'dist-lab', 'lab', 'node_modules'] as const;
/** Of AS_NOBODY. */
const NOBODY_ID = 65_534;
const SAMPLE_MS = 500;

export interface LabRigOptions {
  readonly user?: User;
  /** A command line that makes something impossible for the one that follows it. */
  readonly prefix?: readonly string[];
}

/** A rig of one test alone. */
export function newRig({ onTestFinished }: TestContext, options: LabRigOptions = {}): LabRig {
  const rig = new LabRig(options);
  onTestFinished(() => rig.remove());
  return rig;
}

let rigs = 0;

export class LabRig {
  /** Can be read by everybody; removed by `remove()`. */
  readonly directory: string;
  readonly #temporary: string;
  readonly #home: string;
  readonly #mark: string;
  readonly #commandLine: readonly string[];
  readonly #runs: LabRun[] = [];
  /**
   * Network namespaces that its processes have been seen in, without the suite's own, and an open file of each: so that
   * the kernel does not give the same name to another lab's.
   */
  readonly #networks = new Map<string, number>();
  readonly #sampling: NodeJS.Timeout;

  constructor({ user = AS_SELF, prefix = [] }: LabRigOptions = {}) {
    rigs += 1;
    this.#mark = `rig-${process.pid}-${rigs}`;
    this.directory = mkdtempSync(join(tmpdir(), 'causeway-lab-rig-'));
    chmodSync(this.directory, 0o755);
    this.#temporary = join(this.directory, 'tmp');
    this.#home = join(this.directory, 'home');
    for (const folder of [this.#temporary, this.#home]) {
      mkdirSync(folder);
      if (user.length > 0) chownSync(folder, NOBODY_ID, NOBODY_ID);
    }
    this.#commandLine = [...prefix, ...user, ...programFor(user, this.directory)];
    this.#sampling = setInterval(() => this.#sample(), SAMPLE_MS);
  }

  /** Starts `lab` with these arguments. */
  start(...args: readonly string[]): LabRun {
    return this.#start([...this.#commandLine, ...args], 'ignore');
  }

  /** The same in a terminal of this size, where keys can be pressed. */
  startInTerminal(columns: number, rows: number, ...args: readonly string[]): LabRun {
    const lab = [...this.#commandLine, ...args].map((part) => `'${part}'`).join(' ');
    // The shell outlives Ctrl-C, and says whether the lab has left the terminal as it was.
    const shell = `stty cols ${columns} rows ${rows}; trap : INT; before=$(stty -g); ${lab}; code=$?
      [ "$(stty -g)" = "$before" ] && echo 'the terminal is as before'; exit $code`;
    return this.#start(['script', '--quiet', '--return', '--command', shell, '/dev/null'], 'pipe');
  }

  /** Runs it to its end. */
  async run(...args: readonly string[]): Promise<LabRun> {
    const run = this.start(...args);
    await run.ended;
    return run;
  }

  /** Runs a scenario with `--json`: it has to end well and leave nothing. */
  async result(...args: readonly string[]): Promise<LabResult> {
    const run = await this.run('run', '--json', '--page-port', '0', ...args);
    expect(await run.ended, run.output + run.errors).toEqual({ exitCode: 0, signal: null });
    expect(run.errors).toBe('');
    await this.expectNothingLeft();
    return JSON.parse(run.output) as LabResult;
  }

  /** The name of a file that the lab can read. */
  file(name: string, text: string): string {
    const path = join(this.directory, name);
    writeFileSync(path, text, { mode: 0o644 });
    return path;
  }

  /** How many network namespaces besides its user's own the lab was seen in. */
  get networks(): number {
    return this.#networks.size;
  }

  /** Process ids, as the host knows them. */
  processes(): number[] {
    return markedProcesses(`${MARK}=${this.#mark}`);
  }

  /** The process of a command: `run`, or `keep`, which `up` leaves behind. */
  processOf(command: 'run' | 'keep'): number {
    const isIt = ([, script, first]: string[]): boolean =>
      script?.endsWith(COMMAND) === true && first === command;
    const [pid, ...more] = this.processes().filter((one) => isIt(argumentsOf(one)));
    if (pid === undefined || more.length > 0) throw new Error(`not one process of lab ${command}`);
    return pid;
  }

  /** What is in its temporary folder, and in the lab's within. */
  files(): string[] {
    return readdirSync(this.#temporary).flatMap((name) =>
      /^causeway-lab-\d+$/.test(name) ? readdirSync(join(this.#temporary, name)) : [name],
    );
  }

  /** Of a lab that has ended in order: at once. */
  async expectNothingLeft(): Promise<void> {
    expect(this.processes().map(argumentsOf)).toEqual([]);
    expect(this.files()).toEqual([]);
    await this.#expectNothingHeld();
  }

  /** Of one that was killed: as soon as the kernel, and who notices, have done the rest. Files may stay. */
  async untilNothingRuns(): Promise<void> {
    await until('all processes of the lab end', () => this.processes().length === 0);
    // One that ends has no environment any more before it leaves its namespace.
    await until('its namespaces go', () => !isHeld([...this.#networks.keys()]));
    await this.#expectNothingHeld();
  }

  /** Ends whatever a failed test has left. */
  async remove(): Promise<void> {
    clearInterval(this.#sampling);
    for (const pid of this.processes()) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended with the one before.
      }
    }
    await until('all processes of the lab are killed', () => this.processes().length === 0);
    for (const file of this.#networks.values()) closeSync(file);
    rmSync(this.directory, { recursive: true, force: true });
  }

  async #expectNothingHeld(): Promise<void> {
    expect(isHeld([...this.#networks.keys()])).toBe(false);
    expect(readdirSync(this.#home)).toEqual([]);
    for (const { pageUrl } of this.#runs) {
      if (pageUrl) expect(await isListening(Number(new URL(pageUrl).port))).toBe(false);
    }
  }

  #start(commandLine: readonly string[], input: 'ignore' | 'pipe'): LabRun {
    const env = { ...process.env, [MARK]: this.#mark, TMPDIR: this.#temporary, HOME: this.#home };
    const run = new LabRun(commandLine, env, input);
    this.#runs.push(run);
    return run;
  }

  #sample(): void {
    const own = networkOf('self');
    for (const pid of this.processes()) {
      const network = networkOf(pid);
      if (network === '' || network === own || this.#networks.has(network)) continue;
      try {
        this.#networks.set(network, openSync(`/proc/${pid}/ns/net`, 'r'));
      } catch {
        // It has just ended.
      }
    }
  }
}

/** Node and the lab's command, copied into the directory where the user cannot read them as they are. */
function programFor(user: User, directory: string): [node: string, command: string] {
  const can = (right: '-r' | '-x', path: string): boolean => {
    try {
      const [command = '', ...args] = [...user, 'test', right, path];
      execFileSync(command, args);
      return true;
    } catch {
      return false;
    }
  };
  const copy = (paths: readonly string[], target: string): void => {
    execFileSync('cp', ['-a', '--reflink=auto', ...paths, target]);
    execFileSync('chmod', ['-R', 'a+rX', target]);
  };
  const command = join(PROJECT_DIRECTORY, COMMAND);
  if (can('-x', process.execPath) && can('-r', command)) return [process.execPath, command];
  const node = join(directory, 'node');
  copy([process.execPath], node);
  const project = join(directory, 'project');
  mkdirSync(project);
  copy(
    PROJECT_PARTS.map((part) => join(PROJECT_DIRECTORY, part)),
    project,
  );
  return [node, join(project, COMMAND)];
}
