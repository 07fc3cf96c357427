import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { Reception } from '../../../src/b2bua/reception.ts';
import { holds } from '../../fuzz/seeded.ts';

const ROW = 1;
const SSRC = 0xdecafbad;
const CLOCK_RATE_HZ = 8000;
/** Frames of 20 ms. */
const STEP_MS = 20;
const STEP_UNITS = 160;

let reception: Reception;

beforeEach(() => {
  reception = new Reception(3);
});

/** Packets of one source, each on time. */
function hear(sequences: readonly number[], ssrc = SSRC): void {
  for (const sequence of sequences) {
    reception.received(
      ROW,
      sequence & 0xffff,
      sequence * STEP_UNITS,
      ssrc,
      CLOCK_RATE_HZ,
      sequence * STEP_MS,
    );
  }
}

function from(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => first + i);
}

function tally(): [expected: number, lost: number] {
  return [reception.packetsExpected(ROW), reception.packetsLost(ROW)];
}

describe('loss', () => {
  it('is nothing before the first packet and after it', () => {
    expect([...tally(), reception.jitterMs(ROW)]).toEqual([0, 0, 0]);
    hear([7]);
    expect([...tally(), reception.jitterMs(ROW)]).toEqual([1, 0, 0]);
  });

  it('is what is missing between the first and the newest', () => {
    hear([...from(100, 10), ...from(115, 10)]);
    expect(tally()).toEqual([25, 5]);
  });

  it('goes on where the sequence number wraps', () => {
    hear([65_534, 65_535, 0x1_0001, 0x1_0002]);
    expect(tally()).toEqual([5, 1]);
  });

  it('counts many rounds of sequence numbers', () => {
    hear(from(60_000, 200_000).filter((sequence) => sequence % 10 !== 0));
    expect(tally()).toEqual([199_999, 19_999]); // the first, 60,000, is one of the missing
  });

  it('is made good by a late packet, also over the wrap', () => {
    hear([65_533, 0x1_0001]);
    expect(tally()).toEqual([5, 3]);
    hear([0x1_0000, 65_534, 65_535]);
    expect(tally()).toEqual([5, 0]);
  });

  it('is negative where packets come twice, and where the first was not the earliest', () => {
    hear([5, 5, 5, 4]);
    expect(tally()).toEqual([1, -3]);
  });

  it('is reported within 24 bits with a sign (RFC 3550 A.3)', () => {
    for (let i = 0; i < 0x80_0010; i++) reception.received(ROW, 9, 0, SSRC, 0, 0);
    expect(tally()).toEqual([1, -0x80_0000]);
    reception.reset(ROW);
    for (let i = 0; i < 4000; i++) reception.received(ROW, (i * 2999) & 0xffff, 0, SSRC, 0, 0);
    expect(tally()).toEqual([3999 * 2999 + 1, 0x7f_ffff]);
  });

  it('is a gap of up to 2999, no more', () => {
    hear([0, 2999]);
    expect(tally()).toEqual([3000, 2998]);
    hear([2999 + 3000]);
    expect(tally()).toEqual([3000, 2998]);
  });
});

describe('a source that starts afresh', () => {
  it('is believed at the second packet in order, and what lies between is nobody’s loss', () => {
    hear([...from(1000, 10), ...from(30_000, 10)]);
    expect(tally()).toEqual([10 + 9, 0]);
  });

  it('keeps the loss it had', () => {
    hear([1000, 1003, 30_000, 30_001, 30_004]);
    expect(tally()).toEqual([4 + 4, 2 + 2]);
  });

  it('may start afresh behind', () => {
    hear([30_000, 30_001, 10, 11, 12]);
    expect(tally()).toEqual([2 + 2, 0]);
  });

  it('may start afresh where the sequence number wraps', () => {
    hear([1000, 65_535, 0x1_0000, 0x1_0001]);
    expect(tally()).toEqual([1 + 2, 0]);
  });

  it('is not believed for one packet, whatever its number and whatever strayed before', () => {
    hear([30_000, 0]);
    expect(tally()).toEqual([1, 0]);
    hear([40_000], 1);
    hear([1], 1); // follows the stray one of the source before
    expect(tally()).toEqual([2, 0]);
  });

  it('is not believed for packets far off that do not follow each other', () => {
    hear([1000, 30_000, 1001, 40_000, 1002, 50_000, 1003]);
    expect(tally()).toEqual([4, 0]);
  });

  it('is late, not afresh, up to 99 behind', () => {
    hear([1000, 901, 1001]);
    expect(tally()).toEqual([2, -1]);
    hear([901, 900]); // 100 and 101 behind the newest: not counted
    expect(tally()).toEqual([2, -1]);
  });
});

