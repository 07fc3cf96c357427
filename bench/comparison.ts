/**
 * A comparison of servers as a program: its options, the machine it ran on, and its report in Markdown
 * and JSON.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

/** Settings of a whole run. */
export interface Plan {
  readonly directory: string;
  readonly rounds: number;
  readonly seconds: number;
  readonly warmupSeconds: number;
  /** Says what is going on. */
  readonly note: (text: string) => void;
}

export type Cells = Readonly<Record<string, string | number>>;

/** A part's outcome: rows for people, and everything for the JSON file. */
export interface PartResult {
  readonly title: string;
  readonly rows: readonly Cells[];
  readonly data: unknown;
}

/** Parts by the name that `--part` knows. */
export type Parts = Readonly<Record<string, (plan: Plan) => Promise<PartResult | PartResult[]>>>;

/** Above this share of the machine busy before the run, figures are only indicative. */
const BUSY_PERCENT_MAX = 5;
const BUSY_SAMPLE_MS = 2000;

/**
 * Runs the parts that the command line asks for, prints the report, and writes it to
 * `bench/results/NAME.md` and `.json`. `peers`: the commands that tell versions of what is compared.
 */
export async function compare(
  name: string,
  parts: Parts,
  peers: Readonly<Record<string, readonly [command: string, ...parameters: string[]]>>,
): Promise<void> {
  const options = readOptions(parts);
  if (!options) return;
  const directory = mkdtempSync(join(tmpdir(), 'causeway-bench-'));
  const startedMs = Date.now();
  const { output, rounds, seconds } = options;
  const note = (text: string): void =>
    console.error(`${((Date.now() - startedMs) / 1000).toFixed(0).padStart(5)} s  ${text}`);
  const plan: Plan = { directory, rounds, seconds, warmupSeconds: 1, note };
  const busyPercent = await machineBusyPercent();
  const results: PartResult[] = [];
  const failures: string[] = [];
  for (const part of options.chosen) {
    try {
      results.push(...[await (parts[part] as Parts[string])(plan)].flat());
    } catch (error) {
      failures.push(`${part}: ${(error as Error).message}`);
      note(`${part} failed: ${(error as Error).message}`);
    }
  }
  rmSync(directory, { recursive: true });
  const machine = {
    date: new Date().toISOString(),
    minutes: Math.round((Date.now() - startedMs) / 6000) / 10,
    cpu: `${availableParallelism()} × ${cpus()[0]?.model ?? 'unknown'}`,
    kernel: release(),
    node: process.version,
    ...Object.fromEntries(Object.entries(peers).map(([peer, command]) => [peer, firstLine(...command)])),
    busyPercentBefore: Math.round(busyPercent * 10) / 10,
    rounds,
    seconds,
  };
  const markdown = [
    Object.entries(machine)
      .map(([key, value]) => `${key} ${value}`)
      .join(' · '),
    ...(busyPercent > BUSY_PERCENT_MAX
      ? [`**The machine was ${busyPercent.toFixed(0)} % busy before the run: indicative figures only.**`]
      : []),
    ...results.map(({ rows, title }) => `### ${title}\n${table(rows)}`),
    ...failures.map((failure) => `**Failed:** ${failure}`),
  ].join('\n\n');
  mkdirSync(output, { recursive: true });
  writeFileSync(join(output, `${name}.md`), `${markdown}\n`);
  writeFileSync(join(output, `${name}.json`), `${JSON.stringify({ machine, results, failures }, null, 1)}\n`);
  console.log(markdown);
  process.exitCode = failures.length === 0 ? 0 : 1;
}

interface Options {
  readonly chosen: readonly string[];
  readonly rounds: number;
  readonly seconds: number;
  readonly output: string;
}

/** Undefined, and exit code 2, if a part is unknown. */
function readOptions(parts: Parts): Options | undefined {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      part: { type: 'string', multiple: true },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      output: { type: 'string', default: 'bench/results' },
    },
  });
  const chosen = values.part ?? Object.keys(parts);
  const unknown = chosen.filter((name) => !(name in parts));
  if (unknown.length > 0) {
    console.error(`--part must be one of ${Object.keys(parts).join(', ')}: got ${unknown.join(', ')}`);
    process.exitCode = 2;
    return undefined;
  }
  return {
    chosen,
    rounds: Number(values.rounds ?? (values.quick ? 1 : 5)),
    seconds: Number(values.seconds ?? (values.quick ? 2 : 4)),
    output: values.output,
  };
}

function table(rows: PartResult['rows']): string {
  const columns = Object.keys(rows[0] ?? {});
  const lines = [
    columns,
    columns.map(() => '---'),
    ...rows.map((row) => columns.map((column) => row[column] ?? '')),
  ];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** How busy all CPUs are without us, percent. */
async function machineBusyPercent(): Promise<number> {
  const before = cpuTicks();
  await new Promise((resolve) => {
    setTimeout(resolve, BUSY_SAMPLE_MS);
  });
  const after = cpuTicks();
  return 100 * (1 - (after.idle - before.idle) / (after.all - before.all));
}

/** The first line of /proc/stat: user, nice, system, idle, iowait, … */
function cpuTicks(): { idle: number; all: number } {
  const ticks = (readFileSync('/proc/stat', 'latin1').split('\n', 1)[0] ?? '')
    .split(/ +/)
    .slice(1)
    .map(Number);
  return { idle: (ticks[3] ?? 0) + (ticks[4] ?? 0), all: ticks.reduce((sum, value) => sum + value, 0) };
}

/** Of what a command says on either stream. */
function firstLine(command: string, ...parameters: string[]): string {
  const { error, stderr, stdout } = spawnSync(command, parameters, { encoding: 'utf8' });
  return error ? 'absent' : (`${stdout}${stderr}`.split('\n', 1)[0] ?? '');
}
