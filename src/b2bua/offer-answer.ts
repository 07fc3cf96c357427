/**
 * Offer and answer (RFC 3264) with us between the two: each side is offered, and answered, what its zone
 * and the proxy allow, with our addresses and our keys.
 *
 * An offer opens ports and makes keys, and changes nothing for packets that flow: it may be refused, or
 * never answered. The answer puts both sides' descriptions in force at once.
 */
import { hostCandidateLine } from '../ice/candidates.ts';
import { IceLiteAgent, iceCredentials } from '../ice/lite-agent.ts';
import type { SdpDocument } from '../wire/sdp.ts';
import type { Agreement } from './agreement.ts';
import type { Call, Leg, Line, OfferedLine, OwnKey, PendingOffer } from './call.ts';
import { CARRIES_OPAQUE, CARRIES_RTCP, CARRIES_RTP, type Component } from './component.ts';
import {
  chooseCrypto,
  offerRefusal,
  planTransport,
  type Refusal,
  type TransportPlan,
} from './encryption-policy.ts';
import type { MediaPorts } from './media-ports.ts';
import type { NgRequest } from './ng-request.ts';
import { type RemoteLine, readRemoteLine } from './remote-line.ts';
import { formatCrypto } from './sdes.ts';
import { type DisabledForm, rewriteSdp, type TerminatedLine, type WrittenLine } from './sdp-rewrite.ts';
import type { B2buaCrypto, B2buaSettings, ZoneSettings } from './settings.ts';
import type { SrtpSuite } from './srtp/suites.ts';

/** The text that makes proxies try another engine; to the letter. */
export const NO_PORTS = 'Ran out of ports';

const BFCP_DISABLED: DisabledForm = { protocol: 'TCP/BFCP', formats: ['*'] };
const IX_DISABLED: DisabledForm = { protocol: 'RTP/AVP', formats: ['0'] };
const DISABLED = { kind: 'disabled', form: undefined } as const;
/** We have one address a leg, so one candidate a component. */
const LOCAL_PREFERENCE = 65_535;

export interface OfferAnswerParts {
  readonly settings: B2buaSettings;
  readonly ports: MediaPorts;
  readonly crypto: B2buaCrypto;
  readonly agreement: Agreement;
}

/** How a line of an offer goes on to the other side. */
type LinePlan =
  | { readonly kind: 'rtp'; readonly transport: TransportPlan | undefined; readonly hasRtcpMux: boolean }
  | { readonly kind: 'opaque' }
  | { readonly kind: 'disabled'; readonly form: DisabledForm | undefined };

export class OfferAnswer {
  readonly #settings: B2buaSettings;
  readonly #ports: MediaPorts;
  readonly #crypto: B2buaCrypto;
  readonly #agreement: Agreement;

  constructor(parts: OfferAnswerParts) {
    this.#settings = parts.settings;
    this.#ports = parts.ports;
    this.#crypto = parts.crypto;
    this.#agreement = parts.agreement;
  }

