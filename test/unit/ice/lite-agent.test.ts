import { describe, expect, it } from 'vitest';
import {
  A,
  ALLOCATE,
  BINDING,
  decode,
  decodeXorAddress,
  errorCode,
  FAILURE,
  find,
  hasFingerprint,
  hasIntegrity,
  INDICATION,
  type Integrity,
  SUCCESS,
  withZeroPadding,
} from '../../../lab/phone/plain-stun.ts';
import {
  ICE_CHECK,
  ICE_DROPPED_BAD_FINGERPRINT,
  ICE_DROPPED_MALFORMED,
  ICE_DROPPED_UNANSWERED,
  ICE_DROPPED_UNEXPECTED,
  ICE_KEEPALIVE,
  ICE_NOMINATED,
  ICE_NOT_STUN,
  ICE_REFUSED,
  IceLiteAgent,
  iceCredentials,
} from '../../../src/ice/lite-agent.ts';
import {
  SAMPLE_IPV4_RESPONSE,
  SAMPLE_IPV6_RESPONSE,
  SAMPLE_REQUEST,
  SHORT_TERM_PASSWORD,
} from '../../conformance/stun-vectors.ts';
import { Random } from '../../fuzz/seeded.ts';
import {
  check,
  controlled,
  controlling,
  IceRig,
  type Judged,
  KEY,
  LOCAL,
  PEER_IPV6,
  priority,
  REMOTE_UFRAG,
  TRANSACTION_ID,
  USERNAME,
  useCandidate,
  username,
} from '../../kit/ice-rig.ts';

const WRONG_KEY: Integrity = { algorithm: 'sha1', key: Buffer.from('another password of ours') };
const UNKNOWN = { type: 0x7ffe, value: Buffer.alloc(4) };

/** Where a success says that the check came from; throws unless the answer is one, and signed. */
function mappedAddress({ reply }: Judged, integrity: Integrity = KEY): string {
  if (!reply) throw new Error('no answer');
  const message = decode(reply);
  expect([message.method, message.kind]).toEqual([BINDING, SUCCESS]);
  expect(message.transactionId).toEqual(Uint8Array.from(TRANSACTION_ID));
  const signed = integrity.algorithm === 'sha1' ? A.messageIntegrity : A.messageIntegritySha256;
  expect(message.attributes.map(({ type }) => type)).toEqual([A.xorMappedAddress, signed, A.fingerprint]);
  expect([hasIntegrity(reply, integrity), hasFingerprint(reply)]).toEqual([true, true]);
  const { address, port } = decodeXorAddress(find(message, A.xorMappedAddress) as Uint8Array, TRANSACTION_ID);
  return `${address} ${port}`;
}

/** Code of an error answer, and whether it is signed with our key. */
function refusal({ outcome, reply }: Judged): [code: number, isSigned: boolean] {
  if (!reply) throw new Error('no answer');
  const message = decode(reply);
  expect([outcome, message.method, message.kind]).toEqual([ICE_REFUSED, BINDING, FAILURE]);
  expect(message.transactionId).toEqual(Uint8Array.from(TRANSACTION_ID));
  expect(hasFingerprint(reply)).toBe(true);
  expect(find(message, A.username)).toBeUndefined();
  return [errorCode(message), hasIntegrity(reply, KEY)];
}

describe('a valid check', () => {
  it('is answered with the address it came from', () => {
    const judged = new IceRig().receive(check());
    expect(judged.outcome).toBe(ICE_CHECK);
    expect(mappedAddress(judged)).toBe('192.0.2.1 32853');
  });

  it('is answered over IPv6 too', () => {
    const judged = new IceRig().receive(check(), PEER_IPV6);
    expect(judged.outcome).toBe(ICE_CHECK);
    expect(mappedAddress(judged)).toBe('2001:db8:1234:5678:11:2233:4455:6677 32853');
  });

  it('nominates with USE-CANDIDATE', () => {
    const attributes = [username(USERNAME), priority, useCandidate, controlling];
    const judged = new IceRig().receive(check({ attributes }));
    expect(judged.outcome).toBe(ICE_NOMINATED);
    expect(mappedAddress(judged)).toBe('192.0.2.1 32853');
  });

  it('nominates only with a USE-CANDIDATE that its integrity covers', () => {
    expect(new IceRig().receive(check({ after: [useCandidate] })).outcome).toBe(ICE_CHECK);
  });

  it('may be a mere consent request (RFC 7675), without priority and role', () => {
    const judged = new IceRig().receive(check({ attributes: [username(USERNAME)] }));
    expect(judged.outcome).toBe(ICE_CHECK);
    expect(mappedAddress(judged)).toBe('192.0.2.1 32853');
  });

  it('may come without FINGERPRINT', () => {
    expect(new IceRig().receive(check({ fingerprint: false })).outcome).toBe(ICE_CHECK);
  });

  it('may carry attributes nobody needs to understand, and known ones that do not belong', () => {
    const networkCost = { type: 0xc057, value: Buffer.from('00010032', 'hex') };
    const realm = { type: A.realm, value: Buffer.from('x') };
    const attributes = [username(USERNAME), networkCost, realm, priority, controlling];
    expect(new IceRig().receive(check({ attributes })).outcome).toBe(ICE_CHECK);
  });

  it('with MESSAGE-INTEGRITY-SHA256 gets the same back', () => {
    const sha256: Integrity = { algorithm: 'sha256', key: KEY.key };
    const judged = new IceRig().receive(check({ integrity: sha256 }));
    expect(judged.outcome).toBe(ICE_CHECK);
    expect(mappedAddress(judged, sha256)).toBe('192.0.2.1 32853');
  });

  it('is answered the same when it is repeated', () => {
    const rig = new IceRig();
    const first = rig.receive(check());
    expect(rig.receive(check())).toEqual(first);
  });
});

