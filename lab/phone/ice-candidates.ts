/** Candidates of an ICE agent, how they rank (RFC 8445 §5.1.2), and where an agent sends from. */
import type { TransportAddress } from './protocol.ts';

export type AgentCandidateType = 'host' | 'srflx' | 'prflx' | 'relay';

export interface AgentCandidate {
  readonly component: number;
  readonly type: AgentCandidateType;
  readonly place: TransportAddress;
  readonly priority: number;
}

export interface AgentCredentials {
  readonly ufrag: string;
  readonly pwd: string;
}

/** A way out, on which checks and media are sent and heard. Sending never throws. */
export interface Base {
  readonly kind: 'host' | 'relay';
  /** The address that candidates of it have. */
  readonly place: TransportAddress;
  send(bytes: Uint8Array, to: TransportAddress): void;
}

export type OnPacket = (base: Base, bytes: Buffer, from: TransportAddress) => void;

/** The bases of one component. */
export interface Bases {
  readonly host: Base;
  readonly relay: Base | undefined;
  /** What the TURN server saw the host's packets come from. */
  readonly mapped: TransportAddress | undefined;
  onPacket: OnPacket;
  /**
   * Lets a peer send to the relay.
   * @param onPermitted called at once, later, or never where the TURN server refuses the peer
   */
  permit(peer: TransportAddress, onPermitted: () => void): void;
  /** Has the relay send to the peer by a channel. */
  bindChannel(peer: TransportAddress): void;
  close(): void;
}

/** RFC 8445 §5.1.2.2. */
const TYPE_PREFERENCE = { host: 126, prflx: 110, srflx: 100, relay: 0 } as const;

/** RFC 8445 §5.1.2.1, with one address an agent. */
export function priorityOf(type: AgentCandidateType, component: number): number {
  return TYPE_PREFERENCE[type] * 2 ** 24 + 65_535 * 2 ** 8 + (256 - component);
}

/** The default candidate (RFC 8445 §5.1.4): the likeliest to be reached. Undefined where there are none. */
export function defaultCandidate(candidates: readonly AgentCandidate[]): AgentCandidate | undefined {
  const preferred = ['relay', 'srflx', 'host'];
  return [...candidates].sort((a, b) => preferred.indexOf(a.type) - preferred.indexOf(b.type))[0];
}

export function isIPv6({ address }: TransportAddress): boolean {
  return address.includes(':');
}

/** Names (mDNS) are not resolved here. */
export function isAddress(address: string): boolean {
  return address.includes(':') || /^\d+(\.\d+){3}$/.test(address);
}
