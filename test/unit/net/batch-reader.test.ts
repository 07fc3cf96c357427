import { beforeEach, describe, expect, it } from 'vitest';
import { BatchReader, type PacketRing } from '../../../src/net/batch-reader.ts';
import { packetOffset, RECEIVE_SLOTS, SLAB_BYTES, STREAM_AREA_OFFSET } from '../../../src/net/batch-slab.ts';
import { BatchSockets, LISTENER, RELAY } from '../../../src/net/batch-sockets.ts';
import { ENGINE, ENGINE_COUNTER_NAMES } from '../../../src/net/engine.ts';
import { EAGAIN } from '../../../src/net/linux/abi.ts';
import { type DatagramReceiver, HEADROOM_BYTES, TAILROOM_BYTES } from '../../../src/wire/datagram-io.ts';

interface Arrival {
  readonly payload: Uint8Array;
  readonly segmentBytes: number;
}

/** A ring without a kernel: each read of a descriptor takes what waits for it. */
class ScriptedRing implements PacketRing {
  readonly waiting = new Map<number, Arrival[]>();
  readonly calls: string[] = [];
  readonly #slab: Uint8Array;
  readonly #lengths = new Int32Array(RECEIVE_SLOTS);
  readonly #segments = new Int32Array(RECEIVE_SLOTS);

  constructor(slab: Uint8Array) {
    this.#slab = slab;
  }

  arrive(fd: number, payload: Uint8Array, segmentBytes = 0): void {
    this.waiting.set(fd, [...(this.waiting.get(fd) ?? []), { payload, segmentBytes }]);
  }

  receiveMany(fd: number, first: number, count: number): number {
    this.calls.push(`many ${count}`);
    const taken = (this.waiting.get(fd) ?? []).splice(0, count);
    for (const [i, arrival] of taken.entries()) this.#put(first + i, arrival);
    return taken.length || -EAGAIN;
  }

  receiveOne(fd: number, slot: number): number {
    this.calls.push('one');
    const arrival = this.waiting.get(fd)?.shift();
    if (!arrival) return -EAGAIN - 1;
    this.#put(slot, arrival);
    return arrival.payload.length;
  }

  length(slot: number): number {
    return this.#lengths[slot] as number;
  }

  segmentBytes(slot: number): number {
    return this.#segments[slot] as number;
  }

  #put(slot: number, { payload, segmentBytes }: Arrival): void {
    this.#slab.set(payload, packetOffset(slot));
    this.#lengths[slot] = payload.length;
    this.#segments[slot] = segmentBytes;
  }
}

