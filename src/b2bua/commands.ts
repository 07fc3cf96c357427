/** The commands of the `ng` protocol (but for those that concern a whole node), answered from the calls of one core. */
import { count } from '../wire/counters.ts';
import { SdpDocument } from '../wire/sdp.ts';
import type { AddressFamily } from '../wire/sdp-fields.ts';
import type { Call, Leg } from './call.ts';
import type { Calls } from './calls.ts';
import { B2BUA } from './counters.ts';
import type { B2buaEvents } from './events.ts';
import { queryDictionary } from './inspect.ts';
import type { NgDictionary, NgRequest } from './ng-request.ts';
import type { OfferAnswer } from './offer-answer.ts';
import { parseNgRequest } from './parse-ng-request.ts';
import type { B2buaSettings } from './settings.ts';

/** The text that makes proxies try another engine; to the letter. */
const TOO_MANY_CALLS = 'Parallel session limit reached';
const UNKNOWN_CALL = 'Unknown call-id';
const NO_CALL_ID = 'No call-id in message';
const NO_FROM_TAG = 'No from-tag in message';
const TALKS_TO_ITSELF = 'Invalid dialogue association';
const NOT_DELETED = "Call-ID not found or tags didn't match";
/** Of an error, printable ASCII alone: it may quote what others wrote, and ends in logs. */
const REASON_CHARACTERS_MAX = 200;
const LIST_CALLS_DEFAULT = 32;
/** Of a call-id, tag or branch: SIP's own are below 256. */
const NAME_CHARACTERS_MAX = 1024;
/** Legs of a call: it forks to no more at once. */
const LEGS_MAX = 32;
const DELETE_DELAY_SECONDS_MAX = 3600;

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
    const outcome = nameRefusal(request) ?? this.#dispatch(request);
    if (!(outcome instanceof Refused)) return outcome;
    count(counters, B2BUA.ngErrors);
    const reason = outcome.reason.slice(0, REASON_CHARACTERS_MAX).replace(/[^ -~]/g, '?');
    if (!outcome.isLoad || !request.supports.has('load limit')) {
      return { result: 'error', 'error-reason': reason };
    }
    return { result: 'load limit', message: reason, 'error-reason': reason };
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
    const { calls } = this.#parts;
    const { callId, fromTag, toTag } = request;
    if (callId === undefined) return new Refused(NO_CALL_ID);
    if (fromTag === undefined) return new Refused(NO_FROM_TAG);
    if (fromTag === toTag) return new Refused(TALKS_TO_ITSELF);
    const document = readSdp(request);
    if (document instanceof Refused) return document;
    const zones = this.#zones(request);
    if (zones instanceof Refused) return zones;
    const known = calls.get(callId);
    const call = known ?? calls.create(callId);
    if (!call) return new Refused(TOO_MANY_CALLS, true);
    const legsBefore = new Set(call.legs);
    const refusal = this.#offerIn(call, fromTag, zones, document, request);
    if (!(refusal instanceof Refused)) return refusal;
    for (const leg of [...call.legs]) if (!legsBefore.has(leg)) calls.removeLeg(call, leg);
    if (!known) calls.abandon(call);
    return refusal;
  }

  /** An offer in a call that is there; a refusal may leave new legs behind. */
  #offerIn(
    call: Call,
    fromTag: string,
    zones: readonly [number, number],
    document: SdpDocument,
    request: NgRequest,
  ): NgDictionary | Refused {
    const { calls, offerAnswer } = this.#parts;
    const offererFamily = familyOf(document, request);
    const offerer = call.legOf(fromTag) ?? calls.addLeg(call, fromTag, zones[0], offererFamily, undefined);
    let answerer = answererOfOffer(call, offerer, zones[1], request);
    if (!answerer) {
      if (call.legs.length >= LEGS_MAX) return new Refused(`The call has ${call.legs.length} legs already`);
      const family = this.#familyInto(zones[1], offererFamily, request);
      if (family instanceof Refused) return family;
      answerer = calls.addLeg(call, request.toTag, zones[1], family, request.viaBranch);
    }
    const refusal = offerAnswer.offer({ call, offerer, answerer, document, request, nowMs: this.#nowMs });
    if (refusal) return new Refused(refusal.refusal);
    this.#signalled(call);
    return this.#sdpReply(answerer, document, request);
  }

  #answer(request: NgRequest): NgDictionary | Refused {
    const { calls, offerAnswer } = this.#parts;
    const { callId, fromTag, toTag } = request;
    if (callId === undefined) return new Refused(NO_CALL_ID);
    if (fromTag === undefined) return new Refused(NO_FROM_TAG);
    if (toTag === undefined) return new Refused('No to-tag in message');
    if (fromTag === toTag) return new Refused(TALKS_TO_ITSELF);
    const document = readSdp(request);
    if (document instanceof Refused) return document;
    const call = calls.get(callId);
    if (!call) return new Refused(UNKNOWN_CALL);
    const offerer = call.legOf(fromTag);
    if (!offerer?.pending) return new Refused('No offer to answer');
    const answerer = answererOfAnswer(call, offerer, request, toTag);
    if (!answerer) return new Refused('No offer to answer');
    const refusal = offerAnswer.answer({ call, offerer, answerer, document, request, nowMs: this.#nowMs });
    if (refusal) return new Refused(refusal.refusal);
    answerer.answeredAs(toTag);
    call.isAnswered = true;
    this.#signalled(call);
    return this.#sdpReply(offerer, document, request);
  }

  /** A delete names either side, both, a branch, or none: then all of the call. */
  #delete(request: NgRequest): NgDictionary | Refused {
    const { calls } = this.#parts;
    if (request.callId === undefined) return new Refused(NO_CALL_ID);
    const call = calls.get(request.callId);
    const tags = [request.fromTag, request.toTag].filter((tag) => tag !== undefined);
    const matches = tags.length === 0 || tags.some((tag) => call?.legOf(tag) !== undefined);
    if (!call || !matches) {
      if (request.flags.has('fatal')) return new Refused(NOT_DELETED);
      return { result: 'ok', warning: NOT_DELETED };
    }
    const report = { result: 'ok', ...queryDictionary(calls.report(call)) };
    const branch = branchToDelete(call, request);
    const delaySeconds = Math.min(request.deleteDelaySeconds ?? 0, DELETE_DELAY_SECONDS_MAX);
    if (branch) calls.removeLeg(call, branch);
    else if (delaySeconds > 0) {
      call.deleteAtMs = Math.min(call.deleteAtMs ?? Infinity, this.#nowMs + delaySeconds * 1000);
    } else calls.end(call, 'deleted');
    return report;
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
  #zones({ direction }: NgRequest): readonly [number, number] | Refused {
    const { zones, anyDirection } = this.#parts.settings;
    const places: number[] = [];
    for (const wanted of direction) {
      const place = zones.findIndex(({ name, id }) => name === wanted || String(id) === wanted);
      if (place < 0 && !anyDirection) return new Refused(`Unknown zone in direction: ${wanted}`);
      places.push(Math.max(0, place));
    }
    const [from = 0, to = 0] = places;
    return [from, to];
  }

  /** Which address a new leg in the zone gets: of the family asked for, else of the other side's if there is one. */
  #familyInto(
    place: number,
    otherSide: AddressFamily | undefined,
    { addressFamily }: NgRequest,
  ): AddressFamily | undefined | Refused {
    const zone = this.#parts.settings.zones[place];
    if (addressFamily !== undefined && !zone?.addresses.some(({ family }) => family === addressFamily)) {
      return new Refused(`Zone ${zone?.name} has no ${addressFamily} address`);
    }
    return addressFamily ?? otherSide;
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

function nameRefusal({ callId, fromTag, toTag, viaBranch }: NgRequest): Refused | undefined {
  const isTooLong = (name = ''): boolean => name.length > NAME_CHARACTERS_MAX;
  return [callId, fromTag, toTag, viaBranch].some(isTooLong)
    ? new Refused(`call-id, tags and via-branch have at most ${NAME_CHARACTERS_MAX} characters`)
    : undefined;
}

/** The family by which the sender of an SDP is reached; undefined if it has no line that tells. */
function familyOf(document: SdpDocument, request: NgRequest): AddressFamily | undefined {
  if (request.flags.has('SIP-source-address') && request.receivedFrom !== undefined) {
    return request.receivedFrom.includes(':') ? 'IP6' : 'IP4';
  }
  for (const line of document.media) {
    const connection = line.port === 0 ? undefined : line.connection();
    if (connection) return connection.family;
  }
  return undefined;
}

/** The leg that a further offer of a call goes to; undefined: a new one. */
function answererOfOffer(call: Call, offerer: Leg, zone: number, request: NgRequest): Leg | undefined {
  const others = call.legs.filter((leg) => leg !== offerer);
  const { toTag, viaBranch, direction } = request;
  const byTag = toTag === undefined ? undefined : others.find((leg) => leg.hasTag(toTag));
  if (byTag) return byTag;
  if (viaBranch !== undefined) return others.find((leg) => leg.viaBranch === viaBranch);
  const before = others.find((leg) => leg === (offerer.offeredTo ?? offerer.peer));
  // Without a to-tag it is a new branch, which may lead elsewhere.
  const isElsewhere = toTag === undefined && direction.length > 0 && before?.zone !== zone;
  if (!isElsewhere) return before;
  return others.find((leg) => leg.zone === zone && leg.tag === undefined && leg.viaBranch === undefined);
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
function branchToDelete(call: Call, { viaBranch, fromTag, toTag }: NgRequest): Leg | undefined {
  if (call.legs.length <= 2) return undefined;
  const branch = viaBranch === undefined ? undefined : call.legs.find((leg) => leg.viaBranch === viaBranch);
  return branch ?? [toTag, fromTag].map((tag) => call.legOf(tag)).find(isSuperseded);
}

/** Whether the leg has answered, and another one talks to its peer now. */
function isSuperseded(leg: Leg | undefined): boolean {
  return leg?.peer !== undefined && leg.peer.peer !== leg;
}
