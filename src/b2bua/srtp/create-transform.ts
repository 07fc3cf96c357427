import type { MediaCrypto } from '../../wire/media-crypto.ts';
import { AeadTransform } from './aead-transform.ts';
import { CounterModeTransform } from './counter-mode-transform.ts';
import { deriveSessionKeys, type Keystream } from './key-derivation.ts';
import type { SrtpSuite } from './suites.ts';
import type { SrtpTransform } from './transform.ts';

/**
 * The transform of a suite, with the session keys of a master key, on the slab `bytes`.
 * @throws RangeError if the master key or salt has not the length of the suite's.
 */
export function createTransform(
  crypto: MediaCrypto,
  bytes: Uint8Array,
  keystream: Keystream,
  suite: SrtpSuite,
  masterKey: Uint8Array,
  masterSalt: Uint8Array,
): SrtpTransform {
  const { rtp, rtcp } = deriveSessionKeys(keystream, suite, masterKey, masterSalt);
  return suite.cipher === 'cm'
    ? new CounterModeTransform(crypto, bytes, rtp, rtcp, suite.rtpTagBytes, suite.rtcpTagBytes)
    : new AeadTransform(crypto, bytes, rtp, rtcp);
}
