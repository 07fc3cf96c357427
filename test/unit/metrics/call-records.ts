/** Calls for the tests of metrics: connected, on the B2BUA, without ICE, unless told otherwise. */
import type { CallRecord } from '../../../src/metrics/call-record.ts';

let made = 0;

export function callRecord(what: Partial<CallRecord> = {}): CallRecord {
  const number = ++made;
  return {
    uuid: `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`,
    callId: `call-${number}@example.org`,
    startTime: '2026-03-28T12:00:00.000Z',
    endTime: '2026-03-28T12:00:30.000Z',
    connected: true,
    disconnectReason: 'deleted',
    sourceZone: 'external',
    destinationZone: 'internal',
    icePassthroughCallType: 'none',
    evidence: 'verified',
    mixed: false,
    reason: 'no candidates from either side',
    iceConfigured: false,
    sidesWithCandidates: 0,
    media: [
      {
        type: 'audio',
        selected: { caller: null, callee: null },
        legs: [
          { zone: 'external', packets: 1500, bytes: 240_000, packetsLost: 2, jitterMs: 1.25 },
          { zone: 'internal', packets: 1498, bytes: 239_680, packetsLost: 0, jitterMs: 0 },
        ],
      },
    ],
    ...what,
  };
}

/** A call that both sides and the node did their best for. */
export function optimizedCall(what: Partial<CallRecord> = {}): CallRecord {
  return callRecord({
    icePassthroughCallType: 'host_to_host',
    reason: null,
    iceConfigured: true,
    sidesWithCandidates: 2,
    ...what,
  });
}
