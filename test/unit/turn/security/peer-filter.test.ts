/**
 * turn-security, "Peer filter": what a relay must not reach, on every way in (CreatePermission,
 * ChannelBind, Send, and packets from peers), with allow and deny lists. Connect (RFC 6062) is not offered.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { A, REFRESH } from '../../../../lab/phone/plain-stun.ts';
import { family, lifetime, type TurnTestClient } from '../../../kit/turn-client.ts';
import { BOB, NODE_IPV4, NODE_IPV6, type SimOptions, TurnSim } from '../../../kit/turn-sim.ts';

let sim: TurnSim;
afterEach(() => expect(sim.end()).toEqual([]));

/** A client with a relay of each family on a node with these settings. */
function dualClient(options: SimOptions = {}): TurnTestClient {
  sim = new TurnSim(options);
  const client = sim.client();
  expect(client.allocate([family(6, A.additionalAddressFamily)]).code).toBe(0);
  return client;
}

/** The codes that CreatePermission and ChannelBind give for a peer. */
function codesFor(client: TurnTestClient, address: string, port = 5000): [number, number] {
  return [client.permit({ address, port }).code, client.bind(0x4000, { address, port }).code];
}

const REFUSED_IPV4 = [
  ...['0.0.0.0', '0.1.2.3', '127.0.0.1', '127.255.255.255', '169.254.0.1', '169.254.169.254'],
  ...['224.0.0.1', '239.255.255.255', '240.0.0.1', '255.255.255.255'],
  ...['10.0.0.1', '10.255.255.255', '172.16.0.1', '172.31.255.255', '192.168.0.1', '192.168.255.255'],
  ...['100.64.0.1', '100.127.255.255', '192.0.0.8', '198.18.0.1', '198.19.255.255'],
] as const;

/** Just outside the refused blocks, so that a block grown too large is noticed. */
const GRANTED_IPV4 = [
  ...['1.0.0.1', '9.255.255.255', '11.0.0.0', '100.63.255.255', '100.128.0.0', '126.255.255.255'],
  ...['128.0.0.0', '169.253.255.255', '169.255.0.0', '172.15.255.255', '172.32.0.0', '192.0.1.0'],
  ...['192.167.255.255', '192.169.0.0', '198.17.255.255', '198.20.0.0', '223.255.255.255', '8.8.8.8'],
] as const;

const REFUSED_IPV6 = [
  ...['::', '::1', 'fe80::1', 'febf::1', 'fec0::1', 'feff::1', 'fc00::1', 'fdff::1'],
  ...['ff00::1', 'ff02::1', '100::1', '64:ff9b:1::1'],
] as const;

const GRANTED_IPV6 = ['2001:db8:7::1', '2606:4700::1111', '64:ff9b:2::1', 'fb00::1'] as const;

/** Every way in which an IPv6 address carries an IPv4 one. */
const CARRIERS: readonly (readonly [string, (ipv4: string) => string])[] = [
  ['IPv4-mapped', (ipv4) => `::ffff:${ipv4}`],
  ['IPv4-translated', (ipv4) => `::ffff:0:${ipv4}`],
  ['IPv4-compatible', (ipv4) => `::${ipv4}`],
  ['NAT64', (ipv4) => `64:ff9b::${ipv4}`],
  ['6to4', (ipv4) => `2002:${hex(ipv4)}::1`],
  ['6to4 with another host', (ipv4) => `2002:${hex(ipv4)}:ffff:1234:5678:9abc:def0`],
  ['Teredo client', (ipv4) => `2001:0:808:808:0:1234:${hex(ipv4, 0xffff)}`],
  ['Teredo server', (ipv4) => `2001:0:${hex(ipv4)}:0:1234:f7f7:f7f7`],
];

function hex(ipv4: string, flip = 0): string {
  const [a, b, c, d] = ipv4.split('.').map(Number) as [number, number, number, number];
  return `${(((a << 8) | b) ^ flip).toString(16)}:${(((c << 8) | d) ^ flip).toString(16)}`;
}

