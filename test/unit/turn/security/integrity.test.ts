/**
 * turn-security, "Integrity": what is covered by MESSAGE-INTEGRITY counts, and nothing else; and what
 * must not be guessed comes from the injected generator.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { seededRandom } from '../../../../lab/network/simulated/seeded-random.ts';
import {
  A,
  type Attribute,
  CHANNEL_BIND,
  CREATE_PERMISSION,
  encode,
  find,
  INDICATION,
  longTermKey,
  REFRESH,
  REQUEST,
  SEND,
} from '../../../../lab/phone/plain-stun.ts';
import {
  channelNumber,
  evenPort,
  lifetime,
  peerAddress,
  type Security,
  TurnTestClient,
} from '../../../kit/turn-client.ts';
import { ALICE, REALM, simCrypto, TurnSim } from '../../../kit/turn-sim.ts';

let sim: TurnSim;
let client: TurnTestClient;
beforeEach(() => {
  sim = new TurnSim({ limits: { unauthenticatedRepliesPerSecond: 0 } });
  client = sim.client();
  client.allocate();
});
afterEach(() => expect(sim.end()).toEqual([]));

const PEER = { address: '192.0.2.50', port: 5000 };

describe('attributes behind the integrity', () => {
  it.each<Security>(['md5', 'sha256'])('are ignored (%s)', (security) => {
    client.security = security;
    expect(client.refresh(600, [], { after: [lifetime(0)] }).code).toBe(0);
    expect(client.refresh(undefined, [], { after: [lifetime(0)] }).code).toBe(0);
    expect(sim.allocations).toBe(1);
    const id = client.newTransactionId();
    const after = [peerAddress(PEER, id)];
    expect(client.call(CREATE_PERMISSION, [], { after, transactionId: id }).code).toBe(400);
    expect(client.call(REFRESH, [], { after: [{ type: 0x7f01, value: new Uint8Array(4) }] }).code).toBe(0);
    expect(sim.worker.core.allocations.permissions.size).toBe(0);
  });

  it('do not bring a name, a realm or a nonce either', () => {
    const transactionId = client.newTransactionId();
    const proof = [
      { type: A.username, value: Buffer.from('alice') },
      { type: A.realm, value: Buffer.from(REALM) },
      { type: A.nonce, value: client.nonce as Uint8Array },
    ];
    const bytes = encode(
      { method: REFRESH, kind: REQUEST, transactionId, attributes: [lifetime(0)] },
      { integrity: client.integrity(ALICE), after: proof },
    );
    expect(client.exchange(bytes, transactionId)?.code).toBe(400);
    expect(sim.allocations).toBe(1);
  });

  it('between the two kinds of integrity are ignored, and the stronger one decides', () => {
    const sha1 = { algorithm: 'sha1', key: longTermKey('md5', 'alice', REALM, ALICE.password) } as const;
    const transactionId = client.newTransactionId();
    const build = (strong: Uint8Array): Uint8Array =>
      encode(
        {
          method: REFRESH,
          kind: REQUEST,
          transactionId,
          attributes: [
            { type: A.username, value: Buffer.from('alice') },
            { type: A.realm, value: Buffer.from(REALM) },
            { type: A.nonce, value: client.nonce as Uint8Array },
          ],
        },
        { integrity: sha1, after: [lifetime(0), { type: A.messageIntegritySha256, value: strong }] },
      );
    expect(client.exchange(build(new Uint8Array(32)), transactionId)?.code).toBe(401);
    expect(sim.allocations).toBe(1);
  });

  it('but for FINGERPRINT, which is checked', () => {
    client.fingerprint = true;
    expect(client.refresh().code).toBe(0);
    const transactionId = client.newTransactionId();
    const bytes = client.build(REFRESH, [lifetime(0)], { transactionId });
    bytes.writeUInt8((bytes.at(-1) as number) ^ 0x10, bytes.length - 1);
    expect(client.exchange(bytes, transactionId)).toBeUndefined();
    expect(sim.allocations).toBe(1);
  });
});

describe('of an attribute that comes twice', () => {
  it('the first counts in a request', () => {
    expect(TurnTestClient.lifetimeOf(client.refresh(undefined, [lifetime(1000), lifetime(0)]))).toBe(1000);
    expect(sim.allocations).toBe(1);
    const other = { ...PEER, port: 5001 };
    const answer = client.call(CHANNEL_BIND, (id) => [
      channelNumber(0x4000),
      channelNumber(0x4001),
      peerAddress(PEER, id),
      peerAddress(other, id),
    ]);
    expect(answer.code).toBe(0);
    expect(client.bind(0x4000, PEER).code).toBe(0);
    expect(client.bind(0x4001, other).code).toBe(0);
  });

  it('the first counts in a Send indication: a second peer or payload does not slip past the permission', () => {
    const peer = sim.peer();
    const other = sim.peer('192.0.2.51');
    client.permit(peer.place);
    const transactionId = client.newTransactionId();
    const attributes = [
      peerAddress(peer.place, transactionId),
      peerAddress(other.place, transactionId),
      { type: A.data, value: Buffer.from('first') },
      { type: A.data, value: Buffer.from('second') },
    ];
    client.wire.send(encode({ method: SEND, kind: INDICATION, transactionId, attributes }));
    sim.run(100);
    expect(peer.received.map(({ data }) => data)).toEqual(['first']);
    expect(other.received).toEqual([]);
  });

  it('the first nonce, realm and name count', () => {
    const name = { type: A.username, value: Buffer.from('bob') };
    expect(client.attempt(REFRESH, [name])?.code).toBe(401);
    const nonce: Attribute = { type: A.nonce, value: Buffer.from('x') };
    expect(client.attempt(REFRESH, [nonce])?.code).toBe(438);
    const realm: Attribute = { type: A.realm, value: Buffer.from('x') };
    expect(client.attempt(REFRESH, [realm])?.code).toBe(401);
  });
});

describe('the integrity itself', () => {
  it.each<[Security, number]>([
    ['md5', 20],
    ['sha256', 32],
  ])('of which any one bit is wrong proves nothing (%s)', (security, length) => {
    client.security = security;
    for (let bit = 0; bit < length * 8; bit++) {
      const transactionId = client.newTransactionId();
      const bytes = client.build(REFRESH, [lifetime(0)], { transactionId });
      const at = bytes.length - length + (bit >> 3);
      bytes.writeUInt8((bytes[at] as number) ^ (1 << (bit & 7)), at);
      expect(client.exchange(bytes, transactionId)?.code).toBe(401);
    }
    expect(sim.allocations).toBe(1);
  });

  it('covers every byte before it', () => {
    const good = client.build(REFRESH, [lifetime(700)]);
    const codes = new Map<number | undefined, number>();
    for (let at = 24; at < good.length - 24; at++) {
      const bytes = Buffer.from(good);
      const transactionId = client.newTransactionId();
      bytes.set(transactionId, 8);
      bytes.writeUInt8((bytes[at] as number) ^ 0x01, at);
      client.wire.send(bytes);
      sim.run(30);
      const answer = client.responses.find(({ message }) =>
        Buffer.from(message.transactionId).equals(transactionId),
      );
      codes.set(answer?.code, (codes.get(answer?.code) ?? 0) + 1);
    }
    expect(codes.has(0)).toBe(false);
    expect(sim.counter('allocationsDeleted')).toBe(0);
  });

  it('of another length than its hash has is no integrity: truncated ones are not taken', () => {
    for (const [type, lengths] of [
      [A.messageIntegrity, [0, 4, 16, 19, 24]],
      [A.messageIntegritySha256, [0, 4, 16, 20, 28, 36]],
    ] as const) {
      for (const length of lengths) {
        const transactionId = client.newTransactionId();
        const bytes = encode({
          method: REFRESH,
          kind: REQUEST,
          transactionId,
          attributes: [
            lifetime(0),
            { type: A.username, value: Buffer.from('alice') },
            { type: A.realm, value: Buffer.from(REALM) },
            { type: A.nonce, value: client.nonce as Uint8Array },
            { type, value: new Uint8Array(length) },
          ],
        });
        const before = client.responses.length;
        client.wire.send(bytes);
        sim.run(100);
        expect(client.responses.slice(before).every(({ code }) => code === 400 || code === 401)).toBe(true);
      }
    }
    expect(sim.allocations).toBe(1);
  });

  it('is on every answer to who has proved a password, errors too', () => {
    const answers = [client.refresh(), client.permit({ address: '10.0.0.1', port: 1 }), client.allocate()];
    expect(answers.map(({ code }) => code)).toEqual([0, 403, 437]);
    for (const { message } of answers) expect(find(message, A.messageIntegrity)?.length).toBe(20);
  });
});

describe('what must not be guessed', () => {
  it('relay ports, reservation tokens and transaction IDs come from the injected generator', () => {
    const drawn = { numbers: 0, fills: 0 };
    const crypto = sim.worker.crypto as { -readonly [Key in keyof ReturnType<typeof simCrypto>]: never };
    const real = simCrypto(seededRandom(5));
    Object.assign(crypto, {
      randomBelow: (bound: number) => {
        drawn.numbers++;
        return real.randomBelow(bound);
      },
      randomFill: (bytes: Uint8Array) => {
        drawn.fills++;
        real.randomFill(bytes);
      },
    });
    const second = sim.client({ address: '203.0.113.11' });
    second.allocate([evenPort(true)]);
    expect(drawn.numbers).toBeGreaterThan(0);
    expect(drawn.fills).toBe(1); // the token
    const peer = sim.peer();
    second.permit(peer.place);
    const ids = new Set<string>();
    second.wire.onMessage = (bytes) => ids.add(Buffer.from(bytes.subarray(8, 20)).toString('hex'));
    for (let i = 0; i < 100; i++) peer.send(second.relay, 'x');
    sim.run(100);
    expect(ids.size).toBe(100);
    expect(drawn.fills).toBe(2); // the pool of transaction IDs
  });

  it('a token cannot be guessed from its neighbours: any wrong bit gives 508', () => {
    const owner = sim.client({ address: '203.0.113.11' });
    const token = TurnTestClient.tokenOf(owner.allocate([evenPort(true)]));
    const thief = sim.client({ address: '203.0.113.12' });
    for (let bit = 0; bit < 64; bit++) {
      const value = token.value.map((byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
      expect(thief.allocate([{ type: A.reservationToken, value }]).code).toBe(508);
    }
    expect(thief.allocate([token]).code).toBe(0);
  });
});
