/** Quotas, full nodes, ports and sockets that run out; and that everything recovers. */
import { afterEach, describe, expect, it } from 'vitest';
import { A, find } from '../../lab/phone/plain-stun.ts';
import {
  OPEN_ADDRESS_UNAVAILABLE,
  OPEN_PORT_IN_USE,
  OPEN_RESOURCES_EXHAUSTED,
} from '../../src/wire/datagram-io.ts';
import type { SimSocket } from '../kit/sim-network.ts';
import { evenPort, family, TurnTestClient } from '../kit/turn-client.ts';
import { ALICE, BOB, NODE_IPV4, NODE_IPV6, TurnSim } from '../kit/turn-sim.ts';

const MINUTE = 60_000;

let sim: TurnSim;
afterEach(() => expect(sim.end()).toEqual([]));

/** Clients on addresses of their own, so that only the limit in question counts. */
function crowd(count: number, credentials = ALICE): TurnTestClient[] {
  return Array.from({ length: count }, (_, i) => sim.client({ address: `203.0.113.${20 + i}`, credentials }));
}

describe('quota', () => {
  it('of a user: 486 beyond it, whatever the address; one that ends makes room for one', () => {
    sim = new TurnSim({ limits: { relaysPerUser: 3 } });
    const clients = crowd(4);
    expect(clients.map((client) => client.allocate().code)).toEqual([0, 0, 0, 486]);
    expect(sim.client({ address: '203.0.113.90', credentials: BOB }).allocate().code).toBe(0);
    clients[0]?.refresh(0);
    expect(clients[3]?.allocate().code).toBe(0);
    expect(sim.shared.quota.relays).toBe(4);
  });

  it('of an address: 486 beyond it, whatever the user and the port', () => {
    sim = new TurnSim({ limits: { relaysPerAddress: 2 } });
    const codes = [ALICE, BOB, ALICE, BOB].map((credentials) => sim.client({ credentials }).allocate().code);
    expect(codes).toEqual([0, 0, 486, 486]);
    expect(sim.client({ address: '203.0.113.99' }).allocate().code).toBe(0);
  });

  it('of an IPv6 network of one subscriber (/64), who owns all its addresses, is that of one address', () => {
    sim = new TurnSim({ limits: { relaysPerAddress: 2 } });
    const addresses = ['2001:db8:9:1::1', '2001:db8:9:1::2', '2001:db8:9:1:ffff::3', '2001:db8:9:2::1'];
    const clients = addresses.map((address) => sim.client({ address }));
    expect(clients.map((client) => client.allocate().code)).toEqual([0, 0, 486, 0]);
    clients[0]?.refresh(0);
    expect(clients[2]?.allocate().code).toBe(0);
  });

  it('of an address without authentication, where there are no users', () => {
    sim = new TurnSim({
      settings: { authentication: false },
      limits: { relaysPerAddress: 2, relaysPerUser: 1 },
    });
    const codes = [1, 2, 3].map(() => sim.client({ credentials: undefined }).allocate().code);
    expect(codes).toEqual([0, 0, 486]);
  });

  it('comes back when allocations expire', () => {
    sim = new TurnSim({ limits: { relaysPerUser: 2 } });
    const clients = crowd(3);
    expect(clients.map((client) => client.allocate().code)).toEqual([0, 0, 486]);
    sim.run(11 * MINUTE);
    expect(clients[2]?.allocate().code).toBe(0);
  });

  it('counts both relays of a dual allocation, and gives each back by itself', () => {
    sim = new TurnSim({ limits: { relaysPerUser: 3 } });
    const [a, b] = crowd(2) as [TurnTestClient, TurnTestClient];
    expect(a.allocate([family(6, A.additionalAddressFamily)]).code).toBe(0);
    expect(b.allocate([family(6, A.additionalAddressFamily)]).code).toBe(486);
    expect(a.refresh(0, [family(4)]).code).toBe(0);
    expect(sim.shared.quota.relays).toBe(1);
    expect(b.allocate([family(6, A.additionalAddressFamily)]).code).toBe(0);
    expect(sim.shared.quota.relays).toBe(3);
  });

  it('of the node: 508 beyond it, for everybody', () => {
    sim = new TurnSim({ limits: { relays: 2 } });
    const clients = crowd(3);
    expect(clients.map((client) => client.allocate().code)).toEqual([0, 0, 508]);
    expect(sim.client({ address: '203.0.113.90', credentials: BOB }).allocate().code).toBe(508);
    clients[0]?.refresh(0);
    expect(clients[2]?.allocate().code).toBe(0);
  });

  it('is not touched by requests that are refused for another reason', () => {
    sim = new TurnSim();
    const client = sim.client();
    sim.worker.io.refuseOpen = () => OPEN_ADDRESS_UNAVAILABLE;
    expect(client.allocate().code).toBe(508);
    expect(client.allocate([family(6, A.additionalAddressFamily)]).code).toBe(508);
    expect(sim.held()).toEqual([]);
  });
});

