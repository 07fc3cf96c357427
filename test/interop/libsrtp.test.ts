/**
 * libsrtp, an independent SRTP, as an oracle in both directions: random packets, all suites, rollovers,
 * loss, reordering and repeats. Either side must make of the other's packets what went in.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Keystream } from '../../src/b2bua/srtp/key-derivation.ts';
import { SRTP_REPLAYED } from '../../src/b2bua/srtp/outcomes.ts';
import type { SrtpMasterKey } from '../../src/b2bua/srtp/srtp-receiver.ts';
import { SRTP_SUITES, type SrtpSuite } from '../../src/b2bua/srtp/suites.ts';
import { Random, SEED } from '../fuzz/seeded.ts';
import {
  BACK_ENDS,
  type CryptoRig,
  type Direction,
  good,
  randomKey,
  receiving,
  rtcpPacket,
  rtpPacket,
  sending,
} from '../kit/srtp-rig.ts';
import { DEBIAN_PYTHON } from './harness.ts';
import { describeEnd, run, tail } from './processes.ts';

const ORACLE_TIMEOUT_MS = 30_000;
const RUNS = 40;
/** Reordering happens within so many packets; libsrtp's replay window has 128. */
const DISORDER_PACKETS = 24;
const SOURCES = 3;

interface Packet {
  readonly rtcp: boolean;
  readonly bytes: Buffer;
  /** Behind a jump of its source: without it the next jump might go too far for anyone's guess. */
  readonly mustArrive: boolean;
}

/** An arrival: a packet of the stream by its place in it. */
interface Arrival {
  readonly place: number;
  readonly isRepeat: boolean;
}

interface OraclePacket {
  readonly rtcp: boolean;
  readonly hex: string;
  readonly key: number;
}

interface OracleAnswer {
  readonly protected: readonly (string | null)[];
  readonly unprotected: readonly (string | null)[];
}

describe.each(BACK_ENDS)('libsrtp and $name', ({ name, create }) => {
  it.each(SRTP_SUITES)('$name: each understands the other', async (suite) => {
    const random = new Random(SEED ^ suite.name.length ^ (suite.keyBytes << 8) ^ name.length);
    const key = randomKey(random, suite);
    const rig = asLibsrtpDerives(create(), suite, [key]);
    const stream = randomStream(random);
    const arrivals = randomArrivals(random, stream);
    const sender = sending(rig, suite, key);
    const ours = stream.map((packet) => good(pass(sender, packet, packet.bytes)));

    const answer = await askOracle(suite, [key], {
      protect: stream.map((packet) => oraclePacket(packet, packet.bytes)),
      unprotect: arrivals.map(({ place }) => oraclePacket(stream[place] as Packet, ours[place] as Buffer)),
    });

    arrivals.forEach(({ place, isRepeat }, i) => {
      const expected = isRepeat ? null : (stream[place] as Packet).bytes.toString('hex');
      expect(answer.unprotected[i], `arrival ${i}, packet ${place}`).toBe(expected);
    });
    const receiver = receiving(rig, suite, key);
    for (const { place, isRepeat } of arrivals) {
      const packet = stream[place] as Packet;
      const wire = Buffer.from(answer.protected[place] ?? '', 'hex');
      const plain = pass(receiver, packet, wire);
      if (isRepeat) expect(plain).toBe(SRTP_REPLAYED);
      else expect(good(plain).toString('hex'), `packet ${place}`).toBe(packet.bytes.toString('hex'));
    }
    // Key and index determine every byte. (SRTCP's index begins with 0 here, as RFC 3711 §3.4 has it, with 1 there.)
    stream.forEach((packet, place) => {
      if (!packet.rtcp) expect(ours[place]?.toString('hex')).toBe(answer.protected[place]);
    });
  });

  it.each(SRTP_SUITES)('$name: keys are chosen by the MKI that libsrtp sends', async (suite) => {
    const random = new Random(SEED ^ suite.keyBytes ^ name.length);
    const keys = [random.bytes(4), random.bytes(4), random.bytes(4)].map((mki) => ({
      ...randomKey(random, suite),
      mki,
    }));
    const rig = asLibsrtpDerives(create(), suite, keys);
    const stream = randomStream(random);
    const answer = await askOracle(suite, keys, {
      protect: stream.map((packet) => ({ ...oraclePacket(packet, packet.bytes), key: random.below(3) })),
      unprotect: [],
    });
    const receiver = receiving(rig, suite, ...keys);
    stream.forEach((packet, place) => {
      const wire = Buffer.from(answer.protected[place] ?? '', 'hex');
      expect(good(pass(receiver, packet, wire)).toString('hex')).toBe(packet.bytes.toString('hex'));
    });
  });
});

/**
 * libsrtp 2 derives the session keys of AES-192 not as RFC 6188 §3 says (whose vectors the conformance tests
 * hold) but with AES-256, whose key and salt it takes from the 46 bytes of master key, salt and zeros. With
 * the same derivation here, all else of these suites can be compared.
 */
function asLibsrtpDerives(rig: CryptoRig, suite: SrtpSuite, keys: readonly SrtpMasterKey[]): CryptoRig {
  if (suite.keyBytes !== 24) return rig;
  const keystream: Keystream = (masterKey) => (counterBlock, length) => {
    const key = keys.find((one) => Buffer.compare(one.masterKey, masterKey) === 0) as SrtpMasterKey;
    const taken = Buffer.concat([masterKey, key.masterSalt, Buffer.alloc(10)]);
    const block = Buffer.from(taken.subarray(32, 48));
    const label = (counterBlock[7] as number) ^ (key.masterSalt[7] as number);
    block[7] = (block[7] as number) ^ label;
    return rig.keystream(taken.subarray(0, 32))(block, length);
  };
  return { ...rig, keystream };
}

