/** The parts of the simulated network that need no programs. */
import { describe, expect, test } from 'vitest';
import { bindWish, sendWish } from '../../../lab/network/simulated/datagram-arguments.ts';
import { datagramFrame, FrameReader, messageFrame } from '../../../lab/network/simulated/frames.ts';
import { streamWish } from '../../../lab/network/simulated/stream-arguments.ts';
import { sourceAddress, wayOut } from '../../../lab/network/simulated/ways.ts';

const HOST = '10.10.0.20';
const done = (): void => {};

describe('frames', () => {
  const frames = [
    messageFrame({ say: 'close', id: 7 }),
    datagramFrame(4_000_000_000, { address: '203.0.113.255', port: 65_535 }, Buffer.from('payload')),
    datagramFrame(1, { address: '10.0.0.1', port: 1 }, new Uint8Array(0)),
  ];

  test.each([1, 2, 3, 5, 1000])('are read whole where they come in pieces of %i bytes', (size) => {
    const read: unknown[] = [];
    const reader = new FrameReader({
      message: (message) => read.push(message),
      datagram: (id, peer, payload) => read.push([id, peer, payload.toString()]),
    });
    const bytes = Buffer.concat(frames);
    for (let i = 0; i < bytes.length; i += size) reader.feed(bytes.subarray(i, i + size));
    expect(read).toEqual([
      { say: 'close', id: 7 },
      [4_000_000_000, { address: '203.0.113.255', port: 65_535 }, 'payload'],
      [1, { address: '10.0.0.1', port: 1 }, ''],
    ]);
  });

  test('that are too long are none', () => {
    const reader = new FrameReader({ message: done, datagram: done });
    expect(() => reader.feed(Buffer.from([0xff, 0, 0, 0]))).toThrow('a frame must be ≤ 70000 bytes');
  });
});

describe('the arguments of node:dgram', () => {
  test.each([
    [[5000, HOST, done], { address: HOST, port: 5000, callback: done }],
    [[5000, done], { address: undefined, port: 5000, callback: done }],
    [[done], { address: undefined, port: 0, callback: done }],
    [[], { address: undefined, port: 0, callback: undefined }],
    [[{ address: HOST, port: 5000, exclusive: true }], { address: HOST, port: 5000, callback: undefined }],
    [[{ port: 0 }, null], { address: undefined, port: 0, callback: undefined }],
    [[{ fd: 3 }], undefined],
  ])('bind(%j)', (args, wish) => expect(bindWish(args)).toEqual(wish));

  test.each<[unknown[], string, number, string | undefined, boolean]>([
    [['text', 5000, HOST, done], 'text', 5000, HOST, true],
    [[Buffer.from('text'), 5000, HOST], 'text', 5000, HOST, false],
    [[Buffer.from('text'), 5000], 'text', 5000, undefined, false],
    [[Buffer.from('text'), 5000, HOST, undefined], 'text', 5000, HOST, false],
    [[Buffer.from('a text'), 2, 4, 5000, HOST, done], 'text', 5000, HOST, true],
    [[Buffer.from('a text'), 2, 4, 5000], 'text', 5000, undefined, false],
    [[[Buffer.from('te'), 'xt'], 5000, HOST], 'text', 5000, HOST, false],
    [
      [new DataView(Uint8Array.from(Buffer.from('a text')).buffer, 2), '5000', HOST],
      'text',
      5000,
      HOST,
      false,
    ],
  ])('send(%j)', (args, text, port, address, isAnswered) => {
    const wish = sendWish(args);
    expect(Buffer.from(wish.payload).toString()).toBe(text);
    expect([wish.port, wish.address, wish.callback === done]).toEqual([port, address, isAnswered]);
  });

  test.each([0, 65_536, Number.NaN, undefined])('port %j cannot be sent to', (port) => {
    expect(() => sendWish(['text', port, HOST])).toThrow('Port should be > 0 and < 65536');
  });
});

describe('the arguments of node:net', () => {
  const options = { host: HOST, port: 80, localAddress: '10.10.0.30', localPort: 9 };

  test.each<[unknown[], boolean]>([
    [[80, HOST, done], true],
    [[80, HOST, 511, done], true],
    [[80, HOST], false],
    [[{ host: HOST, port: '80' }, done], true],
    [[[{ host: HOST, port: 80 }, null]], false],
    [[[{ host: HOST, port: 80 }, done]], true],
  ])('%j', (args, isAnswered) => {
    const wish = streamWish(args);
    expect(wish).toMatchObject({ address: HOST, port: 80, local: { address: '', port: 0 } });
    expect(wish?.callback === done).toBe(isAnswered);
  });

  test('the client’s own address', () => {
    expect(streamWish([options])).toMatchObject({ local: { address: '10.10.0.30', port: 9 }, options });
  });

  test.each([[[{ path: '/tmp/x' }]], [['/tmp/x', done]], [[80, done]], [[{ port: 80 }]], [[]], [[done]]])(
    '%j is about no host and port',
    (args: unknown[]) => expect(streamWish(args)).toBeUndefined(),
  );
});

test('packets go by the topology', () => {
  expect(wayOut('homeA', '192.168.1.12')).toEqual({ by: 'lan', place: 'homeA2' });
  expect(wayOut('homeA', '192.168.1.1')).toEqual({ by: 'lan', place: undefined });
  expect(wayOut('homeA', '192.168.2.11')).toEqual({ by: 'none' });
  expect(wayOut('homeA', '198.51.100.10')).toEqual({ by: 'gateway', home: 'A' });
  expect(wayOut('edge', '198.51.100.10')).toEqual({ by: 'lan', place: 'edge' });
  expect(wayOut('edge', '10.10.0.20')).toEqual({ by: 'lan', place: 'core' });
  expect(wayOut('edge', '192.0.2.50')).toEqual({ by: 'internet' });
  expect(wayOut('desk', '192.0.2.50')).toEqual({ by: 'none' });
  expect([sourceAddress('edge', '10.10.0.20'), sourceAddress('edge', '192.0.2.50')]).toEqual([
    '10.10.0.10',
    '198.51.100.10',
  ]);
});
