/** Runs a scenario on a network and a media plane: step after step, the calls of a step at the same time. */
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { runFault } from './call/faults.ts';
import { LabCall } from './call/lab-call.ts';
import { Phones } from './call/phones.ts';
import type { LabListener, LabResult, MetricRow } from './events.ts';
import { errorLine } from './lab-error.ts';
import type { MediaPlane } from './media-plane/media-plane.ts';
import type { LabNetwork } from './network/network.ts';
import type { Scenario, Step } from './scenario/scenario.ts';
import { HOME_NAMES } from './topology.ts';

export interface ScenarioRun {
  readonly scenario: Scenario;
  readonly network: LabNetwork;
  readonly plane: MediaPlane;
  /** Where the status pages are on the user's machine; null: nowhere. */
  readonly pageUrl: string | null;
  /** For logs of the phones. */
  readonly directory: string;
  readonly listener: LabListener;
}

/** Resolves with what came of it; rejects only where the lab itself does not work. */
export async function runScenario(
  run: ScenarioRun,
  phones: Pick<Phones, 'open' | 'close'> = new Phones(run.network, run.directory),
): Promise<LabResult> {
  const { scenario, network, plane, listener, pageUrl } = run;
  const startedMs = performance.now();
  const calls: LabCall[] = [];
  const problems: string[] = [];
  let metrics: readonly MetricRow[] = [];
  try {
    const name = randomBytes(4).toString('hex');
    for (const [index, step] of scenario.steps.entries()) {
      listener({ event: 'step', number: index + 1, count: scenario.steps.length, title: step.title });
      const ofStep = step.calls.map((plan, place) => {
        const id = String(calls.length + place + 1);
        return new LabCall({
          id,
          callId: `lab-${name}-${id}`,
          plan,
          plane,
          phones,
          listener,
          nats: step.nats,
        });
      });
      calls.push(...ofStep);
      const problem = await runStep(step, ofStep, run);
      if (problem !== undefined) problems.push(`step ${index + 1} (${step.title}): ${problem}`);
    }
    const checked = await checkMetrics(plane, listener);
    metrics = checked.metrics;
    problems.push(...checked.problems);
  } finally {
    await phones.close();
  }
  const rows = calls.map(({ row }) => row);
  problems.unshift(
    ...rows.flatMap((row) => row.problems.map((problem) => `call ${row.id} (${row.title}): ${problem}`)),
  );
  return {
    ...{ scenario: scenario.title, network: network.kind, mediaPlane: plane.name, pageUrl },
    ...{ seconds: (performance.now() - startedMs) / 1000, calls: rows, metrics, problems },
  };
}

/** @returns what of the step's fault did not work; undefined: nothing */
async function runStep(
  step: Step,
  calls: readonly LabCall[],
  { network, plane, scenario, listener }: ScenarioRun,
): Promise<string | undefined> {
  for (const home of HOME_NAMES) await network.setNat(home, step.nats[home]);
  await Promise.all(calls.map((call) => call.establish()));
  const talkMs = scenario.talkSeconds * 1000;
  const note = (text: string): void => listener({ event: 'note', text });
  const isUp = (): boolean => calls.some(({ hasFailed }) => !hasFailed);
  let problem: string | undefined;
  if (step.fault && isUp()) {
    await delay(talkMs);
    problem = await runFault(step.fault, { network, plane, calls, note });
  }
  if (isUp()) await delay(talkMs);
  await Promise.all(calls.map((call) => call.finish()));
  return problem;
}

/** A record is counted when it is written, so nothing is under way any more when all calls have their records. */
async function checkMetrics(
  plane: MediaPlane,
  listener: LabListener,
): Promise<{ metrics: readonly MetricRow[]; problems: readonly string[] }> {
  if (!plane.records) return { metrics: [], problems: [] };
  try {
    const { startTime, endTime, rows, problems } = await plane.records.metrics();
    listener({ event: 'metrics', startTime, endTime, rows, isRight: problems.length === 0, problems });
    return { metrics: rows, problems: problems.map((problem) => `metrics: ${problem}`) };
  } catch (error) {
    // A node that is down takes nothing from what the calls have shown.
    return { metrics: [], problems: [`metrics: ${errorLine(error)}`] };
  }
}
