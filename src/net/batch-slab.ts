/**
 * How the batch engine's slab is divided. Offsets count from the start of the slab.
 *
 *     receive slots | reserved slots | pieces of aggregates | area of the streams
 *
 * Every slot is large enough for the largest datagram, so 32 MiB are mapped; but a batch begins with
 * the first slot again, and only pages that packets have touched are ever backed by memory.
 */
import { HEADROOM_BYTES, RESERVED_SLOT_BYTES } from '../wire/datagram-io.ts';
import { STREAM_AREA_BYTES } from './engine.ts';

/** Packets, or aggregates of packets, that can be held at once. */
export const RECEIVE_SLOTS = 512;
/** The most bytes a UDP datagram, or an aggregate of several, can have. */
export const PACKET_BYTES_MAX = 65_536;
/** From slot to slot. Not a multiple of 4 KiB, or the starts of all packets would meet in the same cache sets. */
export const SLOT_STRIDE: number = PACKET_BYTES_MAX + 5 * 64;

export const RESERVED_SLOTS = 512;
export const RESERVED_OFFSET: number = RECEIVE_SLOTS * SLOT_STRIDE;

/** Room for pieces of aggregates, which need head and tail room of their own. */
export const PIECES_BYTES: number = 512 << 10;
export const PIECES_OFFSET: number = RESERVED_OFFSET + RESERVED_SLOTS * RESERVED_SLOT_BYTES;

export const STREAM_AREA_OFFSET: number = PIECES_OFFSET + PIECES_BYTES;
export const SLAB_BYTES: number = STREAM_AREA_OFFSET + STREAM_AREA_BYTES;

/** Offset of the packet in a receive slot. */
export function packetOffset(slot: number): number {
  return slot * SLOT_STRIDE + HEADROOM_BYTES;
}
