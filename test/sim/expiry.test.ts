/** What ends by itself, by the virtual clock, and what keeps it alive. */
import { afterEach, describe, expect, it } from 'vitest';
import { A, find } from '../../lab/phone/plain-stun.ts';
import { evenPort, lifetime, TurnTestClient } from '../kit/turn-client.ts';
import { ALICE, BOB, NODE_IPV4, TurnSim } from '../kit/turn-sim.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;

let sim: TurnSim;
afterEach(() => expect(sim.end()).toEqual([]));

describe('an allocation', () => {
  it('ends after its lifetime with everything it held, and its port answers ICMP', () => {
    sim = new TurnSim();
    const client = sim.client();
    const peer = sim.peer();
    client.allocate();
    client.bind(0x4000, peer.place);
    sim.run(599 * SECOND);
    expect(sim.allocations).toBe(1);
    sim.run(2 * SECOND);
    expect(sim.held()).toEqual([]);
    expect(sim.ended).toEqual([{ worker: 0, id: 0, reason: 'expired' }]);
    expect(sim.counter('allocationsExpired')).toBe(1);
    expect(client.refresh().code).toBe(437);
  });

  it('lives on as long as it is refreshed, and gets the lifetime it asks for within the bounds', () => {
    sim = new TurnSim();
    const client = sim.client();
    const asked: readonly (readonly [number | undefined, number])[] = [
      [undefined, 600],
      [1, 600],
      [599, 600],
      [601, 601],
      [3600, 3600],
      [3601, 3600],
      [0xffffffff, 3600],
    ];
    client.allocate();
    for (const [seconds, granted] of asked) {
      expect(TurnTestClient.lifetimeOf(client.refresh(seconds))).toBe(granted);
      sim.run((granted - 2) * SECOND);
      expect(sim.allocations).toBe(1);
    }
    sim.run(4 * SECOND);
    expect(sim.allocations).toBe(0);
  });

  it('asks for its lifetime at the start, where 0 is the default and no deletion', () => {
    sim = new TurnSim();
    expect(TurnTestClient.lifetimeOf(sim.client().allocate([lifetime(1200)]))).toBe(1200);
    expect(TurnTestClient.lifetimeOf(sim.client().allocate([lifetime(0)]))).toBe(600);
    expect(sim.allocations).toBe(2);
  });

  it('is not kept alive by its traffic', () => {
    sim = new TurnSim();
    const client = sim.client();
    const peer = sim.peer();
    client.allocate();
    client.bind(0x4000, peer.place);
    for (let minute = 0; minute < 11; minute++) {
      client.sendChannel(0x4000, 'still here');
      peer.send(client.relay, 'still here');
      sim.run(MINUTE);
    }
    expect(sim.allocations).toBe(0);
  });
});

describe('a permission', () => {
  it('ends after 5 minutes in both directions, although the sweep has not come yet', () => {
    sim = new TurnSim();
    const client = sim.client();
    const peer = sim.peer();
    client.allocate();
    client.permit(peer.place);
    const madeMs = sim.network.nowMs - 10; // the answer took 10 ms
    const until = (ms: number): void => sim.run(madeMs + ms - 10 - sim.network.nowMs);
    until(5 * MINUTE - 1);
    client.send(peer.place, 'a');
    peer.send(client.relay, 'b');
    sim.run(1); // arrives in the very millisecond in which it is over
    client.send(peer.place, 'too late');
    peer.send(client.relay, 'too late');
    sim.run(100);
    expect(peer.received.map(({ data }) => data)).toEqual(['a']);
    expect(client.take().map(({ data }) => data)).toEqual(['b']);
    sim.run(2 * SECOND);
    expect(sim.worker.core.allocations.permissions.size).toBe(0);
  });

  it('ends by its own time, whatever the times of others beside it', () => {
    sim = new TurnSim();
    const client = sim.client();
    const [early, late] = [sim.peer('192.0.2.50'), sim.peer('192.0.2.51')];
    client.allocate();
    client.permit(early.place);
    sim.run(200 * SECOND);
    client.permit(late.place);
    sim.run(150 * SECOND);
    for (const peer of [early, late]) {
      client.send(peer.place, 'out');
      peer.send(client.relay, 'in');
    }
    sim.run(100);
    expect([early.received.length, late.received.length]).toEqual([0, 1]);
    expect(client.take()).toEqual([{ peer: late.place, data: 'in' }]);
  });

  it('is renewed by CreatePermission and by ChannelBind, not by traffic', () => {
    sim = new TurnSim();
    const client = sim.client();
    const peer = sim.peer();
    const works = (): boolean => {
      client.send(peer.place, 'x');
      sim.run(100);
      return peer.received.splice(0).length === 1;
    };
    client.allocate([lifetime(3600)]);
    client.permit(peer.place);
    sim.run(4 * MINUTE);
    client.permit(peer.place);
    sim.run(4 * MINUTE);
    expect(works()).toBe(true);
    client.bind(0x4000, peer.place);
    sim.run(4 * MINUTE);
    expect(works()).toBe(true);
    sim.run(2 * MINUTE);
    expect(works()).toBe(false);
  });
});

