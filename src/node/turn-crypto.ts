/** Cryptography and randomness for the TURN core, from `node:crypto`. */
import { createHash, createHmac, randomFillSync } from 'node:crypto';
import type { TurnCrypto } from '../turn/settings.ts';

const POOL_WORDS = 1024;

export function createTurnCrypto(): TurnCrypto {
  const pool = new Uint32Array(POOL_WORDS);
  let used = POOL_WORDS;
  const randomWord = (): number => {
    if (used === POOL_WORDS) {
      randomFillSync(pool);
      used = 0;
    }
    const word = pool[used] as number;
    pool[used++] = 0; // what was handed out must not be found in memory later
    return word;
  };
  return {
    hmac: (algorithm, key, bytes, offset, length) =>
      createHmac(algorithm, key)
        .update(bytes.subarray(offset, offset + length))
        .digest(),
    digest: (algorithm, text) => createHash(algorithm).update(text, 'utf8').digest(),
    randomFill: (bytes) => void randomFillSync(bytes),
    randomBelow: (bound) => {
      // Words at the top that would make small results likelier are thrown away.
      const limit = 2 ** 32 - (2 ** 32 % bound);
      let word = randomWord();
      while (word >= limit) word = randomWord();
      return word % bound;
    },
  };
}
