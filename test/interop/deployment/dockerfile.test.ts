/**
 * The Dockerfile, carried out step by step without Docker, and the program that comes of it: as the image's user, in
 * a network of its own, with nothing but production dependencies. What is not tested: the base image (the host's
 * Node stands in for it) and Docker's own reading of the file.
 */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { PROJECT_DIRECTORY } from '../harness.ts';
import { describeEnd } from '../processes.ts';
import { ADDING_A_USER, type Container, describeContained, startContained } from './container.ts';
import { buildImage, type Image, parseDockerfile } from './dockerfile.ts';

const BUILD_TIMEOUT_MS = 300_000;
const ADMIN_PORT = 9090;

describeContained('the image', () => {
  let directory: string;
  let image: Image;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'causeway-image-'));
    image = await buildImage(PROJECT_DIRECTORY, directory);
  }, BUILD_TIMEOUT_MS);
  afterAll(() => rm(directory, { recursive: true, force: true }));

  it('holds what runs, and nothing that builds', async () => {
    const modules = join(image.options.mounts['/opt'] ?? '', 'causeway/node_modules');
    const { dependencies, devDependencies } = await packageFile();
    expect(Object.keys(dependencies).filter((name) => !existsSync(join(modules, name)))).toEqual([]);
    expect(Object.keys(devDependencies).filter((name) => existsSync(join(modules, name)))).toEqual([]);
  });

  it('exposes the ports of the defaults', () => {
    const [turn, status, relays, media] = ['3478/udp', '8080/tcp', '24000-29999/udp', '36000-59999/udp'];
    expect(image.exposed).toEqual(expect.arrayContaining([turn, status, relays, media]));
  });

  it('runs without a configuration: healthy, by the batch engine, and ends well', async () => {
    const container = await start('defaults');
    expect(container.output()).toContain('engine batch');
    expect(container.output()).toContain('No credential is configured');
    const adding = await container.execute(ADDING_A_USER);
    expect(describeEnd(adding), adding.output).toBe('exit code 0');
    const state = join(image.options.mounts['/var/lib'] ?? '', 'causeway/state');
    expect(await readdir(state)).toContain('credentials.json');
    const check = await container.execute(image.healthCheck);
    expect(describeEnd(check), check.output).toBe('exit code 0');
    expect(describeEnd(await container.stop()), container.output()).toBe('exit code 0');
  });

  it('runs with the configuration in /etc/causeway, and its health is asked for where that says', async () => {
    const etc = join(directory, 'etc');
    await mkdir(join(etc, 'causeway'), { recursive: true });
    const turn = { credentials: [{ name: 'alice', password: 'secret' }] };
    const configuration = { turn, admin: { http: `127.0.0.1:${ADMIN_PORT}` } };
    await writeFile(join(etc, 'causeway/causeway.yaml'), JSON.stringify(configuration));
    const container = await start('configured', {
      ...image,
      options: {
        ...image.options,
        mounts: { ...image.options.mounts, '/etc': etc },
        environment: {
          ...image.options.environment,
          CAUSEWAY_HEALTH_URL: `http://127.0.0.1:${ADMIN_PORT}/healthz`,
        },
      },
    });
    expect(container.output()).not.toContain('No credential is configured');
    expect(describeEnd(await container.stop()), container.output()).toBe('exit code 0');
  });

  /** Starts it and waits until its own health check says that it is healthy. */
  function start(name: string, { options, command, healthCheck }: Image = image): Promise<Container> {
    return startContained(options, command, join(directory, name), async (container) => {
      const isUp = container.output().includes('status pages');
      return isUp && (await container.execute(healthCheck)).exitCode === 0;
    });
  }
});

it('an image of a Node version that the program runs on', async () => {
  const instructions = parseDockerfile(await readFile(join(PROJECT_DIRECTORY, 'Dockerfile'), 'utf8'));
  const bases = instructions.filter(({ name }) => name === 'FROM').map(({ text }) => text.split(' ')[0]);
  expect(new Set(bases)).toEqual(new Set(['node:20-bookworm-slim']));
  expect((await packageFile()).engines.node).toBe('>=20.19');
});

async function packageFile(): Promise<{
  readonly dependencies: Record<string, string>;
  readonly devDependencies: Record<string, string>;
  readonly engines: { readonly node: string };
}> {
  return JSON.parse(await readFile(join(PROJECT_DIRECTORY, 'package.json'), 'utf8'));
}
