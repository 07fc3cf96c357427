/** RFC 5769 and RFC 8489 Appendix B.1: parsed, verified, and written again byte for byte. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { EndpointBook } from '../../src/wire/endpoint.ts';
import {
  ATTR_MESSAGE_INTEGRITY,
  ATTR_MESSAGE_INTEGRITY_SHA256,
  ATTR_NONCE,
  ATTR_PASSWORD_ALGORITHM,
  ATTR_REALM,
  ATTR_USERHASH,
  ATTR_USERNAME,
  ATTR_XOR_MAPPED_ADDRESS,
  CLASS_REQUEST,
  CLASS_SUCCESS,
  METHOD_BINDING,
  readXorAddress,
  STUN_BAD_FINGERPRINT,
  STUN_BAD_LENGTH,
  STUN_OK,
  StunReader,
} from '../../src/wire/stun.ts';
import { type HmacAlgorithm, StunWriter, verifyIntegrity } from '../../src/wire/stun-writer.ts';
import { hmac } from '../fuzz/test-crypto.ts';
import {
  bytesOf,
  LONG_TERM,
  LONG_TERM_REQUEST,
  SAMPLE_IPV4_RESPONSE,
  SAMPLE_IPV6_RESPONSE,
  SAMPLE_REQUEST,
  SHORT_TERM_PASSWORD,
  USERHASH_REQUEST,
  USERHASH_REQUEST_AS_PRINTED,
} from './stun-vectors.ts';

const ATTR_PRIORITY = 0x0024;
const ATTR_SOFTWARE = 0x8022;
const ATTR_ICE_CONTROLLED = 0x8029;
const SPACE = 0x20;

const UNDERSTOOD = [
  ATTR_USERNAME,
  ATTR_MESSAGE_INTEGRITY,
  ATTR_REALM,
  ATTR_NONCE,
  ATTR_XOR_MAPPED_ADDRESS,
  ATTR_MESSAGE_INTEGRITY_SHA256,
  ATTR_PASSWORD_ALGORITHM,
  ATTR_USERHASH,
  ATTR_PRIORITY,
];

/** Where the vectors are put: not at 0, so that an offset forgotten anywhere shows. */
const AT = 40;

function parsed(vector: Uint8Array): { reader: StunReader; slab: Uint8Array } {
  const slab = new Uint8Array(1024).fill(0xa5);
  slab.set(vector, AT);
  const reader = new StunReader(UNDERSTOOD);
  expect(reader.parse(slab, AT, vector.length)).toBe(STUN_OK);
  return { reader, slab };
}

function verifies(vector: Uint8Array, algorithm: HmacAlgorithm, key: Uint8Array): boolean {
  const { reader, slab } = parsed(vector);
  const attribute = algorithm === 'sha1' ? reader.integrityOffset : reader.integritySha256Offset;
  const outcome = verifyIntegrity(algorithm, key, slab, AT, attribute, hmac);
  expect(slab.slice(AT, AT + vector.length), 'verifying leaves the message as it was').toEqual(vector);
  return outcome;
}

/** Changing any one bit of the covered bytes or of the HMAC must be noticed. */
function expectEveryBitCounts(vector: Uint8Array, algorithm: HmacAlgorithm, key: Uint8Array): void {
  const { reader, slab } = parsed(vector);
  const attribute = algorithm === 'sha1' ? reader.integrityOffset : reader.integritySha256Offset;
  const end = attribute + (algorithm === 'sha1' ? 24 : 36);
  for (let at = AT; at < end; at++) {
    // The length field is set while hashing, and the attribute's own header is not covered.
    if ((at >= AT + 2 && at < AT + 4) || (at >= attribute && at < attribute + 4)) continue;
    for (let bit = 1; bit < 256; bit <<= 1) {
      slab[at] = (slab[at] as number) ^ bit;
      expect(verifyIntegrity(algorithm, key, slab, AT, attribute, hmac), `bit ${bit} of byte ${at}`).toBe(
        false,
      );
      slab[at] = (slab[at] as number) ^ bit;
    }
  }
}

