/** What a side has told of its candidates in one generation, and which type an address of it amounts to. */
import { parseAddress } from '../wire/address.ts';
import {
  type CandidateType,
  type OwnAddresses,
  type PathCandidate,
  partsOf,
  type SelectedCandidate,
} from './path.ts';
import { candidateKey, type LineMessage, type Listed, PATH_CANDIDATES_MAX } from './path-message.ts';

interface TransportAddress {
  readonly address: string;
  readonly port: number;
}

/** The candidates of one side of one transport between two ICE restarts (RFC 8445 §9). */
export class Generation {
  #ufrag: string;
  #password: string;
  waivesUpdate = false;
  isLite = false;
  readonly #candidates: Map<string, Listed> = new Map();
  readonly #defaults: Map<number, string> = new Map();

  constructor(ufrag: string, password: string) {
    this.#ufrag = ufrag;
    this.#password = password;
  }

  get ufrag(): string {
    return this.#ufrag;
  }

  /** Both change in a restart; a message in which only one does is taken for one that wanted to change neither (RFC 8839 §4.4.1.1.1). */
  isContinuedBy(ufrag: string, password: string): boolean {
    return ufrag === this.#ufrag || password === this.#password;
  }

  /** Adds what a further message of the generation says; what was told before stays (trickled candidates, RFC 8838). */
  add(line: LineMessage): void {
    if (line.credentials) [this.#ufrag, this.#password] = [line.credentials.ufrag, line.credentials.password];
    this.waivesUpdate = line.waivesUpdate;
    this.isLite = line.isLite;
    for (const [key, listed] of line.candidates) this.#put(key, listed);
    for (const [componentId, place] of line.defaults) this.#defaults.set(componentId, place);
  }

  defaultOf(componentId: number): string | undefined {
    return this.#defaults.get(componentId);
  }

  /** The candidates of a component, their types resolved; without those that the B2BUA lends. */
  candidates(componentId: number, own: OwnAddresses): PathCandidate[] {
    const found: PathCandidate[] = [];
    for (const listed of this.#candidates.values()) {
      if (listed.componentId !== componentId) continue;
      const { type, address } = this.resolve(componentId, listed.place, own);
      if (type !== 'b2bua')
        found.push({ type, address, isOwnRelay: type === 'relay' && isOwnRelay(own, address) });
    }
    return found;
  }

  /** What `place` is, when it is an end of this side. */
  resolve(componentId: number, place: string, own: OwnAddresses): SelectedCandidate {
    const { address, port } = partsOf(place);
    if (own.isB2bua(address, port)) return { type: 'b2bua', address: place };
    const listed = this.#candidates.get(candidateKey(componentId, place));
    if (listed && listed.type !== 'other') return { type: listed.type, address: place };
    const hosts = [...this.#candidates.values()].filter(({ type }) => type === 'host');
    const type = reflexiveType(
      place,
      hosts.map((host) => host.place),
      own,
    );
    return { type, address: place };
  }

  /**
   * The newest word on an address wins, but "peer-reflexive" says less than what was known. When the
   * generation is full, new addresses are not kept.
   */
  #put(key: string, listed: Listed): void {
    const known = this.#candidates.get(key);
    if (!known && this.#candidates.size >= PATH_CANDIDATES_MAX) return;
    if (!known || listed.type !== 'other') this.#candidates.set(key, listed);
  }
}

export function isOwnRelay(own: OwnAddresses, place: string): boolean {
  const { address, port } = partsOf(place);
  return own.isOwnRelay(address, port);
}

/** True for addresses that mean something only within a site: RFC 1918, RFC 6598, RFC 3927, RFC 4193, RFC 4291 §2.5.6. */
export function isSiteLocal(address: string): boolean {
  const bytes = parseAddress(address);
  if (!bytes) return false;
  const [first = 0, second = 0] = bytes;
  if (bytes.length === 16) return (first & 0xfe) === 0xfc || (first === 0xfe && (second & 0xc0) === 0x80);
  if (first === 10 || (first === 192 && second === 168) || (first === 169 && second === 254)) return true;
  return (first === 172 && second >> 4 === 1) || (first === 100 && second >> 6 === 1);
}

/**
 * What a peer-reflexive address of a side amounts to: a relay, if we gave it out; a host, if it has the IP
 * address of a host candidate; else a NAT made it.
 *
 * @param hosts the side's host candidates
 */
export function reflexiveType(place: string, hosts: readonly string[], own: OwnAddresses): CandidateType {
  if (isOwnRelay(own, place)) return 'relay';
  return hosts.some((host) => isSameHost(partsOf(host), partsOf(place))) ? 'host' : 'srflx';
}

/**
 * Of a host candidate that hides behind an mDNS name only the port is known; the same port at an address that
 * no NAT shows to the outside (site-local, or any of IPv6) is taken for it.
 */
function isSameHost(host: TransportAddress, { address, port }: TransportAddress): boolean {
  if (host.address === address) return true;
  if (!host.address.endsWith('.local')) return false;
  return host.port === port && (isSiteLocal(address) || address.includes(':'));
}
