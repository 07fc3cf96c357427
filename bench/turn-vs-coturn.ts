/**
 * Causeway side by side with coturn: `npm run bench:turn`, after `npm run build`.
 *
 *     npm run bench:turn -- --quick              everything, short
 *     npm run bench:turn -- --part cost          one part: cost, memory, allocation, rate, flatness, capacity
 *     npm run bench:turn -- --rounds 5 --seconds 4
 *
 * Writes bench/results/turn-vs-coturn.md and .json. Needs Linux, a C compiler, and coturn
 * (apt-get install coturn). What is measured and how: bench/RESULTS.md.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  allocationPart,
  capacityPart,
  costPart,
  flatnessPart,
  highestRatePart,
  memoryPart,
  type PartResult,
  type Plan,
} from './turn-parts.ts';

const PARTS: Readonly<Record<string, (plan: Plan) => Promise<PartResult | PartResult[]>>> = {
  memory: memoryPart,
  allocation: allocationPart,
  cost: costPart,
  rate: highestRatePart,
  flatness: flatnessPart,
  capacity: capacityPart,
};
/** Above this share of the machine busy before the run, figures are only indicative. */
const BUSY_PERCENT_MAX = 5;
const BUSY_SAMPLE_MS = 2000;

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    part: { type: 'string', multiple: true },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    output: { type: 'string', default: 'bench/results' },
  },
});
const chosen = values.part ?? Object.keys(PARTS);
const unknown = chosen.filter((name) => !(name in PARTS));
if (unknown.length > 0) {
  console.error(`--part must be one of ${Object.keys(PARTS).join(', ')}: got ${unknown.join(', ')}`);
  process.exit(2);
}

const directory = mkdtempSync(join(tmpdir(), 'causeway-bench-'));
const startedMs = Date.now();
const plan: Plan = {
  directory,
  rounds: Number(values.rounds ?? (values.quick ? 1 : 5)),
  seconds: Number(values.seconds ?? (values.quick ? 2 : 4)),
  warmupSeconds: 1,
  note: (text) => console.error(`${((Date.now() - startedMs) / 1000).toFixed(0).padStart(5)} s  ${text}`),
};

const busyPercent = await machineBusyPercent();
const results: PartResult[] = [];
const failures: string[] = [];
for (const name of chosen) {
  try {
    results.push(...[await (PARTS[name] as (typeof PARTS)[string])(plan)].flat());
  } catch (error) {
    failures.push(`${name}: ${(error as Error).message}`);
    plan.note(`${name} failed: ${(error as Error).message}`);
  }
}
rmSync(directory, { recursive: true });

const machine = {
  date: new Date().toISOString(),
  minutes: Math.round((Date.now() - startedMs) / 6000) / 10,
  cpu: `${availableParallelism()} × ${cpus()[0]?.model ?? 'unknown'}`,
  kernel: release(),
  node: process.version,
  coturn: firstLine('turnserver', '--version'),
  busyPercentBefore: Math.round(busyPercent * 10) / 10,
  rounds: plan.rounds,
  seconds: plan.seconds,
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
mkdirSync(values.output, { recursive: true });
writeFileSync(join(values.output, 'turn-vs-coturn.md'), `${markdown}\n`);
writeFileSync(
  join(values.output, 'turn-vs-coturn.json'),
  `${JSON.stringify({ machine, results, failures }, null, 1)}\n`,
);
console.log(markdown);
process.exitCode = failures.length === 0 ? 0 : 1;

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

function firstLine(command: string, ...parameters: string[]): string {
  try {
    return execFileSync(command, parameters, { encoding: 'utf8' }).split('\n', 1)[0] ?? '';
  } catch {
    return 'absent';
  }
}
