/** What is kept of a call that has ended: a line of the history, of the CDR file, and one tick of the interval's counters. */

export const CALL_TYPES = [
  'none',
  'host_to_host',
  'host_to_srflx',
  'host_to_relay',
  'srflx_to_srflx',
  'srflx_to_relay',
  'relay_to_relay',
] as const;

/** Path that a call's media took in the end; `none`: through the B2BUA. */
export type CallType = (typeof CALL_TYPES)[number];

/** Whether what the node saw of the media bears out what was signalled. */
export type Evidence = 'verified' | 'contradicted' | 'unknown';

export type CandidateType = 'host' | 'srflx' | 'relay';

export interface CallRecord {
  /** Unique on the node, also over restarts. */
  readonly uuid: string;
  /** SIP's call-id. */
  readonly callId: string;
  /** ISO 8601. */
  readonly startTime: string;
  readonly endTime: string;
  /** Whether an answer came: only then does the call count in the metrics. */
  readonly connected: boolean;
  /** `deleted`, `media timeout`, `offer timeout`, `closed`. */
  readonly disconnectReason: string;
  /** Zones of the caller's and the callee's leg, by name. */
  readonly sourceZone: string;
  readonly destinationZone: string;
  readonly icePassthroughCallType: CallType;
  readonly evidence: Evidence;
  /** Lines of the call took paths of different types. */
  readonly mixed: boolean;
  /** One line for the operator: why the call is not optimized; null where it is. */
  readonly reason: string | null;
  /** Both zones allow passthrough and both legs' signalling is encrypted. */
  readonly iceConfigured: boolean;
  /** Sides that offered candidates: 0, 1 or 2. */
  readonly sidesWithCandidates: number;
  readonly media: readonly MediaRecord[];
}

/** One media line. */
export interface MediaRecord {
  /** `audio`, `video`, `application`, … */
  readonly type: string;
  /** Types of the candidates that the caller's and the callee's side selected; null: none, or not known. */
  readonly selected: { readonly caller: CandidateType | null; readonly callee: CandidateType | null };
  readonly legs: readonly MediaLegRecord[];
}

/** What came in from one side of the line, through the B2BUA. */
export interface MediaLegRecord {
  readonly zone: string;
  readonly packets: number;
  readonly bytes: number;
  readonly packetsLost: number;
  readonly jitterMs: number;
}
