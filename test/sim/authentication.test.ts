/** Credentials: RFC 8489's SHA-256 and anonymous names, shared secrets, servers without authentication. */
import { createHmac } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import {
  A,
  ALLOCATE,
  BINDING,
  encode,
  find,
  hasIntegrity,
  REFRESH,
  REQUEST,
} from '../../lab/phone/plain-stun.ts';
import { type Security, TRANSPORT_UDP, type TurnTestClient } from '../kit/turn-client.ts';
import { ALICE, BOB, TurnSim, UNIX_START_MS } from '../kit/turn-sim.ts';

let sim: TurnSim;
afterEach(() => expect(sim.end()).toEqual([]));

describe('RFC 8489', () => {
  it.each<Security>(['md5', 'sha256', 'sha256-userhash'])(
    '%s proves a user from Allocate to media',
    (security) => {
      sim = new TurnSim();
      const client = sim.client();
      client.security = security; // the client throws at a success whose integrity is not of the same kind
      const peer = sim.peer();
      expect(client.allocate().code).toBe(0);
      expect(client.bind(0x4000, peer.place).code).toBe(0);
      expect(client.refresh(0).code).toBe(0);
    },
  );

  it('a wrong password fails with each of them', () => {
    sim = new TurnSim();
    for (const security of ['md5', 'sha256', 'sha256-userhash'] as const) {
      const client = sim.client({ credentials: { name: 'alice', password: 'guess' } });
      client.security = security;
      expect(client.allocate().code).toBe(401);
    }
    expect(sim.counter('authWrongPassword')).toBe(3);
    expect(sim.held()).toEqual([]);
  });

  it('one user may prove the same allocation’s ownership by either', () => {
    sim = new TurnSim();
    const client = sim.client();
    client.allocate();
    client.security = 'sha256-userhash';
    expect(client.refresh(0).code).toBe(0);
  });

  it('the nonce says which security features the server has', () => {
    sim = new TurnSim();
    const client = sim.client();
    client.allocate();
    const nonce = Buffer.from(client.nonce ?? []).toString();
    expect(nonce.startsWith('obMatJos2')).toBe(true);
    expect(Buffer.from(nonce.slice(9, 13), 'base64')[0]).toBe(0b1100_0000); // bits 0 and 1, most significant first
  });
});

describe('bid-down', () => {
  /** A request of alice's with these password algorithms and integrity. */
  function attempt(
    client: TurnTestClient,
    offered: Uint8Array | undefined,
    chosen: Uint8Array | undefined,
    algorithm: 'sha1' | 'sha256',
  ): number | undefined {
    client.security = algorithm === 'sha1' ? 'md5' : 'sha256';
    const transactionId = client.newTransactionId();
    const bytes = encode(
      {
        method: ALLOCATE,
        kind: REQUEST,
        transactionId,
        attributes: [
          TRANSPORT_UDP,
          { type: A.username, value: Buffer.from('alice') },
          { type: A.realm, value: Buffer.from(client.realm) },
          { type: A.nonce, value: client.nonce as Uint8Array },
          ...(offered ? [{ type: A.passwordAlgorithms, value: offered }] : []),
          ...(chosen ? [{ type: A.passwordAlgorithm, value: chosen }] : []),
        ],
      },
      { integrity: client.integrity(ALICE) },
    );
    return client.exchange(bytes, transactionId)?.code;
  }

  it('is refused: what the client says it was offered must be what we offer (RFC 8489 §9.2.4)', () => {
    sim = new TurnSim({ limits: { unauthenticatedRepliesPerSecond: 0 } });
    const client = sim.client();
    client.binding();
    client.learn(client.call(ALLOCATE, [], { insist: false }).message);
    const md5 = Uint8Array.of(0, 1, 0, 0);
    const sha256 = Uint8Array.of(0, 2, 0, 0);
    const both = client.offered as Uint8Array;
    expect(attempt(client, md5, md5, 'sha1')).toBe(400); // SHA-256 was cut out on the way
    expect(attempt(client, Uint8Array.of(...md5, ...sha256), md5, 'sha1')).toBe(400); // the order was turned
    expect(attempt(client, both, undefined, 'sha256')).toBe(400);
    expect(attempt(client, undefined, sha256, 'sha256')).toBe(400);
    expect(attempt(client, both, Uint8Array.of(0, 3, 0, 0), 'sha256')).toBe(400);
    expect(attempt(client, both, Uint8Array.of(0, 2), 'sha256')).toBe(400);
    expect(sim.counter('authBidDown')).toBe(6);
    expect(sim.allocations).toBe(0);
    expect(attempt(client, both, sha256, 'sha256')).toBe(0);
  });

  it('of the nonce cookie’s features makes the nonce a foreign one', () => {
    sim = new TurnSim();
    const client = sim.client();
    client.allocate();
    const features = Buffer.from(client.nonce ?? []);
    features.write('AAAA', 9);
    client.nonce = features;
    expect(client.refresh(600, [], { insist: false }).code).toBe(438);
  });
});

