/** A node in the middle of its work: what pages show, made by arithmetic so that it is the same each time. */
import type { CallStatus, CallStreamStatus } from '../../../src/admin/call-status.ts';
import type { TurnRelayStatus } from '../../../src/admin/source.ts';
import { CALL_TYPES, type CallRecord, type CallType } from '../../../src/metrics/call-record.ts';
import {
  type IceIntervalReport,
  type IceMetricName,
  metricsOf,
  noCalls,
} from '../../../src/metrics/ice-metrics.ts';
import { FakeSource } from './fake-source.ts';

const DAY_MS = 86_400_000;
export const SAMPLE_START_MS: number = Date.UTC(2026, 2, 1, 6, 30);

/** Call `n` of the history: the later, the higher. */
export function endedCall(n: number, startMs: number = SAMPLE_START_MS + n * 67_000): CallRecord {
  // A third host to host, some of each, a quarter not optimized.
  const type = (
    ['host_to_host', 'srflx_to_relay', 'none', 'host_to_host', 'host_to_srflx', 'relay_to_relay'] as const
  )[n % 6] as CallType;
  const callType = n % 17 === 5 ? 'srflx_to_srflx' : n % 23 === 7 ? 'host_to_relay' : type;
  const [caller, callee] =
    callType === 'none'
      ? [null, null]
      : (callType.split('_to_') as ['host' | 'srflx' | 'relay', 'host' | 'relay']);
  const isSilent = callType !== 'none';
  const packets = isSilent ? 140 + (n % 9) * 11 : 9000 + n * 13;
  return {
    uuid: `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`,
    callId: `${((n * 2_654_435_761) % 2 ** 32).toString(16).padStart(8, '0')}@10.0.0.${n % 200}`,
    startTime: new Date(startMs).toISOString(),
    endTime: new Date(startMs + (40 + ((n * 37) % 900)) * 1000).toISOString(),
    connected: true,
    disconnectReason: n % 11 === 3 ? 'media timeout' : 'deleted',
    sourceZone: n % 2 ? 'external' : 'internal',
    destinationZone: n % 2 ? 'internal' : 'external',
    icePassthroughCallType: callType,
    evidence: n % 13 === 4 ? 'unknown' : 'verified',
    mixed: n % 29 === 9,
    reason: isSilent ? null : n % 4 ? 'no candidates from the callee' : 'checks failed',
    iceConfigured: n % 10 !== 8,
    sidesWithCandidates: isSilent ? 2 : n % 3,
    media: ['audio', ...(n % 3 ? [] : ['video'])].map((media) => ({
      type: media,
      selected: { caller, callee },
      legs: ['external', 'internal'].map((zone, side) => ({
        zone,
        packets: packets + side,
        bytes: (packets + side) * 172,
        packetsLost: side === 0 ? n % 5 : 0,
        jitterMs: 1.2 + (n % 7) / 10,
      })),
    })),
  };
}

/** Interval `ago` before the running one, which is 0, with the metrics of as many calls. */
export function interval(ago: number, calls: readonly CallRecord[]): IceIntervalReport {
  const counters = noCalls();
  for (const name of calls.flatMap(metricsOf)) (counters as Record<IceMetricName, number>)[name]++;
  const startMs = SAMPLE_START_MS + (60 - ago) * DAY_MS;
  return {
    startTime: new Date(startMs).toISOString(),
    endTime: new Date(startMs + DAY_MS).toISOString(),
    ...counters,
  };
}

/** Weekdays are busy, weekends are not, one day nobody called. */
function callsOfDay(day: number): CallRecord[] {
  const calls = day === 41 ? 0 : day % 7 > 4 ? 9 + (day % 4) : 60 + ((day * 31) % 47);
  return Array.from({ length: calls }, (_, i) => endedCall(i + day));
}

function relay(n: number): TurnRelayStatus {
  const peer = `198.51.100.${20 + (n % 5)}`;
  const packets = 4000 + n * 731;
  const isBound = n % 4 !== 3;
  const lifetime = { expiresInSeconds: 560 - n * 7 };
  return {
    id: `${n % 2}-${n}`,
    worker: n % 2,
    client: {
      protocol: (['udp', 'udp', 'tcp', 'tls'] as const)[n % 4] as 'udp',
      address: n % 5 === 4 ? `[2001:db8:7::${n}]:5${1000 + n}` : `203.0.113.${10 + (n % 6)}:5${1000 + n}`,
    },
    user: ['alice', 'bob', 'carol'][n % 3] as string,
    relayAddress: `192.0.2.10:${24_000 + 2 * n}`,
    additionalRelayAddress: n % 5 === 4 ? `[2001:db8::10]:${24_001 + 2 * n}` : null,
    ...lifetime,
    peers: isBound ? [`${peer}:${16_384 + n}`] : [peer, '198.51.100.77'],
    permissions: [peer, ...(isBound ? [] : ['198.51.100.77'])].map((address) => ({
      ...{ address, expiresInSeconds: 250 - n },
      ...{ packetsToPeer: packets, packetsFromPeer: packets - 40 },
    })),
    channels: isBound
      ? [
          {
            ...{ number: 0x4000 + n, peer: `${peer}:${16_384 + n}`, ...lifetime },
            ...{ packetsToPeer: packets, packetsFromPeer: packets - 40 },
          },
        ]
      : [],
    counters: {
      ...{ packetsFromClient: packets, bytesFromClient: packets * 176 },
      ...{
        packetsToClient: packets - 40,
        bytesToClient: (packets - 40) * 176,
        packetsFromPeers: packets - 40,
      },
      ...{ packetsDropped: n % 6 === 2 ? 3 : 0, requests: 9 + n, successResponses: 8 + n, errorResponses: 1 },
    },
  };
}