describe('permissions and channels', () => {
  it('are capped per allocation with 508, which leaves what is there at work', () => {
    sim = new TurnSim({ limits: { permissionsPerRelay: 4, channelsPerRelay: 2 } });
    const client = sim.client();
    client.allocate();
    const place = (i: number): { address: string; port: number } => ({ address: `192.0.2.${i}`, port: 5000 });
    expect(client.bind(0x4000, place(1)).code).toBe(0);
    expect(client.bind(0x4001, place(2)).code).toBe(0);
    expect(client.bind(0x4002, place(3)).code).toBe(508);
    expect(client.permit([place(3), place(4)]).code).toBe(0);
    expect(client.permit(place(5)).code).toBe(508);
    expect(client.permit(place(4)).code).toBe(0); // renewing needs no room
    expect(client.bind(0x4001, place(2)).code).toBe(0);
    expect(sim.worker.core.allocations.permissions.size).toBe(4);
  });

  it('grants all of a CreatePermission or nothing of it', () => {
    sim = new TurnSim({ limits: { permissionsPerRelay: 4 } });
    const client = sim.client();
    client.allocate();
    const places = Array.from({ length: 5 }, (_, i) => ({ address: `192.0.2.${i + 1}`, port: 0 }));
    expect(client.permit(places).code).toBe(508);
    expect(client.permit([...places.slice(0, 2), { address: '10.0.0.1', port: 0 }]).code).toBe(403);
    expect(client.permit([...places.slice(0, 2), { address: '2001:db8::9', port: 0 }]).code).toBe(443);
    expect(sim.worker.core.allocations.permissions.size).toBe(0);
    expect(client.permit(places.slice(0, 4)).code).toBe(0);
  });

  it('of one allocation are no help to another', () => {
    sim = new TurnSim();
    const [a, b] = crowd(2) as [TurnTestClient, TurnTestClient];
    const peer = sim.peer();
    a.allocate();
    b.allocate();
    a.bind(0x4000, peer.place);
    b.sendChannel(0x4000, 'x');
    b.send(peer.place, 'x');
    peer.send(b.relay, 'x');
    sim.run(100);
    expect([peer.received, b.take()]).toEqual([[], []]);
  });
});

