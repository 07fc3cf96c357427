import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EndpointBook } from '../../../src/wire/endpoint.ts';
import {
  ATTR_ERROR_CODE,
  ATTR_FINGERPRINT,
  ATTR_LIFETIME,
  ATTR_MESSAGE_INTEGRITY,
  ATTR_MESSAGE_INTEGRITY_SHA256,
  ATTR_REALM,
  ATTR_UNKNOWN_ATTRIBUTES,
  ATTR_USERNAME,
  ATTR_XOR_PEER_ADDRESS,
  CLASS_ERROR,
  CLASS_REQUEST,
  readXorAddress,
  STUN_BAD_ATTRIBUTE,
  STUN_BAD_FINGERPRINT,
  STUN_BAD_LENGTH,
  STUN_NOT_STUN,
  STUN_OK,
  StunReader,
} from '../../../src/wire/stun.ts';
import { StunWriter } from '../../../src/wire/stun-writer.ts';
import { holds } from '../../fuzz/seeded.ts';
import { hmac } from '../../fuzz/test-crypto.ts';

const UNDERSTOOD = [ATTR_USERNAME, ATTR_REALM, ATTR_LIFETIME, ATTR_XOR_PEER_ADDRESS, ATTR_MESSAGE_INTEGRITY];
const TRANSACTION_ID = Buffer.from('0102030405060708090a0b0c', 'hex');
const KEY = Buffer.from('key');

/** A message of attributes as given, whose length is right. */
function message(
  attributes: readonly { type: number; value: Uint8Array; length?: number }[],
  type = 0x0001,
): Buffer {
  const body = attributes.map(({ type: attribute, value, length }) => {
    const bytes = Buffer.alloc(4 + ((value.length + 3) & ~3));
    bytes.writeUInt16BE(attribute, 0);
    bytes.writeUInt16BE(length ?? value.length, 2);
    bytes.set(value, 4);
    return bytes;
  });
  const header = Buffer.alloc(20);
  header.writeUInt16BE(type, 0);
  header.writeUInt16BE(
    body.reduce((sum, { length }) => sum + length, 0),
    2,
  );
  header.writeUInt32BE(0x2112a442, 4);
  header.set(TRANSACTION_ID, 8);
  return Buffer.concat([header, ...body]);
}

function parse(bytes: Uint8Array): StunReader {
  const reader = new StunReader(UNDERSTOOD);
  expect(reader.parse(bytes, 0, bytes.length)).toBe(STUN_OK);
  return reader;
}

function writer(): StunWriter {
  return new StunWriter(new Uint8Array(4096).fill(0xcc));
}

