/**
 * RTP and RTCP headers (RFC 3550 §5.1, §6.4), read in place.
 *
 *      0                   1                   2                   3
 *     |V=2|P|X|  CC   |M|     PT      |        sequence number        |
 *     |                           timestamp                           |
 *     |                             SSRC                              |
 *     |                      CSRC, CC times …                         |
 *     |      extension's profile      |  its length in 32-bit words   |   where X is set
 *
 * Only {@link rtpHeaderLength} and {@link isRtcpPacket} check lengths; the readers of fields are for
 * packets that passed them.
 */
import { i32, u8, u16, u32 } from './bytes.ts';

export const RTP_HEADER_BYTES_MIN = 12;
/** First header of an RTCP packet: version and count, type, length, sender's SSRC. */
export const RTCP_HEADER_BYTES = 8;

const VERSION_MASK = 0xc0;
const VERSION_2 = 0x80;
const EXTENSION = 0x10;
const CSRC_COUNT_MASK = 0x0f;
const EXTENSION_HEADER_BYTES = 4;

/**
 * Bytes before the payload of the RTP packet of `length` bytes at `offset`: fixed header, CSRCs and
 * extension. -1 if the version is not 2 or they do not fit.
 */
export function rtpHeaderLength(bytes: Uint8Array, offset: number, length: number): number {
  if (length < RTP_HEADER_BYTES_MIN) return -1;
  const first = u8(bytes, offset);
  if ((first & VERSION_MASK) !== VERSION_2) return -1;
  let header = RTP_HEADER_BYTES_MIN + 4 * (first & CSRC_COUNT_MASK);
  if ((first & EXTENSION) !== 0) {
    if (header + EXTENSION_HEADER_BYTES > length) return -1;
    header += EXTENSION_HEADER_BYTES + 4 * u16(bytes, offset + header + 2);
  }
  return header <= length ? header : -1;
}

/**
 * Whether a packet on a port that RTP and RTCP share is RTCP (RFC 5761 §4): its type, read as RTP's marker
 * and payload type, falls where no RTP payload type may be. At least 2 bytes must be there.
 */
export function isRtcp(bytes: Uint8Array, offset: number): boolean {
  const type = u8(bytes, offset + 1) & 0x7f;
  return type >= 64 && type <= 95;
}

/** Whether `length` bytes at `offset` begin as an RTCP packet does: version 2, an RTCP type, room for the SSRC. */
export function isRtcpPacket(bytes: Uint8Array, offset: number, length: number): boolean {
  return (
    length >= RTCP_HEADER_BYTES &&
    (u8(bytes, offset) & VERSION_MASK) === VERSION_2 &&
    u8(bytes, offset + 1) >= 0x80 &&
    isRtcp(bytes, offset)
  );
}

export function rtpMarker(bytes: Uint8Array, offset: number): boolean {
  return u8(bytes, offset + 1) >= 0x80;
}

/** 0 to 127. */
export function rtpPayloadType(bytes: Uint8Array, offset: number): number {
  return u8(bytes, offset + 1) & 0x7f;
}

export function rtpSequence(bytes: Uint8Array, offset: number): number {
  return u16(bytes, offset + 2);
}

/** Unsigned, in units of the payload's clock. */
export function rtpTimestamp(bytes: Uint8Array, offset: number): number {
  return u32(bytes, offset + 4);
}

/** As a signed number: only to be compared. */
export function rtpSsrc(bytes: Uint8Array, offset: number): number {
  return i32(bytes, offset + 8);
}

/** 192 to 223. */
export function rtcpType(bytes: Uint8Array, offset: number): number {
  return u8(bytes, offset + 1);
}

/** SSRC of the sender of an RTCP packet, as a signed number: only to be compared. */
export function rtcpSsrc(bytes: Uint8Array, offset: number): number {
  return i32(bytes, offset + 4);
}
