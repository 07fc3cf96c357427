/**
 * The ICE passthrough metrics: what a connected call counts for when it ends, and how the figures are shown.
 * Names are the appliance's, as its collectd plugin sends them; labels and sections those of its status page.
 */
import type { CallRecord, CallType } from './call-record.ts';

/** In the order of the page. */
export const ICE_METRIC_NAMES = [
  'b2buacalls',
  'icecalls',
  'hosthostcalls',
  'hostsrvrflxcalls',
  'hostrelaycalls',
  'srvrflxsrvrflxcalls',
  'srvrflxrelaycalls',
  'relayrelaycalls',
  'iceconfiguredcalls',
  'icecandidatecalls',
  'onepartyicecandidatecalls',
  'noicecandidatesoffered',
  'failedicenegotiationcalls',
  'candidatesofferedmissingiceconfig',
] as const;

export type IceMetricName = (typeof ICE_METRIC_NAMES)[number];

/** Connected calls that ended in an interval, by what they count for. */
export type IceCounters = Readonly<Record<IceMetricName, number>>;

/** `GET /api/ice-metrics`: what a node tells of itself. */
export interface IceMetricsReport {
  readonly node: string;
  /** The running interval, with the end that lies ahead. */
  readonly current: IceIntervalReport;
  /** Complete intervals, newest first. */
  readonly history: readonly IceIntervalReport[];
}

/** An interval with its times in ISO 8601. */
export interface IceIntervalReport extends IceCounters {
  readonly startTime: string;
  /** The first moment that does not belong to it any more. */
  readonly endTime: string;
}

/** The counter of each kind of path; the order of the two sides plays no part. */
const NAME_OF_TYPE: Readonly<Record<Exclude<CallType, 'none'>, IceMetricName>> = {
  host_to_host: 'hosthostcalls',
  host_to_srflx: 'hostsrvrflxcalls',
  host_to_relay: 'hostrelaycalls',
  srflx_to_srflx: 'srvrflxsrvrflxcalls',
  srflx_to_relay: 'srvrflxrelaycalls',
  relay_to_relay: 'relayrelaycalls',
};

/** Counters of an interval in which nothing happened yet. */
export function noCalls(): Record<IceMetricName, number> {
  return Object.fromEntries(ICE_METRIC_NAMES.map((name) => [name, 0])) as Record<IceMetricName, number>;
}

/** The metrics that a call adds one to; none where it never connected. */
export function metricsOf(call: CallRecord): IceMetricName[] {
  if (!call.connected) return [];
  const { icePassthroughCallType: type, iceConfigured, sidesWithCandidates: sides } = call;
  const names: IceMetricName[] = ['b2buacalls'];
  if (type !== 'none') names.push('icecalls', NAME_OF_TYPE[type]);
  if (iceConfigured) names.push('iceconfiguredcalls');
  if (sides === 0) names.push('noicecandidatesoffered');
  else names.push('icecandidatecalls');
  if (sides === 1) names.push('onepartyicecandidatecalls');
  if (iceConfigured && sides === 2 && type === 'none') names.push('failedicenegotiationcalls');
  if (!iceConfigured && sides > 0) names.push('candidatesofferedmissingiceconfig');
  return names;
}

export type IceMetricSection = 'Metrics' | 'Call types' | 'Advanced';

/** A line of the page. */
export interface IceMetricRow {
  readonly section: IceMetricSection;
  readonly label: string;
  /** Calls. */
  count(counters: IceCounters): number;
  /** Calls that {@link count} is shown as a share of; absent: it is shown alone. */
  readonly shareOf?: 'b2buacalls' | 'icecalls';
}

/** The page's lines in its order: call types are shares of the optimized calls, all others of the connected ones. */
export const ICE_METRIC_ROWS: readonly IceMetricRow[] = [
  { section: 'Metrics', label: 'B2BUA connected calls', count: counterOf('b2buacalls') },
  {
    section: 'Metrics',
    label: 'Calls with optimized ICE media paths',
    count: counterOf('icecalls'),
    shareOf: 'b2buacalls',
  },
  callType('Host to host', 'hosthostcalls'),
  callType('Host to server reflexive', 'hostsrvrflxcalls'),
  callType('Host to relay', 'hostrelaycalls'),
  callType('Server reflexive to server reflexive', 'srvrflxsrvrflxcalls'),
  callType('Server reflexive to relay', 'srvrflxrelaycalls'),
  callType('Relay to relay', 'relayrelaycalls'),
  advanced('Calls with required Expressway ICE configuration', counterOf('iceconfiguredcalls')),
  advanced('Calls attempted with offered ICE candidates', counterOf('icecandidatecalls')),
  advanced('Calls with ICE candidates offered by one endpoint', counterOf('onepartyicecandidatecalls')),
  advanced('Calls without ICE candidates', counterOf('noicecandidatesoffered')),
  // Not `failedicenegotiationcalls`, which knows only calls that could have been optimized: this line and
  // that of the optimized calls add up to all.
  advanced('Calls with non-optimized media paths', ({ b2buacalls, icecalls }) => b2buacalls - icecalls),
  advanced(
    'Calls with ICE candidates offered but without required Expressway ICE configuration',
    counterOf('candidatesofferedmissingiceconfig'),
  ),
];

/** What a line shows of an interval. Null stands for N/A: no call fell into the interval, or a share of none is asked. */
export interface IceMetricFigures {
  readonly count: number | null;
  /** 0 to 100, one decimal; null also where the line has no share. */
  readonly percent: number | null;
}

export function figuresOf(row: IceMetricRow, counters: IceCounters): IceMetricFigures {
  if (counters.b2buacalls === 0) return { count: null, percent: null };
  const count = row.count(counters);
  const whole = row.shareOf === undefined ? 0 : counters[row.shareOf];
  return { count, percent: whole === 0 ? null : Math.round((1000 * count) / whole) / 10 };
}

function counterOf(name: IceMetricName): (counters: IceCounters) => number {
  return (counters) => counters[name];
}

function callType(label: string, name: IceMetricName): IceMetricRow {
  return { section: 'Call types', label, count: counterOf(name), shareOf: 'icecalls' };
}

function advanced(label: string, count: (counters: IceCounters) => number): IceMetricRow {
  return { section: 'Advanced', label, count, shareOf: 'b2buacalls' };
}
