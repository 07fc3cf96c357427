/**
 * baresip as a phone: its microphone is a tone, what it hears is recorded, and it takes its user's commands on
 * standard input. What it does is read from its log, in which it also shows its SIP.
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PhoneCandidateType, TransportAddress } from '../phone/protocol.ts';
import { lastWords, type Program, plainText, type StartProgram } from './program.ts';
import { listen, PCMU_RATE_HZ, type Recording, readWav, type Sound } from './recording.ts';
import { waitFor } from './wait.ts';

/** Debian's. */
export const BARESIP_MODULES = '/usr/lib/baresip/modules';
const MODULES = ['g711', 'ausine', 'aubridge', 'sndfile', 'stun', 'turn', 'ice', 'srtp', 'stdio'] as const;

const REGISTRATION_MS_MAX = 20_000;

export interface BaresipSettings {
  readonly name: string;
  readonly address: string;
  /** UDP, another one for each phone of an address. */
  readonly sipPort: number;
  readonly rtpPorts: readonly [first: number, last: number];
  /** Where it registers. */
  readonly proxyAddress: string;
  /** Of the tone it says. */
  readonly toneHz: number;
  /** SDES, and no call without; else plain RTP. */
  readonly isEncrypted: boolean;
  /** Absent: no ICE. */
  readonly ice?: StunAccess;
  readonly directory: string;
}

/** Where it learns its server-reflexive address, and with a user also gets a relay. */
export interface StunAccess {
  readonly server: TransportAddress;
  readonly user?: { readonly username: string; readonly password: string };
}

/** One of the candidates that a phone has signalled. */
export type Candidate = TransportAddress & { readonly type: PhoneCandidateType };

/** Of a call that has ended. Without media there is no report, and all is NaN. */
export interface Reception {
  readonly sentPackets: number;
  readonly heardPackets: number;
  /** What was heard and could not be read: for a phone with SRTP also what did not verify. */
  readonly errors: number;
  /** Until the last RTCP that was heard: packets that had come, and those that had not. NaN: no RTCP was heard. */
  readonly reportedPackets: number;
  readonly lostPackets: number;
}

export class Baresip {
  readonly name: string;
  readonly address: string;
  readonly toneHz: number;
  readonly #directory: string;
  readonly #program: Program;

  private constructor({ name, address, toneHz, directory }: BaresipSettings, program: Program) {
    this.name = name;
    this.address = address;
    this.toneHz = toneHz;
    this.#directory = directory;
    this.#program = program;
  }

