import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  BENCODE_DEPTH_MAX,
  BENCODE_VALUES_MAX,
  type BencodeValue,
  byteString,
  decodeBencode,
  encodeBencode,
  latin1Bytes,
  latin1Text,
} from '../../../src/wire/bencode.ts';
import { holds } from '../../fuzz/seeded.ts';

/** One character a byte. */
function decode(text: string): BencodeValue | undefined {
  return decodeBencode(latin1Bytes(text));
}

function encode(value: BencodeValue): string {
  return latin1Text(encodeBencode(value));
}

describe('decoding', () => {
  it.each<[string, BencodeValue]>([
    ['4:spam', 'spam'],
    ['0:', ''],
    ['i3e', 3],
    ['i-3e', -3],
    ['i0e', 0],
    ['i9007199254740991e', Number.MAX_SAFE_INTEGER],
    ['i-9007199254740991e', Number.MIN_SAFE_INTEGER],
    ['le', []],
    ['l4:spami42ee', ['spam', 42]],
    ['de', {}],
    ['d3:cow3:moo4:spam4:eggse', { cow: 'moo', spam: 'eggs' }],
    ['d4:spaml1:a1:bee', { spam: ['a', 'b'] }],
    ['d1:ad1:bli1eeee', { a: { b: [1] } }],
  ])('reads %s', (text, value) => {
    expect(decode(text)).toEqual(value);
  });

  it('takes keys in any order, as proxies send them', () => {
    expect(decode('d1:b1:x1:a1:ye')).toEqual({ a: 'y', b: 'x' });
  });

  it('lets the last of equal keys count', () => {
    expect(decode('d1:a1:x1:a1:ye')).toEqual({ a: 'y' });
  });

  it('keeps every byte of a string as one character', () => {
    const all = String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i));
    expect(decode(`256:${all}`)).toBe(all);
  });

  it('reads strings longer than any chunk', () => {
    const long = 'sdp '.repeat(15_000);
    expect(decode(`${long.length}:${long}`)).toBe(long);
  });

  it('gives dictionaries without a prototype, in which __proto__ is a key as any other', () => {
    const dictionary = decode('d9:__proto__d8:polluted3:yesee') as Record<string, BencodeValue>;
    expect(Object.getPrototypeOf(dictionary)).toBeNull();
    expect(Object.keys(dictionary)).toEqual(['__proto__']);
    expect((dictionary as { toString?: unknown }).toString).toBeUndefined();
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  it.each([
    ['nothing', ''],
    ['two values', 'i1ei2e'],
    ['a byte behind the value', 'i1e '],
    ['an open integer', 'i1'],
    ['no digits', 'ie'],
    ['a sign alone', 'i-e'],
    ['a plus sign', 'i+1e'],
    ['a leading zero', 'i03e'],
    ['negative zero', 'i-0e'],
    ['a fraction', 'i1.5e'],
    ['white space in a number', 'i 1e'],
    ['an exponent', 'i1e5e'],
    ['an integer beyond 2^53', 'i9007199254740993e'],
    ['an integer of many digits', `i${'9'.repeat(400)}e`],
    ['a string shorter than it says', '5:spam'],
    ['a length with a leading zero', '04:spam'],
    ['a negative length', '-1:a'],
    ['a length beyond 2^53', '99999999999999999999:a'],
    ['a length without a colon', '4'],
    ['an open list', 'l1:a'],
    ['an open dictionary', 'd1:a1:b'],
    ['a key without a value', 'd1:ae'],
    ['a key that is a number', 'di1e1:ae'],
    ['a key that is a list', 'dle1:ae'],
    ['an end alone', 'e'],
    ['JSON', '{"a":1}'],
  ])('refuses %s', (_what, text) => {
    expect(decode(text)).toBeUndefined();
  });

  it('refuses what is nested deeper than the limit, and only that', () => {
    const nested = (depth: number): string => `${'l'.repeat(depth)}i1e${'e'.repeat(depth)}`;
    expect(decode(nested(BENCODE_DEPTH_MAX))).toBeDefined();
    expect(decode(nested(BENCODE_DEPTH_MAX + 1))).toBeUndefined();
    expect(decode('l'.repeat(65_000))).toBeUndefined();
    expect(decode('d1:a'.repeat(16_000))).toBeUndefined();
  });

  it('refuses more values than the limit, and only that', () => {
    const list = (items: number): string => `l${'i0e'.repeat(items)}e`;
    expect(decode(list(BENCODE_VALUES_MAX - 1))).toHaveLength(BENCODE_VALUES_MAX - 1);
    expect(decode(list(BENCODE_VALUES_MAX))).toBeUndefined();
  });
});

describe('encoding', () => {
  it('sorts keys by their bytes', () => {
    expect(encode({ b: 1, a: 2, B: 3, é: 4 })).toBe('d1:Bi3e1:ai2e1:bi1e1:\xe9i4ee');
  });

  it('writes characters up to 0xFF as the bytes they stand for', () => {
    expect(encode('h\xc3\xa9\x00\xff')).toBe('5:h\xc3\xa9\x00\xff');
  });

  it('writes characters beyond 0xFF as UTF-8 and leaves the others alone', () => {
    expect(encode('\xe9–😀')).toBe('8:\xe9\xe2\x80\x93\xf0\x9f\x98\x80');
    expect(encode({ '–': 1 })).toBe('d3:\xe2\x80\x93i1ee');
  });

  it('writes half a surrogate pair as a replacement character', () => {
    expect(byteString('\ud83d')).toBe('\xef\xbf\xbd');
  });

  it.each<[number, string]>([
    [1.9, 'i1e'],
    [-1.9, 'i-1e'],
    [-0.5, 'i0e'],
    [-0, 'i0e'],
    [Number.NaN, 'i0e'],
    [Number.POSITIVE_INFINITY, 'i9007199254740991e'],
    [-1e300, 'i-9007199254740991e'],
  ])('writes %d as a whole number', (number, text) => {
    expect(encode(number)).toBe(text);
  });
});

describe('decoding what was encoded', () => {
  const bytes = fc.uint8Array({ maxLength: 40 }).map(latin1Text);
  const { value } = fc.letrec<{ value: BencodeValue }>((tie) => ({
    value: fc.oneof(
      { maxDepth: BENCODE_DEPTH_MAX - 1 },
      bytes,
      fc.maxSafeInteger(),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(bytes, tie('value'), { maxKeys: 4, noNullPrototype: false }),
    ),
  }));

  it('gives the same value', () => {
    holds(
      fc.property(value, (original) => {
        expect(decodeBencode(encodeBencode(original))).toEqual(original);
      }),
      500,
    );
  });

  it('and cut off anywhere gives nothing', () => {
    holds(
      fc.property(value, fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), (original, part) => {
        const encoded = encodeBencode(original);
        expect(decodeBencode(encoded.subarray(0, Math.floor(encoded.length * part)))).toBeUndefined();
      }),
      500,
    );
  });
});