function stream(n: number, side: number, component: 'rtp' | 'rtcp'): CallStreamStatus {
  const isRtp = component === 'rtp';
  const packets = isRtp ? 3000 + n * 411 + side * 7 : 0;
  const port = 36_000 + 8 * n + 2 * side + (isRtp ? 0 : 1);
  return {
    ...{ component, localAddress: side ? '10.0.0.1' : '203.0.113.1', localPort: port },
    remote: side ? `10.0.0.${50 + n}:${20_000 + port}` : `198.51.100.${20 + n}:${20_000 + port}`,
    signalled: `192.168.1.${20 + n}:${20_000 + port}`,
    ice: side ? 'none' : 'nominated',
    ...{ packets, bytes: packets * 172, errors: n === 2 ? 4 : 0 },
    ...{ rtcpPackets: isRtp ? 0 : 60 + n, rtcpBytes: isRtp ? 0 : (60 + n) * 96, rtcpErrors: 0 },
    ...{
      packetsLost: isRtp ? n % 3 : 0,
      jitterMs: isRtp ? 1.5 + side : 0,
      ssrc: isRtp ? 0x1234_5678 + n : null,
    },
    lastPacketTime: new Date(SAMPLE_START_MS + 60 * DAY_MS).toISOString(),
  };
}

/** @param startMs Unix time, milliseconds */
export function runningCall(n: number, startMs: number): CallStatus {
  return {
    id: `${n % 2}-${n}`,
    callId: `${(n * 40_503 + 77_777_777).toString(16)}@phone${n}.example.com`,
    startTime: new Date(startMs).toISOString(),
    lastSignalTime: new Date(startMs + 4000).toISOString(),
    answered: n !== 5,
    relayed: false,
    icePassthroughCallType: n === 5 ? null : (CALL_TYPES[n % CALL_TYPES.length] as CallType),
    legs: ['external', 'internal'].map((zone, side) => ({
      tag: n === 5 && side ? null : `tag-${n}-${side}`,
      earlierTags: n === 3 && side ? ['tag-3-fork'] : [],
      zone,
      startTime: new Date(startMs).toISOString(),
      lines: ['audio', 'video'].slice(0, 1 + (n % 2)).map((media, i) => ({
        ...{ index: i + 1, media, protocol: side ? 'RTP/AVP' : 'RTP/SAVP', rtcpMux: false },
        receivedSuite: side ? null : 'AES_CM_128_HMAC_SHA1_80',
        sentSuite: side ? null : 'AES_CM_128_HMAC_SHA1_80',
        streams: [stream(n + i, side, 'rtp'), stream(n + i, side, 'rtcp')],
      })),
    })),
  };
}

/** @param nowMs Unix time, milliseconds: running calls began minutes before it */
export function busySource(nowMs: number = SAMPLE_START_MS + 60 * DAY_MS): FakeSource {
  const source = new FakeSource();
  source.node = { ...source.node, name: 'core1', turn: { ...source.node.turn, activeRelays: 24 } };
  source.relays = Array.from({ length: 24 }, (_, n) => relay(n));
  source.callsKnown = Array.from({ length: 9 }, (_, n) => runningCall(n, nowMs - (n * 97 + 12) * 1000));
  source.historyKnown = Array.from({ length: 120 }, (_, n) => endedCall(120 - n));
  source.current = interval(0, callsOfDay(23).slice(0, 31));
  source.intervals = Array.from({ length: 60 }, (_, i) => interval(i + 1, callsOfDay(59 - i)));
  const edge = source.intervals.map((_, i) => interval(i + 1, callsOfDay(59 - i).slice(0, 17)));
  source.peers = [
    { node: 'edge1', metrics: { node: 'edge1', current: interval(0, []), history: edge } },
    { node: 'edge2', metrics: null },
  ];
  source.linksKnown = [
    {
      ...{ id: 1, name: 'external', activeLegs: 7, packetsReceived: 812_345, bytesReceived: 139_723_340 },
      ...{ packetsSent: 811_998, bytesSent: 139_663_656 },
    },
    {
      ...{ id: 2, name: 'internal', activeLegs: 8, packetsReceived: 811_998, bytesReceived: 135_603_666 },
      ...{ packetsSent: 812_345, bytesSent: 135_661_615 },
    },
  ];
  return source;
}
