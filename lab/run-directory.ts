/**
 * Where a lab keeps its logs, configurations and state while it is up: a folder of the user's in the system's
 * temporary folder. What a lab that was killed has left there is removed by the next.
 */
import { mkdirSync, openSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';

export class RunDirectory {
  readonly path: string;

  /** @throws Error where the folder belongs to somebody else */
  constructor() {
    const home = labHome();
    removeForsaken(home);
    this.path = join(home, `run-${process.pid}`);
    mkdirSync(this.path, { recursive: true, mode: 0o700 });
  }

  /** A file descriptor that appends to a log; whoever asks closes it. */
  openLog(name: string): number {
    return openSync(join(this.path, `${name}.log`), 'a', 0o600);
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** The user's folder for labs, made if it is not there; nobody else can write into it. */
export function labHome(): string {
  const user = process.getuid?.() ?? userInfo().username;
  const path = join(tmpdir(), `causeway-lab-${user}`);
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const { uid } = statSync(path);
  if (process.getuid && uid !== process.getuid())
    throw new Error(`${path} belongs to another user (uid ${uid})`);
  return path;
}

function removeForsaken(home: string): void {
  for (const name of readdirSync(home)) {
    const pid = name.match(/^run-(\d+)$/)?.[1];
    if (pid !== undefined && !isRunning(Number(pid)))
      rmSync(join(home, name), { recursive: true, force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
