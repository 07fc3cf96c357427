/**
 * Offer and answer (RFC 3264) with us between the two: each side is offered, and answered, what its zone
 * and the proxy allow, with our addresses and our keys.
 *
 * An offer opens ports and makes keys, and changes nothing for packets that flow: it may be refused, or
 * never answered. The answer puts both sides' descriptions in force at once.
 */
import { IceLiteAgent, iceCredentials } from '../ice/lite-agent.ts';
import type { EndpointBook } from '../wire/endpoint.ts';
import type { SdpDocument, SdpMedia } from '../wire/sdp.ts';
import type { Agreement } from './agreement.ts';
import { readRemoteLines } from './bundle.ts';
import type { Call, Leg, Line, LineMode, OwnKey, PendingOffer } from './call.ts';
import { CARRIES_OPAQUE, type Component } from './component.ts';
import { chooseCrypto, type Refusal } from './encryption-policy.ts';
import {
  acceptsRtcpMux,
  allowsPassthrough,
  answersIce,
  carriesOf,
  type LinePlan,
  offersIce,
  planLine,
} from './line-plan.ts';
import type { MediaPorts } from './media-ports.ts';
import type { NgRequest } from './ng-request.ts';
import {
  answeredCrypto,
  connectionOf,
  cryptoValue,
  iceLines,
  inUseFirst,
  lacksKey,
  untouchedLine,
  writtenLine,
} from './our-side.ts';
import { departureOf, isDirect, standIn, translateRemoteCandidates } from './passthrough.ts';
import { isDtls, type RemoteLine } from './remote-line.ts';
import { rewriteSdp, type WrittenLine } from './sdp-rewrite.ts';
import type { B2buaCrypto, B2buaSettings, ZoneSettings } from './settings.ts';
import type { SrtpSuite } from './srtp/suites.ts';

/** The text that makes proxies try another engine; to the letter. */
export const NO_PORTS = 'Ran out of ports';

export interface OfferAnswerParts {
  readonly settings: B2buaSettings;
  readonly ports: MediaPorts;
  readonly crypto: B2buaCrypto;
  readonly agreement: Agreement;
  readonly endpoints: EndpointBook;
}

/** An offer, or its answer, on its way. `offerer` made the offer, `answerer` answers it. */
export interface Exchange {
  readonly call: Call;
  readonly offerer: Leg;
  readonly answerer: Leg;
  /** What came, and what it is turned into. */
  readonly document: SdpDocument;
  readonly request: NgRequest;
  readonly nowMs: number;
}

export class OfferAnswer {
  readonly #settings: B2buaSettings;
  readonly #ports: MediaPorts;
  readonly #crypto: B2buaCrypto;
  readonly #agreement: Agreement;
  readonly #endpoints: EndpointBook;

  constructor(parts: OfferAnswerParts) {
    this.#settings = parts.settings;
    this.#ports = parts.ports;
    this.#crypto = parts.crypto;
    this.#agreement = parts.agreement;
    this.#endpoints = parts.endpoints;
  }

