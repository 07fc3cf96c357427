/**
 * The payload of a load generator's packet: an RTP header, so that a server that looks at media
 * lets it pass, then what the receiving side needs to tell loss, order and latency.
 *
 *      0  | 0x80 | payload type 0 | sequence, low 16 bits     |   RTP (RFC 3550 §5.1)
 *      4  | sequence × 160                                    |   RTP timestamp: 20 ms at 8 kHz
 *      8  | run tag (16)          | flow (16)                 |   RTP SSRC
 *     12  | sequence (32)                                     |
 *     16  | sent at, nanoseconds (64)                         |
 *     24  | filler                                            |
 */
import { setU16, setU32, u16, u32 } from '../wire/bytes.ts';

export const PROBE_BYTES_MIN = 24;
/** Fits an Ethernet frame with a Data indication around it, over IPv6. */
export const PROBE_BYTES_MAX = 1392;
/** Flows are numbered in 16 bits. */
export const PROBE_FLOWS_MAX = 65_536;

const RTP_VERSION_2 = 0x8000;
const TIMESTAMP_STEP = 160;
const WORD = 2 ** 32;

/** Writes the first {@link PROBE_BYTES_MIN} bytes; the filler is the caller's. `sentNs`: whole, up to 2^53. */
export function writeProbe(
  bytes: Uint8Array,
  offset: number,
  runTag: number,
  flow: number,
  sequence: number,
  sentNs: number,
): void {
  setU16(bytes, offset, RTP_VERSION_2);
  setU16(bytes, offset + 2, sequence);
  setU32(bytes, offset + 4, sequence * TIMESTAMP_STEP);
  setU16(bytes, offset + 8, runTag);
  setU16(bytes, offset + 10, flow);
  setU32(bytes, offset + 12, sequence);
  setU32(bytes, offset + 16, sentNs / WORD);
  setU32(bytes, offset + 20, sentNs % WORD);
}

/** Whether sequence number and timestamp of the RTP header are those the probe was sent with. */
export function hasProbeHeader(bytes: Uint8Array, offset: number): boolean {
  const sequence = probeSequence(bytes, offset);
  return (
    u16(bytes, offset + 2) === (sequence & 0xffff) &&
    u32(bytes, offset + 4) === (sequence * TIMESTAMP_STEP) % WORD
  );
}

/** Whether `length` bytes at `offset` are a probe of this run. */
export function isProbe(bytes: Uint8Array, offset: number, length: number, runTag: number): boolean {
  return (
    length >= PROBE_BYTES_MIN && u16(bytes, offset) === RTP_VERSION_2 && u16(bytes, offset + 8) === runTag
  );
}

export function probeFlow(bytes: Uint8Array, offset: number): number {
  return u16(bytes, offset + 10);
}

export function probeSequence(bytes: Uint8Array, offset: number): number {
  return u32(bytes, offset + 12);
}

/** When the probe was sent, nanoseconds of the sender's clock. */
export function probeSentNs(bytes: Uint8Array, offset: number): number {
  return u32(bytes, offset + 16) * WORD + u32(bytes, offset + 20);
}
