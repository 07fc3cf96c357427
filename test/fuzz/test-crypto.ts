/** The cryptography a core is given in tests: node's hashes, and randomness that can be repeated. */
import { createHash, createHmac } from 'node:crypto';
import type { TurnCrypto } from '../../src/turn/settings.ts';
import type { Hmac } from '../../src/wire/stun-writer.ts';
import type { Random } from './seeded.ts';

export const hmac: Hmac = (algorithm, key, bytes, offset, length) =>
  createHmac(algorithm, key)
    .update(bytes.subarray(offset, offset + length))
    .digest();

/** The password that goes with "expiry:user" of a shared secret. */
export function timedCredentials(secret: string, name: string): { name: string; password: string } {
  return { name, password: createHmac('sha1', secret).update(name).digest('base64') };
}

export function testCrypto(random: Random): TurnCrypto {
  return {
    hmac,
    digest: (algorithm, text) => createHash(algorithm).update(text).digest(),
    randomFill: (bytes) => random.fill(bytes),
    randomBelow: (bound) => random.below(bound),
  };
}
