/** What networks do to packets: loss, duplicates, reordering. */
import { afterEach, describe, expect, it } from 'vitest';
import { ALLOCATE, REFRESH } from '../../lab/phone/plain-stun.ts';
import { evenPort, lifetime, TRANSPORT_UDP } from '../kit/turn-client.ts';
import { BOB, NODE_IPV4, TurnSim } from '../kit/turn-sim.ts';

let sim: TurnSim;
afterEach(() => expect(sim.end()).toEqual([]));

describe('loss', () => {
  it('of the answer to Allocate: the repeated request gets the very same answer, not 437', () => {
    sim = new TurnSim();
    const client = sim.client();
    client.challenged();
    const transactionId = client.newTransactionId();
    const bytes = client.build(ALLOCATE, [TRANSPORT_UDP], { transactionId });
    const first = client.exchange(bytes, transactionId);
    sim.run(3000);
    const second = client.exchange(bytes, transactionId);
    expect(first?.code).toBe(0);
    expect(second?.bytes).toEqual(first?.bytes);
    expect(sim.counter('responseRepeated')).toBe(1);
    expect(sim.allocations).toBe(1);
  });

  it('of the answer to Refresh with lifetime 0: the repeated request is told of success', () => {
    sim = new TurnSim();
    const client = sim.client();
    client.allocate();
    const transactionId = client.newTransactionId();
    const bytes = client.build(REFRESH, [lifetime(0)], { transactionId });
    const first = client.exchange(bytes, transactionId);
    const second = client.exchange(bytes, transactionId);
    expect([first?.code, second?.code]).toEqual([0, 0]);
    expect(sim.ended.length).toBe(1);
  });

  it('of the answer to an EVEN-PORT Allocate: the repetition gets the same token and reserves nothing more', () => {
    sim = new TurnSim();
    const client = sim.client();
    client.challenged();
    const transactionId = client.newTransactionId();
    const bytes = client.build(ALLOCATE, [TRANSPORT_UDP, evenPort(true)], { transactionId });
    const answers = [client.exchange(bytes, transactionId), client.exchange(bytes, transactionId)];
    expect(answers[1]?.bytes).toEqual(answers[0]?.bytes);
    expect(sim.descriptors.size).toBe(1);
  });

  it('forgets an answer after the client has stopped repeating (40 s)', () => {
    sim = new TurnSim();
    const client = sim.client();
    client.allocate();
    const transactionId = client.newTransactionId();
    const bytes = client.build(ALLOCATE, [TRANSPORT_UDP], { transactionId });
    expect(client.exchange(bytes, transactionId)?.code).toBe(437);
    client.refresh(0);
    sim.run(39_000);
    expect(client.exchange(bytes, transactionId)?.code).toBe(437);
    sim.run(2000);
    expect(client.exchange(bytes, transactionId)?.code).toBe(0);
  });

  it('does not mix up clients that use the same transaction ID', () => {
    sim = new TurnSim();
    const alice = sim.client();
    const bob = sim.client({ address: alice.wire.place.address, credentials: BOB });
    for (const client of [alice, bob]) client.challenged();
    const transactionId = Uint8Array.from({ length: 12 }, () => 7);
    expect(alice.allocate([], { transactionId }).code).toBe(0);
    expect(bob.allocate([], { transactionId }).code).toBe(0);
    expect(bob.relay).not.toEqual(alice.relay);
  });

  it.each([1, 2, 3, 4, 5])(
    'of a fifth of all packets: every client gets there by repeating (seed %i)',
    (seed) => {
      sim = new TurnSim({ seed, limits: { unauthenticatedRepliesPerSecond: 0 } });
      sim.network.setDefaultLink({ lossRate: 0.2, latencyMs: 20 });
      const clients = Array.from({ length: 8 }, (_, i) => sim.client({ address: `203.0.113.${50 + i}` }));
      for (const [i, client] of clients.entries()) {
        const peer = sim.peer(`192.0.2.${100 + i}`);
        expect(client.allocate().code).toBe(0);
        expect(client.permit(peer.place).code).toBe(0);
        expect(client.bind(0x4000, peer.place).code).toBe(0);
        for (let packet = 0; packet < 50; packet++) client.sendChannel(0x4000, `${packet}`);
        sim.run(200);
        const got = peer.received.length;
        expect(got).toBeGreaterThan(0);
        expect(got).toBeLessThan(50);
      }
      expect(sim.allocations).toBe(8);
      for (const client of clients) expect(client.refresh(0).code).toBe(0);
      expect(sim.allocations).toBe(0);
    },
  );
});

