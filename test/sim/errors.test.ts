/** Each error code by the rule of the RFC that asks for it (RFC 8656 §§7–12, RFC 8489 §6.3). */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  A,
  ALLOCATE,
  type Attribute,
  BINDING,
  CHANNEL_BIND,
  CREATE_PERMISSION,
  encode,
  errorCode,
  find,
  REFRESH,
  REQUEST,
} from '../../lab/phone/plain-stun.ts';
import {
  channelNumber,
  family,
  lifetime,
  peerAddress,
  TRANSPORT_UDP,
  type TurnTestClient,
} from '../kit/turn-client.ts';
import { BOB, NODE_IPV4, TurnSim } from '../kit/turn-sim.ts';

let sim: TurnSim;
let client: TurnTestClient;
beforeEach(() => {
  sim = new TurnSim({ limits: { unauthenticatedRepliesPerSecond: 0 } });
  client = sim.client();
});
afterEach(() => expect(sim.end()).toEqual([]));

const PEER = { address: '192.0.2.50', port: 5000 };

function attribute(type: number, ...value: number[]): Attribute {
  return { type, value: Uint8Array.from(value) };
}

describe('400', () => {
  it('Allocate without REQUESTED-TRANSPORT, or with one of a wrong length', () => {
    expect(client.call(ALLOCATE, []).code).toBe(400);
    expect(client.call(ALLOCATE, [attribute(A.requestedTransport, 17)]).code).toBe(400);
  });

  it.each<[string, Attribute[]]>([
    ['LIFETIME of a wrong length', [attribute(A.lifetime, 0, 0)]],
    ['EVEN-PORT of a wrong length', [attribute(A.evenPort, 0, 0)]],
    ['EVEN-PORT without a value', [attribute(A.evenPort)]],
    ['REQUESTED-ADDRESS-FAMILY of a wrong length', [attribute(A.requestedAddressFamily, 1)]],
    ['ADDITIONAL-ADDRESS-FAMILY of a wrong length', [attribute(A.additionalAddressFamily, 2)]],
    ['RESERVATION-TOKEN of a wrong length', [attribute(A.reservationToken, 1, 2, 3)]],
    [
      'RESERVATION-TOKEN with EVEN-PORT',
      [attribute(A.reservationToken, 1, 2, 3, 4, 5, 6, 7, 8), attribute(A.evenPort, 0)],
    ],
    [
      'RESERVATION-TOKEN with REQUESTED-ADDRESS-FAMILY',
      [attribute(A.reservationToken, 1, 2, 3, 4, 5, 6, 7, 8), family(4)],
    ],
  ])('Allocate with %s', (_, extra) => {
    expect(client.allocate(extra).code).toBe(400);
    expect(sim.held()).toEqual([]);
  });

  it('CreatePermission without a peer, or with one that is no address', () => {
    client.allocate();
    expect(client.call(CREATE_PERMISSION, []).code).toBe(400);
    expect(client.call(CREATE_PERMISSION, [attribute(A.xorPeerAddress, 0, 1, 0, 0)]).code).toBe(400);
    expect(client.call(CREATE_PERMISSION, [attribute(A.xorPeerAddress, 0, 3, 0, 0, 1, 2, 3, 4)]).code).toBe(
      400,
    );
    expect(client.call(CREATE_PERMISSION, [attribute(A.xorPeerAddress)]).code).toBe(400);
  });

  it('ChannelBind without a number, without a peer, or with a number out of 0x4000–0x4FFF', () => {
    client.allocate();
    const peer = (id: Uint8Array): Attribute => peerAddress(PEER, id);
    expect(client.call(CHANNEL_BIND, (id) => [peer(id)]).code).toBe(400);
    expect(client.call(CHANNEL_BIND, [channelNumber(0x4000)]).code).toBe(400);
    expect(client.call(CHANNEL_BIND, (id) => [attribute(A.channelNumber, 0x40, 0), peer(id)]).code).toBe(400);
    for (const channel of [0, 0x3fff, 0x5000, 0x7fff, 0x8000, 0xffff]) {
      expect(client.bind(channel, PEER).code).toBe(400);
    }
    expect(sim.worker.core.allocations.permissions.size).toBe(0);
    for (const channel of [0x4000, 0x4fff]) {
      expect(client.bind(channel, { ...PEER, port: channel }).code).toBe(0);
    }
  });

  it('ChannelBind of a number or a peer that is bound otherwise', () => {
    client.allocate();
    expect(client.bind(0x4000, PEER).code).toBe(0);
    expect(client.bind(0x4000, { ...PEER, port: 5001 }).code).toBe(400);
    expect(client.bind(0x4001, PEER).code).toBe(400);
    expect(client.bind(0x4000, PEER).code).toBe(0);
    expect(sim.worker.core.allocations.channels.size).toBe(1);
  });

  it('a method that TURN does not have here (Connect of RFC 6062)', () => {
    client.allocate();
    expect(client.call(0x00a, []).code).toBe(400);
  });
});