  /** Turns the offer in `document` into the one for `answerer`; a refusal leaves everything as it was. */
  offer(exchange: Exchange): Refusal | undefined {
    const { call, offerer, answerer, document, request } = exchange;
    const zones = [this.#zone(offerer), this.#zone(answerer)] as const;
    const isRelayed = zones.every(({ media }) => media === 'relay');
    const lines = this.#read(document, request, isRelayed || allowsPassthrough(zones, request));
    const plans: LinePlan[] = [];
    for (const [i, line] of lines.entries()) {
      const from = { zone: zones[0], line: offerer.lines[i] };
      const to = { zone: zones[1], line: answerer.lines[i] };
      const plan = planLine(line, i + 1, [from, to], request);
      if ('refusal' in plan) return plan;
      plans.push(plan);
    }
    if (lines.some(({ kind }) => kind !== 'refused') && plans.every(({ kind }) => kind === 'disabled')) {
      const offered = lines.map(({ media, protocol }) => `${media} ${protocol}`).join(', ');
      return { refusal: `No line of the offer can be served: ${offered}` };
    }
    if (!this.#openPorts(exchange, lines, plans)) return { refusal: NO_PORTS };
    if (!call.isAnswered) call.isRelayed = isRelayed;
    answerer.mediaAddress = request.mediaAddress ?? answerer.mediaAddress;
    offerer.offeredTo = answerer;
    offerer.pending = { lines, request: { ...request, sdp: undefined } };
    const written = plans.map((plan, i) => this.#offerLine(exchange, i, plan, lines[i] as RemoteLine));
    call.path.offered(call.sideOf(offerer), document);
    if (plans.some((plan) => modeOfPlan(plan) === 'passthrough')) call.hasPassedThrough = true;
    rewriteSdp(document, connectionOf(answerer), written, request.replace);
    return undefined;
  }

  /** Turns the answer in `document` into the one for `offerer` and puts both sides in force. */
  answer(exchange: Exchange): Refusal | undefined {
    const { call, offerer, answerer, document, request } = exchange;
    const { pending } = offerer;
    if (!pending) return { refusal: 'No offer to answer' };
    const { length } = pending.lines;
    if (document.media.length !== length) {
      return { refusal: `The answer has ${document.media.length} media lines, the offer had ${length}` };
    }
    const offers = answerer.lines.map(({ offered }) => offered);
    const lines = this.#read(
      document,
      request,
      offers.some((offered) => offered !== undefined && offered.mode !== 'terminated'),
    );
    for (const [i, line] of lines.entries()) {
      const offered = offers[i];
      if (line.kind === 'rtp' && offered?.mode === 'terminated' && lacksKey(offered, line)) {
        return { refusal: `Line ${i + 1} of the answer takes none of the SDES keys that were offered` };
      }
    }
    call.isRelayed = offers.some((offered) => offered?.mode === 'relayed');
    offerer.mediaAddress = request.mediaAddress ?? offerer.mediaAddress;
    const written = lines.map((line, i) => this.#answerLine(exchange, i, pending, line));
    // Lines that the offer left out, against RFC 3264 §8, are gone.
    for (const leg of [offerer, answerer]) {
      for (const line of leg.lines.slice(length)) this.#agreement.disable(line);
    }
    this.#agreement.connect(call, offerer, answerer);
    call.path.answered(call.sideOf(answerer), document);
    rewriteSdp(document, connectionOf(offerer), written, request.replace);
    return undefined;
  }

  #zone(leg: Leg): ZoneSettings {
    return this.#settings.zones[leg.zone] as ZoneSettings;
  }

  #read(document: SdpDocument, request: NgRequest, passesUntouched: boolean): RemoteLine[] {
    const override = request.flags.has('SIP-source-address') ? request.receivedFrom : undefined;
    return readRemoteLines(document, { override, passesUntouched });
  }

  /**
   * Gives every line that goes on its ports on both sides; false, with nothing opened, if there are not enough.
   * Ports that are there stay, even if they are to carry something else (a call turns into a fax): the answer
   * decides, and until then the line goes on as it was.
   */
  #openPorts(
    { call, offerer, answerer, request }: Exchange,
    lines: readonly RemoteLine[],
    plans: readonly LinePlan[],
  ): boolean {
    const opened: { readonly line: Line; readonly components: readonly Component[] }[] = [];
    let portsOfCall = call.components.length;
    const linesBefore = [offerer, answerer].map((leg) => ({ leg, count: leg.lines.length }));
    const giveUp = (): boolean => {
      for (const { components } of opened) for (const component of components) this.#ports.close(component);
      for (const { leg, count } of linesBefore) leg.lines.length = count;
      return false;
    };
    for (const [i, plan] of plans.entries()) {
      if (plan.kind === 'disabled') continue;
      for (const leg of [offerer, answerer]) {
        const line = leg.line(i);
        const hasRtcpMux = leg === offerer ? lines[i]?.hasRtcpMux : plan.kind === 'rtp' && plan.hasRtcpMux;
        const isRequired = leg === answerer && request.rtcpMux.has('require');
        const isMuxed = isRequired || (line.isMuxed && hasRtcpMux === true);
        const kind = plan.kind === 'untouched' ? lines[i]?.kind : plan.kind;
        const ports = kind === 'opaque' || (plan.kind === 'rtp' && isMuxed) ? 1 : 2;
        const carries = carriesOf(kind === 'opaque' ? 'opaque' : 'rtp', modeOfPlan(plan)).slice(0, ports);
        if (line.components.length >= carries.length) continue;
        portsOfCall += carries.length;
        if (portsOfCall > this.#settings.limits.portsPerCall) return giveUp();
        const components = this.#ports.open(leg.zone, leg.address, carries);
        if (!components) return giveUp();
        opened.push({ line, components });
      }
    }
    for (const { line, components } of opened) {
      for (const component of line.components) this.#ports.close(component);
      line.components = components;
    }
    return true;
  }

  #offerLine(
    { offerer, answerer, document, request }: Exchange,
    index: number,
    plan: LinePlan,
    offered: RemoteLine,
  ): WrittenLine {
    const line = answerer.line(index);
    if (plan.kind === 'disabled') {
      line.offered = undefined;
      return plan;
    }
    if (plan.kind === 'untouched') {
      const section = document.media[index] as SdpMedia;
      return this.#offerUntouched(offerer, answerer, index, plan.mode, offered, section);
    }
    const transport = plan.kind === 'rtp' ? plan.transport : undefined;
    const hasRtcpMux = plan.kind === 'rtp' && plan.hasRtcpMux;
    const hasIce = transport !== undefined && offersIce(request, this.#zone(answerer), offered);
    const ice = hasIce ? (peerOf(line.ice) ?? peerOf(line.offered?.ice) ?? this.#newIceAgent()) : undefined;
    const keys = (transport?.suites ?? []).map((suite) => this.#keyFor(line, suite));
    const cryptos = inUseFirst(keys, line.sentSuite);
    const mustEncrypt = transport?.mustEncrypt ?? false;
    const offer = { kind: plan.kind, cryptos, mustEncrypt, hasRtcpMux, ice };
    line.offered = { ...offer, mode: 'terminated', departure: undefined };
    // Checks may overtake the answer; a line that is in use waits for it.
    if (line.remote === undefined) for (const component of line.components) component.ice = ice;
    return writtenLine(line, false, offered.isNullAddress, {
      protocol: transport?.protocol ?? offered.protocol,
      isRtp: plan.kind === 'rtp',
      cryptos: cryptos.map((key) => cryptoValue(key.tag, key)),
      hasRtcpMux,
      ice: ice && iceLines(answerer, line, ice, line.isMuxed && hasRtcpMux),
    });
  }

  /** Keys, transport and candidates go on as they are, and ours with them. */
  #offerUntouched(
    offerer: Leg,
    answerer: Leg,
    index: number,
    mode: 'relayed' | 'passthrough',
    offered: RemoteLine,
    section: SdpMedia,
  ): WrittenLine {
    const line = answerer.line(index);
    const near = offerer.line(index);
    // A relay too: checks are what tells from where a side may speak.
    const ice = offered.ice && standIn(line.ice, offered.ice);
    const kind = offered.kind === 'opaque' ? 'opaque' : 'rtp';
    const { address } = connectionOf(offerer);
    const departure = offered.ice && departureOf(section, offered.ice, address, near);
    const keys = { cryptos: [], mustEncrypt: false };
    line.offered = { kind, ...keys, hasRtcpMux: offered.hasRtcpMux, mode, ice, departure };
    if (line.remote === undefined) {
      for (const component of line.components) {
        component.ice = ice;
        component.carries = CARRIES_OPAQUE;
      }
    } else if (line.ice && line.ice !== ice) {
      line.ice.successor = ice;
    }
    const written = untouchedLine(answerer, line, offered, isDirect(departure, section));
    const remoteCandidates = section.attributes('remote-candidates');
    if (written.kind === 'disabled' || remoteCandidates.length === 0) return written;
    const translated = remoteCandidates
      .map((value) => translateRemoteCandidates(value, address, near, line, this.#endpoints))
      .filter((value) => value !== '');
    return { ...written, remoteCandidates: translated };
  }

  #answerLine(exchange: Exchange, index: number, pending: PendingOffer, answered: RemoteLine): WrittenLine {
    const { offerer, answerer, document, request, nowMs } = exchange;
    const near = offerer.line(index);
    const far = answerer.line(index);
    const offer = pending.lines[index] as RemoteLine;
    const { offered } = far;
    // An earlier answer (of a fork) may have given the ports back.
    const hasPorts = near.rtp !== undefined && far.rtp !== undefined;
    // Whoever does not bundle cannot have a line that the offerer has no transport for.
    const hasTransport = offer.bundled !== 'only' || answered.bundled !== 'no';
    if (answered.kind !== offered?.kind || !hasPorts || !hasTransport) {
      return this.#disabledLine(near, far, offer);
    }
    const carries = carriesOf(offered.kind, offered.mode);
    near.isWithoutIce = offer.ice === undefined;
    if (offered.mode !== 'terminated') {
      far.isWithoutIce = answered.ice?.hasCandidates !== true;
      const isPassing = offered.mode === 'relayed' || !far.isWithoutIce;
      if (!isPassing && offered.kind === 'rtp' && !isDtls(answered.protocol)) {
        return this.#fallBack(exchange, index, offer, answered, pending.request);
      }
      near.ice = isPassing && offered.ice && answered.ice ? standIn(near.ice, answered.ice) : undefined;
      far.ice = isPassing && answered.ice ? offered.ice : undefined;
      near.departure = far.departure = offered.departure;
      const terms = { carries, crypto: undefined, isMuxed: false, mode: offered.mode, nowMs };
      this.#agreement.agree(near, offer, { ...terms, request: pending.request });
      this.#agreement.agree(far, answered, { ...terms, request });
      const section = document.media[index] as SdpMedia;
      return untouchedLine(offerer, near, answered, isDirect(offered.departure, section));
    }
    // That it does ICE with us does not say that it would with the other side.
    if (offered.ice && !answered.ice) far.isWithoutIce = true;
    const isRtp = offered.kind === 'rtp';
    const farMux = isRtp && offered.hasRtcpMux && answered.hasRtcpMux;
    const hasOnePort = near.components.length === 1;
    const nearMux = isRtp && acceptsRtcpMux(offer, hasOnePort, farMux, [pending.request, request]);
    const nearCrypto = isRtp ? this.#chooseOwn(offerer, near, offer, request) : undefined;
    const nearKey = nearCrypto && this.#keyFor(near, nearCrypto.suite);
    const farCrypto = isRtp ? answeredCrypto(offered, answered) : undefined;
    const hasIce = isRtp && answersIce(pending.request, request, this.#zone(offerer), offer);
    near.ice = hasIce ? this.#agentFor(near, offer) : undefined;
    far.ice = answered.ice && offered.ice;
    const terms = { carries, mode: offered.mode, nowMs };
    this.#agreement.agree(near, offer, {
      ...terms,
      crypto: nearCrypto && { theirs: nearCrypto, own: nearKey },
      isMuxed: nearMux,
      request: pending.request,
    });
    this.#agreement.agree(far, answered, { ...terms, crypto: farCrypto, isMuxed: farMux, request });
    return writtenLine(near, nearMux, answered.isNullAddress, {
      protocol: offer.protocol,
      isRtp,
      cryptos: nearCrypto && nearKey ? [cryptoValue(nearCrypto.tag, nearKey)] : [],
      hasRtcpMux: nearMux,
      ice: near.ice && iceLines(offerer, near, near.ice, nearMux),
    });
  }

  /**
   * The answer to an offer that passed through has no ICE: the line is an ordinary one from here on, also in that
   * the offerer may do ICE with us. The answerer has the offerer's key, though, and no other. So what the offerer
   * encrypts goes on as it is: encrypted anew by the same key, it would differ only where it must not (RFC 3711
   * §9.1). What the answerer sends is decrypted, and encrypted for the offerer by a key of ours. The next offer
   * makes keys of ours for both ways.
   */
  #fallBack(
    { offerer, answerer, request, nowMs }: Exchange,
    index: number,
    offer: RemoteLine,
    answered: RemoteLine,
    offerRequest: NgRequest,
  ): WrittenLine {
    const near = offerer.line(index);
    const far = answerer.line(index);
    const taken = answered.cryptos
      .map((theirs) => ({
        theirs,
        offered: offer.cryptos.find(({ tag, suite }) => tag === theirs.tag && suite === theirs.suite),
      }))
      .find(({ offered }) => offered !== undefined);
    const own = taken && this.#keyFor(near, taken.theirs.suite);
    // Who did ICE with the other side would take new credentials for a restart, which is no answer's to make.
    const isFirst = near.ice?.part !== 'stand-in';
    const hasIce = isFirst && answersIce(offerRequest, request, this.#zone(offerer), offer);
    near.ice = hasIce ? this.#agentFor(near, offer) : undefined;
    far.ice = undefined;
    const isMuxed = offer.hasRtcpMux && answered.hasRtcpMux;
    const terms = { carries: carriesOf('rtp', 'terminated'), isMuxed, mode: 'terminated', nowMs } as const;
    this.#agreement.agree(near, offer, {
      ...terms,
      crypto: own && { theirs: undefined, own },
      request: offerRequest,
    });
    this.#agreement.agree(far, answered, {
      ...terms,
      crypto: taken && { theirs: taken.theirs, own: undefined },
      request,
    });
    return writtenLine(near, isMuxed, answered.isNullAddress, {
      protocol: offer.protocol,
      isRtp: true,
      cryptos: taken && own ? [cryptoValue(taken.theirs.tag, own)] : [],
      hasRtcpMux: isMuxed,
      ice: near.ice && iceLines(offerer, near, near.ice, isMuxed),
    });
  }

  /**
   * A line without media. The answer has the transport of its offer (RFC 3264 §6), whatever the other side was
   * shown; where it saw no such line at all, its formats too.
   */
  #disabledLine(near: Line, far: Line, { protocol, formats }: RemoteLine): WrittenLine {
    this.#agreement.disable(near);
    this.#agreement.disable(far);
    return { kind: 'disabled', form: { protocol, formats: far.offered ? undefined : formats } };
  }

  #chooseOwn(
    leg: Leg,
    line: Line,
    offer: RemoteLine,
    request: NgRequest,
  ): RemoteLine['cryptos'][number] | undefined {
    const zone = this.#zone(leg);
    if (zone.mediaEncryption === 'off' && !offer.isSecureProtocol) return undefined;
    return chooseCrypto(zone, offer, request.sdes.order, line.sentSuite);
  }

  /** Our key towards this side for the suite: made once, and never for any other side or line. */
  #keyFor(line: Line, suite: SrtpSuite): OwnKey {
    const known = line.keys.get(suite.name);
    if (known) return known;
    const masterKey = new Uint8Array(suite.keyBytes);
    const masterSalt = new Uint8Array(suite.saltBytes);
    this.#crypto.randomFill(masterKey);
    this.#crypto.randomFill(masterSalt);
    const tag = line.keys.size + 1;
    const key: OwnKey = { tag, suite, masterKey, masterSalt, sender: undefined };
    line.keys.set(suite.name, key);
    return key;
  }

  /** Both sides change their credentials in a restart (RFC 8445 §9): new ones of theirs are met by new ones of ours. */
  #agentFor(line: Line, offer: RemoteLine): IceLiteAgent {
    const before = line.remote?.ice;
    const isRestart =
      before !== undefined && (before.ufrag !== offer.ice?.ufrag || before.password !== offer.ice?.password);
    return (isRestart ? undefined : peerOf(line.ice)) ?? this.#newIceAgent();
  }

  #newIceAgent(): IceLiteAgent {
    return new IceLiteAgent(iceCredentials((bytes) => this.#crypto.randomFill(bytes)));
  }
}

function modeOfPlan(plan: LinePlan): LineMode {
  return plan.kind === 'untouched' ? plan.mode : 'terminated';
}

/** The agent, if it is a peer of ours rather than somebody's stand-in. */
function peerOf(agent: IceLiteAgent | undefined): IceLiteAgent | undefined {
  return agent?.part === 'peer' ? agent : undefined;
}
