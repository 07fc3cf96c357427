/** What a node can tell of a relayed address: whose it is or was, and what its peers were sent and heard. */
import { afterEach, describe, expect, it } from 'vitest';
import { A } from '../../lab/phone/plain-stun.ts';
import { inspect } from '../../src/turn/inspect.ts';
import {
  ENDED_RELAY_SECONDS,
  mergeRelayEvidence,
  type PeerTraffic,
  type RelayEvidence,
} from '../../src/turn/relay-evidence.ts';
import type { Place } from '../kit/sim-network.ts';
import { family, type TurnTestClient } from '../kit/turn-client.ts';
import { BOB, NODE_IPV4, type SimOptions, TurnSim } from '../kit/turn-sim.ts';

let sim: TurnSim;
afterEach(() => expect(sim.end()).toEqual([]));

function textOf({ address, port }: Place): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** What all workers together say. */
function ask(...places: (Place | string)[]): RelayEvidence[] {
  const addresses = places.map((place) => (typeof place === 'string' ? place : textOf(place)));
  return mergeRelayEvidence(
    sim.workers.flatMap(({ core }) => core.relayEvidence(addresses, sim.network.nowMs)),
  );
}

function peersOf(place: Place): readonly PeerTraffic[] | undefined {
  return ask(place)[0]?.peers;
}

/** A client with a relay, on a node with these settings. */
function clientOn(options: SimOptions = {}): TurnTestClient {
  sim = new TurnSim(options);
  const client = sim.client();
  expect(client.allocate().code).toBe(0);
  return client;
}

/** A second client with a relay. */
function bobOn(worker = 0): TurnTestClient {
  const bob = sim.client({ worker, address: '203.0.113.11', credentials: BOB });
  expect(bob.allocate().code).toBe(0);
  return bob;
}

describe('a relay in use', () => {
  it('tells the packets both ways of each peer with a channel, and of the address where there is none', () => {
    const client = clientOn();
    const [bound, permitted] = [sim.peer(), sim.peer('192.0.2.60')];
    client.bind(0x4000, bound.place);
    client.permit(permitted.place);
    for (let i = 0; i < 5; i++) client.sendChannel(0x4000, 'media');
    for (let i = 0; i < 3; i++) bound.send(client.relay, 'media');
    for (let i = 0; i < 2; i++) client.send(permitted.place, 'check');
    permitted.send(client.relay, 'check');
    sim.run(100);
    expect(ask(client.relay)).toEqual([
      {
        address: textOf(client.relay),
        active: true,
        peers: [
          { address: textOf(bound.place), toPeer: 5, fromPeer: 3 },
          { address: '192.0.2.60', toPeer: 2, fromPeer: 1 },
        ],
      },
    ]);
  });

  it('counts what goes by a channel there and not at its permission, and the checks before it at that', () => {
    const client = clientOn();
    const peer = sim.peer();
    client.permit(peer.place);
    client.send(peer.place, 'check');
    peer.send(client.relay, 'check');
    sim.run(100);
    client.bind(0x4000, peer.place);
    client.sendChannel(0x4000, 'media');
    peer.send(client.relay, 'media');
    sim.run(100);
    expect(peersOf(client.relay)).toEqual([
      { address: textOf(peer.place), toPeer: 1, fromPeer: 1 },
      { address: peer.place.address, toPeer: 1, fromPeer: 1 },
    ]);
    const [report] = inspect(sim.worker.core, 1, sim.network.nowMs).allocations;
    expect(report?.channels).toMatchObject([{ packetsToPeer: 1, packetsFromPeer: 1 }]);
    expect(report?.permissions).toMatchObject([{ packetsToPeer: 1, packetsFromPeer: 1 }]);
  });

  it('counts nothing that was dropped, and names no peer that was only permitted', () => {
    const client = clientOn();
    const [peer, stranger] = [sim.peer(), sim.peer('192.0.2.70')];
    client.bind(0x4000, peer.place);
    client.permit({ address: '192.0.2.80', port: 1 });
    client.send(stranger.place, 'unpermitted');
    stranger.send(client.relay, 'unpermitted');
    client.sendChannel(0x4001, 'unbound');
    sim.run(100);
    expect(peersOf(client.relay)).toEqual([]);
    client.sendChannel(0x4000, 'through');
    sim.run(301_000);
    // The permission is over and the channel is not: nothing passes.
    client.sendChannel(0x4000, 'dropped');
    peer.send(client.relay, 'dropped');
    sim.run(100);
    expect(peersOf(client.relay)).toEqual([{ address: textOf(peer.place), toPeer: 1, fromPeer: 0 }]);
  });

  it.each([
    ['of one worker, handed over inside the process', 1],
    ['of two workers', 2],
  ])('counts at both ends between two relays %s', (_, workers) => {
    const alice = clientOn({ workers });
    const bob = bobOn(workers - 1);
    alice.bind(0x4000, bob.relay);
    bob.bind(0x4000, alice.relay);
    for (let i = 0; i < 4; i++) alice.sendChannel(0x4000, 'to bob');
    bob.sendChannel(0x4000, 'to alice');
    sim.run(100);
    if (workers === 1) expect(sim.counter('shortcutPackets')).toBe(5);
    expect(peersOf(alice.relay)).toEqual([{ address: textOf(bob.relay), toPeer: 4, fromPeer: 1 }]);
    expect(peersOf(bob.relay)).toEqual([{ address: textOf(alice.relay), toPeer: 1, fromPeer: 4 }]);
    expect(ask(alice.relay, bob.relay)).toHaveLength(2);
  });

  it('of two families tells of each address the peers of its family', () => {
    sim = new TurnSim();
    const client = sim.client();
    client.allocate([family(6, A.additionalAddressFamily)]);
    const [four, six] = [sim.peer(), sim.peer('2001:db8:7::1')];
    client.bind(0x4000, four.place);
    client.bind(0x4001, six.place);
    client.sendChannel(0x4000, 'over IPv4');
    client.sendChannel(0x4001, 'over IPv6');
    sim.run(100);
    const [relay4, relay6] = client.relayed as [Place, Place];
    expect(ask(relay4, relay6)).toEqual([
      {
        address: textOf(relay4),
        active: true,
        peers: [{ address: textOf(four.place), toPeer: 1, fromPeer: 0 }],
      },
      {
        address: textOf(relay6),
        active: true,
        peers: [{ address: textOf(six.place), toPeer: 1, fromPeer: 0 }],
      },
    ]);
    // Giving one up leaves the other in use.
    expect(client.refresh(0, [family(4)]).code).toBe(0);
    expect(ask(relay4, relay6).map(({ active, peers }) => [active, peers[0]?.address])).toEqual([
      [false, textOf(four.place)],
      [true, textOf(six.place)],
    ]);
  });

  it('behind static NAT is known by its external address, and names its peers by theirs', () => {
    const alice = clientOn({ staticNat: true });
    const bob = bobOn();
    expect(alice.relay.address).toBe(NODE_IPV4);
    alice.bind(0x4000, bob.relay);
    bob.permit(alice.relay);
    alice.sendChannel(0x4000, 'x');
    sim.run(100);
    const evidence = [
      {
        address: textOf(alice.relay),
        active: true,
        peers: [{ address: textOf(bob.relay), toPeer: 1, fromPeer: 0 }],
      },
    ];
    expect(ask(alice.relay)).toEqual(evidence);
    expect(ask({ address: '10.0.0.5', port: alice.relay.port })).toEqual(evidence);
    expect(peersOf(bob.relay)).toEqual([{ address: NODE_IPV4, toPeer: 0, fromPeer: 1 }]);
    bob.refresh(0);
    expect(ask(bob.relay)).toMatchObject([{ address: textOf(bob.relay), active: false }]);
  });
});

