/**
 * ChannelData (RFC 8656 §12.4):  | channel number (16) | length (16) | application data … |
 * On streams the message is padded to a multiple of 4 bytes, which the length does not count.
 */

export const CHANNEL_HEADER_BYTES = 4;
export const CHANNEL_NUMBER_MIN = 0x4000;
export const CHANNEL_NUMBER_MAX = 0x4fff;