describe('by default', () => {
  it('refuses everything that is not public unicast, to CreatePermission and ChannelBind alike', () => {
    const client = dualClient();
    for (const address of [...REFUSED_IPV4, ...REFUSED_IPV6]) {
      expect([address, ...codesFor(client, address)]).toEqual([address, 403, 403]);
    }
    expect(sim.worker.core.allocations.permissions.size).toBe(0);
  });

  it('grants public addresses up to the edge of what is refused', () => {
    const client = dualClient();
    for (const address of [...GRANTED_IPV4, ...GRANTED_IPV6]) {
      expect([address, client.permit({ address, port: 5000 }).code]).toEqual([address, 0]);
    }
  });

  it.each(CARRIERS)('judges an IPv4 address inside an IPv6 one: %s', (_, carry) => {
    const client = dualClient();
    for (const inner of REFUSED_IPV4) {
      expect([inner, ...codesFor(client, carry(inner))]).toEqual([inner, 403, 403]);
    }
    // The node's own IPv4 address in disguise is not even a relay.
    expect(codesFor(client, carry(NODE_IPV4), 24_000)).toEqual([403, 403]);
    expect(client.permit({ address: carry('8.8.4.4'), port: 5000 }).code).toBe(0);
  });

  it.each([
    '64:ff9b:1:7f00:0:100::', // 127.0.0.1 in RFC 6052's form for /48
    '64:ff9b:1:7f00:0:100:808:808', // with a harmless address where the form for /96 has it
    '64:ff9b:1:a9:fe:a9fe:808:808',
  ])('refuses local-use NAT64 whole, as the IPv4 address can lie anywhere in it: %s', (address) => {
    expect(codesFor(dualClient(), address)).toEqual([403, 403]);
  });

  it('one refused peer among many spoils the whole CreatePermission', () => {
    const client = dualClient();
    const peers = ['192.0.2.1', '192.0.2.2', '::ffff:169.254.169.254'].map((address) => ({
      address,
      port: 1,
    }));
    expect(client.permit(peers).code).toBe(403);
    expect(sim.worker.core.allocations.permissions.size).toBe(0);
  });
});

describe('allow and deny lists', () => {
  it('allow opens what it names and nothing beside it', () => {
    const client = dualClient({ allow: ['10.1.0.0/16', 'fd00:1::/32', '127.0.0.1/32'] });
    for (const address of ['10.1.0.0', '10.1.255.255', 'fd00:1::5', '127.0.0.1']) {
      expect([address, client.permit({ address, port: 5000 }).code]).toEqual([address, 0]);
    }
    for (const address of ['10.0.255.255', '10.2.0.0', 'fd00:2::5', '127.0.0.2']) {
      expect([address, ...codesFor(client, address)]).toEqual([address, 403, 403]);
    }
  });

  it('allow can open ::1 and ::, which are themselves and no IPv4 addresses', () => {
    const client = dualClient({ allow: ['::1/128'] });
    expect(client.permit({ address: '::1', port: 5000 }).code).toBe(0);
    expect(codesFor(client, '::2')).toEqual([403, 403]);
    expect(codesFor(client, '::')).toEqual([403, 403]);
    expect(codesFor(client, '::127.0.0.1')).toEqual([403, 403]);
  });

  it('deny goes before allow, whichever is narrower', () => {
    const client = dualClient({
      allow: ['10.1.2.0/24', '192.0.2.0/24'],
      deny: ['10.1.0.0/16', '192.0.2.9/32'],
    });
    expect(codesFor(client, '10.1.2.3')).toEqual([403, 403]);
    expect(codesFor(client, '192.0.2.9')).toEqual([403, 403]);
    expect(client.permit({ address: '192.0.2.10', port: 5000 }).code).toBe(0);
  });

  it('deny closes public addresses', () => {
    const client = dualClient({ deny: ['8.8.8.0/24', '2606:4700::/32'] });
    expect(codesFor(client, '8.8.8.8')).toEqual([403, 403]);
    expect(codesFor(client, '2606:4700::1111')).toEqual([403, 403]);
    expect(client.permit({ address: '8.8.9.1', port: 5000 }).code).toBe(0);
  });

  it.each(CARRIERS)(
    'deny and the defaults hold for an IPv4 address inside an allowed IPv6 one: %s',
    (_, carry) => {
      const client = dualClient({ allow: ['::/0'], deny: ['192.0.2.9/32'] });
      expect(codesFor(client, carry('192.0.2.9'))).toEqual([403, 403]);
      expect(codesFor(client, carry('127.0.0.1'))).toEqual([403, 403]);
    },
  );

  it('an IPv4 address that is allowed is allowed inside an IPv6 one too', () => {
    const client = dualClient({ allow: ['10.1.0.0/16'] });
    expect(client.permit({ address: '64:ff9b::10.1.2.3', port: 5000 }).code).toBe(0);
  });

  it('nothing opens the node’s own ports', () => {
    const client = dualClient({ allow: ['0.0.0.0/0', '::/0'] });
    for (const address of [NODE_IPV4, NODE_IPV6]) {
      for (const port of [3478, 8080, 2223]) {
        expect(client.bind(0x4000, { address, port }).code).toBe(403);
        client.permit({ address, port });
        client.send({ address, port }, 'x');
      }
    }
    sim.run(100);
    expect(sim.counter('clientToPeerPackets')).toBe(0);
    expect(sim.counter('dropPeerForbidden')).toBe(6);
  });
});

