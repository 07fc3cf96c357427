import { describe, expect, test } from 'vitest';
import type { RunProgress } from '../../../src/bench/load-run.ts';
import { TurnLoad } from '../../../src/bench/turn-load.ts';
import type { TurnLoadOptions } from '../../../src/bench/turn-load-options.ts';
import type { TurnLoadResult } from '../../../src/bench/turn-result.ts';
import { METHOD_ALLOCATE, METHOD_CHANNEL_BIND, METHOD_CREATE_PERMISSION } from '../../../src/wire/stun.ts';
import { SimulatedTurn } from './simulated-turn.ts';

const OPTIONS: TurnLoadOptions = {
  serverAddress: '192.0.2.2',
  serverPort: 3478,
  credentials: null,
  flows: 10,
  packetsPerSecond: 1000,
  direction: 'up',
  payloadBytes: 160,
  seconds: 2,
  warmupSeconds: 1,
  mode: 'channel',
  peerAddress: null,
  peerSockets: 3,
  allocateOnly: false,
  holdSeconds: 0,
  allocationsPerSecond: null,
  outstandingMax: 4,
  serverPid: null,
};

interface Run {
  readonly options?: Partial<TurnLoadOptions>;
  readonly isStopped?: () => boolean;
  readonly progress?: (progress: RunProgress) => void;
}

const run = (
  io: SimulatedTurn,
  { options, isStopped = () => false, progress = () => {} }: Run = {},
): Promise<TurnLoadResult> => new TurnLoad(io, { ...OPTIONS, ...options }, isStopped, progress).run();

describe('a run over a perfect server', () => {
  for (const mode of ['channel', 'indication'] as const) {
    for (const direction of ['up', 'down', 'both'] as const) {
      test(`${mode}, ${direction}: every packet of the window is sent, arrives and is timed`, async () => {
        const result = await run(new SimulatedTurn(), { options: { mode, direction } });
        const sent = result.directions.map(({ sentPackets }) => sentPackets);
        expect(sent).toEqual(direction === 'both' ? [1000, 1000] : [2000]);
        for (const row of result.directions) {
          expect(row.receivedPackets).toBe(row.sentPackets);
          expect([row.lostPackets, row.outOfOrderPackets, row.wrongPackets]).toEqual([0, 0, 0]);
          expect(row.latencyMicroseconds.p50).toBeCloseTo(50, 0);
        }
        expect(result.verdict).toEqual({ valid: true, counts: true, reasons: [] });
      });
    }
  }

  test('relays are allocated, bound, and given back', async () => {
    const io = new SimulatedTurn();
    const result = await run(io);
    expect(io.methods.filter((method) => method === METHOD_ALLOCATE)).toHaveLength(10);
    expect(io.methods.filter((method) => method === METHOD_CHANNEL_BIND)).toHaveLength(10);
    expect([io.relays.size, io.isClosed]).toEqual([0, true]);
    expect(result.allocations).toMatchObject({
      requested: 10,
      established: 10,
      failed: 0,
      retransmissions: 0,
    });
  });

  test('indications need permissions, not channels', async () => {
    const io = new SimulatedTurn();
    await run(io, { options: { mode: 'indication' } });
    expect(io.methods).toContain(METHOD_CREATE_PERMISSION);
    expect(io.methods).not.toContain(METHOD_CHANNEL_BIND);
  });

  test('a long run keeps relays and bindings alive', async () => {
    const io = new SimulatedTurn();
    await run(io, { options: { seconds: 500, packetsPerSecond: 10 } });
    // Once to begin with, and after 200 and 400 seconds.
    expect(io.methods.filter((method) => method === METHOD_CHANNEL_BIND)).toHaveLength(30);
  });

  test('progress tells rates and latency once a second', async () => {
    const seen: RunProgress[] = [];
    await run(new SimulatedTurn(), { progress: (progress) => seen.push(progress) });
    const measuring = seen.filter(({ phase }) => phase === 'measuring');
    expect(measuring.length).toBeGreaterThanOrEqual(1);
    expect(measuring[0]).toMatchObject({ elapsedSeconds: 1, ofSeconds: 2, p50Microseconds: 50 });
    expect((measuring[0] as { sentPerSecond: number }).sentPerSecond).toBeCloseTo(1000, -1);
  });

  test('allocate-only allocates, holds and gives back without traffic', async () => {
    const io = new SimulatedTurn();
    const result = await run(io, { options: { allocateOnly: true, holdSeconds: 5 } });
    expect(result.allocations.established).toBe(10);
    expect([result.directions.length, result.seconds, io.relays.size]).toEqual([0, 0, 0]);
    // All time that passes here is the generator's own, so its share of a CPU says nothing.
    expect(result.verdict.reasons.filter((reason) => !reason.includes('of a CPU'))).toEqual([]);
  });
});

