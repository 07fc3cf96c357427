/** The parts of the comparison; each starts the servers it needs, and its result is a table. */
import { readFileSync } from 'node:fs';
import { LOSS_PERCENT_MAX } from '../src/bench/load-result.ts';
import type { TurnLoadResult } from '../src/bench/turn-result.ts';
import { alternateRounds, append, figure, measureRound, ratio, type Summaries } from './alternate.ts';
import type { Cells, PartResult, Plan } from './comparison.ts';
import { median, type Round, type Summary } from './rounds.ts';
import { type Server, withServers } from './servers.ts';
import { ALLOCATIONS_OUTSTANDING, runAllocations, runTraffic, type TurnLoad } from './turn-runs.ts';
import { type TurnServerName, type TurnServerOptions, turnServer } from './turn-servers.ts';

const DIRECTIONS = ['up', 'down'] as const;
/** Beside coturn's 24000–29999. */
const RELAY_PORTS = [14_000, 19_999] as const;
/** Flatness is a ratio within one server; a few rounds of the long set-up of 6,000 relays are enough. */
const FLATNESS_ROUNDS_MAX = 3;
const RATE_MIN = 50_000;
const RATE_MAX = 600_000;
/** The search for the highest rate: steps up by this factor, then this many halvings of what is left. */
const SEARCH_FACTOR = 1.5;
const SEARCH_HALVINGS = 3;
/** What the generator must offer of a rate for the search to go on upwards. */
const SEARCH_OFFERED_PERCENT_MIN = 95;

/** CPU for each packet, direction × rate × allocations, and against the C forwarder at the higher rate. */
export async function costPart(plan: Plan): Promise<PartResult> {
  const rows: Cells[] = [];
  const data: unknown[] = [];
  await withTurnServers(plan, ['coturn', 'causeway', 'forwarder'], async (servers) => {
    for (const flows of [200, 3000]) {
      for (const direction of DIRECTIONS) {
        for (const packetsPerSecond of [30_000, 100_000]) {
          const compared =
            packetsPerSecond === 100_000 ? servers : servers.filter(({ name }) => name !== 'forwarder');
          const summaries = await alternate(plan, compared, { flows, direction, packetsPerSecond });
          data.push({ flows, direction, packetsPerSecond, summaries });
          rows.push(costRow({ flows, direction, packetsPerSecond }, summaries));
        }
      }
    }
  });
  return { title: 'CPU of the server, µs per relayed packet', rows, data };
}

/** Memory that idle allocations take, and CPU time to make them. */
export async function memoryPart(plan: Plan): Promise<PartResult> {
  const flows = 3000;
  const rows: Cells[] = [];
  const data: TurnLoadResult[] = [];
  for (const name of ['coturn', 'causeway'] as const) {
    await withTurnServers(plan, [name], async ([server]) => {
      plan.note(`${name}: memory of ${flows} idle allocations`);
      // Code that runs for the first time takes memory too, and is no part of an allocation.
      await runAllocations(server as Server, 50, false, 0);
      const result = await runAllocations(server as Server, flows, false, 3);
      data.push(result);
      rows.push({ server: name, ...memoryCells(result) });
    });
  }
  return { title: `Process memory of ${flows} idle allocations (private pages)`, rows, data };
}

/** As many allocations on one node as descriptors allow, up to 20,000. */
export async function capacityPart(plan: Plan): Promise<PartResult> {
  const flows = Math.min(20_000, descriptorsMax() - 200);
  const rows: Cells[] = [];
  const data: TurnLoadResult[] = [];
  // This range takes in coturn's, which is not running now.
  const relayPorts = [10_000, 32_767] as const;
  await withTurnServers(
    plan,
    ['causeway'],
    async ([server]) => {
      plan.note(`causeway: ${flows} allocations`);
      await runAllocations(server as Server, 50, false, 0);
      const result = await runAllocations(server as Server, flows, false, 3);
      data.push(result);
      const perSecond = Math.round(result.allocations.perSecond);
      rows.push({ server: 'causeway', 'allocations/s': perSecond, ...memoryCells(result) });
    },
    { relayPorts },
  );
  return { title: `${flows} allocations on one node`, rows, data };
}

