/** What a core tells about its calls: plain data for status pages and history, and dictionaries for `ng`. Control plane. */
import type { CallType } from '../ice/path.ts';
import type { EndpointBook } from '../wire/endpoint.ts';
import type { Call, Leg, Line } from './call.ts';
import { CARRIES_RTCP, type Component } from './component.ts';
import type { NgDictionary } from './ng-request.ts';
import type { Reception } from './reception.ts';
import type { B2buaSettings } from './settings.ts';

/** One call. Times are Unix milliseconds, transport addresses text with ports. */
export interface CallReport {
  /** Unique on the node. */
  readonly id: string;
  readonly callId: string;
  readonly createdUnixMs: number;
  readonly lastSignalUnixMs: number;
  readonly isAnswered: boolean;
  /** Its packets pass untouched. */
  readonly isRelayed: boolean;
  /** What both sides have signalled of the path so far; null: nothing that would tell. */
  readonly signalledCallType: CallType | null;
  readonly legs: readonly LegReport[];
}

export interface LegReport {
  /** Null: it has not answered yet. */
  readonly tag: string | null;
  readonly earlierTags: readonly string[];
  readonly zone: string;
  readonly createdUnixMs: number;
  readonly lines: readonly LineReport[];
}

export interface LineReport {
  /** Counts from 1. */
  readonly index: number;
  readonly media: string;
  readonly protocol: string;
  readonly isRtcpMuxed: boolean;
  /** Suites that this side encrypts with, and that it is sent; null: unencrypted, or not ours to know. */
  readonly receivedSuite: string | null;
  readonly sentSuite: string | null;
  readonly streams: readonly StreamReport[];
}

/** One component: RTP (with RTCP where both share a port), RTCP alone, or an opaque line. Counters are of what came in. */
export interface StreamReport {
  readonly component: 'rtp' | 'rtcp';
  readonly localAddress: string;
  readonly localPort: number;
  /** Where its packets go; null: nowhere. */
  readonly remote: string | null;
  /** Where its SDP said it listens. */
  readonly signalled: string | null;
  readonly ice: 'none' | 'checking' | 'nominated';
  readonly packets: number;
  readonly bytes: number;
  readonly errors: number;
  readonly rtcpPackets: number;
  readonly rtcpBytes: number;
  readonly rtcpErrors: number;
  readonly packetsLost: number;
  readonly jitterMs: number;
  /** Of the source that is sending; null: none has. */
  readonly ssrc: number | null;
  readonly lastPacketUnixMs: number | null;
}

/** What a report is made with. */
export interface Observer {
  readonly settings: B2buaSettings;
  readonly endpoints: EndpointBook;
  readonly reception: Reception;
  readonly nowMs: number;
  readonly unixMs: number;
}

export function reportCall(call: Call, observer: Observer): CallReport {
  const { id, callId, createdUnixMs, lastSignalUnixMs, isAnswered, isRelayed } = call;
  const legs = call.legs.map((leg) => reportLeg(leg, observer));
  const signalledCallType = call.path.conclusion().callType ?? null;
  return { id, callId, createdUnixMs, lastSignalUnixMs, isAnswered, isRelayed, signalledCallType, legs };
}

function reportLeg(leg: Leg, observer: Observer): LegReport {
  return {
    tag: leg.tag ?? null,
    earlierTags: [...leg.earlierTags],
    zone: observer.settings.zones[leg.zone]?.name ?? '',
    createdUnixMs: leg.createdUnixMs,
    lines: leg.lines.map((line, i) => reportLine(leg, line, i + 1, observer)),
  };
}

function reportLine(leg: Leg, line: Line, index: number, observer: Observer): LineReport {
  return {
    index,
    media: line.media,
    protocol: line.protocol,
    isRtcpMuxed: line.isMuxed,
    receivedSuite: line.receivedSuite ?? null,
    sentSuite: line.sentSuite ?? null,
    streams: line.components.map((component, i) =>
      reportStream(leg, component, i === 1 || component.carries === CARRIES_RTCP, observer),
    ),
  };
}

