/**
 * Which peers a relay may talk to. By default nothing that is not a public unicast address: a TURN
 * server sits at the edge, and its clients must not reach what is behind it through it.
 *
 * Order of judgement: this node's own listening ports (never), `deny`, `allow`, own addresses (relay
 * ports, which relay-to-relay calls need, and media ports of the B2BUA), then the default refusals. An IPv6 address that carries
 * an IPv4 address is also judged by the one inside (CVE-2020-26262 and its kind).
 */
import { type Prefix, parsePrefix, prefixContains } from '../wire/address.ts';
import type { EndpointBook } from '../wire/endpoint.ts';
import type { TurnSettings } from './settings.ts';

/** The peer may be sent to and heard from. */
export const PEER_ALLOWED = 0;
/** An own relay, or an own address of which the port is not known yet. */
export const PEER_OWN_RELAY = 1;
/**
 * An own address but no relay port: granted, since an address may be, but nothing passes, unless the port is
 * at that moment one of the B2BUA's (`TurnParts.isOwnMedia`).
 */
export const PEER_OWN_HOST = 2;
/** The same, opened by `allow`: any port of it may be sent to and heard from. */
export const PEER_OWN_HOST_ALLOWED = 3;
export const PEER_FORBIDDEN = 4;

/** Refused unless allowed by name (IANA special-purpose registries; RFC 6890). */
export const DEFAULT_DENIED = [
  '0.0.0.0/8', // this network
  '10.0.0.0/8', // RFC 1918
  '100.64.0.0/10', // shared address space (CGNAT)
  '127.0.0.0/8', // loopback
  '169.254.0.0/16', // link local, with the clouds' metadata services
  '172.16.0.0/12', // RFC 1918
  '192.0.0.0/24', // IETF protocol assignments
  '192.88.99.0/24', // 6to4 relay anycast, deprecated
  '192.168.0.0/16', // RFC 1918
  '198.18.0.0/15', // benchmarking
  '224.0.0.0/4', // multicast
  '240.0.0.0/4', // reserved, with limited broadcast
  '::/128', // unspecified
  '::1/128', // loopback
  '64:ff9b:1::/48', // local-use NAT64 (RFC 8215), with IPv4 at whichever place of RFC 6052 a site chose
  '100::/64', // discard only
  'fc00::/7', // unique local
  'fe80::/10', // link local
  'fec0::/10', // site local, deprecated
  'ff00::/8', // multicast
] as const;

/** Where an IPv6 prefix carries an IPv4 address, and whether it is inverted. */
const EMBEDDED_IPV4: readonly { prefix: string; at: number; inverted?: boolean }[] = [
  { prefix: '::ffff:0:0/96', at: 12 }, // IPv4-mapped
  { prefix: '::ffff:0:0:0/96', at: 12 }, // IPv4-translated (RFC 2765)
  { prefix: '::/96', at: 12 }, // IPv4-compatible, deprecated
  { prefix: '64:ff9b::/96', at: 12 }, // NAT64 (RFC 6052)
  { prefix: '64:ff9b:1::/48', at: 12 }, // local-use NAT64 (RFC 8215), as /96
  { prefix: '2002::/16', at: 2 }, // 6to4
  { prefix: '2001::/32', at: 12, inverted: true }, // Teredo: the client
  { prefix: '2001::/32', at: 4 }, // Teredo: the server
];

export class PeerFilter {
  readonly #allow: readonly Prefix[];
  readonly #deny: readonly Prefix[];
  readonly #own: readonly Prefix[];
  readonly #ownPorts: readonly number[];
  readonly #relayPorts: readonly [number, number];

  constructor(settings: Pick<TurnSettings, 'peers' | 'relayPorts' | 'relayAddresses'>) {
    const own = settings.relayAddresses.flatMap(({ address, external }) => [address, external ?? address]);
    this.#allow = settings.peers.allow;
    this.#deny = settings.peers.deny;
    this.#own = prefixes([...settings.peers.ownAddresses, ...own]);
    this.#ownPorts = settings.peers.ownPorts;
    this.#relayPorts = settings.relayPorts;
  }

  /** Judges an address alone, as CreatePermission names it. */
  judgeAddress(book: EndpointBook, row: number): number {
    const address = book.address(row);
    if (within(this.#deny, address)) return PEER_FORBIDDEN;
    // One address inside another decides for both: a mapped form must not open or evade anything.
    for (const inner of embedded(address)) {
      if (within(this.#deny, inner) || within(this.#own, inner)) return PEER_FORBIDDEN;
      if (!within(this.#allow, inner) && within(DEFAULTS, inner)) return PEER_FORBIDDEN;
    }
    if (within(this.#own, address)) return PEER_OWN_RELAY;
    if (within(this.#allow, address)) return PEER_ALLOWED;
    return within(DEFAULTS, address) ? PEER_FORBIDDEN : PEER_ALLOWED;
  }

  /** Judges address and port, as ChannelBind names them. */
  judge(book: EndpointBook, row: number): number {
    const verdict = this.judgeAddress(book, row);
    return verdict === PEER_OWN_RELAY ? this.judgeOwnPort(book, row) : verdict;
  }

  /** Judges the port of an address that was judged {@link PEER_OWN_RELAY} without one. */
  judgeOwnPort(book: EndpointBook, row: number): number {
    const port = book.port(row);
    if (this.#ownPorts.includes(port)) return PEER_FORBIDDEN;
    if (port >= this.#relayPorts[0] && port <= this.#relayPorts[1]) return PEER_OWN_RELAY;
    return within(this.#allow, book.address(row)) ? PEER_OWN_HOST_ALLOWED : PEER_OWN_HOST;
  }
}

function prefixes(texts: readonly string[]): Prefix[] {
  return texts.map((text) => {
    const prefix = parsePrefix(text);
    if (!prefix) throw new Error(`own address must be an IP address: got ${text}`);
    return prefix;
  });
}

const DEFAULTS = prefixes(DEFAULT_DENIED);
const CARRIERS = EMBEDDED_IPV4.map(({ prefix, at, inverted }) => ({
  prefix: prefixes([prefix])[0] as Prefix,
  at,
  flip: inverted ? 0xff : 0,
}));

const NEVER_CARRIERS = prefixes(['::/128', '::1/128']);

function within(list: readonly Prefix[], address: Uint8Array): boolean {
  return list.some((prefix) => prefixContains(prefix, address));
}

/** Whether an address (4 or 16 bytes) is none that a relay may reach unless it is allowed by name. */
export function isRefusedByDefault(address: Uint8Array): boolean {
  return within(DEFAULTS, address) || embedded(address).some((inner) => within(DEFAULTS, inner));
}

/** The IPv4 addresses that an IPv6 address carries. `::` and `::1` are themselves, not 0.0.0.0 and 0.0.0.1. */
function embedded(address: Uint8Array): Uint8Array[] {
  if (address.length === 4 || within(NEVER_CARRIERS, address)) return [];
  return CARRIERS.filter(({ prefix }) => prefixContains(prefix, address)).map(({ at, flip }) =>
    address.slice(at, at + 4).map((byte) => byte ^ flip),
  );
}
