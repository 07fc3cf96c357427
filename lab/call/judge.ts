/** Whether a call was what its scenario expects. */
import type { CallType } from '../events.ts';
import type { RecordedCall } from '../media-plane/media-plane.ts';
import type { PhoneStatus } from '../phone/protocol.ts';
import type { CallPlan } from '../scenario/scenario.ts';
import { hasTone, isSilent } from './observation.ts';

/** What a fault did to a call. `recovered`: it was interrupted, and both ends hear each other again. */
export type FaultOutcome =
  | { readonly kind: 'unharmed' }
  | { readonly kind: 'recovered'; readonly seconds: number }
  | { readonly kind: 'lost' };

export function outcomeText(outcome: FaultOutcome): string {
  return outcome.kind === 'recovered' ? `recovered after ${outcome.seconds.toFixed(1)} s` : outcome.kind;
}

/** What a phone says of what it hears. */
export type HeardStatus = Pick<PhoneStatus, 'silentMs' | 'heardToneHz' | 'rtcpHeard'>;

export interface CallFindings {
  readonly plan: CallPlan;
  readonly keepsRecords: boolean;
  readonly record: RecordedCall | undefined;
  /** By the phones' own words. */
  readonly selected: CallType | undefined;
  /** The last before the call was hung up. */
  readonly statuses: readonly [HeardStatus, HeardStatus] | undefined;
  /** What the caller and the callee said. */
  readonly tonesHz: readonly number[];
  /** At the caller and the callee, percent. */
  readonly loss: readonly [number | null, number | null];
  /** Undefined: there was no fault. */
  readonly outcome: FaultOutcome | undefined;
}

/** What did not come true, one line each. */
export function judge(findings: CallFindings): string[] {
  return [...pathProblems(findings), ...faultProblems(findings), ...mediaProblems(findings)];
}

function pathProblems({ plan, keepsRecords, record, selected }: CallFindings): string[] {
  const problems: string[] = [];
  if (selected !== plan.expect)
    problems.push(`expected ${plan.expect}, the phones selected ${selected ?? 'nothing'}`);
  if (!keepsRecords) return problems;
  if (!record) return [...problems, 'the media plane has no record of the call'];
  if (record.callType !== plan.expect) {
    problems.push(
      `expected ${plan.expect}, the media plane recorded ${record.callType} (${record.reason ?? 'no reason'})`,
    );
  }
  if (plan.evidence !== 'any' && record.evidence !== plan.evidence) {
    problems.push(
      `expected evidence ${plan.evidence}, got ${record.evidence} (${record.reason ?? 'no reason'})`,
    );
  }
  return problems;
}

function faultProblems({ plan, outcome }: CallFindings): string[] {
  if (!outcome || plan.afterFault === 'any') return [];
  const expected = plan.afterFault === 'recovers' ? 'recovered' : plan.afterFault;
  return outcome.kind === expected
    ? []
    : [`expected after the fault: ${expected}; it was ${outcomeText(outcome)}`];
}

/** A call that was lost is heard no more, and that is what was expected. */
function mediaProblems({ plan, outcome, statuses, tonesHz, loss }: CallFindings): string[] {
  if (outcome?.kind === 'lost') return [];
  return ['caller', 'callee'].flatMap((end, i) => {
    const { silentMs = null, heardToneHz = null, rtcpHeard = 0 } = statuses?.[i] ?? {};
    const toneHz = tonesHz[1 - i] ?? 0;
    const lost = loss[i] ?? null;
    const problems: string[] = [];
    if (silentMs !== null && isSilent({ silentMs })) {
      problems.push(`the ${end} has heard nothing for the last ${(silentMs / 1000).toFixed(1)} s`);
    }
    if (!hasTone({ heardToneHz }, toneHz)) {
      problems.push(
        `the ${end} hears ${heardToneHz === null ? 'no tone' : `${heardToneHz} Hz`}, not ${toneHz} Hz`,
      );
    }
    if (rtcpHeard === 0) problems.push(`the ${end} has had no RTCP`);
    if (lost === null) problems.push(`the ${end} has heard nothing on the final path`);
    else if (lost > plan.lossPercentMax) {
      problems.push(`the ${end} lost ${lost.toFixed(1)} %, more than ${plan.lossPercentMax} %`);
    }
    return problems;
  });
}
