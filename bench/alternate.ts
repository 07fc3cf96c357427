/** Runs servers in turn, and puts what comes of it into cells. */
import type { Plan } from './comparison.ts';
import { type Measured, type Round, type Summary, summarize, toRound } from './rounds.ts';
import type { Server } from './servers.ts';

/** By the server's name. */
export type Summaries = Readonly<Partial<Record<string, Summary>>>;

/** Every server in turn, as many times as there are rounds; rounds that failed are left out. */
export async function alternateRounds(
  plan: Plan,
  servers: readonly Server[],
  measure: (server: Server) => Promise<Round | undefined>,
): Promise<Summaries> {
  const rounds = new Map<string, Round[]>();
  for (let round = 1; round <= plan.rounds; round++) {
    for (const server of servers) {
      const result = await measure(server);
      if (result) append(rounds, server.name, result);
    }
  }
  return Object.fromEntries([...rounds].map(([name, list]) => [name, summarize(list)]));
}

/** One run; undefined, and a note, if it failed. */
export async function measureRound(
  plan: Plan,
  what: string,
  run: () => Promise<Measured>,
): Promise<Round | undefined> {
  try {
    const round = toRound(await run());
    const flaw = round.counts ? '' : ` (${round.reasons.join('; ')})`;
    plan.note(`${what}: ${round.cpuMicroseconds.toFixed(2)} µs, p99 ${round.p99Microseconds} µs${flaw}`);
    return round;
  } catch (error) {
    plan.note(`${what}: ${(error as Error).message}`);
    return undefined;
  }
}

/** A star where no round counts: see the JSON file for the reasons. */
export function figure(summary: Summary | undefined): string {
  if (!summary) return 'failed';
  return `${summary.cpuMicroseconds.toFixed(2)}${summary.counting === 0 ? ' *' : ''}`;
}

/** Of the CPU cost of two servers. */
export function ratio(a: Summary | undefined, b: Summary | undefined): string {
  return a && b && b.cpuMicroseconds > 0 ? (a.cpuMicroseconds / b.cpuMicroseconds).toFixed(2) : '';
}

export function append<Key, Value>(map: Map<Key, Value[]>, key: Key, value: Value): void {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}