describe('the reader', () => {
  const slab = new Uint8Array(SLAB_BYTES);
  let ring: ScriptedRing;
  let reader: BatchReader;
  let sockets: BatchSockets;
  let counters: Float64Array;
  let flushes: number;
  let received: { tag: number; offset: number; length: number; source: number }[];
  let onPacket: (socket: number, offset: number, length: number) => void;

  beforeEach(() => {
    slab.fill(0);
    ring = new ScriptedRing(slab);
    sockets = new BatchSockets();
    counters = new Float64Array(ENGINE_COUNTER_NAMES.length);
    flushes = 0;
    received = [];
    onPacket = () => {};
    reader = new BatchReader(ring, sockets, { flush: () => void flushes++ }, slab, counters);
  });

  const core = {
    receive(tag: number, socket: number, offset: number, length: number, source: number): void {
      received.push({ tag, offset, length, source });
      onPacket(socket, offset, length);
    },
  } as DatagramReceiver;

  const counted = (name: keyof typeof ENGINE): number => counters[ENGINE[name]] as number;

  it('hands an aggregate over packet by packet, each with room of its own', () => {
    const socket = sockets.add(50, 2, LISTENER, core, 4);
    const payload = Uint8Array.from({ length: 1050 }, (_, i) => i % 251);
    const seen: Uint8Array[] = [];
    const spoiled: { offset: number; copy: Uint8Array }[] = [];
    onPacket = (_socket, offset, length) => {
      seen.push(slab.slice(offset, offset + length));
      // What a core may do: write in front of the packet and behind it, and queue the whole.
      slab.fill(0xee, offset - HEADROOM_BYTES, offset);
      slab.fill(0xee, offset + length, offset + length + TAILROOM_BYTES);
      const from = offset - HEADROOM_BYTES;
      spoiled.push({ offset: from, copy: slab.slice(from, offset + length + TAILROOM_BYTES) });
    };
    ring.arrive(50, payload, 100);
    expect(reader.read(socket)).toBe(1);
    expect(seen.map((piece) => piece.length)).toEqual([...new Array(10).fill(100), 50]);
    expect(Buffer.concat(seen).equals(payload)).toBe(true);
    // And what was queued first is still whole after the last was handed over.
    for (const { offset, copy } of spoiled) expect(slab.slice(offset, offset + copy.length)).toEqual(copy);
    expect(received.every(({ tag, source }) => tag === 4 && source === received[0]?.source)).toBe(true);
    expect(counted('packetsReceived')).toBe(11);
    expect(counted('bytesReceived')).toBe(1050);
  });

  it('bounds the pieces of an aggregate, and flushes before it uses their room again', () => {
    const socket = sockets.add(50, 2, LISTENER, core, 0);
    ring.arrive(50, new Uint8Array(65_507), 1); // no kernel makes 65,507 pieces
    reader.read(socket);
    expect(received.length).toBeLessThan(200);
    expect(counted('dropTruncated')).toBe(65_507 - received.length);
    const before = flushes;
    for (let i = 0; i < 20; i++) ring.arrive(50, new Uint8Array(64_000), 1000);
    reader.read(socket);
    expect(flushes).toBeGreaterThan(before);
    for (const { offset, length } of received) {
      expect(offset + length + TAILROOM_BYTES).toBeLessThanOrEqual(STREAM_AREA_OFFSET);
    }
  });

  it('stops handing over when the core closes the socket, in an aggregate as between packets', () => {
    onPacket = (socket) => void sockets.remove(socket);
    const first = sockets.add(50, 2, LISTENER, core, 0);
    ring.arrive(50, new Uint8Array(1000), 100);
    reader.read(first);
    const second = sockets.add(51, 2, LISTENER, core, 0);
    for (let i = 0; i < 3; i++) ring.arrive(51, new Uint8Array(10));
    reader.read(second);
    expect(received).toHaveLength(2);
  });

  it('counts a packet that did not fit, and hands over the next', () => {
    const socket = sockets.add(50, 2, LISTENER, core, 0);
    const hostile = new ScriptedRing(slab);
    reader = new BatchReader(
      Object.assign(hostile, { length: (slot: number) => (slot === 0 ? -1 : 10) }),
      sockets,
      { flush: () => {} },
      slab,
      counters,
    );
    for (let i = 0; i < 2; i++) hostile.arrive(50, new Uint8Array(10));
    reader.read(socket);
    expect(counted('dropTruncated')).toBe(1);
    expect(received).toMatchObject([{ length: 10, source: 1 }]);
  });

  it('bounds what one listener gives in a batch, and asks no more when it gave less than it could', () => {
    const socket = sockets.add(50, 2, LISTENER, core, 0);
    for (let i = 0; i < 1000; i++) ring.arrive(50, new Uint8Array(10));
    expect(reader.read(socket)).toBe(256);
    expect(ring.calls).toEqual(new Array(4).fill('many 64'));
    ring.waiting.set(50, ring.waiting.get(50)?.slice(0, 10) ?? []);
    reader.read(socket);
    expect(ring.calls).toHaveLength(5);
  });

  it('never has two packets of a batch in one slot without a flush between', () => {
    const socket = sockets.add(50, 2, LISTENER, core, 0);
    for (let i = 0; i < 1000; i++) ring.arrive(50, new Uint8Array(10));
    const holders = new Map<number, number>();
    onPacket = (_socket, offset) => {
      expect(holders.get(offset)).not.toBe(flushes);
      holders.set(offset, flushes);
    };
    for (let i = 0; i < 4; i++) reader.read(socket);
    expect(received).toHaveLength(1000);
    expect(flushes).toBeGreaterThan(0);
  });

  it('asks a relay for one packet until it has shown that it has more', () => {
    const socket = sockets.add(50, 2, RELAY, core, 0);
    const calls = (): string[] => ring.calls.splice(0);
    ring.arrive(50, new Uint8Array(10));
    expect(reader.read(socket)).toBe(1);
    for (let i = 0; i < 32; i++) {
      ring.arrive(50, new Uint8Array(10));
      expect(reader.read(socket)).toBe(1);
    }
    expect(calls()).toEqual(['many 16', ...new Array(32).fill('one')]);
    for (let i = 0; i < 48; i++) ring.arrive(50, new Uint8Array(10));
    for (let i = 0; i < 3; i++) expect(reader.read(socket)).toBe(16);
    expect(calls()).toEqual(['many 16', 'many 16', 'many 16']);
  });

  it('takes an error for nothing received', () => {
    const socket = sockets.add(50, 2, RELAY, core, 0);
    expect(reader.read(socket)).toBe(0);
    expect(reader.read(socket)).toBe(0);
    expect(received).toEqual([]);
  });
});
