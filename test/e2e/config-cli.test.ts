import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { ONE, TWO } from '../unit/net/stream-certificates.ts';

/** The built program, as a user runs it: `npm test` builds it first. */
const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const PACKAGE = fileURLToPath(new URL('../../package.json', import.meta.url));

interface Outcome {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
}

let folder: string;

beforeAll(() => {
  if (!existsSync(MAIN)) throw new Error('dist/main.js is missing: npm run build');
  folder = mkdtempSync(join(tmpdir(), 'causeway-cli-'));
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

function causeway(...words: string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, ...words], { cwd: folder }, (error, out, err) => {
      resolve({ exitCode: typeof error?.code === 'number' ? error.code : 0, out, err });
    });
  });
}

function file(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return name;
}

describe('causeway config check', () => {
  it('says that a configuration is valid', async () => {
    const path = file('good.yaml', 'turn: { realm: lab }');
    expect(await causeway('config', 'check', path)).toEqual({
      exitCode: 0,
      out: 'good.yaml: valid\n',
      err: '',
    });
  });

  it('prints one line an error, no stack trace, and exits with 2', async () => {
    const path = file('bad.yaml', 'turn: { medaPorts: 1, realm: "", mediaPorts: [30000, 24000] }');
    expect(await causeway('config', 'check', path)).toEqual({
      exitCode: 2,
      out: '',
      err:
        'bad.yaml: turn.realm: must be text of 1 to 128 characters on one line: got ""\n' +
        'bad.yaml: turn.mediaPorts: must be [first, last] with 1024 ≤ first < last ≤ 65535: got [30000, 24000]\n' +
        'bad.yaml: turn.medaPorts: unknown key; did you mean turn.mediaPorts?\n',
    });
  });

  it('checks the certificate and key that are named', async () => {
    file('one.pem', ONE.certificate);
    file('one.key', ONE.key);
    file('two.key', TWO.key);
    const tls = (key: string): string => `turn: { tls: { certificate: one.pem, key: ${key} } }`;
    expect(await causeway('config', 'check', file('tls.yaml', tls('one.key')))).toMatchObject({
      exitCode: 0,
      err: '',
    });
    expect(await causeway('config', 'check', file('mismatch.yaml', tls('two.key')))).toEqual({
      exitCode: 2,
      out: '',
      err: 'mismatch.yaml: turn.tls.key: must be the key of turn.tls.certificate: got "two.key"\n',
    });
  });

  it('says that there is no such file', async () => {
    expect(await causeway('config', 'check', 'none.yaml')).toEqual({
      exitCode: 2,
      out: '',
      err: 'none.yaml: cannot be read (ENOENT)\n',
    });
  });

  it('warns of what is valid and risky', async () => {
    const path = file('open.yaml', 'turn: { authentication: false }');
    expect(await causeway('config', 'check', path)).toEqual({
      exitCode: 0,
      out: 'open.yaml: valid\n',
      err: 'open.yaml: warning: turn.authentication: is false: an open relay, anyone may send through this server\n',
    });
  });
});

describe('causeway config show', () => {
  it('prints the defaults without a file', async () => {
    const { exitCode, out, err } = await causeway('config', 'show');
    expect([exitCode, err]).toEqual([0, '']);
    expect(parse(out)).toMatchObject({
      turn: { requestsPort: 3478, realm: 'TANDBERG' },
      admin: { http: '127.0.0.1:8080' },
    });
  });

  it('prints a file with its defaults, secrets masked', async () => {
    const path = file('users.yaml', 'turn: { credentials: [{ name: alice, password: hunter2 }] }');
    const { exitCode, out } = await causeway('config', 'show', '-c', path);
    expect(exitCode).toBe(0);
    expect(out).not.toContain('hunter2');
    expect(parse(out)).toMatchObject({
      turn: { credentials: [{ name: 'alice', password: '********' }], realm: 'TANDBERG' },
    });
  });

  it('prints no invalid configuration', async () => {
    const path = file('invalid.yaml', 'turn: 5');
    expect(await causeway('config', 'show', '--config', path)).toEqual({
      exitCode: 2,
      out: '',
      err: 'invalid.yaml: turn: must be a mapping of settings: got 5\n',
    });
  });
});

describe('causeway', () => {
  it('tells its version', async () => {
    const { version } = JSON.parse(readFileSync(PACKAGE, 'utf8')) as { version: string };
    expect(await causeway('--version')).toEqual({ exitCode: 0, out: `${version}\n`, err: '' });
  });

  it('explains itself', async () => {
    const { exitCode, out } = await causeway('--help');
    expect(exitCode).toBe(0);
    for (const command of ['serve', 'config', 'bench']) expect(out).toContain(command);
  });

  it.each([
    [[], 'Usage'],
    [['serv'], 'serve'],
    [['serve', '--unknown'], 'unknown option'],
    [['serve', '-c'], 'argument missing'],
    [['config'], 'Usage'],
    [['config', 'check'], 'missing required argument'],
    [['config', 'check', 'a', 'b'], 'too many arguments'],
    [['bench', 'nothing'], 'unknown command'],
  ])('exits with 2 on wrong usage: %j', async (words, hint) => {
    const { exitCode, out, err } = await causeway(...words);
    expect([exitCode, out]).toEqual([2, '']);
    expect(err).toContain(hint);
    expect(err).not.toMatch(/^\s+at /m);
  });

  it('does not serve an invalid configuration', async () => {
    const path = file('unserved.yaml', 'turn: { mediaPorts: 1 }');
    const { exitCode, err } = await causeway('serve', '-c', path);
    expect([exitCode, err]).toEqual([
      2,
      'unserved.yaml: turn.mediaPorts: must be [first, last] with 1024 ≤ first < last ≤ 65535: got 1\n',
    ]);
  });
});