describe('duplicates and reordering', () => {
  it.each([1, 2, 3])('change nothing in what a client ends up with (seed %i)', (seed) => {
    sim = new TurnSim({ seed });
    sim.network.setDefaultLink({ duplicateRate: 0.5, reorderRate: 0.5, latencyMs: 20 });
    const client = sim.client();
    const peer = sim.peer();
    expect(client.allocate().code).toBe(0);
    expect(client.bind(0x4000, peer.place).code).toBe(0);
    sim.run(500);
    const codes = client.responses.map(({ code }) => code).filter((code) => code !== 401 && code !== 438);
    expect(new Set(codes)).toEqual(new Set([0])); // a duplicate Allocate never met 437
    const sent = Array.from({ length: 40 }, (_, i) => `packet ${i}`);
    for (const data of sent) {
      client.sendChannel(0x4000, data);
      peer.send(client.relay, data);
      sim.run(3);
    }
    sim.run(500);
    expect(new Set(peer.received.map(({ data }) => data))).toEqual(new Set(sent));
    expect(new Set(client.take().map(({ data }) => data))).toEqual(new Set(sent));
    expect(client.refresh(0).code).toBe(0);
    sim.run(500);
    expect(sim.held()).toEqual([]);
  });

  it('drops ChannelData that overtakes its ChannelBind, and carries what comes after', () => {
    sim = new TurnSim();
    const client = sim.client();
    const peer = sim.peer();
    client.allocate();
    client.sendChannel(0x4000, 'too early');
    client.bind(0x4000, peer.place);
    client.sendChannel(0x4000, 'in time');
    sim.run(100);
    expect(peer.received.map(({ data }) => data)).toEqual(['in time']);
    expect(sim.counter('dropUnknownChannel')).toBe(1);
  });

  it('drops what is under way to a relay that has just ended, and does not give it to the next owner', () => {
    sim = new TurnSim({ settings: { relayPorts: [24_000, 24_000] } });
    const alice = sim.client();
    const peer = sim.peer();
    alice.allocate();
    alice.permit(peer.place);
    sim.network.setLink(NODE_IPV4, peer.place.address, { latencyMs: 1000 });
    peer.send(alice.relay, 'for alice');
    alice.refresh(0);
    const bob = sim.client({ address: '203.0.113.11', credentials: BOB });
    expect(bob.allocate().code).toBe(0);
    sim.run(2000);
    expect(bob.take()).toEqual([]);
    expect(alice.take()).toEqual([]);
  });
});

describe('one batch', () => {
  it('delivers to a client what came before its allocation ended, though its rows are used anew at once', () => {
    sim = new TurnSim();
    const alice = sim.client();
    const bob = sim.client({ address: '203.0.113.11', credentials: BOB });
    const peer = sim.peer();
    bob.allocate();
    alice.allocate();
    alice.permit(peer.place);
    peer.send(alice.relay, 'last words');
    const id = alice.newTransactionId();
    alice.wire.send(alice.build(REFRESH, [lifetime(0)], { transactionId: id }));
    bob.permit(sim.peer('192.0.2.60').place);
    sim.run(100);
    expect(alice.take()).toEqual([{ peer: peer.place, data: 'last words' }]);
  });

  it('of more Send indications than can be queued sends each to the peer it names', () => {
    sim = new TurnSim({ slots: 4096 });
    const client = sim.client();
    client.allocate();
    const peers = Array.from({ length: 3 }, (_, i) => sim.peer(`192.0.2.${60 + i}`));
    client.permit(peers.map(({ place }) => place));
    for (let i = 0; i < 3000; i += 3) {
      for (const [place, peer] of peers.entries()) client.send(peer.place, `${i + place}`);
    }
    sim.run(100);
    for (const [i, { received }] of peers.entries()) {
      expect(received.every(({ data }) => Number(data) % 3 === i)).toBe(true);
      expect(received.length).toBe(1000);
    }
  });

  it.each([
    ['without a permission', '192.0.2.99', 9],
    ['for a port of the node itself', NODE_IPV4, 22],
  ])(
    'with many Send indications %s behind a good one does not send the good one there',
    (_, address, port) => {
      sim = new TurnSim({ slots: 4096 });
      const client = sim.client();
      client.allocate();
      const peer = sim.peer();
      const forbidden = { address, port };
      client.permit([peer.place, { address: NODE_IPV4, port: 0 }]);
      client.send(peer.place, 'good');
      for (let i = 0; i < 1500; i++) client.send(forbidden, 'refused');
      sim.run(100);
      expect(peer.received.map(({ data }) => data)).toEqual(['good']);
      expect(sim.counter('clientToPeerPackets')).toBe(1);
    },
  );
});
