/**
 * turn-security, "Before authentication" and "Amplification": a stranger costs no memory, learns
 * nothing, and gets little back.
 */
import { createHmac } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { A, ALLOCATE, BINDING, encode, find, REFRESH, REQUEST } from '../../../../lab/phone/plain-stun.ts';
import type { TurnCrypto } from '../../../../src/turn/settings.ts';
import { TRANSPORT_UDP } from '../../../kit/turn-client.ts';
import { ALICE, TurnSim, UNIX_START_MS } from '../../../kit/turn-sim.ts';

let sim: TurnSim;
afterEach(() => expect(sim.end()).toEqual([]));

describe('before authentication', () => {
  it('100,000 requests from as many places change nothing in what the node holds', () => {
    sim = new TurnSim({ limits: { unauthenticatedRepliesPerSecond: 0 } });
    const { io, core } = sim.worker;
    const client = sim.client();
    client.allocate();
    client.refresh(0);
    sim.run(1000);
    const forged = { realm: 'TANDBERG', nonce: client.nonce as Uint8Array };
    const signed = (method: number, name: string): Uint8Array =>
      encode(
        {
          method,
          kind: REQUEST,
          transactionId: new Uint8Array(12),
          attributes: [
            TRANSPORT_UDP,
            { type: A.username, value: Buffer.from(name) },
            { type: A.realm, value: Buffer.from(forged.realm) },
            { type: A.nonce, value: forged.nonce },
          ],
        },
        { integrity: { algorithm: 'sha1', key: new Uint8Array(16) } },
      );
    const kinds = [
      encode({ method: BINDING, kind: REQUEST, transactionId: new Uint8Array(12), attributes: [] }),
      encode({
        method: ALLOCATE,
        kind: REQUEST,
        transactionId: new Uint8Array(12),
        attributes: [TRANSPORT_UDP],
      }),
      signed(ALLOCATE, 'alice'),
      signed(REFRESH, 'nobody'),
      Uint8Array.of(0x40, 0, 0, 1, 1),
    ];
    const rows = io.endpoints.acquired;
    for (let round = 0; round < 1000; round++) {
      const batch = Array.from({ length: 100 }, (_, i) => ({
        bytes: kinds[i % kinds.length] as Uint8Array,
        from: { address: `9.${round & 255}.${round >> 8}.${i}`, port: 1024 + round },
      }));
      io.batch(0, batch);
      io.sent = [];
      sim.network.runUntil(() => false, 0);
    }
    expect(io.endpoints.acquired).toBe(rows);
    expect(core.allocations.size).toBe(0);
    expect(sim.shared.quota.relays).toBe(0);
    expect(sim.counter('requestAllocate')).toBeGreaterThan(40_000);
    sim.run(100);
    expect(sim.held()).toEqual([]);
  });

  it('an answer to a stranger is not remembered: the same transaction ID is judged anew', () => {
    sim = new TurnSim();
    const client = sim.client();
    const transactionId = client.newTransactionId();
    expect(client.challenged(transactionId).code).toBe(401);
    client.responses = [];
    expect(client.attempt(ALLOCATE, [TRANSPORT_UDP], { transactionId })?.code).toBe(0);
    expect(sim.counter('responseRepeated')).toBe(0);
  });

  it('the nonce is verified first: with a bad one no password is hashed, and the answer is 438', () => {
    sim = new TurnSim({ settings: { sharedSecret: 'north' } });
    const client = sim.client();
    client.allocate();
    client.nonce = Buffer.from(client.nonce ?? []).fill(65, 20);
    const name = `${Math.floor(UNIX_START_MS / 1000) + 10 ** 7}:carol`;
    const counted = countCrypto(sim.worker.crypto);
    const answer = client.refresh(600, [], { insist: false, as: { name, password: 'guess' } });
    expect(answer.code).toBe(438);
    expect(counted.digests).toBe(0);
    expect(counted.sha1).toBe(0);
  });

  it('names that are only claimed are not kept; names that are proved are', () => {
    sim = new TurnSim({ settings: { sharedSecret: 'north' } });
    const name = `${Math.floor(UNIX_START_MS / 1000) + 10 ** 7}:carol`;
    const password = createHmac('sha1', 'north').update(name).digest('base64');
    const stranger = sim.client({ credentials: { name, password: 'guess' } });
    const carol = sim.client({ credentials: { name, password } });
    stranger.allocate();
    const counted = countCrypto(sim.worker.crypto);
    stranger.attempt(REFRESH, []);
    stranger.attempt(REFRESH, []);
    expect(counted.digests).toBe(4); // MD5 and SHA-256 keys, made anew each time
    carol.allocate();
    counted.digests = 0;
    carol.refresh();
    carol.refresh();
    expect(counted.digests).toBe(0);
  });

  it('a nonce works for one address and port alone', () => {
    sim = new TurnSim();
    const client = sim.client();
    client.allocate();
    for (const place of [
      { address: client.wire.place.address },
      { address: '203.0.113.99', port: client.wire.place.port },
    ]) {
      const thief = sim.client(place);
      thief.realm = client.realm;
      thief.nonce = client.nonce;
      expect(thief.refresh(600, [], { insist: false }).code).toBe(438);
    }
  });

  it('a nonce of another node, or of the same before its key changed, does not work', () => {
    sim = new TurnSim();
    const client = sim.client({ port: 5000 });
    client.allocate();
    const nonce = client.nonce;
    sim.end();
    sim = new TurnSim({ settings: { nonceKey: new Uint8Array(32).fill(9) } });
    const again = sim.client({ port: 5000 });
    again.realm = client.realm;
    again.nonce = nonce;
    expect(again.refresh(600, [], { insist: false }).code).toBe(438);
  });

  it('nonces of the future do not work', () => {
    sim = new TurnSim();
    const client = sim.client();
    client.allocate();
    const { io, core } = sim.worker;
    const bytes = client.build(REFRESH, []);
    core.batchBegins(sim.network.nowMs - 60_000);
    const row = io.endpoints.acquire();
    io.endpoints.setText(row, client.wire.place.address, client.wire.place.port);
    sim.network.nowMs -= 60_000;
    io.batch(0, [{ bytes, from: client.wire.place }]);
    sim.network.nowMs += 60_000;
    io.endpoints.release(row);
    sim.run(100);
    expect(client.responses.at(-1)?.code).toBe(438);
  });
});

