/**
 * From the configuration and the host's addresses to what the TURN core is told. Pure: the host's
 * interfaces are an argument.
 */
import type { Config } from '../config/config.ts';
import { ConfigError } from '../config/config-error.ts';
import { turnRequestsPorts } from '../config/ports.ts';
import type { ListenerSettings, TurnSettings } from '../turn/settings.ts';
import { formatAddress, type Prefix, parseAddress, parsePrefix } from '../wire/address.ts';
import { CHANNEL_NUMBER_MAX, CHANNEL_NUMBER_MAX_RFC5766 } from '../wire/channel-data.ts';
import { expandAddress, type HostInterfaces, hostAddressesOf } from './host-addresses.ts';

const HTTPS_PORT = 443;

/**
 * @param configName where the configuration came from, for messages
 * @throws ConfigError where it does not fit this host
 */
export function resolveTurnSettings(
  config: Config,
  configName: string,
  host: HostInterfaces,
  nonceKey: Uint8Array,
): TurnSettings {
  const { turn } = config;
  const hostAddresses = hostAddressesOf(host);
  const listenAddresses = unique(
    turn.listenAddresses.flatMap((address) => expandAddress(address, hostAddresses)),
  );
  const relayTexts = turn.relayAddresses.length > 0 ? turn.relayAddresses.map(canonical) : listenAddresses;
  const external = new Map(
    Object.entries(turn.externalAddresses).map(([inner, outer]) => [canonical(inner), canonical(outer)]),
  );
  const problems = [...external.keys()]
    .filter((inner) => !relayTexts.includes(inner))
    .map((inner) => `turn.externalAddresses: the key must be one of ${relayTexts.join(', ')}: got ${inner}`);
  if (listenAddresses.length === 0) {
    problems.push(
      `turn.listenAddresses: must stand for an address of this host: got ${turn.listenAddresses}`,
    );
  }
  if (problems.length > 0) throw new ConfigError(configName, problems);
  return {
    realm: turn.realm,
    authentication: turn.authentication,
    unauthenticatedBinding: turn.unauthenticatedBinding,
    sharedSecret: turn.sharedSecret ?? undefined,
    nonceKey,
    lifetimeSecondsMax: turn.lifetimeSecondsMax,
    relayPorts: turn.mediaPorts,
    relayAddresses: relayTexts.map((address) => ({ address, external: external.get(address) })),
    listeners: listeners(config, listenAddresses, relayTexts),
    peers: {
      allow: turn.peers.allow.map(prefix),
      deny: turn.peers.deny.map(prefix),
      refusal: turn.peers.refusal,
      ownAddresses: unique([...hostAddresses, ...listenAddresses]),
      ownPorts: unique([
        ...listeningPorts(config).map(([, port]) => port),
        config.admin.http.port,
        config.b2bua.ng.port,
      ]),
    },
    limits: turn.limits,
    channelNumberMax: turn.channelNumbers === 'rfc5766' ? CHANNEL_NUMBER_MAX_RFC5766 : CHANNEL_NUMBER_MAX,
    mediaPolicy: turn.mediaPolicy,
  };
}

/** Every (protocol, port) on which TURN requests are heard. */
function listeningPorts(config: Config): [ListenerSettings['protocol'], number][] {
  const { turn } = config;
  const ports: [ListenerSettings['protocol'], number][] = [];
  for (const port of turnRequestsPorts(turn)) {
    if (turn.protocolMode !== 'tcp') ports.push(['udp', port]);
    if (turn.protocolMode !== 'udp') ports.push(['tcp', port]);
  }
  if (turn.tls) ports.push(['tls', turn.tls.port]);
  // The appliance's "TCP 443 TURN service": TLS where there is a certificate, since 443 is meant to pass for HTTPS.
  if (turn.tcp443) ports.push([turn.tls ? 'tls' : 'tcp', HTTPS_PORT]);
  return ports;
}

function listeners(
  config: Config,
  addresses: readonly string[],
  relays: readonly string[],
): ListenerSettings[] {
  return addresses.flatMap((address) =>
    listeningPorts(config).map(([protocol, port]) => ({
      protocol,
      address,
      port,
      relayIPv4: relayFor(address, relays, false),
      relayIPv6: relayFor(address, relays, true),
    })),
  );
}

/** The relay address for clients of a listener: its own, else one as local as it is, else any; -1 if none. */
function relayFor(listener: string, relays: readonly string[], ipv6: boolean): number {
  const ofFamily = (address: string): boolean => address.includes(':') === ipv6;
  if (ofFamily(listener) && relays.includes(listener)) return relays.indexOf(listener);
  const alike = relays.findIndex((relay) => ofFamily(relay) && isLoopback(relay) === isLoopback(listener));
  return alike >= 0 ? alike : relays.findIndex(ofFamily);
}

function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.');
}

function canonical(address: string): string {
  const bytes = parseAddress(address);
  return bytes ? formatAddress(bytes) : address;
}

/** The configuration has seen to it that it is one. */
function prefix(text: string): Prefix {
  return parsePrefix(text) as Prefix;
}

function unique<Value>(values: readonly Value[]): Value[] {
  return [...new Set(values)];
}
