import { describe, expect, test } from 'vitest';
import { type GeneratorIo, SEND_OK } from '../../../src/bench/generator-io.ts';
import { createLinuxIo } from '../../../src/bench/linux-io.ts';
import { createPortableIo } from '../../../src/bench/portable-io.ts';

const BUFFER_BYTES = 262_144;
/** Turns of a loop that waits for a packet on loopback: it comes at once, or never. */
const TURNS_MAX = 2000;

interface Received {
  readonly socket: number;
  readonly payload: number[];
  readonly receivedNs: number;
}

const implementations: [name: string, create: (endpoints: number) => GeneratorIo, isSupported: boolean][] = [
  ['linux', createLinuxIo, process.platform === 'linux'],
  ['portable', createPortableIo, true],
];

for (const [name, create, isSupported] of implementations) {
  describe.skipIf(!isSupported)(`the ${name} sockets`, () => {
    /** Two bound sockets, and one connected to the first. */
    async function setUp(address: string) {
      const io = create(16);
      const rows = [io.endpoints.acquire(), io.endpoints.acquire()] as const;
      for (const row of rows) io.endpoints.setText(row, address, 0);
      const bound = [
        await io.open(rows[0], -1, BUFFER_BYTES),
        await io.open(rows[1], -1, BUFFER_BYTES),
      ] as const;
      io.localEndpoint(bound[0], rows[0]);
      io.localEndpoint(bound[1], rows[1]);
      const connected = await io.open(-1, rows[0], BUFFER_BYTES);
      const received: Received[] = [];
      io.receiver = (socket, bytes, offset, length, receivedNs) => {
        received.push({ socket, receivedNs, payload: [...bytes.subarray(offset, offset + length)] });
      };
      const until = async (count: number): Promise<void> => {
        for (let turn = 0; received.length < count && turn < TURNS_MAX; turn++) await io.idle(5e6, true);
      };
      return { io, rows, bound, connected, received, until };
    }

    function write(io: GeneratorIo, ...payload: number[]): void {
      io.bytes.set(payload, io.sendOffset);
    }

    for (const address of ['127.0.0.1', '::1']) {
      test(`${address}: a packet arrives whole at the socket it was sent to`, async () => {
        const { bound, connected, io, received, rows, until } = await setUp(address);
        expect([io.endpoints.port(rows[0]) > 0, io.endpoints.addressText(rows[0])]).toEqual([true, address]);
        write(io, 1, 2, 3);
        expect(io.send(bound[0], io.sendOffset, 3, rows[1])).toBe(SEND_OK);
        write(io, 4, 5);
        expect(io.send(connected, io.sendOffset, 2, -1)).toBe(SEND_OK);
        await until(2);
        io.close();
        const bySocket = received.toSorted((a, b) => b.socket - a.socket);
        expect(bySocket.map(({ payload, socket }) => ({ payload, socket }))).toEqual([
          { socket: bound[1], payload: [1, 2, 3] },
          { socket: bound[0], payload: [4, 5] },
        ]);
      });
    }

    test('the time of arrival is on the clock of sending', async () => {
      const { bound, io, received, rows, until } = await setUp('127.0.0.1');
      const beforeNs = io.nowNs();
      io.send(bound[0], io.sendOffset, 10, rows[1]);
      await until(1);
      const afterNs = io.nowNs();
      io.close();
      const [{ receivedNs }] = received as [Received];
      // The two clocks are tied together to within some microseconds.
      expect(receivedNs).toBeGreaterThan(beforeNs - 1e6);
      expect(receivedNs).toBeLessThan(afterNs + 1e6);
    });

    test('more packets than one batch all arrive, in order', async () => {
      const { bound, io, received, rows, until } = await setUp('127.0.0.1');
      for (let i = 0; i < 100; i++) {
        write(io, i);
        io.send(bound[0], io.sendOffset, 1, rows[1]);
      }
      await until(100);
      io.close();
      expect(received.map(({ payload }) => payload[0])).toEqual(Array.from({ length: 100 }, (_, i) => i));
    });

    test('an address that is not of this machine is refused by name', async () => {
      const io = create(4);
      const row = io.endpoints.acquire();
      io.endpoints.setText(row, '192.0.2.1', 0);
      await expect(io.open(row, -1, BUFFER_BYTES)).rejects.toThrow('192.0.2.1');
      io.close();
    });
  });
}

test.skipIf(process.platform !== 'linux')('drops at a full socket are told', async () => {
  const io = createLinuxIo(4);
  const row = io.endpoints.acquire();
  io.endpoints.setText(row, '127.0.0.1', 0);
  const socket = await io.open(row, -1, 4096);
  io.localEndpoint(socket, row);
  for (let i = 0; i < 500; i++) io.send(socket, io.sendOffset, 1000, row);
  let received = 0;
  io.receiver = () => received++;
  while (io.ownDrops() + received < 500) io.idle(1e6, true);
  expect(io.ownDrops()).toBeGreaterThan(0);
  io.close();
});
