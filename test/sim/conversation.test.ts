/** Whole conversations of one client with one node, without faults. */
import { afterEach, describe, expect, it } from 'vitest';
import { A, find } from '../../lab/phone/plain-stun.ts';
import { family, TurnTestClient } from '../kit/turn-client.ts';
import { BOB, NODE_IPV4, NODE_IPV6, TurnSim } from '../kit/turn-sim.ts';

let sim: TurnSim;
afterEach(() => expect(sim.end()).toEqual([]));

describe('a conversation', () => {
  it('goes from challenge to media both ways and leaves nothing behind', () => {
    sim = new TurnSim();
    const client = sim.client();
    const peer = sim.peer();
    const answer = client.allocate();
    expect(answer.code).toBe(0);
    expect(TurnTestClient.lifetimeOf(answer)).toBe(600);
    expect(client.relay.address).toBe(NODE_IPV4);
    expect(client.mapped).toEqual(client.wire.place);
    expect(client.permit(peer.place).code).toBe(0);
    client.send(peer.place, 'hello');
    sim.run(100);
    expect(peer.received).toEqual([{ data: 'hello', from: client.relay }]);
    peer.send(client.relay, 'there');
    sim.run(100);
    expect(client.take()).toEqual([{ peer: peer.place, data: 'there' }]);
    expect(client.bind(0x4001, peer.place).code).toBe(0);
    client.sendChannel(0x4001, 'by channel');
    sim.run(100);
    expect(peer.received.at(-1)).toEqual({ data: 'by channel', from: client.relay });
    peer.send(client.relay, 'back');
    sim.run(100);
    expect(client.take()).toEqual([{ channel: 0x4001, data: 'back' }]);
    expect(client.refresh(0).code).toBe(0);
    sim.run(100);
    expect(sim.held()).toEqual([]);
  });

  it('works over IPv6 from client to peer', () => {
    sim = new TurnSim();
    const client = sim.client({ address: '2001:db8:9::10' });
    const peer = sim.peer('2001:db8:7::50');
    expect(client.allocate([family(6)]).code).toBe(0);
    expect(client.relayed).toEqual([{ address: NODE_IPV6, port: client.relay.port }]);
    expect(client.mapped).toEqual(client.wire.place);
    client.bind(0x4fff, peer.place);
    client.sendChannel(0x4fff, 'six');
    peer.send(client.relay, 'seven');
    sim.run(100);
    expect(peer.received).toEqual([{ data: 'six', from: client.relay }]);
    expect(client.take()).toEqual([{ channel: 0x4fff, data: 'seven' }]);
    client.permit({ address: '2001:db8:7::51', port: 0 });
    const other = sim.peer('2001:db8:7::51');
    other.send(client.relay, 'indicated');
    sim.run(100);
    expect(client.take()).toEqual([{ peer: other.place, data: 'indicated' }]);
  });

  it('carries payloads of every length modulo 4, empty ones too, in both forms', () => {
    sim = new TurnSim();
    const client = sim.client();
    const peer = sim.peer();
    const channelPeer = sim.peer('192.0.2.51');
    client.allocate();
    client.permit(peer.place);
    client.bind(0x4000, channelPeer.place);
    const payloads = ['', 'a', 'ab', 'abc', 'abcd', 'x'.repeat(1500)];
    for (const payload of payloads) {
      client.send(peer.place, payload);
      peer.send(client.relay, payload);
      client.sendChannel(0x4000, payload);
      channelPeer.send(client.relay, payload);
      sim.run(100);
    }
    expect(peer.received.map(({ data }) => data)).toEqual(payloads);
    expect(channelPeer.received.map(({ data }) => data)).toEqual(payloads);
    expect(client.received.filter(({ channel }) => channel).map(({ data }) => data)).toEqual(payloads);
    expect(client.received.filter(({ channel }) => !channel).map(({ data }) => data)).toEqual(payloads);
  });

  it('keeps many packets of one batch apart', () => {
    sim = new TurnSim();
    const client = sim.client();
    client.allocate();
    const peers = Array.from({ length: 40 }, (_, i) => sim.peer(`192.0.2.${100 + i}`));
    client.permit(peers.map(({ place }) => place));
    for (const [i, peer] of peers.entries()) {
      client.send(peer.place, `to ${i}`);
      peer.send(client.relay, `from ${i}`);
    }
    sim.run(100);
    expect(peers.map(({ received }) => received.map(({ data }) => data))).toEqual(
      peers.map((_, i) => [`to ${i}`]),
    );
    expect(client.take()).toEqual(peers.map((peer, i) => ({ peer: peer.place, data: `from ${i}` })));
  });

  it('adds FINGERPRINT to its answers where the request has one', () => {
    sim = new TurnSim();
    const client = sim.client();
    client.fingerprint = true; // the client throws at a response without a right one
    expect(client.allocate().code).toBe(0);
    expect(client.binding().code).toBe(0);
    client.fingerprint = false;
    expect(find(client.refresh().message, A.fingerprint)).toBeUndefined();
  });
});

