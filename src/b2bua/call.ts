/**
 * A call, its legs and their lines: what `offer-answer` has agreed with each side. Control plane; what
 * packets need of it is copied into components.
 */
import type { IceLiteAgent } from '../ice/lite-agent.ts';
import type { OwnAddresses, Side } from '../ice/path.ts';
import { PathTracker } from '../ice/path-tracker.ts';
import type { SdpDocument } from '../wire/sdp.ts';
import type { Component } from './component.ts';
import type { NgRequest } from './ng-request.ts';
import type { RemoteLine } from './remote-line.ts';
import type { ZoneAddress } from './settings.ts';
import type { SrtpReceiver } from './srtp/srtp-receiver.ts';
import type { SrtpSender } from './srtp/srtp-sender.ts';
import type { SrtpSuite } from './srtp/suites.ts';

/** Keys that a side has sent with earlier and may come back to: their replay windows and ROCs live on. */
const RECEIVERS_KEPT = 4;

/** Forks that have answered at one leg, and may yet be named. */
const EARLIER_TAGS_MAX = 32;

/**
 * What we are to a line.
 * - `terminated`: the other end of each leg, with keys of our own
 * - `relayed`: a relay, to which packets, keys and candidates are all the same (an edge node)
 * - `passthrough`: the same, and a stand-in for each side on a candidate of ours, until ICE finds a better path
 */
export type LineMode = 'terminated' | 'relayed' | 'passthrough';

/**
 * An offer told that ICE has found a path that leaves us. Then m= and c= lines name the ends of that path (RFC 8839
 * §4.4.1.2.2), and phones send to where these lines say: they go on as they are.
 * - `named`: the offer names the other end
 * - `likely`: it names all candidates that it knows of, as some phones do. Such phones send to where m= and c= say
 *   whatever was selected, which must then be where all may send to.
 */
export type Departure = 'named' | 'likely';

/** A key of ours for one line, leg and suite: what we send to that side is encrypted with it, and nothing else ever. */
export interface OwnKey {
  /** Of its a=crypto in our offers: the same in all of them, as an answer may come to any. */
  readonly tag: number;
  readonly suite: SrtpSuite;
  readonly masterKey: Uint8Array;
  readonly masterSalt: Uint8Array;
  /** Made when the side takes the suite. Lives as long as the key, since it knows what was already sent. */
  sender: SrtpSender | undefined;
}

/** How a line was last offered to a leg, against which its answer is read. */
export interface OfferedLine {
  readonly kind: 'rtp' | 'opaque';
  /** Our a=crypto lines. */
  readonly cryptos: readonly OwnKey[];
  readonly mustEncrypt: boolean;
  readonly hasRtcpMux: boolean;
  /** What we are to the line if it is taken as offered. */
  readonly mode: LineMode;
  /** We offered to be its ICE peer, or to stand in for the offerer. */
  readonly ice: IceLiteAgent | undefined;
  readonly departure: Departure | undefined;
}

export class Line {
  /** Empty while the line is refused or disabled. */
  components: readonly Component[] = [];
  kind: 'rtp' | 'opaque' = 'rtp';
  media = '';
  protocol = '';
  isMuxed = false;
  /** What this side said when it was last agreed on. */
  remote: RemoteLine | undefined;
  /** Tag under which it said so. */
  tag: string | undefined;
  /** Undefined where it was not offered, or as disabled. */
  offered: OfferedLine | undefined;
  /** By name of the suite. */
  readonly keys: Map<string, OwnKey> = new Map();
  readonly #receivers: { readonly keys: string; readonly receiver: SrtpReceiver }[] = [];
  ice: IceLiteAgent | undefined;
  mode: LineMode = 'terminated';
  /** Undefined: media may go through us. */
  departure: Departure | undefined;
  /**
   * The side last offered without ICE, or answered so what was offered with it: no offer passes through to it, since
   * it would answer that without ICE again, and media would change its keys and its way for nothing.
   */
  isWithoutIce = false;
  /** Names of the suites in use, for status pages. */
  receivedSuite: string | undefined;
  sentSuite: string | undefined;

  get rtp(): Component | undefined {
    return this.components[0];
  }

  /** Where RTCP arrives and leaves: the RTP component where both share a port. */
  get rtcp(): Component | undefined {
    return this.isMuxed ? this.components[0] : this.components[1];
  }

