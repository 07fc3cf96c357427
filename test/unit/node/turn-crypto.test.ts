import { describe, expect, it } from 'vitest';
import { createTurnCrypto } from '../../../src/node/turn-crypto.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

describe('the cryptography of the TURN core', () => {
  const crypto = createTurnCrypto();

  it('hashes as RFC 2202 (test case 2) and RFC 4231 (test case 2) say', () => {
    const data = text('..what do ya want for nothing?..');
    expect(hex(crypto.hmac('sha1', text('Jefe'), data, 2, 28))).toBe(
      'effcdf6ae5eb2fa2d27416d5f184df9c259a7c79',
    );
    expect(hex(crypto.hmac('sha256', text('Jefe'), data, 2, 28))).toBe(
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    );
  });

  it('makes the key of RFC 8489 §9.2.2', () => {
    expect(hex(crypto.digest('md5', 'user:realm:pass'))).toBe('8493fbc53ba582fb4c044c456bdc40eb');
  });

  it('draws every number below a bound, and none beyond', () => {
    const drawn = new Set(Array.from({ length: 3000 }, () => crypto.randomBelow(7)));
    expect([...drawn].sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(crypto.randomBelow(1)).toBe(0);
    expect(crypto.randomBelow(2 ** 32)).toBeLessThan(2 ** 32);
  });
});