describe('what goes wrong is told', () => {
  test('lost packets are counted, and above 0.1 % the figure does not count', async () => {
    const io = new SimulatedTurn();
    io.copies = (packet) => (packet % 100 === 0 ? 0 : 1);
    const result = await run(io);
    expect(result.directions[0]).toMatchObject({ sentPackets: 2000, lostPackets: 20 });
    expect(result.lossPercent).toBeCloseTo(1);
    expect(result.verdict).toMatchObject({ valid: true, counts: false });
  });

  test('loss of 0.1 % still counts', async () => {
    const io = new SimulatedTurn();
    io.copies = (packet) => (packet % 1000 === 0 ? 0 : 1);
    expect((await run(io)).verdict.counts).toBe(true);
  });

  test('a generator that cannot keep the rate says so and is not valid', async () => {
    const io = new SimulatedTurn();
    io.clockStepNs = 100_000;
    const result = await run(io, { options: { packetsPerSecond: 20_000 } });
    expect(result.generator.offeredPercent).toBeLessThan(99);
    expect(result.verdict.valid).toBe(false);
    expect(result.verdict.reasons[0]).toContain('the generator is the bottleneck');
  });

  test("drops at the generator's own sockets make the run invalid", async () => {
    const io = new SimulatedTurn();
    io.copies = (packet) => {
      if (packet === 2000) io.drops = 7;
      return 1;
    };
    const result = await run(io);
    expect(result.generator.droppedAtOwnSockets).toBe(7);
    expect(result.verdict.valid).toBe(false);
  });

  test('a changed packet is wrong, not received', async () => {
    const io = new SimulatedTurn();
    let seen = 0;
    const load = new TurnLoad(
      io,
      OPTIONS,
      () => false,
      () => {},
    );
    const { receiver } = io;
    io.receiver = (socket, bytes, offset, length, receivedNs) => {
      const isProbe = length === 160;
      receiver(socket, bytes, offset, isProbe && ++seen === 1500 ? length - 1 : length, receivedNs);
    };
    const result = await load.run();
    expect(result.directions[0]).toMatchObject({ wrongPackets: 1, lostPackets: 1 });
    expect(result.verdict.counts).toBe(false);
  });

  test('a refused allocation ends the run with the reason, and gives back the others', async () => {
    const io = new SimulatedTurn();
    io.refuseAllocate = (request) => (request > 6 ? 486 : 0);
    await expect(run(io)).rejects.toThrow('6 of 10 allocations succeeded; allocate: error 486');
    expect([io.relays.size, io.isClosed]).toEqual([0, true]);
  });

  test("a port that still has an earlier run's allocation is changed for another", async () => {
    const io = new SimulatedTurn();
    io.refuseAllocate = (request) => (request <= 3 ? 437 : 0);
    const result = await run(io);
    expect(result.allocations).toMatchObject({ established: 10, failed: 0 });
    expect(result.verdict.counts).toBe(true);
  });

  test('a port where nothing listens is told at once', async () => {
    const io = new SimulatedTurn();
    io.isMute = true;
    io.refusals = 1;
    await expect(run(io)).rejects.toThrow('nothing listens at 192.0.2.2:3478');
    expect(io.isClosed).toBe(true);
  });

  test('a server that does not answer is given up after the retransmissions of STUN', async () => {
    const io = new SimulatedTurn();
    io.isMute = true;
    const startNs = io.nowNs();
    await expect(run(io, { options: { flows: 1 } })).rejects.toThrow(
      '0 of 1 allocations succeeded; allocate: no answer',
    );
    expect((io.nowNs() - startNs) / 1e9).toBeCloseTo(39.5, 0);
  });

  test('a run stopped while nobody answers ends within about a second', async () => {
    const io = new SimulatedTurn();
    io.isMute = true;
    const startNs = io.nowNs();
    const result = await run(io, { isStopped: () => io.nowNs() > startNs + 3e9 });
    expect(result.interrupted).toBe(true);
    expect((io.nowNs() - startNs) / 1e9).toBeLessThan(4.5);
  });

  test('a stopped run gives relays back and tells what there was', async () => {
    const io = new SimulatedTurn();
    const endNs = io.nowNs() + 2e9;
    const result = await run(io, { isStopped: () => io.nowNs() > endNs });
    expect(result.interrupted).toBe(true);
    expect(result.seconds).toBeGreaterThan(0.9);
    expect(result.seconds).toBeLessThan(1.1);
    expect(result.verdict).toMatchObject({ valid: false, counts: false });
    expect([io.relays.size, io.isClosed]).toEqual([0, true]);
  });
});
