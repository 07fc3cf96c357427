/** What the main thread and the media workers say to each other. Plain data only. */

import type { TurnReport } from '../turn/inspect.ts';
import type { AllocationEnd, TurnCredential, TurnSettings } from '../turn/settings.ts';

/** Given to a worker at its start. */
export interface WorkerSetup {
  readonly index: number;
  readonly engine: 'batch' | 'dgram';
  /** Which listeners it opens: datagram ones, stream ones, or (where one thread does all) both. */
  readonly hears: 'datagrams' | 'streams' | 'both';
  readonly turn: TurnSettings;
  readonly turnShared: SharedArrayBuffer;
  readonly hashSeed: number;
  readonly credentials: readonly TurnCredential[];
  readonly counters: SharedArrayBuffer;
  readonly listenerBufferBytes: number;
  readonly relayBufferBytes: number;
  readonly pauseMicrosecondsMax: number;
  readonly streams: { connections: number; connectionsPerAddress: number; halfOpenHandshakes: number };
  readonly tls: TlsPem | undefined;
  /** Whether every allocation's beginning and end is reported, for a log that wants them. */
  readonly reportsAllocations: boolean;
}

export interface TlsPem {
  readonly certificate: string;
  readonly key: string;
}

export type WorkerCommand =
  | { readonly command: 'report'; readonly allocationsMax: number }
  | { readonly command: 'set-user'; readonly credential: TurnCredential }
  | { readonly command: 'remove-user'; readonly name: string }
  | { readonly command: 'reload-tls'; readonly tls: TlsPem }
  | { readonly command: 'stop' };

/** What each command is answered with. */
export interface WorkerAnswers {
  report: TurnReport;
  'set-user': null;
  'remove-user': number;
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
  | { readonly say: 'rate-limited'; readonly address: string; readonly droppedReplies: number };
