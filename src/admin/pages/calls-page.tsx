/** `/calls`: the calls that are up; `/calls/ID`: one of them with its legs and the statistics of each stream. */
import type { JSX } from 'hono/jsx/jsx-runtime';
import type {
  CallLegStatus,
  CallLineStatus,
  CallStatus,
  CallStreamStatus,
  CallsStatus,
} from '../call-status.ts';
import { CallTypeName, jitterText, lossText } from './call-words.tsx';
import { type Column, DataTable, FactTable } from './data-table.tsx';
import { byteCount, count, duration, secondsBetween, Time } from './formats.tsx';
import type { Page, PageRequest } from './page.ts';

/** @param now ISO 8601 */
export function callsPage(calls: CallsStatus, request: PageRequest, now: string): Page {
  return {
    title: 'Calls',
    content: <Calls status={calls} request={request} now={now} />,
    data: [{ href: '/api/calls', text: 'Calls (JSON)' }],
  };
}

export function callPage(call: CallStatus): Page {
  return {
    title: `Call ${call.callId}`,
    content: <Call call={call} />,
    data: [{ href: `/api/calls/${encodeURIComponent(call.id)}`, text: 'This call (JSON)' }],
  };
}

interface CallsProps {
  readonly status: CallsStatus;
  readonly request: PageRequest;
  readonly now: string;
}

function Calls({ status: { calls, callsTotal }, request, now }: CallsProps): JSX.Element {
  return (
    <>
      <DataTable
        id="calls"
        caption="Calls that are up"
        columns={callColumns(now)}
        rows={calls}
        rowKey={({ id }) => id}
        request={request}
        empty="There is no call at the moment."
      />
      {callsTotal > calls.length && (
        <p class="note" id="more">
          {`These are ${count(calls.length)} of ${count(callsTotal)} calls. `}
          <a href={`/api/calls?limit=${callsTotal}`}>All of them (JSON)</a>
        </p>
      )}
    </>
  );
}

function callColumns(now: string): Column<CallStatus>[] {
  return [
    {
      key: 'call',
      label: 'Call',
      isRowHeader: true,
      cell: ({ id, callId }) => (
        <a class="id" href={`/calls/${encodeURIComponent(id)}`}>
          {callId}
        </a>
      ),
      sortBy: ({ callId }) => callId,
    },
    {
      key: 'zones',
      label: 'Zones',
      cell: (call) => <span class="words">{zonesText(call)}</span>,
      sortBy: zonesText,
    },
    { key: 'state', label: 'State', cell: stateText, sortBy: stateText },
    {
      key: 'type',
      label: 'Call type so far',
      cell: ({ icePassthroughCallType }) => <CallTypeName type={icePassthroughCallType} />,
      sortBy: ({ icePassthroughCallType }) => icePassthroughCallType,
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
      cell: ({ startTime }) => duration(secondsBetween(startTime, now)),
      sortBy: ({ startTime }) => secondsBetween(startTime, now),
    },
    {
      key: 'packets',
      label: 'Packets',
      isNumeric: true,
      cell: (call) => count(total(call, ({ packets }) => packets)),
      sortBy: (call) => total(call, ({ packets }) => packets),
    },
    {
      key: 'lost',
      label: 'Lost',
      isNumeric: true,
      cell: (call) =>
        lossText(
          total(call, ({ packets }) => packets),
          total(call, lostOf),
        ),
      sortBy: (call) => total(call, lostOf),
    },
  ];
}

function Call({ call }: { call: CallStatus }): JSX.Element {
  return (
    <>
      <FactTable
        id="call"
        caption="Call"
        facts={[
          ['State', stateText(call)],
          ['Call type so far', <CallTypeName type={call.icePassthroughCallType} />],
          ['Start (UTC)', <Time value={call.startTime} />],
          ['Last offer or answer (UTC)', <Time value={call.lastSignalTime} />],
        ]}
      />
      {call.legs.map((leg, i) => (
        <Leg leg={leg} index={i + 1} />
      ))}
    </>
  );
}

interface Stream {
  readonly line: CallLineStatus;
  readonly stream: CallStreamStatus;
}

