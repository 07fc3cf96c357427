/**
 * baresip as a phone: its microphone is a tone, what it hears is recorded, and it takes its user's
 * commands on standard input.
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { waitUntilReady } from '../harness.ts';
import { startBackground, tail } from '../processes.ts';
import type { Network } from './network.ts';
import { listen, PCMU_RATE_HZ, type Recording, readWav, type Sound } from './tone.ts';
import { waitFor } from './wait.ts';

const MODULE_DIRECTORY = '/usr/lib/baresip/modules';
const MODULES = ['g711', 'ausine', 'aubridge', 'sndfile', 'srtp', 'stdio'] as const;

export interface PhoneSettings {
  readonly name: string;
  readonly namespace: string;
  readonly address: string;
  /** Where it registers. */
  readonly proxyAddress: string;
  /** Of the tone it says. */
  readonly toneHz: number;
  /** SDES, and no call without; else plain RTP. */
  readonly isEncrypted: boolean;
  readonly directory: string;
}

/** Problems that a phone counted in a call's received audio. */
export interface ReceptionReport {
  readonly packets: number;
  /** What could not be read: for a phone with SRTP also what did not verify. */
  readonly errors: number;
}

export interface Phone {
  readonly name: string;
  readonly address: string;
  readonly toneHz: number;
  /** Calls and waits until the call stands. */
  dial(uri: string): Promise<void>;
  /** Asks the other side to wait, and waits for its agreement. */
  hold(): Promise<void>;
  /** Goes on after `hold()`. */
  resume(): Promise<void>;
  /** Ends the call and waits until it has ended for this phone. */
  hangUp(): Promise<void>;
  /** Calls that stood so far. */
  callsEstablished(): number;
  /** Calls that have ended so far. */
  callsEnded(): number;
  /** Seconds of sound heard so far, in all calls; of use as the beginning for `heardSince`. */
  secondsHeard(): Promise<number>;
  /** What it has heard since then, listening for a tone. */
  heardSince(seconds: number, toneHz: number): Promise<Sound>;
  /** What it has said so far, in all calls. */
  said(): Promise<Sound>;
  /** Of the call that ended last. */
  reception(): ReceptionReport;
  log(): string;
  stop(): Promise<void>;
}

/** Starts a phone and waits until it is registered. */
export async function startPhone(network: Network, settings: PhoneSettings): Promise<Phone> {
  const { name, address, toneHz, directory } = settings;
  await writeProfile(settings);
  const [command, ...args] = network.within(settings.namespace);
  const baresip = startBackground(command, [...args, 'baresip', '-4', '-v', '-f', directory], {
    input: '',
  });
  const log = baresip.output;
  const count = (pattern: RegExp): number => log().match(pattern)?.length ?? 0;
  await waitUntilReady(baresip, async () => count(/200 OK/g) > 0);

  const callsEstablished = (): number => count(/Call established/g);
  const callsRefused = (): number => count(/session closed: [3-6]\d\d /g);
  const callsEnded = (): number => count(/terminated \(duration/g);
  const modify = async (key: string): Promise<void> => {
    const answers = (): number => count(/got SDP answer/g);
    const before = answers();
    baresip.write(key);
    await waitFor(`answer to a re-INVITE of ${name}`, () => answers() > before, { log });
  };
  return {
    name,
    address,
    toneHz,
    async dial(uri) {
      const [before, failedBefore] = [callsEstablished(), callsRefused()];
      baresip.write(`/dial ${uri}\n`);
      await waitFor(
        `call of ${name} to ${uri}`,
        () => {
          if (callsRefused() > failedBefore) throw new Error(`call of ${name}:\n${tail(log(), 10)}`);
          return callsEstablished() > before;
        },
        { log },
      );
    },
    hold: () => modify('x'),
    resume: () => modify('X'),
    async hangUp() {
      const before = callsEnded();
      baresip.write('/hangup\n');
      await waitFor(`end of the call of ${name}`, () => callsEnded() > before, { log });
    },
    callsEstablished,
    callsEnded,
    async secondsHeard() {
      const { rateHz, samples } = await recordingIn(directory, 'dec');
      return samples.length / rateHz;
    },
    async heardSince(seconds, tone) {
      const { rateHz, samples } = await recordingIn(directory, 'dec');
      return listen(samples.subarray(Math.round(seconds * rateHz)), rateHz, tone);
    },
    async said() {
      const { rateHz, samples } = await recordingIn(directory, 'enc');
      return listen(samples, rateHz, toneHz);
    },
    reception: () => lastReception(log()),
    log,
    async stop() {
      await baresip.stop();
    },
  };
}

/** All that the phone has heard (`dec`) or said (`enc`), call after call. */
async function recordingIn(directory: string, kind: 'enc' | 'dec'): Promise<Recording> {
  const files = (await readdir(directory)).filter((file) => file.endsWith(`-${kind}.wav`)).sort();
  const calls = await Promise.all(files.map(async (file) => readWav(await readFile(join(directory, file)))));
  return {
    rateHz: calls[0]?.rateHz ?? PCMU_RATE_HZ,
    samples: Int16Array.from(calls.flatMap((call) => [...call.samples])),
  };
}

async function writeProfile(settings: PhoneSettings): Promise<void> {
  const { name, address, proxyAddress, toneHz, isEncrypted, directory } = settings;
  const config = [
    ['poll_method', 'epoll'],
    ['sip_listen', `${address}:5060`],
    ['call_local_timeout', '30'],
    ['audio_source', `ausine,${toneHz}`],
    ['audio_player', 'aubridge,speaker'],
    ['audio_alert', 'aubridge,alert'],
    ['ausrc_srate', '48000'],
    ['ausrc_channels', '2'],
    ['rtp_ports', '20000-20999'],
    ['rtcp_mux', 'no'],
    ['jitter_buffer_delay', '1-5'],
    ['rtp_stats', 'yes'],
    ['dns_server', '127.0.0.1:53'],
    ['module_path', MODULE_DIRECTORY],
    ...MODULES.map((module) => ['module', `${module}.so`]),
    ['module_tmp', 'account.so'],
    ['module_app', 'menu.so'],
    ['menu_bell', 'no'],
    ['statmode_default', 'off'],
    ['ringback_disabled', 'yes'],
    ['snd_path', directory],
  ];
  const account = [
    `<sip:${name}@${proxyAddress}>`,
    'regint=60',
    'answermode=auto',
    'audio_codecs=PCMU/8000/1',
    ...(isEncrypted ? ['mediaenc=srtp-mand'] : []),
  ];
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'config'), config.map((line) => `${line.join(' ')}\n`).join(''));
  await writeFile(join(directory, 'accounts'), `${account.join(';')}\n`);
  await writeFile(join(directory, 'contacts'), '');
}

/** From the table that baresip prints at the end of a call: "packets: SENT RECEIVED" and so on. */
function lastReception(log: string): ReceptionReport {
  const table = log.slice(log.lastIndexOf('Transmit:'));
  const received = (name: string): number =>
    Number(table.match(new RegExp(`^${name}:\\s+\\d+\\s+(\\d+)`, 'm'))?.[1] ?? Number.NaN);
  return { packets: received('packets'), errors: received('errors') };
}
