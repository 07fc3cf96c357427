/**
 * Places where endpoints live on the simulated network: a home or an office behind a NAT of selectable
 * behaviour (RFC 4787), behind a firewall, or the open internet. What leaves a site by a private address, or for
 * one, is lost, as it is in the world.
 */
import type { Place, SimNetwork, SimSocket } from './sim-network.ts';

/** What a mapping is kept apart by, and who gets in by it (RFC 4787 §4.1, §5). */
export type NatDependence = 'endpoint-independent' | 'address-dependent' | 'address-and-port-dependent';

export interface NatOptions {
  /** Public address. */
  readonly address: string;
  readonly mapping: NatDependence;
  readonly filtering: NatDependence;
}

export interface SiteOptions {
  /** What the site's addresses begin with: `192.168.1.`. */
  readonly prefix: string;
  /** Undefined: none, the addresses are public. */
  readonly nat?: NatOptions;
  /** What its firewall lets out; the default lets everything. */
  readonly lets?: (to: Place) => boolean;
  /** Nodes of ours have an address in the site, and reach its hosts. */
  readonly hasNode?: boolean;
}

type Receive = (bytes: Uint8Array, from: Place) => void;

/** A UDP socket of a host. */
export interface SiteSocket {
  readonly place: Place;
  send(bytes: Uint8Array, to: Place): void;
  close(): void;
}

/** One row of a NAT. */
interface Mapping {
  readonly outside: SimSocket;
  /** Whom the inside has sent to by it. */
  readonly addresses: Set<string>;
  readonly places: Set<string>;
}

const LAN_MS = 1;
const FIRST_NAT_PORT = 50_000;
/** Apart, so that nobody guesses the next port of a symmetric NAT. */
const NAT_PORT_STEP = 37;

export class SimSite {
  readonly nat: NatOptions | undefined;
  readonly #network: SimNetwork;
  readonly #options: SiteOptions;
  readonly #hosts = new Map<string, Receive>();
  readonly #mappings = new Map<string, Mapping>();
  #ports = 0;

  constructor(network: SimNetwork, options: SiteOptions) {
    this.#network = network;
    this.#options = options;
    this.nat = options.nat;
  }

  /** Opens a socket of a host; throws if the port is taken. */
  bind(place: Place, receive: Receive): SiteSocket {
    const key = placeText(place);
    if (!place.address.startsWith(this.#options.prefix)) throw new Error(`${key} is not of the site`);
    if (this.#hosts.has(key)) throw new Error(`${key} is taken`);
    this.#hosts.set(key, receive);
    // Without a NAT the address is the network's, and so it is for a node beside the host.
    const isShown = this.nat === undefined || this.#options.hasNode === true;
    const shown = isShown ? this.#bound(place, receive) : undefined;
    return {
      place,
      send: (bytes, to) => this.#send(place, shown, bytes, to),
      close: () => {
        this.#hosts.delete(key);
        if (shown) this.#network.unbind(shown);
      },
    };
  }

  /** The NAT forgets all it knows, and goes on with other ports: it was started anew. */
  restart(): void {
    for (const { outside } of this.#mappings.values()) this.#network.unbind(outside);
    this.#mappings.clear();
  }

  #send(from: Place, shown: SimSocket | undefined, bytes: Uint8Array, to: Place): void {
    const isLocal = to.address.startsWith(this.#options.prefix);
    if (isLocal && !shown) {
      const packet = Uint8Array.from(bytes);
      this.#network.after(LAN_MS, () => this.#hosts.get(placeText(to))?.(packet, from));
      return;
    }
    if (!isLocal && (isPrivate(to.address) || this.#options.lets?.(to) === false)) return;
    if (this.nat === undefined || isLocal) {
      if (shown) this.#network.send(shown, bytes, to);
      return;
    }
    if (to.address === this.nat.address) return; // no hairpinning
    const mapping = this.#mapping(this.nat, from, to);
    mapping.addresses.add(to.address);
    mapping.places.add(placeText(to));
    this.#network.send(mapping.outside, bytes, to);
  }

  #mapping(nat: NatOptions, from: Place, to: Place): Mapping {
    const key = `${placeText(from)} ${dependence(nat.mapping, to)}`;
    const known = this.#mappings.get(key);
    if (known) return known;
    const place = { address: nat.address, port: FIRST_NAT_PORT + NAT_PORT_STEP * this.#ports++ };
    const addresses = new Set<string>();
    const places = new Set<string>();
    const outside = this.#bound(place, (bytes, source) => {
      const isWelcome =
        nat.filtering === 'endpoint-independent' ||
        (nat.filtering === 'address-dependent'
          ? addresses.has(source.address)
          : places.has(placeText(source)));
      if (isWelcome) this.#hosts.get(placeText(from))?.(bytes, source);
    });
    const mapping = { outside, addresses, places };
    this.#mappings.set(key, mapping);
    return mapping;
  }

  #bound(place: Place, receive: Receive): SimSocket {
    const socket = this.#network.bind(place, { receive });
    if (!socket) throw new Error(`${placeText(place)} is taken`);
    return socket;
  }
}

/** `192.0.2.1:5000`, `[2001:db8::1]:5000`. */
export function placeText({ address, port }: Place): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** RFC 1918, as the tests use it. */
function isPrivate(address: string): boolean {
  return /^(10|192\.168|172\.16)\./.test(address);
}

function dependence(kind: NatDependence, to: Place): string {
  if (kind === 'endpoint-independent') return '';
  return kind === 'address-dependent' ? to.address : placeText(to);
}
