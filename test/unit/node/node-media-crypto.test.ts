/** What vectors and SRTP do not show of the portable back end: `conformance/srtp` holds it to published answers. */
import { createCipheriv, createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { aesKeystream, createNodeMediaCrypto } from '../../../src/node/node-media-crypto.ts';

const AT = 64;

describe('createNodeMediaCrypto', () => {
  it('works on the slab as it is, which may be a part of a larger buffer', () => {
    const whole = Buffer.alloc(512, 0x11);
    const slab = new Uint8Array(whole.buffer, whole.byteOffset + 100, 256);
    const crypto = createNodeMediaCrypto(slab);
    crypto.iv.fill(3);
    const cipher = crypto.counterMode(Buffer.alloc(16, 1));
    cipher.transform(AT, 20);
    const stream = aesKeystream(Buffer.alloc(16, 1))(Buffer.alloc(16, 3), 20);
    expect(whole.subarray(100 + AT, 120 + AT)).toEqual(Buffer.from(stream.map((byte) => byte ^ 0x11)));
    expect(whole.subarray(120 + AT).every((byte) => byte === 0x11)).toBe(true);
    cipher.transform(AT, 20); // with the same counter block, which it kept
    expect(whole.every((byte) => byte === 0x11)).toBe(true);
  });

  it('signs a message with a trailer as if the trailer stood behind it, and leaves it alone', () => {
    const slab = Buffer.alloc(256, 0x22);
    const crypto = createNodeMediaCrypto(slab);
    const hmac = crypto.hmacSha1(Buffer.from('key'));
    hmac.sign(AT, 30, true, -2);
    const message = Buffer.concat([Buffer.alloc(30, 0x22), Buffer.from('fffffffe', 'hex')]);
    const expected = createHmac('sha1', 'key').update(message).digest();
    expect([...crypto.digest]).toEqual([0, 4, 8, 12, 16].map((at) => expected.readInt32BE(at)));
    expect(slab.every((byte) => byte === 0x22)).toBe(true);
  });

  it('streams from any counter block on, over the carry of the counter', () => {
    const block = Buffer.alloc(16, 0xff);
    const stream = aesKeystream(Buffer.alloc(32, 9));
    const expected = createCipheriv('aes-256-ctr', Buffer.alloc(32, 9), block).update(Buffer.alloc(40));
    expect(Buffer.from(stream(block, 40))).toEqual(expected);
    expect(Buffer.from(stream(block, 7))).toEqual(expected.subarray(0, 7));
  });

  it('keeps keys of its own: the caller may wipe theirs, and free wipes only these', () => {
    const slab = Buffer.alloc(256);
    const crypto = createNodeMediaCrypto(slab);
    const key = Buffer.alloc(16, 5);
    const cipher = crypto.counterMode(key);
    const expected = aesKeystream(key)(crypto.iv, 16);
    key.fill(0);
    cipher.transform(AT, 16);
    expect(slab.subarray(AT, AT + 16)).toEqual(Buffer.from(expected));
    const other = Buffer.alloc(16, 6);
    crypto.counterMode(other).free();
    expect(other).toEqual(Buffer.alloc(16, 6));
  });
});