  /** Turns the offer in `document` into the one for `answerer`; a refusal leaves everything as it was. */
  offer(
    call: Call,
    offerer: Leg,
    answerer: Leg,
    document: SdpDocument,
    request: NgRequest,
  ): Refusal | undefined {
    const zones = [this.#zone(offerer), this.#zone(answerer)] as const;
    const isRelayed = zones.every(({ media }) => media === 'relay');
    const lines = this.#read(document, request, isRelayed);
    const plans: LinePlan[] = [];
    for (const [i, line] of lines.entries()) {
      const plan = planLine(line, i + 1, zones, request, isRelayed);
      if ('refusal' in plan) return plan;
      plans.push(plan);
    }
    if (lines.some(({ kind }) => kind !== 'refused') && plans.every(({ kind }) => kind === 'disabled')) {
      const offered = lines.map(({ media, protocol }) => `${media} ${protocol}`).join(', ');
      return { refusal: `No line of the offer can be served: ${offered}` };
    }
    if (!this.#openPorts(call, offerer, answerer, plans, request)) return { refusal: NO_PORTS };
    call.isRelayed = isRelayed;
    offerer.pending = { lines, request };
    const written = plans.map((plan, i) =>
      this.#offerLine(answerer, i, plan, lines[i] as RemoteLine, isRelayed, request),
    );
    rewriteSdp(document, connectionOf(answerer), written, request.replace);
    return undefined;
  }

  /** Turns the answer in `document` into the one for `offerer` and puts both sides in force. */
  answer(
    call: Call,
    offerer: Leg,
    answerer: Leg,
    document: SdpDocument,
    request: NgRequest,
    nowMs: number,
  ): Refusal | undefined {
    const { pending } = offerer;
    if (!pending) return { refusal: 'No offer to answer' };
    const { length } = pending.lines;
    if (document.media.length !== length) {
      return { refusal: `The answer has ${document.media.length} media lines, the offer had ${length}` };
    }
    const lines = this.#read(document, request, call.isRelayed);
    for (const [i, line] of lines.entries()) {
      const { offered } = answerer.line(i);
      if (line.kind === 'rtp' && offered?.mustEncrypt && !answeredCrypto(offered, line)) {
        return { refusal: `Line ${i + 1} of the answer takes none of the SDES keys that were offered` };
      }
    }
    const written = lines.map((line, i) =>
      this.#answerLine(call, offerer, answerer, i, pending, line, request, nowMs),
    );
    this.#agreement.connect(call, offerer, answerer);
    rewriteSdp(document, connectionOf(offerer), written, request.replace);
    return undefined;
  }

  #zone(leg: Leg): ZoneSettings {
    return this.#settings.zones[leg.zone] as ZoneSettings;
  }

  #read(document: SdpDocument, request: NgRequest, isRelayed: boolean): RemoteLine[] {
    const override = request.flags.has('SIP-source-address') ? request.receivedFrom : undefined;
    return document.media.map((line) => readRemoteLine(line, { override, isRelayed }));
  }