describe('relay ports', () => {
  it('run out with 508, and are there again after expiry', () => {
    sim = new TurnSim({ settings: { relayPorts: [24_000, 24_003] } });
    const clients = crowd(5);
    expect(clients.map((client) => client.allocate().code)).toEqual([0, 0, 0, 0, 508]);
    const ports = clients.slice(0, 4).map((client) => client.relay.port);
    expect(new Set(ports)).toEqual(new Set([24_000, 24_001, 24_002, 24_003]));
    expect(sim.shared.quota.relays).toBe(4);
    sim.run(11 * MINUTE);
    expect(crowd(4, BOB).map((client) => client.allocate().code)).toEqual([0, 0, 0, 0]);
  });

  it('taken by other programs are passed over', () => {
    sim = new TurnSim({ settings: { relayPorts: [24_000, 24_009] } });
    const occupy = (port: number): SimSocket =>
      sim.network.bind({ address: NODE_IPV4, port }, { receive: () => {} }) as SimSocket;
    const others = Array.from({ length: 9 }, (_, i) => occupy(24_000 + i));
    const client = sim.client();
    expect(client.allocate().code).toBe(0);
    expect(client.relay.port).toBe(24_009);
    client.refresh(0);
    others.push(occupy(24_009));
    expect(client.allocate().code).toBe(508);
    for (const other of others) sim.network.unbind(other);
    expect(sim.held()).toEqual([]);
    expect(client.allocate().code).toBe(0);
  });

  it('are not picked one after the other', () => {
    sim = new TurnSim({ settings: { relayPorts: [24_000, 29_999] } });
    const ports = crowd(20).map((client) => {
      client.allocate();
      return client.relay.port;
    });
    const steps = ports.slice(1).map((port, i) => Math.abs(port - (ports[i] as number)));
    expect(steps.filter((step) => step < 10).length).toBeLessThan(3);
  });

  it('are given back when sockets run out half-way', () => {
    sim = new TurnSim();
    const client = sim.client();
    for (const reason of [OPEN_RESOURCES_EXHAUSTED, OPEN_ADDRESS_UNAVAILABLE, OPEN_PORT_IN_USE]) {
      sim.worker.io.refuseOpen = () => reason;
      expect(client.allocate().code).toBe(508);
      expect(client.allocate([evenPort(true)]).code).toBe(508);
      expect(sim.held()).toEqual([]);
    }
    sim.worker.io.refuseOpen = () => 0;
    expect(client.allocate().code).toBe(0);
  });
});

