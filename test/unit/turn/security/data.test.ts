/**
 * turn-security, "Channels": no data without a permission, a peer's payload is opaque, nothing of the
 * server's memory leaks. (The rules of ChannelBind, 437, 438 and 441 are in test/sim/errors; the media
 * policy, ICMP and DONT-FRAGMENT in test/sim/conversation; caps in test/sim/limits; expiry that closes
 * sockets in test/sim/expiry; bid-down in test/sim/authentication; padding on streams and half-open
 * connections, which are the engines' affair, in test/unit/wire and test/unit/net.)
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ALLOCATE, BINDING, encode, REFRESH, REQUEST } from '../../../../lab/phone/plain-stun.ts';
import { lifetime, sendIndication, TRANSPORT_UDP, type TurnTestClient } from '../../../kit/turn-client.ts';
import { BOB, TurnSim } from '../../../kit/turn-sim.ts';

let sim: TurnSim;
let client: TurnTestClient;
beforeEach(() => {
  sim = new TurnSim();
  client = sim.client();
  client.allocate();
});
afterEach(() => expect(sim.end()).toEqual([]));

describe('no data before a permission', () => {
  it('neither by Send, nor by ChannelData, nor from a peer', () => {
    const peer = sim.peer();
    client.send(peer.place, 'x');
    client.sendChannel(0x4000, 'x');
    peer.send(client.relay, 'x');
    sim.run(100);
    expect([peer.received, client.take()]).toEqual([[], []]);
    expect([sim.counter('dropNoPermission'), sim.counter('dropUnknownChannel')]).toEqual([2, 1]);
  });

  it('a permission is for one address, whatever the port, and for no other', () => {
    const peer = sim.peer('192.0.2.50', 5000);
    const sameHost = sim.peer('192.0.2.50', 5001);
    const otherHost = sim.peer('192.0.2.51', 5000);
    client.permit(peer.place);
    for (const each of [peer, sameHost, otherHost]) {
      client.send(each.place, 'x');
      each.send(client.relay, 'y');
    }
    sim.run(100);
    expect([peer, sameHost, otherHost].map(({ received }) => received.length)).toEqual([1, 1, 0]);
    expect(client.take().map(({ peer: place }) => place)).toEqual([peer.place, sameHost.place]);
  });

  it('a refused CreatePermission or ChannelBind leaves none', () => {
    const peer = sim.peer();
    client.permit([peer.place, { address: '10.0.0.1', port: 1 }]);
    client.bind(0x3fff, peer.place);
    client.permit(peer.place, { as: BOB });
    client.permit(peer.place, { as: { name: 'alice', password: 'guess' } });
    client.send(peer.place, 'x');
    peer.send(client.relay, 'x');
    sim.run(100);
    expect([peer.received, client.take()]).toEqual([[], []]);
  });

  it('of a stranger without an allocation goes nowhere', () => {
    const stranger = sim.client({ address: '203.0.113.11' });
    const peer = sim.peer();
    client.bind(0x4000, peer.place);
    stranger.sendChannel(0x4000, 'x');
    stranger.send(peer.place, 'x');
    // The same address from another port is another client.
    sim.client().sendChannel(0x4000, 'x');
    sim.run(100);
    expect(peer.received).toEqual([]);
    expect(sim.counter('dropNoAllocation')).toBe(3);
  });
});

describe('the payload of a peer', () => {
  it('is never parsed, whatever it looks like', () => {
    const peer = sim.peer();
    client.bind(0x4000, peer.place);
    const id = client.newTransactionId();
    const lures = [
      client.build(REFRESH, [lifetime(0)]),
      encode({ method: BINDING, kind: REQUEST, transactionId: id, attributes: [] }),
      encode({ method: ALLOCATE, kind: REQUEST, transactionId: id, attributes: [TRANSPORT_UDP] }),
      sendIndication(id, peer.place, 'out again'),
      Buffer.of(0x40, 0x00, 0x00, 0x01, 0x78, 0, 0, 0),
      Buffer.of(0x40, 0x00, 0xff, 0xff),
      Buffer.alloc(0),
    ].map((bytes) => bytes.toString('latin1'));
    sim.worker.io.sent = [];
    for (const lure of lures) peer.send(client.relay, lure);
    sim.run(100);
    expect(client.take()).toEqual(lures.map((data) => ({ channel: 0x4000, data })));
    expect(sim.worker.io.sent.length).toBe(lures.length);
    expect(peer.received).toEqual([]);
    expect(sim.allocations).toBe(1);
  });

  it('is not parsed on the short cut from relay to relay either', () => {
    const other = sim.client({ address: '203.0.113.11', credentials: BOB });
    other.allocate();
    client.bind(0x4000, other.relay);
    other.permit(client.relay);
    const lure = other.build(REFRESH, [lifetime(0)]).toString('latin1');
    client.sendChannel(0x4000, Buffer.from(lure, 'latin1'));
    sim.run(100);
    expect(other.take()).toEqual([{ peer: client.relay, data: lure }]);
    expect(sim.allocations).toBe(2);
  });
});

describe('memory of the server', () => {
  it('does not leak as padding: Data indications and answers are padded with zeros', () => {
    const peer = sim.peer();
    client.permit(peer.place);
    // Slots are full of 0xDB before each packet, and the client's decoder throws at other padding.
    for (const data of ['a', 'ab', 'abc']) peer.send(client.relay, data);
    sim.run(100);
    expect(client.take().map(({ data }) => data)).toEqual(['a', 'ab', 'abc']);
    client.nonce = undefined;
    sim.worker.core.authentication.removeUser('alice');
    expect(client.attempt(REFRESH, [])?.code).toBe(401); // a nonce of 35 bytes is padded
  });

  it('does not leak by a length that lies: ChannelData and DATA longer than their packets are dropped', () => {
    const peer = sim.peer();
    client.bind(0x4000, peer.place);
    for (const claimed of [5, 100, 0xffff]) {
      client.wire.send(Buffer.of(0x40, 0x00, claimed >> 8, claimed & 255, 1, 2, 3, 4));
      const indication = sendIndication(client.newTransactionId(), peer.place, 'abcd');
      indication.writeUInt16BE(claimed, indication.length - 6);
      client.wire.send(indication);
    }
    sim.run(100);
    expect(peer.received).toEqual([]);
    expect([sim.counter('dropBadChannelData'), sim.counter('dropMalformedStun')]).toEqual([3, 3]);
  });

  it('takes ChannelData with padding behind it for what its length says', () => {
    const peer = sim.peer();
    client.bind(0x4000, peer.place);
    client.wire.send(Buffer.of(0x40, 0x00, 0, 1, 0x78, 1, 2, 3));
    sim.run(100);
    expect(peer.received.map(({ data }) => data)).toEqual(['x']);
  });
});
