/**
 * Runs a scenario with programs of others on a network of namespaces: baresip calls through Kamailio, which runs
 * examples/kamailio.cfg; then two Chromiums call each other over TURN, one of them out of a home that lets no UDP
 * out; and a collectd hears what the node counts. The last two are the same whatever the scenario.
 */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { LabResult, MetricRow } from '../events.ts';
import { AdminClient } from '../media-plane/admin-client.ts';
import type { ScenarioRun } from '../run-scenario.ts';
import type { CallPlan, Party, Scenario, Step } from '../scenario/scenario.ts';
import { HOME_NAMES, PLACES } from '../topology.ts';
import { BaresipEnds } from './baresip-ends.ts';
import { ChromiumEnds } from './chromium-ends.ts';
import { COLLECTD, filedDifferences, startCollectd } from './collectd.ts';
import { startKamailio } from './kamailio.ts';
import { type Program, programsIn, startAll } from './program.ts';
import { RealCall } from './real-call.ts';
import type { Both, RealEnds } from './real-ends.ts';
import { waitFor } from './wait.ts';

/** The node sends every second. */
const FILED_MS_MAX = 10_000;

/** Tones of a call's two ends, and how much higher those of the next call are. */
const TONES_HZ: Both<number> = [440, 490];
const TONE_STEP_HZ = 100;
const TONE_STEPS = 12;

/** @throws LabError or Error (rejects) where the lab itself, or one of the servers, does not work */
export async function runRealPeers(run: ScenarioRun): Promise<LabResult> {
  const startedMs = performance.now();
  const { scenario, network, plane, pageUrl, directory } = run;
  const unfit = unfitLine(scenario);
  if (unfit !== undefined) throw new Error(`${scenario.title}: ${unfit}`);
  const collectdDirectory = join(directory, 'collectd');
  let servers: readonly Program[] = [];
  const real = new RealRun(run);
  let metrics: readonly MetricRow[] = [];
  const problems: string[] = [];
  try {
    servers = await startServers(run, collectdDirectory);
    await real.steps();
    const checked = await checkMetrics(run);
    metrics = checked.metrics;
    problems.push(...checked.problems, ...(await checkCollectd(run, collectdDirectory)));
  } finally {
    await real.close();
    await Promise.all(servers.map((server) => server.stop()));
  }
  const calls = real.calls.map(({ row }) => row);
  problems.unshift(
    ...calls.flatMap((row) => row.problems.map((problem) => `call ${row.id} (${row.title}): ${problem}`)),
  );
  return {
    ...{ scenario: scenario.title, network: network.kind, mediaPlane: plane.name, pageUrl },
    ...{ seconds: (performance.now() - startedMs) / 1000, calls, metrics, problems },
  };
}

function startServers(
  { network, directory }: ScenarioRun,
  collectdDirectory: string,
): Promise<readonly Program[]> {
  const start = programsIn(network, 'edge', join(directory, 'collectd.log'));
  return startAll([
    startCollectd(start, { ...COLLECTD, directory: collectdDirectory }),
    startKamailio(network, directory),
  ]);
}

class RealRun {
  readonly calls: RealCall[] = [];
  readonly #run: ScenarioRun;
  readonly #ends: RealEnds[] = [];

  constructor(run: ScenarioRun) {
    this.#run = run;
  }

  /** Those of the scenario, and that of the browsers. */
  async steps(): Promise<void> {
    const { scenario, listener } = this.#run;
    const steps = [
      ...scenario.steps.map((step) => ({ step, agent: 'baresip' })),
      { step: BROWSER_STEP, agent: 'chromium' },
    ];
    for (const [index, { step, agent }] of steps.entries()) {
      listener({ event: 'step', number: index + 1, count: steps.length, title: step.title });
      await this.#step(step, agent);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#ends.map((ends) => ends.close()));
  }

  async #step(step: Step, agent: string): Promise<void> {
    const { network, scenario, listener } = this.#run;
    for (const home of HOME_NAMES) await network.setNat(home, step.nats[home]);
    const calls = step.calls.map((plan) => {
      const number = this.#ends.length + 1;
      const ends = this.#endsOf(plan, number, agent);
      this.#ends.push(ends);
      return new RealCall({ id: String(number), plan, nats: step.nats, agent, ends, listener });
    });
    this.calls.push(...calls);
    await Promise.all(calls.map((call) => call.establish()));
    if (calls.some(({ hasFailed }) => !hasFailed)) await delay(scenario.talkSeconds * 1000);
    await Promise.all(calls.map((call) => call.finish()));
  }

