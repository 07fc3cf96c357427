/** An ICE session of a phone, or what is in its place without ICE: the way of media, and what SDP tells. */
import type { AgentCandidate, AgentCredentials } from './ice-candidates.ts';
import type { ReadDescription } from './ice-sdp.ts';
import type { PhoneMedia } from './phone-media.ts';
import type { PhonePorts } from './phone-ports.ts';
import type { PhoneStatus, TransportAddress, TurnAccess } from './protocol.ts';

export interface SessionOptions {
  readonly address: string;
  readonly ports: PhonePorts;
  readonly turn: TurnAccess | undefined;
  readonly isControlling: boolean;
  /** Hears what comes, of either this session or the one before it. */
  readonly media: Pick<PhoneMedia, 'received'>;
}

/** What ICE has selected. */
export interface Conclusion {
  readonly local: AgentCandidate;
  readonly remote: AgentCandidate;
}

export interface PhoneSession {
  readonly ice: PhoneStatus['ice'];
  /** Undefined: this side does not do ICE. */
  readonly credentials: AgentCredentials | undefined;
  readonly iceOptions: string | undefined;
  /** All that were gathered. */
  readonly candidates: readonly AgentCandidate[];
  /** Where it listens by default: RTP, and RTCP where that can have a port of its own. */
  readonly defaults: readonly [TransportAddress, ...TransportAddress[]];
  readonly conclusion: Conclusion | undefined;
  /** There is a way that is known to work. */
  readonly hasWay: boolean;
  /** What the other side says, the first time or again. */
  take(remote: ReadDescription): void;
  /** @returns whether it was sent */
  sendRtp(bytes: Buffer): boolean;
  /** @returns whether it was sent */
  sendRtcp(bytes: Buffer): boolean;
  /** Gives back what it holds. */
  close(): Promise<void>;
}
