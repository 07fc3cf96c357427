/** What the main thread and the media workers say to each other. Plain data only. */

import type { CallReport } from '../b2bua/inspect.ts';
import type { B2buaSettings, RelayRange } from '../b2bua/settings.ts';
import type { TurnReport } from '../turn/inspect.ts';
import type { RelayEvidence } from '../turn/relay-evidence.ts';
import type { AllocationEnd, TurnCredential, TurnSettings } from '../turn/settings.ts';

/** Given to a worker at its start. */
export interface WorkerSetup {
  readonly index: number;
  readonly engine: 'batch' | 'dgram';
  /** Which listeners it opens: datagram ones, stream ones, or (where one thread does all) both. */
  readonly hears: 'datagrams' | 'streams' | 'both';
  readonly hashSeed: number;
  readonly counters: SharedArrayBuffer;
  /** Of the B2BUA's zones; see `ZONE_COUNTERS`. */
  readonly zoneCounters: SharedArrayBuffer;
  readonly listenerBufferBytes: number;
  readonly relayBufferBytes: number;
  readonly pauseMicrosecondsMax: number;
  /** Undefined where this worker has no TURN server. */
  readonly turn: TurnPart | undefined;
  /** Undefined where this worker has no calls. */
  readonly b2bua: B2buaPart | undefined;
  /** Of all workers that have calls: whose media ports this worker's relays may reach. */
  readonly ownMedia: readonly B2buaPart[];
}

export interface TurnPart {
  readonly settings: TurnSettings;
  readonly shared: SharedArrayBuffer;
  readonly credentials: readonly TurnCredential[];
  readonly streams: { connections: number; connectionsPerAddress: number; halfOpenHandshakes: number };
  readonly tls: TlsPem | undefined;
  /** Whether every allocation's beginning and end is reported, for a log that wants them. */
  readonly reportsAllocations: boolean;
}

export interface B2buaPart {
  readonly settings: B2buaSettings;
  readonly shared: SharedArrayBuffer;
}

export interface TlsPem {
  readonly certificate: string;
  readonly key: string;
}

export type WorkerCommand =
  | { readonly command: 'report'; readonly allocationsMax: number }
  | { readonly command: 'relay-evidence'; readonly addresses: readonly string[] }
  | { readonly command: 'set-user'; readonly credential: TurnCredential }
  | { readonly command: 'remove-user'; readonly name: string }
  /** A dictionary, and what it is answered with, as JSON: one text is copied, not a tree. */
  | { readonly command: 'ng'; readonly json: string }
  | { readonly command: 'peer-relays'; readonly ranges: readonly RelayRange[] }
  | { readonly command: 'calls'; readonly callsMax: number }
  | { readonly command: 'call'; readonly reference: string }
  | { readonly command: 'reload-tls'; readonly tls: TlsPem }
  | { readonly command: 'stop' };

/** What each command is answered with. */
export interface WorkerAnswers {
  report: TurnReport;
  'relay-evidence': readonly RelayEvidence[];
  'set-user': null;
  'remove-user': number;
  ng: string;
  'peer-relays': null;
  calls: readonly CallReport[];
  call: CallReport | null;
  'reload-tls': null;
  stop: null;
}

export type WorkerRequest = WorkerCommand & { readonly id: number };

/** A listener as it was opened. */
export interface OpenedListener {
  /** Place in the settings' listeners. */
  readonly listener: number;
  readonly receiveBufferBytes: number | null;
  readonly sendBufferBytes: number | null;
}

export type WorkerMessage =
  | {
      readonly say: 'ready';
      readonly wakeDescriptor: number;
      readonly listeners: readonly OpenedListener[];
      /** Why packets are not encrypted the fast way, one line; null: they are, or there are no calls. */
      readonly slowCryptoReason: string | null;
    }
  /** It could not start; the reason is one line. */
  | { readonly say: 'failed'; readonly reason: string }
  | { readonly say: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly say: 'refused'; readonly id: number; readonly reason: string }
  | {
      readonly say: 'allocated';
      readonly allocation: string;
      readonly client: string;
      readonly user: string;
      readonly relayAddresses: readonly string[];
    }
  | { readonly say: 'ended'; readonly allocation: string; readonly reason: AllocationEnd }
  /** `json`: an `EndedCall`; as text it costs both threads less than as a copy of its many small objects. */
  | { readonly say: 'call-ended'; readonly json: string }
  | { readonly say: 'unknown-flag'; readonly text: string }
  | { readonly say: 'rate-limited'; readonly address: string; readonly droppedReplies: number };
