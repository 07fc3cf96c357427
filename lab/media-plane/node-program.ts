/** One Causeway node of the lab: the unmodified program, with a configuration file, in its place. */
import type { ChildProcess } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { endProcess } from '../end-process.ts';
import type { LabNetwork } from '../network/network.ts';
import { projectFile } from '../project.ts';
import { startWithLog } from '../run-directory.ts';
import type { AdminClient } from './admin-client.ts';

const START_MS_MAX = 15_000;
const STOP_MS_MAX = 8000;
const POLL_MS = 50;
const LOG_LINES = 5;

export interface NodeProgramOptions {
  readonly network: LabNetwork;
  readonly name: 'edge' | 'core';
  /** For its configuration, state and log. */
  readonly directory: string;
  readonly configuration: object;
  readonly admin: AdminClient;
}

export class NodeProgram {
  readonly name: 'edge' | 'core';
  readonly admin: AdminClient;
  readonly #network: LabNetwork;
  readonly #directory: string;
  #process: ChildProcess | undefined;

  private constructor({ network, name, directory, admin }: NodeProgramOptions) {
    this.#network = network;
    this.name = name;
    this.#directory = directory;
    this.admin = admin;
  }

  /** Writes the configuration, starts the node and waits until it is healthy. */
  static async start(options: NodeProgramOptions): Promise<NodeProgram> {
    const node = new NodeProgram(options);
    await mkdir(options.directory, { recursive: true, mode: 0o700 });
    // It has the token and the password of the TURN user.
    const text = JSON.stringify(options.configuration, null, 2);
    await writeFile(join(options.directory, 'causeway.yaml'), text, { mode: 0o600 });
    await node.start();
    return node;
  }

  /** @throws Error (rejects) with the end of the log where it does not come up */
  async start(): Promise<void> {
    const program = projectFile('dist/main.js');
    const args = ['serve', '-c', join(this.#directory, 'causeway.yaml')];
    const child = startWithLog(this.#directory, 'causeway', (log) =>
      this.#network.startNode(this.name, program, args, {
        workingDirectory: this.#directory,
        stdio: ['ignore', log, log],
      }),
    );
    this.#process = child;
    const deadlineMs = performance.now() + START_MS_MAX;
    for (;;) {
      const problem = await this.admin.healthProblem();
      if (problem === undefined) return;
      const hasEnded = child.exitCode !== null || child.signalCode !== null;
      if (hasEnded || performance.now() > deadlineMs) {
        await this.stop();
        throw new Error(`the node ${this.name} does not start (${problem}): ${await this.#lastWords()}`);
      }
      await delay(POLL_MS);
    }
  }

  /** Ends it as an operator would (SIGTERM); one that does not end is killed. */
  async stop(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child) await endProcess(child, STOP_MS_MAX);
  }

  async #lastWords(): Promise<string> {
    const log = await readFile(join(this.#directory, 'causeway.log'), 'utf8').catch(() => '');
    return log.trimEnd().split('\n').slice(-LOG_LINES).join(' | ');
  }
}
