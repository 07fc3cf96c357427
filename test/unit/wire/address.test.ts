import { isIPv4, isIPv6 } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatAddress, parseAddress, parsePrefix, prefixContains } from '../../../src/wire/address.ts';
import { holds } from '../../fuzz/seeded.ts';

/** Address bytes in which runs of zeros, and so abbreviations, are common. */
const byte = fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 2, arbitrary: fc.nat(255) });
const addressBytes = fc.oneof(
  fc.uint8Array({ minLength: 4, maxLength: 4 }),
  fc.array(byte, { minLength: 16, maxLength: 16 }).map((bytes) => Uint8Array.from(bytes)),
);

describe('addresses as text', () => {
  it('come back as the bytes they were written from', () => {
    holds(
      fc.property(addressBytes, (bytes) => {
        expect(parseAddress(formatAddress(bytes))).toEqual(bytes);
      }),
      2000,
    );
  });

  it('are written in a form that others read, and never longer than need be', () => {
    holds(
      fc.property(addressBytes, (bytes) => {
        const text = formatAddress(bytes);
        expect(bytes.length === 4 ? isIPv4(text) : isIPv6(text), text).toBe(true);
        expect(text).not.toMatch(/[A-F]|(^|:)0[0-9a-f]/);
      }),
      2000,
    );
  });

  it('are read in every spelling, and only if they are addresses', () => {
    const group = fc.oneof(
      fc.stringMatching(/^[0-9a-fA-F]{0,5}$/),
      fc.constantFrom('', '0', '1.2.3.4', '256.1.1.1', '01.2.3.4', 'g', '%eth0'),
    );
    const nearly = fc.array(group, { minLength: 1, maxLength: 10 }).map((groups) => groups.join(':'));
    holds(
      fc.property(fc.oneof(nearly, fc.ipV6(), fc.ipV4(), fc.ipV4Extended(), fc.string()), (text) => {
        // Node reads scoped addresses (fe80::1%eth0) as well; a peer cannot have a scope.
        const isAddress = isIPv4(text) || (isIPv6(text) && !text.includes('%'));
        expect(parseAddress(text) !== undefined, text).toBe(isAddress);
      }),
      5000,
    );
  });

  it.each([
    '',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    '12345::',
    '1.2.3.4::',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.04',
    '1.2.3.-4',
    ' 1.2.3.4',
    '1.2.3.4 ',
    '0x1.2.3.4',
    '::1%lo',
  ])('are refused where they are none: "%s"', (text) => {
    expect(parseAddress(text)).toBeUndefined();
  });
});

describe('prefixes', () => {
  it('hold exactly the addresses whose leading bits agree', () => {
    const lengths = fc.constantFrom(4, 16);
    const cases = lengths.chain((length) =>
      fc.record({
        base: fc.uint8Array({ minLength: length, maxLength: length }),
        other: fc.uint8Array({ minLength: length, maxLength: length }),
        bits: fc.nat(length * 8),
        differsAt: fc.nat(length * 8 - 1),
      }),
    );
    holds(
      fc.property(cases, ({ base, other, bits, differsAt }) => {
        const prefix = parsePrefix(`${formatAddress(base)}/${bits}`);
        expect(prefix).toBeDefined();
        if (!prefix) return;
        // Near the border: the base with one bit turned.
        const turned = base.slice();
        turned[differsAt >> 3] = (turned[differsAt >> 3] as number) ^ (0x80 >> (differsAt & 7));
        expect(prefixContains(prefix, base)).toBe(true);
        expect(prefixContains(prefix, turned)).toBe(differsAt >= bits);
        expect(prefixContains(prefix, other)).toBe(bitsOf(base).startsWith(bitsOf(other).slice(0, bits)));
      }),
      3000,
    );
  });

  it('never hold an address of the other family', () => {
    const everything = parsePrefix('::/0');
    const everyIPv4 = parsePrefix('0.0.0.0/0');
    expect(everything && prefixContains(everything, parseAddress('192.0.2.1') as Uint8Array)).toBe(false);
    expect(everyIPv4 && prefixContains(everyIPv4, parseAddress('::ffff:192.0.2.1') as Uint8Array)).toBe(
      false,
    );
  });

  it('of a bare address hold that address alone', () => {
    expect(parsePrefix('192.0.2.1')).toEqual({ bytes: Uint8Array.of(192, 0, 2, 1), bits: 32 });
    expect(parsePrefix('2001:db8::1')?.bits).toBe(128);
  });

  it.each([
    '192.0.2.1/33',
    '::/129',
    '192.0.2.1/',
    '192.0.2.1/-1',
    '192.0.2.1/1.5',
    '192.0.2.1/8/8',
    '/8',
    'x/8',
    '192.0.2.1/ 8',
    '192.0.2.1/1e1',
  ])('are refused where they are none: "%s"', (text) => {
    expect(parsePrefix(text)).toBeUndefined();
  });
});

function bitsOf(bytes: Uint8Array): string {
  return Array.from(bytes, (value) => value.toString(2).padStart(8, '0')).join('');
}