const shortTermKey = Buffer.from(SHORT_TERM_PASSWORD);
const longTermText = `${LONG_TERM.username}:${LONG_TERM.realm}:${LONG_TERM.password}`;
const md5Key = createHash('md5').update(longTermText).digest();
const sha256Key = createHash('sha256').update(longTermText).digest();

/** The bytes a writer made. */
function written(writer: StunWriter): Uint8Array {
  return writer.bytes.slice(writer.offset, writer.offset + writer.length);
}

function begin(method: number, messageClass: number, vector: Uint8Array): StunWriter {
  return new StunWriter(new Uint8Array(1024).fill(0xa5))
    .begin(AT, method, messageClass)
    .transactionId(vector, 8);
}

/** Replaces the padding that the last attribute ends with, as the sample messages of RFC 5769 do. */
function padWithSpaces(writer: StunWriter, count: number): void {
  const end = writer.offset + writer.length;
  writer.bytes.fill(SPACE, end - count, end);
}

describe('RFC 5769 §2.1, sample request', () => {
  it('is read', () => {
    const { reader } = parsed(SAMPLE_REQUEST);
    expect(reader.method).toBe(METHOD_BINDING);
    expect(reader.messageClass).toBe(CLASS_REQUEST);
    expect(reader.classic).toBe(false);
    expect(reader.text(ATTR_USERNAME)).toBe('evtj:h6vY');
    expect(reader.text(ATTR_SOFTWARE)).toBe('STUN test client');
    const priority = reader.value(ATTR_PRIORITY);
    expect(reader.bytes.slice(priority, priority + 4)).toEqual(bytesOf('6e0001ff'));
    expect(reader.valueLength(ATTR_ICE_CONTROLLED)).toBe(8);
    expect(reader.unknownCount).toBe(0);
  });

  it('verifies with its password and with no other', () => {
    expect(verifies(SAMPLE_REQUEST, 'sha1', shortTermKey)).toBe(true);
    expect(verifies(SAMPLE_REQUEST, 'sha1', Buffer.from('VOkJxbRl1RmTxUk/WvJxBT'))).toBe(false);
    expectEveryBitCounts(SAMPLE_REQUEST, 'sha1', shortTermKey);
  });

  it('is refused when its fingerprint is off by one bit', () => {
    const broken = SAMPLE_REQUEST.slice();
    broken[broken.length - 1] = (broken.at(-1) as number) ^ 1;
    expect(new StunReader(UNDERSTOOD).parse(broken, 0, broken.length)).toBe(STUN_BAD_FINGERPRINT);
  });

  it('comes out of the writer byte for byte', () => {
    const writer = begin(METHOD_BINDING, CLASS_REQUEST, SAMPLE_REQUEST)
      .attribute(ATTR_SOFTWARE, Buffer.from('STUN test client'))
      .attribute(ATTR_PRIORITY, bytesOf('6e0001ff'))
      .attribute(ATTR_ICE_CONTROLLED, bytesOf('932ff9b151263b36'))
      .attribute(ATTR_USERNAME, Buffer.from('evtj:h6vY'));
    padWithSpaces(writer, 3);
    expect(written(writer.integrity('sha1', shortTermKey, hmac).fingerprint())).toEqual(SAMPLE_REQUEST);
  });
});

describe.each([
  { section: '§2.2', vector: SAMPLE_IPV4_RESPONSE, address: '192.0.2.1' },
  { section: '§2.3', vector: SAMPLE_IPV6_RESPONSE, address: '2001:db8:1234:5678:11:2233:4455:6677' },
])('RFC 5769 $section, sample response with $address', ({ vector, address }) => {
  it('is read', () => {
    const { reader } = parsed(vector);
    const book = new EndpointBook(1, 1);
    expect(reader.messageClass).toBe(CLASS_SUCCESS);
    expect(reader.text(ATTR_SOFTWARE)).toBe('test vector');
    expect(readXorAddress(reader.bytes, AT, reader.value(ATTR_XOR_MAPPED_ADDRESS), book, 0)).toBe(true);
    expect([book.addressText(0), book.port(0)]).toEqual([address, 32853]);
  });

  it('verifies', () => {
    expect(verifies(vector, 'sha1', shortTermKey)).toBe(true);
    expectEveryBitCounts(vector, 'sha1', shortTermKey);
  });

  it('comes out of the writer byte for byte', () => {
    const book = new EndpointBook(1, 1);
    book.setText(0, address, 32853);
    const writer = begin(METHOD_BINDING, CLASS_SUCCESS, vector).attribute(
      ATTR_SOFTWARE,
      Buffer.from('test vector'),
    );
    padWithSpaces(writer, 1);
    writer.xorAddress(ATTR_XOR_MAPPED_ADDRESS, book, 0).integrity('sha1', shortTermKey, hmac).fingerprint();
    expect(written(writer)).toEqual(vector);
  });
});

