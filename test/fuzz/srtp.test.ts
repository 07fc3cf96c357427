/**
 * SRTP under random and bent packets, forgery, disorder: nothing throws or writes outside, both back ends do
 * the same, no forged packet leaves a trace, each true packet is taken exactly once.
 */
import { describe, expect, it } from 'vitest';
import { SRTP_REPLAYED } from '../../src/b2bua/srtp/outcomes.ts';
import { REPLAY_WINDOW_PACKETS, SourceTable } from '../../src/b2bua/srtp/source-table.ts';
import { SRTP_SUITES, type SrtpSuite } from '../../src/b2bua/srtp/suites.ts';
import { HEADROOM_BYTES, TAILROOM_BYTES } from '../../src/wire/datagram-io.ts';
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
} from '../kit/srtp-rig.ts';
import { Random, SEED } from './seeded.ts';

const MESSAGES = Number(process.env.FUZZ_MESSAGES ?? 50_000);
const TIMEOUT_MS = 60_000 + MESSAGES;
/** Bytes before and behind the room of a packet, which nothing may touch. */
const MARGIN_BYTES = 64;

/** A leg on one back end: it receives with one key and sends with another. */
interface Station {
  readonly rig: CryptoRig;
  readonly sender: Sending;
  readonly receiver: Receiving;
}

function stations(random: Random, suite: SrtpSuite): Station[] {
  const [theirs, ours] = [randomKey(random, suite), randomKey(random, suite)];
  return BACK_ENDS.map(({ create }) => {
    const rig = create();
    return { rig, sender: sending(rig, suite, ours), receiver: receiving(rig, suite, theirs) };
  });
}

function randomPacket(random: Random, valid: readonly Buffer[]): Buffer {
  if (random.chance(0.2)) return random.bytes(random.below(200));
  const packet = Buffer.from(random.pick(valid));
  for (let i = random.below(3); i > 0; i--) packet[random.below(packet.length)] = random.below(256);
  return random.chance(0.8) ? packet : packet.subarray(0, random.below(packet.length + 1));
}

/** Puts a packet into noise, lets `act` at it, and tells what it gave and whether it stayed in its room. */
function act(station: Station, noise: Buffer, packet: Buffer, acts: (at: Station) => number): string {
  const { bytes } = station.rig;
  const start = PACKET_OFFSET - HEADROOM_BYTES - MARGIN_BYTES;
  bytes.set(noise, start);
  bytes.set(packet, PACKET_OFFSET);
  const outcome = acts(station);
  const front = Buffer.from(bytes.slice(start, PACKET_OFFSET));
  expect(front.equals(noise.subarray(0, front.length))).toBe(true);
  const roomEnd = PACKET_OFFSET + packet.length + TAILROOM_BYTES;
  const behind = Buffer.from(bytes.slice(roomEnd, start + noise.length));
  expect(behind.equals(noise.subarray(roomEnd - start))).toBe(true);
  // Of a refused packet nothing is promised but its outcome.
  const result = outcome < 0 ? '' : Buffer.from(bytes.slice(PACKET_OFFSET, PACKET_OFFSET + outcome));
  return `${outcome} ${result.toString('hex')}`;
}

function shuffled<Item>(random: Random, items: readonly Item[]): Item[] {
  const order = [...items];
  for (let i = order.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [order[i], order[j]] = [order[j] as Item, order[i] as Item];
  }
  return order;
}

describe.each(SRTP_SUITES)('$name', (suite) => {
  it(
    'bent and random packets: no throw, nothing outside, the same from every back end',
    () => {
      const random = new Random(SEED ^ suite.keyBytes ^ suite.rtpTagBytes);
      const all = stations(random, suite);
      const noise = random.bytes(1000);
      const valid = [0, 1, 20, 160, 172].flatMap((length) => [
        rtpPacket({ sequence: random.below(65_536), payload: random.bytes(length), csrcs: random.below(16) }),
        rtpPacket({ sequence: random.below(65_536), payload: random.bytes(length), extensionWords: 3 }),
        rtcpPacket(random.below(50), random.bytes(4 * Math.floor(length / 4))),
      ]);
      const acts: readonly ((at: Station, length: number) => number)[] = [
        ({ sender }, length) => sender.sender.protectRtp(PACKET_OFFSET, length),
        ({ sender }, length) => sender.sender.protectRtcp(PACKET_OFFSET, length),
        ({ receiver }, length) => receiver.receiver.unprotectRtp(PACKET_OFFSET, length),
        ({ receiver }, length) => receiver.receiver.unprotectRtcp(PACKET_OFFSET, length),
      ];
      for (let i = 0; i < MESSAGES / 20; i++) {
        const packet = randomPacket(random, valid);
        const how = random.pick(acts);
        const results = all.map((one) => act(one, noise, packet, (at) => how(at, packet.length)));
        for (const result of results) expect(result).toBe(results[0]);
      }
    },
    TIMEOUT_MS,
  );
});