  /** Starts a phone and waits until it is registered. */
  static async start(start: StartProgram, settings: BaresipSettings): Promise<Baresip> {
    await writeProfile(settings);
    const program = start('baresip', ['-4', '-v', '-s', '-f', settings.directory]);
    const phone = new Baresip(settings, program);
    try {
      await waitFor(`registration of ${settings.name}`, () => phone.#count(/\[\d+ bindings?\]/g) > 0, {
        program,
        timeoutMs: REGISTRATION_MS_MAX,
      });
    } catch (error) {
      await phone.stop();
      throw error;
    }
    return phone;
  }

  /** Calls and waits until the call stands. */
  async dial(uri: string): Promise<void> {
    const [before, refusedBefore] = [this.callsEstablished(), this.#callsRefused()];
    this.#program.write(`/dial ${uri}\n`);
    await this.#waitFor(`call of ${this.name} to ${uri}`, () => {
      if (this.#callsRefused() > refusedBefore)
        throw new Error(`call of ${this.name} to ${uri} refused: ${lastWords(this.log())}`);
      return this.callsEstablished() > before;
    });
  }

  /** Asks the other side to wait, and waits for its agreement. */
  hold(): Promise<void> {
    return this.#modify('x');
  }

  /** Goes on after `hold()`. */
  resume(): Promise<void> {
    return this.#modify('X');
  }

  /** Ends the call and waits until it has ended for this phone. */
  async hangUp(): Promise<void> {
    const before = this.callsEnded();
    this.#program.write('/hangup\n');
    await this.#waitFor(`end of the call of ${this.name}`, () => this.callsEnded() > before);
  }

  /** Waits until its calls have ended for it too. */
  waitForEnd(): Promise<void> {
    return this.#waitFor(
      `end of the call of ${this.name}`,
      () => this.callsEnded() >= this.callsEstablished(),
    );
  }

  /** Calls that stood so far. */
  callsEstablished(): number {
    return this.#count(/Call established/g);
  }

  /** Calls that have ended so far. */
  callsEnded(): number {
    return this.#count(/terminated \(duration/g);
  }

  /** Seconds of sound heard so far, in all calls; of use as the beginning for `heardSince`. */
  async secondsHeard(): Promise<number> {
    const { rateHz, samples } = await recordingIn(this.#directory, 'dec');
    return samples.length / rateHz;
  }

  /** Seconds of its tone that it has said so far. */
  async secondsSaid(): Promise<number> {
    const { rateHz, samples } = await recordingIn(this.#directory, 'enc');
    return samples.length / rateHz;
  }

  /** What it has heard since then, listening for a tone. */
  async heardSince(seconds: number, toneHz: number): Promise<Sound> {
    const { rateHz, samples } = await recordingIn(this.#directory, 'dec');
    return listen(samples.subarray(Math.round(seconds * rateHz)), rateHz, toneHz);
  }

  /** What it has said so far, in all calls. */
  async said(): Promise<Sound> {
    const { rateHz, samples } = await recordingIn(this.#directory, 'enc');
    return listen(samples, rateHz, this.toneHz);
  }

  /** Of the call that ended last, from the table that baresip prints then. */
  reception(): Reception {
    const log = this.log();
    const table = log.slice(log.lastIndexOf('Transmit:'));
    const row = (name: string): number[] =>
      (table.match(new RegExp(`^${name}:\\s+(\\d+)\\s+(\\d+)`, 'm')) ?? []).slice(1).map(Number);
    const [sentPackets = Number.NaN, heardPackets = Number.NaN] = row('packets');
    const received = (name: string): number => row(name)[1] ?? Number.NaN;
    return {
      ...{ sentPackets, heardPackets, errors: received('errors') },
      ...{ reportedPackets: received('pkt.report'), lostPackets: received('lost') },
    };
  }

  /** Of its first call's INVITE; undefined: none yet. */
  callId(): string | undefined {
    return /^INVITE .*?^Call-ID: (\S+)/ms.exec(this.log())?.[1];
  }

  /** Where ICE has it send its audio; undefined: ICE is not done, or there is none. */
  selectedRemote(): TransportAddress | undefined {
    const matches = [...this.log().matchAll(/mnat 'ice' connected: raddr (\S+):(\d+) /g)];
    const [, address, port] = matches.at(-1) ?? [];
    return address === undefined ? undefined : { address, port: Number(port) };
  }

  /** For RTP, as it has signalled them itself. */
  candidates(): readonly Candidate[] {
    const own = this.log()
      .split(/^#\n(?=UDP )/m)
      .filter((message) => message.startsWith(`UDP ${this.address}:`));
    const lines = own.flatMap((message) => [
      ...message.matchAll(/^a=candidate:\S+ 1 UDP \d+ (\S+) (\d+) typ (host|srflx|relay)/gm),
    ]);
    return lines.map(([, address = '', port, type]) => ({
      ...{ address, port: Number(port), type: type as PhoneCandidateType },
    }));
  }

  log(): string {
    return plainText(this.#program.output());
  }

  async stop(): Promise<void> {
    if (this.#program.end() === undefined) await this.#program.stop();
  }

  async #modify(key: string): Promise<void> {
    const answers = (): number => this.#count(/got SDP answer/g);
    const before = answers();
    this.#program.write(key);
    await this.#waitFor(`answer to a re-INVITE of ${this.name}`, () => answers() > before);
  }

  #callsRefused(): number {
    return this.#count(/session closed: [3-6]\d\d /g);
  }

  #count(pattern: RegExp): number {
    return this.#program.output().match(pattern)?.length ?? 0;
  }

  #waitFor(what: string, condition: () => boolean): Promise<void> {
    return waitFor(what, condition, { program: this.#program });
  }
}

/** All that the phone has heard (`dec`) or said (`enc`), call after call. */
async function recordingIn(directory: string, kind: 'enc' | 'dec'): Promise<Recording> {
  const files = (await readdir(directory)).filter((file) => file.endsWith(`-${kind}.wav`)).sort();
  const calls = await Promise.all(files.map(async (file) => readWav(await readFile(join(directory, file)))));
  const [first] = calls;
  if (first && calls.length === 1) return first;
  return {
    rateHz: first?.rateHz ?? PCMU_RATE_HZ,
    samples: Int16Array.from(calls.flatMap((call) => [...call.samples])),
  };
}

async function writeProfile(settings: BaresipSettings): Promise<void> {
  const { address, sipPort, rtpPorts, toneHz, directory } = settings;
  const config = [
    ['poll_method', 'epoll'],
    ['sip_listen', `${address}:${sipPort}`],
    ['call_local_timeout', '30'],
    ['audio_source', `ausine,${toneHz}`],
    ['audio_player', 'aubridge,speaker'],
    ['audio_alert', 'aubridge,alert'],
    ['ausrc_srate', '48000'],
    ['ausrc_channels', '2'],
    ['rtp_ports', rtpPorts.join('-')],
    ['rtcp_mux', 'no'],
    ['jitter_buffer_delay', '1-5'],
    ['rtp_stats', 'yes'],
    ['dns_server', '127.0.0.1:53'],
    ['module_path', BARESIP_MODULES],
    ...MODULES.map((module) => ['module', `${module}.so`]),
    ['module_tmp', 'account.so'],
    ['module_app', 'menu.so'],
    ['menu_bell', 'no'],
    ['statmode_default', 'off'],
    ['ringback_disabled', 'yes'],
    ['snd_path', directory],
  ];
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'config'), config.map((line) => `${line.join(' ')}\n`).join(''));
  await writeFile(join(directory, 'accounts'), `${account(settings)}\n`);
  await writeFile(join(directory, 'contacts'), '');
}

function account({ name, proxyAddress, isEncrypted, ice }: BaresipSettings): string {
  return [
    `<sip:${name}@${proxyAddress}>`,
    'regint=60',
    'answermode=auto',
    'audio_codecs=PCMU/8000/1',
    ...(isEncrypted ? ['mediaenc=srtp-mand'] : []),
    ...(ice
      ? [
          'medianat=ice',
          `stunserver=${ice.user ? 'turn' : 'stun'}:${ice.server.address}:${ice.server.port}`,
          ...(ice.user ? [`stunuser=${ice.user.username}`, `stunpass=${ice.user.password}`] : []),
        ]
      : []),
  ].join(';');
}