function Leg({ leg, index }: { leg: CallLegStatus; index: number }): JSX.Element {
  const streams = leg.lines.flatMap((line) => line.streams.map((stream) => ({ line, stream })));
  return (
    <div id={`leg-${index}`}>
      <h2>{`Leg ${index}: zone ${leg.zone}`}</h2>
      <p class="note">
        {'Tag '}
        <span class="id">{leg.tag ?? 'not known before it answers'}</span>
        {leg.earlierTags.length > 0 && (
          <>
            {', before that '}
            <span class="id">{leg.earlierTags.join(', ')}</span>
          </>
        )}
      </p>
      <DataTable
        id={`streams-${index}`}
        caption={`Received from this side, by stream (leg ${index})`}
        columns={STREAM_COLUMNS}
        rows={streams}
        rowKey={({ line, stream }) => `${line.index}-${stream.component}`}
        empty="It has no media lines."
      />
    </div>
  );
}

const STREAM_COLUMNS: readonly Column<Stream>[] = [
  {
    key: 'stream',
    label: 'Stream',
    isRowHeader: true,
    cell: ({ line, stream }) => (
      <span class="words">{`${line.index}: ${line.media}, ${stream.component.toUpperCase()}`}</span>
    ),
  },
  { key: 'protocol', label: 'Protocol', cell: ({ line }) => line.protocol },
  {
    key: 'encryption',
    label: 'Encryption',
    cell: ({ line: { receivedSuite, sentSuite } }) =>
      receivedSuite === sentSuite
        ? (receivedSuite ?? 'none')
        : `${receivedSuite ?? 'none'} / ${sentSuite ?? 'none'}`,
  },
  {
    key: 'local',
    label: 'Local port',
    cell: ({ stream }) => <span class="address">{`${stream.localAddress} ${stream.localPort}`}</span>,
  },
  {
    key: 'remote',
    label: 'Sends to',
    cell: ({ stream }) => <span class="address">{stream.remote ?? '–'}</span>,
  },
  {
    key: 'signalled',
    label: 'Signalled',
    cell: ({ stream }) => <span class="address">{stream.signalled ?? '–'}</span>,
  },
  { key: 'ice', label: 'ICE', cell: ({ stream }) => stream.ice },
  { key: 'packets', label: 'Packets', isNumeric: true, cell: ({ stream }) => count(stream.packets) },
  { key: 'bytes', label: 'Bytes', isNumeric: true, cell: ({ stream }) => byteCount(stream.bytes) },
  {
    key: 'lost',
    label: 'Lost',
    isNumeric: true,
    cell: ({ stream }) => lossText(stream.packets, lostOf(stream)),
  },
  { key: 'jitter', label: 'Jitter', isNumeric: true, cell: ({ stream }) => jitterText(stream.jitterMs) },
  { key: 'rtcp', label: 'RTCP packets', isNumeric: true, cell: ({ stream }) => count(stream.rtcpPackets) },
  {
    key: 'errors',
    label: 'Errors',
    isNumeric: true,
    cell: ({ stream }) => count(stream.errors + stream.rtcpErrors),
  },
  {
    key: 'last',
    label: 'Last packet (UTC)',
    cell: ({ stream }) => (stream.lastPacketTime === null ? '–' : <Time value={stream.lastPacketTime} />),
  },
];

function zonesText({ legs }: CallStatus): string {
  return legs.map(({ zone }) => zone).join(' → ');
}

function stateText({ answered, relayed }: CallStatus): string {
  if (!answered) return 'Ringing';
  return relayed ? 'Connected, relayed untouched' : 'Connected';
}

function total(call: CallStatus, valueIn: (stream: CallStreamStatus) => number): number {
  const streams = call.legs.flatMap(({ lines }) => lines.flatMap((line) => line.streams));
  return streams.reduce((sum, stream) => sum + valueIn(stream), 0);
}

function lostOf({ packetsLost }: CallStreamStatus): number {
  return Math.max(0, packetsLost); // duplicates make it negative (RFC 3550 §6.4.1)
}