  /** Gives every line that goes on its ports on both sides; false, with nothing opened, if there are not enough. */
  #openPorts(
    call: Call,
    offerer: Leg,
    answerer: Leg,
    plans: readonly LinePlan[],
    request: NgRequest,
  ): boolean {
    const opened: { readonly line: Line; readonly components: readonly Component[] }[] = [];
    let ports = call.components.length;
    const giveUp = (): boolean => {
      for (const { components } of opened) for (const component of components) this.#ports.close(component);
      return false;
    };
    for (const [i, plan] of plans.entries()) {
      if (plan.kind === 'disabled') continue;
      for (const leg of [offerer, answerer]) {
        const line = leg.line(i);
        const carries = carriesOf(plan, leg === answerer && request.rtcpMux.has('require'));
        if (line.components.length > 0 && line.components[0]?.carries === carries[0]) continue;
        ports += carries.length;
        if (ports > this.#settings.limits.portsPerCall) return giveUp();
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
    answerer: Leg,
    index: number,
    plan: LinePlan,
    offered: RemoteLine,
    isRelayed: boolean,
    request: NgRequest,
  ): WrittenLine {
    const line = answerer.line(index);
    if (plan.kind === 'disabled') {
      line.offered = undefined;
      return plan;
    }
    const transport = plan.kind === 'rtp' ? plan.transport : undefined;
    const hasRtcpMux = plan.kind === 'rtp' && plan.hasRtcpMux;
    const hasIce = transport !== undefined && wantsIce(request, this.#zone(answerer), offered, 'offer');
    const ice = hasIce ? (line.ice ?? line.offered?.ice ?? this.#newIceAgent()) : undefined;
    const cryptos = (transport?.suites ?? []).map((suite, i) => ({
      tag: i + 1,
      key: this.#keyFor(line, suite),
    }));
    line.offered = {
      kind: plan.kind,
      cryptos,
      mustEncrypt: transport?.mustEncrypt ?? false,
      hasRtcpMux,
      ice,
    };
    // Checks may overtake the answer; a line that is in use waits for it.
    if (line.remote === undefined) for (const component of line.components) component.ice = ice;
    const isTouched = plan.kind === 'opaque' ? !isRelayed : transport !== undefined;
    return writtenLine(
      line,
      false,
      offered.isNullAddress,
      isTouched
        ? {
            protocol: transport?.protocol ?? offered.protocol,
            isRtp: plan.kind === 'rtp',
            cryptos: cryptos.map(({ tag, key }) => cryptoValue(tag, key)),
            hasRtcpMux,
            ice: ice && this.#iceLines(answerer, line, ice, line.isMuxed && hasRtcpMux),
          }
        : undefined,
    );
  }

  #answerLine(
    call: Call,
    offerer: Leg,
    answerer: Leg,
    index: number,
    pending: PendingOffer,
    answered: RemoteLine,
    request: NgRequest,
    nowMs: number,
  ): WrittenLine {
    const near = offerer.line(index);
    const far = answerer.line(index);
    const offer = pending.lines[index] as RemoteLine;
    const { offered } = far;
    if (answered.kind !== offered?.kind) {
      this.#agreement.disable(near);
      this.#agreement.disable(far);
      return DISABLED;
    }
    const isTerminatedRtp = offered.kind === 'rtp' && !call.isRelayed;
    const farMux = isTerminatedRtp && offered.hasRtcpMux && answered.hasRtcpMux;
    const nearMux = isTerminatedRtp && acceptsRtcpMux(offer, farMux, pending.request, request);
    const nearCrypto = isTerminatedRtp ? this.#chooseOwn(offerer, offer, request) : undefined;
    const nearKey = nearCrypto && this.#keyFor(near, nearCrypto.suite);
    const farCrypto = isTerminatedRtp ? answeredCrypto(offered, answered) : undefined;
    const hasIce = isTerminatedRtp && wantsIce(request, this.#zone(offerer), offer, 'answer');
    near.ice = hasIce ? this.#agentFor(near, offer) : undefined;
    far.ice = answered.ice && offered.ice;
    this.#agreement.agree(near, offer, {
      crypto: nearCrypto && nearKey && { theirs: nearCrypto, own: nearKey },
      isMuxed: nearMux,
      request: pending.request,
      nowMs,
    });
    this.#agreement.agree(far, answered, {
      crypto: farCrypto,
      isMuxed: farMux,
      request,
      nowMs,
    });
    if (call.isRelayed) return writtenLine(near, false, answered.isNullAddress, undefined);
    return writtenLine(near, nearMux, answered.isNullAddress, {
      protocol: offer.protocol,
      isRtp: isTerminatedRtp,
      cryptos: nearCrypto && nearKey ? [cryptoValue(nearCrypto.tag, nearKey)] : [],
      hasRtcpMux: nearMux,
      ice: near.ice && this.#iceLines(offerer, near, near.ice, nearMux),
    });
  }

  #chooseOwn(leg: Leg, offer: RemoteLine, request: NgRequest): RemoteLine['cryptos'][number] | undefined {
    const zone = this.#zone(leg);
    return zone.mediaEncryption === 'off' ? undefined : chooseCrypto(zone, offer, request.sdes.order);
  }

  /** Our key towards this side for the suite: made once, and never for any other side or line. */
  #keyFor(line: Line, suite: SrtpSuite): OwnKey {
    const known = line.keys.get(suite.name);
    if (known) return known;
    const masterKey = new Uint8Array(suite.keyBytes);
    const masterSalt = new Uint8Array(suite.saltBytes);
    this.#crypto.randomFill(masterKey);
    this.#crypto.randomFill(masterSalt);
    const key: OwnKey = { suite, masterKey, masterSalt, sender: undefined };
    line.keys.set(suite.name, key);
    return key;
  }

  /** Both sides change their credentials in a restart (RFC 8445 §9): new ones of theirs are met by new ones of ours. */
  #agentFor(line: Line, offer: RemoteLine): IceLiteAgent {
    const before = line.remote?.ice;
    const isRestart =
      before !== undefined && (before.ufrag !== offer.ice?.ufrag || before.password !== offer.ice?.password);
    return line.ice !== undefined && !isRestart ? line.ice : this.#newIceAgent();
  }

  #iceLines(leg: Leg, line: Line, agent: IceLiteAgent, isMuxed: boolean): TerminatedLine['ice'] {
    const { address } = connectionOf(leg);
    const components = isMuxed ? line.components.slice(0, 1) : line.components;
    const candidates = components.map(({ localPort }, i) =>
      hostCandidateLine(i + 1, address, localPort, LOCAL_PREFERENCE),
    );
    return { local: agent.local, candidates };
  }

  #newIceAgent(): IceLiteAgent {
    return new IceLiteAgent(iceCredentials((bytes) => this.#crypto.randomFill(bytes)));
  }
}