describe('relay to relay', () => {
  it('is short-cut inside one worker, and looks to both as if it came over the network', () => {
    sim = new TurnSim();
    const alice = sim.client();
    const bob = sim.client({ address: '203.0.113.11', credentials: BOB });
    alice.allocate();
    bob.allocate();
    alice.bind(0x4000, bob.relay);
    bob.permit(alice.relay);
    const before = sim.network.delivered;
    alice.sendChannel(0x4000, 'ring');
    sim.run(100);
    expect(bob.take()).toEqual([{ peer: alice.relay, data: 'ring' }]);
    expect(sim.network.delivered - before).toBe(2); // in from one client, out to the other
    bob.send(alice.relay, 'pick up');
    sim.run(100);
    expect(alice.take()).toEqual([{ channel: 0x4000, data: 'pick up' }]);
    expect(sim.counter('shortcutPackets')).toBe(2);
  });

  it('asks for the permission of the allocation that receives', () => {
    sim = new TurnSim();
    const alice = sim.client();
    const bob = sim.client({ address: '203.0.113.11', credentials: BOB });
    alice.allocate();
    bob.allocate();
    alice.permit(bob.relay);
    alice.send(bob.relay, 'unasked');
    sim.run(100);
    expect(bob.take()).toEqual([]);
    expect(sim.counter('dropNoPermission')).toBe(1);
  });

  it('reaches nobody where the other relay has ended', () => {
    sim = new TurnSim();
    const alice = sim.client();
    const bob = sim.client({ address: '203.0.113.11', credentials: BOB });
    alice.allocate();
    bob.allocate();
    const gone = bob.relay;
    alice.bind(0x4000, gone);
    bob.permit(alice.relay);
    bob.refresh(0);
    alice.sendChannel(0x4000, 'anybody?');
    sim.run(100);
    expect(bob.take()).toEqual([]);
    expect(alice.icmp).toEqual([{ peer: gone, type: 3, code: 3, info: 0 }]);
  });

  it('lets an allocation talk to itself', () => {
    sim = new TurnSim();
    const client = sim.client();
    client.allocate();
    client.bind(0x4000, client.relay);
    client.sendChannel(0x4000, 'echo');
    sim.run(100);
    expect(client.take()).toEqual([{ channel: 0x4000, data: 'echo' }]);
  });
});

describe('a stream client', () => {
  it('holds a conversation, and its end ends the allocation', () => {
    sim = new TurnSim();
    const client = sim.streamClient();
    const peer = sim.peer();
    expect(client.allocate().code).toBe(0);
    expect(client.mapped).toEqual(client.wire.place);
    client.bind(0x4000, peer.place);
    client.sendChannel(0x4000, 'over TCP');
    peer.send(client.relay, 'over UDP');
    sim.run(100);
    expect(peer.received.map(({ data }) => data)).toEqual(['over TCP']);
    expect(client.take()).toEqual([{ channel: 0x4000, data: 'over UDP' }]);
    client.wire.close();
    sim.run(100);
    expect(sim.ended).toEqual([{ worker: 0, id: 0, reason: 'closed' }]);
    expect(sim.held()).toEqual([]);
  });

  it('gets no remembered answer: a repeated transaction ID is a new request', () => {
    sim = new TurnSim();
    const client = sim.streamClient();
    const transactionId = client.newTransactionId();
    client.challenged(transactionId);
    client.responses = [];
    expect(client.allocate([], { transactionId }).code).toBe(0);
    expect(client.allocate([], { transactionId, insist: false }).code).toBe(437);
    expect(sim.counter('responseRepeated')).toBe(0);
    client.wire.close();
    sim.run(100);
  });

  it('is not told of what arrives after its end, though its socket number is used again', () => {
    sim = new TurnSim();
    const first = sim.streamClient();
    const peer = sim.peer();
    first.allocate();
    first.permit(peer.place);
    const { relay } = first;
    first.wire.close();
    sim.run(100);
    const second = sim.streamClient('203.0.113.21', BOB);
    second.allocate();
    second.permit(peer.place);
    peer.send(relay, 'for the first');
    sim.run(100);
    expect(first.take()).toEqual([]);
    expect(second.take()).toEqual([]);
    second.wire.close();
    sim.run(100);
  });
});

describe('the media policy', () => {
  it('passes STUN, DTLS and RTP by their first byte, both ways, and counts the rest as dropped', () => {
    sim = new TurnSim({ settings: { channelNumberMax: 0x4fff, mediaPolicy: 'media' } });
    const client = sim.client();
    const peer = sim.peer();
    client.allocate();
    client.bind(0x4000, peer.place);
    const media = ['\x00\x01stun', '\x16dtls', '\x80rtp', '\xbfrtcp'];
    const others = ['GET / HTTP/1.1', '\x04', '\x10zrtp', '\xc0quic', '\x40channel', ''];
    for (const payload of [...media, ...others]) {
      client.sendChannel(0x4000, Buffer.from(payload, 'latin1'));
      client.send(peer.place, payload);
      peer.send(client.relay, payload);
      sim.run(50);
    }
    expect(peer.received.map(({ data }) => data)).toEqual(media.flatMap((payload) => [payload, payload]));
    expect(client.take().map(({ data }) => data)).toEqual(media);
    expect(sim.counter('dropNotMedia')).toBe(others.length * 3);
  });
});

