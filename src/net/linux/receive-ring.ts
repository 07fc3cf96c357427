/**
 * Receiving into slots: recvmmsg(2) for sockets that have many packets, recvfrom(2) for those that
 * have one. The source of the packet in slot i is written to the i-th sockaddr of the book, and what
 * the kernel says about lengths is checked against the slot before anyone may use it.
 */
import {
  CMSG_DATA,
  CMSG_LEVEL,
  CMSG_TYPE,
  IOVEC_BYTES,
  IOVEC_LENGTH,
  MMSG_LENGTH,
  MMSGHDR_BYTES,
  MSG_CONTROL,
  MSG_CONTROLLEN,
  MSG_DONTWAIT,
  MSG_FLAGS,
  MSG_IOV,
  MSG_IOVLEN,
  MSG_NAME,
  MSG_NAMELEN,
  MSG_TRUNC,
  SOCKADDR_IN6_BYTES,
  SOL_UDP,
  UDP_GRO,
} from './abi.ts';
import type { Libc, Native } from './libc.ts';
import type { Memory } from './memory.ts';

const CONTROL_BYTES = 32; // a cmsghdr, the int of UDP_GRO, and padding
const GRO_CMSG_BYTES = CMSG_DATA + 4;

/** Where the slots and their sockaddrs lie in the memory. */
export interface SlotLayout {
  readonly slots: number;
  /** Offset of the first slot's packet, and from one packet to the next. */
  readonly packets: number;
  readonly packetStride: number;
  /** The most bytes one packet, or one aggregate of packets, may have. */
  readonly packetBytesMax: number;
  /** Offset of the first slot's sockaddr, and from one to the next. */
  readonly sources: number;
  readonly sourceStride: number;
}

export function receiveRingMemoryBytes(slots: number): number {
  return slots * (MMSGHDR_BYTES + IOVEC_BYTES + CONTROL_BYTES) + 512;
}

export class ReceiveRing {
  readonly #libc: Libc;
  readonly #memory: Memory;
  readonly #layout: SlotLayout;
  readonly #messages: number;
  readonly #control: number;
  readonly #sourceLength: number;
  readonly #sourceLengthPointer: number;

  constructor(native: Native, memory: Memory, layout: SlotLayout) {
    this.#libc = native.libc;
    this.#memory = memory;
    this.#layout = layout;
    const { slots, packets, packetStride, packetBytesMax, sources, sourceStride } = layout;
    this.#messages = memory.carve(slots * MMSGHDR_BYTES);
    const vectors = memory.carve(slots * IOVEC_BYTES);
    this.#control = memory.carve(slots * CONTROL_BYTES);
    this.#sourceLength = memory.carve(4);
    this.#sourceLengthPointer = memory.pointer(this.#sourceLength, 4);
    for (let slot = 0; slot < slots; slot++) {
      const message = this.#messages + slot * MMSGHDR_BYTES;
      const vector = vectors + slot * IOVEC_BYTES;
      memory.pokePointer(message + MSG_NAME, sources + slot * sourceStride, SOCKADDR_IN6_BYTES);
      memory.pokePointer(message + MSG_IOV, vector, IOVEC_BYTES);
      memory.poke32(message + MSG_IOVLEN, 1);
      memory.pokePointer(message + MSG_CONTROL, this.#control + slot * CONTROL_BYTES, CONTROL_BYTES);
      memory.pokePointer(vector, packets + slot * packetStride, packetBytesMax);
      memory.poke32(vector + IOVEC_LENGTH, packetBytesMax);
    }
  }

  /**
   * Fills slots from `first` on with what the socket has, `count` at most; returns how many, or the
   * negated errno. `aggregates`: whether the socket has {@link UDP_GRO} on.
   */
  receiveMany(fd: number, first: number, count: number, aggregates: boolean): number {
    const { words } = this.#memory;
    const messages = this.#messages + first * MMSGHDR_BYTES;
    const pointer = this.#memory.pointer(messages, count * MMSGHDR_BYTES);
    const controlBytes = aggregates ? CONTROL_BYTES : 0;
    for (let i = 0; i < count; i++) {
      const message = (messages + i * MMSGHDR_BYTES) >> 2;
      words[message + (MSG_NAMELEN >> 2)] = SOCKADDR_IN6_BYTES;
      words[message + (MSG_CONTROLLEN >> 2)] = controlBytes;
    }
    const received = this.#libc.recvmmsg(fd, pointer, count, MSG_DONTWAIT, 0);
    return received < 0 ? -this.#libc.errno() : Math.min(received, count);
  }

  /** After {@link receiveMany}: the bytes in the slot, or -1 if there were more than it can hold. */
  length(slot: number): number {
    const message = (this.#messages + slot * MMSGHDR_BYTES) >> 2;
    const length = this.#memory.words[message + (MMSG_LENGTH >> 2)] as number;
    const truncated = ((this.#memory.words[message + (MSG_FLAGS >> 2)] as number) & MSG_TRUNC) !== 0;
    return truncated || length < 0 || length > this.#layout.packetBytesMax ? -1 : length;
  }

  /** After {@link receiveMany}: the size of each packet but the last in the slot's aggregate; 0: it is one packet. */
  segmentBytes(slot: number): number {
    const { words } = this.#memory;
    const message = (this.#messages + slot * MMSGHDR_BYTES) >> 2;
    if ((words[message + (MSG_CONTROLLEN >> 2)] as number) < GRO_CMSG_BYTES) return 0;
    const control = (this.#control + slot * CONTROL_BYTES) >> 2;
    if (words[control + (CMSG_LEVEL >> 2)] !== SOL_UDP || words[control + (CMSG_TYPE >> 2)] !== UDP_GRO)
      return 0;
    return Math.max(0, words[control + (CMSG_DATA >> 2)] as number);
  }

  /** Receives one packet into the slot: its length, -1 if it does not fit, or the negated errno less 1. */
  receiveOne(fd: number, slot: number): number {
    const { packets, packetStride, packetBytesMax, sources, sourceStride } = this.#layout;
    this.#memory.words[this.#sourceLength >> 2] = SOCKADDR_IN6_BYTES;
    const length = this.#libc.recvfrom(
      fd,
      this.#memory.pointer(packets + slot * packetStride, packetBytesMax),
      packetBytesMax,
      MSG_DONTWAIT | MSG_TRUNC,
      this.#memory.pointer(sources + slot * sourceStride, SOCKADDR_IN6_BYTES),
      this.#sourceLengthPointer,
    );
    if (length < 0) return -this.#libc.errno() - 1;
    return length > packetBytesMax ? -1 : length;
  }
}
