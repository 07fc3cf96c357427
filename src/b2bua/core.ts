/**
 * `b2bua` is the media side of a B2BUA as a pure core: calls set up over the `ng` protocol, whose media it
 * anchors, decrypts and encrypts, each leg with keys of its own. No socket, clock or random source lives
 * here; `DatagramIo`, `MediaCrypto` and `B2buaCrypto` bring them in.
 *
 *     core            what there is, expiry
 *     commands        ng: offer, answer, delete, query, …
 *     offer-answer    what each side is offered and answered; encryption-policy, sdp-rewrite
 *     agreement       from offer and answer to what packets need
 *     media-path      per packet: leg → leg; component, srtp, reception
 *     calls, call     what both work on; media-ports opens and closes its ports
 */
import { IceLiteResponder } from '../ice/lite-agent.ts';
import { count } from '../wire/counters.ts';
import type { DatagramIo, DatagramReceiver } from '../wire/datagram-io.ts';
import { EndpointTable } from '../wire/endpoint-table.ts';
import type { MediaCrypto } from '../wire/media-crypto.ts';
import { Agreement } from './agreement.ts';
import { Calls } from './calls.ts';
import { Commands } from './commands.ts';
import { SHOWN_MAX } from './component.ts';
import { B2BUA } from './counters.ts';
import type { B2buaEvents } from './events.ts';
import type { CallReport } from './inspect.ts';
import { MediaPath } from './media-path.ts';
import { MediaPorts, type MultiplexedSockets } from './media-ports.ts';
import type { NgDictionary } from './ng-request.ts';
import { OfferAnswer } from './offer-answer.ts';
import { Reception } from './reception.ts';
import type { B2buaCrypto, B2buaSettings } from './settings.ts';
import type { B2buaSharedState } from './shared-state.ts';

/** What a core is made of; see each type for what is asked of it. */
export interface B2buaParts {
  readonly io: DatagramIo;
  readonly settings: B2buaSettings;
  readonly shared: B2buaSharedState;
  readonly crypto: B2buaCrypto;
  readonly mediaCrypto: MediaCrypto;
  readonly events: B2buaEvents;
  /** One place a name of `B2BUA_COUNTER_NAMES`. */
  readonly counters: Float64Array;
  /** `ZONE_COUNTERS` places a zone of the settings. */
  readonly zoneCounters: Float64Array;
  readonly unixMs: () => number;
  /** Secret seed of the hash tables, 32 bits. */
  readonly hashSeed: number;
  /** What call ids begin with, so that they are unique on the node. */
  readonly idPrefix: string;
}

export class B2buaCore implements DatagramReceiver {
  readonly calls: Calls;
  readonly #parts: B2buaParts;
  readonly #path: MediaPath;
  readonly #ports: MediaPorts;
  readonly #commands: Commands;

  constructor(parts: B2buaParts) {
    const { io, settings, counters, crypto, mediaCrypto, events, unixMs, zoneCounters } = parts;
    const componentsMax = B2buaCore.componentsMax(settings);
    const reception = new Reception(componentsMax);
    const ice = new IceLiteResponder(io, crypto.hmac);
    const shared = new EndpointTable(io.endpoints, 'compared', parts.hashSeed);
    const path = new MediaPath({ io, counters, zoneCounters, reception, ice, shared });
    const { portClaims } = parts.shared;
    const ports = new MediaPorts({
      ...{ io, receiver: this, path, reception, portClaims, shared, crypto, counters, componentsMax },
    });
    const agreement = new Agreement({ io, mediaCrypto, crypto, settings, ports });
    const offerAnswer = new OfferAnswer({ settings, ports, crypto, agreement, endpoints: io.endpoints });
    this.#parts = parts;
    this.#path = path;
    this.#ports = ports;
    this.calls = new Calls({ ...parts, ports, reception });
    this.#commands = new Commands({ settings, calls: this.calls, offerAnswer, counters, events, unixMs });
  }

  /** Components there can be at once. */
  static componentsMax({ mediaPorts, mediaAddresses, zones, limits }: B2buaSettings): number {
    const ports = (mediaPorts[1] - mediaPorts[0] + 1) * mediaAddresses.length;
    const isShared = zones.some(({ multiplexedPorts }) => multiplexedPorts !== undefined);
    const ofCalls = limits.calls * limits.portsPerCall;
    return isShared ? ofCalls : Math.min(ports, ofCalls);
  }

  /**
   * Rows of the endpoint book that the core may acquire: the three of each component, with one to spare, and where
   * else a side may be that does ICE with the other.
   */
  static endpointRows(settings: B2buaSettings): number {
    const passes = settings.zones.some(({ icePassthrough }) => icePassthrough);
    return (passes ? 4 + SHOWN_MAX : 4) * B2buaCore.componentsMax(settings) + 16;
  }

  /** The tag under which an engine must deliver what arrives at a socket that the streams of a zone share. */
  static readonly sharedTag: number = -1;

  /** Gives the core the sockets of a zone's `multiplexedPorts`, opened as listeners under {@link sharedTag}. */
  useMultiplexed(zone: number, sockets: MultiplexedSockets): void {
    this.#ports.multiplexed.set(zone, sockets);
  }

  /** Answers a command of the `ng` protocol: anything but `ping` and `statistics`. */
  command(dictionary: NgDictionary, nowMs: number): NgDictionary {
    this.batchBegins(nowMs);
    return this.#commands.execute(dictionary, nowMs);
  }

  /** Reports at most `callsMax` calls. */
  report(callsMax: number, nowMs: number): CallReport[] {
    this.calls.nowMs = nowMs;
    const reports: CallReport[] = [];
    for (const call of this.calls) {
      if (reports.length >= callsMax) break;
      reports.push(this.calls.report(call));
    }
    return reports;
  }

  /** The call of that id (not the SIP call-id); undefined if there is none. */
  reportOne(id: string, nowMs: number): CallReport | undefined {
    this.calls.nowMs = nowMs;
    for (const call of this.calls) if (call.id === id) return this.calls.report(call);
    return undefined;
  }

  batchBegins(nowMs: number): void {
    this.#path.nowMs = nowMs;
  }

  receive(tag: number, socket: number, offset: number, length: number, source: number): void {
    this.#path.receive(tag, socket, offset, length, source);
  }

  /** A phone that is gone sends no more, and the media timeout sees that; errors are only counted. */
  receiveIcmpError(): void {
    count(this.#parts.counters, B2BUA.mediaIcmpErrors);
  }

  streamClosed(): void {}

  sweep(nowMs: number): void {
    this.batchBegins(nowMs);
    this.calls.nowMs = nowMs;
    this.calls.expire(nowMs);
  }

  /** Ends every call. */
  close(): void {
    for (const call of [...this.calls]) this.calls.end(call, 'closed');
  }
}
