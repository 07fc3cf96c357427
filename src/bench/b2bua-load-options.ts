/** What a run of the B2BUA load generator is told. */
export interface B2buaLoadOptions {
  /** Where the engine hears `ng`: an IP address, not a name. */
  readonly ngAddress: string;
  readonly ngPort: number;
  /** 1 to {@link CALLS_MAX}. */
  readonly calls: number;
  /** Each leg: the name of an SDES suite, or null for plain RTP. */
  readonly caller: string | null;
  readonly callee: string | null;
  /** Names of the engine's zones (or interfaces) of caller and callee; null: not said. */
  readonly zones: readonly [caller: string, callee: string] | null;
  /** Over all calls and both directions. */
  readonly packetsPerSecond: number;
  /** Up: caller to callee. */
  readonly direction: 'up' | 'down' | 'both';
  readonly seconds: number;
  readonly warmupSeconds: number;
  /** Address of the endpoints; null: the one from which the engine is reached. */
  readonly mediaAddress: string | null;
  /** No media: each call is set up and deleted at once. */
  readonly setupOnly: boolean;
  /** Calls begun a second; null: as fast as answers come. */
  readonly callsPerSecond: number | null;
  /** Commands under way at once. */
  readonly outstandingMax: number;
  /** Process of the engine on this machine, to be measured too; null: none. */
  readonly serverPid: number | null;
}

/** A call has two streams, and a packet tells its stream in 16 bits. */
export const CALLS_MAX = 32_768;
