/**
 * The generator's sockets on Linux: system calls through FFI, from one thread that never blocks for
 * longer than it is told. A packet is sent with one `sendto`, stamped as late as possible; what
 * arrives is read in batches, with the kernel's own time of arrival (SO_TIMESTAMPNS), so that a
 * reader that comes late does not look like a slow server.
 */
import { EngineUnavailableError } from '../net/engine.ts';
import {
  CMSG_DATA,
  CMSG_LEVEL,
  CMSG_TYPE,
  EAGAIN,
  ECONNREFUSED,
  ENOBUFS,
  EPOLL_CLOEXEC,
  EPOLL_CTL_ADD,
  EPOLL_EVENT_BYTES,
  EPOLL_EVENT_DATA,
  EPOLLIN,
  IOVEC_BYTES,
  IOVEC_LENGTH,
  IPPROTO_IPV6,
  IPV6_V6ONLY,
  MMSG_LENGTH,
  MMSGHDR_BYTES,
  MSG_CONTROL,
  MSG_CONTROLLEN,
  MSG_IOV,
  MSG_IOVLEN,
  PR_SET_TIMERSLACK,
  RLIMIT_NOFILE,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SO_SNDBUF,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCKADDR_IN_BYTES,
  SOCKADDR_IN6_BYTES,
  SOL_SOCKET,
} from '../net/linux/abi.ts';
import { type Libc, loadNative, type Native } from '../net/linux/libc.ts';
import { Memory } from '../net/linux/memory.ts';
import { createOpenSslCrypto, OPENSSL_MEMORY_BYTES } from '../net/linux/openssl.ts';
import { ENDPOINT_BYTES, EndpointBook, INET, INET6 } from '../wire/endpoint.ts';
import type { MediaCrypto } from '../wire/media-crypto.ts';
import {
  type GeneratorIo,
  type GeneratorReceiver,
  PACKET_HEADROOM_BYTES,
  PACKET_TAILROOM_BYTES,
  SEND_AREA_BYTES,
  SEND_FAILED,
  SEND_FULL,
  SEND_OK,
  SEND_REFUSED,
} from './generator-io.ts';

// What of <asm-generic/socket.h> and <time.h> no engine needs.
const SO_TIMESTAMPNS = 35;
const SO_MEMINFO = 55;
const MEMINFO_BYTES = 36;
const MEMINFO_DROPS = 32;
const CLOCK_REALTIME = 0;

/** Datagrams read with one recvmmsg. */
const BATCH = 32;
/** What a datagram may have: more than any media packet, and any reply about one call. */
const DATAGRAM_BYTES_MAX = 8192;
const SLOT_BYTES = PACKET_HEADROOM_BYTES + DATAGRAM_BYTES_MAX + PACKET_TAILROOM_BYTES;
/** Sockets reported ready by one epoll_wait. */
const EVENTS = 256;
/** One control message with a timespec, bytes. */
const CONTROL_BYTES = CMSG_DATA + 16;
const SEND_BUFFER_BYTES = 1_048_576;
const DESCRIPTORS_WANTED = 1_048_576;

/** Waits shorter than this are spent polling: a sleeping thread comes back 30–60 µs late. */
const SPIN_NS = 150_000;
/** A sleep ends this much before its time; the rest is spent polling. */
const SLEEP_MARGIN_NS = 90_000;
/** The longest sleep: receive buffers must not fill up meanwhile. */
const SLEEP_NS_MAX = 1_000_000;
const NS_PER_US = 1_000;
const NS_PER_MS = 1_000_000;
const NS_PER_SECOND = 1_000_000_000;
const RECALIBRATE_NS = NS_PER_SECOND;

/**
 * Prepares the generator's sockets, with `endpoints` rows in the endpoint book.
 * @throws EngineUnavailableError where FFI cannot work.
 */
export function createLinuxIo(endpoints: number): GeneratorIo {
  return new LinuxIo(endpoints);
}

class LinuxIo implements GeneratorIo {
  readonly kind = 'linux';
  readonly bytes: Uint8Array;
  readonly endpoints: EndpointBook;
  readonly sendOffset: number;
  receiver: GeneratorReceiver = () => {};
  refusals = 0;

  readonly #native: Native;
  readonly #libc: Libc;
  readonly #arena: Memory;
  readonly #book: Memory;
  readonly #words: Int32Array;
  readonly #messages: number;
  readonly #controls: number;
  readonly #slots: number;
  readonly #events: number;
  /** For the small structures of single calls. */
  readonly #scratch: number;
  readonly #messagesPointer: number;
  readonly #eventsPointer: number;
  readonly #epoll: number;
  #descriptors: Int32Array = new Int32Array(64);
  #sockets = 0;
  /** Real time, seconds, from which nanoseconds count: keeps them small enough to be exact. */
  readonly #originSeconds: number;
  /** Nanoseconds to add to this thread's monotonic clock. */
  #clockOffsetNs = 0;
  #calibratedNs = 0;

