/**
 * The functions of libc that the batch engine calls, through koffi. Pointers are passed as plain
 * numbers (`uintptr_t`), which costs a third of what pointer objects cost.
 */
import { createRequire } from 'node:module';
import process from 'node:process';
import type * as Koffi from 'koffi';
import { EngineUnavailableError } from '../engine.ts';

/** Each returns what the C function returns; -1 means: see {@link Libc.errno}. */
export interface Libc {
  errno(): number;
  socket(family: number, type: number, protocol: number): number;
  bind(fd: number, address: number, length: number): number;
  connect(fd: number, address: number, length: number): number;
  getsockname(fd: number, address: number, lengthPointer: number): number;
  setsockopt(fd: number, level: number, name: number, value: number, length: number): number;
  getsockopt(fd: number, level: number, name: number, value: number, lengthPointer: number): number;
  sendto(fd: number, data: number, length: number, flags: number, to: number, toLength: number): number;
  recvfrom(
    fd: number,
    data: number,
    length: number,
    flags: number,
    from: number,
    fromLengthPointer: number,
  ): number;
  sendmmsg(fd: number, messages: number, count: number, flags: number): number;
  recvmmsg(fd: number, messages: number, count: number, flags: number, timeout: number): number;
  recvmsg(fd: number, message: number, flags: number): number;
  close(fd: number): number;
  read(fd: number, data: number, length: number): number;
  epoll_create1(flags: number): number;
  epoll_ctl(epoll: number, operation: number, fd: number, event: number): number;
  epoll_wait(epoll: number, events: number, eventsMax: number, timeoutMs: number): number;
  eventfd(initial: number, flags: number): number;
  mmap(
    address: number,
    length: number,
    protection: number,
    flags: number,
    fd: number,
    offset: number,
  ): number;
  madvise(address: number, length: number, advice: number): number;
  prctl(option: number, argument2: number, argument3: number, argument4: number, argument5: number): number;
  getrlimit(resource: number, limit: number): number;
  setrlimit(resource: number, limit: number): number;
  clock_gettime(clock: number, time: number): number;
  usleep(microseconds: number): number;
}

const PROTOTYPES: Readonly<Record<Exclude<keyof Libc, 'errno'>, string>> = {
  socket: 'int socket(int, int, int)',
  bind: 'int bind(int, uintptr_t, uint32_t)',
  connect: 'int connect(int, uintptr_t, uint32_t)',
  getsockname: 'int getsockname(int, uintptr_t, uintptr_t)',
  setsockopt: 'int setsockopt(int, int, int, uintptr_t, uint32_t)',
  getsockopt: 'int getsockopt(int, int, int, uintptr_t, uintptr_t)',
  sendto: 'int64_t sendto(int, uintptr_t, size_t, int, uintptr_t, uint32_t)',
  recvfrom: 'int64_t recvfrom(int, uintptr_t, size_t, int, uintptr_t, uintptr_t)',
  sendmmsg: 'int sendmmsg(int, uintptr_t, uint32_t, int)',
  recvmmsg: 'int recvmmsg(int, uintptr_t, uint32_t, int, uintptr_t)',
  recvmsg: 'int64_t recvmsg(int, uintptr_t, int)',
  close: 'int close(int)',
  read: 'int64_t read(int, uintptr_t, size_t)',
  epoll_create1: 'int epoll_create1(int)',
  epoll_ctl: 'int epoll_ctl(int, int, int, uintptr_t)',
  epoll_wait: 'int epoll_wait(int, uintptr_t, int, int)',
  eventfd: 'int eventfd(uint32_t, int)',
  mmap: 'uintptr_t mmap(uintptr_t, size_t, int, int, int, int64_t)',
  madvise: 'int madvise(uintptr_t, size_t, int)',
  prctl: 'int prctl(int, uint64_t, uint64_t, uint64_t, uint64_t)',
  getrlimit: 'int getrlimit(int, uintptr_t)',
  setrlimit: 'int setrlimit(int, uintptr_t)',
  clock_gettime: 'int clock_gettime(int, uintptr_t)',
  usleep: 'int usleep(uint32_t)',
};

/** A handle on the thread's event loop that watches a descriptor. */
export interface Watch {
  close(): void;
}

/** What `net/linux` needs of koffi. */
export interface Native {
  readonly libc: Libc;
  /**
   * A function of this process or its libraries, by its C prototype.
   * @throws EngineUnavailableError where there is none of that name.
   */
  resolve(prototype: string): unknown;
  /** A view of memory at an address; the caller answers for its bounds and its life. */
  view(address: number, length: number): ArrayBuffer;
  /** Calls `ready` from the thread's event loop whenever `fd` is readable. */
  watch(fd: number, ready: () => void): Watch;
}

let loaded: Native | undefined;

/**
 * Loads koffi and resolves libc, once per thread.
 * @throws EngineUnavailableError where that cannot be done.
 */
export function loadNative(): Native {
  if (process.platform !== 'linux')
    throw new EngineUnavailableError(`needs Linux: this is ${process.platform}`);
  if (process.arch !== 'x64' && process.arch !== 'arm64') {
    throw new EngineUnavailableError(`knows the structures of x64 and arm64 alone: this is ${process.arch}`);
  }
  loaded ??= load();
  return loaded;
}

function load(): Native {
  let koffi: typeof Koffi;
  let library: Koffi.LibraryHandle;
  try {
    koffi = createRequire(import.meta.url)('koffi');
    library = koffi.load(null);
  } catch (error) {
    throw new EngineUnavailableError(`koffi does not load: ${firstLine(error)}`);
  }
  const functions: Record<string, unknown> = { errno: () => koffi.errno() };
  for (const [name, prototype] of Object.entries(PROTOTYPES)) {
    try {
      functions[name] = library.func(prototype);
    } catch (error) {
      throw new EngineUnavailableError(`libc has no ${name}: ${firstLine(error)}`);
    }
  }
  return {
    libc: functions as unknown as Libc,
    resolve: (prototype) => {
      try {
        return library.func(prototype);
      } catch (error) {
        throw new EngineUnavailableError(`no function ${prototype}: ${firstLine(error)}`);
      }
    },
    view: (address, length) => koffi.view(BigInt(address), length),
    watch: (fd, ready) => koffi.node.poll(fd, { readable: true }, ready),
  };
}

function firstLine(error: unknown): string {
  return String(error instanceof Error ? error.message : error).split('\n', 1)[0] ?? '';
}
