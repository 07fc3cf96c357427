import { describe, expect, it } from 'vitest';
import {
  isRtcp,
  isRtcpPacket,
  rtcpSsrc,
  rtcpType,
  rtpHeaderLength,
  rtpMarker,
  rtpPayloadType,
  rtpSequence,
  rtpSsrc,
  rtpTimestamp,
} from '../../../src/wire/rtp.ts';

/** The packet stands behind other bytes: offsets must be honoured. */
const OFFSET = 5;

function at(hex: string): Uint8Array {
  return Buffer.from('ff'.repeat(OFFSET) + hex, 'hex');
}

function headerLength(hex: string, length = hex.length / 2): number {
  return rtpHeaderLength(at(hex), OFFSET, length);
}

const FIXED = '80e01234deadbeefcafebabe';

describe('RTP header', () => {
  it('has 12 bytes, or more with CSRCs and an extension', () => {
    expect(headerLength(FIXED)).toBe(12);
    expect(headerLength(`${FIXED}0102`)).toBe(12);
    expect(headerLength(`83${FIXED.slice(2)}${'11'.repeat(12)}`)).toBe(24);
    expect(headerLength(`90${FIXED.slice(2)}bede0000`)).toBe(16);
    expect(headerLength(`90${FIXED.slice(2)}bede0002${'22'.repeat(8)}99`)).toBe(24);
    expect(headerLength(`9f${FIXED.slice(2)}${'11'.repeat(60)}bede0001${'22'.repeat(4)}`)).toBe(80);
  });

  it('is malformed when what it announces does not fit', () => {
    expect(headerLength(FIXED, 11)).toBe(-1);
    expect(headerLength(FIXED, 0)).toBe(-1);
    expect(headerLength(FIXED, -3)).toBe(-1);
    expect(headerLength(`83${FIXED.slice(2)}${'11'.repeat(12)}`, 23)).toBe(-1);
    expect(headerLength(`90${FIXED.slice(2)}bede00`)).toBe(-1);
    expect(headerLength(`90${FIXED.slice(2)}bede0001112233`)).toBe(-1);
    expect(headerLength(`90${FIXED.slice(2)}bedeffff${'00'.repeat(100)}`)).toBe(-1);
  });

  it('is malformed with another version than 2', () => {
    for (const first of ['00', '40', 'c0']) expect(headerLength(first + FIXED.slice(2))).toBe(-1);
  });

  it('gives its fields', () => {
    const bytes = at(FIXED);
    expect(rtpMarker(bytes, OFFSET)).toBe(true);
    expect(rtpMarker(at(`8060${FIXED.slice(4)}`), OFFSET)).toBe(false);
    expect(rtpPayloadType(bytes, OFFSET)).toBe(0x60);
    expect(rtpSequence(bytes, OFFSET)).toBe(0x1234);
    expect(rtpTimestamp(bytes, OFFSET)).toBe(0xdeadbeef);
    expect(rtpSsrc(bytes, OFFSET)).toBe(0xcafebabe | 0);
  });
});

describe('RTCP', () => {
  it('is told from RTP by its type alone (RFC 5761 §4)', () => {
    const isRtcpOfType = (type: number): boolean => isRtcp(Uint8Array.of(0x80, type), 0);
    const rtcp = Array.from({ length: 256 }, (_, type) => type).filter(isRtcpOfType);
    const range = (from: number, to: number): number[] =>
      Array.from({ length: to - from + 1 }, (_, i) => from + i);
    expect(rtcp).toEqual([...range(64, 95), ...range(192, 223)]);
  });

  it('begins with a header of 8 bytes, version 2 and a type from 192 to 223', () => {
    const report = '80c80001cafebabe';
    const check = (hex: string, length = hex.length / 2): boolean => isRtcpPacket(at(hex), OFFSET, length);
    expect(check(report)).toBe(true);
    expect(check(`${report}0000`)).toBe(true);
    expect(check(report, 7)).toBe(false);
    expect(check(report, -1)).toBe(false);
    expect(check(`40${report.slice(2)}`)).toBe(false);
    expect(check(`80bf${report.slice(4)}`)).toBe(false);
    expect(check(`80e0${report.slice(4)}`)).toBe(false);
    expect(check(`8048${report.slice(4)}`)).toBe(false); // RTP of payload type 72
    expect(rtcpType(at(report), OFFSET)).toBe(200);
    expect(rtcpSsrc(at(report), OFFSET)).toBe(0xcafebabe | 0);
  });
});
