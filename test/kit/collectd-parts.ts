/** Reads packets of collectd's binary protocol, as its documentation has it and independently of our writer. */

/** Type of a part and what is in it: text, a time in 2⁻³⁰ s, or the value of a gauge. */
export type CollectdPart = readonly [type: number, content: string | bigint | number];

const TYPE_INSTANCE = 5;
const VALUES = 6;
const TIME = 8;
const INTERVAL = 9;

/** @throws Error where the packet is no row of parts, or holds a value that is not one gauge */
export function collectdParts(packet: Uint8Array): CollectdPart[] {
  const bytes = Buffer.from(packet);
  const parts: CollectdPart[] = [];
  for (let offset = 0; offset < bytes.length; ) {
    const type = bytes.readUInt16BE(offset);
    const length = bytes.readUInt16BE(offset + 2);
    const content = bytes.subarray(offset + 4, offset + length);
    if (length < 4 || content.length !== length - 4)
      throw new Error(`a part of ${length} bytes at ${offset}`);
    parts.push([type, contentOf(type, content)]);
    offset += length;
  }
  return parts;
}

/** The gauges of a packet by type instance. */
export function collectdGauges(packet: Uint8Array): Record<string, number> {
  const gauges: Record<string, number> = {};
  let name = '';
  for (const [type, content] of collectdParts(packet)) {
    if (type === TYPE_INSTANCE) name = String(content);
    if (type === VALUES) gauges[name] = Number(content);
  }
  return gauges;
}

function contentOf(type: number, content: Buffer): string | bigint | number {
  if (type === TIME || type === INTERVAL) return content.readBigUInt64BE(0);
  if (type === VALUES) {
    // count (16), kind (8; 1 is a gauge), little-endian float
    if (content.length !== 11 || content.readUIntBE(0, 3) !== 0x000101) throw new Error('not one gauge');
    return content.readDoubleLE(3);
  }
  if (content.at(-1) !== 0) throw new Error('text without an end');
  return content.subarray(0, -1).toString('utf8');
}
