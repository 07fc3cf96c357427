import { createCipheriv, createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { deriveSessionKeys } from '../../../../src/b2bua/srtp/key-derivation.ts';
import {
  SOURCES_MAX,
  SRTP_AUTH_FAILED,
  SRTP_MALFORMED,
  SRTP_REPLAYED,
  SRTP_TOO_MANY_SOURCES,
  SRTP_TOO_OLD,
  SRTP_UNKNOWN_MKI,
} from '../../../../src/b2bua/srtp/outcomes.ts';
import type { SrtpMasterKey } from '../../../../src/b2bua/srtp/srtp-receiver.ts';
import { SRTP_SUITES, type SrtpSuite } from '../../../../src/b2bua/srtp/suites.ts';
import { Random, SEED } from '../../../fuzz/seeded.ts';
import {
  BACK_ENDS,
  type CryptoRig,
  good,
  PACKET_OFFSET,
  type Receiving,
  randomKey,
  receiving,
  rtcpPacket,
  rtpPacket,
  type Sending,
  sending,
  suite,
} from '../../../kit/srtp-rig.ts';

const random = new Random(SEED);

interface Pair extends Sending {
  readonly receiving: Receiving;
  readonly key: SrtpMasterKey;
}

function pair(rig: CryptoRig, one: SrtpSuite): Pair {
  const key = randomKey(random, one);
  return { ...sending(rig, one, key), receiving: receiving(rig, one, key), key };
}

/** Wire packets of sequence numbers, protected in the order of the list. */
function protectedSequence(from: Sending, sequences: readonly number[]): Map<number, Buffer> {
  return new Map(sequences.map((sequence) => [sequence, good(from.rtp(rtpPacket({ sequence })))]));
}

function flipped(packet: Uint8Array, at: number): Buffer {
  const bent = Buffer.from(packet);
  bent[at] = (bent[at] as number) ^ 1;
  return bent;
}

describe.each(BACK_ENDS)('SrtpReceiver with $name', ({ create }) => {
  const rig = create();

  describe.each(SRTP_SUITES)('$name', (one) => {
    it('gives back what was protected, of any length and header, and nothing is left in clear', () => {
      const from = pair(rig, one);
      for (let length = 0; length < 70; length++) {
        const payload = random.bytes(length);
        const packet = rtpPacket({
          sequence: length,
          payload,
          csrcs: length % 16,
          extensionWords: length % 3,
        });
        const wire = good(from.rtp(packet));
        const header = packet.length - length;
        expect(wire.length).toBe(packet.length + one.rtpTagBytes);
        expect(wire.subarray(0, header)).toEqual(packet.subarray(0, header));
        if (length > 8) expect(wire.includes(payload)).toBe(false);
        expect(good(from.receiving.rtp(wire))).toEqual(packet);
        const report = rtcpPacket(1, random.bytes(4 * length));
        const protectedReport = good(from.rtcp(report));
        expect(protectedReport.length).toBe(report.length + 4 + one.rtcpTagBytes);
        if (length > 2) expect(protectedReport.includes(report.subarray(8))).toBe(false);
        expect(good(from.receiving.rtcp(protectedReport))).toEqual(report);
      }
    });

    it('refuses a packet with any bit changed, leaves it as it was, and still takes the true one', () => {
      const from = pair(rig, one);
      const wire = good(from.rtp(rtpPacket({ sequence: 7 })));
      const report = good(from.rtcp(rtcpPacket()));
      for (let i = 2; i < wire.length; i++) {
        const bent = flipped(wire, i);
        expect(from.receiving.rtp(bent), `byte ${i}`).toBe(SRTP_AUTH_FAILED);
        expect(Buffer.from(rig.bytes.slice(PACKET_OFFSET, PACKET_OFFSET + bent.length))).toEqual(bent);
      }
      for (let i = 2; i < report.length; i++) {
        expect(from.receiving.rtcp(flipped(report, i)), `byte ${i}`).toBe(SRTP_AUTH_FAILED);
      }
      expect(good(from.receiving.rtp(wire))).toEqual(rtpPacket({ sequence: 7 }));
      expect(good(from.receiving.rtcp(report))).toEqual(rtcpPacket());
    });

    it('refuses what is too short to hold a header and a tag', () => {
      const from = pair(rig, one);
      const wire = good(from.rtp(rtpPacket({ sequence: 7, payload: Buffer.alloc(0) })));
      const report = good(from.rtcp(rtcpPacket(1, Buffer.alloc(0))));
      for (let length = 0; length < wire.length; length++) {
        expect(from.receiving.rtp(wire.subarray(0, length))).toBe(SRTP_MALFORMED);
      }
      for (let length = 0; length < report.length; length++) {
        expect(from.receiving.rtcp(report.subarray(0, length))).toBe(SRTP_MALFORMED);
      }
      expect(good(from.receiving.rtp(wire)).length).toBe(12);
      expect(good(from.receiving.rtcp(report)).length).toBe(8);
    });

    it('chooses the key by the MKI, which it strips', () => {
      const keys = ['00000001', '00000002'].map((mki) => ({
        ...randomKey(random, one),
        mki: Buffer.from(mki, 'hex'),
      }));
      const from = keys.map((key) => sending(rig, one, key));
      const into = receiving(rig, one, ...keys);
      const put = (wire: Buffer, tagBytes: number, mki: Uint8Array): Buffer => {
        // The tag of HMAC stands behind the MKI (RFC 3711 §3.1), that of GCM before it (RFC 7714 §9.4).
        const split = one.cipher === 'cm' ? wire.length - tagBytes : wire.length;
        return Buffer.concat([wire.subarray(0, split), mki, wire.subarray(split)]);
      };
      keys.forEach(({ mki }, i) => {
        const packet = rtpPacket({ sequence: 100 + i });
        const wire = put(good((from[i] as Sending).rtp(packet)), one.rtpTagBytes, mki);
        expect(good(into.rtp(wire))).toEqual(packet);
        if (i > 0) good((from[i] as Sending).rtcp(rtcpPacket())); // the context's index goes on
        const report = put(good((from[i] as Sending).rtcp(rtcpPacket())), one.rtcpTagBytes, mki);
        expect(good(into.rtcp(report))).toEqual(rtcpPacket());
      });
      const wire = good((from[0] as Sending).rtp(rtpPacket({ sequence: 102 })));
      expect(into.rtp(put(wire, one.rtpTagBytes, Buffer.from('00000003', 'hex')))).toBe(SRTP_UNKNOWN_MKI);
      expect(into.rtp(wire)).toBe(SRTP_UNKNOWN_MKI);
      expect(into.rtp(put(wire, one.rtpTagBytes, Buffer.from('00000002', 'hex')))).toBe(SRTP_AUTH_FAILED);
      expect(good(into.rtp(put(wire, one.rtpTagBytes, Buffer.from('00000001', 'hex')))).length).toBe(32);
    });

    it('takes SRTCP of any index, and that which is tagged but not encrypted', () => {
      const key = randomKey(random, one);
      const into = receiving(rig, one, key);
      const report = rtcpPacket();
      for (const index of [0, 1, 0x12345, 0x7fff0001, 0x7fffffff]) {
        expect(good(into.rtcp(protectedReport(rig, one, key, report, index, true)))).toEqual(report);
      }
      const unencrypted = protectedReport(rig, one, key, report, 0x7ffffff0, false);
      expect(unencrypted.subarray(0, report.length)).toEqual(report);
      expect(into.rtcp(flipped(unencrypted, 20))).toBe(SRTP_AUTH_FAILED);
      expect(good(into.rtcp(unencrypted))).toEqual(report);
      expect(into.rtcp(unencrypted)).toBe(SRTP_REPLAYED);
    });
  });

  const cm = suite('AES_CM_128_HMAC_SHA1_80');

  it('takes each packet once, in any order within the window', () => {
    const from = pair(rig, cm);
    const wire = protectedSequence(from, [1, 2, 3, 4, 300]);
    const rtp = (sequence: number): Buffer | number => from.receiving.rtp(wire.get(sequence) as Buffer);
    good(rtp(3));
    good(rtp(1)); // before the first seen
    expect(rtp(3)).toBe(SRTP_REPLAYED);
    expect(rtp(1)).toBe(SRTP_REPLAYED);
    good(rtp(2));
    good(rtp(300));
    expect(rtp(4)).toBe(SRTP_TOO_OLD);
  });

  it('says of each packet whether it is the newest of its source', () => {
    const from = pair(rig, cm);
    const wire = protectedSequence(from, [1, 2, 3]);
    const advanced = [1, 3, 2].map((sequence) => {
      good(from.receiving.rtp(wire.get(sequence) as Buffer));
      return from.receiving.receiver.advanced;
    });
    expect(advanced).toEqual([true, true, false]);
    const reports = [0, 1, 2].map(() => good(from.rtcp(rtcpPacket())));
    const advancedReports = [1, 0, 2].map((i) => {
      good(from.receiving.rtcp(reports[i] as Buffer));
      return from.receiving.receiver.advanced;
    });
    expect(advancedReports).toEqual([true, false, true]);
  });

  it('decrypts out of order around a rollover', () => {
    const from = pair(rig, cm);
    const wire = protectedSequence(from, [65533, 65534, 65535, 0, 1, 2]);
    for (const sequence of [65533, 0, 65535, 2, 65534, 1]) {
      expect(good(from.receiving.rtp(wire.get(sequence) as Buffer))).toEqual(rtpPacket({ sequence }));
    }
  });

  it('decrypts a stream that begins just before a rollover, even if all before it is lost', () => {
    const from = pair(rig, cm);
    const wire = protectedSequence(from, [65534, 65535, 0, 1]);
    for (const sequence of [1, 65535, 0, 65534]) {
      expect(good(from.receiving.rtp(wire.get(sequence) as Buffer))).toEqual(rtpPacket({ sequence }));
    }
  });

  it('finds the rollover counter of a source of which only RTCP has come before', () => {
    const from = pair(rig, cm);
    const wire = protectedSequence(from, [65535, 0, 1]);
    good(from.receiving.rtcp(good(from.rtcp(rtcpPacket()))));
    for (const sequence of [0, 1, 65535]) good(from.receiving.rtp(wire.get(sequence) as Buffer));
  });

  it('keeps the rollover counter of a source that pauses while others send, and of one that changes', () => {
    const from = pair(rig, cm);
    const send = (ssrc: number, sequence: number): void => {
      const packet = rtpPacket({ ssrc, sequence });
      expect(good(from.receiving.rtp(good(from.rtp(packet))))).toEqual(packet);
    };
    for (const sequence of [40000, 60000, 10000, 40000, 60000, 10000]) send(1, sequence);
    for (const sequence of [50000, 60000, 1]) send(2, sequence);
    send(1, 10001);
    send(2, 2);
  });

  it('never takes state from a forged packet: not a jump, not a new source', () => {
    const from = pair(rig, cm);
    const forger = sending(rig, cm, randomKey(random, cm));
    good(from.receiving.rtp(good(from.rtp(rtpPacket({ sequence: 100 })))));
    for (const sequence of [200, 30000, 60000, 20000, 50000]) {
      expect(from.receiving.rtp(good(forger.rtp(rtpPacket({ sequence }))))).toBe(SRTP_AUTH_FAILED);
    }
    for (let ssrc = 0; ssrc < 100; ssrc++) {
      const forged = good(sending(rig, cm, randomKey(random, cm)).rtp(rtpPacket({ ssrc, sequence: 5 })));
      expect(from.receiving.rtp(forged)).toBe(SRTP_AUTH_FAILED);
    }
    good(from.receiving.rtp(good(from.rtp(rtpPacket({ sequence: 101 })))));
    for (let ssrc = 1; ssrc < SOURCES_MAX; ssrc++) {
      good(from.receiving.rtp(good(from.rtp(rtpPacket({ ssrc, sequence: 5 })))));
    }
  });

  it('keeps the state of 32 sources, and refuses a 33rd even if its tag is right', () => {
    const key = randomKey(random, cm);
    const into = receiving(rig, cm, key);
    for (let ssrc = 0; ssrc < SOURCES_MAX; ssrc++) {
      good(into.rtp(good(sending(rig, cm, key).rtp(rtpPacket({ ssrc, sequence: 9 })))));
    }
    const more = sending(rig, cm, key);
    expect(into.rtp(good(more.rtp(rtpPacket({ ssrc: 99, sequence: 9 }))))).toBe(SRTP_TOO_MANY_SOURCES);
    expect(into.rtcp(good(more.rtcp(rtcpPacket(99))))).toBe(SRTP_TOO_MANY_SOURCES);
    good(into.rtcp(good(more.rtcp(rtcpPacket(0)))));
  });

  it('is not made from keys it could not tell apart', () => {
    const keys = [randomKey(random, cm), randomKey(random, cm)] as const;
    expect(() => receiving(rig, cm)).toThrow(RangeError);
    expect(() => receiving(rig, cm, ...keys)).toThrow(RangeError);
    const [first, second] = keys;
    const mki = Buffer.of(1);
    expect(() => receiving(rig, cm, { ...first, mki }, second)).toThrow(RangeError);
    expect(() => receiving(rig, cm, { ...first, mki }, { ...second, mki: Buffer.of(0, 2) })).toThrow(
      RangeError,
    );
  });
});

/** SRTCP as RFC 3711 §3.4 and §4.1, or RFC 7714 §9, describe it, of an index of our choice, encrypted or not. */
function protectedReport(
  rig: CryptoRig,
  one: SrtpSuite,
  key: SrtpMasterKey,
  report: Buffer,
  index: number,
  isEncrypted: boolean,
): Buffer {
  const { rtcp } = deriveSessionKeys(rig.keystream, one, key.masterKey, key.masterSalt);
  const word = Buffer.alloc(4);
  word.writeUInt32BE(index + (isEncrypted ? 2 ** 31 : 0));
  const [header, body] = [report.subarray(0, 8), report.subarray(8)];
  const xorWord = (iv: Buffer, at: number, value: number): void => {
    iv.writeUInt32BE((iv.readUInt32BE(at) ^ value) >>> 0, at);
  };
  if (one.cipher === 'cm') {
    const iv = Buffer.concat([rtcp.salt, Buffer.alloc(2)]);
    xorWord(iv, 4, report.readUInt32BE(4));
    xorWord(iv, 10, index);
    const cipher = createCipheriv(`aes-${one.keyBytes * 8}-ctr`, rtcp.cipherKey, iv);
    const signed = Buffer.concat([header, isEncrypted ? cipher.update(body) : body, word]);
    const tag = createHmac('sha1', rtcp.authenticationKey).update(signed).digest();
    return Buffer.concat([signed, tag.subarray(0, one.rtcpTagBytes)]);
  }
  const iv = Buffer.from(rtcp.salt);
  xorWord(iv, 2, report.readUInt32BE(4));
  xorWord(iv, 8, index);
  const cipher = createCipheriv(one.keyBytes === 16 ? 'aes-128-gcm' : 'aes-256-gcm', rtcp.cipherKey, iv);
  cipher.setAAD(Buffer.concat([isEncrypted ? header : report, word]));
  const text = isEncrypted ? cipher.update(body) : body;
  cipher.final();
  return Buffer.concat([header, text, cipher.getAuthTag(), word]);
}
