/** Two workers of one node: packets are steered as SO_REUSEPORT does, and some state is shared. */
import { afterEach, describe, expect, it } from 'vitest';
import { BINDING, REFRESH } from '../../lab/phone/plain-stun.ts';
import { evenPort, TurnTestClient } from '../kit/turn-client.ts';
import { ALICE, BOB, NODE_IPV4, TurnSim } from '../kit/turn-sim.ts';

let sim: TurnSim;
afterEach(() => expect(sim.end()).toEqual([]));

function twoWorkers(limits: ConstructorParameters<typeof TurnSim>[0] = {}): void {
  sim = new TurnSim({ workers: 2, ...limits });
}

function perWorker(): number[] {
  return sim.workers.map(({ core }) => core.allocations.size);
}

describe('two workers', () => {
  it('carry a call from relay to relay over the network', () => {
    twoWorkers();
    const alice = sim.client({ worker: 0 });
    const bob = sim.client({ worker: 1, address: '203.0.113.11', credentials: BOB });
    alice.allocate();
    bob.allocate();
    expect(perWorker()).toEqual([1, 1]);
    alice.bind(0x4000, bob.relay);
    bob.bind(0x4abc, alice.relay);
    for (let i = 0; i < 20; i++) {
      alice.sendChannel(0x4000, `to bob ${i}`);
      bob.sendChannel(0x4abc, `to alice ${i}`);
      sim.run(20);
    }
    sim.run(100);
    expect(bob.take()).toEqual(
      Array.from({ length: 20 }, (_, i) => ({ channel: 0x4abc, data: `to bob ${i}` })),
    );
    expect(alice.take()).toEqual(
      Array.from({ length: 20 }, (_, i) => ({ channel: 0x4000, data: `to alice ${i}` })),
    );
    expect(sim.counter('shortcutPackets')).toBe(0);
  });

  it('accept each other’s nonces', () => {
    twoWorkers();
    const first = sim.client({ worker: 0 });
    first.allocate();
    // The same client on the other worker, as after a change of the number of listeners.
    const packet = first.build(REFRESH, []);
    const other = sim.workers[1];
    other?.io.batch(0, [{ bytes: packet, from: first.wire.place }]);
    sim.run(100);
    expect(first.responses.at(-1)?.code).toBe(437); // and not 438
  });

  it('redeem a reservation that the other made', () => {
    twoWorkers();
    const first = sim.client({ worker: 0 });
    const second = sim.client({ worker: 1, address: '203.0.113.11' });
    const peer = sim.peer();
    const token = TurnTestClient.tokenOf(first.allocate([evenPort(true)]));
    expect(second.allocate([token]).code).toBe(0);
    expect(perWorker()).toEqual([1, 1]);
    expect(second.relay).toEqual({ ...first.relay, port: first.relay.port + 1 });
    second.permit(peer.place);
    peer.send(second.relay, 'RTCP');
    second.send(peer.place, 'report');
    sim.run(100);
    expect(second.take()).toEqual([{ peer: peer.place, data: 'RTCP' }]);
    expect(peer.received).toEqual([{ data: 'report', from: second.relay }]);
    second.refresh(0);
    first.refresh(0);
    expect(sim.held()).toEqual([]);
  });

  it('let whichever sweeps first give an unredeemed reservation back, once', () => {
    twoWorkers();
    const client = sim.client({ worker: 1 });
    client.allocate([evenPort(true)]);
    sim.run(31_000);
    expect(sim.descriptors.size).toBe(0);
    client.refresh(0);
    expect(sim.held()).toEqual([]);
  });

  it('count quotas together', () => {
    twoWorkers({ limits: { relaysPerUser: 2 } });
    const codes = [0, 1, 0, 1].map(
      (worker, i) => sim.client({ worker, address: `203.0.113.${30 + i}` }).allocate().code,
    );
    expect(codes).toEqual([0, 0, 486, 486]);
    expect(sim.client({ worker: 1, credentials: BOB }).allocate().code).toBe(0);
  });

  it('count relays of the node together', () => {
    twoWorkers({ limits: { relays: 2 } });
    const codes = [ALICE, BOB, BOB].map(
      (credentials, i) =>
        sim.client({ worker: i % 2, address: `203.0.113.${30 + i}`, credentials }).allocate().code,
    );
    expect(codes).toEqual([0, 0, 508]);
  });

  it('never pick the same port', () => {
    twoWorkers({ settings: { relayPorts: [24_000, 24_009] } });
    const clients = Array.from({ length: 11 }, (_, i) =>
      sim.client({ worker: i % 2, address: `203.0.113.${30 + i}` }),
    );
    const codes = clients.map((client) => client.allocate().code);
    expect(codes).toEqual([...new Array<number>(10).fill(0), 508]);
    expect(new Set(clients.slice(0, 10).map((client) => client.relay.port)).size).toBe(10);
    expect(sim.network.socketsAt(NODE_IPV4)).toBe(12);
  });

  it('limit replies to a stranger together, wherever the stranger’s ports are steered', () => {
    twoWorkers({ limits: { unauthenticatedRepliesPerSecond: 20 } });
    const strangers = Array.from({ length: 40 }, (_, i) =>
      sim.client({ worker: i % 2, credentials: undefined }),
    );
    for (const stranger of strangers) stranger.wire.send(stranger.build(BINDING, []));
    sim.run(100);
    expect(strangers.filter(({ responses }) => responses.length === 1).length).toBe(20);
    expect(sim.counter('dropRateLimited')).toBe(20);
  });
});
