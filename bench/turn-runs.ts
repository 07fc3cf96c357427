/** The runs of `causeway bench turn` that the comparison is made of. */
import type { TurnLoadResult } from '../src/bench/turn-result.ts';
import { runGenerator } from './generator.ts';
import type { Server } from './servers.ts';

/** As in ../shared and the recorded figures: an RTP packet of 20 ms of G.711. */
export const PAYLOAD_BYTES = 172;

/** Requests under way at once when the rate of allocations is measured. */
export const ALLOCATIONS_OUTSTANDING = 256;

export interface TurnLoad {
  readonly flows: number;
  readonly packetsPerSecond: number;
  readonly direction: 'up' | 'down' | 'both';
  readonly seconds: number;
  readonly warmupSeconds: number;
}

/** Traffic through a server; its CPU time is measured over the window. @throws Error if the run failed. */
export function runTraffic(server: Server, load: TurnLoad): Promise<TurnLoadResult> {
  return runTurn(server, load.seconds + load.warmupSeconds, [
    '--no-auth',
    ...['--flows', load.flows],
    ...['--pps', load.packetsPerSecond],
    ...['--direction', load.direction],
    ...['--seconds', load.seconds],
    ...['--warmup-seconds', load.warmupSeconds],
    ...['--payload-bytes', PAYLOAD_BYTES],
  ]);
}

/** Allocations alone, as fast as the server answers. @throws Error if the run failed. */
export function runAllocations(
  server: Server,
  flows: number,
  authentication: boolean,
  holdSeconds: number,
): Promise<TurnLoadResult> {
  return runTurn(server, holdSeconds, [
    ...(authentication ? ['--user', 'alice:secret'] : ['--no-auth']),
    '--allocate-only',
    ...['--outstanding', ALLOCATIONS_OUTSTANDING],
    ...['--flows', flows],
    ...['--hold-seconds', holdSeconds],
  ]);
}

function runTurn(
  server: Server,
  seconds: number,
  parameters: readonly (string | number)[],
): Promise<TurnLoadResult> {
  const address = `127.0.0.1:${server.port}`;
  return runGenerator(server.name, seconds, [
    ...['turn', '--server', address, '--server-pid', server.pid],
    ...parameters,
  ]);
}
