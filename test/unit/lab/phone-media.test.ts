/** A phone's media by a clock of the test: pacing, encryption, RTCP, and what it makes of what comes. */
import { describe, expect, it } from 'vitest';
import { RtcpPacketConverter, RtcpRrPacket, RtcpSrPacket, RtpHeader } from 'werift';
import type { Clock } from '../../../lab/phone/ice-agent.ts';
import { Pacer } from '../../../lab/phone/pacer.ts';
import { PhoneMedia } from '../../../lab/phone/phone-media.ts';
import type { PhoneOptions } from '../../../lab/phone/protocol.ts';
import { isRtcp, readRtcp, writeRtcp } from '../../../lab/phone/rtcp-reports.ts';
import { PlainSrtp } from '../../kit/b2bua-srtp.ts';
import { SimNetwork } from '../../kit/sim-network.ts';

const FROM = { address: '192.0.2.1', port: 5000 };
const TONE_HZ = 440;

interface Talker {
  readonly media: PhoneMedia;
  readonly sent: Buffer[];
  isOut: boolean;
}

function talker(clock: Clock, encryption: PhoneOptions['encryption']): Talker {
  const sent: Buffer[] = [];
  const send = (bytes: Buffer): boolean => {
    if (made.isOut) sent.push(bytes);
    return made.isOut;
  };
  const media = new PhoneMedia(clock, { toneHz: TONE_HZ, encryption }, { sendRtp: send, sendRtcp: send });
  const made: Talker = { media, sent, isOut: true };
  return made;
}

const rtpOf = ({ sent }: Talker): Buffer[] => sent.filter((packet) => !isRtcp(packet));
const sequenceOf = (packet: Buffer): number => packet.readUInt16BE(2);

describe('a pacer', () => {
  it('keeps time on average, and catches up after a stall', () => {
    let [nowMs, ticks] = [0, 0];
    const due: { readonly atMs: number; happen(): void }[] = [];
    const clock: Clock = {
      get nowMs() {
        return nowMs;
      },
      after: (delayMs, happen) => void due.push({ atMs: nowMs + delayMs, happen }),
    };
    const pacer = new Pacer(clock, 20, () => void ticks++);
    /** The process sleeps until the given time, and its timers come then. */
    const wakeAt = (atMs: number): void => {
      nowMs = atMs;
      for (const one of due.splice(0)) one.atMs <= nowMs ? one.happen() : due.push(one);
    };
    pacer.start();
    expect(ticks).toBe(1);
    for (let at = 0; at <= 1000; at += 7) wakeAt(at);
    expect(ticks).toBe(50);
    wakeAt(1490);
    expect(ticks).toBe(75);
    wakeAt(11_000); // as long a sleep is not made up for
    expect(ticks).toBe(175);
    wakeAt(11_020);
    expect(ticks).toBe(176);
    pacer.stop();
    wakeAt(20_000);
    expect(ticks).toBe(176);
  });
});

describe.each(['AES_CM_128_HMAC_SHA1_80', 'AEAD_AES_128_GCM'] as const)('media with %s', (encryption) => {
  it('opens with an SRTP that knows nothing of it, RTCP too', () => {
    const network = new SimNetwork(1);
    const one = talker(network, encryption);
    one.media.start();
    network.run(1100);
    const srtp = new PlainSrtp(encryption, one.media.keyAndSalt ?? Buffer.alloc(0));
    const plain = rtpOf(one).map((packet) => srtp.unprotectRtp(packet, 0));
    expect(plain).toHaveLength(56);
    expect(plain.every((packet) => packet?.length === 172)).toBe(true);
    const [rtcp] = one.sent.filter(isRtcp);
    const opened = rtcp && srtp.unprotectRtcp(rtcp);
    expect(RtcpPacketConverter.deSerialize(opened?.packet ?? Buffer.alloc(0))[0]).toBeInstanceOf(
      RtcpSrPacket,
    );
  });

  it('is heard by the key of before while packets of it are on their way', () => {
    const network = new SimNetwork(1);
    const [before, after, ear] = [
      talker(network, encryption),
      talker(network, encryption),
      talker(network, encryption),
    ];
    const say = (one: Talker): void => {
      one.media.start();
      network.run(100);
      for (const packet of one.sent.splice(0)) ear.media.received(packet, FROM);
      one.media.stop();
    };
    ear.media.hearWith(before.media.keyAndSalt);
    ear.media.hearWith(after.media.keyAndSalt);
    ear.media.hearWith(after.media.keyAndSalt);
    say(before);
    say(after);
    const { heardPackets, garbledPackets } = ear.media.status();
    expect(garbledPackets).toBe(0);
    expect(heardPackets).toBeGreaterThanOrEqual(10);
    ear.media.hearWith(Buffer.alloc(before.media.keyAndSalt?.length ?? 0));
    say(before);
    expect(ear.media.status()).toMatchObject({ heardPackets, garbledPackets: 6 });
  });
});