describe('a channel', () => {
  it('carries nothing once its permission is over, and again when it is renewed', () => {
    sim = new TurnSim();
    const client = sim.client();
    const peer = sim.peer();
    client.allocate([lifetime(3600)]);
    client.bind(0x4000, peer.place);
    sim.run(6 * MINUTE);
    client.sendChannel(0x4000, 'no');
    peer.send(client.relay, 'no');
    sim.run(100);
    expect([peer.received, client.take()]).toEqual([[], []]);
    client.permit(peer.place);
    client.sendChannel(0x4000, 'yes');
    peer.send(client.relay, 'yes');
    sim.run(100);
    expect(peer.received.map(({ data }) => data)).toEqual(['yes']);
    expect(client.take()).toEqual([{ channel: 0x4000, data: 'yes' }]);
  });

  it('ends after 10 minutes; the peer then comes as a Data indication, and the number is free', () => {
    sim = new TurnSim();
    const client = sim.client();
    const peer = sim.peer();
    const other = sim.peer('192.0.2.51');
    client.allocate([lifetime(3600)]);
    client.bind(0x4000, peer.place);
    sim.run(4 * MINUTE);
    client.permit(peer.place);
    sim.run(4 * MINUTE);
    client.permit(peer.place);
    expect(client.bind(0x4000, other.place).code).toBe(400);
    sim.run(2 * MINUTE + 1500);
    client.sendChannel(0x4000, 'no');
    peer.send(client.relay, 'indicated');
    sim.run(100);
    expect(peer.received).toEqual([]);
    expect(client.take()).toEqual([{ peer: peer.place, data: 'indicated' }]);
    expect(client.bind(0x4000, other.place).code).toBe(0);
    expect(client.bind(0x4001, peer.place).code).toBe(0);
  });

  it('lives on as long as it is bound again', () => {
    sim = new TurnSim();
    const client = sim.client();
    const peer = sim.peer();
    client.allocate([lifetime(3600)]);
    for (let i = 0; i < 10; i++) {
      expect(client.bind(0x4000, peer.place).code).toBe(0);
      sim.run(4 * MINUTE + 50 * SECOND);
      client.sendChannel(0x4000, `${i}`);
    }
    sim.run(100);
    expect(peer.received.length).toBe(10);
    expect(sim.worker.core.allocations.channels.size).toBe(1);
  });
});

describe('a reservation', () => {
  it('waits 30 s for its owner, then its socket is closed and its port is free', () => {
    sim = new TurnSim();
    const client = sim.client();
    const token = TurnTestClient.tokenOf(client.allocate([evenPort(true)]));
    expect(sim.network.socketsAt(NODE_IPV4)).toBe(3);
    sim.run(29 * SECOND);
    expect(sim.descriptors.size).toBe(1);
    sim.run(3 * SECOND);
    expect(sim.descriptors.size).toBe(0);
    expect(sim.network.socketsAt(NODE_IPV4)).toBe(2);
    const late = sim.client({ address: '203.0.113.11' });
    expect(late.allocate([token]).code).toBe(508);
    expect(sim.shared.quota.relays).toBe(1);
  });

  it('is redeemed once, by whoever has the token, and holds what arrived meanwhile to permissions', () => {
    sim = new TurnSim();
    const client = sim.client();
    const peer = sim.peer();
    const token = TurnTestClient.tokenOf(client.allocate([evenPort(true)]));
    const { address, port } = client.relay;
    peer.send({ address, port: port + 1 }, 'to a reserved port');
    sim.run(10 * SECOND);
    const second = sim.client({ address: '203.0.113.11' });
    expect(second.allocate([token]).code).toBe(0);
    expect(second.relay).toEqual({ address, port: port + 1 });
    sim.run(100);
    expect(second.take()).toEqual([]);
    expect(sim.counter('dropNoPermission')).toBe(1);
    second.permit(peer.place);
    peer.send(second.relay, 'now');
    sim.run(100);
    expect(second.take()).toEqual([{ peer: peer.place, data: 'now' }]);
    expect(sim.client({ address: '203.0.113.12' }).allocate([token]).code).toBe(508);
  });
});