describe('what the writer writes', () => {
  it('the reader reads', () => {
    const attribute = fc.record({
      type: fc.constantFrom(ATTR_USERNAME, ATTR_REALM, 0x8022, 0x803f, 0x7ff0, 0x0031),
      value: fc.uint8Array({ maxLength: 60 }),
    });
    const messages = fc.record({
      method: fc.nat(0xff), // those above can be told from nothing by their first byte (RFC 7983 §7)
      messageClass: fc.nat(3),
      offset: fc.nat(100),
      attributes: fc.array(attribute, { maxLength: 12 }),
      integrity: fc.constantFrom('none', 'sha1', 'sha256'),
      fingerprint: fc.boolean(),
    });
    holds(
      fc.property(messages, ({ method, messageClass, offset, attributes, integrity, fingerprint }) => {
        const to = writer().begin(offset, method, messageClass).transactionId(TRANSACTION_ID, 0);
        for (const { type, value } of attributes) to.attribute(type, value);
        if (integrity !== 'none') to.integrity(integrity, KEY, hmac);
        if (fingerprint) to.fingerprint();
        const reader = new StunReader(UNDERSTOOD);
        expect(reader.parse(to.bytes, offset, to.length)).toBe(STUN_OK);
        expect([reader.method, reader.messageClass, reader.length]).toEqual([
          method,
          messageClass,
          to.length,
        ]);
        expect(to.bytes.slice(offset + 8, offset + 20)).toEqual(Uint8Array.from(TRANSACTION_ID));
        expect(reader.integrityOffset >= 0).toBe(integrity === 'sha1');
        expect(reader.integritySha256Offset >= 0).toBe(integrity === 'sha256');
        expect(reader.fingerprintOffset >= 0).toBe(fingerprint);
        for (const type of [ATTR_USERNAME, ATTR_REALM, 0x8022, 0x803f]) {
          const first = attributes.find((candidate) => candidate.type === type); // of several the first one counts
          const at = reader.value(type);
          expect(reader.has(type)).toBe(first !== undefined);
          expect(reader.valueLength(type)).toBe(first?.value.length ?? 0);
          if (first) expect(to.bytes.slice(at, at + first.value.length)).toEqual(first.value);
        }
        const unknown = attributes
          .filter(({ type }) => type === 0x7ff0 || type === 0x0031)
          .map(({ type }) => type);
        expect([...reader.unknown.slice(0, reader.unknownCount)]).toEqual(unknown);
      }),
      1500,
    );
  });

  it('is padded with zeros', () => {
    const to = writer()
      .begin(0, 1, CLASS_REQUEST)
      .transactionId(TRANSACTION_ID, 0)
      .attribute(0x8022, Buffer.from('abcde'));
    expect(Buffer.from(to.bytes.slice(20, to.length + 1)).toString('hex')).toBe('802200056162636465000000cc');
  });

  it('names an error by hundreds and rest', () => {
    holds(
      fc.property(fc.integer({ min: 300, max: 699 }), (code) => {
        const to = writer().begin(0, 1, CLASS_ERROR).transactionId(TRANSACTION_ID, 0).errorCode(code);
        expect([...to.bytes.slice(20, 28)]).toEqual([
          0,
          ATTR_ERROR_CODE,
          0,
          4,
          0,
          0,
          Math.trunc(code / 100),
          code % 100,
        ]);
      }),
    );
  });

  it('lists unknown attributes, an odd number padded', () => {
    const to = writer().begin(0, 1, CLASS_ERROR).transactionId(TRANSACTION_ID, 0);
    to.unknownAttributes(Uint16Array.of(0x7001, 0x7002, 0x7003), 3);
    expect(Buffer.from(to.bytes.slice(20, to.length)).toString('hex')).toBe(
      '000a0006' + '700170027003' + '0000',
    );
    expect(ATTR_UNKNOWN_ATTRIBUTES).toBe(0x000a);
  });
});

describe('an XOR address', () => {
  it('comes back as it was, whatever the transaction ID', () => {
    const address = fc
      .constantFrom(4, 16)
      .chain((length) => fc.uint8Array({ minLength: length, maxLength: length }));
    const id = fc.uint8Array({ minLength: 12, maxLength: 12 });
    holds(
      fc.property(address, fc.nat(65535), id, (address, port, id) => {
        const book = new EndpointBook(2, 2);
        book.set(0, address, 0, address.length, port);
        const to = writer()
          .begin(8, 8, CLASS_REQUEST)
          .transactionId(id, 0)
          .xorAddress(ATTR_XOR_PEER_ADDRESS, book, 0);
        const reader = new StunReader(UNDERSTOOD);
        expect(reader.parse(to.bytes, 8, to.length)).toBe(STUN_OK);
        expect(readXorAddress(to.bytes, 8, reader.peers[0] as number, book, 1)).toBe(true);
        expect(book.text(1)).toBe(book.text(0));
      }),
      500,
    );
  });

  it('of a wrong family or length leaves the row alone', () => {
    const cases = fc.record({
      family: fc.nat(255),
      length: fc.nat(40),
      rest: fc.uint8Array({ minLength: 40, maxLength: 40 }),
    });
    holds(
      fc.property(cases, ({ family, length, rest }) => {
        const value = rest.slice(0, length);
        if (length > 1) value[1] = family;
        const reader = parse(message([{ type: ATTR_XOR_PEER_ADDRESS, value }]));
        const book = new EndpointBook(1, 1);
        book.setText(0, '192.0.2.1', 1);
        const fits = (family === 1 && length === 8) || (family === 2 && length === 20);
        expect(readXorAddress(reader.bytes, 0, reader.peers[0] as number, book, 0)).toBe(fits);
        if (!fits) expect(book.text(0)).toBe('192.0.2.1:1');
      }),
      2000,
    );
  });
});

