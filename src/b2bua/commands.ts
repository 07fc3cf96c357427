/** The commands of the `ng` protocol (but for those that concern a whole node), answered from the calls of one core. */
import { count } from '../wire/counters.ts';
import { SdpDocument } from '../wire/sdp.ts';
import type { Call, Leg } from './call.ts';
import type { Calls } from './calls.ts';
import { B2BUA } from './counters.ts';
import type { Refusal } from './encryption-policy.ts';
import { queryDictionary } from './inspect.ts';
import { type NgDictionary, type NgRequest, parseNgRequest } from './ng-request.ts';
import type { OfferAnswer } from './offer-answer.ts';
import type { B2buaEvents, B2buaSettings } from './settings.ts';

/** The text that makes proxies try another engine; to the letter. */
const TOO_MANY_CALLS = 'Parallel session limit reached';
const UNKNOWN_CALL = 'Unknown call-id';
const LIST_CALLS_DEFAULT = 32;

export interface CommandsParts {
  readonly settings: B2buaSettings;
  readonly calls: Calls;
  readonly offerAnswer: OfferAnswer;
  readonly counters: Float64Array;
  readonly events: B2buaEvents;
  readonly unixMs: () => number;
}

/** Where a command goes wrong, with the text for `error-reason`. */
class Refused {
  readonly reason: string;
  readonly isLoad: boolean;

  constructor(reason: string, isLoad = false) {
    this.reason = reason;
    this.isLoad = isLoad;
  }
}

export class Commands {
  readonly #parts: CommandsParts;
  #nowMs = 0;

  constructor(parts: CommandsParts) {
    this.#parts = parts;
  }

  execute(dictionary: NgDictionary, nowMs: number): NgDictionary {
    const request = parseNgRequest(dictionary);
    const { counters, events, calls } = this.#parts;
    this.#nowMs = calls.nowMs = nowMs;
    for (const text of request.unknown) events.unknownFlag(text);
    const outcome = this.#dispatch(request);
    if (!(outcome instanceof Refused)) return outcome;
    count(counters, B2BUA.ngErrors);
    if (!outcome.isLoad || !request.supports.has('load limit')) {
      return { result: 'error', 'error-reason': outcome.reason };
    }
    return { result: 'load limit', message: outcome.reason, 'error-reason': outcome.reason };
  }

