/**
 * The nearest to a container or a systemd service that needs neither: a command in mount and network namespaces of
 * its own, where directories of a test lie in the places that the program is installed in.
 */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { waitUntilReady } from '../harness.ts';
import { type BackgroundProcess, type FinishedRun, run, startBackground } from '../processes.ts';

const COMMAND_TIMEOUT_MS = 10_000;

/** To be executed beside a node with the default admin address: it has to write this into its state directory. */
export const ADDING_A_USER: readonly string[] = [
  process.execPath,
  '-e',
  `fetch('http://127.0.0.1:8080/api/credentials', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'bob', password: 'secret' }),
  }).then(({ ok }) => process.exit(ok ? 0 : 1))`,
];

export interface ContainerOptions {
  /** Mount points, which exist on every Linux, and what is seen there instead. */
  readonly mounts: Readonly<Record<string, string>>;
  readonly workingDirectory: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Everything but the mounts and /tmp, which is empty, is read-only. */
  readonly isReadOnly?: boolean;
  /** Without it: root of the host. */
  readonly user?: number;
  /** The host's network instead of nothing but loopback. */
  readonly hasNetwork?: boolean;
}

export interface Container extends BackgroundProcess {
  /** Of the command, on the host. */
  pid(): Promise<number>;
  /** Runs a command beside it. */
  execute(command: readonly string[]): Promise<FinishedRun>;
}

/** Runs a command to its end. */
export function runContained(
  options: ContainerOptions,
  command: readonly string[],
  timeoutMs: number,
): Promise<FinishedRun> {
  const [program, ...args] = contained(options, command);
  return run(program, args, timeoutMs, { environment: options.environment ?? {} });
}

/**
 * Starts a command and waits until it is ready.
 * @param directory for a file of its own; no other container may have it
 * @throws Error with its output when it ends first or takes too long, nothing left running
 */
export async function startContained(
  options: ContainerOptions,
  command: readonly string[],
  directory: string,
  isReady: (container: Container) => Promise<boolean>,
): Promise<Container> {
  await mkdir(directory, { recursive: true });
  const pidFile = join(directory, 'pid');
  const [program, ...args] = contained(options, command, pidFile);
  const background = startBackground(program, args, { environment: options.environment ?? {} });
  const pid = async (): Promise<number> => Number(await readFile(pidFile, 'utf8'));
  const container: Container = {
    ...background,
    pid,
    async execute(beside) {
      const enter = [`--target=${await pid()}`, '--mount', '--net'];
      return run('nsenter', [...enter, ...privileges(options), ...beside], COMMAND_TIMEOUT_MS, {
        environment: options.environment ?? {},
      });
    },
  };
  try {
    await waitUntilReady(container, () => isReady(container));
    return container;
  } catch (error) {
    // What matters is why it did not start, not how it ends.
    if (container.end() === undefined) await container.stop().catch(() => undefined);
    throw error;
  }
}

/**
 * A `describe` of what needs containers. Where there are none it is skipped with the reason in its title; on CI
 * (CI=true) that is a failure.
 */
export function describeContained(title: string, tests: () => void): void {
  const whyNot = process.getuid?.() === 0 ? undefined : 'mount namespaces need root';
  if (whyNot === undefined) describe(title, tests);
  else if (process.env.CI === 'true') it(title, () => expect.fail(`must be able to run on CI: ${whyNot}`));
  else describe.skip(`${title} (${whyNot})`, tests);
}

/** Each program of the chain becomes the next, so that a signal to the first reaches the command. */
function contained(
  options: ContainerOptions,
  command: readonly string[],
  pidFile?: string,
): readonly [string, ...string[]] {
  const { mounts, isReadOnly, hasNetwork, workingDirectory } = options;
  const script = [
    'set -e',
    ...(pidFile === undefined ? [] : [`echo $$ >${pidFile}`]),
    ...(hasNetwork ? [] : ['ip link set lo up']),
    ...Object.entries(mounts).map(([point, directory]) => `mount --bind ${directory} ${point}`),
    ...(isReadOnly ? ['mount -o remount,bind,ro /', 'mount -t tmpfs tmpfs /tmp'] : []),
    `cd ${workingDirectory}`,
    'exec "$@"',
  ];
  return [
    'unshare',
    ...['--mount', '--propagation=private', ...(hasNetwork ? [] : ['--net'])],
    ...['sh', '-c', script.join('\n'), 'sh'],
    ...privileges(options),
    ...command,
  ];
}

/** A user without any privilege, nor a way to one. */
function privileges({ user }: ContainerOptions): readonly string[] {
  if (user === undefined) return [];
  return [
    'setpriv',
    ...[`--reuid=${user}`, `--regid=${user}`, '--clear-groups'],
    ...['--bounding-set=-all', '--inh-caps=-all', '--no-new-privs'],
  ];
}
