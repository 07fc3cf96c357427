/** The parts of the comparison with rtpengine; each starts the engines it needs, and its result is a table. */
import type { B2buaLoadResult, CommandResult } from '../src/bench/b2bua-result.ts';
import { alternateRounds, append, figure, measureRound, ratio, type Summaries } from './alternate.ts';
import { mediaEngine } from './b2bua-servers.ts';
import type { Cells, PartResult, Plan } from './comparison.ts';
import { runGenerator } from './generator.ts';
import { median, type Round } from './rounds.ts';
import { type Server, withServers } from './servers.ts';

const CALLS = 100;
const RATES = [30_000, 100_000] as const;
/** Set up and deleted in one round, and commands under way at once. */
const SETUP_CALLS = 5000;
const SETUP_OUTSTANDING = 32;
/** What a round of set-ups takes at most. */
const SETUP_SECONDS_MAX = 30;

/** What the two legs of a call have; media goes from the first to the second. */
interface Mode {
  readonly name: string;
  readonly caller: string;
  readonly callee: string;
}

const CM = 'AES_CM_128_HMAC_SHA1_80';
const MODES: readonly Mode[] = [
  { name: 'SRTP (CM, SHA1_80) → RTP', caller: CM, callee: 'rtp' },
  { name: 'RTP → SRTP (CM, SHA1_80)', caller: 'rtp', callee: CM },
  { name: 'SRTP (CM, SHA1_80) → SRTP (AES-128-GCM)', caller: CM, callee: 'AEAD_AES_128_GCM' },
  { name: 'RTP → RTP', caller: 'rtp', callee: 'rtp' },
];

/** CPU and latency for each packet, by what the legs have and by rate. */
export async function mediaPart(plan: Plan): Promise<PartResult[]> {
  const costs: Cells[] = [];
  const latencies: Cells[] = [];
  const data: unknown[] = [];
  await withEngines(plan, async (engines) => {
    for (const mode of MODES) {
      for (const packetsPerSecond of RATES) {
        const summaries = await alternateRounds(plan, engines, (engine) =>
          measureMedia(plan, engine, mode, packetsPerSecond),
        );
        data.push({ ...mode, packetsPerSecond, summaries });
        costs.push(costRow(mode, packetsPerSecond, summaries));
        latencies.push(latencyRow(mode, packetsPerSecond, summaries));
      }
    }
  });
  return [
    { title: `CPU of the engine, µs per packet, ${CALLS} calls`, rows: costs, data },
    { title: 'Latency through the engine, µs', rows: latencies, data: null },
  ];
}

/** Calls set up and deleted again, as fast as the engine answers. */
export async function setupPart(plan: Plan): Promise<PartResult> {
  const results = new Map<string, B2buaLoadResult[]>();
  await withEngines(plan, async (engines) => {
    // Code that runs for the first time is slow; an engine runs for longer than that.
    for (const engine of engines) await runSetups(engine);
    for (let round = 1; round <= plan.rounds; round++) {
      for (const engine of engines) {
        const result = await runSetups(engine);
        append(results, engine.name, result);
        plan.note(
          `round ${round}, ${engine.name}: ${Math.round(result.setup.perSecond)} calls/s, ` +
            `${Math.round(result.serverProcess?.cpuMicrosecondsPerCall ?? 0)} µs a call`,
        );
      }
    }
  });
  return {
    title: `Calls set up and deleted (offer, answer, delete; SRTP to RTP), ${SETUP_OUTSTANDING} commands under way`,
    rows: [...results].map(([engine, rounds]) => setupRow(engine, rounds)),
    data: Object.fromEntries(results),
  };
}

function measureMedia(
  plan: Plan,
  engine: Server,
  mode: Mode,
  packetsPerSecond: number,
): Promise<Round | undefined> {
  const { seconds, warmupSeconds } = plan;
  return measureRound(plan, `${engine.name}, ${mode.name}, ${packetsPerSecond}/s`, () =>
    runB2bua(engine, seconds + warmupSeconds, [
      ...['--caller', mode.caller, '--callee', mode.callee, '--calls', CALLS],
      ...['--pps', packetsPerSecond, '--seconds', seconds, '--warmup-seconds', warmupSeconds],
    ]),
  );
}

function runSetups(engine: Server): Promise<B2buaLoadResult> {
  return runB2bua(engine, SETUP_SECONDS_MAX, [
    ...['--setup-only', '--calls', SETUP_CALLS, '--outstanding', SETUP_OUTSTANDING],
  ]);
}

function runB2bua(
  engine: Server,
  seconds: number,
  parameters: readonly (string | number)[],
): Promise<B2buaLoadResult> {
  return runGenerator(engine.name, seconds, [
    ...['b2bua', '--ng', `127.0.0.1:${engine.port}`, '--server-pid', engine.pid],
    ...parameters,
  ]);
}

function withEngines(plan: Plan, body: (engines: readonly Server[]) => Promise<void>): Promise<void> {
  const { directory } = plan;
  return withServers([mediaEngine('rtpengine', directory), mediaEngine('causeway', directory)], body);
}

function costRow({ name }: Mode, packetsPerSecond: number, { causeway, rtpengine }: Summaries): Cells {
  return {
    'caller → callee': name,
    'packets/s': packetsPerSecond,
    rtpengine: figure(rtpengine),
    causeway: figure(causeway),
    '÷ rtpengine': ratio(causeway, rtpengine),
  };
}

function latencyRow({ name }: Mode, packetsPerSecond: number, { causeway, rtpengine }: Summaries): Cells {
  return {
    'caller → callee': name,
    'packets/s': packetsPerSecond,
    'rtpengine p50': rtpengine?.p50Microseconds.toFixed(0) ?? '',
    'causeway p50': causeway?.p50Microseconds.toFixed(0) ?? '',
    'rtpengine p99': rtpengine?.p99Microseconds.toFixed(0) ?? '',
    'causeway p99': causeway?.p99Microseconds.toFixed(0) ?? '',
  };
}

function setupRow(engine: string, rounds: readonly B2buaLoadResult[]): Cells {
  const middle = (of: (result: B2buaLoadResult) => number): number => Math.round(median(rounds.map(of)));
  const latency = (of: (commands: B2buaLoadResult['commands']) => CommandResult, percentile: 'p50' | 'p99') =>
    middle(({ commands }) => of(commands).latencyMicroseconds[percentile]);
  return {
    engine,
    'calls/s': middle(({ setup }) => setup.perSecond),
    'engine CPU µs/call': middle(({ serverProcess }) => serverProcess?.cpuMicrosecondsPerCall ?? Number.NaN),
    'generator CPU %': middle(({ setup }) => setup.generatorCpuPercent),
    'offer p50 µs': latency(({ offer }) => offer, 'p50'),
    'offer p99 µs': latency(({ offer }) => offer, 'p99'),
    'answer p50 µs': latency(({ answer }) => answer, 'p50'),
    'answer p99 µs': latency(({ answer }) => answer, 'p99'),
    failed: rounds.reduce((sum, { setup }) => sum + setup.failed, 0),
  };
}
