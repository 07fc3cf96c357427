/**
 * How the lab gets into namespaces of its own: the front process, which is in the host's, starts an inner process
 * in new ones, and that builds the network. The inner process is the first of a process namespace, and all it
 * makes is in namespaces that nobody else holds: when it ends, however it ends, the kernel removes everything.
 */
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';
import { hasProgram, programEnvironment } from './programs.ts';

/** Tells the inner process which network it has left. */
const FRONT_NETWORK = 'CAUSEWAY_LAB_FRONT_NETWORK';

/** Bits of capability sets: linux/capability.h. */
const CAP_NET_ADMIN = 12n;
const CAP_SYS_ADMIN = 21n;

export interface EnterOptions {
  /** With an `'ipc'` among them (serialization `advanced`): the inner process ends when that closes. */
  readonly stdio: StdioOptions;
}

/**
 * Starts a Node program in namespaces of its own and in a session of its own, so that the terminal's signals do not
 * reach it. `SIGKILL` to the process returned ends all at once; to end in order, ask over IPC: it is the wrapper
 * around the inner process, and does not take `SIGTERM`. The front process' death ends all too.
 */
export function enterNamespaces(
  script: string,
  args: readonly string[],
  options: EnterOptions,
): ChildProcess {
  const [command, ...commandArgs] = inNewNamespaces([process.execPath, script, ...args]);
  return spawn(command, commandArgs, {
    detached: true,
    env: programEnvironment({ [FRONT_NETWORK]: networkOf('self') }),
    serialization: 'advanced',
    stdio: options.stdio,
  });
}

/** The command line that runs another in new namespaces. */
export function inNewNamespaces(commandLine: readonly string[]): [command: string, ...args: string[]] {
  const userNamespace = hasRights() ? [] : ['--user', '--map-root-user'];
  const unshare: [string, ...string[]] = [
    ...(['unshare', ...userNamespace, '--net', '--mount', '--pid', '--mount-proc'] as const),
    ...['--fork', '--kill-child=SIGKILL', '--', ...commandLine],
  ];
  // Where it is missing, the inner process still notices that its channel to the front has closed.
  return hasProgram('setpriv') ? ['setpriv', '--pdeathsig', 'KILL', '--', ...unshare] : unshare;
}

/**
 * @throws Error where this process is not one that `enterNamespaces` has started: a network built here would be the
 * host's
 */
export function requireOwnNamespaces(): void {
  const frontNetwork = process.env[FRONT_NETWORK];
  if (process.pid !== 1 || frontNetwork === undefined || frontNetwork === networkOf('self')) {
    throw new Error(
      'the network of namespaces can be built by a process that enterNamespaces has started alone',
    );
  }
}

/** For the inner process: there is no lab without its front. */
export function endWithFront(): void {
  if (!process.connected) process.exit(1);
  process.on('disconnect', () => process.exit(0));
}

/** The identity of the network namespace that a process is in. */
export function networkOf(pid: number | 'self'): string {
  return readlinkSync(`/proc/${pid}/ns/net`);
}

/** Root in a container may lack them, and can be root of a user namespace then, as anyone. */
function hasRights(): boolean {
  const status = readFileSync('/proc/self/status', 'utf8');
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? '0'}`);
  return [CAP_NET_ADMIN, CAP_SYS_ADMIN].every((bit) => ((effective >> bit) & 1n) === 1n);
}
