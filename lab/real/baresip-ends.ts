/** A call of two baresips that have registered at the SIP proxy. */
import { join } from 'node:path';
import type { LiveCall, MediaPlane, RecordedCall } from '../media-plane/media-plane.ts';
import { sideOf } from '../media-plane/media-plane.ts';
import type { LabNetwork } from '../network/network.ts';
import type { SelectedPair, TransportAddress } from '../phone/protocol.ts';
import type { CallPlan, Party } from '../scenario/scenario.ts';
import { HOMES, PLACES } from '../topology.ts';
import { Baresip, type Candidate } from './baresip.ts';
import { PROXY_ADDRESSES } from './kamailio.ts';
import { programsIn, startAll } from './program.ts';
import type { Both, EndStatus, RealEnds } from './real-ends.ts';

/** Phones of one address listen on different ports: two each, the second for TLS. */
const SIP_PORT_FIRST = 5060;
const SIP_PORTS = 2;
const PACKETS_PER_SECOND = 50;
/** Of what is listened to for the tone that is heard now. */
const EAR_SECONDS = 0.5;
/** In windows of 0.1 s, one of which may be cut. */
const TONE_SECONDS_MIN = 0.3;

export interface BaresipEndsOptions {
  readonly network: LabNetwork;
  readonly plane: MediaPlane;
  readonly directory: string;
  readonly plan: CallPlan;
  /** From 1, unique in the run. */
  readonly number: number;
  readonly tonesHz: Both<number>;
}

export class BaresipEnds implements RealEnds {
  readonly tonesHz: Both<number>;
  readonly #options: BaresipEndsOptions;
  #phones: Both<Baresip> | undefined;
  #heard: Both<Heard> = [
    { seconds: 0, atMs: undefined },
    { seconds: 0, atMs: undefined },
  ];

  constructor(options: BaresipEndsOptions) {
    this.#options = options;
    this.tonesHz = options.tonesHz;
  }

  async call(): Promise<void> {
    const { from, to } = this.#options.plan;
    const [caller, callee] = await startAll([this.#start(from, 0), this.#start(to, 1)]);
    if (!caller || !callee) return;
    this.#phones = [caller, callee];
    await caller.dial(`sip:${callee.name}@${proxyOf(from)}`);
  }

  async status(): Promise<Both<EndStatus>> {
    const [caller, callee] = this.#ends();
    return Promise.all([this.#statusOf(caller, callee, 0), this.#statusOf(callee, caller, 1)]);
  }

  async hangUp(): Promise<Both<EndStatus>> {
    const before = await this.status();
    const [caller, callee] = this.#ends();
    await caller.hangUp();
    await callee.waitForEnd();
    await this.close();
    return [finalStatus(before[0], caller), finalStatus(before[1], callee)];
  }

  async live(): Promise<LiveCall | undefined> {
    const callId = this.#phones?.[0].callId();
    return callId === undefined ? undefined : this.#options.plane.records?.live(callId);
  }

  async record(): Promise<RecordedCall | undefined> {
    const callId = this.#phones?.[0].callId();
    return callId === undefined ? undefined : this.#options.plane.records?.ended(callId);
  }

  async problems(): Promise<readonly string[]> {
    return [];
  }

  async close(): Promise<void> {
    await Promise.all((this.#phones ?? []).map((phone) => phone.stop()));
  }

  #start(party: Party, end: 0 | 1): Promise<Baresip> {
    const { network, plane, directory, number } = this.#options;
    const { addresses, phonePorts } = PLACES[party.place];
    if (!phonePorts) throw new Error(`${party.place} has no ports for phones`);
    const name = `${party.place}-${number}-${end === 0 ? 'caller' : 'callee'}`;
    const { server, ...user } = plane.turn;
    return Baresip.start(programsIn(network, party.place, join(directory, `${name}.log`)), {
      ...{
        name,
        address: addresses[0],
        sipPort: SIP_PORT_FIRST + SIP_PORTS * (2 * number + end),
        rtpPorts: phonePorts,
      },
      ...{ proxyAddress: proxyOf(party), toneHz: this.tonesHz[end] },
      isEncrypted: party.encryption !== 'none',
      ...(party.ice === 'none' ? {} : { ice: { server, ...(party.turn ? { user } : {}) } }),
      directory: join(directory, name),
    });
  }

  #ends(): Both<Baresip> {
    if (!this.#phones) throw new Error('the call was not placed');
    return this.#phones;
  }

  async #statusOf(own: Baresip, other: Baresip, end: 0 | 1): Promise<EndStatus> {
    const secondsHeard = await own.secondsHeard();
    const heard = this.#heard[end];
    if (secondsHeard > heard.seconds) {
      heard.seconds = secondsHeard;
      heard.atMs = performance.now();
    }
    const ear = await own.heardSince(Math.max(0, secondsHeard - EAR_SECONDS), other.toneHz);
    const { ice } = end === 0 ? this.#options.plan.from : this.#options.plan.to;
    return {
      ice: ice === 'none' ? 'none' : own.selectedRemote() ? 'concluded' : 'checking',
      selected: selectedPair(own, other),
      candidates: own.candidates(),
      sentPackets: Math.round((await own.secondsSaid()) * PACKETS_PER_SECOND),
      heardPackets: Math.round(secondsHeard * PACKETS_PER_SECOND),
      lostPackets: null,
      silentMs: heard.atMs === undefined ? null : performance.now() - heard.atMs,
      heardToneHz: ear.toneSeconds >= TONE_SECONDS_MIN ? other.toneHz : null,
      rtcpHeard: 0,
    };
  }
}

/** When an end's recording last grew, and how long it was then. */
interface Heard {
  seconds: number;
  atMs: number | undefined;
}

/** With what a phone tells of a call when it has ended. */
function finalStatus(before: EndStatus, phone: Baresip): EndStatus {
  const { sentPackets, heardPackets, reportedPackets, lostPackets } = phone.reception();
  if (Number.isNaN(heardPackets)) return before;
  const rtcp = Number.isNaN(reportedPackets) ? {} : { rtcpHeard: 1, lostPackets };
  return { ...before, sentPackets, heardPackets, ...rtcp };
}

/**
 * baresip tells where it sends to. So its own end of the path is where the other one sends to, as far as that is
 * here: a candidate that it has signalled, or what its gateway makes of one.
 */
function selectedPair(own: Baresip, other: Baresip): SelectedPair | null {
  const remote = own.selectedRemote();
  const sentTo = other.selectedRemote();
  if (!remote || !sentTo) return null;
  const local = candidateAt(sentTo, own) ?? { address: own.address, port: sentTo.port, type: 'host' };
  return { local, remote: { ...remote, type: candidateAt(remote, other)?.type ?? 'prflx' } };
}

function candidateAt(place: TransportAddress, phone: Baresip): Candidate | undefined {
  const signalled = phone
    .candidates()
    .find(({ address, port }) => address === place.address && port === place.port);
  if (signalled) return signalled;
  // A symmetric NAT's mapping towards the other phone, which no server has seen.
  const isMapped = Object.values(HOMES).some(({ wanAddresses }) => wanAddresses.includes(place.address));
  return isMapped ? { ...place, type: 'srflx' } : undefined;
}

function proxyOf({ place }: Party): string {
  return PROXY_ADDRESSES[sideOf(place)];
}
