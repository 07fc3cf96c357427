/**
 * deploy/causeway.service: what systemd says of it, and the program under what it demands. There need be no systemd
 * running: a user of its own, no capabilities, a read-only system, the filters of system calls and socket families
 * and the limit of open files are put up by hand, from the unit's own values.
 *
 * Not tried here: what else hides the host (PrivateDevices, ProtectProc, ProtectKernel…, RestrictNamespaces and the
 * like), and that systemd itself makes the user, the directory and the credential.
 */
import { chown, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEBIAN_PYTHON, PROJECT_DIRECTORY } from '../harness.ts';
import { describeEnd, type FinishedRun, run } from '../processes.ts';
import { ADDING_A_USER, type Container, describeContained, startContained } from './container.ts';

const UNIT_FILE = join(PROJECT_DIRECTORY, 'deploy/causeway.service');
const ANALYZE_TIMEOUT_MS = 20_000;
/** Of 100: from 20 on, systemd would have more to ask of it. */
const EXPOSURE_MAX = 20;

/** From the range that systemd takes dynamic users from. */
const USER = 61_184;
const CREDENTIALS = 'run/credentials/causeway.service';
const HEALTH_CHECK =
  "fetch('http://127.0.0.1:8080/healthz').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))";

let unit: ReadonlyMap<string, string>;

beforeAll(async () => {
  const lines = (await readFile(UNIT_FILE, 'utf8')).split('\n').filter((line) => /^\w+=/.test(line));
  unit = new Map(lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
});

describe('systemd-analyze', () => {
  let directory: string;
  let file: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'causeway-unit-'));
    file = join(directory, 'causeway.service');
    // It looks whether the program to start is there; node may be somewhere else on this host.
    await writeFile(file, (await readFile(UNIT_FILE, 'utf8')).replace('/usr/bin/node', process.execPath));
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  it('finds nothing wrong with the unit', async () => {
    const { exitCode, output } = await analyze('verify', '--man=no', file);
    expect([exitCode, output]).toEqual([0, '']);
  });

  it('calls what it is exposed to acceptable', async () => {
    const result = await analyze(
      'security',
      '--offline=true',
      `--threshold=${EXPOSURE_MAX}`,
      '--no-pager',
      file,
    );
    expect(describeEnd(result), result.output).toBe('exit code 0');
  });

  function analyze(...args: readonly string[]): Promise<FinishedRun> {
    return run('systemd-analyze', args, ANALYZE_TIMEOUT_MS);
  }
});

it('the guide to its installation names the paths of the unit', async () => {
  const guide = await readFile(join(PROJECT_DIRECTORY, 'docs/deployment.md'), 'utf8');
  const [, program] = setting('ExecStart').split(' ');
  expect(program).toBe('/opt/causeway/dist/main.js');
  const [, configuration = ''] = setting('LoadCredential').split(':');
  for (const path of ['/opt/causeway', configuration, `/var/lib/${setting('StateDirectory')}`])
    expect(guide).toContain(path);
});

describeContained('the program as the unit has it run', () => {
  let directory: string;
  let service: Container;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'causeway-service-'));
    service = await startService(directory);
  });
  afterAll(async () => {
    if (service?.end() === undefined) await service?.stop();
    await rm(directory, { recursive: true, force: true });
  });

  it('has no privilege, and no way to one', async () => {
    const status = await readFile(`/proc/${await service.pid()}/status`, 'utf8');
    const value = (key: string): string => new RegExp(`^${key}:\\s+(.*)$`, 'm').exec(status)?.[1] ?? '';
    expect(value('Uid').split('\t')[0]).toBe(String(USER));
    expect([value('CapEff'), value('CapBnd')]).toEqual(['0'.repeat(16), '0'.repeat(16)]);
    expect([value('NoNewPrivs'), value('Seccomp')]).toEqual(['1', '2']);
  });

  it('moves packets by the batch engine', () => {
    expect(service.output()).toContain('engine batch');
    expect(service.output()).not.toContain('node:crypto');
  });

  it('keeps what is added at run time, and can write nothing else', async () => {
    const adding = await service.execute(ADDING_A_USER);
    expect(describeEnd(adding), adding.output).toBe('exit code 0');
    expect(await readdir(join(directory, 'lib/causeway/state'))).toContain('credentials.json');
    const written = await service.execute(['sh', '-c', 'touch /var/tmp/causeway-was-here']);
    expect(written.output).toContain('Read-only file system');
  });

  it('reads its certificate again and goes on, and ends well', async () => {
    const [program = '', ...args] = setting('ExecReload').split(' ');
    const pid = String(await service.pid());
    const reload = await service.execute([program, ...args.map((one) => one.replace('$MAINPID', pid))]);
    expect(describeEnd(reload), reload.output).toBe('exit code 0');
    expect(await isHealthy(service)).toBe(true);
    expect(describeEnd(await service.stop()), service.output()).toBe('exit code 0');
  });
});

/** The unit's command, on a system where the checkout lies in /opt/causeway. */
async function startService(directory: string): Promise<Container> {
  const [opt, lib, runtime] = [join(directory, 'opt'), join(directory, 'lib'), join(directory, 'run')];
  await mkdir(join(opt, 'causeway'), { recursive: true });
  await mkdir(join(lib, 'causeway'), { recursive: true });
  await chown(join(lib, 'causeway'), USER, USER);
  await mkdir(join(directory, CREDENTIALS), { recursive: true });
  const configuration = { turn: { credentials: [{ name: 'alice', password: 'secret' }] } };
  await writeFile(join(directory, CREDENTIALS, 'causeway.yaml'), JSON.stringify(configuration));
  const node = setting('ExecStart')
    .replace('/usr/bin/node', process.execPath)
    .replace(/\$\{CREDENTIALS_DIRECTORY\}/, `/${CREDENTIALS}`);
  const limits = '/opt/causeway/test/interop/deployment/unit_limits.py';
  return startContained(
    {
      mounts: { '/opt': opt, '/opt/causeway': PROJECT_DIRECTORY, '/var/lib': lib, '/run': runtime },
      workingDirectory: setting('WorkingDirectory').replace('%S', '/var/lib'),
      isReadOnly: setting('ProtectSystem') === 'strict',
      user: USER,
    },
    [DEBIAN_PYTHON, limits, '/opt/causeway/deploy/causeway.service', ...node.split(' ')],
    directory,
    async (service) => service.output().includes('status pages') && (await isHealthy(service)),
  );
}

async function isHealthy(service: Container): Promise<boolean> {
  return (await service.execute([process.execPath, '-e', HEALTH_CHECK])).exitCode === 0;
}

function setting(name: string): string {
  const value = unit.get(name);
  if (value === undefined) throw new Error(`${UNIT_FILE} has no ${name}=`);
  return value;
}
