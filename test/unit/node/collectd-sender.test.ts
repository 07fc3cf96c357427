import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { noCalls } from '../../../src/metrics/ice-metrics.ts';
import {
  CollectdSender,
  type CollectdSenderOptions,
  type Resolved,
} from '../../../src/node/collectd-sender.ts';
import { hostAddressesOf } from '../../../src/node/host-addresses.ts';
import { collectdGauges, collectdParts } from '../../kit/collectd-parts.ts';

const HAS_IPV6 = hostAddressesOf(networkInterfaces()).includes('::1');
const WAIT_MS = 10_000;

let sockets: Socket[];
let senders: CollectdSender[];
let logLines: string[];
let activeCalls: number;

beforeEach(() => {
  sockets = [];
  senders = [];
  logLines = [];
  activeCalls = 3;
});

afterEach(() => {
  vi.useRealTimers();
  for (const sender of senders) sender.close();
  for (const socket of sockets) socket.close();
});

/** A collectd, as far as a sender can tell: what it got, from whom. */
interface FakeCollectd {
  readonly port: number;
  readonly socket: Socket;
  readonly packets: Buffer[];
}

async function fakeCollectd(
  address = '127.0.0.1',
  port = 0,
  heard: (socket: Socket, source: RemoteInfo) => void = () => {},
): Promise<FakeCollectd> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  const packets: Buffer[] = [];
  socket.on('message', (packet, source) => {
    packets.push(packet);
    heard(socket, source);
  });
  socket.bind(port, address);
  await once(socket, 'listening');
  sockets.push(socket);
  return { port: socket.address().port, socket, packets };
}

/** A port where nobody listens. */
async function closedPort(): Promise<number> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  await once(socket, 'close');
  return port;
}

function start(options: Partial<CollectdSenderOptions>, zones = 0): CollectdSender {
  const sender = new CollectdSender({
    address: '127.0.0.1',
    port: 25_826,
    intervalSeconds: 60,
    hostname: 'node1',
    read: () => ({
      iceCounters: { ...noCalls(), b2buacalls: 7 },
      activeCalls,
      activeRelays: 0,
      blockedAddresses: 0,
      zones: Array.from({ length: zones }, (_, i) => ({
        name: `zone${i}`,
        activeCalls: 0,
        bytesReceived: 0,
        bytesSent: 0,
      })),
    }),
    log: pino({}, { write: (line: string) => void logLines.push(JSON.parse(line).msg) }),
    ...options,
  });
  senders.push(sender);
  return sender;
}

async function packetsArrive(collectd: FakeCollectd, count: number): Promise<void> {
  await vi.waitFor(() => expect(collectd.packets.length).toBeGreaterThanOrEqual(count), WAIT_MS);
}

async function failuresReach(sender: CollectdSender, count: number): Promise<void> {
  await vi.waitFor(() => expect(sender.failures).toBe(count), WAIT_MS);
}

describe('a sender of gauges', () => {
  it('sends what is read at the moment, once every interval', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const collectd = await fakeCollectd();
    start({ port: collectd.port, intervalSeconds: 60 });
    vi.advanceTimersByTime(59_999);
    activeCalls = 4;
    vi.advanceTimersByTime(1);
    await packetsArrive(collectd, 1);
    activeCalls = 5;
    vi.advanceTimersByTime(60_000);
    await packetsArrive(collectd, 2);
    expect(collectd.packets.map((packet) => collectdGauges(packet))).toMatchObject([
      { 'ICEPassthroughMetrics.b2buacalls': 7, 'CallMetrics.activecalls': 4 },
      { 'ICEPassthroughMetrics.b2buacalls': 7, 'CallMetrics.activecalls': 5 },
    ]);
  });

  it('says who it is, what time it is and when it comes again', async () => {
    const collectd = await fakeCollectd();
    const beforeMs = Date.now();
    start({ port: collectd.port, intervalSeconds: 30, hostname: 'media1.example.org' }).send();
    await packetsArrive(collectd, 1);
    const parts = new Map(collectdParts(collectd.packets[0] ?? Buffer.alloc(0)));
    expect([parts.get(0), parts.get(2), parts.get(4)]).toEqual(['media1.example.org', 'statsd', 'gauge']);
    expect(parts.get(9)).toBe(30n << 30n);
    const timeMs = Number(((parts.get(8) as bigint) * 1000n) >> 30n);
    expect(timeMs).toBeGreaterThanOrEqual(beforeMs - 1);
    expect(timeMs).toBeLessThanOrEqual(Date.now());
  });

  it.skipIf(!HAS_IPV6)('reaches an IPv6 address', async () => {
    const collectd = await fakeCollectd('::1');
    start({ address: '::1', port: collectd.port }).send();
    await packetsArrive(collectd, 1);
  });

  it('sends nothing after it is closed, nor what a resolver answers then', async () => {
    const collectd = await fakeCollectd();
    let answer: Resolved = () => {};
    const sender = start({
      address: 'collectd.example.org',
      port: collectd.port,
      resolve: (_name, done) => {
        answer = done;
      },
    });
    sender.send();
    sender.close();
    answer(null, ['127.0.0.1']);
    sender.send();
    const other = start({ port: collectd.port, hostname: 'other' });
    other.send();
    await packetsArrive(collectd, 1);
    expect(collectd.packets.map((packet) => collectdParts(packet)[0])).toEqual([[0, 'other']]);
    expect(sender.failures).toBe(0);
  });
});

