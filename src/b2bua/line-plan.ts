/** What becomes of each line of an offer on its way to the other side: served how, or disabled in which form. */
import type { Line, LineMode } from './call.ts';
import { CARRIES_OPAQUE, CARRIES_RTCP, CARRIES_RTP } from './component.ts';
import {
  chooseCrypto,
  offerRefusal,
  planTransport,
  type Refusal,
  type TransportPlan,
} from './encryption-policy.ts';
import type { NgRequest } from './ng-request.ts';
import { isDtls, type RemoteLine } from './remote-line.ts';
import type { DisabledForm } from './sdp-rewrite.ts';
import { passthroughObstacle, type ZoneSettings } from './settings.ts';

const BFCP_DISABLED: DisabledForm = { protocol: 'TCP/BFCP', formats: ['*'] };
const IX_DISABLED: DisabledForm = { protocol: 'RTP/AVP', formats: ['0'] };

/** How a line of an offer goes on to the other side. */
export type LinePlan =
  | { readonly kind: 'rtp'; readonly transport: TransportPlan; readonly hasRtcpMux: boolean }
  | { readonly kind: 'opaque' }
  /** RTP or opaque: transport, keys and ICE stay as they came. */
  | { readonly kind: 'untouched'; readonly mode: 'relayed' | 'passthrough' }
  | { readonly kind: 'disabled'; readonly form: DisabledForm | undefined };

/** One side of a line: where it belongs, and what was agreed on before. */
export interface LineSide {
  readonly zone: ZoneSettings;
  /** Undefined where there was no such line yet. */
  readonly line: Line | undefined;
}

/** Whether candidates and keys may pass from zone to zone; where the proxy has a wish of its own about ICE, they do not. */
export function allowsPassthrough(zones: readonly ZoneSettings[], request: NgRequest): boolean {
  const isAsked = request.ice === 'passthrough';
  const isOpen =
    isAsked || request.ice === undefined || request.ice === 'default' || request.ice === 'optional';
  return (
    isOpen &&
    zones.every(
      (zone) => passthroughObstacle(isAsked ? { ...zone, icePassthrough: true } : zone) === undefined,
    )
  );
}

/** What we are to a line that is offered; `from.line` tells whether the other side has turned passthrough down before. */
export function modeOf(
  offered: RemoteLine,
  [from, to]: readonly [LineSide, LineSide],
  request: NgRequest,
): LineMode {
  if (from.zone.media === 'relay' && to.zone.media === 'relay') return 'relayed';
  if (offered.ice === undefined || to.line?.isWithoutIce === true) return 'terminated';
  if (!allowsPassthrough([from.zone, to.zone], request)) return 'terminated';
  const { transportProtocol } = request;
  const isKept = transportProtocol === undefined || transportProtocol === offered.protocol;
  const isEncrypted = offered.isSecureProtocol || offered.cryptos.length > 0;
  const mustEncrypt = [from.zone, to.zone].some(({ mediaEncryption }) => mediaEncryption === 'force');
  return isKept && (isEncrypted || !mustEncrypt) ? 'passthrough' : 'terminated';
}

/** @param number of the line, from 1 */
export function planLine(
  offered: RemoteLine,
  number: number,
  [from, to]: readonly [LineSide, LineSide],
  request: NgRequest,
): LinePlan | Refusal {
  const mode = modeOf(offered, [from, to], request);
  if (offered.kind === 'refused' || offered.kind === 'unserved') return { kind: 'disabled', form: undefined };
  if (offered.kind === 'opaque') {
    if (to.zone.bfcpFilter && /BFCP/i.test(offered.protocol))
      return { kind: 'disabled', form: BFCP_DISABLED };
    if (to.zone.ixFilter && /\/IX$/i.test(offered.protocol)) return { kind: 'disabled', form: IX_DISABLED };
    return mode === 'terminated' ? { kind: 'opaque' } : { kind: 'untouched', mode };
  }
  const inUse = from.line?.sentSuite;
  const forbidden = offerRefusal(from.zone, offered, number, inUse !== undefined);
  if (forbidden) return forbidden;
  if (mode !== 'terminated') {
    return offerRefusal(to.zone, offered, number, false) ?? { kind: 'untouched', mode };
  }
  if (isDtls(offered.protocol)) return { kind: 'disabled', form: undefined };
  // Encrypted, but by nothing that we could answer with.
  const mustEncrypt = offered.isSecureProtocol || from.zone.mediaEncryption === 'force';
  if (mustEncrypt && !chooseCrypto(from.zone, offered, [], inUse))
    return { kind: 'disabled', form: undefined };
  const before = to.line?.kind === 'rtp' ? to.line.remote : undefined;
  const transport = planTransport(to.zone, offered, before, request);
  if ('refusal' in transport) return transport;
  const { rtcpMux } = request;
  const isWanted = rtcpMux.has('require') || rtcpMux.has('offer');
  // A side that multiplexes already goes on with it: its second port may be closed.
  const isKept = offered.hasRtcpMux || to.line?.isMuxed === true;
  return { kind: 'rtp', transport, hasRtcpMux: isWanted || (isKept && !rtcpMux.has('demux')) };
}

/** What the components of a line carry. What is untouched is opaque to us whatever it is. */
export function carriesOf(kind: 'rtp' | 'opaque', mode: LineMode): readonly number[] {
  if (kind === 'opaque') return [CARRIES_OPAQUE];
  return mode === 'terminated' ? [CARRIES_RTP, CARRIES_RTCP] : [CARRIES_OPAQUE, CARRIES_OPAQUE];
}

/**
 * Whether the side that offered rtcp-mux gets it: by default if the other side took it too. `hasOnePort`: there
 * is no other way.
 */
export function acceptsRtcpMux(
  offer: RemoteLine,
  hasOnePort: boolean,
  isFarMuxed: boolean,
  requests: readonly NgRequest[],
): boolean {
  if (!offer.hasRtcpMux || hasOnePort) return offer.hasRtcpMux;
  if (requests.some(({ rtcpMux }) => rtcpMux.has('reject'))) return false;
  const isAccepted = requests.some(({ rtcpMux }) => rtcpMux.has('accept') || rtcpMux.has('demux'));
  return isAccepted || isFarMuxed;
}

/** Whether the receiver of an offer is offered ICE by us: as the proxy, or else its zone, wants. */
export function offersIce({ ice }: NgRequest, zone: ZoneSettings, offered: RemoteLine): boolean {
  switch (ice) {
    case 'remove':
      return false;
    case 'force':
    case 'force-relay':
    case 'optional':
      return true;
    case 'default':
      return offered.ice !== undefined || zone.ice;
    default:
      return zone.ice;
  }
}

/** The same for the side that made the offer, which must have offered ICE. */
export function answersIce(
  offer: NgRequest,
  answer: NgRequest,
  zone: ZoneSettings,
  offered: RemoteLine,
): boolean {
  if (offered.ice === undefined || offer.flags.has('ICE-reject')) return false;
  return offersIce(answer, zone, offered);
}