function pass(direction: Direction, { rtcp }: Packet, bytes: Buffer): Buffer | number {
  return rtcp ? direction.rtcp(bytes) : direction.rtp(bytes);
}

/** Packets of several sources in the order they are sent, with jumps that make them roll over many times. */
function randomStream(random: Random): Packet[] {
  const sources = Array.from({ length: SOURCES }, () => ({
    ssrc: random.word(),
    sequence: random.chance(0.5) ? random.between(0xfff0, 0xffff) : random.below(0x10000),
  }));
  const packets: Packet[] = [];
  for (let i = 0; i < RUNS; i++) {
    for (const source of sources) {
      if (i > 0) source.sequence += random.below(0x7000);
      packets.push(randomRtp(random, source, true));
      for (let n = random.below(40); n > 0; n--) packets.push(randomRtp(random, source, false));
      for (let n = random.below(3); n > 0; n--) packets.push(randomRtcp(random, source.ssrc));
    }
  }
  return packets;
}

function randomRtp(random: Random, source: { ssrc: number; sequence: number }, mustArrive: boolean): Packet {
  source.sequence = (source.sequence + random.pick([1, 1, 1, 1, 2, 9])) & 0xffff;
  const payload = random.bytes(random.pick([0, 1, 15, 16, 17, 20, 160, 172, 1000]));
  const bytes = rtpPacket({
    sequence: source.sequence,
    ssrc: source.ssrc,
    csrcs: random.chance(0.3) ? random.below(16) : 0,
    extensionWords: random.chance(0.3) ? random.below(20) : -1,
    payload,
  });
  bytes[1] = random.pick([0, 8, 96, 111, 127]) | (random.chance(0.5) ? 0x80 : 0);
  const padding = random.between(1, 20);
  if (payload.length > padding && random.chance(0.2)) {
    bytes[0] = (bytes[0] as number) | 0x20;
    bytes[bytes.length - 1] = padding;
  }
  return { rtcp: false, bytes, mustArrive };
}

function randomRtcp(random: Random, ssrc: number): Packet {
  const bytes = rtcpPacket(ssrc, random.bytes(4 * random.below(40)));
  bytes[1] = random.pick([200, 201, 202, 206]);
  return { rtcp: true, bytes, mustArrive: false };
}

/** What arrives of a stream: some packets are lost, come late or come twice; the first of each source is in order. */
function randomArrivals(random: Random, stream: readonly Packet[]): Arrival[] {
  const seen = new Set<string>();
  const due = stream.map((packet, place) => {
    const source = `${packet.rtcp}${sourceOf(packet)}`;
    const isFirst = !seen.has(source);
    seen.add(source);
    const isSure = isFirst || packet.mustArrive;
    const delay = isSure || random.chance(0.6) ? 0 : random.below(DISORDER_PACKETS);
    return { place, at: place + delay, isLost: !isSure && random.chance(0.1) };
  });
  const arrivals: Arrival[] = [];
  for (const { place, isLost } of due.sort((a, b) => a.at - b.at)) {
    if (isLost) continue;
    arrivals.push({ place, isRepeat: false });
    if (random.chance(0.05)) arrivals.push({ place, isRepeat: true });
  }
  return arrivals.filter(notTooLate(stream));
}

/** Leaves out what comes behind a jump of its source larger than libsrtp's window: that is rightly refused. */
function notTooLate(stream: readonly Packet[]): (arrival: Arrival) => boolean {
  const newest = new Map<number, number>();
  return ({ place }) => {
    const packet = stream[place] as Packet;
    if (packet.rtcp) return true;
    const sequence = packet.bytes.readUInt16BE(2);
    const last = newest.get(sourceOf(packet));
    const ahead = last === undefined ? 1 : ((sequence - last) << 16) >> 16;
    if (ahead > 0) newest.set(sourceOf(packet), sequence);
    return ahead > -120;
  };
}

function sourceOf(packet: Packet): number {
  return packet.bytes.readUInt32BE(packet.rtcp ? 4 : 8);
}

function oraclePacket({ rtcp }: Packet, bytes: Buffer): OraclePacket {
  return { rtcp, hex: bytes.toString('hex'), key: 0 };
}

async function askOracle(
  suite: SrtpSuite,
  keys: readonly SrtpMasterKey[],
  packets: { readonly protect: readonly OraclePacket[]; readonly unprotect: readonly OraclePacket[] },
): Promise<OracleAnswer> {
  const directory = await mkdtemp(join(tmpdir(), 'causeway-libsrtp-'));
  try {
    const [input, output] = [join(directory, 'input.json'), join(directory, 'output.json')];
    const task = { suite: suite.name, keys: keys.map(oracleKey), ...packets };
    await writeFile(input, JSON.stringify(task));
    const script = join(import.meta.dirname, 'clients/libsrtp_oracle.py');
    const result = await run(DEBIAN_PYTHON, [script, input, output], ORACLE_TIMEOUT_MS);
    if (result.exitCode !== 0) {
      throw new Error(`${result.commandLine}: ${describeEnd(result)}\n${tail(result.output, 20)}`);
    }
    return JSON.parse(await readFile(output, 'utf8')) as OracleAnswer;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function oracleKey({ masterKey, masterSalt, mki }: SrtpMasterKey): { key: string; mki: string } {
  return {
    key: Buffer.concat([masterKey, masterSalt]).toString('hex'),
    mki: Buffer.from(mki ?? []).toString('hex'),
  };
}