/** Allocations a second with long-term credentials: two requests each. */
export async function allocationPart(plan: Plan): Promise<PartResult> {
  const flows = 2000;
  const perSecond = new Map<string, number[]>();
  const cpu = new Map<string, number[]>();
  const generator = new Map<string, number[]>();
  await withTurnServers(
    plan,
    ['coturn', 'causeway'],
    async (servers) => {
      // Code that runs for the first time is slow in both; a server runs for longer than that.
      for (const server of servers) await runAllocations(server, flows, true, 0);
      for (let round = 1; round <= plan.rounds; round++) {
        for (const server of servers) {
          const result = await runAllocations(server, flows, true, 0);
          append(perSecond, server.name, result.allocations.perSecond);
          append(cpu, server.name, result.serverProcess?.cpuMicrosecondsPerAllocation ?? Number.NaN);
          append(generator, server.name, result.allocations.generatorCpuPercent);
          plan.note(
            `round ${round}, ${server.name}: ${Math.round(result.allocations.perSecond)} allocations/s`,
          );
        }
      }
    },
    { authentication: true },
  );
  const rows = [...perSecond].map(([server, values]) => ({
    server,
    'allocations/s': Math.round(median(values)),
    'server CPU µs/allocation': Math.round(median(cpu.get(server) ?? [])),
    'generator CPU %': Math.round(median(generator.get(server) ?? [])),
  }));
  return {
    title: `Rate of allocations with authentication (${flows} of them, ${ALLOCATIONS_OUTSTANDING} requests under way)`,
    rows,
    data: { perSecond: Object.fromEntries(perSecond), cpuMicroseconds: Object.fromEntries(cpu) },
  };
}

/** The highest rate with less than 0.1 % loss, and latency at half of the lower one. */
export async function highestRatePart(plan: Plan): Promise<PartResult[]> {
  const rates: Cells[] = [];
  const latencies: Cells[] = [];
  const data: unknown[] = [];
  await withTurnServers(plan, ['coturn', 'causeway'], async (servers) => {
    for (const direction of DIRECTIONS) {
      const found: Record<string, string | number> = { direction };
      const highest: number[] = [];
      for (const server of servers) {
        const search = await findHighestRate(plan, server, direction);
        highest.push(search.packetsPerSecond);
        found[server.name] =
          `${search.packetsPerSecond}${search.isGeneratorLimit ? ' (limit of the generator)' : ''}`;
        data.push({ direction, server: server.name, ...search });
      }
      rates.push(found);
      const packetsPerSecond = Math.max(1, Math.round(Math.min(...highest) / 2));
      const summaries = await alternate(plan, servers, { flows: 200, direction, packetsPerSecond });
      data.push({ direction, packetsPerSecond, summaries });
      latencies.push(latencyRow(direction, packetsPerSecond, summaries));
    }
  });
  return [
    { title: 'Highest rate with < 0.1 % loss, 200 allocations, packets/s', rows: rates, data },
    {
      title: 'Latency through the server at half of the lower highest rate, µs',
      rows: latencies,
      data: null,
    },
  ];
}

/** The cost of a packet at 100 allocations and at 6,000: how flat each server is, the bare forwarder included. */
export async function flatnessPart(plan: Plan): Promise<PartResult> {
  const rows: Cells[] = [];
  const data: unknown[] = [];
  const fewer = { ...plan, rounds: Math.min(plan.rounds, FLATNESS_ROUNDS_MAX) };
  await withTurnServers(
    plan,
    ['coturn', 'causeway', 'forwarder'],
    async (servers) => {
      for (const direction of DIRECTIONS) {
        const packetsPerSecond = 100_000;
        const few = await alternate(fewer, servers, { flows: 100, direction, packetsPerSecond });
        const many = await alternate(fewer, servers, { flows: 6000, direction, packetsPerSecond });
        data.push({ direction, 100: few, 6000: many });
        for (const { name } of servers) {
          const [a, b] = [few[name], many[name]];
          if (a && b) rows.push(flatnessRow(direction, name, a, b));
        }
      }
    },
    { relayPorts: [10_000, 21_999] },
  );
  return { title: 'CPU µs per packet by number of allocations, 100 k/s', rows, data };
}

function flatnessRow(direction: string, server: string, few: Summary, many: Summary): Cells {
  return {
    direction,
    server,
    '100 allocations': figure(few),
    '6,000 allocations': figure(many),
    ratio: (many.cpuMicroseconds / few.cpuMicroseconds).toFixed(2),
  };
}

/** The hard limit on open files, which binds generator and server alike. */
function descriptorsMax(): number {
  const limit = /^Max open files +\d+ +(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1];
  return limit === undefined ? Number.POSITIVE_INFINITY : Number(limit);
}