function planLine(
  line: RemoteLine,
  number: number,
  [from, to]: readonly [ZoneSettings, ZoneSettings],
  request: NgRequest,
  isRelayed: boolean,
): LinePlan | Refusal {
  if (line.kind === 'refused' || line.kind === 'unserved') return DISABLED;
  if (line.kind === 'opaque') {
    if (to.bfcpFilter && /BFCP/i.test(line.protocol)) return { kind: 'disabled', form: BFCP_DISABLED };
    if (to.ixFilter && /\/IX$/i.test(line.protocol)) return { kind: 'disabled', form: IX_DISABLED };
    return { kind: 'opaque' };
  }
  const forbidden = offerRefusal(from, line, number);
  if (forbidden) return forbidden;
  if (isRelayed)
    return offerRefusal(to, line, number) ?? { kind: 'rtp', transport: undefined, hasRtcpMux: false };
  // Encrypted, but by nothing that we could answer with.
  if (line.isSecureProtocol && !chooseCrypto(from, line, [])) return DISABLED;
  const transport = planTransport(to, line, request);
  if ('refusal' in transport) return transport;
  const { rtcpMux } = request;
  const hasRtcpMux =
    rtcpMux.has('require') || rtcpMux.has('offer') || (line.hasRtcpMux && !rtcpMux.has('demux'));
  return { kind: 'rtp', transport, hasRtcpMux };
}

/** Relayed lines are opaque to us whatever they are. */
function carriesOf(plan: LinePlan, isOnePort: boolean): number[] {
  if (plan.kind === 'opaque') return [CARRIES_OPAQUE];
  if (plan.kind === 'rtp' && plan.transport === undefined) return [CARRIES_OPAQUE, CARRIES_OPAQUE];
  return isOnePort ? [CARRIES_RTP] : [CARRIES_RTP, CARRIES_RTCP];
}

/** Whether the side that offered rtcp-mux gets it. By default it does if the other side took it too. */
function acceptsRtcpMux(
  offer: RemoteLine,
  isFarMuxed: boolean,
  offered: NgRequest,
  answered: NgRequest,
): boolean {
  if (!offer.hasRtcpMux) return false;
  if (offered.rtcpMux.has('reject') || answered.rtcpMux.has('reject')) return false;
  const isAccepted = [offered, answered].some(({ rtcpMux }) => rtcpMux.has('accept') || rtcpMux.has('demux'));
  return isAccepted || isFarMuxed;
}

/** Their key and ours of the a=crypto that an answer took. */
function answeredCrypto(
  offered: OfferedLine,
  answer: RemoteLine,
): { readonly theirs: RemoteLine['cryptos'][number]; readonly own: OwnKey } | undefined {
  for (const theirs of answer.cryptos) {
    const taken = offered.cryptos.find(
      ({ tag, key }) => tag === theirs.tag && key.suite.name === theirs.suite.name,
    );
    if (taken) return { theirs, own: taken.key };
  }
  return undefined;
}

/**
 * Whether a leg does ICE with us. An answer has it only where the offer had; an offer where the proxy or the
 * zone wants it.
 */
function wantsIce(
  request: NgRequest,
  zone: ZoneSettings,
  offered: RemoteLine | undefined,
  kind: 'offer' | 'answer',
): boolean {
  const isOffered = offered?.ice !== undefined;
  if (kind === 'answer' && !isOffered) return false;
  switch (request.ice) {
    case 'remove':
      return false;
    case 'force':
    case 'force-relay':
      return true;
    case 'default':
    case 'optional':
      return isOffered || zone.ice;
    default:
      return zone.ice;
  }
}

function writtenLine(
  line: Line,
  isMuxed: boolean,
  isNullAddress: boolean,
  terminated: TerminatedLine | undefined,
): WrittenLine {
  const [rtp, rtcp] = line.components;
  if (!rtp) return DISABLED;
  const rtcpPort = isMuxed ? rtp.localPort : (rtcp ?? rtp).localPort;
  return { kind: 'kept', port: rtp.localPort, rtcpPort, isNullAddress, terminated };
}

function connectionOf(leg: Leg): { family: 'IP4' | 'IP6'; address: string } {
  const address = leg.mediaAddress ?? leg.address.advertised;
  return { family: address.includes(':') ? 'IP6' : 'IP4', address };
}

function cryptoValue(tag: number, { suite, masterKey, masterSalt }: OwnKey): string {
  return formatCrypto(tag, suite.name, masterKey, masterSalt, true);
}
