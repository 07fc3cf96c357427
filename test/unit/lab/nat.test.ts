import { describe, expect, test } from 'vitest';
import {
  Nat,
  type NatBehaviour,
  type NatDependence,
  type OpenPorts,
} from '../../../lab/network/simulated/nat.ts';
import { seededRandom } from '../../../lab/network/simulated/seeded-random.ts';

const HOST = { address: '192.168.1.11', port: 40_000 };
const NEIGHBOUR = { address: '192.168.1.12', port: 40_000 };
const PEER = { address: '192.0.2.50', port: 5000 };
const PEERS_OTHER_PORT = { address: '192.0.2.50', port: 5001 };
const STRANGER = { address: '198.51.100.10', port: 5000 };

function natOf(behaviour: Partial<NatBehaviour>, open?: readonly OpenPorts[]): Nat {
  const plain = {
    mapping: 'endpoint-independent',
    filtering: 'endpoint-independent',
    keepsPorts: true,
  } as const;
  return new Nat({ ...plain, ...behaviour }, seededRandom(7), open);
}

describe('mapping (RFC 4787 §4.1)', () => {
  test.each<[NatDependence, number]>([
    ['endpoint-independent', 1],
    ['address-dependent', 2],
    ['address-and-port-dependent', 3],
  ])('%s: to three destinations by %i ports', (mapping, count) => {
    const nat = natOf({ mapping, keepsPorts: false });
    const ports = [PEER, PEERS_OTHER_PORT, STRANGER].map((to) => nat.outgoing(HOST, to));
    expect(new Set(ports).size).toBe(count);
    expect([PEER, PEERS_OTHER_PORT, STRANGER].map((to) => nat.outgoing(HOST, to))).toEqual(ports);
  });
});

describe('filtering (RFC 4787 §5)', () => {
  test.each<[NatDependence, boolean, boolean]>([
    ['endpoint-independent', true, true],
    ['address-dependent', true, false],
    ['address-and-port-dependent', false, false],
  ])('%s: another port of the peer gets in: %s, a stranger: %s', (filtering, otherPort, stranger) => {
    const nat = natOf({ filtering });
    const port = nat.outgoing(HOST, PEER);
    const isLetIn = [PEER, PEERS_OTHER_PORT, STRANGER].map((from) => nat.incoming(port, from) !== undefined);
    expect(isLetIn).toEqual([true, otherPort, stranger]);
    expect(nat.incoming(port, PEER)).toEqual(HOST);
  });

  test('nobody gets in where nothing has gone out', () => {
    expect(natOf({}).incoming(HOST.port, PEER)).toBeUndefined();
  });
});

describe('ports', () => {
  test('one that is free is kept; of two hosts with the same, the second gets another', () => {
    const nat = natOf({});
    expect(nat.outgoing(HOST, PEER)).toBe(HOST.port);
    const other = nat.outgoing(NEIGHBOUR, PEER);
    expect(other).not.toBe(HOST.port);
    expect(nat.incoming(HOST.port, PEER)).toEqual(HOST);
    expect(nat.incoming(other, PEER)).toEqual(NEIGHBOUR);
  });

  test('random ones come again with the seed, and are no well-known ones', () => {
    const ports = (): number[] => {
      const nat = natOf({ mapping: 'address-and-port-dependent', keepsPorts: false });
      return Array.from({ length: 500 }, (_, i) => nat.outgoing(HOST, { ...PEER, port: 1 + i }));
    };
    expect(ports()).toEqual(ports());
    expect(new Set(ports()).size).toBe(500);
    expect(Math.min(...ports())).toBeGreaterThanOrEqual(1024);
  });

  test('where none is left, the mapping that was idle longest gives up its own', () => {
    const each = 'address-and-port-dependent';
    const nat = natOf({ mapping: each, filtering: each, keepsPorts: false });
    const destination = (i: number) => ({ address: `192.0.${2 + (i >> 15)}.1`, port: 1 + (i & 32_767) });
    const count = 65_536 - 1024;
    const ports = Array.from({ length: count }, (_, i) => nat.outgoing(HOST, destination(i)));
    nat.outgoing(HOST, destination(0));
    expect(nat.outgoing(HOST, PEER)).toBe(ports[1]);
    expect(nat.incoming(ports[1] ?? 0, destination(1))).toBeUndefined();
    expect(nat.incoming(ports[0] ?? 0, destination(0))).toEqual(HOST);
  });
});

describe('open ports', () => {
  const OPEN: readonly OpenPorts[] = [{ address: HOST.address, ports: [40_000, 43_999] }];

  test('let anyone in before anything has gone out, at either end and not beyond', () => {
    const nat = natOf({ filtering: 'address-and-port-dependent' }, OPEN);
    const inside = [39_999, 40_000, 43_999, 44_000].map((port) => nat.incoming(port, STRANGER)?.address);
    expect(inside).toEqual([undefined, HOST.address, HOST.address, undefined]);
    expect(nat.incoming(40_123, STRANGER)).toEqual({ address: HOST.address, port: 40_123 });
  });

  test('are kept for their host, and stay when all else is forgotten', () => {
    const nat = natOf({}, OPEN);
    const others = nat.outgoing(NEIGHBOUR, PEER);
    expect(others < 40_000 || others > 43_999).toBe(true);
    expect(nat.outgoing(HOST, PEER)).toBe(HOST.port);
    nat.forget();
    expect(nat.incoming(HOST.port, STRANGER)).toEqual(HOST);
    expect(nat.incoming(others, PEER)).toBeUndefined();
  });
});
