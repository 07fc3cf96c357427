/** A home's gateway in the simulated network: what it is set to do, and what it does with each packet. Pure. */
import type { TransportAddress } from '../../phone/protocol.ts';
import { HOMES, type HomeName, type NatKind, PLACE_NAMES, PLACES } from '../../topology.ts';
import { Nat, type NatBehaviour, type OpenPorts } from './nat.ts';
import { seededRandom } from './seeded-random.ts';

/** Why a packet ends at the gateway. */
export type GatewayDrop = 'blocked' | 'lost' | 'hairpin' | 'filtered';

const BEHAVIOURS: Readonly<Record<NatKind, NatBehaviour>> = {
  'endpoint-independent': {
    mapping: 'endpoint-independent',
    filtering: 'endpoint-independent',
    keepsPorts: true,
  },
  'port-restricted': {
    mapping: 'endpoint-independent',
    filtering: 'address-and-port-dependent',
    keepsPorts: true,
  },
  symmetric: {
    mapping: 'address-and-port-dependent',
    filtering: 'address-and-port-dependent',
    keepsPorts: false,
  },
  // No UDP comes to it.
  'udp-blocked': {
    mapping: 'endpoint-independent',
    filtering: 'address-and-port-dependent',
    keepsPorts: true,
  },
};

export class Gateway {
  readonly #home: HomeName;
  readonly #randomPort: () => number;
  /** Of its own, so that the same packets are lost whatever the NAT draws. */
  readonly #randomLoss: () => number;
  #kind: NatKind = 'endpoint-independent';
  #wanAddress: string;
  #lossPercent = 0;
  #datagrams: Nat;
  /** TCP comes out of every kind, and nothing comes in. */
  #streams: Nat;

  constructor(home: HomeName, seed: number) {
    this.#home = home;
    this.#randomPort = seededRandom(seed);
    this.#randomLoss = seededRandom(seed + 1);
    this.#wanAddress = HOMES[home].wanAddresses[0];
    this.#datagrams = this.#newNat();
    this.#streams = this.#newNat([]);
  }

  /** What the home is known by outside. */
  get wanAddress(): string {
    return this.#wanAddress;
  }

  /** A datagram from inside: the source it leaves with. */
  outgoing(from: TransportAddress, to: TransportAddress): TransportAddress | GatewayDrop {
    if (this.#kind === 'udp-blocked') return 'blocked';
    if (to.address === this.#wanAddress) return 'hairpin';
    // Before the NAT: a lost packet opens nothing.
    if (this.#loses()) return 'lost';
    return { address: this.#wanAddress, port: this.#datagrams.outgoing(from, to) };
  }

  /** A datagram from outside to a port of its public address: the socket inside it is for. */
  incoming(port: number, from: TransportAddress): TransportAddress | GatewayDrop {
    if (this.#kind === 'udp-blocked') return 'blocked';
    const inside = this.#datagrams.incoming(port, from);
    if (!inside) return 'filtered';
    return this.#loses() ? 'lost' : inside;
  }

  /** The source that a TCP connection from inside has outside. */
  outgoingStream(from: TransportAddress, to: TransportAddress): TransportAddress {
    return { address: this.#wanAddress, port: this.#streams.outgoing(from, to) };
  }

  /** Forgets the UDP mappings where the kind changes; TCP goes on. */
  setNat(kind: NatKind): void {
    if (kind === this.#kind) return;
    this.#kind = kind;
    this.#datagrams = this.#newNat();
  }

  /** Takes its next public address and forgets all mappings. */
  rebind(): string {
    const { wanAddresses } = HOMES[this.#home];
    const next = wanAddresses[(wanAddresses.indexOf(this.#wanAddress) + 1) % wanAddresses.length];
    this.#wanAddress = next ?? wanAddresses[0];
    this.#datagrams.forget();
    this.#streams.forget();
    return this.#wanAddress;
  }

  /** @throws RangeError where it is no percentage */
  setLoss(percent: number): void {
    if (!(percent >= 0 && percent <= 100)) throw new RangeError(`loss must be 0 to 100 %: got ${percent}`);
    this.#lossPercent = percent;
  }

  #loses(): boolean {
    return this.#lossPercent > 0 && this.#randomLoss() * 100 < this.#lossPercent;
  }

  #newNat(open: readonly OpenPorts[] = this.#openPorts()): Nat {
    return new Nat(BEHAVIOURS[this.#kind], this.#randomPort, open);
  }

  /** The phones' own, where anyone may send to them: even before they have sent, as with a static mapping. */
  #openPorts(): OpenPorts[] {
    if (this.#kind !== 'endpoint-independent') return [];
    return PLACE_NAMES.flatMap((name) => {
      const { addresses, phonePorts, home } = PLACES[name];
      return home === this.#home && phonePorts ? [{ address: addresses[0], ports: phonePorts }] : [];
    });
  }
}
