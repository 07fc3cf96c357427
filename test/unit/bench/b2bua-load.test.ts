import { describe, expect, test } from 'vitest';
import { B2buaLoad } from '../../../src/bench/b2bua-load.ts';
import type { B2buaLoadOptions } from '../../../src/bench/b2bua-load-options.ts';
import type { B2buaLoadResult } from '../../../src/bench/b2bua-result.ts';
import type { RunProgress } from '../../../src/bench/load-run.ts';
import { aesKeystream, createNodeMediaCrypto } from '../../../src/node/node-media-crypto.ts';
import { SimulatedB2bua } from './simulated-b2bua.ts';

const CM_80 = 'AES_CM_128_HMAC_SHA1_80';
const GCM_128 = 'AEAD_AES_128_GCM';
const FILLER = Buffer.alloc(32, 0x55).toString('latin1');

const OPTIONS: B2buaLoadOptions = {
  ngAddress: '192.0.2.2',
  ngPort: 2223,
  calls: 5,
  caller: CM_80,
  callee: null,
  zones: null,
  packetsPerSecond: 500,
  direction: 'up',
  seconds: 2,
  warmupSeconds: 1,
  mediaAddress: null,
  setupOnly: false,
  callsPerSecond: null,
  outstandingMax: 2,
  serverPid: null,
};

interface Run {
  readonly options?: Partial<B2buaLoadOptions>;
  readonly isStopped?: () => boolean;
  readonly progress?: (progress: RunProgress) => void;
}

function run(
  io: SimulatedB2bua,
  { options, isStopped = () => false, progress = () => {} }: Run = {},
): Promise<B2buaLoadResult> {
  const crypto = { media: createNodeMediaCrypto(io.bytes), keystream: aesKeystream };
  return new B2buaLoad(io, crypto, { ...OPTIONS, ...options }, isStopped, progress).run();
}

const names = (io: SimulatedB2bua): unknown[] => io.commands.map((command) => command.command);

describe('a run over a perfect engine', () => {
  const legs: [caller: string | null, callee: string | null][] = [
    [CM_80, null],
    [null, CM_80],
    [CM_80, GCM_128],
    [GCM_128, CM_80],
    [CM_80, CM_80],
    [null, null],
  ];
  for (const [caller, callee] of legs) {
    for (const direction of ['up', 'down', 'both'] as const) {
      test(`${caller ?? 'RTP'} to ${callee ?? 'RTP'}, ${direction}: every packet arrives, is read and timed`, async () => {
        const io = new SimulatedB2bua();
        const result = await run(io, { options: { caller, callee, direction } });
        const sent = result.directions.map(({ sentPackets }) => sentPackets);
        expect(sent).toEqual(direction === 'both' ? [500, 500] : [1000]);
        for (const row of result.directions) {
          expect(row.receivedPackets).toBe(row.sentPackets);
          expect([row.outOfOrderPackets, row.duplicatePackets, row.wrongPackets]).toEqual([0, 0, 0]);
          expect(row.latencyMicroseconds.p50).toBeCloseTo(50, 0);
        }
        expect(result.verdict).toEqual({ valid: true, counts: true, reasons: [] });
        expect([io.calls.size, io.isClosed]).toEqual([0, true]);
      });
    }
  }

  test('what the encrypted leg carries is not the payload, what the plain one carries is', async () => {
    const io = new SimulatedB2bua();
    await run(io, { options: { direction: 'both' } });
    const isPlain = io.wire.map((packet) => Buffer.from(packet).toString('latin1').includes(FILLER));
    const sizes = io.wire.map(({ length }) => length);
    // Five packets up, five down, and so on.
    expect(isPlain.slice(0, 10)).toEqual([...Array(5).fill(false), ...Array(5).fill(true)]);
    expect(sizes.slice(0, 10)).toEqual([...Array(5).fill(182), ...Array(5).fill(172)]);
  });

  test('a stream is RTP of G.711: payload type 0, one SSRC, sequence and timestamp in step', async () => {
    const io = new SimulatedB2bua();
    await run(io, { options: { caller: null, calls: 1 } });
    const packets = io.wire.map((packet) => Buffer.from(packet));
    const [first] = packets as [Buffer];
    for (const [i, packet] of packets.entries()) {
      expect(packet.readUInt16BE(0)).toBe(0x8000);
      expect(packet.readUInt16BE(2)).toBe((first.readUInt16BE(2) + i) & 0xffff);
      expect(packet.readUInt32BE(4)).toBe((first.readUInt32BE(4) + 160 * i) % 2 ** 32);
      expect(packet.readUInt32BE(8)).toBe(first.readUInt32BE(8));
    }
  });

  test('a stream that passes sequence number 65535 goes on', async () => {
    const result = await run(new SimulatedB2bua(), {
      options: {
        caller: null,
        callee: GCM_128,
        calls: 1,
        packetsPerSecond: 16_500,
        seconds: 4,
        warmupSeconds: 0,
      },
    });
    expect(result.directions[0]).toMatchObject({ sentPackets: 66_000, lostPackets: 0, wrongPackets: 0 });
    expect(result.unauthenticPackets).toBe(0);
  });

  test('every call is offered, answered and deleted, and the commands are timed', async () => {
    const io = new SimulatedB2bua();
    const result = await run(io);
    expect(names(io).toSorted()).toEqual(
      ['offer', 'answer', 'delete'].flatMap((name) => Array(5).fill(name)).toSorted(),
    );
    expect(new Set(io.commands.map((command) => command['call-id'])).size).toBe(5);
    expect(result.setup).toMatchObject({ requested: 5, established: 5, failed: 0, retransmissions: 0 });
    for (const { count, latencyMicroseconds } of Object.values(result.commands)) {
      expect([count, latencyMicroseconds.p50]).toEqual([5, 50]);
    }
  });

  test('no key is used for two endpoints or two calls', async () => {
    const io = new SimulatedB2bua();
    await run(io, { options: { callee: CM_80 } });
    const keys = io.datagrams.flatMap((text) => /inline:(\S+)/.exec(text)?.[1] ?? []);
    expect([keys.length, new Set(keys).size]).toEqual([10, 10]);
  });

  test('setup-only sets calls up and deletes them at once, without media', async () => {
    const io = new SimulatedB2bua();
    const result = await run(io, { options: { setupOnly: true, calls: 40 } });
    expect(result.setup.established).toBe(40);
    expect(result.commands.delete.count).toBe(40);
    expect([result.directions.length, result.seconds, io.calls.size, io.wire.length]).toEqual([0, 0, 0, 0]);
    // Time that passes here is the generator's own, so its share of a CPU says nothing.
    expect(result.verdict.reasons.filter((reason) => !reason.includes('of a CPU'))).toEqual([]);
  });

  test('setup-only begins calls no faster than the rate', async () => {
    const io = new SimulatedB2bua();
    const result = await run(io, { options: { setupOnly: true, calls: 101, callsPerSecond: 50 } });
    expect(result.setup.seconds).toBeGreaterThan(1.9);
    expect(result.setup.seconds).toBeLessThan(2.2);
  });

  test('names of zones go with offer and answer', async () => {
    const io = new SimulatedB2bua();
    await run(io, { options: { zones: ['external', 'internal'], calls: 1 } });
    expect(io.commands.map((command) => command.direction)).toEqual([
      ['external', 'internal'],
      ['external', 'internal'],
      undefined,
    ]);
  });

  test('progress tells rates and latency once a second', async () => {
    const seen: RunProgress[] = [];
    await run(new SimulatedB2bua(), { progress: (progress) => seen.push(progress) });
    const measuring = seen.filter(({ phase }) => phase === 'measuring');
    expect(measuring[0]).toMatchObject({ elapsedSeconds: 1, ofSeconds: 2, p50Microseconds: 50 });
  });
});

