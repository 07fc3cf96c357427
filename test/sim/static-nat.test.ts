/** The node behind a static NAT that does not hairpin: relay-to-relay must work all the same. */
import { afterEach, describe, expect, it } from 'vitest';
import type { TurnTestClient } from '../kit/turn-client.ts';
import { BOB, NODE_IPV4, TurnSim } from '../kit/turn-sim.ts';

let sim: TurnSim;
afterEach(() => expect(sim.end()).toEqual([]));

/** Two clients with an allocation each, on the workers given. */
function pair(workers: readonly [number, number]): [TurnTestClient, TurnTestClient] {
  sim = new TurnSim({ staticNat: true, workers: Math.max(...workers) + 1 });
  const alice = sim.client({ worker: workers[0] });
  const bob = sim.client({ worker: workers[1], address: '203.0.113.11', credentials: BOB });
  for (const client of [alice, bob]) expect(client.allocate().code).toBe(0);
  return [alice, bob];
}

describe('behind static NAT', () => {
  it('clients are told the external address, and peers see it', () => {
    const [alice] = pair([0, 0]);
    const peer = sim.peer();
    expect(alice.relay.address).toBe(NODE_IPV4);
    alice.bind(0x4000, peer.place);
    alice.sendChannel(0x4000, 'out');
    peer.send(alice.relay, 'in');
    sim.run(100);
    expect(peer.received).toEqual([{ data: 'out', from: alice.relay }]);
    expect(alice.take()).toEqual([{ channel: 0x4000, data: 'in' }]);
  });

  it.each([
    ['one worker', [0, 0]],
    ['two workers', [0, 1]],
  ] as const)('relay to relay works on %s, by external addresses alone', (_, workers) => {
    const [alice, bob] = pair([...workers]);
    alice.bind(0x4000, bob.relay);
    bob.permit(alice.relay);
    alice.sendChannel(0x4000, 'by channel');
    sim.run(100);
    expect(bob.take()).toEqual([{ peer: alice.relay, data: 'by channel' }]);
    bob.send(alice.relay, 'by indication');
    sim.run(100);
    expect(alice.take()).toEqual([{ channel: 0x4000, data: 'by indication' }]);
    bob.bind(0x4001, alice.relay);
    bob.sendChannel(0x4001, 'by channel too');
    alice.send(bob.relay, 'and back');
    sim.run(100);
    expect(alice.take()).toEqual([{ channel: 0x4000, data: 'by channel too' }]);
    expect(bob.take()).toEqual([{ channel: 0x4001, data: 'and back' }]);
    expect(sim.network.hairpinned).toBe(0);
  });

  it('an ICMP error about another relay names it by its external address', () => {
    const [alice, bob] = pair([0, 0]);
    const gone = bob.relay;
    alice.permit(gone);
    bob.refresh(0);
    alice.send(gone, 'x');
    sim.run(100);
    expect(alice.icmp).toEqual([{ peer: gone, type: 3, code: 3, info: 0 }]);
  });

  it('the same port on the node’s own addresses stays closed: only relay ports are reachable', () => {
    const [alice] = pair([0, 0]);
    for (const address of [NODE_IPV4, '10.0.0.5']) {
      expect(alice.bind(0x4000, { address, port: 8080 }).code).toBe(403);
      alice.permit({ address, port: 8080 });
      sim.worker.io.sent = [];
      alice.send({ address, port: 8080 }, 'GET /');
      alice.send({ address, port: 22 }, 'SSH-2.0');
      sim.run(100);
      expect(sim.worker.io.sent).toEqual([]);
    }
  });

  it('another private address is still refused', () => {
    const [alice] = pair([0, 0]);
    expect(alice.permit({ address: '10.0.0.6', port: 24_000 }).code).toBe(403);
  });
});
