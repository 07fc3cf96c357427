/**
 * Every parser under random and bent input: none throws, none reads or writes outside what it was given,
 * and none takes for good what an independent reading refuses.
 */
import { describe, expect, it } from 'vitest';
import { A, type Attribute, decode, hasFingerprint, withZeroPadding } from '../../lab/phone/plain-stun.ts';
import { parseAddress, parsePrefix } from '../../src/wire/address.ts';
import { kindOf } from '../../src/wire/demux.ts';
import { EndpointBook } from '../../src/wire/endpoint.ts';
import {
  FRAME_MALFORMED,
  FRAME_READY,
  FRAME_UNFINISHED,
  STREAM_MESSAGE_BYTES_MAX,
  StreamFramer,
} from '../../src/wire/stream-framing.ts';
import { ATTR_XOR_PEER_ADDRESS, readXorAddress, STUN_OK, StunReader } from '../../src/wire/stun.ts';
import {
  SAMPLE_IPV4_RESPONSE,
  SAMPLE_IPV6_RESPONSE,
  SAMPLE_REQUEST,
  USERHASH_REQUEST,
} from '../conformance/stun-vectors.ts';
import { session } from './client-messages.ts';
import { source } from './fuzz-io.ts';
import { HostileMessages } from './hostile-messages.ts';
import { Random, SEED } from './seeded.ts';

const MESSAGES = Number(process.env.FUZZ_MESSAGES ?? 50_000);
const TIMEOUT_MS = 60_000 + MESSAGES;
/** A message is put between these, so that a step outside shows. */
const MARGIN = 64;

const KNOWN = Object.values(A).filter((type) => type < 0x8000);

function hostileMessages(random: Random): () => Buffer {
  const peers = [source('203.0.113.1', 1), source('2001:db8::1', 2)];
  const hostile = new HostileMessages(random, [...peers, ...peers, ...peers]);
  const who = session({ name: 'u', password: 'p' }, random.bytes(35));
  const vectors = [SAMPLE_REQUEST, SAMPLE_IPV4_RESPONSE, SAMPLE_IPV6_RESPONSE, USERHASH_REQUEST];
  return () => (random.chance(0.1) ? bentVector(random, vectors) : hostile.next(who, undefined));
}

function bentVector(random: Random, vectors: readonly Uint8Array[]): Buffer {
  const bytes = Buffer.from(random.pick(vectors));
  for (let i = random.below(4); i > 0; i--) bytes[random.below(bytes.length)] = random.below(256);
  return random.chance(0.8) ? bytes : bytes.subarray(0, random.below(bytes.length + 1));
}

/** What a plain reading of RFC 8489 makes of a message, or undefined if it is none. */
function plainly(bytes: Buffer): readonly Attribute[] | undefined {
  const withCookie = Buffer.from(bytes);
  if (bytes.length < 20 || (bytes[0] as number) > 3 || bytes.length % 4 !== 0) return undefined;
  withCookie.writeUInt32BE(0x2112a442, 4); // messages of RFC 3489 have none
  try {
    return decode(withZeroPadding(withCookie)).attributes;
  } catch {
    return undefined;
  }
}

describe('the STUN reader', () => {
  it(
    'agrees with a plain reading, throws nothing and changes nothing',
    () => {
      const random = new Random(SEED);
      const next = hostileMessages(random);
      const reader = new StunReader(KNOWN);
      const book = new EndpointBook(2, 2);
      let accepted = 0;
      for (let i = 0; i < MESSAGES; i++) {
        const message = next();
        const slab = Buffer.concat([Buffer.alloc(MARGIN, 0xa5), message, Buffer.alloc(MARGIN, 0x5a)]);
        const before = Buffer.from(slab);
        const outcome = reader.parse(slab, MARGIN, message.length);
        if (outcome === STUN_OK) {
          accepted++;
          expectPlausible(reader, message, plainly(message));
          for (const at of reader.peers.subarray(0, Math.min(reader.peerCount, 64))) {
            readXorAddress(slab, MARGIN, at, book, 0);
          }
        }
        if (!before.equals(slab)) throw new Error(`the reader wrote to ${message.toString('hex')}`);
      }
      expect(accepted).toBeGreaterThan(MESSAGES / 10);
    },
    TIMEOUT_MS,
  );
});

function expectPlausible(
  reader: StunReader,
  message: Buffer,
  attributes: readonly Attribute[] | undefined,
): void {
  const hex = message.toString('hex');
  if (!attributes) throw new Error(`accepted what is no STUN message: ${hex}`);
  if (reader.fingerprintOffset >= 0 && !hasFingerprint(message))
    throw new Error(`accepted a wrong fingerprint: ${hex}`);
  const protectedFrom = attributes.findIndex(
    ({ type }) => type === A.messageIntegrity || type === A.messageIntegritySha256,
  );
  const counting = protectedFrom < 0 ? attributes : attributes.slice(0, protectedFrom);
  for (const type of KNOWN) {
    if (type === A.messageIntegrity || type === A.messageIntegritySha256) continue;
    const first = counting.find((attribute) => attribute.type === type);
    if (reader.has(type) !== (first !== undefined)) throw new Error(`attribute ${type} of ${hex}`);
    if (first && reader.valueLength(type) !== first.value.length)
      throw new Error(`length of ${type} of ${hex}`);
    const at = reader.value(type) - MARGIN;
    if (first && at + first.value.length > message.length) throw new Error(`${type} lies outside of ${hex}`);
  }
  const peers = counting.filter(({ type }) => type === ATTR_XOR_PEER_ADDRESS).length;
  if (reader.peerCount !== peers) throw new Error(`${reader.peerCount} peers of ${peers} in ${hex}`);
  const unknown = counting.filter(
    ({ type }) => type < 0x8000 && !KNOWN.includes(type as (typeof KNOWN)[number]),
  );
  if (reader.unknownCount !== Math.min(16, unknown.length)) throw new Error(`unknown attributes of ${hex}`);
}

