import { describe, expect, it } from 'vitest';
import type { EndedCall } from '../../../src/b2bua/ended-call.ts';
import { KnownAddresses } from '../../../src/b2bua/own-addresses.ts';
import { PathTracker } from '../../../src/ice/path-tracker.ts';
import type { CallRecord } from '../../../src/metrics/call-record.ts';
import { CallRecorder, relayFlows } from '../../../src/node/call-recorder.ts';
import type { RelayAnswer } from '../../../src/node/peer-client.ts';
import { SdpDocument } from '../../../src/wire/sdp.ts';

const RELAYS = ['198.51.100.1:24000', '198.51.100.1:24002'] as const;
const B2BUA = '198.51.100.9';

function known(): KnownAddresses {
  const address = { place: 0, address: B2BUA, advertised: B2BUA, family: 'IP4' } as const;
  return new KnownAddresses({
    zones: [
      {
        ...{
          id: 1,
          name: 'external',
          addresses: [address],
          mediaEncryption: 'force',
          aesGcm: true,
          ice: false,
        },
        ...{ icePassthrough: true, isSignallingEncrypted: true, media: 'terminate' },
        ...{ multiplexedPorts: undefined, bfcpFilter: false, ixFilter: false },
      },
    ],
    mediaPorts: [36_000, 59_999],
    relayRanges: [{ address: '198.51.100.1', ports: [24_000, 29_999] }],
  });
}

/** What a phone says whose relay is its default, and which concludes on it where it names the other's. */
function sdp(relay: string, remote?: string): SdpDocument {
  const [address, port] = relay.split(':');
  const lines = [
    'v=0',
    `o=- 1 1 IN IP4 ${address}`,
    's=-',
    't=0 0',
    `m=audio ${port} RTP/SAVP 0`,
    `c=IN IP4 ${address}`,
    `a=ice-ufrag:u${port}`,
    `a=ice-pwd:password-password-password`,
    'a=rtcp-mux',
    `a=candidate:1 1 UDP 255 ${address} ${port} typ relay raddr 0.0.0.0 rport 9`,
    ...(remote === undefined ? [] : [`a=remote-candidates:1 ${remote.replace(':', ' ')}`]),
  ];
  return SdpDocument.parse(lines.map((line) => `${line}\r\n`).join('')) as SdpDocument;
}

function endedCall(own: KnownAddresses): EndedCall {
  const path = new PathTracker(own);
  path.offered('caller', sdp(RELAYS[0]));
  path.answered('callee', sdp(RELAYS[1]));
  path.offered('caller', sdp(RELAYS[0], RELAYS[1]));
  path.answered('callee', sdp(RELAYS[1]));
  return {
    ...{ callId: 'one', startUnixMs: 0, endUnixMs: 60_000, reason: 'deleted', isConnected: true },
    ...{ isRelayed: false, sourceZone: 'external', destinationZone: 'external', isIceConfigured: true },
    media: [{ type: 'audio', legs: [] }],
    conclusion: path.conclusion(),
    observation: {
      media: ['left'],
      checks: { caller: true, callee: true },
      nominatedBy: undefined,
      obstacle: undefined,
    },
  };
}

function evidence(relay: string, peer: string, packets = 1000): RelayAnswer {
  return { address: relay, active: false, peers: [{ address: peer, toPeer: packets, fromPeer: packets }] };
}

async function recorded(answers: Map<string, RelayAnswer>, hasStrangers = false): Promise<CallRecord> {
  const records: CallRecord[] = [];
  const asked: string[] = [];
  const own = known();
  const recorder = new CallRecorder({
    relayEvidence: async (addresses) => {
      asked.push(...addresses);
      return answers;
    },
    own,
    hasStrangers: () => hasStrangers,
    record: (call) => records.push(call),
  });
  recorder.ended(endedCall(own));
  await recorder.drain();
  expect(asked.sort()).toEqual([...RELAYS]);
  expect(records).toHaveLength(1);
  return records[0] as CallRecord;
}

describe('a call that ended on two relays of ours', () => {
  const carrying = new Map([
    [RELAYS[0], evidence(RELAYS[0], RELAYS[1])],
    [RELAYS[1], evidence(RELAYS[1], RELAYS[0])],
  ]);

  it('is verified where they carried media towards each other', async () => {
    expect(await recorded(carrying)).toMatchObject({
      icePassthroughCallType: 'relay_to_relay',
      evidence: 'verified',
      reason: null,
      startTime: '1970-01-01T00:00:00.000Z',
      endTime: '1970-01-01T00:01:00.000Z',
      media: [{ type: 'audio', selected: { caller: 'relay', callee: 'relay' } }],
    });
  });

  it('is not where they carried nothing', async () => {
    const silent = new Map<string, RelayAnswer>(RELAYS.map((relay) => [relay, null]));
    expect((await recorded(silent)).evidence).toBe('contradicted');
  });

  it('is unknown where a TURN server that was asked did not answer', async () => {
    const late = new Map<string, RelayAnswer>(RELAYS.map((relay) => [relay, undefined]));
    expect(await recorded(late)).toMatchObject({
      icePassthroughCallType: 'relay_to_relay',
      evidence: 'unknown',
    });
  });

  it('is unknown while another node has never told what it relays on', async () => {
    expect((await recorded(carrying, true)).evidence).toBe('unknown');
  });
});

describe('what went through relays', () => {
  it.each([
    ['checks and consent', 19, 19, []],
    ['media both ways', 20, 20, [{ relay: 'r', peer: 'p', isOneWay: false }]],
    ['what one side said before it changed over', 249, 19, []],
    ['media to the peer alone', 250, 19, [{ relay: 'r', peer: 'p', isOneWay: true }]],
    ['media from the peer alone', 0, 250, [{ relay: 'r', peer: 'p', isOneWay: true }]],
  ])('is told by its packets: %s', (_, toPeer, fromPeer, flows) => {
    const answer = { address: 'r', active: true, peers: [{ address: 'p', toPeer, fromPeer }] };
    expect(relayFlows(new Map([['r', answer]]))).toEqual(flows);
  });

  it('is not known if somebody did not answer', () => {
    expect(
      relayFlows(
        new Map([
          ['r', evidence('r', 'p')],
          ['s', undefined],
        ]),
      ),
    ).toBeUndefined();
  });
});
