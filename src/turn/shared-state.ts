/**
 * What the workers of a node must agree on, in one block of shared memory: how many relays there are
 * (in all, per user, per client address), which relay ports are taken, which ports are reserved for a
 * RESERVATION-TOKEN, and how many unauthenticated replies a host has had this second.
 *
 * All of it is control plane: touched when an allocation comes or goes, never per relayed packet.
 */

import { PortClaims } from '../wire/port-claims.ts';
import { Quota } from './quota.ts';
import { ReplyRate } from './reply-rate.ts';
import { Reservations } from './reservations.ts';
import type { TurnSettings } from './settings.ts';

export class TurnSharedState {
  readonly buffer: ArrayBufferLike;
  readonly quota: Quota;
  readonly portClaims: PortClaims;
  readonly reservations: Reservations;
  readonly replyRate: ReplyRate;

  /** `buffer`: {@link TurnSharedState.bytes} zeroed bytes; a SharedArrayBuffer where there are several workers. */
  constructor(settings: TurnSettings, buffer: ArrayBufferLike, hashSeed: number) {
    this.buffer = buffer;
    let word = 0;
    const region = (words: number): Int32Array => {
      const view = new Int32Array(buffer, word * 4, words);
      word += words;
      return view;
    };
    this.quota = new Quota(region(Quota.words(settings.limits)), settings.limits, hashSeed);
    this.portClaims = new PortClaims(region(portClaimWords(settings)), settings.relayPorts);
    this.reservations = new Reservations(region(Reservations.words(settings.limits)));
    this.replyRate = new ReplyRate(
      region(ReplyRate.words()),
      settings.limits.unauthenticatedRepliesPerSecond,
      hashSeed,
    );
  }

  static bytes(settings: TurnSettings): number {
    return (
      4 *
      (Quota.words(settings.limits) +
        portClaimWords(settings) +
        Reservations.words(settings.limits) +
        ReplyRate.words())
    );
  }
}

function portClaimWords({ relayPorts, relayAddresses }: TurnSettings): number {
  return PortClaims.words(relayPorts, relayAddresses.length);
}
