import { createHash, createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  A,
  ALLOCATE,
  type Attribute,
  decode,
  encode,
  find,
  longTermKey,
  REQUEST,
} from '../../../lab/phone/plain-stun.ts';
import { Authentication, type AuthenticationOutcome } from '../../../src/turn/authentication.ts';
import { TURN, TURN_COUNTER_NAMES, type TurnCounterName } from '../../../src/turn/counters.ts';
import { EndpointBook } from '../../../src/wire/endpoint.ts';
import {
  ATTR_MESSAGE_INTEGRITY,
  ATTR_MESSAGE_INTEGRITY_SHA256,
  ATTR_NONCE,
  ATTR_PASSWORD_ALGORITHM,
  ATTR_REALM,
  ATTR_USERHASH,
  ATTR_USERNAME,
  CLASS_ERROR,
  STUN_OK,
  StunReader,
} from '../../../src/wire/stun.ts';
import { StunWriter } from '../../../src/wire/stun-writer.ts';
import { REALM } from '../../fuzz/client-messages.ts';
import { CoreRig, UNIX_START_MS } from '../../fuzz/core-rig.ts';
import { Random, SEED } from '../../fuzz/seeded.ts';
import { testCrypto } from '../../fuzz/test-crypto.ts';

const UNDERSTOOD = [
  ATTR_USERNAME,
  ATTR_MESSAGE_INTEGRITY,
  ATTR_REALM,
  ATTR_NONCE,
  ATTR_MESSAGE_INTEGRITY_SHA256,
  ATTR_PASSWORD_ALGORITHM,
  ATTR_USERHASH,
];
const NAME = 'alice';
const PASSWORD = 'wonderland';
const SECRET = 'shared';

interface Login {
  readonly name?: string | Uint8Array;
  readonly password?: string;
  readonly userhash?: boolean | Uint8Array;
  readonly hash?: 'md5' | 'sha256';
  readonly integrity?: 'sha1' | 'sha256';
  readonly realm?: string;
  readonly nonce?: Uint8Array;
  readonly more?: readonly Attribute[];
}

class Door {
  readonly counters = new Float64Array(TURN_COUNTER_NAMES.length);
  readonly book = new EndpointBook(1, 1);
  readonly real: Authentication;
  nowMs = 0;

  constructor(sharedSecret?: string) {
    const { settings } = new CoreRig({ seed: SEED, settings: { sharedSecret } });
    this.real = new Authentication(
      settings,
      testCrypto(new Random(SEED)),
      this.counters,
      () => UNIX_START_MS + this.nowMs,
    );
    this.real.setUser({ name: NAME, password: PASSWORD });
    this.book.setText(0, '192.0.2.1', 5000);
  }

  challenge(): { nonce: Uint8Array; algorithms: Uint8Array; realm: string } {
    const writer = new StunWriter(new Uint8Array(1024))
      .begin(0, ALLOCATE, CLASS_ERROR)
      .transactionId(new Uint8Array(12), 0);
    this.real.challenge(writer, this.book, 0, this.nowMs);
    const message = decode(writer.bytes.slice(0, writer.length));
    return {
      nonce: find(message, A.nonce) as Uint8Array,
      algorithms: find(message, A.passwordAlgorithms) as Uint8Array,
      realm: Buffer.from(find(message, A.realm) as Uint8Array).toString(),
    };
  }

  check(login: Login = {}): AuthenticationOutcome {
    const { name = NAME, password = PASSWORD, hash = 'md5', integrity = 'sha1', realm = REALM } = login;
    const plain = typeof name === 'string' ? name : Buffer.from(name).toString();
    const named: Attribute = login.userhash
      ? {
          type: A.userhash,
          value:
            login.userhash === true
              ? createHash('sha256').update(`${plain}:${REALM}`).digest()
              : login.userhash,
        }
      : { type: A.username, value: Buffer.from(name) };
    const bytes = encode(
      {
        method: ALLOCATE,
        kind: REQUEST,
        transactionId: new Uint8Array(12),
        attributes: [
          named,
          { type: A.realm, value: Buffer.from(realm) },
          { type: A.nonce, value: login.nonce ?? this.challenge().nonce },
          ...(login.more ?? []),
        ],
      },
      { integrity: { algorithm: integrity, key: longTermKey(hash, plain, REALM, password) } },
    );
    const reader = new StunReader(UNDERSTOOD);
    expect(reader.parse(bytes, 0, bytes.length)).toBe(STUN_OK);
    return this.real.check(reader, this.book, 0, this.nowMs);
  }

  counter(name: TurnCounterName): number {
    return this.counters[TURN[name]] as number;
  }
}

/** PASSWORD-ALGORITHM and the PASSWORD-ALGORITHMS it was chosen from. */
function chosen(algorithm: number, offered: Uint8Array): Attribute[] {
  return [
    { type: A.passwordAlgorithm, value: Uint8Array.of(0, algorithm, 0, 0) },
    { type: A.passwordAlgorithms, value: offered },
  ];
}

