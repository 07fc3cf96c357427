import type { CallStatus, CallsStatus, LinkTotals } from '../../../src/admin/call-status.ts';
import type {
  AdminSource,
  NodeIceMetrics,
  NodeStatus,
  RelayEvidence,
  TrafficTotals,
  TurnRelayStatus,
  TurnStatus,
} from '../../../src/admin/source.ts';
import type { CallRecord } from '../../../src/metrics/call-record.ts';
import { type IceIntervalReport, type IceMetricsReport, noCalls } from '../../../src/metrics/ice-metrics.ts';
import type { BencodeDictionary } from '../../../src/wire/bencode.ts';

/** A node that exists only as far as the admin server looks at it. */
export class FakeSource implements AdminSource {
  node: NodeStatus = {
    name: 'node1',
    version: '0.1.0',
    healthy: true,
    reason: null,
    startTime: '2026-01-01T00:00:00.000Z',
    uptimeSeconds: 90_061,
    engine: 'batch',
    workers: 2,
    turn: { state: 'active', activeClients: 3, activeRelays: 1234, relayRanges: [] },
    b2bua: { state: 'active', activeCalls: 5, crypto: 'openssl' },
  };
  totals: TrafficTotals = {
    packetsClientToPeer: 0,
    bytesClientToPeer: 0,
    packetsPeerToClient: 0,
    bytesPeerToClient: 0,
  };
  relays: TurnRelayStatus[] = [];
  relaysAskedFor: number[] = [];
  readonly ngCommands: BencodeDictionary[] = [];
  /** What commands are answered with; undefined: the B2BUA is off. */
  ngReply: BencodeDictionary | undefined = { result: 'pong' };
  readonly passwords: Map<string, string> = new Map([['alice', 'secret']]);
  readonly removed: string[] = [];

  readonly credentials = {
    list: (): string[] => [...this.passwords.keys()],
    add: async (name: string, password: string): Promise<void> => {
      this.passwords.set(name, password);
    },
    remove: async (name: string): Promise<number> => {
      this.passwords.delete(name);
      this.removed.push(name);
      return 2;
    },
  };

  callsKnown: CallStatus[] = [];
  linksKnown: LinkTotals[] = [];
  historyKnown: CallRecord[] = [];
  current: IceIntervalReport = {
    startTime: '2026-01-01T00:00:00.000Z',
    endTime: '2026-01-02T00:00:00.000Z',
    ...noCalls(),
  };
  intervals: IceIntervalReport[] = [];
  peers: NodeIceMetrics[] = [];

  async calls(callsMax: number): Promise<CallsStatus> {
    return { callsTotal: this.callsKnown.length, calls: this.callsKnown.slice(0, callsMax) };
  }

  async call(id: string): Promise<CallStatus | undefined> {
    return this.callsKnown.find((call) => call.id === id);
  }

  callHistory(): CallRecord[] {
    return this.historyKnown;
  }

  callRecord(uuid: string): CallRecord | undefined {
    return this.historyKnown.find((call) => call.uuid === uuid);
  }

  iceMetrics(): IceMetricsReport {
    return { node: this.node.name, current: this.current, history: this.intervals };
  }

  async iceMetricsOfNodes(): Promise<NodeIceMetrics[]> {
    return [{ node: this.node.name, metrics: this.iceMetrics() }, ...this.peers];
  }

  links(): LinkTotals[] {
    return this.linksKnown;
  }

  traffic(): TrafficTotals {
    return this.totals;
  }

  async status(): Promise<NodeStatus> {
    return this.node;
  }

  async turn(relaysMax: number): Promise<TurnStatus> {
    this.relaysAskedFor.push(relaysMax);
    return {
      state: 'active',
      realm: 'TANDBERG',
      engine: 'batch',
      workers: [{ id: 0, kind: 'media', counters: { allocations: 1 } }],
      listeners: [
        {
          protocol: 'udp',
          address: '127.0.0.1',
          port: 3478,
          receiveBufferBytes: 4096,
          sendBufferBytes: 4096,
        },
      ],
      activeClients: 1,
      activeRelays: this.relays.length,
      relays: this.relays,
      relaysTotal: this.relays.length,
      counters: { allocations: 1 },
      drops: { no_permission: 3 },
      authFailures: {},
    };
  }

  evidence: RelayEvidence[] = [];
  readonly evidenceAskedFor: (readonly string[])[] = [];

  async relayEvidence(addresses: readonly string[]): Promise<RelayEvidence[]> {
    this.evidenceAskedFor.push(addresses);
    return this.evidence;
  }

  async ng(command: BencodeDictionary): Promise<BencodeDictionary | undefined> {
    this.ngCommands.push(command);
    return this.ngReply;
  }

  async metricsText(): Promise<string> {
    return '# TYPE up gauge\nup 1\n';
  }
}

export function fakeRelay(id: number): TurnRelayStatus {
  return {
    id: `0.${id}`,
    worker: 0,
    client: { protocol: 'udp', address: '192.0.2.1:5000' },
    user: 'alice',
    relayAddress: `192.0.2.9:${24_000 + id}`,
    additionalRelayAddress: null,
    expiresInSeconds: 600,
    peers: ['198.51.100.1:7000'],
    permissions: [{ address: '198.51.100.1', expiresInSeconds: 300, packetsToPeer: 1, packetsFromPeer: 0 }],
    channels: [
      {
        number: 0x4000,
        peer: '198.51.100.1:7000',
        expiresInSeconds: 600,
        packetsToPeer: 20,
        packetsFromPeer: 10,
      },
    ],
    counters: {
      packetsFromClient: 1,
      bytesFromClient: 100,
      packetsToClient: 2,
      bytesToClient: 200,
      packetsFromPeers: 2,
      packetsDropped: 0,
      requests: 3,
      successResponses: 2,
      errorResponses: 1,
    },
  };
}