type Traffic = Pick<TurnLoad, 'flows' | 'direction' | 'packetsPerSecond'>;

/** Every server in turn, as many times as there are rounds. */
function alternate(plan: Plan, servers: readonly Server[], traffic: Traffic): Promise<Summaries> {
  return alternateRounds(plan, servers, (server) => measure(plan, server, traffic));
}

function measure(plan: Plan, server: Server, traffic: Traffic): Promise<Round | undefined> {
  const { seconds, warmupSeconds } = plan;
  const what = `${server.name}, ${traffic.flows} allocations, ${traffic.direction}, ${traffic.packetsPerSecond}/s`;
  return measureRound(plan, what, () => runTraffic(server, { ...traffic, seconds, warmupSeconds }));
}

interface Search {
  /** What was really sent, and arrived. */
  readonly packetsPerSecond: number;
  /** The generator gave up before the server lost anything. */
  readonly isGeneratorLimit: boolean;
}

/** Upwards by steps until a rate is lost or cannot be offered, then by halving what is left. */
async function findHighestRate(plan: Plan, server: Server, direction: 'up' | 'down'): Promise<Search> {
  const short = { ...plan, seconds: 2, warmupSeconds: 1 };
  let best = 0;
  let isGeneratorLimit = false;
  /** A rate passes if one of two tries does: a machine has moments. */
  const passes = async (packetsPerSecond: number): Promise<boolean> => {
    for (let attempt = 0; attempt < 2; attempt++) {
      const round = await measure(short, server, { flows: 200, direction, packetsPerSecond });
      if (!round || round.lossPercent > LOSS_PERCENT_MAX) continue;
      best = Math.max(best, round.sentPacketsPerSecond);
      isGeneratorLimit = round.offeredPercent < SEARCH_OFFERED_PERCENT_MIN;
      if (!isGeneratorLimit) return true;
    }
    return false;
  };
  let good = RATE_MIN / SEARCH_FACTOR;
  let bad = RATE_MIN;
  while (bad <= RATE_MAX && (await passes(Math.round(bad)))) {
    good = bad;
    bad *= SEARCH_FACTOR;
  }
  for (let i = 0; i < SEARCH_HALVINGS; i++) {
    const middle = Math.sqrt(good * bad);
    if (await passes(Math.round(middle))) good = middle;
    else bad = middle;
  }
  return { packetsPerSecond: Math.round(best), isGeneratorLimit };
}

/** The servers of these names, from start to end. */
function withTurnServers(
  plan: Plan,
  names: readonly TurnServerName[],
  body: (servers: readonly Server[]) => Promise<void>,
  options: Partial<TurnServerOptions> = {},
): Promise<void> {
  const { directory } = plan;
  const launches = names.map((name) =>
    turnServer(name, { authentication: false, relayPorts: RELAY_PORTS, directory, ...options }),
  );
  return withServers(launches, body);
}

function costRow(traffic: Traffic, { causeway, coturn, forwarder }: Summaries): Cells {
  return {
    direction: traffic.direction,
    'packets/s': traffic.packetsPerSecond,
    allocations: traffic.flows,
    coturn: figure(coturn),
    causeway: figure(causeway),
    'C forwarder': forwarder ? figure(forwarder) : '',
    '÷ coturn': ratio(causeway, coturn),
    '÷ C': forwarder ? ratio(causeway, forwarder) : '',
  };
}

function latencyRow(direction: string, packetsPerSecond: number, { causeway, coturn }: Summaries): Cells {
  return {
    direction,
    'packets/s': packetsPerSecond,
    'coturn p50': coturn?.p50Microseconds.toFixed(1) ?? '',
    'causeway p50': causeway?.p50Microseconds.toFixed(1) ?? '',
    'coturn p99': coturn?.p99Microseconds.toFixed(0) ?? '',
    'causeway p99': causeway?.p99Microseconds.toFixed(0) ?? '',
  };
}

function memoryCells({ allocations, serverProcess }: TurnLoadResult): Cells {
  const mib = (bytes = 0): string => (bytes / 2 ** 20).toFixed(1);
  return {
    established: allocations.established,
    'MiB before': mib(serverProcess?.memoryBytesBefore),
    'MiB after': mib(serverProcess?.memoryBytesAllocated),
    'bytes/allocation': serverProcess?.memoryBytesPerAllocation ?? '',
  };
}