  #dispatch(request: NgRequest): NgDictionary | Refused {
    const { counters } = this.#parts;
    switch (request.command) {
      case 'offer':
        count(counters, B2BUA.ngOffers);
        return this.#offer(request);
      case 'answer':
        count(counters, B2BUA.ngAnswers);
        return this.#answer(request);
      case 'delete':
        count(counters, B2BUA.ngDeletes);
        return this.#delete(request);
    }
    count(counters, B2BUA.ngOtherCommands);
    switch (request.command) {
      case 'query':
        return this.#query(request);
      case 'list':
        return this.#list(request);
      case 'block media':
      case 'unblock media':
        return this.#mute(request, (leg) => {
          leg.isBlocked = request.command === 'block media';
        });
      case 'silence media':
      case 'unsilence media':
        return this.#mute(request, (leg) => {
          leg.isSilenced = request.command === 'silence media';
        });
      default:
        return new Refused('Unrecognized command');
    }
  }

  #offer(request: NgRequest): NgDictionary | Refused {
    const { calls, offerAnswer } = this.#parts;
    const { callId, fromTag } = request;
    if (callId === undefined) return new Refused('No call-id in message');
    if (fromTag === undefined) return new Refused('No from-tag in message');
    const document = readSdp(request);
    if (document instanceof Refused) return document;
    const zones = this.#zones(request);
    if (zones instanceof Refused) return zones;
    const known = calls.get(callId);
    const call = known ?? calls.create(callId);
    if (!call) return new Refused(TOO_MANY_CALLS, true);
    const legsBefore = new Set(call.legs);
    const offerer = call.legOf(fromTag) ?? calls.addLeg(call, fromTag, zones[0], withoutFamily(request));
    const answerer =
      this.#answererOfOffer(call, offerer, request) ?? calls.addLeg(call, undefined, zones[1], request);
    answerer.mediaAddress = request.mediaAddress ?? answerer.mediaAddress;
    const refusal = offerAnswer.offer(call, offerer, answerer, document, request);
    if (refusal) {
      for (const leg of [...call.legs]) if (!legsBefore.has(leg)) calls.removeLeg(call, leg);
      if (!known) calls.abandon(call);
      return refused(refusal);
    }
    offerer.offeredTo = answerer;
    this.#signalled(call);
    return this.#sdpReply(answerer, document, request);
  }

  /** The leg that a further offer of a call goes to; undefined: a new one. */
  #answererOfOffer(call: Call, offerer: Leg, request: NgRequest): Leg | undefined {
    const others = call.legs.filter((leg) => leg !== offerer);
    const { toTag, viaBranch } = request;
    const byTag = toTag === undefined ? undefined : others.find((leg) => leg.hasTag(toTag));
    if (byTag) return byTag;
    if (viaBranch !== undefined) return others.find((leg) => leg.viaBranch === viaBranch);
    const before = offerer.offeredTo ?? offerer.peer;
    if (before === undefined || !others.includes(before)) return undefined;
    // Without a to-tag it is a new branch, which may lead elsewhere.
    const zones = this.#zones(request);
    const isElsewhere =
      !(zones instanceof Refused) && request.direction.length > 0 && zones[1] !== before.zone;
    if (toTag !== undefined || !isElsewhere) return before;
    return undefined;
  }

  #answer(request: NgRequest): NgDictionary | Refused {
    const { calls, offerAnswer } = this.#parts;
    const { callId, fromTag, toTag } = request;
    if (callId === undefined) return new Refused('No call-id in message');
    if (fromTag === undefined) return new Refused('No from-tag in message');
    if (toTag === undefined) return new Refused('No to-tag in message');
    const call = calls.get(callId);
    if (!call) return new Refused(UNKNOWN_CALL);
    const document = readSdp(request);
    if (document instanceof Refused) return document;
    const offerer = call.legOf(fromTag);
    if (!offerer?.pending) return new Refused('No offer to answer');
    const answerer = answererOfAnswer(call, offerer, request, toTag);
    if (!answerer) return new Refused('No offer to answer');
    offerer.mediaAddress = request.mediaAddress ?? offerer.mediaAddress;
    const refusal = offerAnswer.answer(call, offerer, answerer, document, request, this.#nowMs);
    if (refusal) return refused(refusal);
    if (answerer.tag !== undefined && answerer.tag !== toTag) answerer.earlierTags.add(answerer.tag);
    answerer.tag = toTag;
    answerer.earlierTags.delete(toTag);
    call.isAnswered = true;
    this.#signalled(call);
    return this.#sdpReply(offerer, document, request);
  }

  /** A delete names either side, both, a branch, or none: then all of the call. */
  #delete(request: NgRequest): NgDictionary | Refused {
    const { calls } = this.#parts;
    const call = request.callId === undefined ? undefined : calls.get(request.callId);
    const tags = [request.fromTag, request.toTag].filter((tag) => tag !== undefined);
    const matches = tags.length === 0 || tags.some((tag) => call?.legOf(tag) !== undefined);
    if (!call || !matches) {
      if (request.flags.has('fatal')) return new Refused(UNKNOWN_CALL);
      return { result: 'ok', warning: 'Call-ID not found or tags did not match' };
    }
    const branch = branchToDelete(call, request);
    if (branch) {
      const report = queryDictionary(calls.report(call));
      calls.removeLeg(call, branch);
      return { result: 'ok', ...report };
    }
    const delaySeconds = request.deleteDelaySeconds ?? 0;
    if (delaySeconds > 0) {
      call.deleteAtMs = this.#nowMs + delaySeconds * 1000;
      return { result: 'ok', ...queryDictionary(calls.report(call)) };
    }
    return { result: 'ok', ...queryDictionary(calls.end(call, 'deleted')) };
  }

  #query(request: NgRequest): NgDictionary | Refused {
    const call = this.#callOf(request);
    if (!call) return new Refused(UNKNOWN_CALL);
    return { result: 'ok', ...queryDictionary(this.#parts.calls.report(call)) };
  }

  #list(request: NgRequest): NgDictionary {
    const limit = request.limit ?? LIST_CALLS_DEFAULT;
    const callIds: string[] = [];
    for (const { callId } of this.#parts.calls) {
      if (callIds.length >= limit) break;
      callIds.push(callId);
    }
    return { result: 'ok', calls: callIds };
  }

  /** Blocks or silences what one side says, or both where no tag is given. */
  #mute(request: NgRequest, change: (leg: Leg) => void): NgDictionary | Refused {
    const call = this.#callOf(request);
    if (!call) return new Refused(UNKNOWN_CALL);
    const { fromTag } = request;
    const isAll = fromTag === undefined || request.flags.has('all');
    const legs = isAll ? call.legs : call.legs.filter((leg) => leg.hasTag(fromTag));
    if (legs.length === 0) return new Refused('Unknown from-tag');
    for (const leg of legs) {
      change(leg);
      leg.applyMuting();
    }
    return { result: 'ok' };
  }

  #callOf(request: NgRequest): Call | undefined {
    return request.callId === undefined ? undefined : this.#parts.calls.get(request.callId);
  }

  /** Places of the zones that the SDP comes from and goes to. */
  #zones({ direction, addressFamily }: NgRequest): readonly [number, number] | Refused {
    const { zones, anyDirection } = this.#parts.settings;
    const places: number[] = [];
    for (const name of direction.length === 0 ? [undefined, undefined] : direction) {
      const place =
        name === undefined ? 0 : zones.findIndex((zone) => zone.name === name || String(zone.id) === name);
      if (place < 0 && !anyDirection) return new Refused(`Unknown zone in direction: ${name}`);
      places.push(Math.max(0, place));
    }
    const [from = 0, to = 0] = places;
    const addresses = zones[to]?.addresses ?? [];
    if (addressFamily !== undefined && !addresses.some(({ family }) => family === addressFamily)) {
      return new Refused(`Zone ${zones[to]?.name} has no ${addressFamily} address`);
    }
    return [from, to];
  }

  #signalled(call: Call): void {
    call.lastSignalMs = this.#nowMs;
    call.lastSignalUnixMs = this.#parts.unixMs();
    call.deleteAtMs = undefined;
  }

  #sdpReply(receiver: Leg, document: SdpDocument, request: NgRequest): NgDictionary {
    if (request.replace.has('sdp-version')) receiver.versionSdp(document);
    return { result: 'ok', sdp: document.toString() };
  }
}