  constructor(endpoints: number) {
    const native = loadNative();
    this.#native = native;
    this.#libc = native.libc;
    const perMessage = MMSGHDR_BYTES + IOVEC_BYTES + CONTROL_BYTES + SLOT_BYTES;
    this.#arena = new Memory(
      native,
      OPENSSL_MEMORY_BYTES +
        PACKET_HEADROOM_BYTES +
        SEND_AREA_BYTES +
        BATCH * perMessage +
        EVENTS * EPOLL_EVENT_BYTES +
        4096,
    );
    this.#book = new Memory(native, endpoints * ENDPOINT_BYTES);
    this.bytes = this.#arena.bytes;
    this.#words = this.#arena.words;
    this.endpoints = new EndpointBook(endpoints, 0, this.#book.buffer);
    this.sendOffset = this.#arena.carve(PACKET_HEADROOM_BYTES + SEND_AREA_BYTES) + PACKET_HEADROOM_BYTES;
    this.#messages = this.#arena.carve(BATCH * MMSGHDR_BYTES);
    this.#controls = this.#arena.carve(BATCH * CONTROL_BYTES);
    this.#slots = this.#arena.carve(BATCH * SLOT_BYTES) + PACKET_HEADROOM_BYTES;
    this.#events = this.#arena.carve(EVENTS * EPOLL_EVENT_BYTES);
    this.#scratch = this.#arena.carve(64);
    this.#messagesPointer = this.#arena.pointer(this.#messages, BATCH * MMSGHDR_BYTES);
    this.#eventsPointer = this.#arena.pointer(this.#events, EVENTS * EPOLL_EVENT_BYTES);
    this.#prepareSlots(this.#arena.carve(BATCH * IOVEC_BYTES));
    this.#raiseDescriptorLimit();
    this.#libc.prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
    this.#epoll = this.#libc.epoll_create1(EPOLL_CLOEXEC);
    this.#originSeconds = this.#readRealTime();
    this.#calibrate();
  }

