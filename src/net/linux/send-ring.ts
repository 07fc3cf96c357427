/**
 * Sending: the message headers of one sendmmsg(2), filled front to back and sent in one call. A
 * message is one packet, or several of equal size to one destination that the kernel or the network
 * card cuts apart (UDP_SEGMENT; the pieces are gathered from where they lie, nothing is copied).
 */

import { INET } from '../../wire/endpoint.ts';
import {
  CMSG_DATA,
  CMSG_LEVEL,
  CMSG_TYPE,
  IOVEC_BYTES,
  IOVEC_LENGTH,
  MMSGHDR_BYTES,
  MSG_CONTROL,
  MSG_CONTROLLEN,
  MSG_DONTWAIT,
  MSG_IOV,
  MSG_IOVLEN,
  MSG_NAME,
  MSG_NAMELEN,
  SOCKADDR_IN_BYTES,
  SOCKADDR_IN6_BYTES,
  SOL_UDP,
  UDP_SEGMENT,
} from './abi.ts';
import type { Libc, Native } from './libc.ts';
import type { Memory } from './memory.ts';

const CONTROL_BYTES = 24; // CMSG_SPACE(sizeof(uint16_t))
const CMSG_BYTES = CMSG_DATA + 2;

export function sendRingMemoryBytes(messages: number, pieces: number): number {
  return messages * (MMSGHDR_BYTES + CONTROL_BYTES) + pieces * IOVEC_BYTES + 512;
}

export class SendRing {
  readonly #libc: Libc;
  readonly #memory: Memory;
  readonly #messages: number;
  readonly #vectors: number;
  readonly #control: number;
  readonly #capacity: number;
  readonly #pieceCapacity: number;
  #count = 0;
  #pieces = 0;

  constructor(native: Native, memory: Memory, messages: number, pieces: number) {
    this.#libc = native.libc;
    this.#memory = memory;
    this.#capacity = messages;
    this.#pieceCapacity = pieces;
    this.#messages = memory.carve(messages * MMSGHDR_BYTES);
    this.#vectors = memory.carve(pieces * IOVEC_BYTES);
    this.#control = memory.carve(messages * CONTROL_BYTES);
    for (let i = 0; i < messages; i++) {
      const message = this.#messages + i * MMSGHDR_BYTES;
      const block = this.#control + i * CONTROL_BYTES;
      memory.pokePointer(message + MSG_NAME, 0, SOCKADDR_IN6_BYTES);
      memory.pokePointer(message + MSG_IOV, this.#vectors, IOVEC_BYTES);
      memory.pokePointer(message + MSG_CONTROL, block, CONTROL_BYTES);
      memory.poke32(block, CMSG_BYTES);
      memory.poke32(block + CMSG_LEVEL, SOL_UDP);
      memory.poke32(block + CMSG_TYPE, UDP_SEGMENT);
    }
    for (let i = 0; i < pieces; i++) memory.pokePointer(this.#vectors + i * IOVEC_BYTES, 0, 0);
  }

  /** Forgets the messages of the last call. */
  clear(): void {
    this.#count = 0;
    this.#pieces = 0;
  }

  /**
   * Begins a message to the sockaddr at `destination` (family INET or else INET6).
   * `segmentBytes`: the size of each packet but the last, or 0 for a message of one packet.
   * @throws RangeError when the ring is full.
   */
  begin(destination: number, family: number, segmentBytes: number): void {
    if (this.#count >= this.#capacity) throw new RangeError(`more than ${this.#capacity} messages`);
    const { words } = this.#memory;
    const index = this.#count++;
    const offset = this.#messages + index * MMSGHDR_BYTES;
    const message = offset >> 2;
    this.#memory.repointer(offset + MSG_NAME, destination, SOCKADDR_IN6_BYTES);
    words[message + (MSG_NAMELEN >> 2)] = family === INET ? SOCKADDR_IN_BYTES : SOCKADDR_IN6_BYTES;
    this.#memory.repointer(offset + MSG_IOV, this.#vectors + this.#pieces * IOVEC_BYTES, 0);
    words[message + (MSG_IOVLEN >> 2)] = 0;
    words[message + (MSG_CONTROLLEN >> 2)] = segmentBytes === 0 ? 0 : CONTROL_BYTES;
    words[(this.#control + index * CONTROL_BYTES + CMSG_DATA) >> 2] = segmentBytes;
  }

  /**
   * Adds `length` bytes at `offset` to the message begun last.
   * @throws RangeError when the ring is full, or the bytes lie outside the memory.
   */
  add(offset: number, length: number): void {
    if (this.#pieces >= this.#pieceCapacity) throw new RangeError(`more than ${this.#pieceCapacity} pieces`);
    const vector = this.#vectors + this.#pieces++ * IOVEC_BYTES;
    this.#memory.repointer(vector, offset, length);
    this.#memory.words[(vector + IOVEC_LENGTH) >> 2] = length;
    const message = (this.#messages + (this.#count - 1) * MMSGHDR_BYTES + MSG_IOVLEN) >> 2;
    this.#memory.words[message] = (this.#memory.words[message] as number) + 1;
  }

  /** Sends the messages from `first` on; returns how many the kernel took, or the negated errno. */
  send(fd: number, first: number): number {
    const count = this.#count - first;
    const pointer = this.#memory.pointer(this.#messages + first * MMSGHDR_BYTES, count * MMSGHDR_BYTES);
    const sent = this.#libc.sendmmsg(fd, pointer, count, MSG_DONTWAIT);
    return sent < 0 ? -this.#libc.errno() : Math.min(sent, count);
  }

  /**
   * Sends one packet at once, past the ring; returns 1, or the negated errno.
   * @throws RangeError if the bytes or the sockaddr lie outside the memory.
   */
  sendOne(fd: number, offset: number, length: number, destination: number, family: number): number {
    const sent = this.#libc.sendto(
      fd,
      this.#memory.pointer(offset, length),
      length,
      MSG_DONTWAIT,
      this.#memory.pointer(destination, SOCKADDR_IN6_BYTES),
      family === INET ? SOCKADDR_IN_BYTES : SOCKADDR_IN6_BYTES,
    );
    return sent < 0 ? -this.#libc.errno() : 1;
  }
}
