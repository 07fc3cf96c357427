/** µ-law, tones, and what a receiver counts. */
import { describe, expect, it } from 'vitest';
import { muLawOf, sampleOf } from '../../../lab/phone/mu-law.ts';
import { RtpReception } from '../../../lab/phone/rtp-reception.ts';
import { ToneMeter, tonePayload } from '../../../lab/phone/tone.ts';

const PACKET_SAMPLES = 160;

describe('µ-law', () => {
  // ITU-T G.711, table 2a: values at the decoder's output times 4, as 16-bit samples have two bits more.
  it.each([
    [0xff, 0],
    [0xfe, 8],
    [0xef, 132],
    [0xdf, 396],
    [0x80, 32_124],
    [0x00, -32_124],
    [0x7e, -8],
  ])('%d stands for %d', (byte, sample) => {
    expect(sampleOf(byte)).toBe(sample);
    expect(muLawOf(sample)).toBe(byte);
  });

  it('comes back from any sample within its step', () => {
    for (let sample = -32_768; sample <= 32_767; sample++) {
      const error = Math.abs(sampleOf(muLawOf(sample)) - Math.max(-32_124, Math.min(32_124, sample)));
      expect(error).toBeLessThanOrEqual((Math.abs(sample) + 132) / 32);
    }
  });

  it('has each of its bytes for some sample', () => {
    for (let byte = 0; byte < 256; byte++) {
      expect(muLawOf(sampleOf(byte))).toBe(byte === 0x7f ? 0xff : byte); // negative zero
    }
  });
});

describe('a tone', () => {
  function heard(packets: readonly Buffer[]): number | null {
    const meter = new ToneMeter();
    for (const packet of packets) meter.hear(packet);
    return meter.toneHz;
  }

  const packetsOf = (toneHz: number, count = 25, first = 0): Buffer[] =>
    Array.from({ length: count }, (_, i) =>
      tonePayload(toneHz, (first + i) * PACKET_SAMPLES, PACKET_SAMPLES),
    );

  it.each([300, 440, 520, 610, 700, 790, 880, 970, 1060, 1150, 1240, 1330, 1420, 3000])(
    'of %d Hz is told',
    (toneHz) => {
      expect(Math.abs((heard(packetsOf(toneHz)) ?? 0) - toneHz)).toBeLessThanOrEqual(2);
    },
  );

  it('is told with most packets lost', () => {
    const every3rd = packetsOf(700, 45).filter((_, i) => i % 3 === 0);
    expect(Math.abs((heard(every3rd) ?? 0) - 700)).toBeLessThanOrEqual(2);
  });

  it('is the last half second alone', () => {
    expect(Math.abs((heard([...packetsOf(440), ...packetsOf(1060)]) ?? 0) - 1060)).toBeLessThanOrEqual(2);
  });

  it('is none where there is too little, silence, noise, or two at once', () => {
    expect(heard(packetsOf(440, 9))).toBeNull();
    expect(heard(packetsOf(440, 25).map(({ length }) => Buffer.alloc(length, 0xff)))).toBeNull();
    let state = 1;
    const random = (): number => {
      state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
      return state >> 8;
    };
    const noise = Buffer.from(Array.from({ length: PACKET_SAMPLES }, random));
    expect(heard(Array.from({ length: 25 }, () => noise))).toBeNull();
    const a = packetsOf(440);
    const b = packetsOf(520);
    expect(heard(a.map((packet, i) => (i % 2 === 0 ? packet : (b[i] ?? packet))))).toBeNull();
    const far = packetsOf(1060);
    const both = a.map((packet, i) =>
      Buffer.from(packet.map((byte, at) => muLawOf(sampleOf(byte) + sampleOf(far[i]?.[at] ?? 0xff)))),
    );
    expect(heard(both)).toBeNull();
  });
});

describe('a reception', () => {
  function receive(sequences: readonly number[]): RtpReception {
    const reception = new RtpReception(8000);
    for (const [i, sequence] of sequences.entries()) reception.take(sequence, i * 160, i * 20);
    return reception;
  }

  it.each([
    ['nothing', [], 0, 0],
    ['all', [10, 11, 12], 3, 0],
    ['a gap', [10, 13], 2, 2],
    ['a gap that is filled late', [10, 13, 11], 3, 1],
    ['one before the first', [10, 9, 11], 3, 0],
    ['duplicates', [10, 10, 11, 11, 10], 2, 0],
    ['a wrap', [65_534, 65_535, 0, 1], 4, 0],
    ['a gap over a wrap', [65_534, 1], 2, 2],
    ['a wrap, and one from before it', [65_534, 0, 65_535], 3, 0],
    ['a source that began anew', [10, 11, 40_000, 40_001, 40_002], 4, 0],
    ['one stray packet far away', [10, 11, 40_000, 12], 3, 0],
  ] as const)('of %s', (_, sequences, heardPackets, lostPackets) => {
    const reception = receive(sequences);
    expect([reception.heardPackets, reception.lostPackets]).toEqual([heardPackets, lostPackets]);
  });

  it('reports the loss since the last report in 256ths, and of all (RFC 3550 §6.4.1)', () => {
    const reception = receive([100, 101, 102, 104]);
    expect(reception.report()).toMatchObject({
      fractionLost: 51,
      packetsLost: 1,
      highestSequence: 65_536 + 104,
    });
    for (const sequence of [105, 106, 108, 110]) reception.take(sequence, 0, 0);
    expect(reception.report()).toMatchObject({ fractionLost: 85, packetsLost: 3 }); // 2 of 6
    expect(reception.report()).toMatchObject({ fractionLost: 0, packetsLost: 3 });
    reception.take(103, 0, 0); // late: the interval gained one
    expect(reception.report()).toMatchObject({ fractionLost: 0, packetsLost: 2 });
  });

  it('has a jitter of a sixteenth of the first deviation (RFC 3550 A.8), and none without any', () => {
    const reception = receive([1, 2, 3, 4]);
    expect(reception.jitterMs).toBe(0);
    reception.take(5, 4 * 160, 4 * 20 + 16);
    expect(reception.jitterMs).toBeCloseTo(1);
    expect(reception.report().jitter).toBe(8);
    reception.take(6, 5 * 160, 5 * 20 + 16);
    expect(reception.jitterMs).toBeCloseTo(15 / 16);
  });
});
