/** UDP sockets as descriptors: opening them with their options, and asking about them. Control plane. */

import {
  OPEN_ADDRESS_UNAVAILABLE,
  OPEN_PORT_IN_USE,
  OPEN_RESOURCES_EXHAUSTED,
} from '../../wire/datagram-io.ts';
import { INET } from '../../wire/endpoint.ts';
import {
  EADDRINUSE,
  EMFILE,
  ENFILE,
  ENOBUFS,
  ENOMEM,
  IP_MTU_DISCOVER,
  IP_PMTUDISC_DO,
  IP_PMTUDISC_OMIT,
  IP_RECVERR,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPV6_DONTFRAG,
  IPV6_RECVERR,
  IPV6_V6ONLY,
  SO_ERROR,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SO_REUSEPORT,
  SO_SNDBUF,
  SO_SNDBUFFORCE,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCKADDR_IN_BYTES,
  SOCKADDR_IN6_BYTES,
  SOL_SOCKET,
  SOL_UDP,
  UDP_GRO,
} from './abi.ts';
import type { Libc, Native } from './libc.ts';
import type { Memory } from './memory.ts';

export const DATAGRAM_SOCKETS_MEMORY_BYTES = 256;

export interface SocketOptions {
  /** Listeners share their port (SO_REUSEPORT); relays hear of ICMP errors (IP_RECVERR). */
  readonly role: 'listener' | 'relay';
  /** Whether the kernel may hand over several packets of a flow as one (UDP_GRO). */
  readonly aggregates: boolean;
  readonly bufferBytes: number;
}

export class DatagramSockets {
  readonly #libc: Libc;
  readonly #memory: Memory;
  readonly #value: number;
  readonly #valuePointer: number;
  readonly #lengthPointer: number;
  readonly #length: number;
  #mayForceBuffers = true;

  constructor(native: Native, memory: Memory) {
    this.#libc = native.libc;
    this.#memory = memory;
    this.#value = memory.carve(4);
    this.#valuePointer = memory.pointer(this.#value, 4);
    this.#length = memory.carve(4);
    this.#lengthPointer = memory.pointer(this.#length, 4);
  }

  /** Opens a socket on the sockaddr at `local`; returns its descriptor or an `OPEN_…` reason. */
  open(local: number, family: number, options: SocketOptions): number {
    const fd = this.#libc.socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return this.#reason();
    const isIPv4 = family === INET;
    if (!isIPv4) this.#set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    if (options.role === 'listener') this.#set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    else if (isIPv4) this.#set(fd, IPPROTO_IP, IP_RECVERR, 1);
    else this.#set(fd, IPPROTO_IPV6, IPV6_RECVERR, 1);
    // DF clear, whatever anyone's ICMP messages say about the path; IP_PMTUDISC_DONT would be the same,
    // but a socket that has it is not told when a packet it sent with DF did not fit (RFC 8656 §11.5).
    if (isIPv4) this.#set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT);
    if (options.aggregates) this.#set(fd, SOL_UDP, UDP_GRO, 1);
    this.#setBuffers(fd, options.bufferBytes);
    const length = isIPv4 ? SOCKADDR_IN_BYTES : SOCKADDR_IN6_BYTES;
    if (this.#libc.bind(fd, this.#memory.pointer(local, length), length) === 0) return fd;
    const reason = this.#reason();
    this.#libc.close(fd);
    return reason;
  }

  close(fd: number): void {
    this.#libc.close(fd);
  }

  /** Writes the socket's own address to the sockaddr at `into`; false if it is no socket. */
  localAddress(fd: number, into: number): boolean {
    this.#memory.poke32(this.#length, SOCKADDR_IN6_BYTES);
    const pointer = this.#memory.pointer(into, SOCKADDR_IN6_BYTES);
    return this.#libc.getsockname(fd, pointer, this.#lengthPointer) === 0;
  }

  receiveBufferBytes(fd: number): number {
    return this.#get(fd, SOL_SOCKET, SO_RCVBUF);
  }

  sendBufferBytes(fd: number): number {
    return this.#get(fd, SOL_SOCKET, SO_SNDBUF);
  }

  /** Takes the socket's pending error, so that it does not come up in place of the next call's result. */
  takeError(fd: number): number {
    return this.#get(fd, SOL_SOCKET, SO_ERROR);
  }

  /** Whether packets go out unfragmented or not at all from now on. False if the kernel refuses. */
  setDontFragment(fd: number, family: number, on: boolean): boolean {
    if (family !== INET) return this.#set(fd, IPPROTO_IPV6, IPV6_DONTFRAG, on ? 1 : 0);
    return this.#set(fd, IPPROTO_IP, IP_MTU_DISCOVER, on ? IP_PMTUDISC_DO : IP_PMTUDISC_OMIT);
  }

  /** Beyond net.core.rmem_max and wmem_max if privileges allow, else as far as those let. */
  #setBuffers(fd: number, bytes: number): void {
    if (this.#mayForceBuffers) {
      this.#mayForceBuffers =
        this.#set(fd, SOL_SOCKET, SO_RCVBUFFORCE, bytes) && this.#set(fd, SOL_SOCKET, SO_SNDBUFFORCE, bytes);
      if (this.#mayForceBuffers) return;
    }
    this.#set(fd, SOL_SOCKET, SO_RCVBUF, bytes);
    this.#set(fd, SOL_SOCKET, SO_SNDBUF, bytes);
  }

  #set(fd: number, level: number, name: number, value: number): boolean {
    this.#memory.poke32(this.#value, value);
    return this.#libc.setsockopt(fd, level, name, this.#valuePointer, 4) === 0;
  }

  #get(fd: number, level: number, name: number): number {
    this.#memory.poke32(this.#value, 0);
    this.#memory.poke32(this.#length, 4);
    this.#libc.getsockopt(fd, level, name, this.#valuePointer, this.#lengthPointer);
    return this.#memory.peek32(this.#value);
  }

  #reason(): number {
    switch (this.#libc.errno()) {
      case EADDRINUSE:
        return OPEN_PORT_IN_USE;
      case EMFILE:
      case ENFILE:
      case ENOMEM:
      case ENOBUFS:
        return OPEN_RESOURCES_EXHAUSTED;
      default:
        return OPEN_ADDRESS_UNAVAILABLE;
    }
  }
}
