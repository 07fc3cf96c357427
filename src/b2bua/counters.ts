/** What a B2BUA core counts, and every reason for which it drops a packet. Indexes: see `wire/counters`. */
import { indexed } from '../wire/counters.ts';

export const B2BUA_COUNTER_NAMES = [
  // Gauges of this worker.
  'calls',
  'mediaPorts',
  // Life of calls, by how they ended.
  'callsCreated',
  'callsDeleted',
  'callsMediaTimeout',
  'callsOfferTimeout',
  'callsClosed',
  // Commands.
  'ngOffers',
  'ngAnswers',
  'ngDeletes',
  'ngOtherCommands',
  'ngErrors',
  // Packets forwarded from leg to leg.
  'rtpPackets',
  'rtpBytes',
  'rtcpPackets',
  'rtcpBytes',
  /** Packets of lines and legs that pass untouched. */
  'opaquePackets',
  'opaqueBytes',
  /** Remote addresses learned from packets. */
  'latched',
  // Connectivity checks on ICE legs.
  'iceChecks',
  'iceNominations',
  'iceRefusals',
  'mediaIcmpErrors',
  // Why a packet was dropped.
  'dropMediaEmpty',
  'dropUnknownStream',
  'dropUnexpectedKind',
  'dropUnexpectedStun',
  'dropMalformedRtp',
  'dropUnknownSource',
  'dropNoDestination',
  'dropBlocked',
  'dropSrtpMalformed',
  'dropSrtpUnknownKey',
  'dropSrtpAuthFailed',
  'dropSrtpReplayed',
  'dropSrtpTooOld',
  'dropSrtpTooManySources',
  'dropSrtpKeyExhausted',
] as const;

export type B2buaCounterName = (typeof B2BUA_COUNTER_NAMES)[number];

export const B2BUA: Readonly<Record<B2buaCounterName, number>> = indexed(B2BUA_COUNTER_NAMES);

/** What is counted for each zone, in this order: bandwidth of its link (Expressway: Status > Bandwidth > Links). */
export const ZONE_COUNTER_NAMES = [
  'packetsReceived',
  'bytesReceived',
  'packetsSent',
  'bytesSent',
  /** Legs in the zone now. */
  'legs',
] as const;
export const ZONE: Readonly<Record<(typeof ZONE_COUNTER_NAMES)[number], number>> =
  indexed(ZONE_COUNTER_NAMES);
export const ZONE_COUNTERS: number = ZONE_COUNTER_NAMES.length;
