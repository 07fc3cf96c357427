import { describe, expect, it } from 'vitest';
import type { CallStatus, LinkTotals } from '../../../src/admin/call-status.ts';
import { LinkMeter } from '../../../src/admin/traffic-meter.ts';
import { fakeApp } from './fake-app.ts';
import { FakeSource } from './fake-source.ts';
import { endedCall } from './sample-data.ts';

function call(id: string): CallStatus {
  const time = '2026-01-01T00:00:00.000Z';
  return {
    ...{ id, callId: `sip-${id}`, startTime: time, lastSignalTime: time },
    ...{ answered: true, relayed: false, icePassthroughCallType: null, legs: [] },
  };
}

function link(id: number, packets: number, bytes: number): LinkTotals {
  return {
    ...{ id, name: `zone${id}`, packetsReceived: packets, bytesReceived: bytes },
    ...{ packetsSent: 2 * packets, bytesSent: 2 * bytes, activeLegs: id },
  };
}

async function get(source: FakeSource, path: string): Promise<{ status: number; body: unknown }> {
  const response = await fakeApp(source).request(path);
  return { status: response.status, body: await response.json() };
}

describe('calls', () => {
  it('are listed as far as asked for, with how many there are', async () => {
    const source = new FakeSource();
    source.callsKnown = [call('0-1'), call('0-2'), call('1-1')];
    expect(await get(source, '/api/calls?limit=2')).toEqual({
      status: 200,
      body: { callsTotal: 3, calls: [call('0-1'), call('0-2')] },
    });
    expect((await get(source, '/api/calls')).body).toMatchObject({ calls: source.callsKnown });
  });

  it.each(['-1', '', '1.5', 'all', '100001'])('are not listed for limit=%s', async (limit) => {
    expect(await get(new FakeSource(), `/api/calls?limit=${limit}`)).toEqual({
      status: 400,
      body: { error: 'limit must be a whole number from 0 to 100000' },
    });
  });

  it('are told one by one by their id', async () => {
    const source = new FakeSource();
    source.callsKnown = [call('0-1')];
    expect(await get(source, '/api/calls/0-1')).toEqual({ status: 200, body: call('0-1') });
    expect(await get(source, '/api/calls/0-2')).toEqual({ status: 404, body: { error: 'no such call' } });
  });
});

describe('calls that ended', () => {
  it('are told newest first, under a path that names no running call', async () => {
    const source = new FakeSource();
    source.historyKnown = [endedCall(2), endedCall(1)];
    expect(await get(source, '/api/calls/history')).toEqual({
      status: 200,
      body: { calls: [endedCall(2), endedCall(1)] },
    });
  });
});

describe('links', () => {
  it('are told with their totals of this moment', async () => {
    const source = new FakeSource();
    source.linksKnown = [link(1, 10, 1720)];
    expect(await get(source, '/api/links')).toMatchObject({
      status: 200,
      body: { links: [{ ...link(1, 10, 1720), bitsPerSecondReceived: 0 }] },
    });
  });

  it('have each rates of their own, averaged over the last samples', () => {
    const meter = new LinkMeter();
    meter.sample(0, [link(1, 0, 0), link(2, 0, 0)]);
    meter.sample(2000, [link(1, 100, 17_200), link(2, 0, 0)]);
    const now = [link(1, 101, 17_372), link(2, 0, 0)];
    expect(meter.status(now)).toEqual([
      {
        ...link(1, 101, 17_372),
        packetsPerSecondReceived: 50,
        bitsPerSecondReceived: 68_800,
        packetsPerSecondSent: 100,
        bitsPerSecondSent: 137_600,
      },
      {
        ...link(2, 0, 0),
        packetsPerSecondReceived: 0,
        bitsPerSecondReceived: 0,
        packetsPerSecondSent: 0,
        bitsPerSecondSent: 0,
      },
    ]);
  });
});
