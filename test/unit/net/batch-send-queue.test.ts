import { beforeEach, describe, expect, it } from 'vitest';
import { type MessageRing, QUEUED_PACKETS_MAX, SendQueue } from '../../../src/net/batch-send-queue.ts';
import { BatchSockets, RELAY } from '../../../src/net/batch-sockets.ts';
import { ENGINE, ENGINE_COUNTER_NAMES } from '../../../src/net/engine.ts';
import { EAGAIN, ECONNREFUSED, EINVAL, EIO, EMSGSIZE } from '../../../src/net/linux/abi.ts';
import type { DatagramReceiver } from '../../../src/wire/datagram-io.ts';
import { ENDPOINT_BYTES, EndpointBook } from '../../../src/wire/endpoint.ts';

const SLAB = 1_000_000;

interface Sent {
  readonly fd: number;
  readonly row: number;
  readonly offsets: number[];
  readonly lengths: number[];
}

/** A ring without a kernel: answers each call with the next of `answers`, or takes everything. */
class ScriptedRing implements MessageRing {
  readonly sent: Sent[] = [];
  /** For each coming call how many messages it takes, or a negated errno. */
  answers: number[] = [];
  calls = 0;
  #messages: { row: number; segmentBytes: number; offsets: number[]; lengths: number[] }[] = [];

  clear(): void {
    this.#messages = [];
  }

  begin(destination: number, _family: number, segmentBytes: number): void {
    this.#messages.push({ row: destination / ENDPOINT_BYTES, segmentBytes, offsets: [], lengths: [] });
  }

  add(offset: number, length: number): void {
    const message = this.#messages.at(-1);
    if (!message) throw new Error('no message begun');
    message.offsets.push(offset - SLAB);
    message.lengths.push(length);
  }

  send(fd: number, first: number): number {
    const waiting = this.#messages.slice(first);
    const taken = this.#answer(waiting.length);
    for (const { row, offsets, lengths } of waiting.slice(0, Math.max(0, taken))) {
      this.sent.push({ fd, row, offsets, lengths });
    }
    return taken;
  }

  sendOne(fd: number, offset: number, length: number, destination: number): number {
    const taken = this.#answer(1);
    if (taken > 0) {
      this.sent.push({ fd, row: destination / ENDPOINT_BYTES, offsets: [offset - SLAB], lengths: [length] });
    }
    return taken;
  }

  #answer(all: number): number {
    this.calls++;
    return this.answers.shift() ?? all;
  }
}