describe('addresses that are nobody’s', () => {
  it('are left out, however they are written', () => {
    const { relay } = clientOn();
    const neighbour = { ...relay, port: relay.port === 24_000 ? 24_001 : relay.port - 1 };
    const strange = ['', ':', 'relay', '1.2.3.4', '[::1]', '198.51.100.1:99999', '198.51.100.1:x', '::1:5'];
    expect(ask(neighbour, { ...relay, address: '192.0.2.1' }, sim.listener, ...strange)).toEqual([]);
    expect(ask(...strange, relay, relay)).toMatchObject([{ address: textOf(relay), active: true }]);
  });
});

describe('a relay that has ended', () => {
  /** One packet each way by a channel, then the end. */
  function usedRelay(end: (client: TurnTestClient, peer: Place) => void): {
    relay: Place;
    peers: PeerTraffic[];
  } {
    const client = clientOn();
    const { relay } = client;
    const peer = sim.peer();
    client.bind(0x4000, peer.place);
    client.sendChannel(0x4000, 'x');
    peer.send(relay, 'y');
    sim.run(100);
    end(client, peer.place);
    return { relay, peers: [{ address: textOf(peer.place), toPeer: 1, fromPeer: 1 }] };
  }

  it.each<[string, (client: TurnTestClient, peer: Place) => void]>([
    ['given up by its client', (client) => expect(client.refresh(0).code).toBe(0)],
    ['ended with its user', () => expect(sim.removeUser('alice')).toBe(1)],
    [
      'expired',
      (client, peer) => {
        // The channel is refreshed, so that it is there when the relay ends.
        sim.run(500_000);
        expect(client.bind(0x4000, peer).code).toBe(0);
        sim.run(101_000);
        expect(sim.allocations).toBe(0);
      },
    ],
  ])('is remembered with its peers for two minutes: %s', (_, end) => {
    const { relay, peers } = usedRelay(end);
    const evidence = [{ address: textOf(relay), active: false, peers }];
    expect(ask(relay)).toEqual(evidence);
    sim.run((ENDED_RELAY_SECONDS - 5) * 1000);
    expect(ask(relay)).toEqual(evidence);
    sim.run(6000);
    expect(ask(relay)).toEqual([]);
    expect(sim.worker.core.endedRelays).toBe(0);
  });

  it('is told beside what the next client of its port does', () => {
    const { relay, peers } = usedRelay((client) => client.refresh(0));
    // Every port of the range, so that one client gets the one that was given up.
    const taken = Array.from({ length: 200 }, (_, i) => {
      const client = sim.client({ address: `203.0.113.${20 + (i % 200)}`, credentials: BOB });
      expect(client.allocate().code).toBe(0);
      return client;
    });
    const next = taken.find((client) => client.relay.port === relay.port) as TurnTestClient;
    const other = sim.peer('192.0.2.90');
    next.bind(0x4000, other.place);
    next.sendChannel(0x4000, 'x');
    const [mine] = peers as [PeerTraffic];
    next.bind(0x4001, { address: '192.0.2.50', port: Number(mine.address.split(':')[1]) });
    next.sendChannel(0x4001, 'x');
    sim.run(100);
    expect(ask(relay)).toEqual([
      {
        address: textOf(relay),
        active: true,
        peers: [
          { address: textOf(other.place), toPeer: 1, fromPeer: 0 },
          { ...mine, toPeer: 2 },
        ],
      },
    ]);
  });
});
