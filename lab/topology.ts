/**
 * The lab's picture of an MRA deployment: places, their addresses, and what stands between them. Both networks,
 * the one of namespaces and the simulated one, are built from this.
 *
 *   homeA  .11 ─┐
 *               ├─ gatewayA ─┐                              ┌─ core  .20  B2BUA, passthrough, metrics
 *   homeA2 .12 ─┘            │                              │
 *                            ├─ (internet) ── edge (DMZ) ───┼─ desk  .30  a phone in the office
 *   homeB  .11 ── gatewayB ──┤        TURN, media relay     │
 *                            │                              └─ operator .40  the lab itself
 *   internet .50 ────────────┘
 *   192.168.1.0/24, 192.168.2.0/24   203.0.113.0/24, 192.0.2.0/24, 198.51.100.0/24   10.10.0.0/24
 *
 * The internet routes public addresses only. The edge does not forward: only what it relays crosses it.
 */

/** Places where programs run. */
export type PlaceName = 'edge' | 'core' | 'desk' | 'internet' | 'homeA' | 'homeA2' | 'homeB';

/** Places of phones. */
export type PhonePlace = Exclude<PlaceName, 'edge' | 'core'>;

export interface Place {
  /** IPv4; the edge has one towards the internet and one towards the office. */
  readonly addresses: readonly [string, ...string[]];
  /** The gateway before it. */
  readonly home?: HomeName;
  /** UDP ports of phones here; a home's two phones have different ones, since their gateway keeps ports. */
  readonly phonePorts?: readonly [first: number, last: number];
}

export const PLACES: Readonly<Record<PlaceName, Place>> = {
  edge: { addresses: ['198.51.100.10', '10.10.0.10'] },
  core: { addresses: ['10.10.0.20'] },
  desk: { addresses: ['10.10.0.30'], phonePorts: [40_000, 43_999] },
  internet: { addresses: ['192.0.2.50'], phonePorts: [40_000, 43_999] },
  homeA: { addresses: ['192.168.1.11'], home: 'A', phonePorts: [40_000, 43_999] },
  homeA2: { addresses: ['192.168.1.12'], home: 'A', phonePorts: [44_000, 47_999] },
  homeB: { addresses: ['192.168.2.11'], home: 'B', phonePorts: [40_000, 43_999] },
};

export type HomeName = 'A' | 'B';

export interface Home {
  readonly lanAddress: string;
  /** What the gateway is known by outside: the first, until its address changes; then the next, in a ring. */
  readonly wanAddresses: readonly [string, ...string[]];
}

export const HOMES: Readonly<Record<HomeName, Home>> = {
  A: { lanAddress: '192.168.1.1', wanAddresses: ['203.0.113.2', '203.0.113.3', '203.0.113.4'] },
  B: { lanAddress: '192.168.2.1', wanAddresses: ['203.0.113.18', '203.0.113.19', '203.0.113.20'] },
};

/** Of the lab itself, which asks the nodes' admin servers. */
export const OPERATOR_ADDRESS = '10.10.0.40';

/**
 * How a home's gateway treats UDP (RFC 4787). None hairpins, all let TCP out.
 * - `endpoint-independent`: one mapping for all destinations, and anyone may send to it
 * - `port-restricted`: the same mapping, but only an address and port that was sent to may answer; most homes
 * - `symmetric`: address-and-port-dependent, mapping and filtering: a new random port for each destination
 * - `udp-blocked`: no UDP passes
 */
export const NAT_KINDS = ['endpoint-independent', 'port-restricted', 'symmetric', 'udp-blocked'] as const;

export type NatKind = (typeof NAT_KINDS)[number];

export const PLACE_NAMES: readonly PlaceName[] = Object.keys(PLACES) as PlaceName[];
export const HOME_NAMES: readonly HomeName[] = Object.keys(HOMES) as HomeName[];
