/** What a run of the TURN load generator is told. */
import type { TurnCredentials } from './turn-client.ts';

export interface TurnLoadOptions {
  /** An IP address, not a name. */
  readonly serverAddress: string;
  readonly serverPort: number;
  readonly credentials: TurnCredentials | null;
  /** Relays, 1 to {@link PROBE_FLOWS_MAX}. */
  readonly flows: number;
  /** Over all flows and both directions. */
  readonly packetsPerSecond: number;
  readonly direction: 'up' | 'down' | 'both';
  readonly payloadBytes: number;
  readonly seconds: number;
  readonly warmupSeconds: number;
  readonly mode: 'channel' | 'indication';
  /** Address of the peer sockets; null: the one from which the server is reached. */
  readonly peerAddress: string | null;
  readonly peerSockets: number;
  /** No traffic: allocate, hold, give back. */
  readonly allocateOnly: boolean;
  /** How long allocations are held with `allocateOnly`. */
  readonly holdSeconds: number;
  /** Allocations begun a second; null: as fast as answers come. */
  readonly allocationsPerSecond: number | null;
  /** Requests under way at once. */
  readonly outstandingMax: number;
  /** Process of the server on this machine, to be measured too; null: none. */
  readonly serverPid: number | null;
}
