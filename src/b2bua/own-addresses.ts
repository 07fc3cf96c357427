/** Which transport addresses are ours: media ports of the B2BUA, and relayed addresses of TURN servers we know. */
import type { OwnAddresses } from '../ice/path.ts';
import { formatAddress, parseAddress } from '../wire/address.ts';
import type { PortRange } from '../wire/port-claims.ts';
import type { B2buaSettings } from './settings.ts';

/** `relayRanges` may be replaced while calls go on: other nodes tell theirs when they are asked. */
export function ownAddresses(
  settings: Pick<B2buaSettings, 'zones' | 'mediaPorts' | 'relayRanges'>,
): OwnAddresses {
  const media = settings.zones.flatMap(({ addresses, multiplexedPorts }) =>
    addresses.flatMap(({ advertised }) =>
      [settings.mediaPorts, ...(multiplexedPorts ? [multiplexedPorts] : [])].map((ports) => ({
        address: canonical(advertised),
        ports,
      })),
    ),
  );
  const relays = settings.relayRanges.map(({ address, ports }) => ({ address: canonical(address), ports }));
  return {
    isB2bua: (address, port) => isWithin(media, address, port),
    isOwnRelay: (address, port) => isWithin(relays, address, port),
  };
}

function isWithin(
  ranges: readonly { readonly address: string; readonly ports: PortRange }[],
  address: string,
  port: number,
): boolean {
  const wanted = canonical(address);
  return ranges.some(({ address: own, ports }) => own === wanted && port >= ports[0] && port <= ports[1]);
}

function canonical(address: string): string {
  const bytes = parseAddress(address);
  return bytes ? formatAddress(bytes) : address;
}