describe('time-limited credentials of a shared secret', () => {
  const SECRET = 'north';

  function credentials(username: string): { name: string; password: string } {
    return { name: username, password: createHmac('sha1', SECRET).update(username).digest('base64') };
  }

  function expiry(fromNowSeconds: number): number {
    return Math.floor((UNIX_START_MS + sim.network.nowMs) / 1000) + fromNowSeconds;
  }

  it('work until their time is over, then 401; the allocation itself lives out its lifetime', () => {
    sim = new TurnSim({ settings: { sharedSecret: SECRET } });
    const client = sim.client({ credentials: credentials(`${expiry(300)}:carol`) });
    expect(client.allocate().code).toBe(0);
    sim.run(290_000);
    expect(client.refresh().code).toBe(0);
    sim.run(11_000);
    expect(client.refresh().code).toBe(401);
    expect(sim.counter('authExpiredUser')).toBe(1);
    expect(sim.allocations).toBe(1);
    sim.run(600_000);
    expect(sim.allocations).toBe(0);
  });

  it('may be of the expiry alone, and may be renewed under another expiry without losing the allocation', () => {
    sim = new TurnSim({ settings: { sharedSecret: SECRET } });
    const bare = sim.client({ credentials: credentials(`${expiry(300)}`) });
    expect(bare.allocate().code).toBe(0);
    const client = sim.client({ credentials: credentials(`${expiry(300)}:carol`) });
    client.allocate();
    client.credentials = credentials(`${expiry(3000)}:carol`);
    expect(client.refresh().code).toBe(0);
    client.credentials = credentials(`${expiry(3000)}:mallory`);
    expect(client.refresh().code).toBe(441);
  });

  it('count against one quota whatever their expiry', () => {
    sim = new TurnSim({ settings: { sharedSecret: SECRET }, limits: { relaysPerUser: 2 } });
    const codes = [100, 200, 300].map((seconds, i) =>
      sim
        .client({ address: `203.0.113.${40 + i}`, credentials: credentials(`${expiry(seconds)}:carol`) })
        .allocate(),
    );
    expect(codes.map(({ code }) => code)).toEqual([0, 0, 486]);
  });

  it.each([':', ''])('of nobody (expiry and "%s") count against a quota of their own', (end) => {
    sim = new TurnSim({ settings: { sharedSecret: SECRET }, limits: { relaysPerUser: 2 } });
    const nobody = credentials(`${expiry(100)}${end}`);
    const codes = [0, 1, 2].map((i) =>
      sim.client({ address: `203.0.113.${40 + i}`, credentials: nobody }).allocate(),
    );
    expect(codes.map(({ code }) => code)).toEqual([0, 0, 486]);
  });

  it('are refused with a forged expiry, another secret, or a name that has none', () => {
    sim = new TurnSim({ settings: { sharedSecret: SECRET } });
    const genuine = credentials(`${expiry(-10)}:carol`);
    const attempts = [
      genuine,
      { name: `${expiry(1000)}:carol`, password: genuine.password },
      { name: `${expiry(1000)}:carol`, password: createHmac('sha1', 'other').update('x').digest('base64') },
      credentials('carol'),
      credentials(`-${expiry(1000)}:carol`),
      credentials(`${expiry(1000)}carol`),
      credentials('9999999999999:carol'),
    ];
    for (const [i, credential] of attempts.entries()) {
      const client = sim.client({ address: `203.0.113.${40 + i}`, credentials: credential });
      expect(client.allocate().code).toBe(401);
    }
    expect(sim.held()).toEqual([]);
  });

  it('are worth nothing where no secret is set, not even with the secret being empty', () => {
    sim = new TurnSim();
    const name = `${expiry(1000)}:carol`;
    const empty = { name, password: createHmac('sha1', '').update(name).digest('base64') };
    expect(sim.client({ credentials: empty }).allocate().code).toBe(401);
  });

  it('stand beside local users', () => {
    sim = new TurnSim({ settings: { sharedSecret: SECRET } });
    expect(sim.client().allocate().code).toBe(0);
    expect(sim.client({ credentials: credentials(`${expiry(100)}:carol`) }).allocate().code).toBe(0);
  });
});