function readSdp({ sdp }: NgRequest): SdpDocument | Refused {
  if (sdp === undefined || sdp === '') return new Refused('No SDP body in message');
  return SdpDocument.parse(sdp) ?? new Refused('Failed to parse SDP');
}

/** `address-family` is about the receiver of the SDP. */
function withoutFamily(request: NgRequest): NgRequest {
  return { ...request, addressFamily: undefined, viaBranch: undefined };
}

function answererOfAnswer(call: Call, offerer: Leg, request: NgRequest, toTag: string): Leg | undefined {
  const others = call.legs.filter((leg) => leg !== offerer);
  const { viaBranch } = request;
  return (
    others.find((leg) => leg.tag === toTag) ??
    (viaBranch === undefined ? undefined : others.find((leg) => leg.viaBranch === viaBranch)) ??
    others.find((leg) => leg === offerer.offeredTo)
  );
}

/** The fork that a delete is about while the call goes on without it. */
function branchToDelete(call: Call, { viaBranch, toTag }: NgRequest): Leg | undefined {
  if (call.legs.length <= 2) return undefined;
  if (viaBranch !== undefined) return call.legs.find((leg) => leg.viaBranch === viaBranch);
  const leg = call.legOf(toTag);
  const isActive = leg?.peer?.peer === leg;
  return leg && !isActive ? leg : undefined;
}

function refused({ refusal }: Refusal): Refused {
  return new Refused(refusal);
}
