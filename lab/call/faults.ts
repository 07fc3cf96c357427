/** What goes wrong in a step while its calls are up, and how long one waits to see what it did. */
import { setTimeout as delay } from 'node:timers/promises';
import type { MediaPlane, PlaneFaults } from '../media-plane/media-plane.ts';
import type { LabNetwork } from '../network/network.ts';
import type { Fault } from '../scenario/scenario.ts';
import type { LabCall } from './lab-call.ts';

/** Media that stopped is noticed within seconds, and ICE starts anew, through relays over TCP at worst. */
const RECOVERY_MS_MAX = 40_000;
/** So long a fault is watched at least: a call that has not noticed by then is not harmed. */
const NOTICE_MS = 5000;
const POLL_MS = 200;

export interface FaultScene {
  readonly network: LabNetwork;
  readonly plane: MediaPlane;
  readonly calls: readonly LabCall[];
  note(text: string): void;
}

/** Lets the fault happen and pass, and waits for the calls that are to recover. */
export async function runFault(fault: Fault, scene: FaultScene): Promise<void> {
  const { calls } = scene;
  for (const call of calls) call.beginFault();
  // A gap is the fault's own; what loss is counted from comes after it.
  if (fault.kind !== 'loss') for (const call of calls) call.stopMeasuring();
  else for (const call of calls) call.measure();
  await happen(fault, scene);
  await delay(NOTICE_MS);
  const deadlineMs = performance.now() + RECOVERY_MS_MAX;
  const isOver = (): boolean =>
    calls.every((call) => call.hasFailed || call.isTalking || call.plan.afterFault === 'lost');
  while (!isOver() && performance.now() < deadlineMs) await delay(POLL_MS);
  for (const call of calls) call.endFault();
  if (fault.kind !== 'loss') for (const call of calls) if (call.isTalking) call.measure();
}

async function happen(fault: Fault, { network, plane, calls, note }: FaultScene): Promise<void> {
  switch (fault.kind) {
    case 'media-plane-restart': {
      note(`fault: the ${fault.node} node is stopped, and started again`);
      const startedMs = performance.now();
      await faultsOf(plane).restart(fault.node);
      return note(`the ${fault.node} node is back after ${seconds(startedMs)} s`);
    }
    case 'nat-rebinding': {
      const address = await network.rebind(fault.home);
      return note(`fault: home ${fault.home} has another public address, ${address}`);
    }
    case 'loss': {
      note(
        `fault: home ${fault.home} loses ${fault.percent} % of its packets, each way, for ${fault.seconds} s`,
      );
      await network.setLoss(fault.home, fault.percent);
      await delay(fault.seconds * 1000);
      for (const call of calls) call.stopMeasuring();
      await network.setLoss(fault.home, 0);
      return note(`home ${fault.home} loses nothing any more`);
    }
    case 'turn-credentials-removed': {
      note('fault: the TURN user of the phones is removed');
      await faultsOf(plane).removeCredentials();
      await delay(fault.seconds * 1000);
      await faultsOf(plane).restoreCredentials();
      return note(`the TURN user is there again after ${fault.seconds} s`);
    }
  }
}

function faultsOf(plane: MediaPlane): PlaneFaults {
  if (!plane.faults) throw new Error(`the lab cannot restart or reconfigure ${plane.name}`);
  return plane.faults;
}

function seconds(sinceMs: number): string {
  return ((performance.now() - sinceMs) / 1000).toFixed(1);
}