describe('authentication: false', () => {
  it('serves everybody, and remembers answers for retransmitted requests', () => {
    sim = new TurnSim({ settings: { authentication: false } });
    const client = sim.client({ credentials: undefined });
    const peer = sim.peer();
    const transactionId = client.newTransactionId();
    const bytes = client.build(ALLOCATE, [TRANSPORT_UDP], { transactionId });
    const first = client.exchange(bytes, transactionId);
    expect(first?.code).toBe(0);
    expect(client.exchange(bytes, transactionId)?.bytes).toEqual(first?.bytes);
    expect(client.bind(0x4000, peer.place).code).toBe(0);
    client.sendChannel(0x4000, 'open');
    sim.run(100);
    expect(peer.received.length).toBe(1);
  });

  it('takes no notice of credentials that a client sends all the same', () => {
    sim = new TurnSim({ settings: { authentication: false } });
    const client = sim.client({ credentials: BOB });
    client.realm = 'elsewhere';
    client.nonce = Buffer.from('nonsense');
    const answer = client.attempt(BINDING, []);
    expect(answer?.code).toBe(0);
    client.credentials = undefined;
    expect(client.allocate().code).toBe(0);
    expect(client.refresh().code).toBe(0);
  });
});

describe('Binding', () => {
  it('is answered without credentials, and a Binding with credentials is answered with integrity', () => {
    sim = new TurnSim();
    const client = sim.client();
    const plain = client.binding();
    expect(plain.code).toBe(0);
    expect(find(plain.message, A.messageIntegrity)).toBeUndefined();
    client.allocate();
    const proved = client.attempt(BINDING, []);
    expect(proved?.code).toBe(0);
    expect(hasIntegrity(proved?.bytes as Uint8Array, client.integrity(ALICE))).toBe(true);
    const wrong = client.attempt(BINDING, [], { as: { name: 'alice', password: 'x' } });
    expect(wrong?.code).toBe(401);
  });

  it('wants credentials where unauthenticatedBinding is off', () => {
    sim = new TurnSim({ settings: { unauthenticatedBinding: false } });
    const client = sim.client();
    expect(client.call(BINDING, [], { insist: false }).code).toBe(401);
    expect(client.binding().code).toBe(0);
  });
});

describe('malformed proofs', () => {
  it('are 400: integrity without a name, without a realm, without a nonce, or with name and hash at once', () => {
    sim = new TurnSim();
    const client = sim.client();
    client.allocate();
    const username = { type: A.username, value: Buffer.from('alice') };
    const userhash = { type: A.userhash, value: new Uint8Array(32) };
    const realm = { type: A.realm, value: Buffer.from(client.realm) };
    const nonce = { type: A.nonce, value: client.nonce as Uint8Array };
    for (const attributes of [
      [realm, nonce],
      [username, nonce],
      [username, realm],
      [username, userhash, realm, nonce],
    ]) {
      const transactionId = client.newTransactionId();
      const message = { method: REFRESH, kind: REQUEST, transactionId, attributes };
      const bytes = encode(message, { integrity: client.integrity(ALICE) });
      expect(client.exchange(bytes, transactionId)?.code).toBe(400);
    }
    expect(sim.counter('authMalformed')).toBe(4);
  });

  it('of another realm are 401', () => {
    sim = new TurnSim();
    const client = sim.client();
    client.allocate();
    client.realm = 'ELSEWHERE';
    expect(client.attempt(REFRESH, [])?.code).toBe(401);
  });
});
