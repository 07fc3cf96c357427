import { describe, expect, it } from 'vitest';
import {
  SOURCES_MAX,
  SRTP_MALFORMED,
  SRTP_REPLAYED,
  SRTP_TOO_MANY_SOURCES,
  SRTP_TOO_OLD,
} from '../../../../src/b2bua/srtp/outcomes.ts';
import { SrtpSender } from '../../../../src/b2bua/srtp/srtp-sender.ts';
import { Random, SEED } from '../../../fuzz/seeded.ts';
import {
  BACK_ENDS,
  good,
  randomKey,
  receiving,
  rtcpPacket,
  rtpPacket,
  sending,
  suite,
} from '../../../kit/srtp-rig.ts';

const random = new Random(SEED);

describe.each(BACK_ENDS)('SrtpSender with $name', ({ create }) => {
  const rig = create();
  const gcm = suite('AEAD_AES_128_GCM');

  it('protects no index twice, whatever the bytes', () => {
    const sender = sending(rig, gcm, randomKey(random, gcm));
    good(sender.rtp(rtpPacket({ sequence: 5 })));
    expect(sender.rtp(rtpPacket({ sequence: 5 }))).toBe(SRTP_REPLAYED);
    expect(sender.rtp(rtpPacket({ sequence: 5, payload: random.bytes(9) }))).toBe(SRTP_REPLAYED);
    good(sender.rtp(rtpPacket({ sequence: 5, ssrc: 1 })));
    good(sender.rtp(rtpPacket({ sequence: 300 })));
    good(sender.rtp(rtpPacket({ sequence: 299 })));
    expect(sender.rtp(rtpPacket({ sequence: 299 }))).toBe(SRTP_REPLAYED);
    expect(sender.rtp(rtpPacket({ sequence: 6 }))).toBe(SRTP_TOO_OLD);
  });

  it('gives the same sequence number another index behind each rollover', () => {
    const sender = sending(rig, gcm, randomKey(random, gcm));
    const wires = new Set<string>();
    for (let i = 0; i < 3; i++) {
      for (const sequence of [0, 20000, 40000, 60000]) {
        wires.add(good(sender.rtp(rtpPacket({ sequence }))).toString('hex'));
      }
    }
    expect(wires.size).toBe(12);
  });

  it('refuses packets from before the first where that had ROC 0: receivers disagree about them', () => {
    const key = randomKey(random, gcm);
    const sender = sending(rig, gcm, key);
    const receiver = receiving(rig, gcm, key);
    good(receiver.rtp(good(sender.rtp(rtpPacket({ sequence: 5 })))));
    expect(sender.rtp(rtpPacket({ sequence: 65534 }))).toBe(SRTP_TOO_OLD);
    good(receiver.rtp(good(sender.rtp(rtpPacket({ sequence: 4 })))));
    good(receiver.rtp(good(sender.rtp(rtpPacket({ sequence: 6 })))));
  });

  it('numbers the SRTCP packets of each source from 0, all marked as encrypted', () => {
    const sender = sending(rig, gcm, randomKey(random, gcm));
    const index = (ssrc: number): number => good(sender.rtcp(rtcpPacket(ssrc))).readUInt32BE(28 + 16);
    expect([index(1), index(1), index(2), index(1)]).toEqual([0, 1, 0, 2].map((i) => 0x80000000 + i));
  });

  it('keeps the state of 32 sources, and no more', () => {
    const sender = sending(rig, gcm, randomKey(random, gcm));
    for (let ssrc = 0; ssrc < SOURCES_MAX; ssrc++) good(sender.rtp(rtpPacket({ ssrc, sequence: 1 })));
    expect(sender.rtp(rtpPacket({ ssrc: 99, sequence: 1 }))).toBe(SRTP_TOO_MANY_SOURCES);
    expect(sender.rtcp(rtcpPacket(99))).toBe(SRTP_TOO_MANY_SOURCES);
    good(sender.rtp(rtpPacket({ ssrc: 0, sequence: 2 })));
  });

  it('refuses what is no RTP or RTCP, and counts nothing for it', () => {
    const sender = sending(rig, gcm, randomKey(random, gcm));
    const packet = rtpPacket({ sequence: 1, extensionWords: 3 });
    expect(sender.rtp(packet.subarray(0, 20))).toBe(SRTP_MALFORMED);
    expect(sender.rtp(Buffer.alloc(20))).toBe(SRTP_MALFORMED);
    expect(sender.rtcp(rtcpPacket().subarray(0, 7))).toBe(SRTP_MALFORMED);
    expect(sender.rtcp(packet)).toBe(SRTP_MALFORMED);
    good(sender.rtp(packet));
  });

  it('is not made from a key of another length', () => {
    const { crypto, bytes, keystream } = rig;
    const make = () => new SrtpSender(crypto, bytes, keystream, gcm, new Uint8Array(32), new Uint8Array(12));
    expect(make).toThrow(RangeError);
  });
});