describe('RFC 5769 §2.4, sample request with long-term authentication', () => {
  it('is read', () => {
    const { reader } = parsed(LONG_TERM_REQUEST);
    expect(reader.text(ATTR_USERNAME)).toBe(LONG_TERM.username);
    expect(reader.text(ATTR_NONCE)).toBe('f//499k954d6OL34oL9FSTvy64sA');
    expect(reader.text(ATTR_REALM)).toBe(LONG_TERM.realm);
    expect(reader.fingerprintOffset).toBe(-1);
  });

  it('verifies under MD5(username ":" realm ":" password)', () => {
    expect(verifies(LONG_TERM_REQUEST, 'sha1', md5Key)).toBe(true);
    expectEveryBitCounts(LONG_TERM_REQUEST, 'sha1', md5Key);
  });

  it('comes out of the writer byte for byte', () => {
    const writer = begin(METHOD_BINDING, CLASS_REQUEST, LONG_TERM_REQUEST)
      .attribute(ATTR_USERNAME, Buffer.from(LONG_TERM.username))
      .attribute(ATTR_NONCE, Buffer.from('f//499k954d6OL34oL9FSTvy64sA'))
      .attribute(ATTR_REALM, Buffer.from(LONG_TERM.realm))
      .integrity('sha1', md5Key, hmac);
    expect(written(writer)).toEqual(LONG_TERM_REQUEST);
  });
});

describe('RFC 8489 B.1 with erratum 6268, MESSAGE-INTEGRITY-SHA256 and USERHASH', () => {
  const nonce = 'obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA';

  it('is read', () => {
    const { reader } = parsed(USERHASH_REQUEST);
    expect(reader.has(ATTR_USERNAME)).toBe(false);
    expect(reader.text(ATTR_NONCE)).toBe(nonce);
    expect(reader.text(ATTR_REALM)).toBe(LONG_TERM.realm);
    const userHash = createHash('sha256').update(`${LONG_TERM.username}:${LONG_TERM.realm}`).digest();
    const value = reader.value(ATTR_USERHASH);
    expect(Buffer.from(reader.bytes.slice(value, value + 32))).toEqual(userHash);
  });

  it('verifies under SHA-256(username ":" realm ":" password)', () => {
    expect(verifies(USERHASH_REQUEST, 'sha256', sha256Key)).toBe(true);
    expectEveryBitCounts(USERHASH_REQUEST, 'sha256', sha256Key);
  });

  it('comes out of the writer byte for byte', () => {
    const writer = begin(METHOD_BINDING, CLASS_REQUEST, USERHASH_REQUEST)
      .attribute(ATTR_USERHASH, USERHASH_REQUEST, 24, 32)
      .attribute(ATTR_NONCE, Buffer.from(nonce))
      .attribute(ATTR_REALM, Buffer.from(LONG_TERM.realm))
      .attribute(ATTR_PASSWORD_ALGORITHM, bytesOf('00020000'))
      .integrity('sha256', sha256Key, hmac);
    expect(written(writer)).toEqual(USERHASH_REQUEST);
  });

  it('is refused as printed, where the length counts the header', () => {
    const reader = new StunReader(UNDERSTOOD);
    const vector = USERHASH_REQUEST_AS_PRINTED;
    expect(reader.parse(vector, 0, vector.length)).toBe(STUN_BAD_LENGTH);
  });
});