  async open(local: number, remote: number, receiveBufferBytes: number): Promise<number> {
    const descriptor = this.#createSocket(
      this.endpoints.family(remote >= 0 ? remote : local),
      receiveBufferBytes,
    );
    if (local >= 0) this.#must('cannot bind', local, this.#libc.bind(descriptor, ...this.#sockaddr(local)));
    if (remote >= 0) {
      this.#must('cannot reach', remote, this.#libc.connect(descriptor, ...this.#sockaddr(remote)));
    }
    if (this.#sockets === this.#descriptors.length) {
      const larger = new Int32Array(this.#sockets * 2);
      larger.set(this.#descriptors);
      this.#descriptors = larger;
    }
    const socket = this.#sockets++;
    this.#descriptors[socket] = descriptor;
    // The scratch begins a cache line, so its event may lie there whatever the packing.
    this.#arena.poke32(this.#scratch, EPOLLIN);
    this.#arena.poke32(this.#scratch + EPOLL_EVENT_DATA, socket);
    const event = this.#arena.pointer(this.#scratch, EPOLL_EVENT_BYTES);
    this.#libc.epoll_ctl(this.#epoll, EPOLL_CTL_ADD, descriptor, event);
    return socket;
  }

  localEndpoint(socket: number, row: number): void {
    this.#arena.poke32(this.#scratch, SOCKADDR_IN6_BYTES);
    const [address] = this.#sockaddr(row);
    this.#libc.getsockname(this.#descriptor(socket), address, this.#arena.pointer(this.#scratch, 4));
  }

  send(socket: number, offset: number, length: number, destination: number): number {
    const data = this.#arena.pointer(offset, length);
    const descriptor = this.#descriptor(socket);
    let sent: number;
    if (destination < 0) {
      sent = this.#libc.sendto(descriptor, data, length, 0, 0, 0);
    } else {
      const to = this.#book.pointer(destination * ENDPOINT_BYTES, ENDPOINT_BYTES);
      sent = this.#libc.sendto(descriptor, data, length, 0, to, this.#sockaddrBytes(destination));
    }
    if (sent >= 0) return SEND_OK;
    const errno = this.#libc.errno();
    if (errno === EAGAIN || errno === ENOBUFS) return SEND_FULL;
    if (errno !== ECONNREFUSED) return SEND_FAILED;
    this.refusals++;
    return SEND_REFUSED;
  }

  idle(waitNs: number, wakeOnPacket: boolean): undefined {
    const endNs = this.nowNs() + waitNs;
    if (endNs - this.#calibratedNs > RECALIBRATE_NS) this.#calibrate();
    this.#receiveReady(wakeOnPacket ? Math.floor(waitNs / NS_PER_MS) : 0);
    if (wakeOnPacket) return;
    const leftNs = endNs - this.nowNs();
    if (leftNs > SPIN_NS) {
      this.#libc.usleep(Math.floor(Math.min(leftNs - SLEEP_MARGIN_NS, SLEEP_NS_MAX) / NS_PER_US));
    }
  }

  mediaCrypto(): MediaCrypto | undefined {
    try {
      return createOpenSslCrypto(this.#native, this.#arena, 0, this.#arena.size);
    } catch (error) {
      if (error instanceof EngineUnavailableError) return undefined;
      throw error;
    }
  }

  nowNs(): number {
    return Math.trunc(performance.now() * NS_PER_MS + this.#clockOffsetNs);
  }

  ownDrops(): number {
    const length = this.#scratch;
    const info = this.#scratch + 8;
    let drops = 0;
    for (let socket = 0; socket < this.#sockets; socket++) {
      this.#arena.poke32(length, MEMINFO_BYTES);
      const descriptor = this.#descriptor(socket);
      const infoPointer = this.#arena.pointer(info, MEMINFO_BYTES);
      const lengthPointer = this.#arena.pointer(length, 4);
      const failed =
        this.#libc.getsockopt(descriptor, SOL_SOCKET, SO_MEMINFO, infoPointer, lengthPointer) < 0;
      if (failed) return -1;
      drops += this.#arena.peek32(info + MEMINFO_DROPS);
    }
    return drops;
  }

  close(): void {
    for (let socket = 0; socket < this.#sockets; socket++) this.#libc.close(this.#descriptor(socket));
    this.#sockets = 0;
    this.#libc.close(this.#epoll);
  }

  #receiveReady(timeoutMs: number): void {
    const events = this.#libc.epoll_wait(this.#epoll, this.#eventsPointer, EVENTS, timeoutMs);
    for (let i = 0; i < events; i++) {
      this.#receiveFrom(
        this.#words[(this.#events + i * EPOLL_EVENT_BYTES + EPOLL_EVENT_DATA) >> 2] as number,
      );
    }
  }

  #receiveFrom(socket: number): void {
    const words = this.#words;
    const count = this.#libc.recvmmsg(this.#descriptor(socket), this.#messagesPointer, BATCH, 0, 0);
    if (count < 0 && this.#libc.errno() === ECONNREFUSED) this.refusals++;
    for (let i = 0; i < count; i++) {
      const message = this.#messages + i * MMSGHDR_BYTES;
      const length = Math.min(words[(message + MMSG_LENGTH) >> 2] as number, DATAGRAM_BYTES_MAX);
      const receivedNs = this.#arrivalNs(i, words[(message + MSG_CONTROLLEN) >> 2] as number);
      words[(message + MSG_CONTROLLEN) >> 2] = CONTROL_BYTES; // the kernel wrote what it used
      this.receiver(socket, this.bytes, this.#slots + i * SLOT_BYTES, length, receivedNs);
    }
  }

  /** Time of arrival of the batch's message, from its control data. */
  #arrivalNs(message: number, controlLength: number): number {
    const words = this.#words;
    const control = this.#controls + message * CONTROL_BYTES;
    const isTime =
      controlLength >= CONTROL_BYTES &&
      words[(control + CMSG_LEVEL) >> 2] === SOL_SOCKET &&
      words[(control + CMSG_TYPE) >> 2] === SO_TIMESTAMPNS;
    if (!isTime) return this.nowNs();
    const seconds = (words[(control + CMSG_DATA) >> 2] as number) - this.#originSeconds;
    return seconds * NS_PER_SECOND + (words[(control + CMSG_DATA + 8) >> 2] as number);
  }

  #prepareSlots(iovecs: number): void {
    const arena = this.#arena;
    for (let i = 0; i < BATCH; i++) {
      const message = this.#messages + i * MMSGHDR_BYTES;
      const iovec = iovecs + i * IOVEC_BYTES;
      arena.pokePointer(message + MSG_IOV, iovec, IOVEC_BYTES);
      arena.poke32(message + MSG_IOVLEN, 1);
      arena.pokePointer(message + MSG_CONTROL, this.#controls + i * CONTROL_BYTES, CONTROL_BYTES);
      arena.poke32(message + MSG_CONTROLLEN, CONTROL_BYTES);
      arena.pokePointer(iovec, this.#slots + i * SLOT_BYTES, DATAGRAM_BYTES_MAX);
      arena.poke32(iovec + IOVEC_LENGTH, DATAGRAM_BYTES_MAX);
    }
  }

  #createSocket(family: number, receiveBufferBytes: number): number {
    const descriptor = this.#libc.socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) throw new Error(`cannot open a socket: ${this.#reason()}`);
    if (family === INET6) this.#setOption(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    // Past the system's limit (net.core.rmem_max) for root alone.
    if (this.#setOption(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, receiveBufferBytes) < 0) {
      this.#setOption(descriptor, SOL_SOCKET, SO_RCVBUF, receiveBufferBytes);
    }
    this.#setOption(descriptor, SOL_SOCKET, SO_SNDBUF, SEND_BUFFER_BYTES);
    this.#setOption(descriptor, SOL_SOCKET, SO_TIMESTAMPNS, 1);
    return descriptor;
  }

  #setOption(descriptor: number, level: number, name: number, value: number): number {
    this.#arena.poke32(this.#scratch, value);
    return this.#libc.setsockopt(descriptor, level, name, this.#arena.pointer(this.#scratch, 4), 4);
  }

  /** Open files: the soft limit goes up to the hard one; as root both go up. */
  #raiseDescriptorLimit(): void {
    const limit = this.#arena.pointer(this.#scratch, 16); // struct rlimit { u64 soft; u64 hard }
    if (this.#libc.getrlimit(RLIMIT_NOFILE, limit) < 0) return;
    const words = this.#words.subarray(this.#scratch >> 2, (this.#scratch >> 2) + 4);
    const [, , hard = 0, hardUpper = 0] = words;
    if (hardUpper === 0 && hard > 0 && hard < DESCRIPTORS_WANTED) {
      words.set([DESCRIPTORS_WANTED, 0, DESCRIPTORS_WANTED, 0]);
      if (this.#libc.setrlimit(RLIMIT_NOFILE, limit) === 0) return;
    }
    words.set([hard, hardUpper, hard, hardUpper]);
    this.#libc.setrlimit(RLIMIT_NOFILE, limit);
  }

  #descriptor(socket: number): number {
    return this.#descriptors[socket] as number;
  }

  /** Pointer and length of a row, as system calls want them. */
  #sockaddr(row: number): [address: number, length: number] {
    return [this.#book.pointer(row * ENDPOINT_BYTES, ENDPOINT_BYTES), this.#sockaddrBytes(row)];
  }

  #sockaddrBytes(row: number): number {
    return this.endpoints.family(row) === INET ? SOCKADDR_IN_BYTES : SOCKADDR_IN6_BYTES;
  }

  #must(what: string, row: number, result: number): void {
    if (result < 0) throw new Error(`${what} ${this.endpoints.text(row)}: ${this.#reason()}`);
  }

