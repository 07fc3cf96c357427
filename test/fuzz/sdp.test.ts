/** SDP and a=crypto from anyone: no text makes the readers throw, and what is not touched comes out as it came. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseCrypto } from '../../src/b2bua/sdes.ts';
import { type MediaDirection, SDP_CHARACTERS_MAX, SdpDocument } from '../../src/wire/sdp.ts';
import { formatCandidate, parseCandidate, parseRemoteCandidates } from '../../src/wire/sdp-candidate.ts';
import { clockRates, silenceBytes } from '../../src/wire/sdp-codecs.ts';
import { CORPUS } from '../unit/wire/sdp-corpus.ts';
import { holds, Random, SEED } from './seeded.ts';

const TEXTS = Number(process.env.FUZZ_MESSAGES ?? 50_000) / 5;
const TIMEOUT_MS = 60_000 + TEXTS * 5;

const SAMPLES: readonly string[] = Object.values(CORPUS);
const DIRECTIONS: readonly MediaDirection[] = ['sendrecv', 'sendonly', 'recvonly', 'inactive'];
/** What parsers trip over. */
const PIECES: readonly string[] = [
  ...['\r', '\n', '\r\n', '\0', ' ', '=', ':', '/', '|', ';', '\t', '%s', '\u2028', '\ud800', '\u00ff'],
  ...['v=0\r\n', 'm=audio 0 RTP/AVP 0\r\n', 'c=IN IP4 0.0.0.0\n', 'c=IN IP6 ::\n', 'a=', 'a=rtcp:1\r\n'],
  ...['65535', '65536', '-1', '00', '9999999999999999999999', '2^48', '1:128', '::', '255.255.255.255', '*'],
  ...['inline:', 'a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:', 'a=candidate:1 1 UDP 1 a.local 1 typ host\n'],
];

/** A sample with some characters, pieces or lines gone, doubled, moved or foreign. */
function bent(random: Random): string {
  let text = random.pick(SAMPLES);
  for (let i = random.between(1, 4); i > 0; i--) {
    const at = random.below(text.length + 1);
    const to = Math.min(text.length, at + random.below(random.chance(0.8) ? 4 : 200));
    const choice = random.below(6);
    if (choice === 0) text = text.slice(0, at) + text.slice(to);
    else if (choice === 1) text = text.slice(0, at) + random.pick(PIECES) + text.slice(to);
    else if (choice === 2) text = text.slice(0, at) + String.fromCharCode(random.below(256)) + text.slice(to);
    else if (choice === 3) text = text.slice(0, to) + text.slice(at);
    else if (choice === 4) text = withLineMoved(random, text);
    else text = text.slice(0, at) + random.pick(SAMPLES).slice(random.below(500));
  }
  return text;
}

function withLineMoved(random: Random, text: string): string {
  const lines = text.split(/(?<=\n)/);
  const [line = ''] = lines.splice(random.below(lines.length), 1);
  lines.splice(random.below(lines.length + 1), 0, line);
  return lines.join('');
}

/** Calls every reader there is. */
function readAll(document: SdpDocument): void {
  const { origin, session } = document;
  if (origin.address === '') throw new Error('an origin without an address');
  session.ownConnection();
  for (const media of document.media) {
    media.connection();
    media.rtcp();
    media.inherited('ice-ufrag');
    if (!DIRECTIONS.includes(media.direction())) throw new Error(`direction ${media.direction()}`);
    if (!(media.port >= 0 && media.port <= 65_535)) throw new Error(`port ${media.port}`);
    if (clockRates(media).some((rate) => rate <= 0)) throw new Error('a clock that stands still');
    silenceBytes(media);
    for (const value of media.attributes('candidate')) {
      const candidate = parseCandidate(value);
      if (candidate && !parseCandidate(formatCandidate(candidate))) throw new Error(`candidate ${value}`);
    }
    for (const value of media.attributes('remote-candidates')) parseRemoteCandidates(value);
    for (const value of media.attributes('crypto')) parseCrypto(value);
  }
}

/** Makes every edit that a call makes. */
function editAll(document: SdpDocument): void {
  document.setOrigin({ family: 'IP6', address: '2001:db8::1', sessionVersion: '7' });
  document.session.removeAttributes('ice-ufrag', 'ice-pwd', 'group');
  document.session.setConnection({ family: 'IP4', address: '192.0.2.200' });
  for (const media of document.media) {
    media.setConnection({ family: 'IP6', address: '2001:db8::2' });
    media.port = 0;
    media.protocol = 'RTP/SAVP';
    media.replaceAttributes('rtcp', ['36001']);
    media.replaceAttributes('crypto', ['1 X', '2 Y']);
    media.removeAttributes('candidate', 'ice-ufrag', 'ice-pwd');
    media.setDirection('inactive');
  }
}

const EDITED_LINE =
  /^(o=|c=|m=|a=(rtcp|crypto|candidate|ice-ufrag|ice-pwd|group|sendrecv|sendonly|recvonly|inactive)(:|\r?\n|$))/;

