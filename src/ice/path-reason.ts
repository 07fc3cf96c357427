/** One line for the operator: why a call's media stayed with the B2BUA. */
import type { CallType, Evidence, PathConclusion, PathObservation } from './path.ts';

/** Null where it did not stay. */
export function reasonOf(
  callType: CallType,
  evidence: Evidence,
  conclusion: PathConclusion,
  observation: PathObservation,
): string | null {
  const index = conclusion.decidingLine ?? 0;
  const line = conclusion.lines[index];
  const seen = observation.media[line?.transport ?? index];
  if (callType !== 'none') {
    const stayed = evidence === 'contradicted' && seen === 'through';
    return stayed ? 'media kept flowing through the B2BUA' : null;
  }
  if (observation.obstacle !== undefined) return observation.obstacle;
  if (!line) return 'the call was never answered with media';
  return reasonOfSignalling(conclusion, index) ?? reasonOfSight(observation, seen);
}

function reasonOfSignalling({ lines, hasCandidates }: PathConclusion, index: number): string | undefined {
  const line = lines[index];
  if (!hasCandidates.caller && !hasCandidates.callee) return 'no candidates from either side';
  if (!hasCandidates.caller) return 'no candidates from the caller';
  if (!hasCandidates.callee) return 'no candidates from the callee';
  if (line?.ice === 'mismatch') return `ICE mismatch on line ${index + 1}`;
  if (line?.ice === 'suspended') return 'answered without ICE';
  if (line?.ice === 'off') return `no ICE on line ${index + 1}`;
  return line?.callType === 'none' ? "the B2BUA's own candidate was selected" : undefined;
}

function reasonOfSight(
  { checks, nominatedBy }: PathObservation,
  seen: PathObservation['media'][number] | undefined,
): string {
  if (seen === 'left') return 'media stopped, and no path is known for it';
  if (seen !== 'through') return 'the call was too short to tell';
  if (nominatedBy !== undefined) return "the B2BUA's own candidate was selected";
  return checks.caller || checks.callee ? 'checks failed' : 'no connectivity checks came';
}
