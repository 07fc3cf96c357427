/** Runs the load generator of the command line, in a process of its own, and collects its results. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { TurnLoadResult } from '../src/bench/turn-result.ts';
import { pinned, type Server } from './servers.ts';

/** As in ../shared and the recorded figures: an RTP packet of 20 ms of G.711. */
export const PAYLOAD_BYTES = 172;

/** Requests under way at once when the rate of allocations is measured. */
export const ALLOCATIONS_OUTSTANDING = 256;

export interface Load {
  readonly flows: number;
  readonly packetsPerSecond: number;
  readonly direction: 'up' | 'down' | 'both';
  readonly seconds: number;
  readonly warmupSeconds: number;
}

/** Beyond the run itself: allocating, draining, giving back. */
const OVERHEAD_SECONDS_MAX = 60;

/** Traffic through a server; its CPU time is measured over the window. @throws Error if the run failed. */
export function runTraffic(server: Server, load: Load): Promise<TurnLoadResult> {
  return runGenerator(server, load.seconds + load.warmupSeconds, [
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
  return runGenerator(server, holdSeconds, [
    ...(authentication ? ['--user', 'alice:secret'] : ['--no-auth']),
    '--allocate-only',
    ...['--outstanding', ALLOCATIONS_OUTSTANDING],
    ...['--flows', flows],
    ...['--hold-seconds', holdSeconds],
  ]);
}

async function runGenerator(
  server: Server,
  seconds: number,
  parameters: readonly (string | number)[],
): Promise<TurnLoadResult> {
  const address = `127.0.0.1:${server.port}`;
  const command = pinned('generator', [
    ...[process.execPath, 'dist/main.js', 'bench', 'turn', '--json', '-', '--server', address],
    ...['--server-pid', String(server.pid), ...parameters.map(String)],
  ]);
  const child = spawn(command[0] as string, command.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), (seconds + OVERHEAD_SECONDS_MAX) * 1000);
  const [exitCode] = (await once(child, 'close')) as [number | null];
  clearTimeout(timer);
  if (exitCode !== 0) throw new Error(`the generator on ${server.name} failed: ${errors.slice(-500)}`);
  return JSON.parse(output) as TurnLoadResult;
}
