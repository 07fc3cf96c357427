/** `net/linux` against a kernel that lies: nothing it says lets an address or a length leave the memory. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  EE_INFO,
  EINTR,
  EINVAL,
  EMSGSIZE,
  MMSG_LENGTH,
  MMSGHDR_BYTES,
  MSG_CONTROLLEN,
  MSG_FLAGS,
  MSG_TRUNC,
} from '../../../src/net/linux/abi.ts';
import {
  ERROR_QUEUE_EMPTY,
  ERROR_QUEUE_ICMP,
  ERROR_QUEUE_OTHER,
  ErrorQueue,
} from '../../../src/net/linux/error-queue.ts';
import type { Libc, Native } from '../../../src/net/linux/libc.ts';
import { Memory } from '../../../src/net/linux/memory.ts';
import { EVENTS_MAX, Poller } from '../../../src/net/linux/poller.ts';
import { ReceiveRing } from '../../../src/net/linux/receive-ring.ts';
import { SendRing } from '../../../src/net/linux/send-ring.ts';

const BASE = 0x7f00_0001_0000;
const SIZE = 1 << 20;

/** As the kernel does when low addresses are taken. */
function mmapHigh(wanted: number): number {
  return wanted === 0 ? BASE : 2 ** 64 - 1;
}

/** A libc whose calls fail unless the test says otherwise. */
function native(libc: Partial<Libc> = {}): Native {
  return {
    libc: { mmap: mmapHigh, errno: () => EINVAL, ...libc } as Libc,
    resolve: () => undefined,
    view: (_address, length) => new ArrayBuffer(length),
    watch: () => ({ close: () => {} }),
  };
}

const bad = [-1, -65_536, SIZE, SIZE + 1, 2 ** 31, 2 ** 32, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY];

describe('memory outside the heap', () => {
  it('gives addresses of what is inside alone', () => {
    const memory = new Memory(native(), SIZE);
    expect(memory.pointer(0, SIZE)).toBe(BASE);
    expect(memory.pointer(SIZE, 0)).toBe(BASE + SIZE);
    for (const offset of bad.filter((offset) => offset !== SIZE)) {
      expect(() => memory.pointer(offset, 0), `offset ${offset}`).toThrow(RangeError);
    }
    for (const length of bad.filter((length) => length !== SIZE)) {
      expect(() => memory.pointer(0, length), `length ${length}`).toThrow(RangeError);
    }
    fc.assert(
      fc.property(fc.integer(), fc.integer(), (offset, length) => {
        const inside = offset >= 0 && length >= 0 && offset + length <= SIZE;
        if (inside) expect(memory.pointer(offset, length)).toBe(BASE + offset);
        else expect(() => memory.pointer(offset, length)).toThrow(RangeError);
      }),
    );
  });

  it('peeks and pokes inside alone, and at whole words', () => {
    const memory = new Memory(native(), SIZE);
    memory.poke32(8, -2);
    expect(memory.peek32(8)).toBe(-2);
    expect(memory.peek8(8)).toBe(0xfe);
    for (const at of [...bad, 1, 2, SIZE - 3]) {
      expect(() => memory.poke32(at, 1), `at ${at}`).toThrow(RangeError);
      expect(() => memory.peek32(at), `at ${at}`).toThrow(RangeError);
    }
    for (const at of bad) expect(() => memory.peek8(at), `at ${at}`).toThrow(RangeError);
    expect(() => memory.pokePointer(0, SIZE, 1)).toThrow(RangeError);
    expect(() => memory.pokePointer(SIZE, 0, 1)).toThrow(RangeError);
    expect(() => memory.repointer(0, 0, SIZE + 1)).toThrow(RangeError);
  });

  it('writes addresses as the 64 bits they are', () => {
    const memory = new Memory(native(), SIZE);
    memory.pokePointer(16, 4096, 10);
    expect(new DataView(memory.buffer).getBigUint64(16, true)).toBe(BigInt(BASE + 4096));
    memory.repointer(16, 8192, 10);
    expect(new DataView(memory.buffer).getBigUint64(16, true)).toBe(BigInt(BASE + 8192));
  });

  it('lies below 2^31 if there is room, for the sake of small numbers', () => {
    const taken = new Set([2 ** 30, 2 ** 30 + SIZE]);
    const mmap = (wanted: number): number => (taken.has(wanted) ? 2 ** 64 - 1 : wanted);
    expect(new Memory(native({ mmap }), SIZE).pointer(0, SIZE)).toBe(2 ** 30 + 2 * SIZE);
  });

  it('never lies across a boundary where an address’s upper word changes', () => {
    const addresses = [2 ** 32 * 5 - 4096, 2 ** 32 * 4];
    const mmap = (wanted: number): number => (wanted === 0 ? (addresses.shift() as number) : -1);
    const memory = new Memory(native({ mmap }), SIZE);
    expect(memory.pointer(0, 1)).toBe(2 ** 32 * 4);
  });

  it('says that it cannot be had when the kernel refuses', () => {
    expect(() => new Memory(native({ mmap: () => 2 ** 64 - 1 }), SIZE)).toThrow(
      /mmap of 1048576 bytes fails/,
    );
  });

  it('is used up at its end', () => {
    const memory = new Memory(native(), SIZE);
    memory.carve(SIZE - 64);
    expect(memory.carve(64)).toBe(SIZE - 64);
    expect(() => memory.carve(1)).toThrow(RangeError);
    expect(() => memory.carve(-1)).toThrow(RangeError);
  });
});

