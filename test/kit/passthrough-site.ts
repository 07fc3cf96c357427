/**
 * Places where endpoints live on the simulated network: a home or an office behind a NAT of selectable
 * behaviour (RFC 4787), behind a firewall, or the open internet. What leaves a site by a private address, or for
 * one, is lost, as it is in the world.
 */

import { Nat, type NatBehaviour } from '../../lab/network/simulated/nat.ts';
import { seededRandom } from '../../lab/network/simulated/seeded-random.ts';
import { transportText } from '../../lab/phone/transport-address.ts';
import type { Place, SimNetwork, SimSocket } from './sim-network.ts';

export type NatDependence = NatBehaviour['mapping'];

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

const LAN_MS = 1;
/** Of the ports of a NAT. */
const NAT_SEED = 4787;

export class SimSite {
  readonly nat: NatOptions | undefined;
  readonly #network: SimNetwork;
  readonly #options: SiteOptions;
  readonly #hosts = new Map<string, Receive>();
  readonly #translator: Nat | undefined;
  /** Of the NAT, by their ports. */
  readonly #outside = new Map<number, SimSocket>();

  constructor(network: SimNetwork, options: SiteOptions) {
    this.#network = network;
    this.#options = options;
    this.nat = options.nat;
    // No kept ports: that a mapping is not the host's own port must not escape a test.
    const behaviour = options.nat && { ...options.nat, keepsPorts: false };
    this.#translator = behaviour && new Nat(behaviour, seededRandom(NAT_SEED));
  }

  /** Opens a socket of a host; throws if the port is taken. */
  bind(place: Place, receive: Receive): SiteSocket {
    const key = transportText(place);
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
    for (const socket of this.#outside.values()) this.#network.unbind(socket);
    this.#outside.clear();
    this.#translator?.forget();
  }

  #send(from: Place, shown: SimSocket | undefined, bytes: Uint8Array, to: Place): void {
    const isLocal = to.address.startsWith(this.#options.prefix);
    if (isLocal && !shown) {
      const packet = Uint8Array.from(bytes);
      this.#network.after(LAN_MS, () => this.#hosts.get(transportText(to))?.(packet, from));
      return;
    }
    if (!isLocal && (isPrivate(to.address) || this.#options.lets?.(to) === false)) return;
    const { nat } = this;
    const translator = this.#translator;
    if (!nat || !translator || isLocal) {
      if (shown) this.#network.send(shown, bytes, to);
      return;
    }
    if (to.address === nat.address) return; // no hairpinning
    const port = translator.outgoing(from, to);
    this.#network.send(this.#outsideSocket({ address: nat.address, port }, translator), bytes, to);
  }

  #outsideSocket(place: Place, translator: Nat): SimSocket {
    const known = this.#outside.get(place.port);
    if (known) return known;
    const socket = this.#bound(place, (bytes, source) => {
      const inside = translator.incoming(place.port, source);
      if (inside) this.#hosts.get(transportText(inside))?.(bytes, source);
    });
    this.#outside.set(place.port, socket);
    return socket;
  }

  #bound(place: Place, receive: Receive): SimSocket {
    const socket = this.#network.bind(place, { receive });
    if (!socket) throw new Error(`${transportText(place)} is taken`);
    return socket;
  }
}

/** RFC 1918, as the tests use it. */
function isPrivate(address: string): boolean {
  return /^(10|192\.168|172\.16)\./.test(address);
}
