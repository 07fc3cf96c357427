/** Cryptography and randomness for the TURN core, from `node:crypto`. */
import { createHash, createHmac, randomFillSync } from 'node:crypto';
import type { TurnCrypto } from '../turn/settings.ts';

/** Asked for together: each question to `node:crypto` costs as much as these. */
const POOL_BYTES = 4096;

export function createTurnCrypto(): TurnCrypto {
  const pool = new Uint8Array(POOL_BYTES);
  let used = POOL_BYTES;
  const randomFill = (bytes: Uint8Array): void => {
    const { length } = bytes;
    if (length > POOL_BYTES) return void randomFillSync(bytes);
    if (used + length > POOL_BYTES) {
      randomFillSync(pool);
      used = 0;
    }
    for (let i = 0; i < length; i++) {
      bytes[i] = pool[used] as number;
      pool[used++] = 0; // what was handed out must not be found in memory later
    }
  };
  const word = new Uint32Array(1);
  const wordBytes = new Uint8Array(word.buffer);
  const randomWord = (): number => {
    randomFill(wordBytes);
    return word[0] as number;
  };
  return {
    hmac: (algorithm, key, bytes, offset, length) =>
      createHmac(algorithm, key)
        .update(bytes.subarray(offset, offset + length))
        .digest(),
    digest: (algorithm, text) => createHash(algorithm).update(text, 'utf8').digest(),
    randomFill,
    randomBelow: (bound) => {
      // Words at the top that would make small results likelier are thrown away.
      const limit = 2 ** 32 - (2 ** 32 % bound);
      let word = randomWord();
      while (word >= limit) word = randomWord();
      return word % bound;
    },
  };
}
