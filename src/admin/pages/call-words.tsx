/** How pages of calls, running and ended, say the same things. */
import type { JSX } from 'hono/jsx/jsx-runtime';
import type { CallType, Evidence } from '../../metrics/call-record.ts';
import { callTypeText, lossPercent } from './formats.tsx';

/** @param type null: not known yet */
export function CallTypeName({ type }: { type: CallType | null }): JSX.Element {
  if (type === null) return <span class="plain">not known yet</span>;
  return <span class={type === 'none' ? 'plain' : undefined}>{callTypeText(type)}</span>;
}

const EVIDENCE_CLASS: Readonly<Record<Evidence, string>> = {
  verified: 'good',
  contradicted: 'bad',
  unknown: 'plain',
};

export function EvidenceTag({ evidence }: { evidence: Evidence }): JSX.Element {
  return <span class={`tag ${EVIDENCE_CLASS[evidence]}`}>{evidence}</span>;
}

/** `12 (0.4 %)`. */
export function lossText(packets: number, packetsLost: number): string {
  const percent = lossPercent(packets, packetsLost);
  return percent === null ? '0' : `${packetsLost.toLocaleString('en-US')} (${percent} %)`;
}

export function jitterText(jitterMs: number): string {
  return `${jitterMs.toFixed(1)} ms`;
}