function reportStream(leg: Leg, component: Component, isRtcp: boolean, observer: Observer): StreamReport {
  const { endpoints, reception, nowMs, unixMs } = observer;
  const text = (row: number): string | null => (row < 0 ? null : endpoints.text(row));
  const { id, packets, bytes, errors, rtcpPackets, rtcpBytes, rtcpErrors, lastPacketMs } = component;
  return {
    component: isRtcp ? 'rtcp' : 'rtp',
    localAddress: leg.address.address,
    localPort: component.localPort,
    remote: text(component.remote),
    signalled: text(component.signalled),
    ice: component.ice === undefined ? 'none' : component.isNominated ? 'nominated' : 'checking',
    packets,
    bytes,
    errors,
    rtcpPackets,
    rtcpBytes,
    rtcpErrors,
    packetsLost: reception.packetsLost(id),
    jitterMs: reception.jitterMs(id),
    ssrc: reception.ssrc(id) < 0 ? null : reception.ssrc(id),
    lastPacketUnixMs: lastPacketMs < 0 ? null : unixMs - (nowMs - lastPacketMs),
  };
}

/** The answer to `query`, and what `delete` tells of the call that was. */
export function queryDictionary(call: CallReport): NgDictionary {
  const streams = call.legs.flatMap(({ lines }) => lines.flatMap((line) => line.streams));
  const sum = (value: (stream: StreamReport) => number): number =>
    streams.reduce((total, stream) => total + value(stream), 0);
  // A leg that has not answered has the empty tag. Anything may be a tag: `__proto__` too.
  const tags = call.legs.flatMap((leg): [string, NgDictionary][] => [
    ...leg.earlierTags.map((tag): [string, NgDictionary] => [
      tag,
      { tag, created: seconds(leg.createdUnixMs) },
    ]),
    [leg.tag ?? '', legDictionary(leg)],
  ]);
  return {
    created: seconds(call.createdUnixMs),
    created_us: call.createdUnixMs * 1000,
    'last signal': seconds(call.lastSignalUnixMs),
    SSRC: Object.fromEntries(streams.flatMap(ssrcEntry)),
    tags: Object.fromEntries(tags),
    totals: {
      RTP: {
        packets: sum(({ packets }) => packets),
        bytes: sum(({ bytes }) => bytes),
        errors: sum(({ errors }) => errors),
      },
      RTCP: {
        packets: sum(({ rtcpPackets }) => rtcpPackets),
        bytes: sum(({ rtcpBytes }) => rtcpBytes),
        errors: sum(({ rtcpErrors }) => rtcpErrors),
      },
    },
  };
}

function legDictionary(leg: LegReport): NgDictionary {
  return {
    tag: leg.tag ?? '',
    created: seconds(leg.createdUnixMs),
    zone: leg.zone,
    medias: leg.lines.map((line) => ({
      index: line.index,
      type: line.media,
      protocol: line.protocol,
      streams: line.streams.map((stream) => streamDictionary(line, stream)),
      flags: line.isRtcpMuxed ? ['rtcp-mux'] : [],
    })),
  };
}

function streamDictionary(line: LineReport, stream: StreamReport): NgDictionary {
  const isRtcp = stream.component === 'rtcp';
  return {
    'local address': stream.localAddress,
    'local port': stream.localPort,
    endpoint: endpointDictionary(stream.remote),
    'advertised endpoint': endpointDictionary(stream.signalled),
    'crypto suite': line.receivedSuite ?? '',
    'last packet': stream.lastPacketUnixMs === null ? 0 : seconds(stream.lastPacketUnixMs),
    flags: [isRtcp ? 'RTCP' : 'RTP', ...(stream.ice === 'none' ? [] : ['ICE'])],
    stats: {
      packets: isRtcp ? stream.rtcpPackets : stream.packets,
      bytes: isRtcp ? stream.rtcpBytes : stream.bytes,
      errors: isRtcp ? stream.rtcpErrors : stream.errors,
    },
  };
}

/** `192.0.2.1:4000` or `[2001:db8::1]:4000`. */
function endpointDictionary(text: string | null): NgDictionary {
  if (text === null) return {};
  const colon = text.lastIndexOf(':');
  const address = text.slice(0, colon).replace(/^\[|\]$/g, '');
  return {
    family: address.includes(':') ? 'IPv6' : 'IPv4',
    address,
    port: Number(text.slice(colon + 1)),
  };
}

function ssrcEntry(stream: StreamReport): [string, NgDictionary][] {
  if (stream.ssrc === null) return [];
  const { packets, bytes, packetsLost, jitterMs } = stream;
  return [
    [String(stream.ssrc), { packets, bytes, 'packets lost': packetsLost, jitter: Math.round(jitterMs) }],
  ];
}

function seconds(unixMs: number): number {
  return Math.floor(unixMs / 1000);
}
