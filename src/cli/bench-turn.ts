/** `causeway bench turn`: load on any TURN server. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { startLoad } from '../bench/load-thread.ts';
import { PROBE_BYTES_MAX, PROBE_BYTES_MIN, PROBE_FLOWS_MAX } from '../bench/probe.ts';
import type { TurnLoadOptions } from '../bench/turn-load-options.ts';
import { renderPlan, renderResult } from '../bench/turn-report.ts';
import type { TurnLoadResult } from '../bench/turn-result.ts';
import { formatEndpoint } from '../wire/address.ts';
import {
  attend,
  EXIT_CODES_HELP,
  EXIT_USAGE,
  type Host,
  integerIn,
  JSON_HELP,
  PACKETS_PER_SECOND_MAX,
  PROCESS_ID_MAX,
  parseHost,
  parseIp,
  resolveHost,
  SECONDS_MAX,
} from './bench-run.ts';

const PORT_DEFAULT = 3478;

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
    process.stderr.write(`${renderPlan(options, formatEndpoint(flags.server.host, flags.server.port))}\n`);
    await attend(
      (progress) =>
        startLoad<TurnLoadOptions, TurnLoadResult>('turn-load-worker', options, flags.sockets, progress),
      renderResult,
      flags.json,
      'the relays have been given back',
    );
  });
}

function addServerOptions(command: Command): void {
  command
    .description('relay traffic through a TURN server (this one or any other) and measure it')
    .requiredOption('--server <host:port>', 'TURN server over UDP', parseHost(PORT_DEFAULT))
    .option('--user <name:password>', 'long-term credentials', parseUser)
    .option('--no-auth', 'the server asks for no credentials')
    .option(
      '--server-pid <pid>',
      "the server's process on this machine: its CPU and memory are measured too",
      integerIn(1, PROCESS_ID_MAX),
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
    .option('--json <file>', JSON_HELP)
    .addHelpText('after', EXIT_CODES_HELP);
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
    serverAddress: await resolveHost(flags.server.host),
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

/** The password may hold colons, the name may not. */
function parseUser(text: string): { name: string; password: string } {
  const colon = text.indexOf(':');
  if (colon < 1) throw new InvalidArgumentError('must be name:password.');
  return { name: text.slice(0, colon), password: text.slice(colon + 1) };
}
