/**
 * The ICE-lite responder under random and bent checks: it throws nothing, takes none for valid that an independent
 * reading does not, and never answers a stranger with more than he sent.
 */
import { describe, expect, it } from 'vitest';
import {
  A,
  type Attribute,
  BINDING,
  decode,
  encode,
  find,
  hasIntegrity,
  REQUEST,
  SUCCESS,
  withZeroPadding,
} from '../../lab/phone/plain-stun.ts';
import { ICE_CHECK, ICE_NOMINATED, ICE_REFUSED } from '../../src/ice/lite-agent.ts';
import {
  check,
  controlled,
  controlling,
  ICE,
  IceRig,
  KEY,
  PEER,
  PEER_IPV6,
  priority,
  USERNAME,
  useCandidate,
  username,
} from '../kit/ice-rig.ts';
import { Random, SEED } from './seeded.ts';

const MESSAGES = Number(process.env.FUZZ_MESSAGES ?? 50_000);
const TIMEOUT_MS = 60_000 + MESSAGES;

const PARTS: readonly Attribute[] = [
  username(USERNAME),
  username('someone:else'),
  priority,
  controlling,
  controlled,
  useCandidate,
  { type: 0x0003, value: Buffer.alloc(4) },
  { type: A.data, value: Buffer.alloc(300) },
];

/** A check that is right, or made of parts that do not fit, then maybe bent, and given a right FINGERPRINT again. */
function hostileCheck(random: Random): Buffer {
  if (random.chance(0.05)) return random.bytes(random.below(200));
  const attributes = random.chance(0.5)
    ? [username(USERNAME), priority, random.pick([controlling, useCandidate])]
    : Array.from({ length: random.below(6) }, () => random.pick(PARTS));
  const bytes = check({
    attributes,
    kind: random.chance(0.9) ? REQUEST : random.below(4),
    method: random.chance(0.95) ? BINDING : random.below(0x1000),
    integrity: random.chance(0.9) ? KEY : null,
    after: random.chance(0.1) ? [random.pick(PARTS)] : [],
    fingerprint: false,
  });
  if (random.chance(0.4)) bytes[random.below(bytes.length)] = random.below(256);
  if (random.chance(0.1)) return bytes.subarray(0, random.below(bytes.length + 1));
  return random.chance(0.5) ? bytes : withFingerprint(bytes);
}

/** The same message with FINGERPRINT at its end, if it can be read at all. */
function withFingerprint(bytes: Buffer): Buffer {
  try {
    return encode(decode(bytes), { fingerprint: true });
  } catch {
    return bytes;
  }
}

/** Whether the message is a check that proves our password, for us and from our peer, and what it asks for. */
function plainly(bytes: Buffer): { isValid: boolean; nominates: boolean } {
  try {
    const message = decode(withZeroPadding(bytes));
    const end = message.attributes.findIndex(({ type }) => type === A.messageIntegrity);
    const covered = { ...message, attributes: message.attributes.slice(0, Math.max(0, end)) };
    const isCheck = message.method === BINDING && message.kind === REQUEST;
    const isOurs = Buffer.from(find(covered, A.username) ?? []).toString('latin1') === USERNAME;
    return {
      isValid: isCheck && isOurs && hasIntegrity(bytes, KEY) && find(covered, ICE.controlled) === undefined,
      nominates: find(covered, ICE.useCandidate) !== undefined,
    };
  } catch {
    return { isValid: false, nominates: false };
  }
}

describe('the ICE-lite responder', () => {
  it('takes nothing for a check that proves no password', { timeout: TIMEOUT_MS }, () => {
    const random = new Random(SEED + 4);
    const rig = new IceRig();
    const tally = new Map<number, number>();
    for (let i = 0; i < MESSAGES; i++) {
      const packet = hostileCheck(random);
      const { outcome, reply } = rig.receive(packet, random.pick([PEER, PEER_IPV6]));
      tally.set(outcome, (tally.get(outcome) ?? 0) + 1);
      const hex = packet.toString('hex');
      const isTaken = outcome === ICE_CHECK || outcome === ICE_NOMINATED;
      if ((reply !== undefined) !== (isTaken || outcome === ICE_REFUSED))
        throw new Error(`${outcome}: ${hex}`);
      if (reply === undefined) continue;
      const answer = decode(reply);
      if ((answer.kind === SUCCESS) !== isTaken) throw new Error(`answered ${outcome} wrongly: ${hex}`);
      if (!hasIntegrity(reply, KEY) && reply.length > packet.length) throw new Error(`amplified ${hex}`);
      const { isValid, nominates } = plainly(packet);
      if (isTaken && !isValid) throw new Error(`took ${hex}`);
      if (isTaken && (outcome === ICE_NOMINATED) !== nominates) throw new Error(`nomination of ${hex}`);
      if (hasIntegrity(reply, KEY) && !hasIntegrity(packet, KEY)) throw new Error(`signed for ${hex}`);
    }
    // The run reaches every way out: 0 to 8.
    expect([...tally.keys()].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(tally.get(ICE_CHECK)).toBeGreaterThan(MESSAGES / 20);
    expect(rig.io.endpoints.acquired).toBe(1);
  });
});