describe('amplification', () => {
  /** Sizes of request and answer in bytes, for a request of a stranger. */
  function sizes(request: Uint8Array): [number, number] {
    const client = sim.client({ address: `203.0.113.${100 + sim.workers.length}`, credentials: undefined });
    client.wire.send(request);
    sim.run(100);
    return [request.length, client.responses[0]?.bytes.length ?? 0];
  }

  const bare = (method: number): Uint8Array =>
    encode({ method, kind: REQUEST, transactionId: new Uint8Array(12), attributes: [] });

  it('a 401 has at most 92 bytes, without SOFTWARE and without a reason', () => {
    sim = new TurnSim();
    const client = sim.client();
    const { bytes, message } = client.call(ALLOCATE, [TRANSPORT_UDP], { insist: false });
    expect(bytes.length).toBeLessThanOrEqual(92);
    expect(message.attributes.map(({ type }) => type)).toEqual([
      A.errorCode,
      A.realm,
      A.nonce,
      A.passwordAlgorithms,
    ]);
    expect(find(message, A.errorCode)?.length).toBe(4);
  });

  it('a Binding is answered with 12 bytes more than it has, over IPv6 with 24', () => {
    sim = new TurnSim();
    expect(sizes(bare(BINDING))).toEqual([20, 32]);
    const client = sim.client({ address: '2001:db8:9::1', credentials: undefined });
    expect(client.binding().bytes.length).toBe(44);
  });

  it('a 420 is never longer than the request that caused it by more than its two attributes', () => {
    sim = new TurnSim();
    const attributes = Array.from({ length: 100 }, (_, i) => ({
      type: 0x7000 + i,
      value: new Uint8Array(0),
    }));
    const request = encode({ method: BINDING, kind: REQUEST, transactionId: new Uint8Array(12), attributes });
    const [asked, answered] = sizes(request);
    expect(answered).toBeGreaterThan(0);
    expect(answered).toBeLessThan(asked);
  });

  it.each([BINDING, ALLOCATE, REFRESH, 0xff])(
    'answers to strangers are limited per second and address, whatever the port (method %i)',
    (method) => {
      sim = new TurnSim({ limits: { unauthenticatedRepliesPerSecond: 5 } });
      sim.run(1000 - (sim.network.nowMs % 1000));
      const ports = Array.from({ length: 50 }, () => sim.client({ credentials: undefined }));
      const ask = (): number => {
        for (const { wire } of ports) wire.send(bare(method));
        sim.run(100);
        return ports.reduce((sum, client) => sum + client.responses.splice(0).length, 0);
      };
      expect(ask()).toBe(5);
      expect(ask()).toBe(0);
      const other = sim.client({ address: '203.0.113.77', credentials: undefined });
      other.wire.send(bare(method));
      sim.run(100);
      expect(other.responses.length).toBe(1);
      sim.run(1000);
      expect(ask()).toBe(5);
    },
  );

  it('guessing passwords and nonces, and malformed proofs, fall under the same limit', () => {
    sim = new TurnSim({ limits: { unauthenticatedRepliesPerSecond: 5 } });
    const client = sim.client({ credentials: { name: 'alice', password: 'guess' } });
    client.allocate();
    sim.run(2000 - (sim.network.nowMs % 1000));
    const [good, before] = [client.nonce, client.responses.length];
    for (let i = 0; i < 30; i++) {
      client.nonce = i % 2 ? good : Buffer.from('bad');
      client.wire.send(client.build(REFRESH, []));
    }
    client.wire.send(
      encode(
        { method: REFRESH, kind: REQUEST, transactionId: new Uint8Array(12), attributes: [] },
        { integrity: client.integrity(ALICE) },
      ),
    );
    sim.run(100);
    expect(client.responses.length - before).toBe(5);
  });

  it('an IPv6 network of one subscriber (/64) counts as one address', () => {
    sim = new TurnSim({ limits: { unauthenticatedRepliesPerSecond: 5 } });
    sim.run(1000 - (sim.network.nowMs % 1000));
    const clients = Array.from({ length: 20 }, (_, i) =>
      sim.client({ address: `2001:db8:9:1::${(i + 1).toString(16)}`, credentials: undefined }),
    );
    const neighbour = sim.client({ address: '2001:db8:9:2::1', credentials: undefined });
    for (const { wire } of [...clients, neighbour]) wire.send(bare(BINDING));
    sim.run(100);
    expect(clients.reduce((sum, { responses }) => sum + responses.length, 0)).toBe(5);
    expect(neighbour.responses.length).toBe(1);
  });

  it('who has proved a password is not limited', () => {
    sim = new TurnSim({ limits: { unauthenticatedRepliesPerSecond: 2 } });
    const client = sim.client();
    client.allocate();
    for (let i = 0; i < 50; i++) client.wire.send(client.build(REFRESH, []));
    sim.run(100);
    expect(client.responses.filter(({ code }) => code === 0).length).toBe(51);
  });

  it('who comes over a stream is not limited: its address is not forged, and it does not ask twice', () => {
    sim = new TurnSim({ limits: { unauthenticatedRepliesPerSecond: 2 } });
    const client = sim.streamClient('203.0.113.20', undefined);
    for (let i = 0; i < 20; i++) client.wire.send(bare(REFRESH));
    sim.run(100);
    expect(client.responses.length).toBe(20);
    client.wire.close();
    sim.run(100);
  });

  it('what was left unanswered is reported once a second, with its number', () => {
    sim = new TurnSim({ limits: { unauthenticatedRepliesPerSecond: 5 } });
    const client = sim.client({ credentials: undefined });
    sim.run(1010 - (sim.network.nowMs % 1000));
    for (let i = 0; i < 30; i++) client.wire.send(bare(BINDING));
    sim.run(500);
    expect(sim.rateLimited).toEqual([]);
    sim.run(1000);
    expect(sim.rateLimited).toEqual([{ address: '203.0.113.10', replies: 25 }]);
    expect(sim.counter('dropRateLimited')).toBe(25);
    sim.run(5000);
    expect(sim.rateLimited.length).toBe(1);
  });

  it('Binding is limited without authentication as well, also with a made-up integrity', () => {
    for (const unauthenticatedBinding of [true, false]) {
      sim = new TurnSim({
        settings: { authentication: false, unauthenticatedBinding },
        limits: { unauthenticatedRepliesPerSecond: 5 },
      });
      sim.run(1000 - (sim.network.nowMs % 1000));
      const client = sim.client({ credentials: undefined });
      const integrity = { algorithm: 'sha1', key: new Uint8Array(16) } as const;
      for (let i = 0; i < 20; i++) {
        const message = {
          method: BINDING,
          kind: REQUEST,
          transactionId: client.newTransactionId(),
          attributes: [],
        };
        client.wire.send(encode(message, i % 2 ? { integrity } : {}));
      }
      sim.run(100);
      expect(client.responses.length).toBe(5);
    }
  });

  it('packets that are no requests are never answered', () => {
    sim = new TurnSim();
    const { io } = sim.worker;
    const packets = [1, 2, 3].flatMap((kind) =>
      [BINDING, ALLOCATE, 6, 7].map((method) =>
        encode({ method, kind, transactionId: new Uint8Array(12), attributes: [] }),
      ),
    );
    packets.push(Buffer.of(0x40, 0, 0, 0), Buffer.alloc(1), Buffer.alloc(20, 255));
    io.batch(
      0,
      packets.map((bytes) => ({ bytes, from: { address: '203.0.113.5', port: 99 } })),
    );
    expect(io.sent).toEqual([]);
  });
});

/** Counts the password hashing that a core does from here on. */
function countCrypto(crypto: TurnCrypto): { digests: number; sha1: number } {
  const counted = { digests: 0, sha1: 0 };
  const { digest, hmac } = crypto;
  const spied: { -readonly [Key in keyof TurnCrypto]: TurnCrypto[Key] } = crypto;
  spied.digest = (algorithm, text) => {
    counted.digests++;
    return digest(algorithm, text);
  };
  spied.hmac = (algorithm, key, bytes, offset, length) => {
    if (algorithm === 'sha1') counted.sha1++;
    return hmac(algorithm, key, bytes, offset, length);
  };
  return counted;
}