describe('the receive ring', () => {
  const layout = {
    slots: 4,
    packets: 4096,
    packetStride: 2048,
    packetBytesMax: 1500,
    sources: 0,
    sourceStride: 32,
  };

  /** A ring whose kernel does `lie` to the first of the message headers. */
  function lying(lie: (memory: Memory, message: number) => number): { ring: ReceiveRing; memory: Memory } {
    const libc: Partial<Libc> = {
      recvmmsg: (_fd, messages) => lie(memory, messages - BASE),
      recvfrom: () => lie(memory, 0),
    };
    const system = native(libc);
    const memory = new Memory(system, SIZE);
    memory.carve(64 << 10);
    return { ring: new ReceiveRing(system, memory, layout), memory };
  }

  it('believes no count above what it asked for', () => {
    const { ring } = lying(() => 1000);
    expect(ring.receiveMany(1, 1, 3, true)).toBe(3);
  });

  it.each([1501, 65_536, 2 ** 31 - 1, -1])('believes no length of %i in a slot of 1500', (length) => {
    const { ring } = lying((memory, message) => {
      memory.poke32(message + MMSG_LENGTH, length);
      return 1;
    });
    ring.receiveMany(1, 0, 1, false);
    expect(ring.length(0)).toBe(-1);
  });

  it('takes a truncated packet for none', () => {
    const { ring } = lying((memory, message) => {
      memory.poke32(message + MMSG_LENGTH, 1500);
      memory.poke32(message + MSG_FLAGS, MSG_TRUNC);
      return 1;
    });
    ring.receiveMany(1, 0, 1, false);
    expect(ring.length(0)).toBe(-1);
  });

  it('sees no aggregate where the control message is another, too short or negative', () => {
    const { ring } = lying((memory, message) => {
      memory.poke32(message + MSG_CONTROLLEN, 8);
      memory.poke32(message + MMSGHDR_BYTES + MSG_CONTROLLEN, 32); // of no level or type
      return 2;
    });
    ring.receiveMany(1, 0, 2, true);
    expect([ring.segmentBytes(0), ring.segmentBytes(1)]).toEqual([0, 0]);
  });

  it('refuses slots that are not there', () => {
    const { ring } = lying(() => 1);
    expect(() => ring.receiveOne(1, 1 << 20)).toThrow(RangeError);
    expect(() => ring.receiveOne(1, -3)).toThrow(RangeError);
    expect(() => ring.receiveMany(1, 1 << 20, 1, false)).toThrow(RangeError);
  });

  it('tells a packet that does not fit from an error', () => {
    expect(lying(() => 1501).ring.receiveOne(1, 0)).toBe(-1);
    expect(lying(() => -1).ring.receiveOne(1, 0)).toBe(-EINVAL - 1);
    expect(lying(() => 1500).ring.receiveOne(1, 0)).toBe(1500);
  });
});

describe('the send ring', () => {
  function ringOf(libc: Partial<Libc>): SendRing {
    const system = native(libc);
    const memory = new Memory(system, SIZE);
    memory.carve(64 << 10);
    return new SendRing(system, memory, 4, 8);
  }

  it('gives the kernel no byte from outside', () => {
    const ring = ringOf({ sendto: () => 1 });
    for (const offset of bad) {
      expect(() => ring.sendOne(1, offset, 100, 0, 2), `data at ${offset}`).toThrow(RangeError);
      expect(() => ring.sendOne(1, 0, 100, offset, 2), `destination at ${offset}`).toThrow(RangeError);
      expect(() => ring.begin(offset, 2, 0), `destination at ${offset}`).toThrow(RangeError);
      ring.clear();
      ring.begin(0, 2, 0);
      expect(() => ring.add(offset, 100), `data at ${offset}`).toThrow(RangeError);
      ring.clear();
    }
  });

  it('takes no more messages and pieces than it has room for', () => {
    const ring = ringOf({});
    for (let i = 0; i < 4; i++) ring.begin(0, 2, 0);
    expect(() => ring.begin(0, 2, 0)).toThrow(RangeError);
    for (let i = 0; i < 8; i++) ring.add(0, 1);
    expect(() => ring.add(0, 1)).toThrow(RangeError);
  });

  it('believes no count above what it gave', () => {
    const ring = ringOf({ sendmmsg: () => 77 });
    ring.begin(0, 2, 0);
    ring.begin(0, 2, 0);
    expect(ring.send(1, 0)).toBe(2);
    expect(ring.send(1, 1)).toBe(1);
  });
});

