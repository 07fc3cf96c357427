/**
 * The error queue of a socket with IP_RECVERR on: ICMP errors that came for packets sent from it,
 * each with the destination of the packet it is about (ip(7), ipv6(7), cmsg(3)).
 */
import {
  CMSG_DATA,
  CMSG_LEVEL,
  CMSG_TYPE,
  EE_CODE,
  EE_ERRNO,
  EE_INFO,
  EE_ORIGIN,
  EE_TYPE,
  EMSGSIZE,
  IP_RECVERR,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPV6_RECVERR,
  MMSGHDR_BYTES,
  MSG_CONTROL,
  MSG_CONTROLLEN,
  MSG_CTRUNC,
  MSG_DONTWAIT,
  MSG_ERRQUEUE,
  MSG_FLAGS,
  MSG_NAME,
  MSG_NAMELEN,
  SO_EE_ORIGIN_ICMP,
  SO_EE_ORIGIN_ICMP6,
  SO_EE_ORIGIN_LOCAL,
  SOCK_EXTENDED_ERR_BYTES,
  SOCKADDR_IN6_BYTES,
} from './abi.ts';
import type { Libc, Native } from './libc.ts';
import type { Memory } from './memory.ts';

const CONTROL_BYTES = 256;

export const ERROR_QUEUE_MEMORY_BYTES: number = MMSGHDR_BYTES + CONTROL_BYTES + 256;

/** Outcomes of {@link ErrorQueue.next}. */
export const ERROR_QUEUE_EMPTY = 0;
/** Something was in the queue that is no ICMP error. */
export const ERROR_QUEUE_OTHER = 1;
export const ERROR_QUEUE_ICMP = 2;

export class ErrorQueue {
  /** The error {@link next} found: ICMP or ICMPv6 type and code, and the MTU of "too big" or 0. */
  type = 0;
  code = 0;
  info = 0;
  readonly #libc: Libc;
  readonly #memory: Memory;
  readonly #message: number;
  readonly #messagePointer: number;
  readonly #control: number;

  /** Destinations are written to the sockaddr at `destination`. */
  constructor(native: Native, memory: Memory, destination: number) {
    this.#libc = native.libc;
    this.#memory = memory;
    this.#message = memory.carve(MMSGHDR_BYTES);
    this.#messagePointer = memory.pointer(this.#message, MMSGHDR_BYTES);
    this.#control = memory.carve(CONTROL_BYTES);
    memory.pokePointer(this.#message + MSG_NAME, destination, SOCKADDR_IN6_BYTES);
    memory.pokePointer(this.#message + MSG_CONTROL, this.#control, CONTROL_BYTES);
  }

  /** Takes the oldest error from the socket's queue; its payload is of no interest. */
  next(fd: number): number {
    const memory = this.#memory;
    const message = this.#message;
    memory.poke32(message + MSG_NAMELEN, SOCKADDR_IN6_BYTES);
    memory.poke32(message + MSG_CONTROLLEN, CONTROL_BYTES);
    if (this.#libc.recvmsg(fd, this.#messagePointer, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
      return ERROR_QUEUE_EMPTY;
    if ((memory.peek32(message + MSG_FLAGS) & MSG_CTRUNC) !== 0) return ERROR_QUEUE_OTHER;
    return this.parse(this.#control, memory.peek32(message + MSG_CONTROLLEN));
  }

  /** Reads what the kernel says are `controlBytes` of control messages at `control`, where there is room for 256. */
  parse(control: number, controlBytes: number): number {
    const memory = this.#memory;
    const end = control + Math.min(controlBytes, CONTROL_BYTES);
    let block = control;
    while (block + CMSG_DATA <= end) {
      const length = memory.peek32(block) >>> 0;
      if (length < CMSG_DATA || block + length > end) return ERROR_QUEUE_OTHER;
      const level = memory.peek32(block + CMSG_LEVEL);
      const type = memory.peek32(block + CMSG_TYPE);
      const isError =
        (level === IPPROTO_IP && type === IP_RECVERR) || (level === IPPROTO_IPV6 && type === IPV6_RECVERR);
      if (isError && length >= CMSG_DATA + SOCK_EXTENDED_ERR_BYTES) {
        return this.#extendedError(block + CMSG_DATA, level === IPPROTO_IPV6);
      }
      block += (length + 7) & ~7;
    }
    return ERROR_QUEUE_OTHER;
  }

  #extendedError(at: number, isIPv6: boolean): number {
    const memory = this.#memory;
    const origin = memory.peek8(at + EE_ORIGIN);
    const errno = memory.peek32(at + EE_ERRNO);
    this.info = errno === EMSGSIZE ? memory.peek32(at + EE_INFO) >>> 0 : 0;
    if (origin === SO_EE_ORIGIN_ICMP || origin === SO_EE_ORIGIN_ICMP6) {
      this.type = memory.peek8(at + EE_TYPE);
      this.code = memory.peek8(at + EE_CODE);
      return ERROR_QUEUE_ICMP;
    }
    if (origin !== SO_EE_ORIGIN_LOCAL || errno !== EMSGSIZE) return ERROR_QUEUE_OTHER;
    // This host knew the path's MTU already: the same news as the router's own message would be.
    this.type = isIPv6 ? 2 : 3; // ICMPv6 packet too big; ICMP destination unreachable,
    this.code = isIPv6 ? 0 : 4; // fragmentation needed and DF set
    return ERROR_QUEUE_ICMP;
  }
}
