/** The lab's network of namespaces under test: a front process as root or as an ordinary user, asked over IPC. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { PlaceName } from '../../../lab/topology.ts';

const FRONT = join(import.meta.dirname, 'namespaces-front.mjs');
/** In the environment of all processes of a lab under test, with a value of its own for each lab. */
export const MARK = 'CAUSEWAY_LAB_UNDER_TEST';
const GONE_MS_MAX = 5000;
const POLL_MS = 10;

/** The command line that makes another run as this user. */
export type User = readonly string[];

export const AS_SELF: User = [];
/** The ids of `nobody`, which has no rights. */
export const AS_NOBODY: User = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--'];

/** A shell that makes something impossible, in a namespace where that harms nobody, for the command that follows. */
export function without(how: readonly string[], script: string): string[] {
  return [...how, 'sh', '-e', '-c', `${script}\nexec "$@"`, 'sh'];
}

export const OWN_USERS: readonly string[] = ['unshare', '--user', '--map-root-user', '--mount', '--'];
/** For a lab in which nft is missing. */
export const NO_NFT = 'mount --bind /dev/null "$(PATH=$PATH:/usr/sbin:/sbin command -v nft)"';

export interface Source {
  readonly address: string;
  readonly port: number;
}

/** An ordinary user can be played by root alone, and has to be able to read Node and the project. */
export function canRunAs(user: User): boolean {
  if (user.length > 0 && process.getuid?.() !== 0) return false;
  try {
    const [command = '', ...args] = [
      ...user,
      process.execPath,
      '-e',
      `require('fs').readFileSync('${FRONT}')`,
    ];
    execFileSync(command, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** What the probe says to this user, or under what the command line before it changes. */
export async function whyNoNamespaces(user: User): Promise<string | undefined> {
  const front = new Front(user);
  try {
    return (await front.ask('whyNoNamespaces')) as string | undefined;
  } finally {
    await front.kill('SIGKILL');
  }
}

export class Front {
  readonly mark: string;
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, { resolve(answer: unknown): void; reject(error: Error): void }>();
  #lastId = 0;

  constructor(user: User) {
    this.mark = `${MARK}=${process.pid}.${performance.now()}`;
    const [command = '', ...args] = [...user, process.execPath, FRONT];
    this.#process = spawn(command, args, {
      env: { ...process.env, [MARK]: this.mark.slice(MARK.length + 1) },
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#process.on(
      'message',
      (message: { id?: number; answer?: unknown; error?: string; ended?: object }) => {
        if (message.ended) return this.#fail(`the inner process ended: ${JSON.stringify(message.ended)}`);
        const waiting = this.#waiting.get(message.id ?? -1);
        this.#waiting.delete(message.id ?? -1);
        if (message.error === undefined) waiting?.resolve(message.answer);
        else waiting?.reject(new Error(message.error));
      },
    );
    this.#process.on('exit', () => this.#fail('the front process ended'));
  }

  /** Of the front process, or of the inner one. */
  ask(operation: string, ...args: unknown[]): Promise<unknown> {
    this.#lastId += 1;
    const id = this.#lastId;
    this.#process.send({ id, operation, args });
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
    });
  }

  network(method: string, ...args: unknown[]): Promise<unknown> {
    return this.ask('network', method, ...args);
  }

  sockets(place: PlaceName, operation: string, ...args: unknown[]): Promise<unknown> {
    return this.ask('sockets', place, operation, ...args);
  }

  /** Ends the front process alone; what that does to the rest is to be seen. */
  async kill(signal: NodeJS.Signals): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exited = once(this.#process, 'exit');
    this.#process.kill(signal);
    await exited;
  }

  /** Process ids, as the host knows them, of all that came of this front process, which is one. */
  processes(): number[] {
    return markedProcesses(this.mark);
  }

  #fail(why: string): void {
    for (const { reject } of this.#waiting.values()) reject(new Error(why));
    this.#waiting.clear();
  }
}

/** Process ids of all that have this in their environment: `NAME=value`. */
export function markedProcesses(mark: string): number[] {
  return hostProcesses().filter((pid) => readProcess(pid, 'environ').split('\0').includes(mark));
}

/** Of a process' command line; none where it has ended. */
export function argumentsOf(pid: number): string[] {
  return readProcess(pid, 'cmdline').split('\0').slice(0, -1);
}

/** The processes that an inner process and its wrapper are. */
export function childrenOf(pid: number): number[] {
  return readProcess(pid, `task/${pid}/children`)
    .split(' ')
    .filter((text) => text !== '')
    .map(Number);
}

/** Resolves when it is so; rejects with `what` where that takes too long. */
export async function until(what: string, isSo: () => boolean): Promise<void> {
  const startMs = performance.now();
  while (!isSo()) {
    if (performance.now() - startMs > GONE_MS_MAX) throw new Error(`not within ${GONE_MS_MAX} ms: ${what}`);
    await delay(POLL_MS);
  }
}

/** Whether a process of the host, or a mount (as of `ip netns add`), holds one of these network namespaces. */
export function isHeld(identities: readonly string[]): boolean {
  const held = hostProcesses().map((pid) => networkOf(pid));
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8');
  return identities.some((identity) => held.includes(identity) || mounts.includes(identity));
}

/**
 * What a lab could change of the host's network. Names of namespaces are not among it: others may come and go, and
 * those of a lab are told by what they stand for (`isHeld`).
 */
export function hostNetwork(): string {
  const commands = ['ip -o link', 'ip -o address', 'ip route', 'nft list ruleset'];
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
  return commands.map((command) => execFileSync('sh', ['-c', command], { env, encoding: 'utf8' })).join('\n');
}

function hostProcesses(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** The identity of the network namespace that a process is in; '' where it has ended. */
export function networkOf(pid: number | 'self'): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return '';
  }
}

/** '' where the process has ended meanwhile, or is not ours to read. */
function readProcess(pid: number, file: string): string {
  try {
    return existsSync(`/proc/${pid}`) ? readFileSync(`/proc/${pid}/${file}`, 'latin1') : '';
  } catch {
    return '';
  }
}