describe('401', () => {
  it('comes with realm, nonce and the password algorithms, and without integrity', () => {
    const { code, message } = client.call(ALLOCATE, [TRANSPORT_UDP], { insist: false });
    expect(code).toBe(401);
    expect(Buffer.from(find(message, A.realm) ?? []).toString()).toBe('TANDBERG');
    expect(find(message, A.nonce)).toBeDefined();
    expect(find(message, A.passwordAlgorithms)).toEqual(Uint8Array.of(0, 2, 0, 0, 0, 1, 0, 0));
    expect(find(message, A.messageIntegrity)).toBeUndefined();
  });

  it('an unknown user and a wrong password look alike', () => {
    client.binding();
    const answers = [
      { name: 'alice', password: 'wrong' },
      { name: 'nobody', password: 'wonderland' },
    ].map((as) => {
      client.nonce = undefined;
      return client.allocate([], { as });
    });
    const shapes = answers.map(({ message }) => message.attributes.map(({ type }) => type));
    expect(answers.map(({ code }) => code)).toEqual([401, 401]);
    expect(shapes[0]).toEqual(shapes[1]);
  });
});

describe('403', () => {
  it('a peer that the filter refuses', () => {
    client.allocate();
    expect(client.permit({ address: '127.0.0.1', port: 80 }).code).toBe(403);
    expect(client.bind(0x4000, { address: '127.0.0.1', port: 80 }).code).toBe(403);
    expect(sim.worker.core.allocations.permissions.size).toBe(0);
  });
});

describe('420', () => {
  const unknown = attribute(0x7f01, 1, 2, 3);

  it('names the attributes that must be understood and are not, after authentication', () => {
    client.binding();
    const stranger = sim.client({ credentials: undefined });
    expect(stranger.call(ALLOCATE, [TRANSPORT_UDP, unknown]).code).toBe(401);
    const { code, message } = client.allocate([unknown, attribute(0x0033)]);
    expect(code).toBe(420);
    expect(find(message, A.unknownAttributes)).toEqual(Uint8Array.of(0x7f, 0x01, 0x00, 0x33));
    expect(sim.allocations).toBe(0);
  });

  it('for a Binding request too', () => {
    const { code, message } = client.call(BINDING, [unknown]);
    expect(code).toBe(420);
    expect(find(message, A.unknownAttributes)).toEqual(Uint8Array.of(0x7f, 0x01));
  });

  it('but not for attributes that may be ignored', () => {
    expect(client.allocate([attribute(0x8022, 65), attribute(0xc001, 1, 2, 3)]).code).toBe(0);
  });
});

describe('437', () => {
  it('where there is no allocation', () => {
    expect(client.refresh().code).toBe(437);
    expect(client.refresh(0).code).toBe(437);
    expect(client.permit(PEER).code).toBe(437);
    expect(client.bind(0x4000, PEER).code).toBe(437);
  });

  it('where there is one already, whoever asks', () => {
    client.allocate();
    expect(client.allocate().code).toBe(437);
    expect(client.allocate([], { as: BOB }).code).toBe(437);
    expect(sim.allocations).toBe(1);
  });

  it('for another port of the same client: an allocation belongs to a five-tuple', () => {
    client.allocate();
    expect(sim.client().refresh().code).toBe(437);
  });
});

describe('438', () => {
  it('a nonce that is not ours, and one that was given to somebody else', () => {
    client.allocate();
    const good = client.nonce as Uint8Array;
    const forged = [
      good.map((byte, i) => (i === good.length - 1 ? byte ^ 1 : byte)),
      good.map((byte, i) => (i === 13 ? byte ^ 1 : byte)),
      good.slice(0, -1),
      Uint8Array.of(...good, 65),
      Buffer.from('short'),
      new Uint8Array(0),
      new Uint8Array(35).fill(0xff),
    ];
    for (const nonce of forged) {
      client.nonce = nonce;
      expect(client.refresh(600, [], { insist: false }).code).toBe(438);
    }
    const other = sim.client();
    other.binding();
    other.attempt(REFRESH, []);
    other.realm = client.realm;
    other.nonce = good;
    expect(other.refresh(600, [], { insist: false }).code).toBe(438);
  });
});

