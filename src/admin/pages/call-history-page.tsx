/** `/call-history`: the newest calls that ended; `/call-history/UUID`: all that is kept of one. */
import type { JSX } from 'hono/jsx/jsx-runtime';
import type { CallRecord, MediaLegRecord, MediaRecord } from '../../metrics/call-record.ts';
import { CallTypeName, EvidenceTag, jitterText, lossText } from './call-words.tsx';
import { type Column, DataTable, FactTable } from './data-table.tsx';
import { byteCount, count, duration, secondsBetween, Time } from './formats.tsx';
import type { Page, PageRequest } from './page.ts';

export function callHistoryPage(calls: readonly CallRecord[], request: PageRequest): Page {
  return {
    title: 'Call history',
    content: (
      <DataTable
        id="history"
        caption={`Calls that ended, newest first (${count(calls.length)})`}
        columns={COLUMNS}
        rows={calls}
        rowKey={({ uuid }) => uuid}
        request={request}
        empty="No call has ended yet."
      />
    ),
    data: [{ href: '/api/calls/history', text: 'Call history (JSON)' }],
  };
}

export function callRecordPage(call: CallRecord): Page {
  return {
    title: `Call ${call.callId}`,
    content: <Record call={call} />,
    data: [{ href: '/api/calls/history', text: 'Call history (JSON)' }],
  };
}

const COLUMNS: readonly Column<CallRecord>[] = [
  {
    key: 'call',
    label: 'Call',
    isRowHeader: true,
    cell: ({ uuid, callId }) => (
      <a class="id" href={`/call-history/${encodeURIComponent(uuid)}`}>
        {callId}
      </a>
    ),
    sortBy: ({ callId }) => callId,
  },
  {
    key: 'type',
    label: 'ICE Passthrough call type',
    cell: ({ icePassthroughCallType, mixed }) => (
      <>
        <CallTypeName type={icePassthroughCallType} />
        {mixed && <small> (mixed)</small>}
      </>
    ),
    sortBy: ({ icePassthroughCallType }) => icePassthroughCallType,
  },
  {
    key: 'evidence',
    label: 'Evidence',
    cell: ({ evidence }) => <EvidenceTag evidence={evidence} />,
    sortBy: ({ evidence }) => evidence,
  },
  {
    key: 'zones',
    label: 'Zones',
    cell: (call) => <span class="words">{zonesText(call)}</span>,
    sortBy: zonesText,
  },
  {
    key: 'start',
    label: 'Start (UTC)',
    cell: ({ startTime }) => <Time value={startTime} />,
    sortBy: ({ startTime }) => startTime,
  },
  {
    key: 'duration',
    label: 'Duration',
    isNumeric: true,
    cell: (call) => duration(lengthOf(call)),
    sortBy: lengthOf,
  },
  {
    key: 'reason',
    label: 'Why not optimized',
    cell: ({ reason }) => reason ?? '–',
    sortBy: ({ reason }) => reason,
  },
  {
    key: 'end',
    label: 'Ended by',
    cell: ({ disconnectReason }) => disconnectReason,
    sortBy: ({ disconnectReason }) => disconnectReason,
  },
];

function Record({ call }: { call: CallRecord }): JSX.Element {
  return (
    <>
      <div class="columns">
        <FactTable
          id="path"
          caption="Media path"
          facts={[
            ['ICE Passthrough call type', <CallTypeName type={call.icePassthroughCallType} />],
            ['Evidence', <EvidenceTag evidence={call.evidence} />],
            ['All lines alike', call.mixed ? 'No: lines took paths of different types' : 'Yes'],
            ['Why not optimized', call.reason ?? '–'],
            ['Required ICE configuration', call.iceConfigured ? 'Yes' : 'No'],
            ['Sides that offered candidates', `${call.sidesWithCandidates} of 2`],
          ]}
        />
        <FactTable
          id="call"
          caption="Call"
          facts={[
            ['Zones', zonesText(call)],
            ['Start (UTC)', <Time value={call.startTime} />],
            ['End (UTC)', <Time value={call.endTime} />],
            ['Duration', duration(lengthOf(call))],
            ['Connected', call.connected ? 'Yes' : 'No'],
            ['Ended by', call.disconnectReason],
            ['UUID', <span class="id">{call.uuid}</span>],
          ]}
        />
      </div>
      <DataTable
        id="lines"
        caption="Media lines"
        columns={LINE_COLUMNS}
        rows={call.media.map((line, index) => ({ line, index }))}
        rowKey={({ index }) => String(index)}
        empty="The call had no media lines."
      />
      <DataTable
        id="legs"
        caption="What came in through the B2BUA"
        columns={LEG_COLUMNS}
        rows={call.media.flatMap((line, index) => line.legs.map((leg, side) => ({ line, index, leg, side })))}
        rowKey={({ index, side }) => `${index}-${side}`}
        empty="Nothing."
      />
    </>
  );
}

interface Line {
  readonly line: MediaRecord;
  /** Counts from 0. */
  readonly index: number;
}

interface LineLeg extends Line {
  readonly leg: MediaLegRecord;
  readonly side: number;
}

const LINE_COLUMNS: readonly Column<Line>[] = [
  { key: 'line', label: 'Line', isRowHeader: true, cell: lineName },
  { key: 'caller', label: "Caller's candidate", cell: ({ line }) => line.selected.caller ?? 'none known' },
  { key: 'callee', label: "Callee's candidate", cell: ({ line }) => line.selected.callee ?? 'none known' },
];

const LEG_COLUMNS: readonly Column<LineLeg>[] = [
  {
    key: 'leg',
    label: 'Line and zone',
    isRowHeader: true,
    cell: (row) => `${lineName(row)}, ${row.leg.zone}`,
  },
  { key: 'packets', label: 'Packets', isNumeric: true, cell: ({ leg }) => count(leg.packets) },
  { key: 'bytes', label: 'Bytes', isNumeric: true, cell: ({ leg }) => byteCount(leg.bytes) },
  {
    key: 'lost',
    label: 'Lost',
    isNumeric: true,
    cell: ({ leg }) => lossText(leg.packets, Math.max(0, leg.packetsLost)),
  },
  { key: 'jitter', label: 'Jitter', isNumeric: true, cell: ({ leg }) => jitterText(leg.jitterMs) },
];

function lineName({ line, index }: Line): string {
  return `${index + 1}: ${line.type}`;
}

function zonesText({ sourceZone, destinationZone }: CallRecord): string {
  return `${sourceZone} → ${destinationZone}`;
}

function lengthOf({ startTime, endTime }: CallRecord): number {
  return secondsBetween(startTime, endTime);
}