describe('a check that is refused', () => {
  it.each([
    ['without integrity', 400, check({ integrity: null })],
    ['without a username', 400, check({ attributes: [priority, controlling] })],
    ['for another fragment of ours', 401, check({ attributes: [username(`evtjEVTK:${REMOTE_UFRAG}`)] })],
    ['for a beginning of ours', 401, check({ attributes: [username(`evtj:${REMOTE_UFRAG}`)] })],
    ['for ours and more', 401, check({ attributes: [username(`${LOCAL.ufrag}x:${REMOTE_UFRAG}`)] })],
    ['from another fragment', 401, check({ attributes: [username(`${LOCAL.ufrag}:h6vZ`)] })],
    ['from a beginning of the fragment', 401, check({ attributes: [username(`${LOCAL.ufrag}:h6v`)] })],
    ['from the fragment and more', 401, check({ attributes: [username(`${USERNAME}x`)] })],
    ['without the colon', 401, check({ attributes: [username(`${LOCAL.ufrag} ${REMOTE_UFRAG}`)] })],
    [
      'with fragments the wrong way round',
      401,
      check({ attributes: [username(`${REMOTE_UFRAG}:${LOCAL.ufrag}`)] }),
    ],
    ['with another key', 401, check({ integrity: WRONG_KEY })],
    ['with another key and SHA-256', 401, check({ integrity: { ...WRONG_KEY, algorithm: 'sha256' } })],
    // Authentication comes before everything else (RFC 8489 §9.1.3, §6.3.1).
    [
      'with a wrong key, before unknown attributes',
      401,
      check({ attributes: [username(USERNAME), UNKNOWN], integrity: WRONG_KEY }),
    ],
    [
      'with a wrong key, before the role',
      401,
      check({ attributes: [username(USERNAME), controlled], integrity: WRONG_KEY }),
    ],
  ])('%s: %i, unsigned and not longer than the check', (_what, code, packet) => {
    const judged = new IceRig().receive(packet);
    expect(refusal(judged)).toEqual([code, false]);
    expect(judged.reply?.length).toBeLessThanOrEqual(packet.length);
  });

  it.each([
    ['bare', check({ attributes: [], integrity: null, fingerprint: false })],
    ['with FINGERPRINT alone', check({ attributes: [], integrity: null })],
    ['with a priority', check({ attributes: [priority], integrity: null, fingerprint: false })],
  ])('and is too short for an error gets none: %s', (_what, packet) => {
    expect(new IceRig().receive(packet)).toEqual({ outcome: ICE_DROPPED_UNANSWERED, reply: undefined });
  });

  it('for attributes that must be understood is told which: 420', () => {
    const attributes = [username(USERNAME), UNKNOWN, priority, { ...UNKNOWN, type: 0x0003 }];
    const judged = new IceRig().receive(check({ attributes }));
    expect(refusal(judged)).toEqual([420, true]);
    const list = find(decode(judged.reply as Buffer), A.unknownAttributes) as Uint8Array;
    expect(Buffer.from(list).toString('hex')).toBe('7ffe0003');
  });

  it('for the role that is ours learns that it controls: 487, and nominates nothing', () => {
    const attributes = [username(USERNAME), priority, useCandidate, controlled];
    expect(refusal(new IceRig().receive(check({ attributes })))).toEqual([487, true]);
  });
});

