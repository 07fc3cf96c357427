/** `causeway bench b2bua`: calls and media through any media engine that speaks `ng`. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { SRTP_SUITES, suiteNamed } from '../b2bua/srtp/suites.ts';
import { type B2buaLoadOptions, CALLS_MAX } from '../bench/b2bua-load-options.ts';
import { renderB2buaPlan, renderB2buaResult } from '../bench/b2bua-report.ts';
import type { B2buaLoadResult } from '../bench/b2bua-result.ts';
import { startLoad } from '../bench/load-thread.ts';
import { formatEndpoint } from '../wire/address.ts';
import {
  attend,
  EXIT_CODES_HELP,
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

const NG_PORT_DEFAULT = 2223;
/** What a leg is called that has no suite. */
const RTP = 'RTP';
/** What `srtp` means: every SDES endpoint has it (RFC 4568 §6.2.1). */
const SUITE_DEFAULT = 'AES_CM_128_HMAC_SHA1_80';

/** The command's options as commander hands them over. */
interface Flags {
  ng: Host;
  serverPid?: number;
  calls: number;
  caller: string;
  callee: string;
  zones?: [string, string];
  mediaAddress?: string;
  pps: number;
  direction: B2buaLoadOptions['direction'];
  seconds: number;
  warmupSeconds: number;
  setupOnly: boolean;
  rate?: number;
  outstanding: number;
  sockets: 'auto' | 'portable';
  json?: string;
}

/** Adds `b2bua` to the `bench` command. */
export function registerBenchB2bua(parent: Command): void {
  const command = parent.command('b2bua');
  addCallOptions(command);
  addLoadOptions(command);
  command.action(async (flags: Flags) => {
    const options = await toLoadOptions(flags);
    process.stderr.write(`${renderB2buaPlan(options, formatEndpoint(flags.ng.host, flags.ng.port))}\n`);
    await attend(
      (progress) =>
        startLoad<B2buaLoadOptions, B2buaLoadResult>('b2bua-load-worker', options, flags.sockets, progress),
      renderB2buaResult,
      flags.json,
      'the calls have been deleted',
    );
  });
}

function addCallOptions(command: Command): void {
  command
    .description('place calls through a B2BUA (this one or rtpengine), send media and check what arrives')
    .requiredOption('--ng <host:port>', 'where the engine hears the ng protocol', parseHost(NG_PORT_DEFAULT))
    .option('--calls <count>', 'calls', integerIn(1, CALLS_MAX), 100)
    .option(
      '--caller <kind>',
      'leg of the caller: rtp, srtp, or the name of an SDES suite',
      parseLeg,
      SUITE_DEFAULT,
    )
    .option('--callee <kind>', 'leg of the callee', parseLeg, RTP)
    .option(
      '--zones <caller,callee>',
      "names of the engine's zones (or interfaces) of the two legs",
      parseZones,
    )
    .option(
      '--media-address <ip>',
      'address of the endpoints (default: that from which the engine is reached)',
      parseIp,
    )
    .option(
      '--server-pid <pid>',
      "the engine's process on this machine: its CPU and memory are measured too",
      integerIn(1, PROCESS_ID_MAX),
    )
    .option('--setup-only', 'no media: set each call up and delete it at once', false)
    .option(
      '--rate <rate>',
      'calls begun a second (default: as fast as answers come)',
      integerIn(1, 1_000_000),
    )
    .option('--outstanding <count>', 'commands under way at once', integerIn(1, 4096), 32);
}

function addLoadOptions(command: Command): void {
  command
    .option(
      '--pps <rate>',
      'packets a second over all calls and directions',
      integerIn(1, PACKETS_PER_SECOND_MAX),
      10_000,
    )
    .addOption(
      new Option('--direction <direction>', 'up: caller to callee; down: callee to caller')
        .choices(['up', 'down', 'both'])
        .default('up'),
    )
    .option('--seconds <seconds>', 'measured window', integerIn(1, SECONDS_MAX), 10)
    .option('--warmup-seconds <seconds>', 'traffic before it', integerIn(0, SECONDS_MAX), 2)
    .addOption(
      new Option('--sockets <kind>', 'auto: FFI on Linux').choices(['auto', 'portable']).default('auto'),
    )
    .option('--json <file>', JSON_HELP)
    .addHelpText(
      'after',
      `\nSuites: ${SRTP_SUITES.map(({ name }) => name).join(', ')}; srtp stands for the first.\n${EXIT_CODES_HELP}`,
    );
}

async function toLoadOptions(flags: Flags): Promise<B2buaLoadOptions> {
  return {
    ngAddress: await resolveHost(flags.ng.host),
    ngPort: flags.ng.port,
    calls: flags.calls,
    caller: flags.caller === RTP ? null : flags.caller,
    callee: flags.callee === RTP ? null : flags.callee,
    zones: flags.zones ?? null,
    packetsPerSecond: flags.pps,
    direction: flags.direction,
    seconds: flags.seconds,
    warmupSeconds: flags.warmupSeconds,
    mediaAddress: flags.mediaAddress ?? null,
    setupOnly: flags.setupOnly,
    callsPerSecond: flags.rate ?? null,
    outstandingMax: flags.outstanding,
    serverPid: flags.serverPid ?? null,
  };
}

/** {@link RTP}, or a suite's name. */
function parseLeg(text: string): string {
  const name = text.toUpperCase();
  if (name === 'SRTP') return SUITE_DEFAULT;
  if (name !== RTP && !suiteNamed(name))
    throw new InvalidArgumentError('must be rtp, srtp, or the name of an SDES suite.');
  return name;
}

function parseZones(text: string): [string, string] {
  const [caller = '', callee = '', ...more] = text.split(',');
  if (caller === '' || callee === '' || more.length > 0) {
    throw new InvalidArgumentError('must be two names, caller,callee.');
  }
  return [caller, callee];
}