  /** The receiver for these keys: the one of before if they were seen before. */
  receiverFor(keys: string, make: () => SrtpReceiver): SrtpReceiver {
    const known = this.#receivers.findIndex((entry) => entry.keys === keys);
    const entry = known >= 0 ? this.#receivers.splice(known, 1)[0] : { keys, receiver: make() };
    if (entry === undefined) throw new RangeError('a receiver that was found is there');
    this.#receivers.push(entry);
    if (this.#receivers.length > RECEIVERS_KEPT) this.#receivers.shift()?.receiver.close();
    return entry.receiver;
  }

  /** Forgets all keys of both directions. */
  closeKeys(): void {
    for (const { receiver } of this.#receivers.splice(0)) receiver.close();
    for (const { sender } of this.keys.values()) sender?.close();
    this.keys.clear();
    for (const component of this.components) component.receiver = component.sender = undefined;
    this.receivedSuite = this.sentSuite = undefined;
  }
}

/** An offer that waits for its answer: only then does it change what the packets do. */
export interface PendingOffer {
  readonly lines: readonly RemoteLine[];
  /** How the receiver of the answer wants things; the flags of the offer, without its SDP. */
  readonly request: NgRequest;
}

/** One side of a call: a SIP user agent, known by its tag. */
export class Leg {
  /** Unknown until the side has answered. */
  tag: string | undefined;
  /** Tags that have answered at these ports before (forks). */
  readonly earlierTags: Set<string> = new Set();
  readonly viaBranch: string | undefined;
  /** Place of the zone in the settings. */
  readonly zone: number;
  readonly address: ZoneAddress;
  readonly createdUnixMs: number;
  readonly lines: Line[] = [];
  /** Whom it talks to now. */
  peer: Leg | undefined;
  pending: PendingOffer | undefined;
  /** Whom {@link pending} went to. */
  offeredTo: Leg | undefined;
  /** What it says goes nowhere, or is made silence. */
  isBlocked = false;
  isSilenced = false;
  /** Written in place of the zone's address. */
  mediaAddress: string | undefined;
  /** The last SDP given to this side, and the version in its o= line. */
  #sdpText = '';
  #sdpVersion = 0;

  constructor(
    tag: string | undefined,
    place: {
      readonly viaBranch: string | undefined;
      readonly zone: number;
      readonly address: ZoneAddress;
      readonly createdUnixMs: number;
    },
  ) {
    this.tag = tag;
    this.viaBranch = place.viaBranch;
    this.zone = place.zone;
    this.address = place.address;
    this.createdUnixMs = place.createdUnixMs;
  }

  hasTag(tag: string): boolean {
    return this.tag === tag || this.earlierTags.has(tag);
  }

  /** Takes note of the tag of an answer. */
  answeredAs(tag: string): void {
    if (this.tag !== undefined && this.tag !== tag) this.earlierTags.add(this.tag);
    this.tag = tag;
    this.earlierTags.delete(tag);
    const [oldest] = this.earlierTags;
    if (oldest !== undefined && this.earlierTags.size > EARLIER_TAGS_MAX) this.earlierTags.delete(oldest);
  }

  line(index: number): Line {
    let line = this.lines[index];
    while (line === undefined) {
      this.lines.push(new Line());
      line = this.lines[index];
    }
    return line;
  }

  get components(): Component[] {
    return this.lines.flatMap(({ components }) => components);
  }

  /** What it sends reaches nobody any more. */
  forwardNowhere(): void {
    for (const component of this.components) component.forwardsTo = component.forwardsRtcpTo = undefined;
  }

  applyMuting(): void {
    for (const { components, remote } of this.lines) {
      for (const component of components) {
        component.isBlocked = this.isBlocked;
        component.silence = this.isSilenced ? remote?.silence : undefined;
      }
    }
  }

  /** Gives an SDP for this side a version of ours in its o= line: one more whenever anything else differs (RFC 3264 §8). */
  versionSdp(document: SdpDocument): void {
    if (this.#sdpVersion === 0) this.#sdpVersion = Math.floor(this.createdUnixMs / 1000);
    document.setOrigin({ sessionVersion: String(this.#sdpVersion) });
    if (this.#sdpText !== '' && this.#sdpText !== document.toString()) {
      document.setOrigin({ sessionVersion: String(++this.#sdpVersion) });
    }
    this.#sdpText = document.toString();
  }
}

export class Call {
  readonly id: string;
  readonly callId: string;
  readonly createdUnixMs: number;
  readonly legs: Leg[] = [];
  /** Monotonic. */
  readonly createdMs: number;
  lastSignalMs: number;
  lastSignalUnixMs: number;
  /** Monotonic; undefined: not to be deleted. */
  deleteAtMs: number | undefined;
  isAnswered = false;
  /** Both zones relay: packets pass untouched. */
  isRelayed = false;

  /** What both sides signalled of the path. */
  readonly path: PathTracker;
  /** A line was offered with its candidates and keys passing through. */
  hasPassedThrough = false;

  constructor(id: string, callId: string, own: OwnAddresses, nowMs: number, unixMs: number) {
    this.path = new PathTracker(own);
    this.id = id;
    this.callId = callId;
    this.createdMs = this.lastSignalMs = nowMs;
    this.createdUnixMs = this.lastSignalUnixMs = unixMs;
  }

  /** The caller is who made the first offer. */
  sideOf(leg: Leg): Side {
    return this.legs[0] === leg ? 'caller' : 'callee';
  }

  legOf(tag: string | undefined): Leg | undefined {
    if (tag === undefined) return undefined;
    return this.legs.find((leg) => leg.tag === tag) ?? this.legs.find((leg) => leg.hasTag(tag));
  }

  get components(): Component[] {
    return this.legs.flatMap(({ components }) => components);
  }

  /** Monotonic ms of the newest packet; -1 if there has been none. */
  get lastPacketMs(): number {
    return this.components.reduce((last, { lastPacketMs }) => Math.max(last, lastPacketMs), -1);
  }
}
