/**
 * What the lab's calls go through: the lab's own two nodes, or whatever a scenario points at. Signalling reaches
 * it hop by hop, as SIP does: a call between two homes passes the edge, the core, and the edge again.
 */
import type { CallType } from '../events.ts';
import type { TransportAddress } from '../phone/protocol.ts';
import type { PhonePlace } from '../topology.ts';
import type { NgClient, NgDictionary } from './ng-client.ts';

/** Where a phone is, as the media plane sees it. */
export type Side = 'outside' | 'inside';

export function sideOf(place: PhonePlace): Side {
  return place === 'desk' ? 'inside' : 'outside';
}

/** One B2BUA that an offer passes on its way. */
export interface Hop {
  readonly client: NgClient;
  /** Makes the call-ID of this hop out of the call's. */
  readonly suffix: string;
  /** Names of its zones: of the side that the caller's offer comes from, and of that which it goes to. */
  readonly direction: readonly [from: string, to: string];
  /** More keys of each offer and each answer. */
  readonly offer: NgDictionary;
  readonly answer: NgDictionary;
}

export interface TurnService {
  readonly server: TransportAddress;
  readonly username: string;
  readonly password: string;
}

/** What the plane says of a call that is up. */
export interface LiveCall {
  readonly callType: CallType | null;
  /** RTP packets it has had from the caller's and the callee's side. */
  readonly packets: readonly [caller: number, callee: number];
}

/** What it has recorded of one that has ended. */
export interface RecordedCall {
  readonly callId: string;
  readonly callType: CallType;
  readonly evidence: 'verified' | 'contradicted' | 'unknown';
  /** Why the call is not optimized, or what speaks against the evidence; one line. */
  readonly reason: string | null;
  readonly packets: readonly [caller: number, callee: number];
}

export interface MetricsCheck {
  readonly startTime: string;
  readonly endTime: string;
  readonly rows: readonly { readonly label: string; readonly value: number }[];
  /** What does not add up to the recorded calls, one line each. */
  readonly problems: readonly string[];
}

export interface MediaPlane {
  readonly name: string;
  readonly turn: TurnService;
  /** From the caller's side to the callee's. */
  hops(caller: Side, callee: Side): readonly Hop[];
  /** Undefined: it keeps no records, or is not to be asked. */
  readonly records: PlaneRecords | undefined;
  /** Of its status pages, as the lab's process reaches them. */
  readonly pages: { readonly url: string; readonly token: string } | undefined;
  readonly faults: PlaneFaults | undefined;
  stop(): Promise<void>;
}

export interface PlaneRecords {
  live(callId: string): Promise<LiveCall | undefined>;
  /**
   * The newest record; waits a moment for it, since a record is written when its evidence has come.
   * @param sinceUnixMs the call ended no earlier: a plane that was restarted has an older record of it too
   */
  ended(callId: string, sinceUnixMs?: number): Promise<RecordedCall | undefined>;
  /** The metrics of the running interval, held against the records. */
  metrics(): Promise<MetricsCheck>;
}

export interface PlaneFaults {
  /** Stops a node and starts it again; resolves when it is up. */
  restart(node: 'edge' | 'core'): Promise<void>;
  removeCredentials(): Promise<void>;
  restoreCredentials(): Promise<void>;
}