  #reason(): string {
    const errno = this.#libc.errno();
    return REASONS[errno] ?? `errno ${errno}`;
  }

  /** Whole seconds of the real time; its nanoseconds stay in the scratch area. */
  #readRealTime(): number {
    this.#libc.clock_gettime(CLOCK_REALTIME, this.#arena.pointer(this.#scratch, 16));
    return this.#arena.peek32(this.#scratch);
  }

  /** Ties the thread's monotonic clock, which is cheap to read, to the real time of the kernel's stamps. */
  #calibrate(): void {
    let narrowestMs = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 5; i++) {
      const beforeMs = performance.now();
      const seconds = this.#readRealTime() - this.#originSeconds;
      const afterMs = performance.now();
      if (afterMs - beforeMs >= narrowestMs) continue;
      narrowestMs = afterMs - beforeMs;
      const realNs = seconds * NS_PER_SECOND + this.#arena.peek32(this.#scratch + 8);
      this.#clockOffsetNs = realNs - ((beforeMs + afterMs) / 2) * NS_PER_MS;
    }
    this.#calibratedNs = this.nowNs();
  }
}

const REASONS: Readonly<Record<number, string>> = {
  13: 'permission denied (EACCES)',
  24: 'too many open files (EMFILE): raise ulimit -n',
  97: 'address family not supported (EAFNOSUPPORT)',
  98: 'address in use (EADDRINUSE)',
  99: 'no such local address (EADDRNOTAVAIL)',
  101: 'network unreachable (ENETUNREACH)',
  113: 'no route to host (EHOSTUNREACH)',
};
