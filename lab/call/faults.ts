/** What goes wrong in a step while its calls are up, and how long one waits to see what it did. */
import { setTimeout as delay } from 'node:timers/promises';
import { errorLine } from '../lab-error.ts';
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

/**
 * Lets the fault happen and pass, and waits for the calls that are to recover.
 * @returns what of the fault itself did not work, one line; undefined: nothing
 */
export async function runFault(fault: Fault, scene: FaultScene): Promise<string | undefined> {
  const { calls, note } = scene;
  for (const call of calls) call.beginFault();
  // A gap is the fault's own; what loss is counted from comes after it.
  if (fault.kind !== 'loss') for (const call of calls) call.stopMeasuring();
  else for (const call of calls) call.measure();
  const problem = await happen(fault, scene).then(() => undefined, errorLine);
  if (problem === undefined) await waitForRecovery(calls);
  else note(`the fault did not pass as it should: ${problem}`);
  for (const call of calls) call.endFault();
  if (fault.kind !== 'loss') for (const call of calls) if (call.isTalking) call.measure();
  return problem;
}

/** Also for a call that is expected to be lost: that it was not back yet says little. */
async function waitForRecovery(calls: readonly LabCall[]): Promise<void> {
  await delay(NOTICE_MS);
  const deadlineMs = performance.now() + RECOVERY_MS_MAX;
  const isOver = (): boolean => calls.every((call) => call.hasFailed || call.isTalking);
  while (!isOver() && performance.now() < deadlineMs) await delay(POLL_MS);
}

/** @throws Error (rejects) where it cannot happen, or what it took away does not come back */
async function happen(fault: Fault, { network, plane, calls, note }: FaultScene): Promise<void> {
  switch (fault.kind) {
    case 'media-plane-restart': {
      const faults = faultsOf(plane);
      note(`fault: the ${fault.node} node is stopped, and started again`);
      const startedMs = performance.now();
      await faults.restart(fault.node);
      const seconds = (performance.now() - startedMs) / 1000;
      return note(`the ${fault.node} node is back after ${seconds.toFixed(1)} s`);
    }
    case 'nat-rebinding': {
      const address = await network.rebind(fault.home);
      return note(`fault: home ${fault.home} has another public address, ${address}`);
    }
    case 'loss': {
      const { home, percent, seconds } = fault;
      note(`fault: home ${home} loses ${percent} % of its packets, each way, for ${seconds} s`);
      try {
        await network.setLoss(home, percent);
        await delay(seconds * 1000);
      } finally {
        for (const call of calls) call.stopMeasuring();
        await network.setLoss(home, 0);
      }
      return note(`home ${home} loses nothing any more`);
    }
    case 'turn-credentials-removed': {
      const faults = faultsOf(plane);
      note('fault: the TURN user of the phones is removed');
      try {
        await faults.removeCredentials();
        await delay(fault.seconds * 1000);
      } finally {
        await faults.restoreCredentials();
      }
      return note(`the TURN user is there again after ${fault.seconds} s`);
    }
  }
}

function faultsOf(plane: MediaPlane): PlaneFaults {
  if (!plane.faults) throw new Error(`the lab cannot restart or reconfigure ${plane.name}`);
  return plane.faults;
}
