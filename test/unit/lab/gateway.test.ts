import { describe, expect, test } from 'vitest';
import { Gateway } from '../../../lab/network/simulated/gateway.ts';
import type { TransportAddress } from '../../../lab/phone/protocol.ts';
import { HOMES, PLACES } from '../../../lab/topology.ts';

const PHONE = { address: PLACES.homeA.addresses[0], port: 40_002 };
const OTHER_PHONE = { address: PLACES.homeA2.addresses[0], port: 44_002 };
const EDGE = { address: PLACES.edge.addresses[0], port: 3478 };
const PEER = { address: PLACES.internet.addresses[0], port: 41_000 };
const WAN = HOMES.A.wanAddresses[0];

function portOut(gateway: Gateway, from: TransportAddress, to: TransportAddress): number {
  const source = gateway.outgoing(from, to);
  if (typeof source === 'string') throw new Error(source);
  return source.port;
}

describe('kinds', () => {
  test('endpoint-independent: keeps the port, and anyone may send to either phone before it has sent', () => {
    const gateway = new Gateway('A', 1);
    expect(gateway.incoming(PHONE.port, PEER)).toEqual(PHONE);
    expect(gateway.incoming(OTHER_PHONE.port, PEER)).toEqual(OTHER_PHONE);
    expect(gateway.outgoing(PHONE, EDGE)).toEqual({ address: WAN, port: PHONE.port });
    expect(gateway.incoming(5060, PEER)).toBe('filtered');
  });

  test('port-restricted: keeps the port, and only who was sent to may answer', () => {
    const gateway = new Gateway('A', 1);
    gateway.setNat('port-restricted');
    expect(gateway.incoming(PHONE.port, EDGE)).toBe('filtered');
    expect([EDGE, PEER].map((to) => portOut(gateway, PHONE, to))).toEqual([PHONE.port, PHONE.port]);
    expect(gateway.incoming(PHONE.port, PEER)).toEqual(PHONE);
    expect(gateway.incoming(PHONE.port, { ...PEER, port: PEER.port + 1 })).toBe('filtered');
  });

  test('symmetric: another port for each destination, and each answers by its own alone', () => {
    const gateway = new Gateway('A', 1);
    gateway.setNat('symmetric');
    const toEdge = portOut(gateway, PHONE, EDGE);
    const toPeer = portOut(gateway, PHONE, PEER);
    expect(new Set([toEdge, toPeer, PHONE.port]).size).toBe(3);
    expect(gateway.incoming(toEdge, EDGE)).toEqual(PHONE);
    expect(gateway.incoming(toEdge, PEER)).toBe('filtered');
  });

  test('udp-blocked: no UDP passes either way, TCP goes out', () => {
    const gateway = new Gateway('A', 1);
    gateway.setNat('udp-blocked');
    expect(gateway.outgoing(PHONE, EDGE)).toBe('blocked');
    expect(gateway.incoming(PHONE.port, EDGE)).toBe('blocked');
    expect(gateway.outgoingStream(PHONE, EDGE).address).toBe(WAN);
  });

  test('a change of kind forgets the mappings, the same kind again does not', () => {
    const gateway = new Gateway('A', 1);
    gateway.setNat('port-restricted');
    gateway.outgoing(PHONE, EDGE);
    gateway.setNat('port-restricted');
    expect(gateway.incoming(PHONE.port, EDGE)).toEqual(PHONE);
    gateway.setNat('symmetric');
    gateway.setNat('port-restricted');
    expect(gateway.incoming(PHONE.port, EDGE)).toBe('filtered');
  });

  test('none hairpins', () => {
    expect(new Gateway('A', 1).outgoing(PHONE, { address: WAN, port: OTHER_PHONE.port })).toBe('hairpin');
  });
});

test('a rebind takes the next public address in a ring, and forgets all mappings', () => {
  const gateway = new Gateway('A', 1);
  gateway.setNat('port-restricted');
  gateway.outgoing(PHONE, EDGE);
  expect(gateway.rebind()).toBe(HOMES.A.wanAddresses[1]);
  expect(gateway.incoming(PHONE.port, EDGE)).toBe('filtered');
  expect(gateway.outgoing(PHONE, EDGE)).toEqual({ address: HOMES.A.wanAddresses[1], port: PHONE.port });
  expect([gateway.rebind(), gateway.rebind()]).toEqual([HOMES.A.wanAddresses[2], WAN]);
});

describe('loss', () => {
  const PACKETS = 2000;

  function lostOf(seed: number, percent: number): boolean[] {
    const gateway = new Gateway('A', seed);
    gateway.setLoss(percent);
    return Array.from({ length: PACKETS }, (_, i) =>
      i % 2 === 0 ? gateway.outgoing(PHONE, EDGE) === 'lost' : gateway.incoming(PHONE.port, EDGE) === 'lost',
    );
  }

  test('takes its share of the packets each way, the same ones with the same seed', () => {
    const lost = lostOf(5, 25);
    expect(lostOf(5, 25)).toEqual(lost);
    expect(lostOf(6, 25)).not.toEqual(lost);
    const shares = [0, 1].map(
      (way) => lost.filter((isLost, i) => isLost && i % 2 === way).length / (PACKETS / 2),
    );
    for (const share of shares) expect(share).toBeCloseTo(0.25, 1);
  });

  test('0 % is none, 100 % is all', () => {
    expect(lostOf(5, 0)).not.toContain(true);
    expect(lostOf(5, 100)).not.toContain(false);
  });

  test('a lost packet opens nothing', () => {
    const gateway = new Gateway('A', 1);
    gateway.setNat('port-restricted');
    gateway.setLoss(100);
    gateway.outgoing(PHONE, EDGE);
    gateway.setLoss(0);
    expect(gateway.incoming(PHONE.port, EDGE)).toBe('filtered');
  });

  test.each([-1, 101, Number.NaN])('%d is no percentage', (percent) => {
    expect(() => new Gateway('A', 1).setLoss(percent)).toThrow(`loss must be 0 to 100 %: got ${percent}`);
  });
});
