/**
 * Hostile `ng` traffic: random bytes, bent commands, commands made of odd pieces. Nothing throws, every reply
 * is well-formed and under the request's cookie, and nothing grows with what came.
 */
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import type { NgDictionary } from '../../src/b2bua/ng-request.ts';
import { parseNgRequest } from '../../src/b2bua/parse-ng-request.ts';
import { NgResponder } from '../../src/node/ng-responder.ts';
import {
  BENCODE_VALUES_MAX,
  type BencodeValue,
  decodeBencode,
  emptyDictionary,
  encodeBencode,
} from '../../src/wire/bencode.ts';
import { formatNgMessage, parseNgMessage } from '../../src/wire/ng-message.ts';
import { Random, SEED } from './seeded.ts';

const MESSAGES = Number(process.env.FUZZ_MESSAGES ?? 50_000);
const TIMEOUT_MS = 60_000 + MESSAGES;

const SDP =
  'v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 5000 RTP/SAVP 0\r\n';
const KEYS = [
  'command',
  'call-id',
  'call id',
  'from-tag',
  'to_tag',
  'via-branch',
  'sdp',
  'flags',
  'rtpp-flags',
  'rtpp_flags',
  'ICE',
  'DTLS',
  'SDES',
  'transport protocol',
  'rtcp-mux',
  'replace',
  'direction',
  'from-interface',
  'address-family',
  'media-address',
  'received-from',
  'delete-delay',
  'limit',
  'supports',
  'all',
  'result',
  'record-call',
  '__proto__',
  'constructor',
  '',
];
const WORDS = [
  'offer',
  'answer',
  'block media',
  'force',
  'remove',
  'off',
  'pad',
  'no-AES_CM_128_HMAC_SHA1_32',
  'order:A;B;;C;',
  'RTP/SAVP',
  'SRTP',
  'AVPF',
  'DTLS',
  'origin',
  'IP4',
  'IP6',
  '192.0.2.1',
  '2001:db8::1',
  'pub',
  'internal',
  'direction=pub',
  'ICE=[trickle force]',
  'codec=[transcode=[PCMA',
  'SDES-order:',
  'SDES-',
  'rtcp-mux-',
  'replace-origin',
  'to-tag=',
  '=',
  '=x',
  '[',
  ']]',
  '[[[',
  '-1',
  '99999999999999999999',
  '__proto__=x',
  'İ',
  '\u0000\n',
  SDP,
];

function oddValue(random: Random, depth: number): BencodeValue {
  const kind = random.below(depth > 3 ? 3 : 6);
  if (kind === 0) return random.word() * (random.chance(0.5) ? 1 : -(2 ** 30));
  if (kind < 3) {
    return Array.from({ length: random.between(0, 5) }, () => random.pick(WORDS)).join(
      random.pick([' ', '=', '-']),
    );
  }
  if (kind < 5) return Array.from({ length: random.below(6) }, () => oddValue(random, depth + 1));
  return oddDictionary(random, depth + 1);
}

function oddDictionary(random: Random, depth: number): NgDictionary {
  const dictionary = emptyDictionary<BencodeValue>();
  for (let i = random.below(8); i > 0; i--) {
    const key = random.chance(0.95) ? random.pick(KEYS) : random.pick(WORDS);
    dictionary[key] = random.chance(0.5) ? random.pick(WORDS) : oddValue(random, depth);
  }
  return dictionary;
}

function bent(random: Random, bytes: Uint8Array): Uint8Array {
  const copy = Buffer.from(bytes);
  for (let i = random.below(5); i > 0; i--) copy[random.below(copy.length)] = random.below(256);
  if (random.chance(0.7)) return copy;
  const at = random.below(copy.length + 1);
  if (random.chance(0.5)) return copy.subarray(0, at);
  return Buffer.concat([copy.subarray(0, at), random.bytes(random.below(20)), copy.subarray(at)]);
}

function hostileMessage(random: Random): Uint8Array {
  if (random.chance(0.1)) return random.bytes(random.below(200));
  const cookie = random.pick(['1', '2_b', 'c'.repeat(128), 'c'.repeat(129), '', 'ü', `${random.below(500)}`]);
  const whole = formatNgMessage(cookie, random.chance(0.5) ? 'bencode' : 'json', oddDictionary(random, 0));
  return random.chance(0.5) ? whole : bent(random, whole);
}

/** How many values a value is, itself counted. */
function size(value: BencodeValue): number {
  if (typeof value !== 'object') return 1;
  return Object.values(value).reduce<number>((sum, item) => sum + size(item as BencodeValue), 1);
}