describe('a collectd', () => {
  it('that is not there costs a counted failure an interval and one line, and may come later', async () => {
    const port = await closedPort();
    const sender = start({ port }, 40); // enough for several packets
    for (let count = 1; count <= 3; count++) {
      sender.send();
      await failuresReach(sender, count);
    }
    expect(logLines).toEqual([
      expect.stringMatching(/^collectd at 127\.0\.0\.1:\d+ is not reached: .*ECONNREFUSED/),
    ]);
    const collectd = await fakeCollectd('127.0.0.1', port);
    sender.send();
    await packetsArrive(collectd, 1);
    await vi.waitFor(() => expect(logLines.at(-1)).toBe('collectd is reached again'), WAIT_MS);
    expect([...sender.counters().values]).toEqual([3]);
  });

  it('that speaks rubbish is not listened to', async () => {
    let answers = 0;
    const collectd = await fakeCollectd('127.0.0.1', 0, (socket, { port, address }) => {
      for (let i = 0; i < 200; i++)
        socket.send(Buffer.alloc(1 + i * 7, 0xff - i), port, address, () => answers++);
    });
    const sender = start({ port: collectd.port });
    for (let round = 1; round <= 5; round++) {
      sender.send();
      await packetsArrive(collectd, round);
      await vi.waitFor(() => expect(answers).toBe(200 * round), WAIT_MS);
    }
    expect(sender.failures).toBe(0);
    expect(logLines).toEqual([]);
  });

  it('that cannot be sent to costs a counted failure', async () => {
    const sender = start({ address: '255.255.255.255' }); // refused by the system: no broadcast
    sender.send();
    await failuresReach(sender, 1);
  });

  it('whose name is not resolved costs a counted failure', async () => {
    const sender = start({
      address: 'collectd.example.org',
      resolve: (_name, done) => done(new Error('getaddrinfo ENOTFOUND collectd.example.org'), []),
    });
    sender.send();
    sender.send();
    expect(sender.failures).toBe(2);
    expect(logLines).toEqual([
      'collectd at collectd.example.org:25826 is not reached: getaddrinfo ENOTFOUND collectd.example.org',
    ]);
  });

  it('whose name takes long to resolve is asked for once, and each interval meanwhile is a failure', async () => {
    const collectd = await fakeCollectd();
    const answers: Resolved[] = [];
    const sender = start({
      address: 'collectd.example.org',
      port: collectd.port,
      resolve: (_name, done) => void answers.push(done),
    });
    for (let i = 0; i < 4; i++) sender.send();
    expect([answers.length, sender.failures]).toEqual([1, 3]);
    answers[0]?.(null, ['127.0.0.1']);
    await packetsArrive(collectd, 1);
    sender.send();
    expect(answers.length).toBe(2);
  });

  it('is found by its name, resolved for each sending, at one of its addresses', async () => {
    const collectd = await fakeCollectd(); // not on ::1
    const asked: string[] = [];
    const sender = start({
      address: 'localhost',
      port: collectd.port,
      resolve: (name, done) => {
        asked.push(name);
        done(null, ['::1', '127.0.0.1']);
      },
    });
    sender.send();
    await failuresReach(sender, 1);
    sender.send();
    await packetsArrive(collectd, 1);
    sender.send();
    await packetsArrive(collectd, 2);
    expect(asked).toEqual(['localhost', 'localhost', 'localhost']);
  });

  it('is found by the resolver of the system', async () => {
    const collectd = await fakeCollectd();
    const sender = start({ address: 'localhost', port: collectd.port });
    await vi.waitFor(() => {
      sender.send();
      expect(collectd.packets.length).toBeGreaterThan(0);
    }, WAIT_MS);
  });
});
