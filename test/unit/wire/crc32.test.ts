import { crc32 as zlibCrc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc32 } from '../../../src/wire/crc32.ts';
import { holds } from '../../fuzz/seeded.ts';

describe('crc32', () => {
  it('has the published check value of CRC-32/ISO-HDLC', () => {
    expect(crc32(Buffer.from('123456789'), 0, 9) >>> 0).toBe(0xcbf43926);
  });

  it('of nothing is 0', () => {
    expect(crc32(Buffer.from('abc'), 1, 0)).toBe(0);
  });

  it('covers exactly the bytes it is told to', () => {
    holds(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(40), fc.nat(40), (bytes, before, after) => {
        const surrounded = Buffer.concat([Buffer.alloc(before, 0x5a), bytes, Buffer.alloc(after, 0xa5)]);
        const expected = bitByBit(bytes);
        expect(crc32(surrounded, before, bytes.length) >>> 0).toBe(expected);
        // zlib's crc32 came with Node 20.15.
        expect(zlibCrc32(bytes)).toBe(expected);
      }),
    );
  });
});

/** The definition: a polynomial division, bit by bit. */
function bitByBit(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}
