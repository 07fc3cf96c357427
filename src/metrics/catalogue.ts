/**
 * The Prometheus metrics and which counter feeds which. Families of counters are found by the convention
 * of their names (`drop…`, `auth…`, `request…`, `error4xx`), so that a new drop reason needs no line here.
 */
import { suffixAfter } from './counters.ts';

export interface MetricDefinition {
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  readonly labelNames: readonly string[];
}

/** A place for a counter's value: a metric and its labels. */
export interface Series {
  readonly metric: MetricDefinition;
  readonly labels: Readonly<Record<string, string>>;
}

const ALLOCATIONS = gauge('causeway_turn_allocations', 'TURN allocations that exist now');
const PERMISSIONS = gauge('causeway_turn_permissions', 'TURN permissions that exist now');
const CHANNELS = gauge('causeway_turn_channels', 'TURN channels that are bound now');
const ALLOCATIONS_CREATED = counter('causeway_turn_allocations_created_total', 'TURN allocations created');
const ALLOCATIONS_ENDED = counter(
  'causeway_turn_allocations_ended_total',
  'TURN allocations ended, by reason',
  'reason',
);
const PACKETS = counter(
  'causeway_turn_packets_total',
  'Packets relayed between clients and peers',
  'direction',
);
const BYTES = counter(
  'causeway_turn_bytes_total',
  'Bytes relayed between clients and peers, without TURN framing',
  'direction',
);
const SHORTCUT = counter(
  'causeway_turn_shortcut_packets_total',
  'Packets handed from one allocation to another inside the process',
);
const ICMP = counter('causeway_turn_icmp_indications_total', 'ICMP errors of peers reported to clients');
const REQUESTS = counter('causeway_turn_requests_total', 'STUN and TURN requests, by method', 'method');
const RESPONSES = counter(
  'causeway_turn_responses_total',
  'Responses sent, by error code or success',
  'code',
);
const REPEATED = counter(
  'causeway_turn_responses_repeated_total',
  'Responses sent again for retransmitted requests',
);
const AUTH_FAILURES = counter(
  'causeway_turn_auth_failures_total',
  'Requests that did not pass authentication',
  'reason',
);
const DROPS = counter('causeway_drops_total', 'Packets and messages dropped, by reason', 'reason');
const ENGINE_PACKETS = counter(
  'causeway_engine_packets_total',
  'Packets at the sockets',
  'direction',
  'worker',
);
const ENGINE_BYTES = counter(
  'causeway_engine_bytes_total',
  'Bytes of UDP payload at the sockets',
  'direction',
  'worker',
);
const ENGINE_BATCHES = counter('causeway_engine_batches_total', 'Batches of packets handled', 'worker');
const ENGINE_ICMP = counter(
  'causeway_engine_icmp_errors_total',
  'ICMP errors received for sent packets',
  'worker',
);
const STREAMS = counter('causeway_streams_accepted_total', 'TCP and TLS connections accepted');
const STREAMS_CLOSED = counter(
  'causeway_streams_closed_total',
  'TCP and TLS connections refused or closed by the server',
  'reason',
);

const CALLS = gauge('causeway_b2bua_calls', 'Calls that exist now');
const MEDIA_PORTS = gauge('causeway_b2bua_media_ports', 'Media ports of calls in use now');
const CALLS_CREATED = counter('causeway_b2bua_calls_created_total', 'Calls created');
const CALLS_ENDED = counter('causeway_b2bua_calls_ended_total', 'Calls ended, by reason', 'reason');
const NG_COMMANDS = counter('causeway_ng_commands_total', 'Commands about calls, by name', 'command');
const NG_ERRORS = counter(
  'causeway_ng_errors_total',
  'Commands about calls that were answered with an error',
);
const MEDIA_PACKETS = counter('causeway_b2bua_packets_total', 'Packets forwarded from leg to leg', 'kind');
const MEDIA_BYTES = counter('causeway_b2bua_bytes_total', 'Bytes forwarded from leg to leg', 'kind');
const LATCHED = counter('causeway_b2bua_latched_total', 'Remote addresses learned from packets');
const ICE_CHECKS = counter('causeway_b2bua_ice_checks_total', 'Connectivity checks, by outcome', 'outcome');
const MEDIA_ICMP = counter('causeway_b2bua_icmp_errors_total', 'ICMP errors met by media');
const METRICS_FAILURES = counter(
  'causeway_metrics_failures_total',
  'Metrics that could not be written or sent, by what they were',
  'what',
);

/** Every metric that counters feed, in the order of `/metrics`. */
export const COUNTER_METRICS: readonly MetricDefinition[] = [
  ALLOCATIONS,
  PERMISSIONS,
  CHANNELS,
  ALLOCATIONS_CREATED,
  ALLOCATIONS_ENDED,
  PACKETS,
  BYTES,
  SHORTCUT,
  ICMP,
  REQUESTS,
  RESPONSES,
  REPEATED,
  AUTH_FAILURES,
  DROPS,
  CALLS,
  MEDIA_PORTS,
  CALLS_CREATED,
  CALLS_ENDED,
  NG_COMMANDS,
  NG_ERRORS,
  MEDIA_PACKETS,
  MEDIA_BYTES,
  LATCHED,
  ICE_CHECKS,
  MEDIA_ICMP,
  ENGINE_PACKETS,
  ENGINE_BYTES,
  ENGINE_BATCHES,
  ENGINE_ICMP,
  STREAMS,
  STREAMS_CLOSED,
  METRICS_FAILURES,
];