describe.each(BACK_ENDS)('with $name', ({ create }) => {
  const rig = create();

  it('forged packets between true ones leave no trace', () => {
    for (const [run, suite] of SRTP_SUITES.entries()) {
      const random = new Random(SEED + run);
      const key = randomKey(random, suite);
      const sender = sending(rig, suite, key);
      const [alone, attacked] = [receiving(rig, suite, key), receiving(rig, suite, key)];
      let sequence = random.below(65_536);
      for (let i = 0; i < 300; i++) {
        const isReport = random.chance(0.1);
        if (!isReport) sequence = (sequence + random.pick([1, 1, 1, 3, 12_000])) & 0xffff;
        const wire = good(isReport ? sender.rtcp(rtcpPacket()) : sender.rtp(rtpPacket({ sequence })));
        for (let forgeries = random.below(3); forgeries > 0; forgeries--) {
          const forged = Buffer.from(wire);
          if (isReport) forged[forged.length - 1 - random.below(10)] = random.below(256);
          else forged.writeUInt16BE(random.below(65_536), 2);
          forged[8 + random.below(4)] = random.below(256);
          if (forged.equals(wire)) continue;
          expect(isReport ? attacked.rtcp(forged) : attacked.rtp(forged)).toBeTypeOf('number');
        }
        const [expected, found] = [alone, attacked].map((one) => (isReport ? one.rtcp(wire) : one.rtp(wire)));
        expect(found).toEqual(expected);
        expect(attacked.receiver.advanced).toBe(alone.receiver.advanced);
      }
    }
  });

  it('every permutation within the window is taken exactly once, across rollovers too', () => {
    const random = new Random(SEED);
    for (let run = 0; run < 60; run++) {
      const suite = random.pick(SRTP_SUITES);
      const key = randomKey(random, suite);
      const sender = sending(rig, suite, key);
      const receiver = receiving(rig, suite, key);
      const first = random.chance(0.7) ? random.between(0xff40, 0xffff) : random.below(0xff00);
      const packets = Array.from({ length: REPLAY_WINDOW_PACKETS }, (_, i) =>
        rtpPacket({ sequence: (first + i) & 0xffff }),
      );
      const wires = packets.map((packet) => good(sender.rtp(packet)));
      const order = shuffled(random, [...packets.keys(), ...packets.keys()]);
      const taken = new Set<number>();
      for (const place of order) {
        const result = receiver.rtp(wires[place] as Buffer);
        if (taken.has(place)) expect(result).toBe(SRTP_REPLAYED);
        else expect(good(result)).toEqual(packets[place]);
        taken.add(place);
      }
    }
  });

  it('a sender gives no index away twice, however its source counts, and a receiver follows it', () => {
    for (const [run, suite] of SRTP_SUITES.entries()) {
      const random = new Random(SEED + run);
      const key = randomKey(random, suite);
      const sender = sending(rig, suite, key);
      const receiver = receiving(rig, suite, key);
      const wires = new Set<string>();
      let sequence = random.below(65_536);
      let sent = 0;
      for (let i = 0; i < 2000; i++) {
        const step = random.pick([1, 1, 1, 0, -1, -5, 30, 20_000, -300]);
        sequence = (sequence + step) & 0xffff;
        const packet = rtpPacket({ sequence });
        const wire = sender.rtp(packet);
        if (typeof wire === 'number') continue;
        sent++;
        wires.add(wire.toString('hex'));
        expect(good(receiver.rtp(wire))).toEqual(packet);
      }
      // Header and payload of a sequence number are always the same, so equal bytes would mean an equal index.
      expect(wires.size).toBe(sent);
      expect(sent).toBeGreaterThan(500);
    }
  });
});

describe('guess of the ROC', () => {
  it('is right for every packet less than half a rollover from the newest', () => {
    const random = new Random(SEED);
    for (let run = 0; run < 200; run++) {
      const table = new SourceTable();
      const source = table.add(run);
      let newest = random.below(65_536) + 65_536 * random.pick([0, 1, 2, 0x7ffffffe, 0x7fffffff, 0xfffffff0]);
      table.beginRtp(source, Math.floor(newest / 65_536) | 0, newest % 65_536);
      for (let i = 0; i < 500; i++) {
        const index = newest + random.between(-0x7fff, 0x7fff);
        if (index < 0 || index >= 2 ** 48) continue;
        expect(table.guess(source, index % 65_536)).toBe(0);
        expect([table.roc >>> 0, table.distance]).toEqual([Math.floor(index / 65_536), index - newest]);
        if (random.chance(0.3)) continue; // it was forged
        table.noteRtp(source, index % 65_536);
        newest = Math.max(newest, index);
      }
    }
  });
});
