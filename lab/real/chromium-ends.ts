/**
 * A call of two Chromiums over TURN relays alone. The lab carries their offer and answer, as a web application
 * would; the media plane is their TURN server, and no more.
 */
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { PhoneHost } from '../call/phone-client.ts';
import { AdminClient } from '../media-plane/admin-client.ts';
import type { MediaPlane } from '../media-plane/media-plane.ts';
import type { LabNetwork } from '../network/network.ts';
import type { PhoneStatus } from '../phone/protocol.ts';
import { projectFile } from '../project.ts';
import type { CallPlan, Party } from '../scenario/scenario.ts';
import { PLACES } from '../topology.ts';
import type { Both, RealEnds } from './real-ends.ts';

const BROWSER_HOST = 'dist-lab/lab/real/browser-host.js';
/** In its process there is no other. */
const PHONE = 'chromium';

export interface ChromiumEndsOptions {
  readonly network: LabNetwork;
  readonly plane: MediaPlane;
  readonly directory: string;
  readonly plan: CallPlan;
  readonly tonesHz: Both<number>;
  /** What its relays are like, for who is interested. */
  readonly note: (text: string) => void;
}

export class ChromiumEnds implements RealEnds {
  readonly tonesHz: Both<number>;
  readonly #options: ChromiumEndsOptions;
  #hosts: Both<PhoneHost> | undefined;

  constructor(options: ChromiumEndsOptions) {
    this.#options = options;
    this.tonesHz = options.tonesHz;
  }

  async call(): Promise<void> {
    const { from, to } = this.#options.plan;
    const hosts = [this.#host(from), this.#host(to)] as const;
    this.#hosts = hosts;
    await Promise.all([this.#open(from, hosts[0], 0), this.#open(to, hosts[1], 1)]);
    const [caller, callee] = hosts;
    const offer = await caller.ask(PHONE, 'offer', { restart: false });
    const answer = await callee.ask(PHONE, 'answer', offer);
    await caller.ask(PHONE, 'accept', answer);
  }

  status(): Promise<Both<PhoneStatus>> {
    const [caller, callee] = this.#both();
    return Promise.all([caller.ask(PHONE, 'status', {}), callee.ask(PHONE, 'status', {})]);
  }

  hangUp(): Promise<Both<PhoneStatus>> {
    const [caller, callee] = this.#both();
    return Promise.all([caller.ask(PHONE, 'hangUp', {}), callee.ask(PHONE, 'hangUp', {})]);
  }

  async live(): Promise<undefined> {
    return undefined;
  }

  async record(): Promise<null> {
    return null;
  }

  /** What the two have selected must be relays of the media plane, and used. */
  async problems(): Promise<readonly string[]> {
    const { plane, note, plan } = this.#options;
    if (!plane.pages) return [];
    const { relays } = await new AdminClient(plane.pages.url, plane.pages.token).turn();
    const statuses = await this.status();
    return statuses.flatMap(({ selected }, end) => {
      const { place } = end === 0 ? plan.from : plan.to;
      const address = selected && `${selected.local.address}:${selected.local.port}`;
      const relay = relays.find(({ relayAddress }) => relayAddress === address);
      if (!relay) return [`the TURN server knows no relay ${address ?? ''} of ${place}`];
      note(`Chromium in ${place}: TURN over ${relay.client.protocol.toUpperCase()}, relay ${address}`);
      const hasSent = [...relay.channels, ...relay.permissions].some(
        ({ packetsToPeer }) => packetsToPeer > 0,
      );
      return hasSent ? [] : [`the relay ${address} of ${place} has sent nothing to the other`];
    });
  }

  async close(): Promise<void> {
    await Promise.all((this.#hosts ?? []).map((host) => host.close()));
  }

  #host({ place }: Party): PhoneHost {
    const { network, directory } = this.#options;
    const profile = join(directory, `chromium-${place}`);
    mkdirSync(profile, { recursive: true });
    const log = openSync(join(directory, `chromium-${place}.log`), 'a');
    const script = projectFile(BROWSER_HOST);
    const child = network.startNode(place, script, [profile], { stdio: ['ignore', log, log, 'ipc'] });
    closeSync(log);
    return new PhoneHost(child);
  }

  async #open({ place }: Party, host: PhoneHost, end: 0 | 1): Promise<void> {
    const { addresses, phonePorts } = PLACES[place];
    if (!phonePorts) throw new Error(`${place} has no ports for phones`);
    await host.ask(PHONE, 'open', {
      ...{ phone: PHONE, address: addresses[0], ports: phonePorts, toneHz: this.tonesHz[end] },
      // Keys are its own: DTLS-SRTP.
      ...{ ice: 'full', encryption: 'none', turn: { ...this.#options.plane.turn, transport: 'auto' } },
    });
  }

  #both(): Both<PhoneHost> {
    if (!this.#hosts) throw new Error('the call was not placed');
    return this.#hosts;
  }
}