describe('before the peer has answered', () => {
  it('checks are taken from any fragment of its', () => {
    const rig = new IceRig();
    rig.agent.setRemoteUfrag(undefined);
    const attributes = [username(`${LOCAL.ufrag}:whatever`)];
    expect(rig.receive(check({ attributes })).outcome).toBe(ICE_CHECK);
    rig.agent.setRemoteUfrag(REMOTE_UFRAG);
    expect(refusal(rig.receive(check({ attributes })))).toEqual([401, false]);
  });

  it.each([LOCAL.ufrag, `${LOCAL.ufrag}:`, `x${LOCAL.ufrag.slice(1)}:whatever`])('but not as %s', (name) => {
    const rig = new IceRig();
    rig.agent.setRemoteUfrag(undefined);
    expect(refusal(rig.receive(check({ attributes: [username(name)] })))).toEqual([401, false]);
  });
});

describe('other packets', () => {
  const corrupt = check();
  corrupt[corrupt.length - 1] = (corrupt[corrupt.length - 1] as number) ^ 1;
  const classic = check({ fingerprint: false });
  classic.writeUInt32BE(0x12345678, 4);
  it.each([
    ['RTP', ICE_NOT_STUN, Buffer.concat([Buffer.from('8000', 'hex'), Buffer.alloc(170)])],
    ['DTLS', ICE_NOT_STUN, Buffer.concat([Buffer.from('16fefd', 'hex'), Buffer.alloc(60)])],
    ['nothing', ICE_NOT_STUN, Buffer.alloc(0)],
    ['half a header', ICE_NOT_STUN, check().subarray(0, 19)],
    ['a keepalive', ICE_KEEPALIVE, check({ kind: INDICATION, attributes: [], integrity: null })],
    ['a success nobody waits for', ICE_DROPPED_UNEXPECTED, check({ kind: SUCCESS })],
    ['an error nobody waits for', ICE_DROPPED_UNEXPECTED, check({ kind: FAILURE })],
    ['a TURN request', ICE_DROPPED_UNEXPECTED, check({ method: ALLOCATE })],
    ['a wrong fingerprint', ICE_DROPPED_BAD_FINGERPRINT, corrupt],
    ['a cut message', ICE_DROPPED_MALFORMED, check().subarray(0, -4)],
    ['no magic cookie', ICE_DROPPED_MALFORMED, classic],
  ])('%s: not answered', (_what, outcome, packet) => {
    expect(new IceRig().receive(packet)).toEqual({ outcome, reply: undefined });
  });
});

describe('the messages of RFC 5769', () => {
  function rigOfVectors(): IceRig {
    const rig = new IceRig(new IceLiteAgent({ ufrag: 'evtj', password: SHORT_TERM_PASSWORD }));
    rig.agent.setRemoteUfrag('h6vY');
    return rig;
  }
  const key: Integrity = { algorithm: 'sha1', key: Buffer.from(SHORT_TERM_PASSWORD) };

  it('§2.1, a check of a controlled agent, verifies and is told the role', () => {
    const { outcome, reply } = rigOfVectors().receive(SAMPLE_REQUEST);
    expect([outcome, errorCode(decode(reply as Buffer))]).toEqual([ICE_REFUSED, 487]);
    expect(hasIntegrity(reply as Buffer, key)).toBe(true);
  });

  it.each([
    ['§2.2', SAMPLE_IPV4_RESPONSE, undefined],
    ['§2.3', SAMPLE_IPV6_RESPONSE, PEER_IPV6],
  ])(
    '%s, the same check of a controlling agent, is answered with the same address',
    (_what, vector, from) => {
      const attributes = [username('evtj:h6vY'), priority, controlling];
      const { reply } = rigOfVectors().receive(check({ attributes, integrity: key }), from);
      const mapped = find(decode(reply as Buffer), A.xorMappedAddress);
      expect(mapped).toEqual(find(decode(withZeroPadding(vector)), A.xorMappedAddress));
    },
  );
});

describe('iceCredentials', () => {
  const random = new Random(1);
  const made = Array.from({ length: 2000 }, () => iceCredentials((bytes) => random.fill(bytes)));

  it('are ice-chars, at least 24 and 128 bits of them (RFC 8445 §5.3)', () => {
    for (const { ufrag, password } of made) {
      expect(ufrag).toMatch(/^[A-Za-z0-9+/]{4,256}$/);
      expect(password).toMatch(/^[A-Za-z0-9+/]{22,256}$/);
    }
  });

  it('use every character everywhere, and never come twice', () => {
    const length = `${made[0]?.ufrag}${made[0]?.password}`.length;
    for (let i = 0; i < length; i++) {
      expect(new Set(made.map(({ ufrag, password }) => `${ufrag}${password}`[i])).size).toBe(64);
    }
    expect(new Set(made.map(({ ufrag }) => ufrag)).size).toBe(made.length);
  });

  it('are nothing but the random bytes they are given', () => {
    const zeros = iceCredentials((bytes) => bytes.fill(0));
    expect(zeros).toEqual({ ufrag: 'AAAAAAAA', password: 'A'.repeat(24) });
  });
});