describe('a nonce', () => {
  it('is stale after 10 minutes: 438 with a new one, and the conversation goes on', () => {
    sim = new TurnSim();
    const client = sim.client();
    client.allocate([lifetime(3600)]);
    const first = client.nonce;
    sim.run(599 * SECOND);
    expect(client.refresh(3600).code).toBe(0);
    expect(client.nonce).toEqual(first);
    sim.run(3 * SECOND);
    const stale = client.refresh(3600, [], { insist: false });
    expect(stale.code).toBe(438);
    expect(find(stale.message, A.nonce)).toBeDefined();
    expect(client.refresh(3600).code).toBe(0);
    expect(client.nonce).not.toEqual(first);
    expect(sim.counter('authStaleNonce')).toBe(2);
  });

  it('rolls over many times in a session of a day', () => {
    sim = new TurnSim();
    const client = sim.client();
    const peer = sim.peer();
    client.allocate();
    for (let minutes = 0; minutes < 24 * 60; minutes += 9) {
      sim.run(9 * MINUTE);
      expect(client.refresh().code).toBe(0);
      expect(client.bind(0x4000, peer.place).code).toBe(0);
      client.sendChannel(0x4000, 'x');
    }
    sim.run(100);
    expect(peer.received.length).toBe(160);
    expect(sim.ended).toEqual([]);
  });
});

describe('the sweep', () => {
  it('ends thousands of allocations that expire in one second, and only those', () => {
    sim = new TurnSim({
      settings: { relayPorts: [24_000, 29_999] },
      limits: { relaysPerUser: 6000, relaysPerAddress: 6000, unauthenticatedRepliesPerSecond: 0 },
      endpointRows: 40_000,
    });
    sim.network.setDefaultLink({ latencyMs: 0 });
    const peer = sim.peer();
    const clients = Array.from({ length: 3000 }, (_, i) =>
      sim.client({ address: `203.0.113.${i % 200}`, credentials: i % 2 ? BOB : ALICE }),
    );
    for (const [i, client] of clients.entries()) {
      expect(client.allocate([lifetime(i % 3 === 0 ? 1200 : 600)]).code).toBe(0);
      client.bind(0x4000 + (i % 4096), { ...peer.place, port: 1024 + i });
    }
    const counted = (): number[] => [
      sim.allocations,
      sim.worker.core.allocations.permissions.size,
      sim.worker.core.allocations.channels.size,
      sim.shared.quota.relays,
      sim.network.socketsAt(NODE_IPV4) - 1,
    ];
    expect(counted()).toEqual([3000, 3000, 3000, 3000, 3000]);
    sim.run(601 * SECOND);
    expect(counted()).toEqual([1000, 0, 0, 1000, 1000]);
    sim.run(600 * SECOND);
    expect(sim.held()).toEqual([]);
    expect(sim.counter('allocationsExpired')).toBe(3000);
  });

  it('brings the gauges up to date', () => {
    sim = new TurnSim();
    const client = sim.client();
    client.allocate();
    client.bind(0x4000, sim.peer().place);
    sim.run(SECOND);
    expect([sim.counter('allocations'), sim.counter('permissions'), sim.counter('channels')]).toEqual([
      1, 1, 1,
    ]);
    client.refresh(0);
    sim.run(SECOND);
    expect([sim.counter('allocations'), sim.counter('permissions'), sim.counter('channels')]).toEqual([
      0, 0, 0,
    ]);
  });
});
