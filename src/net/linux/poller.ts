/**
 * epoll(7), level-triggered, with an eventfd by which other threads end a wait.
 * Each descriptor is watched under a mark of two words that comes back with its events.
 */

import { EngineUnavailableError } from '../engine.ts';
import {
  EFD_CLOEXEC,
  EFD_NONBLOCK,
  EINTR,
  EPOLL_CLOEXEC,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_EVENT_BYTES,
  EPOLL_EVENT_DATA,
  EPOLLERR,
  EPOLLIN,
} from './abi.ts';
import type { Native, Watch } from './libc.ts';
import type { Memory } from './memory.ts';

/** Events taken from the kernel at once. */
export const EVENTS_MAX = 256;
export const POLLER_MEMORY_BYTES: number = (EVENTS_MAX + 1) * EPOLL_EVENT_BYTES + 256;

/** The first word of the wake descriptor's mark. */
export const WAKE_MARK = -1;

export class Poller {
  readonly wakeDescriptor: number;
  readonly #native: Native;
  readonly #memory: Memory;
  readonly #bytes: DataView;
  readonly #epoll: number;
  readonly #events: number;
  readonly #eventsPointer: number;
  readonly #control: number;
  readonly #scratch: number;

  /** @throws EngineUnavailableError if the kernel refuses a descriptor. */
  constructor(native: Native, memory: Memory) {
    this.#native = native;
    this.#memory = memory;
    this.#bytes = new DataView(memory.buffer);
    this.#events = memory.carve(EVENTS_MAX * EPOLL_EVENT_BYTES);
    this.#eventsPointer = memory.pointer(this.#events, EVENTS_MAX * EPOLL_EVENT_BYTES);
    this.#control = memory.carve(EPOLL_EVENT_BYTES);
    this.#scratch = memory.carve(8);
    const { libc } = native;
    this.#epoll = libc.epoll_create1(EPOLL_CLOEXEC);
    if (this.#epoll < 0) throw new EngineUnavailableError(`epoll_create1 fails with errno ${libc.errno()}`);
    this.wakeDescriptor = libc.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (this.wakeDescriptor < 0 || !this.add(this.wakeDescriptor, WAKE_MARK, 0)) {
      const errno = libc.errno();
      this.close();
      throw new EngineUnavailableError(`eventfd fails with errno ${errno}`);
    }
  }

  /** Watches a descriptor for packets and errors; false if the kernel refuses. */
  add(fd: number, mark: number, generation: number): boolean {
    this.#bytes.setUint32(this.#control, EPOLLIN, true);
    this.#bytes.setInt32(this.#control + EPOLL_EVENT_DATA, mark, true);
    this.#bytes.setInt32(this.#control + EPOLL_EVENT_DATA + 4, generation, true);
    const event = this.#memory.pointer(this.#control, EPOLL_EVENT_BYTES);
    return this.#native.libc.epoll_ctl(this.#epoll, EPOLL_CTL_ADD, fd, event) === 0;
  }

  remove(fd: number): void {
    const event = this.#memory.pointer(this.#control, EPOLL_EVENT_BYTES);
    this.#native.libc.epoll_ctl(this.#epoll, EPOLL_CTL_DEL, fd, event);
  }

  /** Waits at most `timeoutMs`; returns how many events there are, 0 also after an interrupt. */
  wait(timeoutMs: number): number {
    const { libc } = this.#native;
    const count = libc.epoll_wait(this.#epoll, this.#eventsPointer, EVENTS_MAX, timeoutMs);
    if (count >= 0) return Math.min(count, EVENTS_MAX);
    const errno = libc.errno();
    if (errno === EINTR) return 0;
    throw new Error(`epoll_wait fails with errno ${errno}`);
  }

  mark(event: number): number {
    return this.#bytes.getInt32(this.#events + event * EPOLL_EVENT_BYTES + EPOLL_EVENT_DATA, true);
  }

  generation(event: number): number {
    return this.#bytes.getInt32(this.#events + event * EPOLL_EVENT_BYTES + EPOLL_EVENT_DATA + 4, true);
  }

  readable(event: number): boolean {
    return (this.#bytes.getUint32(this.#events + event * EPOLL_EVENT_BYTES, true) & EPOLLIN) !== 0;
  }

  failed(event: number): boolean {
    return (this.#bytes.getUint32(this.#events + event * EPOLL_EVENT_BYTES, true) & EPOLLERR) !== 0;
  }

  /** Takes back what was written to the wake descriptor. */
  clearWake(): void {
    this.#native.libc.read(this.wakeDescriptor, this.#memory.pointer(this.#scratch, 8), 8);
  }

  /** Has the thread's event loop call `ready` whenever {@link wait} would return at once. */
  watch(ready: () => void): Watch {
    return this.#native.watch(this.#epoll, ready);
  }

  close(): void {
    if (this.wakeDescriptor >= 0) this.#native.libc.close(this.wakeDescriptor);
    this.#native.libc.close(this.#epoll);
  }
}
