/** Folders of labs in the temporary folder, where others may write too. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { labHome, RunDirectory, startWithLog } from '../../../lab/run-directory.ts';

let temporary: string;
let home: string;

beforeEach(() => {
  temporary = mkdtempSync(join(tmpdir(), 'causeway-run-directory-'));
  vi.stubEnv('TMPDIR', temporary);
  home = join(temporary, `causeway-lab-${userInfo().uid}`);
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(temporary, { recursive: true, force: true });
});

/** Larger than any process number. */
const NOBODY = 999_999_999;

describe('the folder of labs', () => {
  it('is made for its user alone, and found again', () => {
    expect(labHome()).toBe(home);
    expect(statSync(home).mode & 0o777).toBe(0o700);
    expect(labHome()).toBe(home);
  });

  it('is refused where it is a link, though it leads to a folder of the user', () => {
    mkdirSync(join(temporary, 'mine'), { mode: 0o700 });
    symlinkSync(join(temporary, 'mine'), home);
    expect(() => labHome()).toThrow(`${home} must be a folder, not a link or a file`);
  });

  it('is refused where others can write into it, or read it', () => {
    mkdirSync(home);
    for (const mode of [0o770, 0o703, 0o750]) {
      chmodSync(home, mode);
      expect(() => labHome()).toThrow(
        `${home} must be its owner's alone, mode 700: it has ${mode.toString(8)}`,
      );
    }
  });
});

describe('the folder of one lab', () => {
  it('is its own, with logs that nobody else can read, and goes', () => {
    const directory = new RunDirectory();
    const descriptor = startWithLog(directory.path, 'lab', (log) => log);
    expect(statSync(join(directory.path, 'lab.log')).mode & 0o777).toBe(0o600);
    expect(() => writeFileSync(descriptor, 'late')).toThrow('EBADF');
    directory.remove();
    expect(readdirSync(home)).toEqual([]);
  });

  it('removes what labs have left that run no more, and nothing else', () => {
    for (const name of [`run-${NOBODY}`, `run-${process.ppid}`, 'kept-then'])
      mkdirSync(join(labHome(), name, 'edge'), { recursive: true });
    new RunDirectory();
    expect(readdirSync(home).toSorted()).toEqual(
      ['kept-then', `run-${process.pid}`, `run-${process.ppid}`].toSorted(),
    );
  });

  it('stays when it is kept, whatever labs come later', () => {
    const first = new RunDirectory();
    first.keep();
    new RunDirectory().remove();
    expect(existsSync(first.path)).toBe(true);
  });

  it('begins empty', () => {
    writeFileSync(join(new RunDirectory().path, 'left'), '');
    expect(readdirSync(new RunDirectory().path)).toEqual([]);
  });
});
