/** Text forms of IPv6 addresses: RFC 4291 §2.2 (what is read), RFC 5952 (what is written). */
import { describe, expect, it } from 'vitest';
import { formatAddress, formatEndpoint, parseAddress } from '../../src/wire/address.ts';

describe('RFC 5952', () => {
  it.each([
    // §1 and §2.1–2.3: the many ways to write one address come out as one.
    { section: '§1', read: '2001:db8:0:0:1:0:0:1', written: '2001:db8::1:0:0:1' },
    { section: '§1', read: '2001:0db8:0:0:1:0:0:1', written: '2001:db8::1:0:0:1' },
    { section: '§1', read: '2001:db8::1:0:0:1', written: '2001:db8::1:0:0:1' },
    { section: '§1', read: '2001:db8::0:1:0:0:1', written: '2001:db8::1:0:0:1' },
    { section: '§1', read: '2001:0db8::1:0:0:1', written: '2001:db8::1:0:0:1' },
    { section: '§1', read: '2001:db8:0:0:1::1', written: '2001:db8::1:0:0:1' },
    { section: '§1', read: '2001:DB8:0:0:1::1', written: '2001:db8::1:0:0:1' },
    { section: '§4.1, no leading zeros', read: '2001:0db8::0001', written: '2001:db8::1' },
    { section: '§4.2.1, as short as possible', read: '2001:db8:0:0:0:0:2:1', written: '2001:db8::2:1' },
    { section: '§4.2.2, not for one group', read: '2001:db8::1:1:1:1:1', written: '2001:db8:0:1:1:1:1:1' },
    { section: '§4.2.3, the longest run', read: '2001:0:0:1:0:0:0:1', written: '2001:0:0:1::1' },
    {
      section: '§4.2.3, of equal runs the first',
      read: '2001:db8:0:0:1:0:0:1',
      written: '2001:db8::1:0:0:1',
    },
    {
      section: '§4.3, lower case',
      read: '2001:DB8:AAAA:BBBB:CCCC:DDDD:EEEE:AAAA',
      written: '2001:db8:aaaa:bbbb:cccc:dddd:eeee:aaaa',
    },
  ])('$section: $read is written $written', ({ read, written }) => {
    expect(formatAddress(parseAddress(read) as Uint8Array)).toBe(written);
  });

  it('§6: brackets keep an IPv6 address and its port apart', () => {
    expect(formatEndpoint('2001:db8::1', 80)).toBe('[2001:db8::1]:80');
    expect(formatEndpoint('192.0.2.1', 80)).toBe('192.0.2.1:80');
  });
});

describe('RFC 4291 §2.2', () => {
  it.each([
    ['ABCD:EF01:2345:6789:ABCD:EF01:2345:6789', 'abcdef0123456789abcdef0123456789'],
    ['2001:DB8:0:0:8:800:200C:417A', '20010db80000000000080800200c417a'],
    ['FF01:0:0:0:0:0:0:101', 'ff010000000000000000000000000101'],
    ['FF01::101', 'ff010000000000000000000000000101'],
    ['::1', '00000000000000000000000000000001'],
    ['::', '00000000000000000000000000000000'],
    ['0:0:0:0:0:0:13.1.68.3', '0000000000000000000000000d014403'],
    ['::13.1.68.3', '0000000000000000000000000d014403'],
    ['0:0:0:0:0:FFFF:129.144.52.38', '00000000000000000000ffff81903426'],
    ['::FFFF:129.144.52.38', '00000000000000000000ffff81903426'],
  ])('reads %s', (text, hex) => {
    expect(Buffer.from(parseAddress(text) as Uint8Array).toString('hex')).toBe(hex);
  });
});
