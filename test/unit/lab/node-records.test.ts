/** What the lab reads of the core node, against a server that answers as a node does. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AdminClient } from '../../../lab/media-plane/admin-client.ts';
import { NodeRecords } from '../../../lab/media-plane/node-records.ts';
import { CALLS_KEPT } from '../../../src/metrics/call-history.ts';
import type { CallRecord } from '../../../src/metrics/call-record.ts';
import { metricsOf, noCalls } from '../../../src/metrics/ice-metrics.ts';

let server: Server;
let records: NodeRecords;
/** By path: what is answered, one after the other, the last one for ever; undefined: 500. */
let answers: Record<string, readonly unknown[]>;

beforeEach(async () => {
  const counts = new Map<string, number>();
  server = createServer(({ url = '' }, reply) => {
    const at = counts.get(url) ?? 0;
    counts.set(url, at + 1);
    const all = answers[url] ?? [];
    const answer = all[Math.min(at, all.length - 1)];
    reply.writeHead(answer === undefined ? 500 : 200).end(JSON.stringify(answer ?? {}));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  records = new NodeRecords(new AdminClient(`http://127.0.0.1:${port}`, 'secret'));
});

afterEach(() => {
  server.close();
  server.closeAllConnections();
});

function record(changed: Partial<CallRecord> = {}): CallRecord {
  const leg = { zone: 'traversal', bytes: 0, packetsLost: 0, jitterMs: 0 };
  return {
    ...{
      uuid: 'u',
      callId: 'one',
      startTime: '2026-03-01T10:00:00.000Z',
      endTime: '2026-03-01T10:01:00.000Z',
    },
    ...{ connected: true, disconnectReason: 'delete', sourceZone: 'a', destinationZone: 'b' },
    ...{ icePassthroughCallType: 'host_to_relay', evidence: 'verified', mixed: false, reason: null },
    ...{ iceConfigured: true, sidesWithCandidates: 2 },
    media: [
      {
        ...{ type: 'audio', selected: { caller: 'host', callee: 'relay' } },
        legs: [
          { ...leg, packets: 5 },
          { ...leg, packets: 6 },
        ],
      },
    ],
    ...changed,
  };
}

const HISTORY = '/api/calls/history';
const LATER = '2026-03-01T10:05:00.000Z';

describe('the record of a call', () => {
  it('is waited for, also while the node does not answer', async () => {
    answers = { [HISTORY]: [undefined, { calls: [record({ callId: 'other' })] }, { calls: [record()] }] };
    expect(await records.ended('one')).toEqual({
      ...{ callId: 'one', callType: 'host_to_relay', evidence: 'verified', reason: null, packets: [5, 6] },
    });
  });

  it('is the newest, and not that of an earlier end', async () => {
    const newer = record({ endTime: LATER, icePassthroughCallType: 'none' });
    answers = { [HISTORY]: [{ calls: [record()] }, { calls: [newer, record()] }] };
    expect(await records.ended('one', Date.parse(LATER))).toMatchObject({ callType: 'none' });
  });
});

describe('the metrics', () => {
  const counters = (...calls: readonly CallRecord[]) => {
    const counted = noCalls();
    for (const name of calls.flatMap(metricsOf)) counted[name]++;
    return { startTime: 's', endTime: 'e', ...counted };
  };

  it('add up to the history, over the intervals that a restart has closed', async () => {
    const [first, second] = [record(), record({ icePassthroughCallType: 'none' })];
    answers = {
      [HISTORY]: [{ calls: [second, first] }],
      '/api/ice-metrics': [
        {
          current: { ...counters(second), startTime: 's2', endTime: 'e2' },
          history: [{ ...counters(first), startTime: 's1', endTime: 'e1' }],
        },
      ],
    };
    const { startTime, endTime, rows, problems } = await records.metrics();
    expect({ startTime, endTime, problems }).toEqual({ startTime: 's1', endTime: 'e2', problems: [] });
    expect(rows).toContainEqual({ label: 'B2BUA connected calls', value: 2 });
    expect(rows).toContainEqual({ label: 'Host to relay', value: 1 });
  });

  it('tell what does not add up', async () => {
    answers = {
      [HISTORY]: [{ calls: [record()] }],
      '/api/ice-metrics': [{ current: counters(), history: [] }],
    };
    expect((await records.metrics()).problems).toContain('b2buacalls is 0, the call history makes 1');
  });

  it('are not held against a history that is full, and has forgotten calls', async () => {
    const calls = Array.from({ length: CALLS_KEPT }, () => record());
    answers = {
      [HISTORY]: [{ calls }],
      '/api/ice-metrics': [{ current: counters(...calls, record()), history: [] }],
    };
    expect((await records.metrics()).problems).toEqual([]);
  });
});
