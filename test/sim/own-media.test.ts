/**
 * A relay and the B2BUA on one host: media ports that are open can be reached by the relay, and nothing
 * else of the host, not even right beside them or a moment later.
 */

import { afterEach, describe, expect, it } from 'vitest';
import { inspect } from '../../src/turn/inspect.ts';
import type { Place } from '../kit/sim-network.ts';
import type { TurnTestClient } from '../kit/turn-client.ts';
import { NODE_IPV4, NODE_IPV6, type Peer, type SimOptions, TurnSim } from '../kit/turn-sim.ts';

const MEDIA_PORT = 36_000;

let sim: TurnSim;
/** Media ports that the B2BUA has open, as `address port`. */
let open: Set<string>;
/** At a port of the node's own address. */
let socket: Peer;

afterEach(() => {
  socket.close();
  expect(sim.end()).toEqual([]);
});

/** A client with a relay, and the socket. */
function scene(port: number, options: SimOptions = {}): { client: TurnTestClient; socket: Peer } {
  open = new Set();
  sim = new TurnSim({ ...options, isOwnMedia: ({ address, port }) => open.has(`${address} ${port}`) });
  const client = sim.client();
  expect(client.allocate().code).toBe(0);
  socket = sim.peer(sim.nodeAddress, port);
  return { client, socket };
}

function setOpen({ address, port }: Place, isOpen: boolean): void {
  if (isOpen) open.add(`${address} ${port}`);
  else open.delete(`${address} ${port}`);
}

/** The ways to a peer: by channel, and by permission with indications. */
const WAYS = [
  [
    'a channel',
    (client: TurnTestClient, peer: Place) => {
      expect(client.bind(0x4000, peer).code).toBe(0);
      return (data: string | Uint8Array) => client.sendChannel(0x4000, data);
    },
  ],
  [
    'a permission',
    (client: TurnTestClient, peer: Place) => {
      expect(client.permit(peer).code).toBe(0);
      return (data: string | Uint8Array) => client.send(peer, data);
    },
  ],
] as const;

describe.each(WAYS)('by %s', (_, wayTo) => {
  it.each([
    ['', {}],
    [', on a host that is allowed by name', { allow: [NODE_IPV4] }],
  ])('what goes to it counts as traffic, and is no evidence of a path%s', (__, options) => {
    const { client, socket } = scene(MEDIA_PORT, options);
    setOpen(socket.place, true);
    const send = wayTo(client, socket.place);
    send('x');
    sim.run(100);
    socket.send(client.relay, 'y');
    sim.run(100);
    const address = `${client.relay.address}:${client.relay.port}`;
    const [allocation] = inspect(sim.worker.core, 1, sim.network.nowMs).allocations;
    const flows = [...(allocation?.channels ?? []), ...(allocation?.permissions ?? [])];
    expect(flows).toContainEqual(expect.objectContaining({ packetsToPeer: 1, packetsFromPeer: 1 }));
    expect(sim.worker.core.relayEvidence([address], sim.network.nowMs)).toMatchObject([{ peers: [] }]);
  });

  it('an open media port is reached, and reaches the client', () => {
    const { client, socket } = scene(MEDIA_PORT);
    setOpen(socket.place, true);
    const send = wayTo(client, socket.place);
    send('from the phone');
    socket.send(client.relay, 'from the B2BUA');
    sim.run(100);
    expect(socket.received).toEqual([{ data: 'from the phone', from: client.relay }]);
    expect(client.take()).toMatchObject([{ data: 'from the B2BUA' }]);
    expect(sim.counter('dropPeerOwnHost')).toBe(0);
  });

  it('traffic stops both ways when the port is closed, and goes on when it is opened again', () => {
    const { client, socket } = scene(MEDIA_PORT);
    const send = wayTo(client, socket.place);
    const heard: number[][] = [];
    for (const isOpen of [false, true, false, true]) {
      setOpen(socket.place, isOpen);
      send('x');
      socket.send(client.relay, 'y');
      sim.run(100);
      heard.push([socket.received.length, client.received.length]);
    }
    expect(heard).toEqual([
      [0, 0],
      [1, 1],
      [1, 1],
      [2, 2],
    ]);
    expect(sim.counter('dropPeerOwnHost')).toBe(4);
  });

  it.each([MEDIA_PORT - 1, MEDIA_PORT + 1, MEDIA_PORT + 32, 22, 5353])(
    'port %i stays closed beside an open one, both ways',
    (port) => {
      const { client, socket } = scene(port);
      setOpen({ address: NODE_IPV4, port: MEDIA_PORT }, true);
      const send = wayTo(client, socket.place);
      send('x');
      socket.send(client.relay, 'y');
      sim.run(100);
      expect([socket.received, client.take()]).toEqual([[], []]);
      expect(sim.counter('dropPeerOwnHost')).toBe(2);
    },
  );

  it('the same port on another own address stays closed', () => {
    const { client, socket } = scene(MEDIA_PORT);
    setOpen({ address: NODE_IPV6, port: MEDIA_PORT }, true);
    wayTo(client, socket.place)('x');
    sim.run(100);
    expect(socket.received).toEqual([]);
  });

  it('behind static NAT the media port goes by its external address', () => {
    const { client, socket } = scene(MEDIA_PORT, { staticNat: true });
    setOpen(socket.place, true);
    const known = { address: NODE_IPV4, port: MEDIA_PORT };
    wayTo(client, known)('x');
    socket.send({ address: sim.nodeAddress, port: client.relay.port }, 'y');
    sim.run(100);
    expect(socket.received).toMatchObject([{ data: 'x' }]);
    const [received] = client.take();
    expect(received?.data).toBe('y');
    if (received?.channel === undefined) expect(received?.peer).toEqual(known);
  });

  it('a media policy holds there too', () => {
    const { client, socket } = scene(MEDIA_PORT, { settings: { mediaPolicy: 'media' } });
    setOpen(socket.place, true);
    const send = wayTo(client, socket.place);
    send('GET /');
    send(Uint8Array.of(0x80, 0, 0, 1));
    sim.run(100);
    expect(socket.received.map(({ data }) => data)).toEqual(['\x80\0\0\x01']);
  });
});

describe('what the B2BUA has open', () => {
  it.each([3478, 8080, 2223])('does not open port %i, on which the node itself listens', (port) => {
    const { client } = scene(MEDIA_PORT);
    const place = { address: NODE_IPV4, port };
    setOpen(place, true);
    expect(client.bind(0x4000, place).code).toBe(403);
    expect(client.permit(place).code).toBe(0);
    sim.worker.io.sent = [];
    client.send(place, 'x');
    sim.run(100);
    expect(sim.worker.io.sent).toEqual([]);
    expect(sim.counter('dropPeerForbidden')).toBe(1);
  });

  it('does not open an address that is denied', () => {
    const { client, socket } = scene(MEDIA_PORT, { deny: [`${NODE_IPV4}/32`], refusal: 'silent' });
    setOpen(socket.place, true);
    client.bind(0x4000, socket.place);
    client.sendChannel(0x4000, 'x');
    client.send(socket.place, 'x');
    sim.run(100);
    expect(socket.received).toEqual([]);
    expect(sim.counter('dropPeerForbidden')).toBe(2);
  });

  it('does not open the same port of another host', () => {
    const { client } = scene(MEDIA_PORT);
    setOpen({ address: '10.0.0.9', port: MEDIA_PORT }, true);
    expect(client.bind(0x4000, { address: '10.0.0.9', port: MEDIA_PORT }).code).toBe(403);
    expect(client.permit({ address: '10.0.0.9', port: MEDIA_PORT }).code).toBe(403);
  });
});
