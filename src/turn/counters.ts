/** What a TURN core counts, and every reason for which it drops or refuses. Indexes: see `wire/counters`. */
import { indexed } from '../wire/counters.ts';

export const TURN_COUNTER_NAMES = [
  // Gauges of this worker.
  'allocations',
  'permissions',
  'channels',
  // Life of allocations.
  'allocationsCreated',
  'allocationsDeleted',
  'allocationsExpired',
  'allocationsRevoked',
  'allocationsClosed',
  // Relayed data, payload bytes without TURN framing.
  'clientToPeerPackets',
  'clientToPeerBytes',
  'peerToClientPackets',
  'peerToClientBytes',
  /** Of those, packets handed from one allocation to another inside the process. */
  'shortcutPackets',
  'icmpIndications',
  // Requests by method, and answers.
  'requestBinding',
  'requestAllocate',
  'requestRefresh',
  'requestCreatePermission',
  'requestChannelBind',
  'requestOther',
  'responseSuccess',
  'responseRepeated',
  'error400',
  'error401',
  'error403',
  'error420',
  'error437',
  'error438',
  'error440',
  'error441',
  'error442',
  'error443',
  'error486',
  'error508',
  // Why authentication failed.
  'authMissing',
  'authMalformed',
  'authStaleNonce',
  'authUnknownUser',
  'authExpiredUser',
  'authWrongPassword',
  'authBidDown',
  // Why a packet or message was dropped without an answer.
  'dropEmpty',
  'dropNotTurn',
  'dropMalformedStun',
  'dropBadFingerprint',
  'dropUnexpectedClass',
  'dropUnknownIndication',
  'dropNoAllocation',
  'dropBadChannelData',
  'dropUnknownChannel',
  'dropNoPermission',
  'dropPeerForbidden',
  'dropPeerOwnHost',
  'dropPeerFamily',
  'dropNotMedia',
  'dropTooLarge',
  'dropRateLimited',
] as const;

export type TurnCounterName = (typeof TURN_COUNTER_NAMES)[number];

export const TURN: Readonly<Record<TurnCounterName, number>> = indexed(TURN_COUNTER_NAMES);
