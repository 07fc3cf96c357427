/** Events of runs that never took place, as the lab would tell them. */
import type { CallEnd, CallRow, CallState, LabEvent, LabResult, MetricRow } from '../../../lab/events.ts';
import { type HomeName, type NatKind, type PhonePlace, PLACES } from '../../../lab/topology.ts';

type Nats = Readonly<Record<HomeName, NatKind>>;

const OPEN: Nats = { A: 'endpoint-independent', B: 'endpoint-independent' };

interface PlannedCall {
  readonly from: PhonePlace;
  readonly to: PhonePlace;
  readonly expected: CallRow['expected'];
  readonly path: string;
  readonly nats?: Nats;
  readonly agent?: string;
  readonly end?: Partial<CallRow>;
}

/** A call before anything has happened. */
export function callRow(id: string, call: PlannedCall): CallRow {
  const end = (place: PhonePlace, agent: string): CallEnd => {
    const { home } = PLACES[place];
    return {
      ...{ place, nat: home ? (call.nats ?? OPEN)[home] : null, agent: place === 'desk' ? 'none' : agent },
      ...{ sentPackets: 0, heardPackets: 0, lossPercent: null, hearsTone: false, planePackets: null },
    };
  };
  return {
    ...{ id, title: `${call.from} → ${call.to}`, state: 'waiting', expected: call.expected, got: null },
    ...{ caller: end(call.from, 'full'), callee: end(call.to, call.agent ?? 'full') },
    ...{ evidence: null, path: '', fault: null, isRight: null, problems: [] },
  };
}

const CALLS: readonly (readonly PlannedCall[])[] = [
  [
    {
      ...{ from: 'homeA', to: 'homeA2', expected: 'host_to_host', agent: 'werift' },
      path: 'host 192.168.1.11:40000 ↔ host 192.168.1.12:44000',
    },
    {
      ...{ from: 'homeA', to: 'homeB', expected: 'srflx_to_srflx' },
      path: 'srflx 203.0.113.2:40001 ↔ srflx 203.0.113.18:40000',
    },
    { from: 'homeA', to: 'desk', expected: 'none', path: 'through the media plane' },
  ],
  [
    {
      ...{ from: 'internet', to: 'homeB', expected: 'host_to_relay' },
      nats: { A: 'port-restricted', B: 'udp-blocked' },
      path: 'host 192.0.2.50:40000 ↔ relay 198.51.100.10:24002',
    },
  ],
];

const METRICS: readonly (readonly [label: string, value: number])[] = [
  ['B2BUA connected calls', 4],
  ['Calls with optimized ICE media paths', 3],
  ['Host to host', 1],
  ['Host to server reflexive', 0],
  ['Host to relay', 1],
  ['Server reflexive to server reflexive', 1],
  ['Server reflexive to relay', 0],
  ['Relay to relay', 0],
  ['Calls with required Expressway ICE configuration', 3],
  ['Calls without ICE candidates', 0],
  ['Calls with non-optimized media paths', 1],
];

/** All goes as expected. */
export function labRun(): LabEvent[] {
  return runOf((row) => ended(row, row.expected));
}

/** The call to home B ends on a relay, and the others are right. */
export function labRunWithWrongCall(): LabEvent[] {
  const problems = ['expected srflx_to_srflx, the media plane recorded srflx_to_relay (no reason)'];
  return runOf((row) =>
    row.id === '2' ? { ...ended(row, 'srflx_to_relay'), isRight: false, problems } : ended(row, row.expected),
  );
}

/** Each call with what a fault did to it. */
export function labRunWithFaults(): LabEvent[] {
  const outcomes = ['unharmed', 'recovered after 12.3 s', 'unharmed', 'recovered after 2.0 s'];
  return runOf((row) => ({ ...ended(row, row.expected), fault: outcomes[Number(row.id) - 1] ?? null }));
}

export function rowsOf(events: readonly LabEvent[]): readonly CallRow[] {
  return resultOf(events).calls;
}

export function resultOf(events: readonly LabEvent[]): LabResult {
  const last = events.at(-1);
  if (last?.event !== 'end') throw new Error('the run has no end');
  return last.result;
}

function runOf(end: (row: CallRow) => CallRow): LabEvent[] {
  const name = 'Causeway, an edge and a core node';
  const pageUrl = 'http://127.0.0.1:40123/';
  const events: LabEvent[] = [
    { event: 'network', kind: 'simulated', reason: 'unshare: Operation not permitted' },
    { event: 'media-plane', name, pageUrl },
  ];
  const calls: CallRow[] = [];
  for (const [i, planned] of CALLS.entries()) {
    const title = i === 0 ? 'Homes that let anyone in' : 'Home B lets no UDP out';
    events.push({ event: 'step', number: i + 1, count: CALLS.length, title });
    const stories = planned.map((call, j) =>
      storyOf(callRow(String(calls.length + j + 1), call), call.path, end),
    );
    // They run at the same time: the first change of each, the second of each, …
    for (let at = 0; at < STORY_LENGTH; at++)
      for (const story of stories) events.push({ event: 'call', row: story[at] as CallRow });
    if (i === 0) events.push({ event: 'note', text: 'nobody touches anything' });
    calls.push(...stories.map((story) => story.at(-1) as CallRow));
  }
  const rows: MetricRow[] = METRICS.map(([label, value]) => ({ label, value }));
  const times = { startTime: '2026-03-01T10:00:00.000Z', endTime: '2026-03-02T10:00:00.000Z' };
  events.push({ event: 'metrics', ...times, rows, isRight: true, problems: [] });
  const problems = calls.flatMap((row) =>
    row.problems.map((text) => `call ${row.id} (${row.title}): ${text}`),
  );
  const result: LabResult = {
    ...{ scenario: 'Every kind of path', network: 'simulated', mediaPlane: name, pageUrl, seconds: 41.5 },
    ...{ calls, metrics: rows, problems },
  };
  return [...events, { event: 'end', result }];
}

const STORY_LENGTH = 6;

/** A call from the beginning to its end; {@link STORY_LENGTH} rows. */
function storyOf(row: CallRow, path: string, end: (row: CallRow) => CallRow): CallRow[] {
  const up = { ...row, state: 'checking' as CallState };
  const talking = heard({ ...up, state: 'talking', got: row.expected, path }, 60);
  return [row, { ...row, state: 'ringing' }, up, heard(up, 10), talking, end(heard(talking, 400))];
}

/** Media that passes the B2BUA is counted there; what does not, only before ICE concludes. */
function heard(row: CallRow, packets: number): CallRow {
  const planePackets = row.expected === 'none' ? packets : Math.min(packets, 17);
  const counts = {
    sentPackets: packets,
    heardPackets: packets,
    lossPercent: 0,
    hearsTone: true,
    planePackets,
  };
  return { ...row, caller: { ...row.caller, ...counts }, callee: { ...row.callee, ...counts } };
}

function ended(row: CallRow, got: CallRow['expected']): CallRow {
  return { ...row, state: 'ended', got, evidence: 'verified', isRight: true };
}
