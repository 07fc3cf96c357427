import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ReplyMemory } from '../../../src/turn/reply-memory.ts';
import { EndpointBook } from '../../../src/wire/endpoint.ts';
import { holds, Random, SEED } from '../../fuzz/seeded.ts';

interface Sender {
  readonly socket: number;
  readonly address: string;
  readonly port: number;
  /** Distinguishes transaction IDs that differ in one byte. */
  readonly transaction: number;
}

const sender: fc.Arbitrary<Sender> = fc.record({
  socket: fc.nat(2),
  address: fc.constantFrom('192.0.2.1', '::192.0.2.1', '2001:db8::1', '2001:db8::2'),
  port: fc.constantFrom(5000, 5001),
  transaction: fc.nat(3),
});

const REQUEST = 100;
const TO = 1000;

class Rig {
  readonly bytes = new Uint8Array(4096);
  readonly #book = new EndpointBook(1, 1);
  readonly #memory = new ReplyMemory(this.#book, SEED);

  remember(from: Sender, body: Uint8Array, nowMs: number): void {
    this.#place(from);
    this.bytes.set(body, REQUEST + 20);
    this.#memory.remember(this.bytes, REQUEST, 20 + body.length, from.socket, 0, nowMs);
  }

  /** The remembered answer's body, or undefined. */
  recall(from: Sender, nowMs: number): Uint8Array | undefined {
    this.#place(from);
    this.bytes.fill(0xee, TO, TO + 600);
    const length = this.#memory.recall(this.bytes, REQUEST, from.socket, 0, nowMs, TO);
    if (length === 0) return undefined;
    expect(this.bytes.slice(TO + 8, TO + 20)).toEqual(this.bytes.slice(REQUEST + 8, REQUEST + 20));
    expect(this.bytes[TO + length]).toBe(0xee);
    return this.bytes.slice(TO + 20, TO + length);
  }

  #place({ address, port, transaction }: Sender): void {
    this.#book.words.fill(transaction); // leftovers in the row must not matter
    this.#book.setText(0, address, port);
    this.bytes.fill(0, REQUEST, REQUEST + 20);
    this.bytes[REQUEST + 8 + transaction * 3] = 1;
  }
}

describe('the reply memory', () => {
  it('gives an answer only to the same request from the same client at the same socket', () => {
    const body = Buffer.from('the answer');
    holds(
      fc.property(sender, sender, (first, second) => {
        const rig = new Rig();
        rig.remember(first, body, 0);
        const same = JSON.stringify(first) === JSON.stringify(second);
        expect(rig.recall(second, 1000)).toEqual(same ? Uint8Array.from(body) : undefined);
      }),
      1000,
    );
  });

  it('gives the newest answer, byte for byte', () => {
    const rig = new Rig();
    const from = { socket: 1, address: '192.0.2.1', port: 5000, transaction: 0 };
    rig.remember(from, Buffer.from('a long first answer'), 0);
    rig.remember(from, Buffer.from('second'), 1);
    expect(rig.recall(from, 2)).toEqual(Uint8Array.from(Buffer.from('second')));
  });

  it('forgets after 40 s, when no client retransmits any more', () => {
    const rig = new Rig();
    const from = { socket: 1, address: '192.0.2.1', port: 5000, transaction: 0 };
    rig.remember(from, Buffer.from('x'), 1000);
    expect(rig.recall(from, 41_000)).toBeDefined();
    expect(rig.recall(from, 41_001)).toBeUndefined();
  });

  it('does not keep an answer too long for it, and does not cut one', () => {
    const rig = new Rig();
    const from = { socket: 1, address: '192.0.2.1', port: 5000, transaction: 0 };
    rig.remember(from, new Uint8Array(236).fill(3), 0);
    expect(rig.recall(from, 1)).toEqual(new Uint8Array(236).fill(3));
    rig.remember({ ...from, transaction: 1 }, new Uint8Array(237), 0);
    expect(rig.recall({ ...from, transaction: 1 }, 1)).toBeUndefined();
  });

  it('never gives a wrong answer however many there are', () => {
    const rig = new Rig();
    const random = new Random(SEED);
    const marks = new Map<string, number>();
    for (let i = 0; i < 30_000; i++) {
      const from = {
        socket: random.below(4),
        address: `10.0.${random.below(40)}.${random.below(200)}`,
        port: random.between(1, 3),
        transaction: random.below(4),
      };
      const key = JSON.stringify(from);
      const recalled = rig.recall(from, 0);
      if (recalled) expect(Buffer.from(recalled).readUInt32BE(0)).toBe(marks.get(key));
      const body = Buffer.alloc(4);
      body.writeUInt32BE(i);
      rig.remember(from, body, 0);
      marks.set(key, i);
    }
  });
});