describe('ICMP', () => {
  it('reaches the client as a Data indication with the ICMP attribute and the peer that was meant', () => {
    sim = new TurnSim();
    const client = sim.client();
    client.allocate();
    const peer = sim.peer();
    client.permit(peer.place);
    peer.close();
    client.send(peer.place, 'knock');
    sim.run(100);
    expect(client.icmp).toEqual([{ peer: peer.place, type: 3, code: 3, info: 0 }]);
    expect(sim.counter('icmpIndications')).toBe(1);
  });

  it('is told for IPv6 in its own numbers', () => {
    sim = new TurnSim();
    const client = sim.client({ address: '2001:db8:9::10' });
    client.allocate([family(6)]);
    const peer = sim.peer('2001:db8:7::50');
    client.permit(peer.place);
    peer.close();
    client.send(peer.place, 'knock');
    sim.run(100);
    expect(client.icmp).toEqual([{ peer: peer.place, type: 1, code: 4, info: 0 }]);
  });

  it('does not reach a client that has no permission for the peer any more', () => {
    sim = new TurnSim();
    const client = sim.client();
    client.allocate();
    const peer = sim.peer();
    sim.network.setLink(NODE_IPV4, peer.place.address, { latencyMs: 3000 });
    client.permit(peer.place);
    peer.close();
    sim.run(297_000);
    client.send(peer.place, 'late');
    sim.run(10_000);
    expect(client.icmp).toEqual([]);
    expect(sim.counter('icmpIndications')).toBe(0);
  });
});

describe('DONT-FRAGMENT', () => {
  const dontFragment = { type: A.dontFragment, value: new Uint8Array(0) };

  it('sets the DF bit, and a packet too big for the path comes back as ICMP with the MTU', () => {
    sim = new TurnSim();
    const client = sim.client();
    const peer = sim.peer();
    sim.network.setLink(NODE_IPV4, peer.place.address, { mtuBytes: 1280 });
    expect(client.allocate([dontFragment]).code).toBe(0);
    client.permit(peer.place);
    client.send(peer.place, 'x'.repeat(1252), [dontFragment]);
    client.send(peer.place, 'x'.repeat(1253), [dontFragment]);
    client.send(peer.place, 'x'.repeat(1300));
    sim.run(100);
    expect(peer.received.map(({ data }) => data.length).sort()).toEqual([1252, 1300]);
    expect(client.icmp).toEqual([{ peer: peer.place, type: 3, code: 4, info: 1280 }]);
    expect(sim.worker.io.sent.filter((sent) => sent.dontFragment).length).toBe(2);
  });

  it('is answered 420, and Send indications that ask for it are dropped, where it cannot be honoured', () => {
    sim = new TurnSim({ canSetDontFragment: false });
    const client = sim.client();
    const peer = sim.peer();
    const refused = client.allocate([dontFragment]);
    expect(refused.code).toBe(420);
    expect(find(refused.message, A.unknownAttributes)).toEqual(Uint8Array.of(0, A.dontFragment));
    expect(client.allocate().code).toBe(0);
    client.permit(peer.place);
    client.send(peer.place, 'x', [dontFragment]);
    sim.run(100);
    expect(peer.received).toEqual([]);
    expect(sim.counter('dropUnknownIndication')).toBe(1);
  });
});

describe('removing a user', () => {
  it("ends the user's allocations on every worker, closes their sockets, and refuses the user from then on", () => {
    sim = new TurnSim({ workers: 2 });
    const clients = [0, 1].map((worker) => sim.client({ worker }));
    const bystander = sim.client({ worker: 0, credentials: BOB });
    for (const client of [...clients, bystander]) client.allocate();
    const sockets = sim.network.socketsAt(NODE_IPV4);
    expect(sim.removeUser('alice')).toBe(2);
    expect(sim.network.socketsAt(NODE_IPV4)).toBe(sockets - 2);
    expect(sim.ended.map(({ reason }) => reason)).toEqual(['revoked', 'revoked']);
    expect(clients[0]?.refresh().code).toBe(401);
    expect(bystander.refresh().code).toBe(0);
  });

  it('finds the user however the name was spelt (OpaqueString)', () => {
    const nfc = { name: 'zo\u00eb', password: 'secret' };
    sim = new TurnSim({ users: [nfc] });
    const client = sim.client({ credentials: nfc });
    expect(client.allocate().code).toBe(0);
    expect(sim.removeUser('zoe\u0308')).toBe(1);
  });

  it('keeps allocations through a change of password, and asks for the new one', () => {
    sim = new TurnSim();
    const client = sim.client();
    client.allocate();
    sim.setUser({ name: 'alice', password: 'changed' });
    expect(client.refresh().code).toBe(401);
    client.credentials = { name: 'alice', password: 'changed' };
    expect(client.refresh().code).toBe(0);
  });
});