describe('media that overtakes the answer', () => {
  it.each(['AES_CM_128_HMAC_SHA1_80', 'none'] as const)('is heard once that has come (%s)', (encryption) => {
    const network = new SimNetwork(1);
    const [before, after, ear] = [0, 1, 2].map(() => talker(network, encryption)) as [Talker, Talker, Talker];
    for (const mouth of [before, after]) {
      ear.media.awaitAnswer();
      mouth.media.start();
      network.run(110);
      mouth.media.stop();
      for (const packet of mouth.sent.splice(0)) ear.media.received(packet, FROM);
      network.run(1000);
      expect(ear.media.status().garbledPackets).toBe(0);
      ear.media.hearWith(mouth.media.keyAndSalt);
      const { silentMs, heardPackets, lostPackets, garbledPackets } = ear.media.status();
      const count = mouth === before ? 6 : 12;
      expect({ heardPackets, lostPackets, garbledPackets }).toEqual({
        ...{ heardPackets: count, lostPackets: 0, garbledPackets: 0 },
      });
      expect(silentMs).toBe(1000);
    }
  });

  it('counts as garbled where the answer has another key', () => {
    const network = new SimNetwork(1);
    const [mouth, ear] = [talker(network, 'AEAD_AES_128_GCM'), talker(network, 'AEAD_AES_128_GCM')];
    ear.media.awaitAnswer();
    for (let i = 0; i < 150; i++) ear.media.received(Buffer.alloc(200, 0x80), FROM);
    ear.media.hearWith(mouth.media.keyAndSalt);
    expect(ear.media.status()).toMatchObject({ heardPackets: 0, garbledPackets: 100 });
  });
});

