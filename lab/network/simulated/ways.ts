/** Which way a packet of a place goes, by the topology. Pure. */
import { HOME_NAMES, HOMES, type HomeName, PLACE_NAMES, PLACES, type PlaceName } from '../../topology.ts';

export type Way =
  /** Within a LAN, or to an address of its own; undefined: nobody has the address. */
  | { readonly by: 'lan'; readonly place: PlaceName | undefined }
  | { readonly by: 'gateway'; readonly home: HomeName }
  | { readonly by: 'internet' }
  | { readonly by: 'none' };

export function wayOut(place: PlaceName, to: string): Way {
  const { addresses, home } = PLACES[place];
  if (addresses.includes(to)) return { by: 'lan', place };
  if (addresses.some((address) => isPrivate(address) && netOf(address) === netOf(to)))
    return { by: 'lan', place: PLACE_NAMES.find((name) => PLACES[name].addresses.includes(to)) };
  if (isPrivate(to)) return { by: 'none' };
  if (home !== undefined) return { by: 'gateway', home };
  return addresses.some((address) => !isPrivate(address)) ? { by: 'internet' } : { by: 'none' };
}

/** The address that a place sends from by itself: one of the destination's net, else its first. */
export function sourceAddress(place: PlaceName, to: string): string {
  const { addresses } = PLACES[place];
  if (addresses.includes(to)) return to;
  return addresses.find((address) => netOf(address) === netOf(to)) ?? addresses[0];
}

/** A place on the internet itself. */
export function isPublicHost(address: string): boolean {
  return !isPrivate(address) && PLACE_NAMES.some((name) => PLACES[name].addresses.includes(address));
}

/** Whether a home has this public address, now or at another time. */
export function isOfHome(address: string): boolean {
  return HOME_NAMES.some((name) => HOMES[name].wanAddresses.includes(address));
}

/** RFC 1918, as far as the topology uses it. */
export function isPrivate(address: string): boolean {
  return /^(10|192\.168)\./.test(address);
}

/** All its LANs are of 24 bits. */
function netOf(address: string): string {
  return address.slice(0, address.lastIndexOf('.'));
}
