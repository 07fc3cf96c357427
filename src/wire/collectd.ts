/**
 * The binary protocol of collectd's network plugin, written: gauges alone, neither signed nor encrypted.
 *
 * A packet is a row of parts, each  | type (16) | length with this header (16) | data … |  in big-endian order.
 * Text ends with a zero byte; times are 64-bit counts of 2⁻³⁰ s. A part holds until another of its type replaces
 * it, so what all gauges share stands once at the head of a packet. The one exception to big-endian: the 64-bit
 * float of a gauge is little-endian.
 */
import { setU8, setU16 } from './bytes.ts';

/** As collectd's own: fits an IPv6 packet of 1500 bytes with room for a tunnel. */
export const COLLECTD_PACKET_BYTES_MAX = 1452;
/** collectd cuts identifiers to 128 bytes with the zero byte at the end. */
export const COLLECTD_TEXT_BYTES_MAX = 127;

/** What all gauges of a packet have in common. */
export interface CollectdHead {
  readonly host: string;
  /** When the gauges were read: Unix time, milliseconds. */
  readonly timeMs: number;
  /** Until the next ones are sent. */
  readonly intervalSeconds: number;
  readonly plugin: string;
  /** Empty: none. */
  readonly pluginInstance: string;
  /** A type of collectd's types.db with one data source that is a gauge. */
  readonly type: string;
}

export interface CollectdGauge {
  /** collectd's type instance. */
  readonly name: string;
  readonly value: number;
}

const HOST = 0x0000;
const PLUGIN = 0x0002;
const PLUGIN_INSTANCE = 0x0003;
const TYPE = 0x0004;
const TYPE_INSTANCE = 0x0005;
const VALUES = 0x0006;
const TIME_HIGH_RESOLUTION = 0x0008;
const INTERVAL_HIGH_RESOLUTION = 0x0009;

const GAUGE = 1;
const PART_HEADER_BYTES = 4;
/** Header, one value: count (16), its kind (8), the float (64). */
const VALUES_PART_BYTES = PART_HEADER_BYTES + 2 + 1 + 8;

/**
 * The gauges in as few packets as hold them, in their order; none where there are no gauges.
 * Text is made fit for a collectd identifier: control characters and `/` become `_`, what is longer than
 * {@link COLLECTD_TEXT_BYTES_MAX} bytes of UTF-8 is cut.
 */
export function collectdPackets(head: CollectdHead, gauges: readonly CollectdGauge[]): Uint8Array[] {
  const start = concatenate([
    textPart(HOST, head.host),
    timePart(TIME_HIGH_RESOLUTION, head.timeMs),
    timePart(INTERVAL_HIGH_RESOLUTION, head.intervalSeconds * 1000),
    textPart(PLUGIN, head.plugin),
    textPart(PLUGIN_INSTANCE, head.pluginInstance),
    textPart(TYPE, head.type),
  ]);
  const packets: Uint8Array[] = [];
  let parts: Uint8Array[] = [];
  let lengthBytes = start.length;
  const finish = (): void => {
    if (parts.length > 0) packets.push(concatenate([start, ...parts]));
  };
  for (const { name, value } of gauges) {
    const part = concatenate([textPart(TYPE_INSTANCE, name), gaugePart(value)]);
    if (lengthBytes + part.length > COLLECTD_PACKET_BYTES_MAX) {
      finish();
      parts = [];
      lengthBytes = start.length;
    }
    parts.push(part);
    lengthBytes += part.length;
  }
  finish();
  return packets;
}

function part(type: number, lengthBytes: number): Uint8Array {
  const bytes = new Uint8Array(lengthBytes);
  setU16(bytes, 0, type);
  setU16(bytes, 2, lengthBytes);
  return bytes;
}

function textPart(type: number, text: string): Uint8Array {
  const content = identifierBytes(text);
  const bytes = part(type, PART_HEADER_BYTES + content.length + 1);
  bytes.set(content, PART_HEADER_BYTES);
  return bytes;
}

function timePart(type: number, milliseconds: number): Uint8Array {
  const bytes = part(type, PART_HEADER_BYTES + 8);
  const units = (BigInt(Math.round(milliseconds)) << 30n) / 1000n;
  new DataView(bytes.buffer).setBigUint64(PART_HEADER_BYTES, units);
  return bytes;
}

function gaugePart(value: number): Uint8Array {
  const bytes = part(VALUES, VALUES_PART_BYTES);
  setU16(bytes, PART_HEADER_BYTES, 1);
  setU8(bytes, PART_HEADER_BYTES + 2, GAUGE);
  new DataView(bytes.buffer).setFloat64(PART_HEADER_BYTES + 3, value, true);
  return bytes;
}

function identifierBytes(text: string): Uint8Array {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not reach a collectd
  const bytes = new TextEncoder().encode(text.replace(/[\u0000-\u001f\u007f/]/g, '_'));
  if (bytes.length <= COLLECTD_TEXT_BYTES_MAX) return bytes;
  let end = COLLECTD_TEXT_BYTES_MAX;
  while (((bytes[end] as number) & 0xc0) === 0x80) end--; // not within a character
  return bytes.subarray(0, end);
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const bytes of parts) {
    whole.set(bytes, offset);
    offset += bytes.length;
  }
  return whole;
}
