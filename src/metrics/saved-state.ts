/**
 * What is kept of the metrics over a restart, as lines of JSON: whole state first, then what happened since,
 * so that a call is one line more and not a new file. Reading them in order leads to the same state; a line that
 * cannot be read costs what it said and nothing else.
 */
import { z } from 'zod';
import { CALLS_KEPT } from './call-history.ts';
import { CALL_TYPES, type CallRecord } from './call-record.ts';
import { ICE_METRIC_NAMES, type IceCounters, type IceMetricName, metricsOf, noCalls } from './ice-metrics.ts';
import { type IceInterval, INTERVALS_KEPT } from './intervals.ts';

export interface SavedState {
  /** Complete intervals, newest first. */
  readonly intervals: readonly IceInterval[];
  /** Oldest first. */
  readonly calls: readonly CallRecord[];
}

/** What {@link readState} made of a file. */
export interface ReadState extends SavedState {
  /** Lines that say nothing it knows, in their order. */
  readonly unreadable: readonly string[];
}

/** Lines that stand for the whole state as it is at `nowMs` (Unix time). */
export function stateLines({ intervals, calls }: SavedState, running: IceInterval, nowMs: number): string[] {
  return [
    ...intervals.toReversed().map(intervalLine),
    ...calls.map((call) => JSON.stringify({ entry: 'earlierCall', call })),
    runningLine(running),
    aliveLine(nowMs),
  ];
}

/** An interval has ended. */
export function intervalLine({ startMs, endMs, counters }: IceInterval): string {
  return JSON.stringify({
    entry: 'interval',
    startTime: isoTime(startMs),
    endTime: isoTime(endMs),
    counters,
  });
}

/** An interval runs, and counted this so far. */
export function runningLine({ startMs, counters }: IceInterval): string {
  return JSON.stringify({ entry: 'running', startTime: isoTime(startMs), counters });
}

/** A call ended and counts in the running interval. */
export function callLine(call: CallRecord, nowMs: number): string {
  return JSON.stringify({ entry: 'call', time: isoTime(nowMs), call });
}

/** The node still runs. */
export function aliveLine(nowMs: number): string {
  return JSON.stringify({ entry: 'alive', time: isoTime(nowMs) });
}

/**
 * The state that the lines tell. The interval that ran when they end is closed with the last time they know: a
 * node that starts begins a new one. It is left out where it counted nothing, so that a node that is started
 * many times does not fill the history with fragments.
 */
export function readState(text: string): ReadState {
  const reader = new StateReader();
  for (const line of text.split('\n')) if (line !== '') reader.line(line);
  return reader.state();
}

const time = z.iso.datetime();
const timeMs = time.transform((text) => Date.parse(text));
const count = z.int().nonnegative();
/** A version may know other metrics: what it lacks is 0, what it has beyond ours is left out. */
const countersSchema = z.record(z.string(), count).transform((counters): IceCounters => {
  const known = noCalls();
  for (const name of ICE_METRIC_NAMES) known[name] = counters[name] ?? 0;
  return known;
});
const candidateType = z.enum(['host', 'srflx', 'relay']).nullable();

const callSchema: z.ZodType<CallRecord> = z.object({
  uuid: z.string(),
  callId: z.string(),
  startTime: time,
  endTime: time,
  connected: z.boolean(),
  disconnectReason: z.string(),
  sourceZone: z.string(),
  destinationZone: z.string(),
  icePassthroughCallType: z.enum(CALL_TYPES),
  evidence: z.enum(['verified', 'contradicted', 'unknown']),
  mixed: z.boolean(),
  reason: z.string().nullable(),
  iceConfigured: z.boolean(),
  sidesWithCandidates: count,
  media: z.array(
    z.object({
      type: z.string(),
      selected: z.object({ caller: candidateType, callee: candidateType }),
      legs: z.array(
        z.object({
          zone: z.string(),
          packets: z.number(),
          bytes: z.number(),
          packetsLost: z.number(),
          jitterMs: z.number(),
        }),
      ),
    }),
  ),
});

const entrySchema = z.discriminatedUnion('entry', [
  z.object({ entry: z.literal('interval'), startTime: timeMs, endTime: timeMs, counters: countersSchema }),
  z.object({ entry: z.literal('running'), startTime: timeMs, counters: countersSchema }),
  z.object({ entry: z.literal('earlierCall'), call: callSchema }),
  z.object({ entry: z.literal('call'), time: timeMs, call: callSchema }),
  z.object({ entry: z.literal('alive'), time: timeMs }),
]);

type Entry = z.output<typeof entrySchema>;

class StateReader {
  readonly #intervals: IceInterval[] = []; // oldest first
  readonly #calls: CallRecord[] = [];
  readonly #unreadable: string[] = [];
  #running: { readonly startMs: number; readonly counters: Record<IceMetricName, number> } | undefined;
  #lastMs = 0;

  line(text: string): void {
    const entry = parseEntry(text);
    if (entry === undefined) this.#unreadable.push(text);
    else this.#take(entry);
  }

  state(): ReadState {
    const running = this.#running;
    if (running && running.counters.b2buacalls > 0) {
      this.#intervals.push({ ...running, endMs: Math.max(running.startMs, this.#lastMs) });
    }
    return {
      intervals: this.#intervals.toReversed().slice(0, INTERVALS_KEPT),
      calls: this.#calls.slice(-CALLS_KEPT),
      unreadable: this.#unreadable,
    };
  }

  #take(entry: Entry): void {
    switch (entry.entry) {
      case 'interval':
        this.#intervals.push({ startMs: entry.startTime, endMs: entry.endTime, counters: entry.counters });
        this.#running = undefined; // it is the one that ran
        return;
      case 'running':
        this.#running = { startMs: entry.startTime, counters: { ...entry.counters } };
        this.#lastMs = entry.startTime;
        return;
      case 'earlierCall':
        this.#calls.push(entry.call);
        return;
      case 'call':
        this.#calls.push(entry.call);
        this.#running ??= { startMs: entry.time, counters: noCalls() }; // its line was not readable
        for (const name of metricsOf(entry.call)) this.#running.counters[name]++;
        this.#lastMs = entry.time;
        return;
      case 'alive':
        this.#lastMs = entry.time;
    }
  }
}

function parseEntry(line: string): Entry | undefined {
  try {
    return entrySchema.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
