import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatAddress } from '../../../src/wire/address.ts';
import { ENDPOINT_BYTES, ENDPOINT_WORDS, EndpointBook, INET, INET6 } from '../../../src/wire/endpoint.ts';
import { holds } from '../../fuzz/seeded.ts';

const address = fc
  .constantFrom(4, 16)
  .chain((length) => fc.uint8Array({ minLength: length, maxLength: length }));
const port = fc.nat(65535);

describe('a row of the endpoint book', () => {
  it('is laid out as the kernel lays out sockaddr_in and sockaddr_in6', () => {
    const book = new EndpointBook(2, 2);
    book.setText(0, '192.0.2.1', 0x1234);
    book.setText(1, '2001:db8::8:9', 0x5678);
    expect(Buffer.from(book.bytes.slice(0, 16)).toString('hex')).toBe('02001234c00002010000000000000000');
    expect(Buffer.from(book.bytes.slice(32, 60)).toString('hex')).toBe(
      `0a005678${'00000000'}20010db8000000000000000000080009${'00000000'}`,
    );
  });

  it('gives back what was written, whatever was there before', () => {
    holds(
      fc.property(address, port, address, port, (first, firstPort, second, secondPort) => {
        const book = new EndpointBook(3, 3);
        book.set(1, first, 0, first.length, firstPort);
        book.set(1, Buffer.concat([Buffer.alloc(3, 9), second]), 3, second.length, secondPort);
        expect(book.family(1)).toBe(second.length === 4 ? INET : INET6);
        expect(book.address(1)).toEqual(second);
        expect(book.port(1)).toBe(secondPort);
        book.setPort(1, firstPort);
        expect(book.port(1)).toBe(firstPort);
        expect(book.addressText(1)).toBe(formatAddress(second));
        const neighbours = [...book.words.slice(0, ENDPOINT_WORDS), ...book.words.slice(2 * ENDPOINT_WORDS)];
        expect(neighbours.every((word) => word === 0)).toBe(true);
      }),
      500,
    );
  });

  it('equals another of the same family, address and port, and of those alone', () => {
    const near = fc.constantFrom('192.0.2.1', '192.0.2.2', '::192.0.2.1', '::', '0.0.0.0', '::1', '1::');
    holds(
      fc.property(
        near,
        fc.constantFrom(0, 1, 256),
        near,
        fc.constantFrom(0, 1, 256),
        (a, aPort, b, bPort) => {
          const book = new EndpointBook(2, 2);
          book.words.fill(-1); // leftovers
          book.setText(0, a, aPort);
          book.setText(1, b, bPort);
          expect(book.equals(0, 1)).toBe(a === b && aPort === bPort);
          expect(book.sameAddress(0, 1)).toBe(a === b);
        },
      ),
      1000,
    );
  });

  it('is left alone where the text is no address', () => {
    const book = new EndpointBook(1, 1);
    book.setText(0, '192.0.2.1', 7);
    expect(book.setText(0, '192.0.2.256', 8)).toBe(false);
    expect(book.text(0)).toBe('192.0.2.1:7');
  });
});

describe('the endpoint book', () => {
  it('hands out each row to one owner, counts them, and says when there are no more', () => {
    const step = fc.oneof(fc.constant('acquire' as const), fc.nat());
    holds(
      fc.property(fc.array(step, { maxLength: 200 }), fc.nat(3), (steps, scratchRows) => {
        const capacity = 12;
        const book = new EndpointBook(capacity, scratchRows);
        const held: number[] = [];
        for (const next of steps) {
          if (next === 'acquire') {
            const row = book.acquire();
            expect(row).toBe(held.length === capacity - scratchRows ? -1 : row);
            if (row < 0) continue;
            expect(row).toBeGreaterThanOrEqual(scratchRows);
            expect(row).toBeLessThan(capacity);
            expect(held).not.toContain(row);
            book.set(row, Buffer.alloc(16, 0xff), 0, 16, 0xffff);
            held.push(row);
          } else if (held.length > 0) {
            book.release(held.splice(next % held.length, 1)[0] as number);
            book.recycle();
          }
          expect(book.acquired).toBe(held.length);
        }
      }),
      500,
    );
  });

  it('keeps a released row readable: packets queued to it have not been sent yet', () => {
    const book = new EndpointBook(4, 0);
    const row = book.acquire();
    book.setText(row, '2001:db8::1', 9);
    book.release(row);
    expect(book.text(row)).toBe('[2001:db8::1]:9');
  });

  it('hands out released rows again only when they are recycled', () => {
    const book = new EndpointBook(3, 0);
    const rows = [book.acquire(), book.acquire(), book.acquire()];
    book.release(rows[1] as number);
    book.release(rows[0] as number);
    expect(book.acquire()).toBe(-1);
    book.recycle();
    expect([book.acquire(), book.acquire()].sort()).toEqual([rows[0], rows[1]].sort());
    expect(book.acquire()).toBe(-1);
    book.recycle(); // with nothing released: no row is handed out twice
    expect(book.acquire()).toBe(-1);
  });

  it('lies in the memory it is given', () => {
    const memory = new ArrayBuffer(2 * ENDPOINT_BYTES);
    new EndpointBook(2, 0, memory).setText(1, '192.0.2.1', 1);
    expect(new EndpointBook(2, 0, memory).text(1)).toBe('192.0.2.1:1');
  });
});
