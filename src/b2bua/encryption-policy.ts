/**
 * Whether a leg is encrypted, and by which suites: what its zone demands, what the proxy asks for, and
 * what the other side can. The proxy's wish wins where it is the stricter one; encrypted is stricter.
 */
import type { NgRequest, SdesFlags } from './ng-request.ts';
import { isSecure, type RemoteLine } from './remote-line.ts';
import type { ZoneSettings } from './settings.ts';
import { type SrtpSuite, suiteNamed } from './srtp/suites.ts';

/** The order in which suites are offered: the authenticated encryption first where the zone has it, then what every phone has. */
const OFFERED: readonly string[] = [
  'AEAD_AES_256_GCM',
  'AEAD_AES_128_GCM',
  'AES_CM_128_HMAC_SHA1_80',
  'AES_CM_128_HMAC_SHA1_32',
  'AES_256_CM_HMAC_SHA1_80',
  'AES_256_CM_HMAC_SHA1_32',
  'AES_192_CM_HMAC_SHA1_80',
  'AES_192_CM_HMAC_SHA1_32',
];

/** How a line is offered to a leg. */
export interface TransportPlan {
  readonly protocol: string;
  /** Suites to offer keys for; empty: unencrypted. */
  readonly suites: readonly SrtpSuite[];
  /** An answer without a=crypto is an error rather than an unencrypted line. */
  readonly mustEncrypt: boolean;
}

/** A refusal, in words for the proxy's log. */
export type Refusal = { readonly refusal: string };

/**
 * Why the zone forbids what was offered from it; undefined if it does not. `line` counts from 1. `isEncrypted`:
 * the line is encrypted already, as the proxy wished.
 */
export function offerRefusal(
  zone: ZoneSettings,
  remote: RemoteLine,
  line: number,
  isEncrypted: boolean,
): Refusal | undefined {
  if (remote.kind !== 'rtp') return undefined;
  const what = `line ${line} (${remote.media} ${remote.protocol})`;
  if (zone.mediaEncryption === 'force' && !remote.isSecureProtocol && remote.cryptos.length === 0) {
    return { refusal: `Zone ${zone.name} forces encrypted media: ${what} offers none` };
  }
  if (zone.mediaEncryption === 'off' && remote.isSecureProtocol && !isEncrypted) {
    return { refusal: `Zone ${zone.name} forces unencrypted media: ${what} is encrypted` };
  }
  return undefined;
}

/**
 * The a=crypto attribute to answer an offer with: the first that the zone allows; undefined if none.
 *
 * @param preferred names of suites that go before all others, best first
 * @param inUse the suite that the line is encrypted by already, as the proxy wished, whatever the zone allows
 */
export function chooseCrypto(
  zone: ZoneSettings,
  remote: RemoteLine,
  preferred: readonly string[],
  inUse: string | undefined,
): RemoteLine['cryptos'][number] | undefined {
  const usable = remote.cryptos.filter(
    ({ suite }) => zone.aesGcm || suite.cipher !== 'gcm' || suite.name === inUse,
  );
  for (const name of preferred) {
    const found = usable.find(({ suite }) => suite.name === name);
    if (found) return found;
  }
  return usable[0];
}

/**
 * How to offer a line into `zone`.
 *
 * @param before what the side itself said last of the line; undefined where it is offered for the first time
 */
export function planTransport(
  zone: ZoneSettings,
  offered: RemoteLine,
  before: Pick<RemoteLine, 'protocol' | 'cryptos'> | undefined,
  request: Pick<NgRequest, 'transportProtocol' | 'sdes'>,
): TransportPlan | Refusal {
  const { transportProtocol } = request;
  if (transportProtocol?.startsWith('UDP/TLS/')) {
    return { refusal: `transport-protocol ${transportProtocol}: keys are exchanged by SDES only` };
  }
  // A side stays with its own transport, whatever the other one speaks, until the proxy says otherwise.
  const wanted = transportProtocol ?? before?.protocol;
  const isWantedSecure = wanted !== undefined && isSecure(wanted);
  const protocol = wanted ?? offered.protocol;
  const suites = offeredSuites(zone, offered, request.sdes);
  let mustEncrypt: boolean;
  switch (zone.mediaEncryption) {
    case 'force':
      mustEncrypt = true;
      break;
    case 'off':
    case 'bestEffort':
      mustEncrypt = isWantedSecure;
      break;
    case 'auto':
      mustEncrypt = isSecure(protocol);
      break;
  }
  if (mustEncrypt && suites.length === 0) {
    return { refusal: `Zone ${zone.name} needs encrypted media, and no SDES suite is left to offer` };
  }
  // Without a policy, encryption that is tried on one side (RFC 8643) is tried on the other.
  const isOpportunistic = transportProtocol === undefined && (before ?? offered).cryptos.length > 0;
  const isTried =
    mustEncrypt ||
    zone.mediaEncryption === 'bestEffort' ||
    (zone.mediaEncryption === 'auto' && isOpportunistic);
  return {
    protocol: `RTP/${mustEncrypt ? 'S' : ''}AVP${protocol.endsWith('F') ? 'F' : ''}`,
    suites: isTried ? suites : [],
    mustEncrypt,
  };
}

function offeredSuites(zone: ZoneSettings, offered: RemoteLine, sdes: SdesFlags): SrtpSuite[] {
  if (sdes.off) return [];
  const names = [...sdes.order.filter((name) => OFFERED.includes(name)), ...OFFERED];
  return (
    [...new Set(names)]
      .filter((name) => isAllowed(name, offered, sdes))
      .map(suiteNamed)
      .filter((suite) => suite !== undefined)
      // What the proxy names outright is stricter than the zone's switch.
      .filter((suite) => suite.cipher !== 'gcm' || zone.aesGcm || sdes.only.includes(suite.name))
  );
}

/** As other engines have it: `nonew` goes before `only-…`, which goes before `no-…`. */
function isAllowed(name: string, offered: RemoteLine, sdes: SdesFlags): boolean {
  if (sdes.noNew) return offered.cryptos.some(({ suite }) => suite.name === name);
  return sdes.only.length > 0 ? sdes.only.includes(name) : !sdes.without.includes(name);
}
