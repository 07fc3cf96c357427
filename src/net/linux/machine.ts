/** What the engine needs of the machine besides sockets: its clock, short pauses, and descriptors enough. */
import { CLOCK_MONOTONIC, PR_SET_TIMERSLACK, RLIMIT_NOFILE } from './abi.ts';
import type { Libc, Native } from './libc.ts';
import type { Memory } from './memory.ts';

export const MACHINE_MEMORY_BYTES = 256;
/** Wanted as the limit on open descriptors where privileges allow: a relay is a descriptor. */
const DESCRIPTORS_WANTED = 1_048_576;
const LIMIT_MAX = 0x7fffffff;

export class Machine {
  readonly #libc: Libc;
  readonly #memory: Memory;
  readonly #scratch: number;
  readonly #scratchPointer: number;

  constructor(native: Native, memory: Memory) {
    this.#libc = native.libc;
    this.#memory = memory;
    this.#scratch = memory.carve(16);
    this.#scratchPointer = memory.pointer(this.#scratch, 16);
  }

  /** CLOCK_MONOTONIC in microseconds: one origin for all threads, that of process.hrtime. */
  nowMicroseconds(): number {
    this.#libc.clock_gettime(CLOCK_MONOTONIC, this.#scratchPointer);
    const word = this.#scratch >> 2;
    const seconds = (this.#memory.words[word] as number) >>> 0;
    const nanoseconds = this.#memory.words[word + 2] as number;
    return seconds * 1e6 + Math.floor(nanoseconds / 1000);
  }

  /** Lets this thread's pauses end when they should, not up to 50 µs later. */
  sharpenTimers(): void {
    this.#libc.prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
  }

  pause(microseconds: number): void {
    this.#libc.usleep(microseconds);
  }

  /** Raises the process's soft limit on descriptors as far as it may; returns what it is then. */
  raiseDescriptorLimit(): number {
    const { current, max } = this.#descriptorLimit();
    const wanted = Math.max(max, DESCRIPTORS_WANTED);
    if (current < wanted && !this.#setDescriptorLimit(wanted, wanted) && current < max) {
      this.#setDescriptorLimit(max, max);
    }
    return this.#descriptorLimit().current;
  }

  #descriptorLimit(): { current: number; max: number } {
    this.#libc.getrlimit(RLIMIT_NOFILE, this.#scratchPointer);
    return { current: this.#limitAt(this.#scratch), max: this.#limitAt(this.#scratch + 8) };
  }

  #setDescriptorLimit(current: number, max: number): boolean {
    this.#memory.poke32(this.#scratch, current);
    this.#memory.poke32(this.#scratch + 4, 0);
    this.#memory.poke32(this.#scratch + 8, max);
    this.#memory.poke32(this.#scratch + 12, 0);
    return this.#libc.setrlimit(RLIMIT_NOFILE, this.#scratchPointer) === 0;
  }

  /** A 64-bit limit; what 31 bits cannot hold (RLIM_INFINITY) is as good as the most they can. */
  #limitAt(at: number): number {
    const low = this.#memory.peek32(at);
    return this.#memory.peek32(at + 4) !== 0 || low < 0 ? LIMIT_MAX : low;
  }
}
