/**
 * The shapes of `GET /api/calls`, `/api/calls/ID` and `/api/links`. Times are ISO 8601; transport addresses text
 * with ports; counters are of what came in, since the call began.
 */
import type { CallType } from '../metrics/call-record.ts';

export interface CallsStatus {
  /** How many there are. */
  readonly callsTotal: number;
  /** As many as were asked for. */
  readonly calls: readonly CallStatus[];
}

export interface CallStatus {
  /** Unique on the node. */
  readonly id: string;
  /** SIP's. */
  readonly callId: string;
  readonly startTime: string;
  /** Of the last offer or answer. */
  readonly lastSignalTime: string;
  readonly answered: boolean;
  /** Its packets pass untouched (zones with `media: relay`). */
  readonly relayed: boolean;
  /** What has been signalled so far; null: it does not tell. Evidence is weighed when the call has ended. */
  readonly icePassthroughCallType: CallType | null;
  readonly legs: readonly CallLegStatus[];
}

export interface CallLegStatus {
  /** Null until the side has answered. */
  readonly tag: string | null;
  /** Tags of forks that answered at the same ports before. */
  readonly earlierTags: readonly string[];
  readonly zone: string;
  readonly startTime: string;
  readonly lines: readonly CallLineStatus[];
}

export interface CallLineStatus {
  /** Counts from 1. */
  readonly index: number;
  readonly media: string;
  readonly protocol: string;
  readonly rtcpMux: boolean;
  /** SDES suites that this side encrypts with and is sent; null: unencrypted, or passing untouched. */
  readonly receivedSuite: string | null;
  readonly sentSuite: string | null;
  readonly streams: readonly CallStreamStatus[];
}

export interface CallStreamStatus {
  readonly component: 'rtp' | 'rtcp';
  readonly localAddress: string;
  readonly localPort: number;
  /** Where packets are sent to; null: nowhere yet. */
  readonly remote: string | null;
  /** Where the SDP said they should be. */
  readonly signalled: string | null;
  readonly ice: 'none' | 'checking' | 'nominated';
  readonly packets: number;
  readonly bytes: number;
  /** Packets that did not verify, came twice, or were malformed. */
  readonly errors: number;
  readonly rtcpPackets: number;
  readonly rtcpBytes: number;
  readonly rtcpErrors: number;
  readonly packetsLost: number;
  readonly jitterMs: number;
  readonly ssrc: number | null;
  readonly lastPacketTime: string | null;
}

/** Media of a zone's link, totals since the node started. */
export interface LinkTotals {
  readonly id: number;
  readonly name: string;
  readonly packetsReceived: number;
  readonly bytesReceived: number;
  readonly packetsSent: number;
  readonly bytesSent: number;
  /** Legs of calls in the zone now. */
  readonly activeLegs: number;
}

/** `GET /api/links`: with rates averaged over the last few seconds. What TURN relays is not part of it. */
export interface LinkStatus extends LinkTotals {
  readonly bitsPerSecondReceived: number;
  readonly bitsPerSecondSent: number;
  readonly packetsPerSecondReceived: number;
  readonly packetsPerSecondSent: number;
}
