/** What the core node says of calls: those that are up, those that have ended, and the metrics of both. */
import { setTimeout as delay } from 'node:timers/promises';
import type { CallStatus } from '../../src/admin/call-status.ts';
import { CALLS_KEPT } from '../../src/metrics/call-history.ts';
import type { CallRecord } from '../../src/metrics/call-record.ts';
import {
  ICE_METRIC_NAMES,
  ICE_METRIC_ROWS,
  type IceCounters,
  metricsOf,
  noCalls,
} from '../../src/metrics/ice-metrics.ts';
import type { AdminClient } from './admin-client.ts';
import type { LiveCall, MetricsCheck, PlaneRecords, RecordedCall } from './media-plane.ts';

/** The core asks the edge about relays, one second a question, before it writes a record. */
const RECORD_MS_MAX = 6000;
const POLL_MS = 100;

export class NodeRecords implements PlaneRecords {
  readonly #admin: AdminClient;

  constructor(admin: AdminClient) {
    this.#admin = admin;
  }

  async live(callId: string): Promise<LiveCall | undefined> {
    const { calls } = await this.#admin.calls();
    const call = calls.find((one) => one.callId === callId);
    return call && { callType: call.icePassthroughCallType, packets: livePackets(call) };
  }

  async ended(callId: string, sinceUnixMs: number = 0): Promise<RecordedCall | undefined> {
    const deadlineMs = performance.now() + RECORD_MS_MAX;
    for (;;) {
      // A node that has just been started may not answer at first.
      const calls = await this.#admin.history().then(
        ({ calls }) => calls,
        () => [],
      );
      const record = calls.find((one) => one.callId === callId); // newest first
      if (record && Date.parse(record.endTime) >= sinceUnixMs) return recordedCall(record);
      if (performance.now() > deadlineMs) return undefined;
      await delay(POLL_MS);
    }
  }

  async metrics(): Promise<MetricsCheck> {
    const { current, history } = await this.#admin.iceMetrics();
    const { calls } = await this.#admin.history();
    // A restart closes the running interval as a shorter one.
    const intervals = [current, ...history];
    const counted = noCalls();
    for (const name of ICE_METRIC_NAMES) counted[name] = intervals.reduce((sum, one) => sum + one[name], 0);
    const { startTime } = intervals.at(-1) ?? current;
    const rows = ICE_METRIC_ROWS.map(({ label, count }) => ({ label, value: count(counted) }));
    // Counters go on where the history has begun to forget, in a lab that has been up for long.
    const problems = calls.length >= CALLS_KEPT ? [] : differences(counted, calls);
    return { startTime, endTime: current.endTime, rows, problems };
  }
}

/** What the counters are otherwise than the history makes them. */
function differences(counted: IceCounters, calls: readonly CallRecord[]): string[] {
  const expected = noCalls();
  for (const name of calls.flatMap(metricsOf)) expected[name]++;
  return ICE_METRIC_NAMES.filter((name) => counted[name] !== expected[name]).map(
    (name) => `${name} is ${counted[name]}, the call history makes ${expected[name]}`,
  );
}

/** Legs are in the order of the call: the caller's first. */
function livePackets({ legs }: CallStatus): [caller: number, callee: number] {
  const packets = (place: number): number =>
    (legs[place]?.lines ?? []).flatMap(({ streams }) => streams).reduce((sum, one) => sum + one.packets, 0);
  return [packets(0), packets(1)];
}

function recordedCall(record: CallRecord): RecordedCall {
  const { callId, icePassthroughCallType: callType, evidence, reason, media } = record;
  const packets = (place: number): number =>
    media.reduce((sum, { legs }) => sum + (legs[place]?.packets ?? 0), 0);
  return { callId, callType, evidence, reason, packets: [packets(0), packets(1)] };
}