describe('the node’s own addresses', () => {
  it('are reachable on relay ports, as relay-to-relay calls need them', () => {
    const client = dualClient();
    for (const address of [NODE_IPV4, NODE_IPV6]) {
      expect(client.permit({ address, port: 24_000 }).code).toBe(0);
      expect(client.bind(0x4000 + address.length, { address, port: 24_199 }).code).toBe(0);
    }
  });

  it.each([NODE_IPV4, NODE_IPV6])('let nothing through to any other port: %s', (address) => {
    const client = dualClient();
    client.permit({ address, port: 24_000 });
    // The node's own ports are refused; the rest of the host is granted, as its address alone would be,
    // and silent (ARCHITECTURE.md, "Own addresses as peers").
    const ports: [port: number, code: number][] = [
      [0, 0],
      [22, 0],
      [3478, 403],
      [8080, 403],
      [23_999, 0],
      [24_200, 0],
      [65_535, 0],
    ];
    for (const [i, [port, code]] of ports.entries()) {
      const channel = 0x4001 + i;
      expect([port, client.bind(channel, { address, port }).code]).toEqual([port, code]);
      if (code === 0) client.sendChannel(channel, 'x');
      client.send({ address, port }, 'x');
      sim.run(50);
    }
    expect(sim.counter('clientToPeerPackets')).toBe(0);
    expect(sim.counter('dropPeerOwnHost')).toBe(10);
    expect(sim.counter('dropPeerForbidden')).toBe(2);
  });

  it('cannot reach a client from other ports: the node’s own services do not talk through a relay', () => {
    const client = dualClient();
    client.permit({ address: NODE_IPV4, port: 24_000 });
    const service = sim.peer(NODE_IPV4, 8080);
    const other = sim.peer(NODE_IPV4, 22);
    service.send(client.relay, 'internal');
    other.send(client.relay, 'internal');
    sim.run(100);
    expect(client.take()).toEqual([]);
    expect(sim.counter('peerToClientPackets')).toBe(0);
    service.close();
    other.close();
  });

  it('keep an own port closed even where it lies inside the relay range', () => {
    const peers = {
      allow: [],
      deny: [],
      refusal: 'error',
      ownAddresses: [NODE_IPV4],
      ownPorts: [24_010],
    } as const;
    const client = dualClient({ settings: { peers } });
    expect(client.bind(0x4000, { address: NODE_IPV4, port: 24_010 }).code).toBe(403);
    client.permit({ address: NODE_IPV4, port: 0 });
    client.send({ address: NODE_IPV4, port: 24_010 }, 'x');
    sim.run(100);
    expect(sim.counter('clientToPeerPackets')).toBe(0);
  });

  it('of which a co-located service is wanted are opened by allow, but for the node’s own ports', () => {
    const client = dualClient({ allow: [`${NODE_IPV4}/32`] });
    const service = sim.peer(NODE_IPV4, 5060);
    expect(client.bind(0x4000, service.place).code).toBe(0);
    client.sendChannel(0x4000, 'x');
    sim.run(100);
    expect(service.received.length).toBe(1);
    service.close();
  });
});

describe('refusal: silent', () => {
  it('says success, and lets nothing through in any direction, and counts it', () => {
    const client = dualClient({ refusal: 'silent' });
    const inside = sim.peer('10.0.0.7');
    const bound = sim.peer('10.0.0.8');
    expect(client.permit(inside.place).code).toBe(0);
    expect(client.bind(0x4000, bound.place).code).toBe(0);
    client.send(inside.place, 'x');
    client.sendChannel(0x4000, 'x');
    inside.send(client.relay, 'x');
    bound.send(client.relay, 'x');
    sim.run(100);
    expect([inside.received, bound.received, client.take()]).toEqual([[], [], []]);
    expect(sim.counter('dropPeerForbidden')).toBe(4);
  });

  it('keeps the node’s own ports just as closed', () => {
    const client = dualClient({ refusal: 'silent' });
    expect(client.bind(0x4000, { address: NODE_IPV4, port: 8080 }).code).toBe(0);
    client.sendChannel(0x4000, 'GET /');
    client.send({ address: NODE_IPV4, port: 8080 }, 'GET /');
    sim.run(100);
    expect(sim.counter('clientToPeerPackets')).toBe(0);
  });

  it('leaves permitted peers as they are', () => {
    const client = dualClient({ refusal: 'silent' });
    const peer = sim.peer();
    const inside = sim.peer('10.0.0.7');
    expect(client.permit([inside.place, peer.place]).code).toBe(0);
    client.send(peer.place, 'x');
    sim.run(100);
    expect(peer.received.length).toBe(1);
  });
});

describe('a relay of one client', () => {
  it('does not lead to another client that has not asked for it, nor to the listener by a detour', () => {
    const client = dualClient();
    const other = sim.client({ address: '203.0.113.11', credentials: BOB });
    other.allocate();
    client.bind(0x4000, other.relay);
    client.sendChannel(0x4000, 'hello?');
    client.permit({ address: NODE_IPV4, port: 0 });
    // A Refresh(0) to the listener, as if the relay itself were a client.
    client.send({ address: NODE_IPV4, port: 3478 }, other.build(REFRESH, [lifetime(0)]));
    sim.run(100);
    expect(other.take()).toEqual([]);
    expect(sim.allocations).toBe(2);
  });
});