describe('what goes wrong is told', () => {
  test('lost packets are counted, and above 0.1 % the figure does not count', async () => {
    const io = new SimulatedB2bua();
    io.copies = (packet) => (packet % 100 === 0 ? 0 : 1);
    const result = await run(io);
    expect(result.directions[0]).toMatchObject({ sentPackets: 1000, lostPackets: 10 });
    expect(result.verdict).toMatchObject({ valid: true, counts: false });
  });

  for (const callee of [null, GCM_128]) {
    test(`packets that arrive twice over ${callee ?? 'RTP'} are received once`, async () => {
      const io = new SimulatedB2bua();
      io.copies = (packet) => (packet % 10 === 0 ? 2 : 1);
      const result = await run(io, { options: { callee, warmupSeconds: 0 } });
      expect(result.directions[0]).toMatchObject({
        receivedPackets: 1000,
        lostPackets: 0,
        duplicatePackets: 100,
      });
    });
  }

  test('a payload that came out changed is wrong, not received', async () => {
    const io = new SimulatedB2bua();
    io.confuse = (packet, bytes) => {
      if (packet === 700) bytes[171] = 0x54;
    };
    const result = await run(io);
    expect(result.directions[0]).toMatchObject({ wrongPackets: 1, lostPackets: 1 });
    expect(result.verdict.counts).toBe(false);
    expect(result.verdict.reasons[0]).toContain('1 packets arrived at the wrong place or changed');
  });

  for (const [what, at] of [
    ['sequence number', 3],
    ['timestamp', 7],
    ['SSRC', 11],
  ] as const) {
    test(`a changed ${what} is wrong`, async () => {
      const io = new SimulatedB2bua();
      io.confuse = (packet, bytes) => {
        if (packet === 700) bytes[at] = (bytes[at] as number) ^ 2;
      };
      expect((await run(io)).directions[0]).toMatchObject({ wrongPackets: 1, lostPackets: 1 });
    });
  }

  test('packets whose tag does not verify are told, and the figure does not count', async () => {
    const io = new SimulatedB2bua();
    io.tamper = (packet, bytes) => {
      if (packet === 700) bytes[40] = (bytes[40] as number) ^ 1;
    };
    const result = await run(io, { options: { callee: GCM_128 } });
    expect(result.unauthenticPackets).toBe(1);
    expect(result.verdict.reasons).toEqual(['1 SRTP packets did not verify']);
    expect(result.verdict.counts).toBe(false);
  });

  test('a suite that the callee is not offered ends the run and names those that are', async () => {
    const io = new SimulatedB2bua();
    io.suites = [CM_80, 'AEAD_AES_256_GCM'];
    await expect(run(io, { options: { callee: GCM_128 } })).rejects.toThrow(
      `AEAD_AES_128_GCM is not offered; there is ${CM_80}, AEAD_AES_256_GCM`,
    );
    expect([io.calls.size, io.isClosed]).toEqual([0, true]);
  });

  test("an engine's refusal ends the run with its reason, and the other calls are deleted", async () => {
    const io = new SimulatedB2bua();
    io.onCommand = (command) => (command > 6 && command < 9 ? { refusal: 'Ran out of ports' } : 'answer');
    await expect(run(io)).rejects.toThrow('the engine says error: Ran out of ports');
    expect([io.calls.size, io.isClosed]).toEqual([0, true]);
  });

  test("the caller's key in the callee's hands is told", async () => {
    const io = new SimulatedB2bua();
    io.handsKeysThrough = true;
    expect((await run(io, { options: { callee: CM_80 } })).keyPassedThrough).toBe(true);
    expect((await run(new SimulatedB2bua(), { options: { callee: CM_80 } })).keyPassedThrough).toBe(false);
  });

  test('a command without an answer is sent again after a second, the same bytes', async () => {
    const io = new SimulatedB2bua();
    io.onCommand = (command) => (command === 1 ? 'lose' : 'answer');
    const result = await run(io, { options: { calls: 1 } });
    expect(io.datagrams[1]).toBe(io.datagrams[0]);
    expect(result.setup).toMatchObject({ established: 1, retransmissions: 1 });
    expect(result.commands.offer.latencyMicroseconds.max).toBeGreaterThan(1_000_000);
    expect(result.commands.answer.latencyMicroseconds.max).toBe(50);
  });

  test('an engine that does not answer is given up after five tries', async () => {
    const io = new SimulatedB2bua();
    io.onCommand = () => 'lose';
    const startNs = io.nowNs();
    await expect(run(io, { options: { calls: 1 } })).rejects.toThrow(
      '0 of 1 calls succeeded; offer: no answer',
    );
    expect(io.commands.length).toBe(5);
    expect((io.nowNs() - startNs) / 1e9).toBeCloseTo(5, 0);
  });

  test('a port where nothing listens is told at once', async () => {
    const io = new SimulatedB2bua();
    io.onCommand = () => 'lose';
    io.refusals = 1;
    await expect(run(io)).rejects.toThrow('nothing listens at 192.0.2.2:2223');
    expect(io.isClosed).toBe(true);
  });

  test('a delete that fails is told', async () => {
    const io = new SimulatedB2bua();
    io.onCommand = (_, name) => (name === 'delete' ? { refusal: 'Unknown call-id' } : 'answer');
    const { verdict } = await run(io);
    expect(verdict.counts).toBe(false);
    expect(verdict.reasons[0]).toContain(
      '5 calls were not deleted: delete: the engine says error: Unknown call-id',
    );
  });

  test('setup-only counts failed calls and goes on', async () => {
    const io = new SimulatedB2bua();
    io.onCommand = (command) => (command === 2 ? { refusal: 'Parallel session limit reached' } : 'answer');
    const result = await run(io, { options: { setupOnly: true, calls: 10 } });
    expect(result.setup).toMatchObject({ established: 9, failed: 1 });
    expect(result.setup.failures).toEqual(['offer: the engine says error: Parallel session limit reached']);
    expect(result.verdict.counts).toBe(false);
  });
});

describe('a stopped run', () => {
  test('deletes its calls and tells what there was', async () => {
    const io = new SimulatedB2bua();
    const endNs = io.nowNs() + 2e9;
    const result = await run(io, { isStopped: () => io.nowNs() > endNs });
    expect(result.interrupted).toBe(true);
    expect(result.seconds).toBeGreaterThan(0.9);
    expect(result.seconds).toBeLessThan(1.1);
    expect(result.verdict).toMatchObject({ valid: false, counts: false });
    expect([io.calls.size, io.isClosed]).toEqual([0, true]);
  });

  test('during the set-up deletes those calls that there are', async () => {
    const io = new SimulatedB2bua();
    const result = await run(io, { options: { calls: 100 }, isStopped: () => io.commands.length >= 30 });
    expect(result.interrupted).toBe(true);
    expect(result.setup.established).toBeLessThan(100);
    expect([io.calls.size, io.isClosed]).toEqual([0, true]);
  });
});
