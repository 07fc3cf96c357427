/**
 * ChannelData (RFC 8656 §12.4):  | channel number (16) | length (16) | application data … |
 * On streams the message is padded to a multiple of 4 bytes, which the length does not count.
 */

export const CHANNEL_HEADER_BYTES = 4;
export const CHANNEL_NUMBER_MIN = 0x4000;
export const CHANNEL_NUMBER_MAX = 0x4fff;
/** RFC 5766 had more; RFC 8656 keeps the rest free for other protocols on a client's side of the port. */
export const CHANNEL_NUMBER_MAX_RFC5766 = 0x7fff;

/** Whether a message to or from a TURN client that starts with this byte is ChannelData, by either RFC. */
export function isChannelData(firstByte: number): boolean {
  return (firstByte & 0xc0) === 0x40;
}