describe('the error queue', () => {
  function queueOf(libc: Partial<Libc> = {}): { queue: ErrorQueue; memory: Memory; control: number } {
    const system = native(libc);
    const memory = new Memory(system, SIZE);
    memory.carve(4096);
    const queue = new ErrorQueue(system, memory, 0);
    return { queue, memory, control: memory.carve(256) };
  }

  /** A control message of `length` with an extended error in it. */
  function error(memory: Memory, at: number, length: number, origin: number, errno: number): void {
    const view = new DataView(memory.buffer);
    view.setBigUint64(at, BigInt(length), true);
    view.setInt32(at + 8, 0, true); // IPPROTO_IP
    view.setInt32(at + 12, 11, true); // IP_RECVERR
    view.setUint32(at + 16, errno, true);
    view.setUint8(at + 20, origin);
    view.setUint8(at + 21, 3);
    view.setUint8(at + 22, 1);
    view.setUint32(at + 16 + EE_INFO, 1400, true);
  }

  it('is empty when the kernel has nothing', () => {
    expect(queueOf({ recvmsg: () => -1 }).queue.next(5)).toBe(ERROR_QUEUE_EMPTY);
  });

  it('reads an ICMP error, with the MTU only if it is about size', () => {
    const { queue, memory, control } = queueOf();
    error(memory, control, 48, 2, 113);
    expect(queue.parse(control, 48)).toBe(ERROR_QUEUE_ICMP);
    expect([queue.type, queue.code, queue.info]).toEqual([3, 1, 0]);
    error(memory, control, 48, 2, EMSGSIZE);
    queue.parse(control, 48);
    expect(queue.info).toBe(1400);
  });

  it('tells of a size this host itself refused as a router would', () => {
    const { queue, memory, control } = queueOf();
    error(memory, control, 48, 1, EMSGSIZE);
    expect(queue.parse(control, 48)).toBe(ERROR_QUEUE_ICMP);
    expect([queue.type, queue.code, queue.info]).toEqual([3, 4, 1400]);
    error(memory, control, 48, 1, EINTR);
    expect(queue.parse(control, 48)).toBe(ERROR_QUEUE_OTHER);
  });

  it.each([0, 1, 15, 31, 257, 2 ** 31, 2 ** 32 - 1])('ignores a control message of %i bytes', (length) => {
    const { queue, memory, control } = queueOf();
    error(memory, control, length, 2, 113);
    expect(queue.parse(control, 256)).toBe(ERROR_QUEUE_OTHER);
  });

  it('survives any bytes and any length', () => {
    const { queue, memory, control } = queueOf();
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 256, maxLength: 256 }), fc.integer(), (bytes, length) => {
        memory.bytes.set(bytes, control);
        expect([ERROR_QUEUE_OTHER, ERROR_QUEUE_ICMP]).toContain(queue.parse(control, length));
      }),
    );
  });
});

describe('the poller', () => {
  const kernel: Partial<Libc> = {
    epoll_create1: () => 3,
    eventfd: () => 4,
    epoll_ctl: () => 0,
    close: () => 0,
  };

  it('believes no more events than it has room for, and takes an interrupt for none', () => {
    const system = native({ ...kernel, epoll_wait: () => 100_000 });
    expect(new Poller(system, new Memory(system, SIZE)).wait(0)).toBe(EVENTS_MAX);
    const interrupted = native({ ...kernel, epoll_wait: () => -1, errno: () => EINTR });
    expect(new Poller(interrupted, new Memory(interrupted, SIZE)).wait(0)).toBe(0);
  });

  it('says what failed, and keeps no descriptor', () => {
    const closed: number[] = [];
    const system = native({ ...kernel, epoll_ctl: () => -1, close: (fd) => closed.push(fd) });
    expect(() => new Poller(system, new Memory(system, SIZE))).toThrow(/^eventfd fails with errno 22$/);
    expect(closed.sort()).toEqual([3, 4]);
  });
});