describe('a client with the right password', () => {
  it.each([
    { name: 'MD5 and HMAC-SHA1, as of RFC 5389', login: {} },
    { name: 'MD5 and HMAC-SHA256', login: { integrity: 'sha256' } },
    { name: 'a hidden name', login: { userhash: true, integrity: 'sha256' } },
  ] as const)('is let in with $name', ({ login }) => {
    const door = new Door();
    expect(door.check(login)).toBe(0);
    expect(door.real.identity.user).toBe(NAME);
    expect(door.real.identity.algorithm).toBe('integrity' in login ? login.integrity : 'sha1');
  });

  it('is let in with SHA-256 if it repeats what it was offered', () => {
    const door = new Door();
    const { algorithms } = door.challenge();
    expect(door.check({ hash: 'sha256', integrity: 'sha256', more: chosen(2, algorithms) })).toBe(0);
    expect(door.check({ hash: 'md5', more: chosen(1, algorithms) })).toBe(0);
  });

  it('is let in however its name is composed (RFC 8265 OpaqueString)', () => {
    const door = new Door();
    door.real.setUser({ name: 'zo\u00eb', password: 'p' });
    expect(door.check({ name: 'zo\u00eb', password: 'p' })).toBe(0);
    expect(door.real.identity.user).toBe('zo\u00eb');
    expect(door.real.removeUser('zoe\u0308')).toBe('zo\u00eb');
    expect(door.check({ name: 'zo\u00eb', password: 'p' })).toBe(401);
  });

  it('has to have a fresh nonce of its own', () => {
    const door = new Door();
    const { nonce } = door.challenge();
    door.nowMs = 601_000;
    expect(door.check({ nonce })).toBe(438);
    expect(door.check({ nonce: new Uint8Array(35) })).toBe(438);
    expect(door.counter('authStaleNonce')).toBe(2);
  });
});

describe('refused, each with its reason counted', () => {
  it.each([
    { what: 'a wrong password', login: { password: 'x' }, code: 401, reason: 'authWrongPassword' },
    { what: 'an unknown user', login: { name: 'bob' }, code: 401, reason: 'authUnknownUser' },
    {
      what: 'an unknown hidden user',
      login: { name: 'bob', userhash: true },
      code: 401,
      reason: 'authUnknownUser',
    },
    { what: 'another realm', login: { realm: 'tandberg' }, code: 401, reason: 'authMalformed' },
    {
      what: 'SHA-256 keys that nobody agreed on',
      login: { hash: 'sha256' },
      code: 401,
      reason: 'authWrongPassword',
    },
    {
      what: 'both names',
      login: { more: [{ type: A.userhash, value: new Uint8Array(32) }] },
      code: 400,
      reason: 'authMalformed',
    },
    { what: 'a name of 509 bytes', login: { name: 'a'.repeat(509) }, code: 400, reason: 'authMalformed' },
    {
      what: 'a hash of 31 bytes',
      login: { userhash: new Uint8Array(31) },
      code: 400,
      reason: 'authMalformed',
    },
    {
      what: 'a hash of 33 bytes',
      login: { userhash: new Uint8Array(33) },
      code: 400,
      reason: 'authMalformed',
    },
  ] as const)('$what', ({ login, code, reason }) => {
    const door = new Door(SECRET);
    expect(door.check(login)).toBe(code);
    expect(door.counter(reason)).toBe(1);
    expect([...door.counters].reduce((sum, count) => sum + count, 0)).toBe(1);
  });

  it('a choice of algorithm without what it was chosen from, or from something else (bid-down)', () => {
    const door = new Door();
    const { algorithms } = door.challenge();
    const weakened = Uint8Array.of(0, 1, 0, 0);
    const attempts = [
      chosen(1, algorithms).slice(0, 1),
      chosen(1, algorithms).slice(1),
      chosen(1, weakened),
      chosen(1, Uint8Array.of(...algorithms, 0, 0, 0, 0)),
      chosen(3, algorithms),
      chosen(0, algorithms),
    ];
    for (const more of attempts) expect(door.check({ more })).toBe(400);
    expect(door.counter('authBidDown')).toBe(attempts.length);
  });
});

describe('a name too long for anybody', () => {
  // NFC orders runs of combining marks in quadratic time: 64 KB of them take a third of a second.
  it('is refused before it is looked at', () => {
    const door = new Door(SECRET);
    const marks = Buffer.from(`9999999999:a${'\u0301\u0316'.repeat(16_000)}`);
    const normalize = String.prototype.normalize;
    let normalized = 0;
    String.prototype.normalize = function (this: string, form?: string): string {
      normalized = Math.max(normalized, this.length);
      return normalize.call(this, form);
    };
    try {
      expect(door.check({ name: marks })).toBe(400);
    } finally {
      String.prototype.normalize = normalize;
    }
    expect(normalized).toBeLessThanOrEqual(508);
  });
});

describe('time-limited credentials', () => {
  const password = (username: string): string => createHmac('sha1', SECRET).update(username).digest('base64');
  const seconds = UNIX_START_MS / 1000;

  it('are good until they expire, under the name behind the expiry', () => {
    const door = new Door(SECRET);
    const name = `${seconds + 100}:carol`;
    expect(door.check({ name, password: password(name) })).toBe(0);
    expect(door.real.identity.user).toBe('carol');
    door.nowMs = 99_999;
    expect(door.check({ name, password: password(name) })).toBe(0);
    door.nowMs = 100_000;
    expect(door.check({ name, password: password(name) })).toBe(401);
    expect(door.counter('authExpiredUser')).toBe(1);
  });

  it('are unknown where there is no secret', () => {
    const door = new Door();
    const name = `${seconds + 100}:carol`;
    expect(door.check({ name, password: password(name) })).toBe(401);
    expect(door.counter('authUnknownUser')).toBe(1);
  });
});