describe('the send queue', () => {
  let ring: ScriptedRing;
  let queue: SendQueue;
  let counters: Float64Array;
  let first: number;
  let second: number;

  beforeEach(() => {
    ring = new ScriptedRing();
    counters = new Float64Array(ENGINE_COUNTER_NAMES.length);
    const sockets = new BatchSockets();
    const book = new EndpointBook(64, 8);
    for (let row = 0; row < 64; row++) book.setText(row, '127.0.0.1', 1000 + row);
    queue = new SendQueue(ring, sockets, book, counters, SLAB);
    first = sockets.add(50, 2, RELAY, {} as DatagramReceiver, 0);
    second = sockets.add(51, 2, RELAY, {} as DatagramReceiver, 0);
  });

  const counted = (name: keyof typeof ENGINE): number => counters[ENGINE[name]] as number;

  it('sends nothing before it is flushed, and everything once', () => {
    queue.push(first, 10, 20, 9);
    expect(ring.calls).toBe(0);
    queue.flush();
    queue.flush();
    expect(ring.sent).toEqual([{ fd: 50, row: 9, offsets: [10], lengths: [20] }]);
    expect(counted('packetsSent')).toBe(1);
    expect(counted('bytesSent')).toBe(20);
  });

  it('merges equal packets of a flow, also with other flows’ packets between', () => {
    for (const offset of [0, 100, 200]) {
      queue.push(first, offset, 50, 9);
      queue.push(first, offset + 50, 50, 10);
      queue.push(second, offset + 60, 10, 11);
    }
    queue.flush();
    expect(ring.calls).toBe(2); // one for each socket
    expect(ring.sent).toEqual([
      { fd: 50, row: 9, offsets: [0, 100, 200], lengths: [50, 50, 50] },
      { fd: 50, row: 10, offsets: [50, 150, 250], lengths: [50, 50, 50] },
      { fd: 51, row: 11, offsets: [60, 160, 260], lengths: [10, 10, 10] },
    ]);
    expect(counted('packetsSent')).toBe(9);
    expect(counted('bytesSent')).toBe(330);
  });

  it('lets a shorter packet end a message, and a longer or empty one begin another', () => {
    for (const [i, length] of [50, 50, 30, 30, 60, 0, 0].entries()) queue.push(first, i * 100, length, 9);
    queue.flush();
    expect(ring.sent.map((message) => message.lengths)).toEqual([[50, 50, 30], [30], [60], [0], [0]]);
  });

  it('keeps a flow’s order when two sockets take turns with one destination', () => {
    queue.push(first, 0, 50, 9);
    queue.push(second, 1, 50, 9);
    queue.push(first, 2, 50, 9);
    queue.flush();
    expect(ring.sent.filter(({ fd }) => fd === 50).flatMap(({ offsets }) => offsets)).toEqual([0, 2]);
  });

  it('never joins a message of an earlier batch', () => {
    queue.push(first, 0, 50, 9);
    queue.flush();
    queue.push(first, 1, 50, 10);
    queue.push(first, 2, 50, 9);
    queue.flush();
    expect(ring.sent.map(({ row, offsets }) => [row, offsets])).toEqual([
      [9, [0]],
      [10, [1]],
      [9, [2]],
    ]);
  });

  it('keeps messages below 64 packets and IPv4’s largest datagram, and large packets apart', () => {
    for (let i = 0; i < 65; i++) queue.push(first, i, 10, 9);
    for (let i = 0; i < 55; i++) queue.push(first, i, 1400, 10);
    for (let i = 0; i < 2; i++) queue.push(first, i, 1473, 11);
    queue.flush();
    expect(ring.sent.map(({ lengths }) => lengths.length)).toEqual([64, 1, 46, 9, 1, 1]);
  });

  it('flushes itself when full', () => {
    for (let i = 0; i <= QUEUED_PACKETS_MAX; i++) queue.push(first, i, i % 7, 9);
    expect(counted('packetsSent')).toBe(QUEUED_PACKETS_MAX);
    queue.flush();
    expect(ring.sent.flatMap(({ offsets }) => offsets)).toEqual(
      Array.from({ length: QUEUED_PACKETS_MAX + 1 }, (_, i) => i),
    );
  });

  it('goes on where a call stopped short', () => {
    for (const row of [9, 10, 11, 12]) queue.push(first, row, 50, row);
    ring.answers = [1, 2];
    queue.flush();
    expect(ring.sent.map(({ row }) => row)).toEqual([9, 10, 11, 12]);
    expect(counted('packetsSent')).toBe(4);
  });

  it('drops and counts what a full socket does not take, and serves the others', () => {
    for (const row of [9, 10, 10, 11]) queue.push(first, row, 50, row);
    queue.push(second, 0, 50, 9);
    ring.answers = [1, -EAGAIN];
    queue.flush();
    expect(counted('dropSocketFull')).toBe(3);
    expect(ring.sent.map(({ fd, row }) => [fd, row])).toEqual([
      [50, 9],
      [51, 9],
    ]);
    queue.push(second, 0, 50, 9);
    ring.answers = [-EAGAIN];
    queue.flush();
    expect(counted('dropSocketFull')).toBe(4);
  });

  it('tries again after an earlier packet’s ICMP error came up, and loses nothing', () => {
    for (const row of [9, 10]) queue.push(first, row, 50, row);
    queue.push(second, 0, 50, 9);
    ring.answers = [-ECONNREFUSED, 2, -ECONNREFUSED];
    queue.flush();
    expect(counted('packetsSent')).toBe(3);
    expect(counted('dropSendFailed')).toBe(0);
  });

  it('gives up on a packet that fails twice, and sends those behind it', () => {
    for (const row of [9, 10, 11]) queue.push(first, row, 50, row);
    ring.answers = [-EMSGSIZE, -EMSGSIZE, -ECONNREFUSED, -ECONNREFUSED];
    queue.flush();
    expect(counted('dropTooBig')).toBe(1);
    expect(counted('dropSendFailed')).toBe(1);
    expect(ring.sent.map(({ row }) => row)).toEqual([11]);
  });

  it('sends singly what the kernel refuses to cut apart, says why, and merges no more', () => {
    for (const offset of [0, 1, 2]) queue.push(first, offset, 50, 9);
    ring.answers = [-EIO, -EIO];
    queue.flush();
    expect(ring.sent.flatMap(({ offsets }) => offsets)).toEqual([0, 1, 2]);
    expect(queue.mergeRefusal).toBe(EIO);
    for (const offset of [3, 4]) queue.push(first, offset, 50, 9);
    queue.flush();
    expect(ring.sent.slice(3).map(({ offsets }) => offsets)).toEqual([[3], [4]]);
    expect(counted('packetsSent')).toBe(5);
  });

  it('learns the size a path refuses to cut apart, and merges smaller packets still', () => {
    for (const offset of [0, 1]) queue.push(first, offset, 1400, 9);
    ring.answers = [-EINVAL, -EINVAL];
    queue.flush();
    for (const offset of [2, 3]) queue.push(first, offset, 1400, 9);
    for (const offset of [4, 5]) queue.push(first, offset, 1399, 10);
    queue.flush();
    expect(ring.sent.map(({ offsets }) => offsets)).toEqual([[0], [1], [2], [3], [4, 5]]);
    expect(queue.mergeRefusal).toBe(0);
  });

  it('draws no conclusion from a destination that refuses single packets too', () => {
    for (const offset of [0, 1]) queue.push(first, offset, 50, 9);
    ring.answers = new Array(6).fill(-EINVAL); // twice the message, twice each packet: port 0, say
    queue.flush();
    expect(counted('dropSendFailed')).toBe(2);
    expect(queue.mergeRefusal).toBe(0);
    for (const offset of [2, 3]) queue.push(first, offset, 50, 10);
    queue.flush();
    expect(ring.sent).toEqual([{ fd: 50, row: 10, offsets: [2, 3], lengths: [50, 50] }]);
  });
});
