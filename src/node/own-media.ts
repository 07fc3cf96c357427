/**
 * The B2BUA's media ports as peers of the relays of the same host. A phone whose media can only leave by a
 * relay must reach the B2BUA by it, while everything else on the host stays out of a relay's reach.
 */
import type { ZoneAddress } from '../b2bua/settings.ts';
import { B2buaSharedState } from '../b2bua/shared-state.ts';
import { isRefusedByDefault } from '../turn/peer-filter.ts';
import type { TurnSettings } from '../turn/settings.ts';
import { parseAddress } from '../wire/address.ts';
import type { EndpointBook } from '../wire/endpoint.ts';
import type { PortClaims } from '../wire/port-claims.ts';
import type { B2buaPart } from './worker-messages.ts';

interface MediaAddress {
  /** Row of the address, of no port. */
  readonly row: number;
  /** Place among the addresses of the port claims. */
  readonly place: number;
  /** Ports on it that calls share: open as long as the node runs. */
  readonly multiplexedPorts: readonly number[];
}

/**
 * A function for `TurnParts.isOwnMedia`: whether a row of the book is a media port that some call has open
 * now. A port counts from just before its socket opens until just after it closes.
 *
 * @param calls the parts of all workers with calls, of which each has its own multiplexed ports
 */
export function ownMedia(
  calls: readonly B2buaPart[],
  turn: Pick<TurnSettings, 'relayAddresses'>,
  book: EndpointBook,
): (row: number) => boolean {
  const [first] = calls;
  if (!first) return () => false;
  const claims = new B2buaSharedState(first.settings, first.shared).portClaims;
  const addresses = reachableAddresses(calls, turn).map(({ address, place }): MediaAddress => {
    const row = book.acquire();
    book.setText(row, address, 0);
    return { row, place, multiplexedPorts: multiplexedPortsOf(calls, address) };
  });
  return (row) => {
    for (const address of addresses) if (isOpen(book, claims, address, row)) return true;
    return false;
  };
}

function isOpen(
  book: EndpointBook,
  claims: PortClaims,
  { row: mine, place, multiplexedPorts }: MediaAddress,
  row: number,
): boolean {
  if (!book.sameAddress(mine, row)) return false;
  const port = book.port(row);
  return claims.isClaimed(place, port) || multiplexedPorts.includes(port);
}

/**
 * The media addresses that face those who have relays: relays live there too, or the address has an
 * external one, or is public. Ports of a zone inside, where unencrypted legs take media from whoever is
 * quickest, are no more open to relays than the rest of the inside.
 */
function reachableAddresses(
  calls: readonly B2buaPart[],
  { relayAddresses }: Pick<TurnSettings, 'relayAddresses'>,
): ZoneAddress[] {
  const all = calls.flatMap(({ settings }) => settings.zones.flatMap(({ addresses }) => addresses));
  const facing = all.filter(({ address, advertised }) => {
    const bytes = parseAddress(address);
    const isPublic = bytes !== undefined && !isRefusedByDefault(bytes);
    return isPublic || advertised !== address || relayAddresses.some((relay) => relay.address === address);
  });
  return [...new Map(facing.map((address) => [address.place, address])).values()];
}

function multiplexedPortsOf(calls: readonly B2buaPart[], address: string): number[] {
  return calls.flatMap(({ settings }) =>
    settings.zones.flatMap(({ addresses, multiplexedPorts }) =>
      // The first address is the one that the worker opens them on.
      multiplexedPorts && addresses[0]?.address === address ? multiplexedPorts : [],
    ),
  );
}
