/** What becomes of each line of an offer on its way to the other side: served how, or disabled in which form. */
import type { Line } from './call.ts';
import { CARRIES_OPAQUE, CARRIES_RTCP, CARRIES_RTP } from './component.ts';
import {
  chooseCrypto,
  offerRefusal,
  planTransport,
  type Refusal,
  type TransportPlan,
} from './encryption-policy.ts';
import type { NgRequest } from './ng-request.ts';
import type { RemoteLine } from './remote-line.ts';
import type { DisabledForm } from './sdp-rewrite.ts';
import type { ZoneSettings } from './settings.ts';

const BFCP_DISABLED: DisabledForm = { protocol: 'TCP/BFCP', formats: ['*'] };
const IX_DISABLED: DisabledForm = { protocol: 'RTP/AVP', formats: ['0'] };

/** How a line of an offer goes on to the other side. */
export type LinePlan =
  /** Without a transport: relayed, untouched. */
  | { readonly kind: 'rtp'; readonly transport: TransportPlan | undefined; readonly hasRtcpMux: boolean }
  | { readonly kind: 'opaque' }
  | { readonly kind: 'disabled'; readonly form: DisabledForm | undefined };

/** One side of a line: where it belongs, and what was agreed on before. */
export interface LineSide {
  readonly zone: ZoneSettings;
  /** Undefined where there was no such line yet. */
  readonly line: Line | undefined;
}

/** @param number of the line, from 1 */
export function planLine(
  offered: RemoteLine,
  number: number,
  [from, to]: readonly [LineSide, LineSide],
  request: NgRequest,
  isRelayed: boolean,
): LinePlan | Refusal {
  if (offered.kind === 'refused' || offered.kind === 'unserved') return { kind: 'disabled', form: undefined };
  if (offered.kind === 'opaque') {
    if (to.zone.bfcpFilter && /BFCP/i.test(offered.protocol))
      return { kind: 'disabled', form: BFCP_DISABLED };
    if (to.zone.ixFilter && /\/IX$/i.test(offered.protocol)) return { kind: 'disabled', form: IX_DISABLED };
    return { kind: 'opaque' };
  }
  const inUse = from.line?.sentSuite;
  const forbidden = offerRefusal(from.zone, offered, number, inUse !== undefined);
  if (forbidden) return forbidden;
  if (isRelayed) {
    const relayed = { kind: 'rtp', transport: undefined, hasRtcpMux: false } as const;
    return offerRefusal(to.zone, offered, number, false) ?? relayed;
  }
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

/** What the components of a line carry. Relayed lines are opaque to us whatever they are. */
export function carriesOf(kind: 'rtp' | 'opaque', isRelayed: boolean): readonly number[] {
  if (kind === 'opaque') return [CARRIES_OPAQUE];
  return isRelayed ? [CARRIES_OPAQUE, CARRIES_OPAQUE] : [CARRIES_RTP, CARRIES_RTCP];
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
