/** The calls of a core: by call-id, how their legs are found, and how they end. */
import { count } from '../wire/counters.ts';
import type { DatagramIo } from '../wire/datagram-io.ts';
import type { AddressFamily } from '../wire/sdp-fields.ts';
import { Call, Leg } from './call.ts';
import { B2BUA, ZONE, ZONE_COUNTERS } from './counters.ts';
import { endedCall } from './ended-call.ts';
import type { B2buaEvents } from './events.ts';
import { type CallReport, type Observer, reportCall } from './inspect.ts';
import type { MediaPorts } from './media-ports.ts';
import { KnownAddresses } from './own-addresses.ts';
import type { Reception } from './reception.ts';
import { isHeld } from './remote-line.ts';
import type { B2buaSettings, CallEnd } from './settings.ts';
import type { B2buaSharedState } from './shared-state.ts';

const ENDED: Readonly<Record<CallEnd, number>> = {
  deleted: B2BUA.callsDeleted,
  'media timeout': B2BUA.callsMediaTimeout,
  'offer timeout': B2BUA.callsOfferTimeout,
  closed: B2BUA.callsClosed,
};

export interface CallsParts {
  readonly io: DatagramIo;
  readonly settings: B2buaSettings;
  readonly shared: B2buaSharedState;
  readonly ports: MediaPorts;
  readonly reception: Reception;
  readonly counters: Float64Array;
  /** `ZONE_COUNTERS` places a zone. */
  readonly zoneCounters: Float64Array;
  readonly events: B2buaEvents;
  readonly unixMs: () => number;
  /** What call ids begin with, so that they are unique on the node. */
  readonly idPrefix: string;
}

export class Calls {
  readonly #parts: CallsParts;
  /** What paths of calls may lead through. */
  readonly own: KnownAddresses;
  readonly #byCallId = new Map<string, Call>();
  #created = 0;
  nowMs = 0;

  constructor(parts: CallsParts) {
    this.#parts = parts;
    this.own = new KnownAddresses(parts.settings);
  }

  get size(): number {
    return this.#byCallId.size;
  }

  get(callId: string): Call | undefined {
    return this.#byCallId.get(callId);
  }

  [Symbol.iterator](): IterableIterator<Call> {
    return this.#byCallId.values();
  }

  /** Undefined if the node has as many calls as it may. */
  create(callId: string): Call | undefined {
    const { shared, counters, unixMs, idPrefix } = this.#parts;
    if (!shared.admitCall()) return undefined;
    const call = new Call(`${idPrefix}${++this.#created}`, callId, this.own, this.nowMs, unixMs());
    this.#byCallId.set(callId, call);
    count(counters, B2BUA.callsCreated);
    count(counters, B2BUA.calls);
    return call;
  }

  /** Takes a call back that did not come about: nothing is reported. */
  abandon(call: Call): void {
    this.#remove(call);
    count(this.#parts.counters, B2BUA.callsCreated, -1);
  }

  end(call: Call, reason: CallEnd): void {
    const ended = endedCall(call, reason, this.#observer());
    this.#remove(call);
    count(this.#parts.counters, ENDED[reason]);
    this.#parts.events.callEnded(ended);
  }

  /** `wanted`: the family of its address, where the zone has it. */
  addLeg(
    call: Call,
    tag: string | undefined,
    zone: number,
    wanted: AddressFamily | undefined,
    viaBranch: string | undefined,
  ): Leg {
    const { addresses } = this.#parts.settings.zones[zone] ?? { addresses: [] };
    const address = addresses.find(({ family }) => family === wanted) ?? addresses[0];
    if (!address) throw new RangeError(`zone ${zone} has no address`);
    const leg = new Leg(tag, { viaBranch, zone, address, createdUnixMs: this.#parts.unixMs() });
    call.legs.push(leg);
    this.#countLeg(leg, 1);
    return leg;
  }

  /** Closes a leg; whoever talked to it talks to nobody. */
  removeLeg(call: Call, leg: Leg): void {
    for (const line of leg.lines) {
      for (const component of line.components) this.#parts.ports.close(component);
      line.closeKeys();
    }
    call.legs.splice(call.legs.indexOf(leg), 1);
    this.#countLeg(leg, -1);
    for (const other of call.legs) {
      if (other.peer !== leg) continue;
      other.peer = undefined;
      other.forwardNowhere();
    }
  }

  report(call: Call): CallReport {
    return reportCall(call, this.#observer());
  }

  /** Ends the calls whose time is over. */
  expire(nowMs: number): void {
    for (const call of this.#byCallId.values()) {
      if (call.deleteAtMs !== undefined) {
        if (call.deleteAtMs <= nowMs) this.end(call, 'deleted');
      } else if (!call.isAnswered) {
        const { offerTimeoutSeconds } = this.#parts.settings;
        if (nowMs - call.lastSignalMs > offerTimeoutSeconds * 1000) this.end(call, 'offer timeout');
      } else {
        const heardMs = Math.max(call.lastPacketMs, call.lastSignalMs);
        if (nowMs - heardMs > this.#silenceSecondsMax(call) * 1000) this.end(call, 'media timeout');
      }
    }
  }

  #silenceSecondsMax(call: Call): number {
    const { holdTimeoutSeconds, mediaTimeoutSeconds, offerTimeoutSeconds, directTimeoutSeconds } =
      this.#parts.settings;
    const lines = call.legs.flatMap(({ lines }) => lines);
    // Media that has found a better path is not missed here, nor where it passes another node's stand-in.
    const isElsewhere = lines.some(({ mode, remote }) => mode !== 'terminated' && remote?.ice !== undefined);
    if (isElsewhere) return Math.max(directTimeoutSeconds, mediaTimeoutSeconds);
    // Lines that are no RTP (BFCP) cannot be put on hold, and are silent for as long as nobody uses them.
    const media = lines.flatMap(({ remote }) => (remote?.kind === 'rtp' ? [remote] : []));
    if (media.length > 0 && media.every(isHeld)) return Math.max(holdTimeoutSeconds, mediaTimeoutSeconds);
    // An answer may be early (183), and then the callee still rings.
    return call.lastPacketMs < 0 ? Math.max(offerTimeoutSeconds, mediaTimeoutSeconds) : mediaTimeoutSeconds;
  }

  #remove(call: Call): void {
    for (const leg of [...call.legs]) this.removeLeg(call, leg);
    this.#byCallId.delete(call.callId);
    this.#parts.shared.releaseCall();
    count(this.#parts.counters, B2BUA.calls, -1);
  }

  #countLeg({ zone }: Leg, change: number): void {
    count(this.#parts.zoneCounters, zone * ZONE_COUNTERS + ZONE.legs, change);
  }

  #observer(): Observer {
    const { settings, io, reception, unixMs } = this.#parts;
    return { settings, endpoints: io.endpoints, reception, nowMs: this.nowMs, unixMs: unixMs() };
  }
}
