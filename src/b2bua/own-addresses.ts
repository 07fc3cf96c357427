/** Which transport addresses are ours: media ports of the B2BUA, and relayed addresses of TURN servers we know. */
import type { OwnAddresses } from '../ice/path.ts';
import { formatAddress, parseAddress } from '../wire/address.ts';
import type { PortRange } from '../wire/port-claims.ts';
import type { B2buaSettings, RelayRange } from './settings.ts';

interface Range {
  readonly address: string;
  readonly ports: PortRange;
}

export class KnownAddresses implements OwnAddresses {
  readonly #media: readonly Range[];
  readonly #ownRelays: readonly Range[];
  #peerRelays: readonly Range[] = [];

  constructor({
    zones,
    mediaPorts,
    relayRanges,
  }: Pick<B2buaSettings, 'zones' | 'mediaPorts' | 'relayRanges'>) {
    this.#media = zones.flatMap(({ addresses, multiplexedPorts }) =>
      addresses.flatMap(({ advertised }) =>
        [mediaPorts, ...(multiplexedPorts ? [multiplexedPorts] : [])].map((ports) => ({
          address: canonical(advertised),
          ports,
        })),
      ),
    );
    this.#ownRelays = relayRanges.map(canonicalRange);
  }

  /** Other nodes tell what their TURN servers give out when they are asked; until then nobody knows. */
  setPeerRelays(ranges: readonly RelayRange[]): void {
    this.#peerRelays = ranges.map(canonicalRange);
  }

  isB2bua(address: string, port: number): boolean {
    return isWithin(this.#media, address, port);
  }

  isOwnRelay(address: string, port: number): boolean {
    return isWithin(this.#ownRelays, address, port) || isWithin(this.#peerRelays, address, port);
  }
}

function isWithin(ranges: readonly Range[], address: string, port: number): boolean {
  const wanted = canonical(address);
  return ranges.some(({ address: own, ports }) => own === wanted && port >= ports[0] && port <= ports[1]);
}

function canonicalRange({ address, ports }: RelayRange): Range {
  return { address: canonical(address), ports };
}

function canonical(address: string): string {
  const bytes = parseAddress(address);
  return bytes ? formatAddress(bytes) : address;
}