describe('440, 442, 443', () => {
  it('440: a family that is none, or of which there is no relay address', () => {
    expect(client.allocate([attribute(A.requestedAddressFamily, 3, 0, 0, 0)]).code).toBe(440);
  });

  it('440 goes before 486: a family that is not there is said to be so to a user without quota', () => {
    sim = new TurnSim({
      limits: { relaysPerUser: 0 },
      settings: {
        listeners: [{ protocol: 'udp', address: NODE_IPV4, port: 3478, relayIPv4: 0, relayIPv6: -1 }],
      },
    });
    client = sim.client();
    expect(client.allocate([family(6)]).code).toBe(440);
    expect(client.allocate().code).toBe(486);
  });

  it('442: a transport other than UDP', () => {
    for (const transport of [6, 0, 1, 255]) {
      expect(client.call(ALLOCATE, [attribute(A.requestedTransport, transport, 0, 0, 0)]).code).toBe(442);
    }
    expect(sim.held()).toEqual([]);
  });

  it('443: a peer or a Refresh of a family that the allocation does not have', () => {
    client.allocate();
    const six = { address: '2001:db8:7::50', port: 5000 };
    expect(client.permit(six).code).toBe(443);
    expect(client.bind(0x4000, six).code).toBe(443);
    expect(client.refresh(600, [family(6)]).code).toBe(443);
    expect(client.refresh(0, [family(6)]).code).toBe(443);
    expect(client.refresh(600, [attribute(A.requestedAddressFamily, 9, 0, 0, 0)]).code).toBe(443);
    expect(client.refresh(600, [family(4)]).code).toBe(0);
    const other = sim.client({ address: '203.0.113.11' });
    other.allocate([family(6)]);
    expect(other.permit(PEER).code).toBe(443);
  });
});

describe('441', () => {
  it('somebody else’s credentials do nothing to an allocation', () => {
    client.allocate();
    for (const answer of [
      client.refresh(0, [], { as: BOB }),
      client.refresh(600, [], { as: BOB }),
      client.permit(PEER, { as: BOB }),
      client.bind(0x4000, PEER, { as: BOB }),
    ]) {
      expect(answer.code).toBe(441);
    }
    expect(sim.allocations).toBe(1);
    expect(sim.worker.core.allocations.permissions.size).toBe(0);
  });
});

describe('no answer at all', () => {
  it('to what is no request: responses, Data indications, other bytes, broken lengths', () => {
    client.allocate();
    const before = client.responses.length;
    const id = client.newTransactionId();
    const good = client.build(REFRESH, [lifetime(0)]);
    const packets = [
      Buffer.alloc(0),
      Buffer.from([0]),
      Buffer.from([0x40]),
      Buffer.from([0x40, 0x00, 0x00]),
      Buffer.from([0x40, 0x00, 0x00, 0x05, 1]),
      Buffer.from('GET / HTTP/1.1\r\n'),
      Buffer.alloc(20, 0x80),
      good.subarray(0, -1),
      good.subarray(0, 19),
      Buffer.concat([good, Buffer.alloc(4)]),
      encode({ method: REFRESH, kind: 2, transactionId: id, attributes: [] }),
      encode({ method: REFRESH, kind: 3, transactionId: id, attributes: [] }),
      encode({ method: 7, kind: 1, transactionId: id, attributes: [] }),
      encode({ method: BINDING, kind: 1, transactionId: id, attributes: [] }),
      encode({ method: 6, kind: 1, transactionId: id, attributes: [] }),
    ];
    for (const packet of packets) {
      if (packet.length > 0) client.wire.send(packet);
    }
    client.wire.send(new Uint8Array(0));
    sim.run(200);
    expect(client.responses.length).toBe(before);
    expect(sim.allocations).toBe(1);
    expect(sim.counter('dropEmpty')).toBeGreaterThan(0);
  });

  it('to a wrong FINGERPRINT', () => {
    client.fingerprint = true;
    const bytes = client.build(BINDING, []);
    bytes.writeUInt8((bytes.at(-1) as number) ^ 1, bytes.length - 1);
    expect(client.exchange(bytes, bytes.subarray(8, 20))).toBeUndefined();
    expect(sim.counter('dropBadFingerprint')).toBe(7);
  });

  it('to a client of RFC 3489 that asks for TURN, but to its Binding as of old', () => {
    const bytes = encode({
      method: BINDING,
      kind: REQUEST,
      transactionId: new Uint8Array(12),
      attributes: [],
    });
    bytes.writeUInt32BE(0x01020304, 4);
    const answers: Uint8Array[] = [];
    client.wire.onMessage = (answer) => answers.push(answer);
    client.wire.send(bytes);
    bytes.writeUInt16BE(ALLOCATE, 0);
    client.wire.send(bytes);
    sim.run(100);
    expect(answers.length).toBe(1);
    const answer = Buffer.from(answers[0] as Uint8Array);
    expect(answer.subarray(0, 20).toString('hex')).toBe(`0101000c01020304${'00'.repeat(12)}`);
    const { port } = client.wire.place;
    expect(answer.subarray(20).toString('hex')).toBe(
      `00010008${'0001'}${port.toString(16).padStart(4, '0')}cb00710a`,
    );
    expect(errorCode({ method: 0, kind: 0, transactionId: answer, attributes: [] })).toBe(0);
  });
});
