/** Builds what a Dockerfile describes without Docker: reads the instructions that ours uses, and carries them out. */
import { cp, mkdir, readFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { describeEnd } from '../processes.ts';
import { type ContainerOptions, runContained } from './container.ts';

/** `npm ci` may have to fetch everything. */
const RUN_TIMEOUT_MS = 240_000;

/** What the containers have of their own; all else is the host's. Existing places, so that they can be mounted on. */
const OWN_DIRECTORIES = ['/opt', '/var/lib'] as const;

export interface Instruction {
  /** In capitals: `RUN`. */
  readonly name: string;
  readonly text: string;
}

export interface Image {
  /** Of the last stage, as the last instructions left it. */
  readonly options: ContainerOptions;
  readonly command: readonly string[];
  readonly healthCheck: readonly string[];
  readonly exposed: readonly string[];
}

interface Stage {
  readonly mounts: Readonly<Record<string, string>>;
  readonly environment: Record<string, string>;
  workingDirectory: string;
  user: number | undefined;
}

/** The instructions of a Dockerfile, lines joined where they end with a backslash. */
export function parseDockerfile(text: string): readonly Instruction[] {
  const lines = text.split('\n').filter((line) => !line.startsWith('#'));
  return lines
    .join('\n')
    .replace(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => ({
      name: (/^\S+/.exec(line)?.[0] ?? '').toUpperCase(),
      text: line.replace(/^\S+\s+/, ''),
    }));
}

/**
 * Carries out every instruction of `project/Dockerfile` below `directory`.
 * @throws Error that names the instruction that failed or is not known here
 */
export async function buildImage(project: string, directory: string): Promise<Image> {
  const instructions = parseDockerfile(await readFile(join(project, 'Dockerfile'), 'utf8'));
  const context = await copyContext(project, join(directory, 'context'));
  const stages = new Map<string, Stage>();
  let stage: Stage | undefined;
  const found = new Map<string, string>();
  for (const instruction of instructions) {
    const { name, text } = instruction;
    if (name === 'FROM') {
      const stageName = / AS (\S+)$/.exec(text)?.[1] ?? 'last';
      stage = await newStage(join(directory, stageName));
      stages.set(stageName, stage);
    } else if (stage === undefined) throw new Error(`${name} before FROM`);
    else if (name === 'COPY') await copy(text, stage, stages, context);
    else if (name === 'RUN') await runIn(stage, text);
    else if (!takeSetting(stage, instruction)) found.set(name, text);
  }
  if (stage === undefined) throw new Error('Dockerfile without FROM');
  return {
    options: optionsOf(stage),
    command: words(found.get('CMD')),
    healthCheck: words(found.get('HEALTHCHECK')?.replace(/^.*? CMD /, '')),
    exposed: (found.get('EXPOSE') ?? '').split(/\s+/),
  };
}

/** What Docker would be sent: all that .dockerignore leaves. Ours names whole entries of the project's root. */
async function copyContext(project: string, context: string): Promise<string> {
  const patterns = (await readFile(join(project, '.dockerignore'), 'utf8'))
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  const [everything, ...kept] = patterns;
  if (everything !== '*' || !kept.every((pattern) => /^![\w.-]+$/.test(pattern)))
    throw new Error(`.dockerignore: must be * and names to keep: got ${patterns.join(' ')}`);
  for (const pattern of kept) {
    const name = pattern.slice(1);
    await cp(join(project, name), join(context, name), { recursive: true });
  }
  return context;
}

async function newStage(directory: string): Promise<Stage> {
  const mounts: Record<string, string> = {};
  for (const point of OWN_DIRECTORIES) {
    mounts[point] = join(directory, point);
    await mkdir(join(directory, point), { recursive: true });
  }
  return { mounts, environment: {}, workingDirectory: '/', user: undefined };
}

function optionsOf({ mounts, environment, workingDirectory, user }: Stage): ContainerOptions {
  return { mounts, environment, workingDirectory, ...(user === undefined ? {} : { user }) };
}

function takeSetting(stage: Stage, { name, text }: Instruction): boolean {
  if (name === 'WORKDIR') stage.workingDirectory = text;
  else if (name === 'USER') stage.user = Number(text.split(':')[0]);
  else if (name === 'ENV') {
    const [, key = '', value = ''] = /^(\w+)=(\S+)$/.exec(text) ?? [];
    stage.environment[key] = value;
  } else return false;
  return true;
}

async function copy(
  text: string,
  stage: Stage,
  stages: ReadonlyMap<string, Stage>,
  context: string,
): Promise<void> {
  const all = text.split(/\s+/);
  const from = all[0]?.startsWith('--from=')
    ? stages.get(all.shift()?.slice('--from='.length) ?? '')
    : undefined;
  const target = all.pop() ?? '';
  for (const source of all) {
    const real = from === undefined ? join(context, source) : hostPath(from, source);
    const place = hostPath(stage, posix.resolve(stage.workingDirectory, target));
    // A directory's content goes to the target, a file into a target that ends with a slash.
    await cp(real, target.endsWith('/') ? join(place, posix.basename(source)) : place, {
      recursive: true,
      verbatimSymlinks: true,
    });
  }
}

async function runIn(stage: Stage, command: string): Promise<void> {
  await mkdir(hostPath(stage, stage.workingDirectory), { recursive: true });
  const options = { ...optionsOf(stage), hasNetwork: true };
  const result = await runContained(options, ['sh', '-c', command], RUN_TIMEOUT_MS);
  if (result.exitCode !== 0) throw new Error(`RUN ${command}: ${describeEnd(result)}\n${result.output}`);
}

/** Where a path of a stage lies on the host. @throws Error when it is not in one of its own directories */
function hostPath(stage: Stage, path: string): string {
  const point = Object.keys(stage.mounts).find((one) => path.startsWith(`${one}/`));
  if (point === undefined) throw new Error(`${path}: must be below ${OWN_DIRECTORIES.join(' or ')}`);
  return join(stage.mounts[point] ?? '', path.slice(point.length));
}

/** Of a command in JSON. */
function words(text: string | undefined): readonly string[] {
  return JSON.parse(text ?? '[]') as string[];
}