describe('another source', () => {
  it('adds to the totals of the row', () => {
    hear([10, 13]);
    hear([50_000, 50_002], 1);
    expect([...tally(), reception.ssrc(ROW)]).toEqual([4 + 3, 2 + 1, 1]);
  });

  it('that comes back later has lost nothing meanwhile', () => {
    hear(from(10, 5));
    hear(from(50_000, 5), 1);
    hear(from(3000, 5));
    expect([...tally(), reception.ssrc(ROW)]).toEqual([15, 0, SSRC]);
  });

  it('may have SSRC 0', () => {
    hear([10, 12], 0);
    expect([...tally(), reception.ssrc(ROW)]).toEqual([3, 1, 0]);
  });

  it('has its own jitter', () => {
    for (let i = 0; i < 50; i++)
      reception.received(ROW, i, i * STEP_UNITS, 1, CLOCK_RATE_HZ, i * 20 + (i % 2) * 8);
    expect(reception.jitterMs(ROW)).toBeGreaterThan(7);
    hear(from(0, 5), 2);
    expect(reception.jitterMs(ROW)).toBe(0);
  });
});

describe('ssrc', () => {
  it('is -1 before the first packet, and unsigned', () => {
    expect(reception.ssrc(ROW)).toBe(-1);
    hear([1]);
    expect(reception.ssrc(ROW)).toBe(0xdecafbad);
  });
});

describe('jitter', () => {
  it('is none where packets come as their timestamps say, whatever the sequence numbers', () => {
    hear([0, 1, 5, 6, 200]);
    expect(reception.jitterMs(ROW)).toBe(0);
  });

  it('is a sixteenth of the first difference, in milliseconds (RFC 3550 A.8)', () => {
    reception.received(ROW, 0, 0, SSRC, CLOCK_RATE_HZ, 1000);
    reception.received(ROW, 1, STEP_UNITS, SSRC, CLOCK_RATE_HZ, 1036);
    expect(reception.jitterMs(ROW)).toBe(1);
    reception.received(ROW, 2, 2 * STEP_UNITS, SSRC, CLOCK_RATE_HZ, 1040);
    expect(reception.jitterMs(ROW)).toBe(1 + (16 - 1) / 16);
  });

  it('does not notice that the timestamp wraps', () => {
    for (let i = 0; i < 10; i++) {
      reception.received(ROW, i, (0xffff_ff00 + i * STEP_UNITS) >>> 0, SSRC, CLOCK_RATE_HZ, i * STEP_MS);
    }
    expect(reception.jitterMs(ROW)).toBe(0);
  });

  it('does not notice that the difference of clock and timestamp wraps', () => {
    reception.received(ROW, 0, 0x8000_0000, SSRC, CLOCK_RATE_HZ, 0);
    reception.received(ROW, 1, 0x8000_0000 + STEP_UNITS, SSRC, CLOCK_RATE_HZ, 4);
    expect(reception.jitterMs(ROW)).toBe(1);
  });

  it('is right after the node has run for a year', () => {
    const yearMs = 365 * 86_400_000;
    reception.received(ROW, 0, 0xffff_0000, SSRC, 90_000, yearMs);
    reception.received(ROW, 1, 0xffff_0000 + 90 * 10, SSRC, 90_000, yearMs + 26);
    expect(reception.jitterMs(ROW)).toBe(1);
  });

  it('does not take another clock rate for a delay, and goes on with what it was', () => {
    reception.received(ROW, 0, 0, SSRC, 48_000, 0);
    reception.received(ROW, 1, 960, SSRC, 48_000, 36);
    expect(reception.jitterMs(ROW)).toBe(1);
    reception.received(ROW, 2, 1120, SSRC, CLOCK_RATE_HZ, 56); // telephone-event at another rate
    expect(reception.jitterMs(ROW)).toBe(1);
    reception.received(ROW, 3, 1280, SSRC, CLOCK_RATE_HZ, 76);
    expect(reception.jitterMs(ROW)).toBe(15 / 16);
  });

  it('does not take a new time base, or a fresh start, for a delay', () => {
    hear(from(0, 10));
    reception.received(ROW, 10, 0x7000_0000, SSRC, CLOCK_RATE_HZ, 10 * STEP_MS);
    reception.received(ROW, 11, 0x7000_0000 + STEP_UNITS, SSRC, CLOCK_RATE_HZ, 11 * STEP_MS);
    hear(from(30_000, 3));
    expect(reception.jitterMs(ROW)).toBe(0);
  });

  it('takes nothing from a packet that is not counted', () => {
    hear(from(0, 10));
    reception.received(ROW, 30_000, 10 * STEP_UNITS, SSRC, CLOCK_RATE_HZ, 10 * STEP_MS + 500);
    hear([10]);
    expect(reception.jitterMs(ROW)).toBe(0);
  });

  it('is unknown, and loss is not, where the clock rate is', () => {
    for (const i of [0, 1, 3]) reception.received(ROW, i, i * STEP_UNITS, SSRC, 0, i * 77);
    expect([...tally(), reception.jitterMs(ROW)]).toEqual([4, 1, 0]);
  });
});

