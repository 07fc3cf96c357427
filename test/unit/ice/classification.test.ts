import { describe, expect, it } from 'vitest';
import { type Case, CONCLUDED_CASES } from './classification-cases.ts';
import { LINES_CASES } from './classification-lines.ts';
import { OUTCOME_CASES } from './classification-outcomes.ts';
import { concluded, verdictOn } from './classification-sdp.ts';
import { SERIES_CASES } from './classification-series.ts';
import { SIGHT_CASES } from './classification-sight.ts';

function classifies(labelled: Case): void {
  const { callType, evidence, isMixed, reason } = verdictOn(labelled.steps, labelled.sight);
  expect({ callType, evidence, isMixed, reason }).toEqual({
    callType: labelled.callType,
    evidence: labelled.evidence,
    isMixed: labelled.isMixed ?? false,
    reason: labelled.reason ?? null,
  });
  const signalled = concluded(labelled.steps).callType ?? 'undecided';
  expect(labelled.signalled ?? signalled).toBe(signalled);
}

describe('calls that signalling concludes', () => {
  it.each(CONCLUDED_CASES)('$name', classifies);
});

describe('concluded calls and what was seen of them', () => {
  it.each(OUTCOME_CASES)('$name', classifies);
});

describe('calls of several lines', () => {
  it.each(LINES_CASES)('$name', classifies);
});

describe('calls that go on', () => {
  it.each(SERIES_CASES)('$name', classifies);
});

describe('calls that evidence decides', () => {
  it.each(SIGHT_CASES)('$name', classifies);
});
