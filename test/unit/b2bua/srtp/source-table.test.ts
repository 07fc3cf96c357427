import { describe, expect, it } from 'vitest';
import {
  SOURCES_MAX,
  SRTP_KEY_EXHAUSTED,
  SRTP_REPLAYED,
  SRTP_TOO_OLD,
} from '../../../../src/b2bua/srtp/outcomes.ts';
import { REPLAY_WINDOW_PACKETS, SourceTable } from '../../../../src/b2bua/srtp/source-table.ts';

const LAST_ROC = 0xffffffff | 0;

/** A table with one source whose newest RTP packet has this ROC and sequence number. */
function begun(roc: number, sequence: number): { table: SourceTable; source: number } {
  const table = new SourceTable();
  const source = table.add(0x1234);
  table.beginRtp(source, roc, sequence);
  return { table, source };
}

/** What a packet is guessed to be: [outcome, ROC, distance]. */
function guess(roc: number, newest: number, sequence: number): [number, number, number] {
  const { table, source } = begun(roc, newest);
  const outcome = table.guess(source, sequence);
  return [outcome, table.roc, table.distance];
}

describe('guess of the ROC (RFC 3711 §3.3.1)', () => {
  it('stays while sequence numbers are near', () => {
    expect(guess(5, 1000, 1001)).toEqual([0, 5, 1]);
    expect(guess(5, 1000, 999)).toEqual([0, 5, -1]);
    expect(guess(5, 1000, 1000)).toEqual([0, 5, 0]);
  });

  it('goes up behind 65535 and down before 0', () => {
    expect(guess(5, 65535, 0)).toEqual([0, 6, 1]);
    expect(guess(5, 0, 65535)).toEqual([0, 4, -1]);
    expect(guess(5, 65000, 200)).toEqual([0, 6, 736]);
    expect(guess(5, 200, 65000)).toEqual([0, 4, -736]);
  });

  it('turns at half of the range', () => {
    expect(guess(5, 0x7fff, 0xffff)).toEqual([0, 5, 0x8000]);
    expect(guess(5, 0x7ffe, 0xffff)).toEqual([0, 4, 0x8001 - 0x10000]);
    expect(guess(5, 0x8000, 0)).toEqual([0, 5, -0x8000]);
    expect(guess(5, 0x8001, 0)).toEqual([0, 6, 0x7fff]);
  });

  it('never goes below ROC 0', () => {
    expect(guess(0, 5, 65534)).toEqual([SRTP_TOO_OLD, 0, 65529]);
  });

  it('ends behind the last ROC', () => {
    expect(guess(LAST_ROC, 65535, 65534)).toEqual([0, LAST_ROC, -1]);
    expect(guess(LAST_ROC, 65535, 0)[0]).toBe(SRTP_KEY_EXHAUSTED);
    expect(guess(LAST_ROC - 1, 65535, 0)).toEqual([0, LAST_ROC, 1]);
    expect(guess(0x7fffffff, 65535, 0)).toEqual([0, 0x80000000 | 0, 1]);
  });
});

describe('replay window', () => {
  it('knows every packet of the last 224, and calls older ones too old', () => {
    expect(REPLAY_WINDOW_PACKETS).toBe(224);
    for (let newest = 1000; newest < 1064; newest++) {
      const { table, source } = begun(0, newest - 600);
      for (let sequence = newest - 599; sequence <= newest; sequence++) {
        if (sequence % 3 === 0 && sequence !== newest) continue;
        table.guess(source, sequence);
        expect(table.checkRtp(source, sequence)).toBe(0);
        table.noteRtp(source, sequence);
      }
      for (let sequence = newest - 400; sequence <= newest; sequence++) {
        table.guess(source, sequence);
        const isKnown = sequence > newest - REPLAY_WINDOW_PACKETS;
        const wasThere = sequence % 3 !== 0 || sequence === newest;
        expect(table.checkRtp(source, sequence), `${sequence} of ${newest}`).toBe(
          isKnown ? (wasThere ? SRTP_REPLAYED : 0) : SRTP_TOO_OLD,
        );
      }
    }
  });

  it('forgets nothing and invents nothing across jumps of any size', () => {
    for (const jump of [1, 31, 32, 33, 223, 224, 225, 255, 256, 257, 5000, 32000]) {
      const { table, source } = begun(0, 300);
      for (let sequence = 100; sequence < 300; sequence++) {
        table.guess(source, sequence);
        table.noteRtp(source, sequence);
      }
      const newest = 300 + jump;
      table.guess(source, newest);
      expect(table.noteRtp(source, newest)).toBe(true);
      for (let sequence = newest - REPLAY_WINDOW_PACKETS + 1; sequence < newest; sequence++) {
        table.guess(source, sequence);
        const wasThere = sequence >= 100 && sequence <= 300;
        expect(table.checkRtp(source, sequence), `${sequence}, jump ${jump}`).toBe(
          wasThere ? SRTP_REPLAYED : 0,
        );
      }
    }
  });

  it('of SRTCP counts in 31 bits', () => {
    const table = new SourceTable();
    const source = table.add(1);
    expect(table.checkRtcp(source, 0)).toBe(0);
    expect(table.noteRtcp(source, 0)).toBe(true);
    expect(table.checkRtcp(source, 0)).toBe(SRTP_REPLAYED);
    expect(table.noteRtcp(source, 0x7fffffff)).toBe(true);
    expect(table.checkRtcp(source, 0x7fffffff)).toBe(SRTP_REPLAYED);
    expect(table.checkRtcp(source, 0x7ffffff0)).toBe(0);
    expect(table.noteRtcp(source, 0x7ffffff0)).toBe(false);
    expect(table.checkRtcp(source, 0x7ffffff0)).toBe(SRTP_REPLAYED);
    expect(table.checkRtcp(source, 1)).toBe(SRTP_TOO_OLD);
  });
});

describe('sources', () => {
  it('are as many as have room, and stay what they are when room is made', () => {
    const table = new SourceTable();
    const sources = Array.from({ length: SOURCES_MAX }, (_, i) => {
      const source = table.add(-1 - i);
      table.beginRtp(source, i, 100 + i);
      return source;
    });
    expect(table.add(77)).toBe(-1);
    expect(table.find(77)).toBe(-1);
    sources.forEach((source, i) => {
      expect(table.find(-1 - i)).toBe(source);
      expect(table.guess(source, 101 + i)).toBe(0);
      expect([table.roc, table.distance]).toEqual([i, 1]);
    });
  });

  it('are not found in an empty table, not even SSRC 0', () => {
    expect(new SourceTable().find(0)).toBe(-1);
  });

  it('send RTCP with 2^31 indices from 0, and none of them twice', () => {
    const table = new SourceTable();
    const source = table.add(1);
    expect([table.nextRtcpIndex(source), table.nextRtcpIndex(source)]).toEqual([0, 1]);
    table.noteRtcp(source, 0x7ffffffe); // moves on to there
    expect(table.nextRtcpIndex(source)).toBe(0x7ffffffe);
    expect(table.nextRtcpIndex(source)).toBe(0x7fffffff);
    expect(table.nextRtcpIndex(source)).toBe(SRTP_KEY_EXHAUSTED);
    expect(table.nextRtcpIndex(source)).toBe(SRTP_KEY_EXHAUSTED);
  });
});
