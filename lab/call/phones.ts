/** The phones of a run: one process a place that has any, started when the first is wanted. */
import type { LabNetwork } from '../network/network.ts';
import type { PhoneOptions } from '../phone/protocol.ts';
import { projectFile } from '../project.ts';
import { startWithLog } from '../run-directory.ts';
import { type PhonePlace, PLACES } from '../topology.ts';
import { PhoneHost } from './phone-client.ts';

const PHONE_HOST = 'dist-lab/lab/phone/phone-host.js';

export class Phones {
  readonly #network: LabNetwork;
  readonly #logDirectory: string;
  readonly #hosts = new Map<PhonePlace, PhoneHost>();
  #opened = 0;

  constructor(network: LabNetwork, logDirectory: string) {
    this.#network = network;
    this.#logDirectory = logDirectory;
  }

  /** A phone with a name of its own, and a tone that those opened just before and after it do not have. */
  async open(
    place: PhonePlace,
    options: Omit<PhoneOptions, 'phone' | 'address' | 'ports' | 'toneHz'>,
  ): Promise<Phone> {
    const { addresses, phonePorts } = PLACES[place];
    if (!phonePorts) throw new Error(`${place} has no ports for phones`);
    const number = this.#opened++;
    const host = this.#hostAt(place);
    const phone = `${place}-${number}`;
    const toneHz = TONES_HZ[number % TONES_HZ.length] as number;
    await host.ask(phone, 'open', { ...options, phone, address: addresses[0], ports: phonePorts, toneHz });
    return { host, phone, toneHz, place };
  }

  async close(): Promise<void> {
    await Promise.all([...this.#hosts.values()].map((host) => host.close()));
    this.#hosts.clear();
  }

  /** Where the process has ended, whyever, its calls are lost; the next ones get another. */
  #hostAt(place: PhonePlace): PhoneHost {
    const known = this.#hosts.get(place);
    if (known && !known.hasEnded) return known;
    const child = startWithLog(this.#logDirectory, `phones-${place}`, (log) =>
      this.#network.startNode(place, projectFile(PHONE_HOST), [], { stdio: ['ignore', log, log, 'ipc'] }),
    );
    const host = new PhoneHost(child);
    this.#hosts.set(place, host);
    return host;
  }
}

/** A phone by where it is asked. */
export interface Phone {
  readonly host: Pick<PhoneHost, 'ask'>;
  readonly phone: string;
  readonly toneHz: number;
  readonly place: PhonePlace;
}

/** Far enough apart to be told from each other in half a second of G.711. */
const TONES_HZ = [440, 520, 610, 700, 790, 880, 970, 1060, 1150, 1240, 1330, 1420] as const;
