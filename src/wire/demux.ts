/** What a packet is, by its first byte (RFC 7983 §7, RFC 8656 §12). */
import { u8 } from './bytes.ts';

export const KIND_STUN = 0;
export const KIND_CHANNEL_DATA = 1;
export const KIND_DTLS = 2;
export const KIND_RTP = 3;
export const KIND_OTHER = 4;

/** The kind of a packet of at least one byte. RTP includes RTCP and their encrypted forms. */
export function kindOf(bytes: Uint8Array, offset: number): number {
  const first = u8(bytes, offset);
  if (first < 4) return KIND_STUN;
  if (first >= 0x40 && first < 0x50) return KIND_CHANNEL_DATA;
  if (first >= 128 && first < 192) return KIND_RTP;
  if (first >= 20 && first < 64) return KIND_DTLS;
  return KIND_OTHER;
}
