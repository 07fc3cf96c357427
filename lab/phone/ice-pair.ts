/** Candidate pairs of an ICE agent and their order (RFC 8445 §6.1.2). */
import { type AgentCandidate, type Base, priorityOf } from './ice-candidates.ts';
import { transportText } from './transport-address.ts';

export interface AgentPair {
  readonly base: Base;
  readonly component: number;
  readonly remote: AgentCandidate;
  /** Priority of the local candidate that was paired. */
  readonly localPriority: number;
  state: 'waiting' | 'checking' | 'valid' | 'failed';
  /** The local end as the other side sees it, once valid. */
  local: AgentCandidate | undefined;
  isToBeUsed: boolean;
  /** Consent checks since the last answer. */
  unanswered: number;
}

export function newPair(base: Base, remote: AgentCandidate): AgentPair {
  const { component } = remote;
  return {
    ...{ base, component, remote, state: 'waiting', local: undefined, isToBeUsed: false, unanswered: 0 },
    localPriority: priorityOf(base.kind, component),
  };
}

/** By priority (§6.1.2.3), for sorting: the lower one first. */
export function comparePairs(a: AgentPair, b: AgentPair): number {
  const [lowA, highA] = sorted(a.localPriority, a.remote.priority);
  const [lowB, highB] = sorted(b.localPriority, b.remote.priority);
  return lowA - lowB || highA - highB;
}

export function isTo(pair: AgentPair, candidate: AgentCandidate): boolean {
  return (
    pair.component === candidate.component &&
    transportText(pair.remote.place) === transportText(candidate.place)
  );
}

function sorted(a: number, b: number): [low: number, high: number] {
  return a < b ? [a, b] : [b, a];
}
