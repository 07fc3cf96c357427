import { describe, expect, it } from 'vitest';
import { Allocation, Allocations } from '../../../src/turn/allocations.ts';
import {
  ENDED_RELAY_SECONDS,
  ENDED_RELAYS_MAX,
  mergeRelayEvidence,
  PEERS_REMEMBERED_MAX,
  RelayMemory,
} from '../../../src/turn/relay-evidence.ts';
import { StaticNat } from '../../../src/turn/static-nat.ts';
import { EndpointBook } from '../../../src/wire/endpoint.ts';

const RELAY = '198.51.100.1';
const SCRATCH = 0;

class Rig {
  readonly book = new EndpointBook(1000, 1);
  readonly allocations = new Allocations(this.book, 7);
  readonly memory = new RelayMemory({
    allocations: this.allocations,
    book: this.book,
    nat: new StaticNat(this.book, []),
  });

  /** An allocation with the relay port that has sent so many packets to each of the peers' ports, come and gone. */
  live(port: number, endsAtMs: number, packetsTo: readonly number[] = []): void {
    const { allocations, book, memory } = this;
    book.setText(SCRATCH, '192.0.2.1', port);
    const client = book.acquireCopy(SCRATCH);
    const origin = { listener: 0, socket: 0, client, user: 'alice', clientHost: '192.0.2.1' };
    const allocation = new Allocation(allocations.nextId(), origin, 0);
    book.setText(SCRATCH, RELAY, port);
    const endpoint = book.acquireCopy(SCRATCH);
    const relay = { socket: port, relayAddress: 0, port, endpoint, expiresAtMs: 0 };
    allocation.relayIPv4 = relay;
    allocations.add(allocation);
    for (const [i, packets] of packetsTo.entries()) {
      book.setText(SCRATCH, '203.0.113.1', 1 + i);
      const permission = allocations.permit(allocation, SCRATCH, 0, 1e9);
      const channel = allocations.bind(allocation, 0x4000 + i, SCRATCH, permission, 0, 1e9);
      allocations.channels.packetsToPeer[channel] = packets;
    }
    memory.remember(allocation, relay, endsAtMs);
    allocations.remove(allocation);
    book.recycle();
  }

  knows(port: number, nowMs: number): boolean {
    return this.memory.evidence([`${RELAY}:${port}`], nowMs).length > 0;
  }
}

describe('the memory of ended relays', () => {
  it('keeps the newest of too many', () => {
    const rig = new Rig();
    for (let port = 1; port <= ENDED_RELAYS_MAX + 10; port++) rig.live(port, 1000);
    expect(rig.memory.size).toBe(ENDED_RELAYS_MAX);
    expect([1, 10, 11, ENDED_RELAYS_MAX + 10].map((port) => rig.knows(port, 1000))).toEqual([
      false,
      false,
      true,
      true,
    ]);
  });

  it('knows a relay until its time is over, swept or not, and a sweep frees what it held', () => {
    const rig = new Rig();
    rig.live(1, 0);
    rig.live(2, 5000);
    const lifeMs = ENDED_RELAY_SECONDS * 1000;
    expect([rig.knows(1, lifeMs - 1), rig.knows(1, lifeMs), rig.knows(2, lifeMs)]).toEqual([
      true,
      false,
      true,
    ]);
    rig.memory.sweep(lifeMs - 1);
    expect(rig.memory.size).toBe(2);
    rig.memory.sweep(lifeMs);
    expect(rig.memory.size).toBe(1);
    rig.memory.sweep(lifeMs + 5000);
    expect(rig.memory.size).toBe(0);
  });

  it('counts the time of a port that was used twice from its last end, and tells of the last client', () => {
    const rig = new Rig();
    rig.live(1, 0, [5]);
    rig.live(2, 1000);
    rig.live(1, 2000, [0, 9]);
    rig.memory.sweep(ENDED_RELAY_SECONDS * 1000 + 1000);
    expect(rig.memory.size).toBe(1);
    expect(rig.memory.evidence([`${RELAY}:1`], 3000)).toEqual([
      { address: `${RELAY}:1`, active: false, peers: [{ address: '203.0.113.1:2', toPeer: 9, fromPeer: 0 }] },
    ]);
  });

  it('remembers of many peers those with the most packets', () => {
    const rig = new Rig();
    rig.live(
      1,
      0,
      Array.from({ length: 60 }, (_, i) => ((i * 37) % 60) + 1),
    );
    const [evidence] = rig.memory.evidence([`${RELAY}:1`], 0);
    expect(evidence?.peers.map(({ toPeer }) => toPeer)).toEqual(
      Array.from({ length: PEERS_REMEMBERED_MAX }, (_, i) => 60 - i),
    );
  });
});

describe('what several say of relays', () => {
  it('is put together by address, and by peer', () => {
    const peer = (address: string, toPeer: number, fromPeer: number) => ({ address, toPeer, fromPeer });
    expect(
      mergeRelayEvidence([
        { address: 'r:1', active: false, peers: [peer('a:1', 1, 2), peer('b:1', 3, 4)] },
        { address: 'r:2', active: false, peers: [] },
        { address: 'r:1', active: true, peers: [peer('b:1', 10, 20), peer('c:1', 5, 6)] },
      ]),
    ).toEqual([
      { address: 'r:1', active: true, peers: [peer('a:1', 1, 2), peer('b:1', 13, 24), peer('c:1', 5, 6)] },
      { address: 'r:2', active: false, peers: [] },
    ]);
  });
});
