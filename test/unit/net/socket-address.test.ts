import { networkInterfaces } from 'node:os';
import { describe, expect, it } from 'vitest';
import { nodeAddress, setNodeAddress } from '../../../src/net/socket-address.ts';
import { EndpointBook } from '../../../src/wire/endpoint.ts';

describe('addresses of Node’s sockets', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1:7'],
    ['2001:db8::1', '[2001:db8::1]:7'],
    ['::ffff:192.0.2.1', '192.0.2.1:7'],
    ['::ffff:c000:201', '192.0.2.1:7'],
    ['::fffe:c000:201', '[::fffe:c000:201]:7'],
  ])('%s becomes %s', (address, text) => {
    const book = new EndpointBook(4, 0);
    expect(setNodeAddress(book, 1, address, 7)).toBe(true);
    expect(book.text(1)).toBe(text);
  });

  it('that are none are refused, and the row left as it was', () => {
    const book = new EndpointBook(4, 0);
    setNodeAddress(book, 1, '192.0.2.1', 7);
    expect(setNodeAddress(book, 1, 'localhost', 8)).toBe(false);
    expect(book.text(1)).toBe('192.0.2.1:7');
  });

  it('keep the interface of a link-local address', () => {
    const book = new EndpointBook(4, 0);
    expect(setNodeAddress(book, 1, 'fe80::1%7', 7)).toBe(true);
    expect(book.text(1)).toBe('[fe80::1]:7');
    const name = Object.entries(networkInterfaces()).find(([, addresses]) =>
      addresses?.some((address) => address.family === 'IPv6' && address.scopeid === 7),
    )?.[0];
    expect(nodeAddress(book, 1)).toBe(`fe80::1%${name ?? 7}`);
    setNodeAddress(book, 1, 'fe80::1', 7);
    expect(nodeAddress(book, 1)).toBe('fe80::1');
  });
});