const CLIENT_TO_PEER = { direction: 'client_to_peer' };
const PEER_TO_CLIENT = { direction: 'peer_to_client' };
const RECEIVED = { direction: 'received' };
const SENT = { direction: 'sent' };

/** Counters that no convention covers. */
const BY_NAME: Readonly<Record<string, Series>> = {
  allocations: { metric: ALLOCATIONS, labels: {} },
  permissions: { metric: PERMISSIONS, labels: {} },
  channels: { metric: CHANNELS, labels: {} },
  allocationsCreated: { metric: ALLOCATIONS_CREATED, labels: {} },
  clientToPeerPackets: { metric: PACKETS, labels: CLIENT_TO_PEER },
  peerToClientPackets: { metric: PACKETS, labels: PEER_TO_CLIENT },
  clientToPeerBytes: { metric: BYTES, labels: CLIENT_TO_PEER },
  peerToClientBytes: { metric: BYTES, labels: PEER_TO_CLIENT },
  shortcutPackets: { metric: SHORTCUT, labels: {} },
  icmpIndications: { metric: ICMP, labels: {} },
  responseSuccess: { metric: RESPONSES, labels: { code: 'success' } },
  responseRepeated: { metric: REPEATED, labels: {} },
  calls: { metric: CALLS, labels: {} },
  mediaPorts: { metric: MEDIA_PORTS, labels: {} },
  callsCreated: { metric: CALLS_CREATED, labels: {} },
  ngOffers: { metric: NG_COMMANDS, labels: { command: 'offer' } },
  ngAnswers: { metric: NG_COMMANDS, labels: { command: 'answer' } },
  ngDeletes: { metric: NG_COMMANDS, labels: { command: 'delete' } },
  ngOtherCommands: { metric: NG_COMMANDS, labels: { command: 'other' } },
  ngErrors: { metric: NG_ERRORS, labels: {} },
  rtpPackets: { metric: MEDIA_PACKETS, labels: { kind: 'rtp' } },
  rtcpPackets: { metric: MEDIA_PACKETS, labels: { kind: 'rtcp' } },
  opaquePackets: { metric: MEDIA_PACKETS, labels: { kind: 'opaque' } },
  rtpBytes: { metric: MEDIA_BYTES, labels: { kind: 'rtp' } },
  rtcpBytes: { metric: MEDIA_BYTES, labels: { kind: 'rtcp' } },
  opaqueBytes: { metric: MEDIA_BYTES, labels: { kind: 'opaque' } },
  latched: { metric: LATCHED, labels: {} },
  iceChecks: { metric: ICE_CHECKS, labels: { outcome: 'answered' } },
  iceNominations: { metric: ICE_CHECKS, labels: { outcome: 'nominated' } },
  iceRefusals: { metric: ICE_CHECKS, labels: { outcome: 'refused' } },
  mediaIcmpErrors: { metric: MEDIA_ICMP, labels: {} },
  packetsReceived: { metric: ENGINE_PACKETS, labels: RECEIVED },
  packetsSent: { metric: ENGINE_PACKETS, labels: SENT },
  bytesReceived: { metric: ENGINE_BYTES, labels: RECEIVED },
  bytesSent: { metric: ENGINE_BYTES, labels: SENT },
  batches: { metric: ENGINE_BATCHES, labels: {} },
  icmpErrors: { metric: ENGINE_ICMP, labels: {} },
  streamsAccepted: { metric: STREAMS, labels: {} },
};

/** Prefix → metric whose one label is the rest of the name. */
const BY_PREFIX: readonly (readonly [prefix: string, metric: MetricDefinition, label: string])[] = [
  ['drop', DROPS, 'reason'],
  ['auth', AUTH_FAILURES, 'reason'],
  ['request', REQUESTS, 'method'],
  ['allocations', ALLOCATIONS_ENDED, 'reason'],
  ['calls', CALLS_ENDED, 'reason'],
  ['streams', STREAMS_CLOSED, 'reason'],
  ['failures', METRICS_FAILURES, 'what'],
];

/** Where a counter goes; undefined if it goes nowhere. The label `worker`, where a metric has it, is the caller's. */
export function seriesOf(counterName: string): Series | undefined {
  if (Object.hasOwn(BY_NAME, counterName)) return BY_NAME[counterName];
  const code = /^error(\d{3})$/.exec(counterName)?.[1];
  if (code !== undefined) return { metric: RESPONSES, labels: { code } };
  for (const [prefix, metric, label] of BY_PREFIX) {
    const value = suffixAfter(counterName, prefix);
    if (value !== undefined) return { metric, labels: { [label]: value } };
  }
  return undefined;
}

function counter(name: string, help: string, ...labelNames: string[]): MetricDefinition {
  return { name, type: 'counter', help, labelNames };
}

function gauge(name: string, help: string): MetricDefinition {
  return { name, type: 'gauge', help, labelNames: [] };
}
