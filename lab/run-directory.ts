/**
 * Where a lab keeps its logs, configurations and state while it is up: a folder of the user's in the system's
 * temporary folder. What a lab that was killed or has failed has left there is removed by the next.
 */
import { closeSync, lstatSync, mkdirSync, openSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';

export class RunDirectory {
  #path: string;

  /** @throws Error where the folder of labs is not the user's own */
  constructor() {
    const home = labHome();
    removeForsaken(home);
    this.#path = join(home, `run-${process.pid}`);
    // A process of that number may have left it: in a container, the first often has the same.
    rmSync(this.#path, { recursive: true, force: true });
    mkdirSync(this.#path, { mode: 0o700 });
  }

  get path(): string {
    return this.#path;
  }

  remove(): void {
    rmSync(this.#path, { recursive: true, force: true });
  }

  /** Gives it a name of its own, under which no other lab removes it; for when nothing runs in it any more. */
  keep(): void {
    const time = new Date().toISOString().replaceAll(/[:.]/g, '-');
    const kept = join(labHome(), `kept-${time}-${process.pid}`);
    renameSync(this.#path, kept);
    this.#path = kept;
  }
}

/** Has something started that writes to a log in a folder; this process does not hold the log open. */
export function startWithLog<Started>(
  directory: string,
  name: string,
  start: (log: number) => Started,
): Started {
  const log = openSync(join(directory, `${name}.log`), 'a', 0o600);
  try {
    return start(log);
  } finally {
    closeSync(log);
  }
}

/**
 * The user's folder for labs, made if it is not there.
 * @throws Error where somebody else made it, or can read or write it
 */
export function labHome(): string {
  const user = process.getuid?.() ?? userInfo().username;
  const path = join(tmpdir(), `causeway-lab-${user}`);
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  // Anybody may make names in the temporary folder: a link to elsewhere too, so that is not followed.
  const found = lstatSync(path);
  if (!found.isDirectory()) throw new Error(`${path} must be a folder, not a link or a file`);
  if (!process.getuid) return path;
  if (found.uid !== process.getuid()) throw new Error(`${path} belongs to another user (uid ${found.uid})`);
  if ((found.mode & 0o077) !== 0) {
    const mode = (found.mode & 0o777).toString(8);
    throw new Error(`${path} must be its owner's alone, mode 700: it has ${mode}`);
  }
  return path;
}

function removeForsaken(home: string): void {
  for (const name of readdirSync(home)) {
    const pid = name.match(/^run-(\d+)$/)?.[1];
    if (pid !== undefined && !isRunning(Number(pid)))
      rmSync(join(home, name), { recursive: true, force: true });
  }
}

/** Whether there is a process of this number; somebody else's counts. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