describe('rows', () => {
  it('do not touch each other, and are empty after a reset', () => {
    hear([1, 3]);
    for (const other of [ROW - 1, ROW + 1]) {
      expect([reception.ssrc(other), reception.packetsExpected(other), reception.packetsLost(other)]).toEqual(
        [-1, 0, 0],
      );
      reception.received(other, 500, 0, 9, CLOCK_RATE_HZ, 0);
      reception.reset(other);
    }
    expect(tally()).toEqual([3, 1]);
    reception.reset(ROW);
    expect([...tally(), reception.ssrc(ROW), reception.jitterMs(ROW)]).toEqual([0, 0, -1, 0]);
    hear([40]);
    expect(tally()).toEqual([1, 0]);
  });
});

/** What happens to a stream, in numbers that never wrap. */
type Happening =
  | { readonly what: 'next'; readonly missing: number }
  | { readonly what: 'late'; readonly behind: number }
  | { readonly what: 'stray'; readonly off: number }
  | { readonly what: 'restart'; readonly off: number }
  | { readonly what: 'source'; readonly ssrc: number; readonly first: number };

const farOff = fc.integer({ min: 3000, max: 65_536 - 100 });
const happening: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ what: fc.constant('next'), missing: fc.constant(0) }) },
  {
    weight: 4,
    arbitrary: fc.record({ what: fc.constant('next'), missing: fc.integer({ min: 0, max: 2998 }) }),
  },
  { weight: 4, arbitrary: fc.record({ what: fc.constant('late'), behind: fc.integer({ min: 0, max: 99 }) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('stray'), off: farOff }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('restart'), off: farOff }) },
  {
    weight: 1,
    arbitrary: fc.record({
      what: fc.constant('source'),
      ssrc: fc.integer({ min: 0, max: 3 }),
      first: fc.integer({ min: 0, max: 65_535 }),
    }),
  },
);

/** Counts as one would by hand: a list of sections, in each the numbers that came. */
class ByHand {
  readonly #sections: { first: number; newest: number; came: number }[] = [];

  begin(first: number): void {
    this.#sections.push({ first, newest: first, came: 1 });
  }

  take(number: number): void {
    const section = this.#sections.at(-1);
    if (!section) throw new Error('no section has begun');
    section.came++;
    section.newest = Math.max(section.newest, number);
  }

  get newest(): number {
    return this.#sections.at(-1)?.newest ?? 0;
  }

  get expected(): number {
    return this.#sections.reduce((sum, { first, newest }) => sum + newest - first + 1, 0);
  }

  get lost(): number {
    return this.expected - this.#sections.reduce((sum, { came }) => sum + came, 0);
  }
}

describe('any stream', () => {
  it('is counted as one would by hand', () => {
    const start = fc.integer({ min: 0, max: 65_535 });
    holds(
      fc.property(start, fc.array(happening, { maxLength: 200 }), (first, happenings) => {
        reception.reset(ROW);
        const byHand = new ByHand();
        let ssrc = 77;
        const come = (number: number): void =>
          reception.received(ROW, number & 0xffff, 0, ssrc, CLOCK_RATE_HZ, 0);
        come(first);
        byHand.begin(first);
        for (const happened of happenings) {
          if (happened.what === 'source') {
            // A source that is already there and begins elsewhere would be a restart.
            ssrc = happened.ssrc === ssrc ? ssrc + 1 : happened.ssrc;
            come(happened.first);
            byHand.begin(happened.first);
          } else if (happened.what === 'restart') {
            const number = byHand.newest + happened.off;
            come(number);
            come(number + 1);
            byHand.begin(number + 1);
          } else if (happened.what === 'stray') {
            come(byHand.newest + happened.off);
          } else {
            const number =
              happened.what === 'next'
                ? byHand.newest + 1 + happened.missing
                : byHand.newest - happened.behind;
            come(number);
            byHand.take(number);
          }
          expect(tally()).toEqual([byHand.expected, byHand.lost]);
          expect(reception.ssrc(ROW)).toBe(ssrc);
        }
      }),
      500,
    );
  });

  it('jitters as RFC 3550 A.8 says', () => {
    const packet = fc.record({
      gapMs: fc.integer({ min: 0, max: 400 }),
      units: fc.integer({ min: 0, max: 3200 }),
    });
    const rate = fc.constantFrom(8000, 16_000, 48_000, 90_000);
    const base = fc.integer({ min: 0, max: 0xffff_ffff });
    holds(
      fc.property(rate, base, fc.array(packet, { maxLength: 100 }), (clockRateHz, first, packets) => {
        reception.reset(ROW);
        let [nowMs, units, jitter] = [12_345, 0, 0];
        reception.received(ROW, 0, first, SSRC, clockRateHz, nowMs);
        for (const [i, { gapMs, units: step }] of packets.entries()) {
          nowMs += gapMs;
          units += step;
          reception.received(ROW, i + 1, (first + units) >>> 0, SSRC, clockRateHz, nowMs);
          jitter += (Math.abs((gapMs * clockRateHz) / 1000 - step) - jitter) / 16;
        }
        expect(reception.jitterMs(ROW)).toBeCloseTo((jitter / clockRateHz) * 1000, 6);
      }),
    );
  });
});