describe('EVEN-PORT', () => {
  it('with R=0 gives an even port and holds nothing else', () => {
    sim = new TurnSim();
    const clients = crowd(50);
    for (const client of clients) {
      expect(find(client.allocate([evenPort(false)]).message, A.reservationToken)).toBeUndefined();
      expect(client.relay.port % 2).toBe(0);
    }
    expect(sim.descriptors.size).toBe(0);
    for (const client of clients) client.refresh(0);
    expect(sim.held()).toEqual([]);
  });

  it('with R=0 can take every even port of the range, and all of it is free afterwards', () => {
    sim = new TurnSim({ settings: { relayPorts: [24_000, 24_009] } });
    const clients = crowd(6);
    expect(clients.map((client) => client.allocate([evenPort(false)]).code)).toEqual([0, 0, 0, 0, 0, 508]);
  });

  it('with R=1 takes pairs, and 508 where only single ports are left', () => {
    sim = new TurnSim({ settings: { relayPorts: [24_001, 24_004] } });
    const [a, b] = crowd(2) as [TurnTestClient, TurnTestClient];
    expect(a.allocate([evenPort(true)]).code).toBe(0);
    expect(a.relay.port).toBe(24_002);
    expect(b.allocate([evenPort(true)]).code).toBe(508);
    expect(b.allocate([evenPort(false)]).code).toBe(0);
    expect(b.relay.port).toBe(24_004);
  });

  it('with R=1 gives both ports back where the odd one cannot be opened', () => {
    sim = new TurnSim();
    const client = sim.client();
    sim.worker.io.refuseOpen = ({ port }) => (port % 2 === 1 ? OPEN_PORT_IN_USE : 0);
    expect(client.allocate([evenPort(true)]).code).toBe(508);
    expect(sim.held()).toEqual([]);
    sim.worker.io.refuseOpen = ({ port }) => (port % 2 === 1 ? OPEN_RESOURCES_EXHAUSTED : 0);
    expect(client.allocate([evenPort(true)]).code).toBe(508);
    expect(sim.held()).toEqual([]);
  });

  it('with R=1 is 508 when as many ports are reserved as may be, and works again 30 s later', () => {
    sim = new TurnSim({ limits: { reservations: 2 } });
    const clients = crowd(3);
    expect(clients.map((client) => client.allocate([evenPort(true)]).code)).toEqual([0, 0, 508]);
    expect(sim.shared.quota.relays).toBe(2);
    sim.run(32_000);
    expect(clients[2]?.allocate([evenPort(true)]).code).toBe(0);
  });

  it('gives a reservation back where its socket cannot be taken over', () => {
    sim = new TurnSim();
    const client = sim.client();
    const token = TurnTestClient.tokenOf(client.allocate([evenPort(true)]));
    sim.worker.io.refuseOpen = () => OPEN_RESOURCES_EXHAUSTED;
    const second = sim.client({ address: '203.0.113.11' });
    expect(second.allocate([token]).code).toBe(508);
    expect(sim.descriptors.size).toBe(0);
    client.refresh(0);
    expect(sim.held()).toEqual([]);
  });

  it('ends a reservation with the allocation that made it, so that nobody holds more ports than relays', () => {
    sim = new TurnSim({ limits: { reservations: 3 } });
    const client = sim.client();
    for (let i = 0; i < 10; i++) {
      expect(client.allocate([evenPort(true)]).code).toBe(0);
      expect(sim.descriptors.size).toBe(1);
      expect(client.refresh(0).code).toBe(0);
      expect(sim.descriptors.size).toBe(0);
    }
  });

  it('leaves a redeemed port alone when the allocation that reserved it ends', () => {
    sim = new TurnSim();
    const client = sim.client();
    const token = TurnTestClient.tokenOf(client.allocate([evenPort(true)]));
    const second = sim.client({ address: '203.0.113.11' });
    expect(second.allocate([token]).code).toBe(0);
    client.refresh(0);
    expect(second.refresh(600).code).toBe(0);
  });

  it('opens no socket after socket when no more can be reserved', () => {
    sim = new TurnSim({ limits: { reservations: 1 } });
    const [first, second] = crowd(2);
    expect(first?.allocate([evenPort(true)]).code).toBe(0);
    let opened = 0;
    sim.worker.io.refuseOpen = () => {
      opened++;
      return 0;
    };
    expect(second?.allocate([evenPort(true)]).code).toBe(508);
    expect(opened).toBe(2);
  });

  it('reserves in IPv6 as well', () => {
    sim = new TurnSim();
    const client = sim.client();
    const token = TurnTestClient.tokenOf(client.allocate([evenPort(true), family(6)]));
    const second = sim.client({ address: '203.0.113.11' });
    expect(second.allocate([token]).code).toBe(0);
    expect(second.relay).toEqual({ address: NODE_IPV6, port: client.relay.port + 1 });
  });
});

describe('a full endpoint book', () => {
  it.each(Array.from({ length: 12 }, (_, spare) => spare))(
    'with %i rows left refuses with 508 and loses none of them',
    (spare) => {
      sim = new TurnSim();
      const { endpoints } = sim.worker.io;
      const client = sim.client();
      client.binding();
      const taken: number[] = [];
      for (let row = endpoints.acquire(); row >= 0; row = endpoints.acquire()) taken.push(row);
      for (let i = 0; i < spare; i++) endpoints.release(taken.pop() as number);
      endpoints.recycle();
      const codes = [
        client.allocate([family(6, A.additionalAddressFamily)]).code,
        client.allocate([evenPort(true)]).code,
        client.permit([1, 2, 3].map((i) => ({ address: `192.0.2.${i}`, port: 0 }))).code,
        client.bind(0x4000, { address: '192.0.2.9', port: 9 }).code,
      ];
      for (const code of codes) expect([0, 508, 437]).toContain(code);
      if (sim.allocations > 0) expect(client.refresh(0).code).toBe(0);
      for (const row of taken) endpoints.release(row);
      sim.run(31_000);
      expect(sim.held()).toEqual([]);
    },
  );
});