/** The lines that no edit of {@link editAll} touches, ends and all; `endless` gets one when others come behind it. */
function untouched(text: string, endless: string): string {
  const lines = text.split(/(?<=\n)/).filter((line) => !EDITED_LINE.test(line));
  return lines.map((line) => (line.trimEnd() === endless.trimEnd() ? endless : line)).join('');
}

describe('SDP of any text', () => {
  it('is refused or comes out as it came', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(fc.constantFrom(...PIECES)).map((parts) => parts.join('')),
    );
    holds(
      fc.property(text, fc.constantFrom('', 'v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\n'), (tail, head) => {
        const document = SdpDocument.parse(head + tail);
        if (document) {
          expect(document.toString()).toBe(head + tail);
          readAll(document);
        }
      }),
      5000,
    );
  });

  it('bent from that of real phones is refused or comes out as it came', { timeout: TIMEOUT_MS }, () => {
    const random = new Random(SEED);
    let accepted = 0;
    for (let i = 0; i < TEXTS; i++) {
      const text = bent(random);
      const document = SdpDocument.parse(text);
      if (!document) continue;
      accepted++;
      readAll(document);
      if (document.toString() !== text) throw new Error(`came out changed: ${JSON.stringify(text)}`);
    }
    expect(accepted).toBeGreaterThan(TEXTS / 20);
    expect(accepted).toBeLessThan(TEXTS);
  });

  it('is edited only where it is told to, and stays SDP', { timeout: TIMEOUT_MS }, () => {
    const random = new Random(SEED + 1);
    for (let i = 0; i < TEXTS; i++) {
      const text = i < SAMPLES.length ? (SAMPLES[i] as string) : bent(random);
      const document = SdpDocument.parse(text);
      if (!document) continue;
      editAll(document);
      const after = document.toString();
      const again = SdpDocument.parse(after);
      if (!again) throw new Error(`no SDP any more: ${JSON.stringify(text)}`);
      expect(again.toString()).toBe(after);
      const endless = text.slice(text.lastIndexOf('\n') + 1);
      if (untouched(after, endless) !== untouched(text, endless))
        throw new Error(`touched more: ${JSON.stringify(text)}`);
      for (const media of again.media) {
        expect(media.attributes('crypto')).toEqual(['1 X', '2 Y']);
        expect(media.connection()).toEqual({ family: 'IP6', address: '2001:db8::2' });
        expect(media).toMatchObject({ port: 0, protocol: 'RTP/SAVP' });
      }
    }
  });

  it('takes time that grows with its length alone', { timeout: TIMEOUT_MS }, () => {
    const head = 'v=0\no=- 1 1 IN IP4 192.0.2.1\n';
    const rest = SDP_CHARACTERS_MAX - head.length - 40;
    const worst = [
      `o=${' '.repeat(rest)}`,
      `o=${'a '.repeat(rest / 2)}`,
      `${head}c=${' '.repeat(rest)}`,
      `${head}c=IN IP6 ${':'.repeat(rest)}`,
      `${head}m=audio 9 RTP/AVP ${' '.repeat(rest)}x`,
      `${head}m=audio 9 RTP/AVP ${'0 '.repeat(rest / 2)}`,
      `${head}m=audio ${'/'.repeat(rest)}`,
      `${head}m=audio 9 RTP/AVP 0\na=rtpmap:${' '.repeat(rest)}`,
      `${head}m=audio 9 RTP/AVP 0\na=crypto:1 X ${'\t '.repeat(rest / 2)}`,
      `${head}m=audio 9 RTP/AVP 0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:${'A'.repeat(rest - 100)}`,
      `${head}m=audio 9 RTP/AVP 0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 ${'inline:A;'.repeat(rest / 10)}`,
      `${head}m=audio 9 RTP/AVP 0\na=candidate:${' 1'.repeat(rest / 2)}`,
      head + '\r\n'.repeat(4000),
      `${head}m=audio 9 RTP/AVP 0\n${'a=crypto:1\n'.repeat(4000)}`,
    ];
    for (const text of worst) {
      const started = performance.now();
      const document = SdpDocument.parse(text.startsWith('o=') ? `v=0\n${text}` : text);
      if (document) {
        readAll(document);
        editAll(document);
      }
      // Milliseconds where it is linear, minutes where it is not.
      expect(performance.now() - started, text.slice(0, 90)).toBeLessThan(1000);
    }
  });
});

describe('values of attributes', () => {
  it('of any text are read whole or refused', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc
        .array(fc.constantFrom(...PIECES, '1', 'AES_CM_128_HMAC_SHA1_80', ' inline:', 'typ host'))
        .map((parts) => parts.join(' ')),
    );
    holds(
      fc.property(text, (value) => {
        const crypto = parseCrypto(value);
        if (typeof crypto !== 'string') expect(crypto.keys.length).toBeGreaterThan(0);
        const candidate = parseCandidate(value);
        if (candidate) expect(parseCandidate(formatCandidate(candidate))).toEqual(candidate);
        parseRemoteCandidates(value);
      }),
      5000,
    );
  });
});
