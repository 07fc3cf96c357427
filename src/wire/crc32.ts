/** CRC-32 as of ISO 3309 / ITU V.42 (reflected, polynomial 0xEDB88320), for STUN's FINGERPRINT. */

const table = new Int32Array(256);
for (let n = 0; n < 256; n++) {
  let value = n;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  table[n] = value;
}

/** Signed 32-bit CRC of `length` bytes at `offset`. */
export function crc32(bytes: Uint8Array, offset: number, length: number): number {
  let crc = -1;
  for (let i = offset; i < offset + length; i++) {
    crc = (crc >>> 8) ^ (table[(crc ^ (bytes[i] as number)) & 0xff] as number);
  }
  return ~crc;
}
