/** `causeway bench turn`: load on any TURN server. */
import { lookup } from 'node:dns/promises';
import { writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { PROBE_BYTES_MAX, PROBE_BYTES_MIN, PROBE_FLOWS_MAX } from '../bench/probe.ts';
import { renderPlan, renderProgress, renderResult } from '../bench/report.ts';
import type { TurnLoadResult } from '../bench/result.ts';
import { TurnLoadError, type TurnLoadProgress } from '../bench/turn-load.ts';
import type { TurnLoadOptions } from '../bench/turn-load-options.ts';
import { startTurnLoad } from '../bench/turn-load-thread.ts';
import { formatEndpoint } from '../wire/address.ts';

const PORT_DEFAULT = 3478;
const EXIT_USAGE = 2;
const PACKETS_PER_SECOND_MAX = 10_000_000;
const SECONDS_MAX = 86_400;

interface Host {
  readonly host: string;
  readonly port: number;
}

/** The command's options as commander hands them over. */
interface Flags {
  server: Host;
  user?: { name: string; password: string };
  auth: boolean;
  flows: number;
  pps: number;
  direction: TurnLoadOptions['direction'];
  mode: TurnLoadOptions['mode'];
  payloadBytes: number;
  seconds: number;
  warmupSeconds: number;
  peerAddress?: string;
  peerSockets: number;
  allocateOnly: boolean;
  holdSeconds: number;
  allocationRate?: number;
  outstanding: number;
  serverPid?: number;
  sockets: 'auto' | 'portable';
  json?: string;
}

/** Adds `turn` to the `bench` command. */
export function registerBenchTurn(parent: Command): void {
  const command = parent.command('turn');
  addServerOptions(command);
  addLoadOptions(command);
  addRunOptions(command);
  command.action(async (flags: Flags) => {
    const options = await toLoadOptions(command, flags);
    await run(options, flags);
  });
}

function addServerOptions(command: Command): void {
  command
    .description('relay traffic through a TURN server (this one or any other) and measure it')
    .requiredOption('--server <host:port>', 'TURN server over UDP', parseHost)
    .option('--user <name:password>', 'long-term credentials', parseUser)
    .option('--no-auth', 'the server asks for no credentials')
    .option(
      '--server-pid <pid>',
      "the server's process on this machine: its CPU and memory are measured too",
      integerIn(1, 2 ** 22),
    );
}

function addLoadOptions(command: Command): void {
  command
    .option(
      '--flows <count>',
      'relays, each with a client socket of its own',
      integerIn(1, PROBE_FLOWS_MAX),
      200,
    )
    .option(
      '--pps <rate>',
      'packets a second over all flows and directions',
      integerIn(1, PACKETS_PER_SECOND_MAX),
      10_000,
    )
    .addOption(
      new Option('--direction <direction>', 'up: client to peer; down: peer to client')
        .choices(['up', 'down', 'both'])
        .default('up'),
    )
    .addOption(
      new Option('--mode <mode>', 'ChannelData, or Send and Data indications')
        .choices(['channel', 'indication'])
        .default('channel'),
    )
    .option(
      '--payload-bytes <bytes>',
      'UDP payload of the peer',
      integerIn(PROBE_BYTES_MIN, PROBE_BYTES_MAX),
      160,
    )
    .option('--seconds <seconds>', 'measured window', integerIn(1, SECONDS_MAX), 10)
    .option('--warmup-seconds <seconds>', 'traffic before it', integerIn(0, SECONDS_MAX), 2)
    .option(
      '--peer-address <ip>',
      'address of the peer sockets (default: that from which the server is reached)',
      parseIp,
    )
    .option('--peer-sockets <count>', 'sockets that the flows share as peers', integerIn(1, 1024), 16);
}

function addRunOptions(command: Command): void {
  command
    .option('--allocate-only', 'no traffic: allocate, hold, give back', false)
    .option('--hold-seconds <seconds>', 'how long with --allocate-only', integerIn(0, SECONDS_MAX), 0)
    .option(
      '--allocation-rate <rate>',
      'allocations begun a second (default: as fast as answers come)',
      integerIn(1, 1_000_000),
    )
    .option('--outstanding <count>', 'requests under way at once', integerIn(1, 4096), 64)
    .addOption(
      new Option('--sockets <kind>', 'auto: FFI on Linux').choices(['auto', 'portable']).default('auto'),
    )
    .option(
      '--json <file>',
      'write the result as JSON (-: to standard output, and the table to standard error)',
    )
    .addHelpText(
      'after',
      '\nExit code: 0 measured (whether the figures count is in the table and the JSON), 1 failed or interrupted, 2 wrong usage.',
    );
}

async function toLoadOptions(command: Command, flags: Flags): Promise<TurnLoadOptions> {
  if (flags.auth && !flags.user) {
    command.error("error: give credentials with '--user name:password', or '--no-auth'", {
      exitCode: EXIT_USAGE,
    });
  }
  if (!flags.auth && flags.user) {
    command.error("error: '--user' and '--no-auth' exclude each other", { exitCode: EXIT_USAGE });
  }
  return {
    serverAddress: await resolve(flags.server.host),
    serverPort: flags.server.port,
    credentials: flags.user ?? null,
    flows: flags.flows,
    packetsPerSecond: flags.pps,
    direction: flags.direction,
    payloadBytes: flags.payloadBytes,
    seconds: flags.seconds,
    warmupSeconds: flags.warmupSeconds,
    mode: flags.mode,
    peerAddress: flags.peerAddress ?? null,
    peerSockets: flags.peerSockets,
    allocateOnly: flags.allocateOnly,
    holdSeconds: flags.holdSeconds,
    allocationsPerSecond: flags.allocationRate ?? null,
    outstandingMax: flags.outstanding,
    serverPid: flags.serverPid ?? null,
  };
}

/**
 * Runs, shows progress on standard error and the result on standard output.
 * @throws TurnLoadError if it failed or was interrupted, the latter with the result printed.
 */
async function run(options: TurnLoadOptions, flags: Flags): Promise<void> {
  const progress = new ProgressLine(process.stderr);
  process.stderr.write(`${renderPlan(options, formatEndpoint(flags.server.host, flags.server.port))}\n`);
  const thread = startTurnLoad(options, flags.sockets, (state) => progress.show(state));
  const stop = (): void => thread.stop();
  // Once more ends the process as usual: the relays then live on until they expire.
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  try {
    const result = await thread.result;
    progress.clear();
    writeResult(result, flags.json);
    if (result.interrupted) throw new TurnLoadError('interrupted; the relays have been given back');
  } finally {
    progress.clear();
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
}

function writeResult(result: TurnLoadResult, json: string | undefined): void {
  const text = `${JSON.stringify(result, null, 2)}\n`;
  if (json === '-') {
    process.stderr.write(renderResult(result));
    process.stdout.write(text);
    return;
  }
  process.stdout.write(renderResult(result));
  if (json !== undefined) writeFileSync(json, text);
}

/** On a terminal one line that is written over, elsewhere a line a second. */
class ProgressLine {
  readonly #stream: NodeJS.WriteStream;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
  }

  show(state: TurnLoadProgress): void {
    const text = renderProgress(state);
    if (this.#stream.isTTY) this.#stream.write(`\r\x1b[K${text.slice(0, this.#stream.columns - 1)}`);
    else this.#stream.write(`${text}\n`);
  }

  clear(): void {
    if (this.#stream.isTTY) this.#stream.write('\r\x1b[K');
  }
}

/** `host`, `host:port`, `[v6]:port` or a bare IPv6 address. */
function parseHost(text: string): Host {
  if (isIP(text) === 6) return { host: text, port: PORT_DEFAULT };
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text);
  const host = match?.[1] ?? match?.[2] ?? '';
  const port = match?.[3] === undefined ? PORT_DEFAULT : Number(match[3]);
  if (host === '' || (match?.[1] !== undefined && isIP(host) !== 6)) {
    throw new InvalidArgumentError('must be host:port, [IPv6]:port or a host.');
  }
  if (port < 1 || port > 65_535) throw new InvalidArgumentError('the port must be 1 to 65535.');
  return { host, port };
}

/** The password may hold colons, the name may not. */
function parseUser(text: string): { name: string; password: string } {
  const colon = text.indexOf(':');
  if (colon < 1) throw new InvalidArgumentError('must be name:password.');
  return { name: text.slice(0, colon), password: text.slice(colon + 1) };
}

function parseIp(text: string): string {
  if (isIP(text) === 0) throw new InvalidArgumentError('must be an IP address.');
  return text;
}

function integerIn(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most) {
      throw new InvalidArgumentError(`must be a whole number from ${least} to ${most}.`);
    }
    return value;
  };
}

async function resolve(host: string): Promise<string> {
  if (isIP(host) !== 0) return host;
  try {
    return (await lookup(host)).address;
  } catch (error) {
    throw new TurnLoadError(`cannot resolve ${host}: ${(error as NodeJS.ErrnoException).code ?? error}`);
  }
}
