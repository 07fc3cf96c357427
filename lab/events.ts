/** What the lab tells while it runs: what the views (terminal, plain lines, JSON) are made of. */
import type { NetworkKind } from './network/network.ts';
import type { NatKind, PhonePlace } from './topology.ts';

/** As in the media plane's call history. */
export type CallType =
  | 'none'
  | 'host_to_host'
  | 'host_to_srflx'
  | 'host_to_relay'
  | 'srflx_to_srflx'
  | 'srflx_to_relay'
  | 'relay_to_relay';

export interface CallEnd {
  readonly place: PhonePlace;
  /** Of its home; null: it has none. */
  readonly nat: NatKind | null;
  /** What ICE is at this end: `full`, `werift`, `none`; `baresip`, `chromium` with real peers. */
  readonly agent: string;
  /** RTP packets this end has sent and heard. */
  readonly sentPackets: number;
  readonly heardPackets: number;
  /** Of the packets the other end sent; null: not known yet. */
  readonly lossPercent: number | null;
  /** The other end's tone is heard now. */
  readonly hearsTone: boolean;
  /** Packets of this end that the media plane's B2BUA has seen; null: the call is not known there. */
  readonly planePackets: number | null;
}

export type CallState = 'waiting' | 'ringing' | 'checking' | 'talking' | 'interrupted' | 'ended' | 'failed';

/** One row of the table. */
export interface CallRow {
  /** Unique in the run: `1`, `2`, … */
  readonly id: string;
  readonly title: string;
  readonly caller: CallEnd;
  readonly callee: CallEnd;
  readonly state: CallState;
  readonly expected: CallType;
  /** What the media plane recorded (before the call ends: what it would); null: nothing yet. */
  readonly got: CallType | null;
  /**
   * The media plane's word, or `endpoints`: it keeps no records, and the phones' selected pair tells. Null: nothing yet.
   */
  readonly evidence: 'verified' | 'contradicted' | 'unknown' | 'endpoints' | null;
  /** Where each end's media goes, as the phones selected it: `host 192.168.1.11 ↔ host 192.168.1.12`; '' before. */
  readonly path: string;
  /** What the step's fault did to the call: `unharmed`, `recovered after 2.3 s`, `lost`; null: no fault yet. */
  readonly fault: string | null;
  /** Null while it runs; else whether everything expected came true. */
  readonly isRight: boolean | null;
  /** What did not, one line each. */
  readonly problems: readonly string[];
}

/** A line of the ICE metrics page. */
export interface MetricRow {
  readonly label: string;
  readonly value: number;
}

export type LabEvent =
  | {
      readonly event: 'network';
      readonly kind: NetworkKind /** Why not namespaces. */;
      readonly reason: string | null;
    }
  | {
      readonly event: 'media-plane';
      /** `Causeway edge and core`, or what the scenario points at. */
      readonly name: string;
      /** Address of the status pages on this machine; null: it has none. */
      readonly pageUrl: string | null;
    }
  | { readonly event: 'step'; readonly number: number; readonly count: number; readonly title: string }
  | { readonly event: 'call'; readonly row: CallRow }
  /** Something happened that is worth a line: a fault, its end, a restart of ICE. */
  | { readonly event: 'note'; readonly text: string }
  | {
      readonly event: 'metrics';
      /** Of the running 24-hour interval, together with those before it: a restart of the core begins a new one. */
      readonly startTime: string;
      readonly endTime: string;
      readonly rows: readonly MetricRow[];
      /** They add up to the calls. */
      readonly isRight: boolean;
      readonly problems: readonly string[];
    }
  | { readonly event: 'end'; readonly result: LabResult };

export interface LabResult {
  readonly scenario: string;
  readonly network: NetworkKind;
  readonly mediaPlane: string;
  readonly pageUrl: string | null;
  readonly seconds: number;
  readonly calls: readonly CallRow[];
  readonly metrics: readonly MetricRow[];
  /** One line each; empty where all is right. */
  readonly problems: readonly string[];
}

export type LabListener = (event: LabEvent) => void;
