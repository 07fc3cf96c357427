/**
 * A network address translator for UDP (RFC 4787), as a table of mappings. Pure: it is told of packets and says what
 * becomes of them; what is random comes from its owner. It never hairpins, as it knows nothing of its own address.
 */
import type { TransportAddress } from '../../phone/protocol.ts';
import { transportText } from '../../phone/transport-address.ts';

/** What a mapping is kept apart by, and who gets in by it (RFC 4787 §4.1, §5). */
export type NatDependence = 'endpoint-independent' | 'address-dependent' | 'address-and-port-dependent';

export interface NatBehaviour {
  readonly mapping: NatDependence;
  readonly filtering: NatDependence;
  /** Whether a source port stays what it is where that is free (§4.2.1); else, and where not, it is a random one. */
  readonly keepsPorts: boolean;
}

/** Ports that are always mapped to themselves at one host, and open to anyone. */
export interface OpenPorts {
  readonly address: string;
  readonly ports: readonly [first: number, last: number];
}

interface Mapping {
  readonly key: string;
  readonly inside: TransportAddress;
  readonly outsidePort: number;
  /** Whom the inside has sent to by it, as far as the filter tells them apart. */
  readonly sentTo: Set<string>;
  /** Grows with every packet out. */
  lastUse: number;
}

/** Not the well-known ports (§4.2.2). */
const FIRST_RANDOM_PORT = 1024;
const LAST_PORT = 65_535;

export class Nat {
  readonly #behaviour: NatBehaviour;
  readonly #random: () => number;
  readonly #open: readonly OpenPorts[];
  readonly #byInside = new Map<string, Mapping>();
  readonly #byPort = new Map<number, Mapping>();
  #uses = 0;

  /** `random`: from 0 to less than 1. */
  constructor(behaviour: NatBehaviour, random: () => number, open: readonly OpenPorts[] = []) {
    this.#behaviour = behaviour;
    this.#random = random;
    this.#open = open;
  }

  /** A packet from inside: the port it leaves by. */
  outgoing(from: TransportAddress, to: TransportAddress): number {
    const mapping = this.#mapping(from, to);
    mapping.sentTo.add(dependence(this.#behaviour.filtering, to));
    mapping.lastUse = ++this.#uses;
    return mapping.outsidePort;
  }

  /** A packet from outside: whom it is for; undefined where nobody is, or the filter keeps it out. */
  incoming(port: number, from: TransportAddress): TransportAddress | undefined {
    const open = this.#openAt(port);
    if (open) return { address: open.address, port };
    const mapping = this.#byPort.get(port);
    return mapping?.sentTo.has(dependence(this.#behaviour.filtering, from)) ? mapping.inside : undefined;
  }

  /** All mappings are gone; the open ports stay. */
  forget(): void {
    this.#byInside.clear();
    this.#byPort.clear();
  }

  #mapping(inside: TransportAddress, to: TransportAddress): Mapping {
    const key = `${transportText(inside)} ${dependence(this.#behaviour.mapping, to)}`;
    const known = this.#byInside.get(key);
    if (known) return known;
    const mapping = {
      key,
      inside,
      outsidePort: this.#choosePort(inside),
      sentTo: new Set<string>(),
      lastUse: 0,
    };
    this.#byInside.set(key, mapping);
    this.#byPort.set(mapping.outsidePort, mapping);
    return mapping;
  }

  #choosePort(inside: TransportAddress): number {
    if (this.#behaviour.keepsPorts && this.#isFree(inside.port, inside.address)) return inside.port;
    const span = LAST_PORT - FIRST_RANDOM_PORT + 1;
    const start = Math.floor(this.#random() * span);
    for (let i = 0; i < span; i++) {
      const port = FIRST_RANDOM_PORT + ((start + i) % span);
      if (this.#isFree(port)) return port;
    }
    return this.#takeFromIdlest();
  }

  /** `address`: of the host that wants it; an open port is free to its own host alone. */
  #isFree(port: number, address?: string): boolean {
    if (this.#byPort.has(port)) return false;
    const open = this.#openAt(port);
    return open === undefined || open.address === address;
  }

  #openAt(port: number): OpenPorts | undefined {
    return this.#open.find(({ ports: [first, last] }) => port >= first && port <= last);
  }

  #takeFromIdlest(): number {
    let idlest: Mapping | undefined;
    for (const mapping of this.#byPort.values()) {
      if (mapping.lastUse < (idlest?.lastUse ?? Number.POSITIVE_INFINITY)) idlest = mapping;
    }
    if (!idlest) throw new Error('a NAT has no port at all: its open ports are all there are');
    this.#byInside.delete(idlest.key);
    this.#byPort.delete(idlest.outsidePort);
    return idlest.outsidePort;
  }
}

function dependence(kind: NatDependence, to: TransportAddress): string {
  if (kind === 'endpoint-independent') return '';
  return kind === 'address-dependent' ? to.address : transportText(to);
}
