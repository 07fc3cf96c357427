/** Randomness and the control plane's cryptography for the B2BUA core, from `node:crypto`. */
import type { B2buaCrypto } from '../b2bua/settings.ts';
import { aesKeystream } from './node-media-crypto.ts';
import { createTurnCrypto } from './turn-crypto.ts';

export function createB2buaCrypto(): B2buaCrypto {
  const { hmac, randomFill, randomBelow } = createTurnCrypto();
  return { keystream: aesKeystream, hmac, randomFill, randomBelow };
}
