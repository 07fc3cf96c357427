/** A network namespace that a waiting process holds: it is there as long as that process, and needs no name. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { networkOf } from './enter.ts';
import { collect, oneLine, programEnvironment, runProgram } from './programs.ts';

export class NetworkSpace {
  readonly pid: number;
  readonly identity: string;
  readonly #holder: ChildProcess;

  private constructor(holder: ChildProcess, pid: number) {
    this.pid = pid;
    this.identity = networkOf(pid);
    this.#holder = holder;
  }

  static async create(isForwarding: boolean): Promise<NetworkSpace> {
    // It waits for the end of its input, which is ours.
    const script = `${kernelSettings(isForwarding)}; echo in; exec cat`;
    const holder = spawn('unshare', ['--net', '--', 'sh', '-e', '-c', script], {
      env: programEnvironment(),
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    holder.stdin.on('error', () => {});
    const said = collect(holder);
    const failed = new Promise<never>((_, reject) => {
      const fail = (why: string): void =>
        reject(new Error(`no network namespace: ${oneLine(said()) || why}`));
      holder.once('error', (error) => fail(error.message));
      holder.once('close', (code, signal) => fail(String(signal ?? code)));
    });
    failed.catch(() => {});
    await Promise.race([once(holder.stdout, 'data'), failed]);
    if (holder.pid === undefined) return failed;
    return new NetworkSpace(holder, holder.pid);
  }

  /** The command line that runs another in here; its process becomes the other's. */
  entering(commandLine: readonly string[]): [command: string, ...args: string[]] {
    return ['nsenter', `--net=/proc/${this.pid}/ns/net`, '--', ...commandLine];
  }

  /** Runs a program in here to its end. */
  async run(commandLine: readonly [string, ...string[]], input: string): Promise<void> {
    const [command, ...args] = this.entering(commandLine);
    await runProgram({ command, args, input });
  }

  /** The namespace goes with the last process in it. */
  async end(): Promise<void> {
    if (this.#holder.exitCode !== null || this.#holder.signalCode !== null) return;
    const exited = once(this.#holder, 'exit');
    this.#holder.stdin?.end();
    await exited;
  }
}

/**
 * For the present namespace: IPv4 alone, forwarding whatever the host does (a new namespace inherits that), and a
 * refusal for each packet that is refused: the kernel would save some up.
 */
export function kernelSettings(isForwarding: boolean): string {
  return [
    'for file in all default; do',
    '  file=/proc/sys/net/ipv6/conf/$file/disable_ipv6; if [ -e $file ]; then echo 1 >$file; fi',
    'done',
    `echo ${isForwarding ? 1 : 0} >/proc/sys/net/ipv4/ip_forward`,
    'echo 0 >/proc/sys/net/ipv4/icmp_ratelimit',
  ].join('\n');
}