describe('address attributes', () => {
  it('of any bytes are read whole or not at all', { timeout: TIMEOUT_MS }, () => {
    const random = new Random(SEED + 1);
    const book = new EndpointBook(3, 3);
    for (let i = 0; i < MESSAGES; i++) {
      const length = random.pick([0, 1, 4, 7, 8, 9, 19, 20, 21, random.below(0x10000)]);
      const slab = random.bytes(100);
      slab.writeUInt16BE(length, 42);
      if (random.chance(0.8)) slab[45] = random.between(0, 3);
      book.words.fill(7);
      const isRead = readXorAddress(slab, 0, 44, book, 1);
      const isAddress = (slab[45] === 1 && length === 8) || (slab[45] === 2 && length === 20);
      const untouched = [...book.words.subarray(0, 8), ...book.words.subarray(isRead ? 16 : 8)];
      if (isRead !== isAddress || untouched.some((word) => word !== 7)) {
        throw new Error(`length ${length}: ${slab.toString('hex', 40, 72)}`);
      }
    }
  });
});

describe('the demultiplexer', () => {
  it('puts every first byte in one class, as RFC 7983 §7 does', () => {
    const names = ['stun', 'channel', 'dtls', 'media', 'other'];
    for (let first = 0; first < 256; first++) {
      let expected = 'other';
      if (first <= 3) expected = 'stun';
      else if (first >= 20 && first <= 63) expected = 'dtls';
      else if (first >= 64 && first <= 79) expected = 'channel';
      else if (first >= 128 && first <= 191) expected = 'media';
      expect(names[kindOf(Uint8Array.of(first), 0)], `${first}`).toBe(expected);
    }
  });
});

describe('stream framing', () => {
  it(
    'cuts any stream the same however it comes, throws nothing and holds no more than it may',
    () => {
      const random = new Random(SEED + 2);
      const next = hostileMessages(random);
      for (let messages = 0; messages < MESSAGES; ) {
        const limit = random.chance(0.5) ? STREAM_MESSAGE_BYTES_MAX : random.between(20, 2000);
        const count = random.between(1, 12);
        const stream = Buffer.concat(Array.from({ length: count }, () => streamed(random, next())));
        messages += count;
        const whole = cut(new StreamFramer(limit), [stream]);
        const pieces = cut(new StreamFramer(limit), split(random, stream));
        if (pieces.outcome !== whole.outcome || !pieces.bytes.equals(whole.bytes)) {
          throw new Error(`cut differently when split, limit ${limit}: ${stream.toString('hex')}`);
        }
        if (whole.heldMax > limit || pieces.heldMax > limit) {
          throw new Error(`held ${whole.heldMax} or ${pieces.heldMax} bytes, limit ${limit}`);
        }
      }
    },
    TIMEOUT_MS,
  );

  it('stops for good at the first byte that no message begins with', () => {
    for (let first = 0x80; first < 0x100; first++) {
      const framer = new StreamFramer();
      framer.feed(Uint8Array.of(first));
      expect(framer.next()).toBe(FRAME_MALFORMED);
      framer.feed(Uint8Array.of(0x40, 0, 0, 0));
      expect(framer.next()).toBe(FRAME_MALFORMED);
    }
  });
});

/** A message as it stands on a stream: padded to 4 bytes; some with a length that another message will have to fill. */
function streamed(random: Random, message: Buffer): Buffer {
  return random.chance(0.95) ? Buffer.concat([message, Buffer.alloc(-message.length & 3)]) : message;
}

function split(random: Random, stream: Buffer): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0; at < stream.length; ) {
    const size = random.chance(0.5) ? random.between(1, 8) : random.between(1, 3000);
    chunks.push(stream.subarray(at, at + size));
    at += size;
    if (random.chance(0.1)) chunks.push(Buffer.alloc(0));
  }
  return chunks;
}

function cut(
  framer: StreamFramer,
  chunks: readonly Buffer[],
): { bytes: Buffer; outcome: number; heldMax: number } {
  const messages: Buffer[] = [];
  let outcome = FRAME_UNFINISHED;
  let heldMax = 0;
  for (const chunk of chunks) {
    framer.feed(chunk);
    for (outcome = framer.next(); outcome === FRAME_READY; outcome = framer.next()) {
      const message = Buffer.from(framer.bytes.subarray(framer.offset, framer.offset + framer.length));
      if (message.length !== framer.length) throw new Error('a message beyond the end of its bytes');
      messages.push(Buffer.from(`${message.length} `), message);
    }
    heldMax = Math.max(heldMax, framer.unfinishedBytes);
  }
  return { bytes: Buffer.concat(messages), outcome, heldMax };
}

describe('addresses and prefixes in text', () => {
  it('of any characters give an address of 4 or 16 bytes, or none', { timeout: TIMEOUT_MS }, () => {
    const random = new Random(SEED + 3);
    const alphabet = '0123456789abcdefABCDEF::::...//%xg -\u0660';
    for (let i = 0; i < MESSAGES; i++) {
      const text = Array.from({ length: random.below(24) }, () => random.pick([...alphabet])).join('');
      const address = parseAddress(text);
      if (address && address.length !== 4 && address.length !== 16) throw new Error(`address ${text}`);
      const prefix = parsePrefix(text);
      if (prefix && prefix.bits > prefix.bytes.length * 8) throw new Error(`prefix ${text}`);
    }
  });
});
