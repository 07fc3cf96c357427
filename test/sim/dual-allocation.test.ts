/** ADDITIONAL-ADDRESS-FAMILY (RFC 8656 §7): one allocation with a relay of each family. */
import { afterEach, describe, expect, it } from 'vitest';
import { A, find, findAll } from '../../lab/phone/plain-stun.ts';
import { OPEN_PORT_IN_USE } from '../../src/wire/datagram-io.ts';
import type { Place } from '../kit/sim-network.ts';
import { evenPort, family, lifetime, type TurnTestClient } from '../kit/turn-client.ts';
import { NODE_IPV4, NODE_IPV6, TurnSim } from '../kit/turn-sim.ts';

const both = family(6, A.additionalAddressFamily);

let sim: TurnSim;
afterEach(() => expect(sim.end()).toEqual([]));

function allocated(): TurnTestClient {
  const client = sim.client();
  expect(client.allocate([both]).code).toBe(0);
  return client;
}

describe('a dual allocation', () => {
  it('talks to peers of both families, each through its own relay', () => {
    sim = new TurnSim();
    const client = allocated();
    const four = sim.peer();
    const six = sim.peer('2001:db8:7::50');
    expect(client.relayed.map(({ address }) => address)).toEqual([NODE_IPV4, NODE_IPV6]);
    expect(client.permit([four.place, six.place]).code).toBe(0);
    client.bind(0x4004, four.place);
    client.bind(0x4006, six.place);
    client.sendChannel(0x4004, '4');
    client.sendChannel(0x4006, '6');
    sim.run(100);
    expect(four.received).toEqual([{ data: '4', from: client.relayed[0] }]);
    expect(six.received).toEqual([{ data: '6', from: client.relayed[1] }]);
    const [relayIPv4, relayIPv6] = client.relayed as [Place, Place];
    four.send(relayIPv4, 'four');
    six.send(relayIPv6, 'six');
    sim.run(100);
    expect(client.take()).toEqual([
      { channel: 0x4004, data: 'four' },
      { channel: 0x4006, data: 'six' },
    ]);
  });

  it.each([
    [4, NODE_IPV4, NODE_IPV6],
    [6, NODE_IPV6, NODE_IPV4],
  ] as const)(
    'without a port for IPv%i goes on with the other and says 508 for it',
    (version, missing, left) => {
      sim = new TurnSim();
      sim.worker.io.refuseOpen = ({ address }) => (address === missing ? OPEN_PORT_IN_USE : 0);
      const client = sim.client();
      const { message } = client.allocate([both]);
      expect(client.relayed.map(({ address }) => address)).toEqual([left]);
      expect(findAll(message, A.addressErrorCode)).toEqual([Uint8Array.of(version === 4 ? 1 : 2, 0, 5, 8)]);
      expect(sim.shared.quota.relays).toBe(1);
      client.refresh(0);
      expect(sim.held()).toEqual([]);
    },
  );

  it('where the server has no relay address of the family says 440 for it', () => {
    sim = new TurnSim({
      settings: {
        listeners: [{ protocol: 'udp', address: NODE_IPV4, port: 3478, relayIPv4: 0, relayIPv6: -1 }],
      },
    });
    const client = sim.client();
    const { message } = client.allocate([both]);
    expect(find(message, A.addressErrorCode)).toEqual(Uint8Array.of(2, 0, 4, 40));
    expect(client.relayed.length).toBe(1);
    const other = sim.client({ address: '203.0.113.11' });
    expect(other.allocate([family(6)]).code).toBe(440);
    expect(sim.shared.quota.relays).toBe(1);
  });

  it('is refused with 508 only where neither relay can be had', () => {
    sim = new TurnSim();
    sim.worker.io.refuseOpen = () => OPEN_PORT_IN_USE;
    expect(sim.client().allocate([both]).code).toBe(508);
    expect(sim.held()).toEqual([]);
  });

  it('loses one relay by Refresh with lifetime 0 and its family, and keeps the other at work', () => {
    sim = new TurnSim();
    const client = allocated();
    const four = sim.peer();
    const six = sim.peer('2001:db8:7::50');
    client.bind(0x4004, four.place);
    client.bind(0x4006, six.place);
    const [, relayIPv6] = client.relayed as [Place, Place];
    expect(client.refresh(0, [family(4)]).code).toBe(0);
    expect(sim.network.socketsAt(NODE_IPV4)).toBe(1);
    client.sendChannel(0x4004, 'gone');
    client.send(four.place, 'gone');
    client.sendChannel(0x4006, 'there');
    six.send(relayIPv6, 'and back');
    sim.run(100);
    expect(four.received).toEqual([]);
    expect(sim.counter('dropPeerFamily')).toBe(2);
    expect(six.received.length).toBe(1);
    expect(client.take()).toEqual([{ channel: 0x4006, data: 'and back' }]);
    expect(client.permit(four.place).code).toBe(443);
    expect(client.refresh(600, [family(4)]).code).toBe(443);
    expect(client.refresh(600, [family(6)]).code).toBe(0);
    expect(client.refresh(0, [family(6)]).code).toBe(0);
    expect(sim.held()).toEqual([]);
    expect(sim.ended).toEqual([{ worker: 0, id: 0, reason: 'deleted' }]);
  });

  it('lets each relay expire by itself', () => {
    sim = new TurnSim();
    const client = allocated();
    expect(client.refresh(1800, [family(6)]).code).toBe(0);
    sim.run(605_000);
    expect(sim.network.socketsAt(NODE_IPV4)).toBe(1);
    expect(sim.network.socketsAt(NODE_IPV6)).toBe(2);
    expect([sim.allocations, sim.shared.quota.relays]).toEqual([1, 1]);
    sim.run(1_200_000);
    expect(sim.held()).toEqual([]);
    expect(sim.ended).toEqual([{ worker: 0, id: 0, reason: 'expired' }]);
  });

  it('gives the port of a lost relay to somebody else, who does not hear the first one’s peers', () => {
    sim = new TurnSim({ settings: { relayPorts: [24_000, 24_000] } });
    const client = allocated();
    const peer = sim.peer();
    client.permit(peer.place);
    client.refresh(0, [family(4)]);
    const other = sim.client({ address: '203.0.113.11' });
    expect(other.allocate().code).toBe(0);
    peer.send(other.relay, 'x');
    sim.run(100);
    expect(client.take()).toEqual([]);
    expect(other.take()).toEqual([]);
  });

  it('cannot be combined with a family of its own, IPv4 as the additional one, a token, or a pair of ports', () => {
    sim = new TurnSim();
    const client = sim.client();
    const token = { type: A.reservationToken, value: new Uint8Array(8) };
    expect(client.allocate([both, family(4)]).code).toBe(400);
    expect(client.allocate([family(4, A.additionalAddressFamily)]).code).toBe(400);
    expect(client.allocate([both, token]).code).toBe(400);
    expect(client.allocate([both, evenPort(true)]).code).toBe(400);
    expect(client.allocate([both, evenPort(false), lifetime(700)]).code).toBe(0);
    expect(client.relayed.every(({ port }) => port % 2 === 0)).toBe(true);
  });
});
