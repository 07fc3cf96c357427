import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NONCE_BYTES, NONCE_LIFETIME_SECONDS, Nonces } from '../../../src/turn/nonces.ts';
import { EndpointBook } from '../../../src/wire/endpoint.ts';
import { holds } from '../../fuzz/seeded.ts';
import { hmac } from '../../fuzz/test-crypto.ts';

const KEY = new Uint8Array(32).fill(7);
const CLIENTS = ['192.0.2.1', '192.0.2.2', '::192.0.2.1', '2001:db8::1', '2001:db8::2'];

function setup(): { book: EndpointBook; nonces: Nonces } {
  return { book: new EndpointBook(2, 2), nonces: new Nonces(KEY, hmac) };
}

describe('a nonce', () => {
  it('is accepted from the client it was issued to, for its lifetime, and from no other', () => {
    const client = fc.record({
      address: fc.constantFrom(...CLIENTS),
      port: fc.constantFrom(1, 256, 5000, 5001),
    });
    const issuedAtMs = fc.nat(4_000_000_000);
    const laterMs = fc.integer({ min: -5000, max: 2 * NONCE_LIFETIME_SECONDS * 1000 });
    holds(
      fc.property(client, client, issuedAtMs, laterMs, (mine, theirs, issued, later) => {
        const { book, nonces } = setup();
        book.setText(0, mine.address, mine.port);
        book.setText(1, theirs.address, theirs.port);
        const nonce = nonces.issue(book, 0, issued).slice();
        const now = issued + later;
        const ageSeconds = Math.trunc(now / 1000) - Math.trunc(issued / 1000);
        const fresh = ageSeconds >= 0 && ageSeconds <= NONCE_LIFETIME_SECONDS;
        const same = mine.address === theirs.address && mine.port === theirs.port;
        expect(nonces.accepts(nonce, 0, nonce.length, book, 0, now)).toBe(fresh);
        expect(nonces.accepts(nonce, 0, nonce.length, book, 1, now)).toBe(fresh && same);
      }),
      2000,
    );
  });

  it('is refused with any one bit turned, a byte more, or a byte less', () => {
    const { book, nonces } = setup();
    book.setText(0, '2001:db8::1', 5000);
    const nonce = Buffer.concat([Buffer.alloc(3), nonces.issue(book, 0, 123_456_789), Buffer.alloc(3)]);
    const accepted = (length = NONCE_BYTES): boolean =>
      nonces.accepts(nonce, 3, length, book, 0, 123_456_789);
    expect(accepted()).toBe(true);
    for (let at = 3; at < 3 + NONCE_BYTES; at++) {
      for (let bit = 1; bit < 256; bit <<= 1) {
        nonce[at] = (nonce[at] as number) ^ bit;
        expect(accepted(), `bit ${bit} of byte ${at - 3}`).toBe(false);
        nonce[at] = (nonce[at] as number) ^ bit;
      }
    }
    for (const length of [0, 1, NONCE_BYTES - 1, NONCE_BYTES + 1, 128]) expect(accepted(length)).toBe(false);
  });

  it('is refused by a node with another key', () => {
    const { book, nonces } = setup();
    book.setText(0, '192.0.2.1', 5000);
    const nonce = nonces.issue(book, 0, 1000).slice();
    const other = new Nonces(new Uint8Array(32).fill(8), hmac);
    expect(other.accepts(nonce, 0, nonce.length, book, 0, 1000)).toBe(false);
  });

  it('is accepted by every worker with the same key', () => {
    const { book, nonces } = setup();
    book.setText(0, '192.0.2.1', 5000);
    const nonce = nonces.issue(book, 0, 1000).slice();
    expect(new Nonces(KEY, hmac).accepts(nonce, 0, nonce.length, book, 0, 1000)).toBe(true);
  });

  it('is text, with the nonce cookie and the security features of RFC 8489 §9.2 and §18.1 in front', () => {
    const { book, nonces } = setup();
    book.setText(0, '192.0.2.1', 5000);
    for (let seconds = 0; seconds < 2 ** 32; seconds = seconds * 3 + 1) {
      const text = Buffer.from(nonces.issue(book, 0, seconds * 1000)).toString('latin1');
      expect(text).toMatch(/^obMatJos2[A-Za-z0-9+/]{4}[A-Za-z0-9_-]{22}$/);
      const features = Buffer.from(text.slice(9, 13), 'base64').readUIntBE(0, 3);
      // Bit 0 is the most significant: password algorithms; bit 1: username anonymity.
      expect(features).toBe(0b1100_0000 << 16);
      expect(Buffer.from(text.slice(13), 'base64url').readUInt32BE(0)).toBe(seconds);
    }
  });
});