describe('bencode', () => {
  it('of any bytes is a value within the limits or nothing', { timeout: TIMEOUT_MS }, () => {
    const random = new Random(SEED);
    let decoded = 0;
    for (let i = 0; i < MESSAGES; i++) {
      const original = encodeBencode(oddDictionary(random, 0));
      const bytes = random.chance(0.1) ? random.bytes(random.below(60)) : bent(random, original);
      const value = decodeBencode(bytes);
      if (value === undefined) continue;
      decoded++;
      if (size(value) > BENCODE_VALUES_MAX)
        throw new Error(`too much: ${Buffer.from(bytes).toString('hex')}`);
      // Once sorted and free of repeated keys, it is a fixed point.
      const normal = encodeBencode(value);
      const again = decodeBencode(normal);
      if (again === undefined || !Buffer.from(encodeBencode(again)).equals(normal)) {
        throw new Error(`changed when read again: ${Buffer.from(bytes).toString('hex')}`);
      }
    }
    expect(decoded).toBeGreaterThan(MESSAGES / 10);
  });

  it('takes time in proportion to its length, whatever it is', () => {
    // A quadratic reader would be at it for hours.
    for (const unit of [
      'l',
      'd',
      'i',
      'i1',
      '1',
      '1:',
      'd1:a',
      'i0e',
      'li0e',
      '1:a',
      'd1:a1:be',
      '9:',
      ':',
    ]) {
      const bytes = Buffer.from(unit.repeat(Math.floor(4_000_000 / unit.length)));
      decodeBencode(bytes);
      decodeBencode(Buffer.concat([Buffer.from('d1:a'), bytes]));
    }
  });
});

describe('a request', () => {
  it('made of odd pieces is read within bounds, and throws nothing', { timeout: TIMEOUT_MS }, () => {
    const random = new Random(SEED + 1);
    for (let i = 0; i < MESSAGES; i++) {
      const dictionary = oddDictionary(random, 0);
      const request = parseNgRequest(dictionary);
      const isBounded =
        request.unknown.length <= 16 &&
        request.unknown.every((name) => /^[ -~]{0,64}$/.test(name)) &&
        (request.direction.length === 0 || request.direction.length === 2) &&
        (request.deleteDelaySeconds ?? 0) >= 0 &&
        (request.limit ?? 1) > 0;
      if (!isBounded) throw new Error(`${JSON.stringify(dictionary)} gave ${JSON.stringify(request)}`);
    }
  });

  it('of one long string is read in time in proportion to its length', () => {
    for (const unit of [
      '[',
      ']',
      '=',
      ' ',
      'a ',
      '[a] ',
      'ICE=[',
      'SDES-order:A;',
      'SDES-no-X ',
      '-',
      '_ ',
    ]) {
      const words = unit.repeat(Math.floor(60_000 / unit.length));
      for (const key of ['rtpp-flags', 'flags', 'SDES', 'ICE', 'direction', 'received-from', words]) {
        parseNgRequest({ [key]: words });
      }
    }
  });
});

describe('a responder', () => {
  it('under hostile messages answers well or not at all, and does not grow', {
    timeout: TIMEOUT_MS,
  }, async () => {
    const random = new Random(SEED + 2);
    let nowMs = 0;
    const ng = new NgResponder({
      handle: async (dictionary) => {
        if (random.chance(0.05)) throw new Error('the core failed');
        return random.chance(0.5) ? { result: 'ok', echo: dictionary } : oddDictionary(random, 0);
      },
      log: pino({ level: 'silent' }),
      nowMs: () => nowMs,
      limits: { repliesKept: 100, bytesKept: 50_000 },
    });
    for (let i = 0; i < MESSAGES; i++) {
      const message = hostileMessage(random);
      const reply = await ng.respond(`192.0.2.${random.below(256)}:${random.below(3)}`, message);
      nowMs += random.below(100);
      const request = parseNgMessage(message);
      const text = `${Buffer.from(message).toString('hex')} got ${reply && Buffer.from(reply).toString('hex')}`;
      if (!request && reply) throw new Error(`no request: ${text}`);
      if (reply) expectFits(request, parseNgMessage(reply), text);
      if (ng.memory.repliesKept > 100 || ng.memory.bytesKept > 50_000) throw new Error('the memory grew');
    }
    const { received, replies, malformed, commands } = ng.counters;
    expect(received).toBe(MESSAGES);
    expect(Math.min(replies, malformed)).toBeGreaterThan(MESSAGES / 20);
    expect(Object.keys(commands).length).toBeLessThan(20);
    expect(ng.memory.commandsUnderWay).toBe(0);
  });
});

function expectFits(
  request: ReturnType<typeof parseNgMessage>,
  reply: ReturnType<typeof parseNgMessage>,
  text: string,
): void {
  if (!reply?.dictionary) throw new Error(`malformed: ${text}`);
  if (reply.cookie !== request?.cookie || reply.encoding !== request.encoding)
    throw new Error(`strays: ${text}`);
}