describe('the reader', () => {
  it('accepts a message only if its length field agrees with what came', () => {
    const good = message([{ type: 0x8022, value: Buffer.from('abcd') }]);
    const reader = new StunReader(UNDERSTOOD);
    for (let length = 0; length <= 40; length++) {
      const bytes = Buffer.concat([good, Buffer.alloc(20)]);
      const expected = length < 20 ? STUN_NOT_STUN : length === good.length ? STUN_OK : STUN_BAD_LENGTH;
      expect(reader.parse(bytes, 0, length), `${length} bytes`).toBe(expected);
    }
  });

  it('refuses lengths that are no multiple of 4, and types whose first two bits are set', () => {
    const odd = Buffer.concat([message([]), Buffer.alloc(2)]);
    odd.writeUInt16BE(2, 2);
    expect(new StunReader([]).parse(odd, 0, odd.length)).toBe(STUN_BAD_LENGTH);
    for (let first = 4; first < 256; first++) {
      const bytes = message([]);
      bytes[0] = first;
      expect(new StunReader([]).parse(bytes, 0, bytes.length)).toBe(STUN_NOT_STUN);
    }
  });

  it('refuses an attribute that runs past the end, by any length', () => {
    for (const length of [5, 7, 8, 9, 100, 0x7fff, 0xfffc, 0xfffd, 0xffff]) {
      const bytes = message([{ type: ATTR_USERNAME, value: Buffer.from('abcd'), length }]);
      expect(new StunReader(UNDERSTOOD).parse(bytes, 0, bytes.length), `${length}`).toBe(STUN_BAD_ATTRIBUTE);
    }
  });

  it('never reads an attribute outside the message', () => {
    const attribute = fc.record({
      type: fc.oneof(fc.constantFrom(...UNDERSTOOD, 0x8022), fc.nat(0xffff)),
      value: fc.uint8Array({ maxLength: 24 }),
      length: fc.oneof(fc.nat(30), fc.nat(0xffff)),
    });
    holds(
      fc.property(fc.array(attribute, { maxLength: 6 }), (attributes) => {
        const bytes = message(attributes);
        const reader = new StunReader(UNDERSTOOD);
        if (reader.parse(bytes, 0, bytes.length) !== STUN_OK) return;
        for (const { type } of attributes) {
          if (!reader.has(type)) continue;
          expect(reader.value(type)).toBeGreaterThanOrEqual(24);
          expect(reader.value(type) + reader.valueLength(type)).toBeLessThanOrEqual(bytes.length);
        }
        for (let i = 0; i < Math.min(reader.peerCount, reader.peers.length); i++) {
          expect(reader.peers[i]).toBeGreaterThanOrEqual(24);
        }
      }),
      3000,
    );
  });

  it('ignores whatever stands behind the integrity, fingerprint aside', () => {
    const mac = { type: ATTR_MESSAGE_INTEGRITY, value: Buffer.alloc(20) };
    const mac256 = { type: ATTR_MESSAGE_INTEGRITY_SHA256, value: Buffer.alloc(32) };
    const late = [
      { type: ATTR_LIFETIME, value: Buffer.alloc(4) },
      { type: 0x7ff0, value: Buffer.alloc(0) },
      { type: ATTR_XOR_PEER_ADDRESS, value: Buffer.alloc(8) },
    ];
    for (const integrity of [[mac], [mac256], [mac, mac256]]) {
      const reader = parse(message([...integrity, ...late]));
      expect([reader.has(ATTR_LIFETIME), reader.unknownCount, reader.peerCount]).toEqual([false, 0, 0]);
    }
    const both = parse(message([mac, ...late, mac256]));
    expect(both.integritySha256Offset, 'the stronger one behind the weaker still counts').toBeGreaterThan(0);
    const reversed = parse(message([mac256, mac]));
    expect(reversed.integrityOffset, 'the weaker one behind the stronger does not').toBe(-1);
  });

  it('refuses integrity attributes of a wrong length: a truncated HMAC would be easier to guess', () => {
    for (let length = 0; length <= 40; length++) {
      const value = Buffer.alloc(length);
      for (const [type, right] of [
        [ATTR_MESSAGE_INTEGRITY, 20],
        [ATTR_MESSAGE_INTEGRITY_SHA256, 32],
      ] as const) {
        const bytes = message([{ type, value }]);
        const outcome = new StunReader(UNDERSTOOD).parse(bytes, 0, bytes.length);
        expect(outcome).toBe(length === right ? STUN_OK : STUN_BAD_ATTRIBUTE);
      }
    }
  });

  it('refuses a fingerprint that is wrong, not the last attribute, or of a wrong length', () => {
    const right = writer().begin(0, 1, CLASS_REQUEST).transactionId(TRANSACTION_ID, 0).fingerprint();
    const crc = Buffer.from(right.bytes.slice(24, 28));
    const refused = [
      [{ type: ATTR_FINGERPRINT, value: Buffer.alloc(4) }],
      [
        { type: ATTR_FINGERPRINT, value: crc },
        { type: 0x8022, value: Buffer.alloc(0) },
      ],
      [{ type: ATTR_FINGERPRINT, value: crc.subarray(0, 3) }],
      [{ type: ATTR_FINGERPRINT, value: Buffer.alloc(0) }],
    ];
    expect(parse(message([{ type: ATTR_FINGERPRINT, value: crc }])).fingerprintOffset).toBe(20);
    for (const attributes of refused) {
      const bytes = message(attributes);
      expect(new StunReader(UNDERSTOOD).parse(bytes, 0, bytes.length)).toBe(STUN_BAD_FINGERPRINT);
    }
  });

  it('counts peers beyond those it keeps, and keeps a bounded number of unknown attributes', () => {
    const peers = Array.from({ length: 70 }, () => ({ type: ATTR_XOR_PEER_ADDRESS, value: Buffer.alloc(8) }));
    const unknown = Array.from({ length: 70 }, () => ({ type: 0x7ff0, value: Buffer.alloc(0) }));
    const reader = parse(message([...peers, ...unknown]));
    expect([reader.peerCount, reader.peers.length, reader.unknownCount]).toEqual([70, 64, 16]);
  });

  it('forgets one message when it reads the next', () => {
    const reader = new StunReader(UNDERSTOOD);
    const full = message([
      { type: ATTR_USERNAME, value: Buffer.from('u') },
      { type: ATTR_XOR_PEER_ADDRESS, value: Buffer.alloc(8) },
      { type: 0x7ff0, value: Buffer.alloc(0) },
      { type: ATTR_MESSAGE_INTEGRITY, value: Buffer.alloc(20) },
    ]);
    const empty = message([]);
    reader.parse(full, 0, full.length);
    reader.parse(empty, 0, empty.length);
    expect([
      reader.has(ATTR_USERNAME),
      reader.peerCount,
      reader.unknownCount,
      reader.integrityOffset,
    ]).toEqual([false, 0, 0, -1]);
  });

  it('takes a message without the magic cookie for one of RFC 3489', () => {
    const old = message([]);
    old[7] = 0x43;
    expect(parse(old).classic).toBe(true);
    expect(parse(message([])).classic).toBe(false);
  });
});
