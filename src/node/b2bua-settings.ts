/** From the configuration and the host's addresses to what the B2BUA cores are told. Pure: the host's interfaces are an argument. */
import type { B2buaSettings, RelayRange, ZoneAddress, ZoneSettings } from '../b2bua/settings.ts';
import type { Config, ZoneConfig } from '../config/config.ts';
import { ConfigError } from '../config/config-error.ts';
import { canonicalAddress } from '../config/rules.ts';
import { type HostInterfaces, hostAddressesOf } from './host-addresses.ts';

/** The zone of a node that has none configured: it takes and offers whatever can be served. */
const DEFAULT_ZONE: Omit<ZoneConfig, 'id'> = {
  name: 'default',
  kind: 'neighbor',
  address: null,
  externalAddress: null,
  signalling: 'tls',
  mediaEncryption: 'auto',
  aesGcm: true,
  ice: false,
  icePassthrough: false,
  bfcpFilter: false,
  ixFilter: false,
  media: 'terminate',
  multiplexedPorts: null,
};

/**
 * How many workers may have calls: each pair of `multiplexedPorts` is heard by one worker alone, so that all
 * packets of a call arrive where the call is.
 */
export function callWorkers(config: Config, workers: number): number {
  const pairs = config.b2bua.zones.flatMap(({ multiplexedPorts }) =>
    multiplexedPorts ? [(multiplexedPorts[1] - multiplexedPorts[0] + 1) / 2] : [],
  );
  return Math.min(workers, ...pairs);
}

/**
 * The settings of the core of one worker.
 *
 * @param worker its place among those that have calls
 * @param relayRanges what TURN servers of ours give out
 * @param configName where the configuration came from, for messages
 * @throws ConfigError where it does not fit this host
 */
export function resolveB2buaSettings(
  config: Config,
  configName: string,
  host: HostInterfaces,
  worker: number,
  relayRanges: readonly RelayRange[],
): B2buaSettings {
  const { b2bua } = config;
  const hostAddresses = hostAddressesOf(host);
  const zones = b2bua.zones.length > 0 ? b2bua.zones : [{ id: 1, ...DEFAULT_ZONE }];
  const problems = b2bua.zones.flatMap(({ address }, i) => {
    const isOurs = address === null || hostAddresses.includes(canonicalAddress(address) ?? address);
    return isOurs
      ? []
      : [`b2bua.zones[${i}].address: must be an address of this host: got ${JSON.stringify(address)}`];
  });
  if (problems.length > 0) throw new ConfigError(configName, problems);
  const mediaAddresses: string[] = [];
  const placeOf = (address: string): number => {
    if (!mediaAddresses.includes(address)) mediaAddresses.push(address);
    return mediaAddresses.indexOf(address);
  };
  return {
    zones: zones.map((zone) => zoneSettings(zone, hostAddresses, placeOf, worker)),
    anyDirection: b2bua.zones.length === 0,
    mediaAddresses,
    mediaPorts: b2bua.mediaPorts,
    mediaTimeoutSeconds: b2bua.mediaTimeoutSeconds,
    offerTimeoutSeconds: b2bua.offerTimeoutSeconds ?? 3 * b2bua.mediaTimeoutSeconds,
    holdTimeoutSeconds: b2bua.holdTimeoutSeconds,
    directTimeoutSeconds: b2bua.directTimeoutSeconds,
    relayRanges,
    latchSeconds: b2bua.latchSeconds,
    limits: b2bua.limits,
  };
}

function zoneSettings(
  zone: ZoneConfig,
  hostAddresses: readonly string[],
  placeOf: (address: string) => number,
  worker: number,
): ZoneSettings {
  const addresses = zone.address === null ? defaultAddresses(hostAddresses) : [zone.address];
  const { id, name, mediaEncryption, aesGcm, ice, icePassthrough, signalling } = zone;
  const { media, bfcpFilter, ixFilter, multiplexedPorts } = zone;
  const firstPort = multiplexedPorts && multiplexedPorts[0] + 2 * worker;
  return {
    ...{ id, name, mediaEncryption, aesGcm, ice, icePassthrough, media, bfcpFilter, ixFilter },
    isSignallingEncrypted: signalling === 'tls',
    addresses: addresses.map((text): ZoneAddress => {
      const address = canonicalAddress(text) ?? text;
      return {
        place: placeOf(address),
        address,
        advertised: zone.externalAddress ?? address,
        family: address.includes(':') ? 'IP6' : 'IP4',
      };
    }),
    multiplexedPorts: firstPort === null ? undefined : [firstPort, firstPort + 1],
  };
}

/** An address of each family by which others may reach this host; on a host that has none, loopback. */
function defaultAddresses(hostAddresses: readonly string[]): string[] {
  const outward = hostAddresses.filter((address) => address !== '::1' && !address.startsWith('127.'));
  const candidates = outward.length > 0 ? outward : hostAddresses;
  const ipv4 = candidates.find((address) => !address.includes(':'));
  const ipv6 = candidates.find((address) => address.includes(':'));
  return [ipv4, ipv6].filter((address) => address !== undefined);
}
