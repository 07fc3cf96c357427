/**
 * Big-endian accessors over a byte array, the one way cores read and write the wire.
 *
 * An offset outside the array reads as 0 and writes nowhere (typed-array semantics), so a parser
 * must check lengths before it trusts what it read; none of these throws.
 */

export function u8(bytes: Uint8Array, offset: number): number {
  return bytes[offset] as number;
}

export function u16(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset] as number) << 8) | (bytes[offset + 1] as number);
}

/** Unsigned 32 bits. */
export function u32(bytes: Uint8Array, offset: number): number {
  return i32(bytes, offset) >>> 0;
}

/** 32 bits as a signed number: cheaper than {@link u32} where only equality or bits matter. */
export function i32(bytes: Uint8Array, offset: number): number {
  return (
    ((bytes[offset] as number) << 24) |
    ((bytes[offset + 1] as number) << 16) |
    ((bytes[offset + 2] as number) << 8) |
    (bytes[offset + 3] as number)
  );
}

export function setU8(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value;
}

export function setU16(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >>> 8;
  bytes[offset + 1] = value;
}

export function setU32(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >>> 24;
  bytes[offset + 1] = value >>> 16;
  bytes[offset + 2] = value >>> 8;
  bytes[offset + 3] = value;
}

/** An element of a typed array whose index the caller has already bounded. */
export function at(array: Int32Array | Uint32Array | Float64Array | Uint16Array, index: number): number {
  return array[index] as number;
}