describe('media in the clear', () => {
  it('is counted, once each, with its tone, its silence and where it came from', () => {
    const network = new SimNetwork(1);
    const [mouth, ear] = [talker(network, 'none'), talker(network, 'none')];
    expect(ear.media.status()).toMatchObject({ silentMs: null, heardToneHz: null, heardFrom: null });
    ear.media.hearWith(undefined);
    ear.media.start();
    network.run(300);
    expect(ear.media.status().silentMs).toBe(300);
    mouth.media.start();
    network.run(990);
    for (const [i, packet] of mouth.sent.entries()) {
      if (i % 10 === 9) continue;
      ear.media.received(packet, FROM);
      ear.media.received(packet, FROM);
    }
    network.run(40);
    const { heardToneHz, ...status } = ear.media.status();
    expect(status).toMatchObject({ heardPackets: 45, lostPackets: 4, silentMs: 40, heardFrom: FROM });
    expect(Math.abs((heardToneHz ?? 0) - TONE_HZ)).toBeLessThanOrEqual(2);
  });

  it('counts as garbled what is no RTP of this call, whatever it is', () => {
    const network = new SimNetwork(1);
    const { media } = talker(network, 'none');
    media.hearWith(undefined);
    const header = new RtpHeader({ payloadType: 8, sequenceNumber: 1, timestamp: 0, ssrc: 1 });
    const other = Buffer.concat([header.serialize(12), Buffer.alloc(160)]);
    const strange = [
      Buffer.alloc(0),
      Buffer.from('x'),
      Buffer.alloc(12),
      Buffer.alloc(200, 0xff),
      other,
      Buffer.of(0x80, 200),
    ];
    for (const packet of strange) media.received(packet, FROM);
    expect(media.status()).toMatchObject({ garbledPackets: strange.length, heardPackets: 0, silentMs: null });
  });

  it('uses up no sequence numbers while nothing can be sent', () => {
    const network = new SimNetwork(1);
    const mouth = talker(network, 'none');
    mouth.media.start();
    network.run(50);
    mouth.isOut = false;
    network.run(500);
    mouth.isOut = true;
    network.run(50);
    const sequences = rtpOf(mouth).map(sequenceOf);
    expect(sequences).toEqual(sequences.map((_, i) => (sequences[0] ?? 0) + i));
    const timestamps = rtpOf(mouth).map((packet) => packet.readUInt32BE(4));
    expect((((timestamps.at(-1) ?? 0) - (timestamps[0] ?? 0)) >>> 0) / 160).toBeGreaterThan(sequences.length);
    expect(mouth.media.status().sentPackets).toBe(sequences.length);
  });

  it('tells the other side of its loss every second, and hears of its own', () => {
    const network = new SimNetwork(1);
    const [one, other] = [talker(network, 'none'), talker(network, 'none')];
    for (const { media } of [one, other]) {
      media.hearWith(undefined);
      media.start();
    }
    for (let second = 0; second < 4; second++) {
      network.run(1000);
      const [ofOne, ofOther] = [one.sent.splice(0), other.sent.splice(0)];
      const arriving = ofOne.filter((packet) => isRtcp(packet) || sequenceOf(packet) % 4 !== 0);
      for (const packet of arriving) other.media.received(packet, FROM);
      for (const packet of ofOther) one.media.received(packet, FROM);
    }
    expect(one.media.status().reportedLossPercent).toBeGreaterThan(22);
    expect(one.media.status().reportedLossPercent).toBeLessThan(28);
    expect(other.media.status()).toMatchObject({ reportedLossPercent: 0, rtcpSent: 4, rtcpHeard: 4 });
  });
});

describe('RTCP', () => {
  const heard = { ssrc: 7, fractionLost: 64, packetsLost: 5, highestSequence: 65_600, jitter: 9 };

  it('is read by werift as it was meant', () => {
    const unixMs = Date.UTC(2026, 0, 1, 0, 0, 0, 500);
    const sent = { packetCount: 3, octetCount: 480, rtpTimestamp: 960 };
    const packet = writeRtcp(9, unixMs, sent, {
      ...heard,
      lastSenderReport: 0x1234_5678,
      sinceSenderReportMs: 1500,
    });
    const [report, description] = RtcpPacketConverter.deSerialize(packet);
    expect(report).toBeInstanceOf(RtcpSrPacket);
    expect(report).toMatchObject({ ssrc: 9, senderInfo: sent });
    const { senderInfo, reports } = report as RtcpSrPacket;
    expect(senderInfo.ntpTimestamp >> 32n).toBe(BigInt(unixMs / 1000 - 0.5 + 2_208_988_800));
    expect(senderInfo.ntpTimestamp & 0xffff_ffffn).toBe(0x8000_0000n);
    expect(reports[0]).toMatchObject({ ...heard, lsr: 0x1234_5678, dlsr: 98_304 });
    expect(description).toMatchObject({ chunks: [{ source: 9, items: [{ type: 1, text: 'phone-9' }] }] });
  });

  it('is a receiver report where nothing was sent, and tells each side of its own stream', () => {
    const packet = writeRtcp(9, 0, undefined, { ...heard, lastSenderReport: 0, sinceSenderReportMs: 5 });
    expect(RtcpPacketConverter.deSerialize(packet)[0]).toBeInstanceOf(RtcpRrPacket);
    expect(readRtcp(packet, 7)).toEqual({ ssrc: 9, senderReport: undefined, lossPercent: 25 });
    expect(readRtcp(packet, 8)?.lossPercent).toBeUndefined();
  });

  it('that is none is none', () => {
    for (const bytes of ['', '80', '80c8', '80c80001', 'ffffffffffffffff']) {
      expect(readRtcp(Buffer.from(bytes, 'hex'), 1)).toBeUndefined();
    }
  });
});