  #endsOf(plan: CallPlan, number: number, agent: string): RealEnds {
    const { network, plane, directory, listener } = this.#run;
    const above = TONE_STEP_HZ * ((number - 1) % TONE_STEPS);
    const tonesHz: Both<number> = [TONES_HZ[0] + above, TONES_HZ[1] + above];
    const options = { network, plane, directory, plan, tonesHz };
    if (agent === 'baresip') return new BaresipEnds({ ...options, number });
    const note = (text: string): void => listener({ event: 'note', text: `call ${number}: ${text}` });
    return new ChromiumEnds({ ...options, note });
  }
}

const BROWSER_STEP: Step = {
  title: 'Two browsers, over TURN relays alone; home B lets no UDP out',
  nats: { A: 'port-restricted', B: 'udp-blocked' },
  calls: [
    {
      ...{ title: 'homeA → homeB (WebRTC)', from: browserAt('homeA'), to: browserAt('homeB') },
      ...{ expect: 'relay_to_relay', evidence: 'any', lossPercentMax: 1 },
    },
  ],
};

function browserAt(place: Party['place']): Party {
  return { place, ice: 'full', encryption: 'none', turn: true };
}

/** What real peers cannot do; undefined: they can do all of it. */
function unfitLine({ mediaPlane, turn, steps }: Scenario): string | undefined {
  if (mediaPlane || turn) return 'real peers call through the lab’s own node alone (no mediaPlane, no turn)';
  for (const { title, nats, calls, fault } of steps) {
    const line = (what: string): string => `step “${title}”: ${what}`;
    if (fault) return line(`real peers know no faults (${fault.kind})`);
    for (const { place, ice, encryption } of calls.flatMap(({ from, to }) => [from, to])) {
      if (ice === 'werift') return line('the ICE of a baresip is its own (ice: full or none)');
      if (encryption === 'AEAD_AES_128_GCM') return line('baresip knows AES_CM_128_HMAC_SHA1_80 alone');
      const { home } = PLACES[place];
      if (home && nats[home] === 'udp-blocked')
        return line(`SIP is UDP here, which home ${home} does not let out`);
    }
  }
  return undefined;
}

async function checkMetrics({
  plane,
  listener,
}: ScenarioRun): Promise<{ metrics: readonly MetricRow[]; problems: readonly string[] }> {
  if (!plane.records) return { metrics: [], problems: [] };
  const { startTime, endTime, rows, problems } = await plane.records.metrics();
  listener({ event: 'metrics', startTime, endTime, rows, isRight: problems.length === 0, problems });
  return { metrics: rows, problems: problems.map((problem) => `metrics: ${problem}`) };
}

/** What has not come to collectd's files of what the node counts. */
async function checkCollectd({ plane, listener }: ScenarioRun, directory: string): Promise<string[]> {
  if (!plane.pages) return [];
  const admin = new AdminClient(plane.pages.url, plane.pages.token);
  let differences: string[] = [];
  const isFiled = async (): Promise<boolean> => {
    differences = await filedDifferences(directory, await admin.iceMetrics());
    return differences.length === 0;
  };
  await waitFor('collectd files the counters', isFiled, { timeoutMs: FILED_MS_MAX }).catch(() => {});
  if (differences.length > 0) return differences.map((difference) => `collectd: ${difference}`);
  listener({ event: 'note', text: 'collectd has filed the same ICE metrics as the node counts' });
  return [];
}
