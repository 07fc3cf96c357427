/**
 * What is sent to collectd, under the names of the appliance: plugin `statsd`, type `gauge`, and in the type
 * instance a group and a name, `ICEPassthroughMetrics.b2buacalls`.
 *
 * ICE passthrough metrics are those of the running interval: they rise as calls end and begin at 0 with every
 * interval, so that a monitoring system sees a call within a minute and not after a day.
 */
import type { CollectdGauge } from '../wire/collectd.ts';
import { ICE_METRIC_NAMES, type IceCounters } from './ice-metrics.ts';

export const COLLECTD_PLUGIN = 'statsd';
export const COLLECTD_TYPE = 'gauge';

/** What the gauges are made of, as it is at the moment. */
export interface GaugeReadings {
  /** Of the running interval. */
  readonly iceCounters: IceCounters;
  readonly activeCalls: number;
  readonly activeRelays: number;
  /** Addresses that are refused for what came from them. */
  readonly blockedAddresses: number;
  readonly zones: readonly ZoneReadings[];
}

export interface ZoneReadings {
  readonly name: string;
  readonly activeCalls: number;
  /** Totals of the zone's link since the node started; they never fall. */
  readonly bytesReceived: number;
  readonly bytesSent: number;
}

/** Makes gauges of readings; remembers the last ones, since bandwidth is a difference of totals. */
export class CollectdGauges {
  #zones: ReadonlyMap<string, ZoneReadings>;
  #readAtMs: number;

  /** @param nowMs monotonic, milliseconds, as {@link gauges} is told it later */
  constructor(zones: readonly ZoneReadings[], nowMs: number) {
    this.#zones = byName(zones);
    this.#readAtMs = nowMs;
  }

  /** Bandwidth is in bit/s, averaged since the readings before these. */
  gauges(readings: GaugeReadings, nowMs: number): CollectdGauge[] {
    const { iceCounters, activeCalls, activeRelays, blockedAddresses, zones } = readings;
    const seconds = (nowMs - this.#readAtMs) / 1000;
    const gauges: CollectdGauge[] = ICE_METRIC_NAMES.map((name) => ({
      name: `ICEPassthroughMetrics.${name}`,
      value: iceCounters[name],
    }));
    gauges.push(
      { name: 'CallMetrics.activecalls', value: activeCalls },
      { name: 'TURNMetrics.activerelays', value: activeRelays },
      { name: 'ProtectionMetrics.blockedaddresses', value: blockedAddresses },
    );
    const bitsPerSecond = (bytes: number): number => (seconds > 0 ? Math.round((8 * bytes) / seconds) : 0);
    for (const zone of zones) {
      const { name, bytesReceived, bytesSent } = zone;
      const before = this.#zones.get(name) ?? zone;
      gauges.push(
        { name: `ZoneMetrics.${name}.activecalls`, value: zone.activeCalls },
        {
          name: `ZoneMetrics.${name}.bandwidthreceived`,
          value: bitsPerSecond(bytesReceived - before.bytesReceived),
        },
        { name: `ZoneMetrics.${name}.bandwidthsent`, value: bitsPerSecond(bytesSent - before.bytesSent) },
      );
    }
    this.#zones = byName(zones);
    this.#readAtMs = nowMs;
    return gauges;
  }
}

function byName(zones: readonly ZoneReadings[]): Map<string, ZoneReadings> {
  return new Map(zones.map((zone) => [zone.name, zone]));
}
