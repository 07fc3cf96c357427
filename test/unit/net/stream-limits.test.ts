import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { STREAM_SOCKET_BASE } from '../../../src/net/stream-io.ts';
import { addressKey } from '../../../src/net/stream-limits.ts';
import type { StreamListener } from '../../../src/net/stream-listener.ts';
import { parseAddress } from '../../../src/wire/address.ts';
import { until } from '../../kit/engine-probe.ts';
import { type Client, channelData, onStream, StreamBench, stun } from './stream-bench.ts';

let bench: StreamBench;
let listener: StreamListener;

beforeEach(async () => {
  bench = new StreamBench();
  listener = await bench.listen();
});

afterEach(() => bench.end());

/** A client the core has heard. */
async function speakingClient(): Promise<Client> {
  const client = await bench.client(listener);
  const heard = bench.core.packets.length;
  client.socket.write(stun());
  await until('it is heard', () => bench.core.packets.length === heard + 1);
  return client;
}

describe('limits on connections', () => {
  it('refuse one more than allowed, until one has gone', async () => {
    bench.limits.connections = 2;
    const first = await speakingClient();
    await speakingClient();
    await (await bench.client(listener)).closed();
    expect(bench.counted('streamsRefused')).toBe(1);
    expect(bench.counted('streamsAccepted')).toBe(2);
    first.socket.destroy();
    await until('the first is gone', () => bench.io.connections === 1);
    await speakingClient();
  });

  // Only Linux has all of 127.0.0.0/8 without configuration.
  it.skipIf(process.platform !== 'linux')('are kept for each client address', async () => {
    bench.limits.connectionsPerAddress = 1;
    const first = await speakingClient();
    await (await bench.client(listener)).closed();
    const elsewhere = await bench.client(listener, '127.0.0.2');
    elsewhere.socket.write(stun());
    await until('another address is heard', () => bench.core.packets.length === 2);
    expect(bench.counted('streamsRefused')).toBe(1);
    first.socket.destroy();
    await until('the first is gone', () => bench.io.connections === 1);
    await speakingClient();
  });

  it('count an IPv4 address by itself, and IPv6 addresses of one /64 together', () => {
    const key = (address: string): string => addressKey(parseAddress(address) as Uint8Array);
    expect(key('192.0.2.1')).not.toBe(key('192.0.2.2'));
    expect(key('2001:db8:0:1::1')).toBe(key('2001:db8:0:1:ffff::2'));
    expect(key('2001:db8:0:1::1')).not.toBe(key('2001:db8:0:2::1'));
  });

  it('refuse a client whose address finds no room in the endpoint book', async () => {
    const { endpoints } = bench.engine;
    while (endpoints.acquire() >= 0);
    await (await bench.client(listener)).closed();
    expect(bench.counted('streamsRefused')).toBe(1);
    endpoints.release(endpoints.capacity - 1);
    endpoints.recycle();
    await speakingClient();
  });
});

describe('limits on what a client sends', () => {
  it('close a connection at bytes that are no message, after the messages before them', async () => {
    const client = await bench.client(listener);
    client.socket.write(Buffer.concat([stun(), Buffer.of(0xff, 0xff, 0xff)]));
    await client.closed();
    expect(bench.core.packets).toHaveLength(1);
    expect(bench.core.closed).toHaveLength(1);
    expect(bench.counted('streamsMalformed')).toBe(1);
  });

  it('close a connection at a message that announces too much', async () => {
    bench.limits.messageBytes = 1000;
    const client = await bench.client(listener);
    client.socket.write(channelData(996));
    await until('the largest is heard', () => bench.core.packets.length === 1);
    client.socket.write(channelData(997).subarray(0, 4));
    await client.closed();
    expect(bench.counted('streamsMalformed')).toBe(1);
  });

  it('close the connection with the most unfinished bytes when all together are too many', async () => {
    bench.limits.unfinishedBytes = 10_000;
    const large = await speakingClient();
    const small = await speakingClient();
    await bench.writeChunk(large, channelData(60_000).subarray(0, 9000));
    await bench.writeChunk(small, channelData(60_000).subarray(0, 2000));
    await large.closed();
    expect(small.isClosed).toBe(false);
    expect(bench.counted('streamsEvicted')).toBe(1);
    expect(bench.core.closed).toHaveLength(1);
  });

  it('no longer count the unfinished bytes of connections that are gone', async () => {
    bench.limits.unfinishedBytes = 10_000;
    for (let round = 0; round < 5; round++) {
      const client = await speakingClient();
      await bench.writeChunk(client, channelData(60_000).subarray(0, 6000));
      client.socket.end();
      await until('it is gone', () => bench.io.connections === 0);
    }
    expect(bench.counted('streamsEvicted')).toBe(0);
  });
});

describe('limits on time', () => {
  it('close a connection whose first message does not come', async () => {
    const silent = await bench.client(listener);
    const speaking = await speakingClient();
    bench.advance(bench.limits.firstMessageMs);
    expect(bench.io.connections).toBe(2);
    bench.advance(1);
    await silent.closed();
    expect(speaking.isClosed).toBe(false);
    expect(bench.counted('streamsTimedOut')).toBe(1);
  });

  it('close a connection whose message does not end, however its bytes trickle in', async () => {
    const client = await speakingClient();
    const message = channelData(40);
    await bench.writeChunk(client, Buffer.concat([stun(), message.subarray(0, 1)]));
    await until('the message before is heard', () => bench.core.packets.length === 2);
    bench.advance(bench.limits.unfinishedMessageMs);
    expect(bench.io.connections).toBe(1);
    await bench.writeChunk(client, message.subarray(1, 10));
    bench.advance(1);
    await client.closed();
    expect(bench.counted('streamsTimedOut')).toBe(1);
  });

  it('leave alone a connection whose message has ended', async () => {
    const client = await speakingClient();
    const stream = onStream(channelData(41));
    await bench.writeChunk(client, stream.subarray(0, 10));
    await bench.writeChunk(client, stream.subarray(10));
    await until('it is heard', () => bench.core.packets.length === 2);
    bench.advance(bench.limits.unfinishedMessageMs + 1);
    expect(bench.io.connections).toBe(1);
  });

  it('are measured from the last bytes, either way', async () => {
    const client = await speakingClient();
    for (let round = 0; round < 2; round++) {
      bench.advance(bench.limits.idleMs);
      await bench.writeChunk(client, stun());
      bench.advance(bench.limits.idleMs);
      bench.io.send(STREAM_SOCKET_BASE, bench.engine.streamAreaOffset, 20, 0);
    }
    expect(bench.io.connections).toBe(1);
  });

  it('are looked at once a second', async () => {
    await bench.end();
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    try {
      bench = new StreamBench();
      await bench.client(await bench.listen());
      await until('it is accepted', () => bench.io.connections === 1);
      bench.nowMs += bench.limits.firstMessageMs + 1;
      expect(bench.io.connections).toBe(1);
      vi.advanceTimersByTime(1000);
      expect(bench.io.connections).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  it('close a connection on which nothing moves', async () => {
    const client = await speakingClient();
    bench.advance(bench.limits.idleMs);
    expect(bench.io.connections).toBe(1);
    bench.advance(1);
    await client.closed();
    expect(bench.core.closed).toHaveLength(1);
    expect(bench.counted('streamsTimedOut')).toBe(1);
  });
});

describe('a client that does not read', () => {
  const message = channelData(60_000);

  /** Sends to the client, a message a turn of the event loop, until one is dropped; returns how many were not. */
  async function fill(): Promise<number> {
    const offset = bench.engine.streamAreaOffset;
    bench.engine.bytes.set(message, offset);
    const before = bench.counted('packetsSent');
    // No kernel buffers nearly as much as these 300 MB.
    for (let i = 0; i < 5000 && bench.counted('dropStreamFull') === 0; i++) {
      bench.io.send(STREAM_SOCKET_BASE, offset, message.length, 0);
      await new Promise(setImmediate);
    }
    return bench.counted('packetsSent') - before;
  }

  it('loses whole messages, and gets all the others once it reads', async () => {
    const client = await speakingClient();
    client.socket.pause();
    const sent = await fill();
    expect(bench.counted('dropStreamFull')).toBe(1);
    client.socket.resume();
    await until('all others arrive', () => client.received.length >= sent * message.length);
    expect(client.received.length).toBe(sent * message.length);
    for (let i = 0; i < sent; i++) {
      const start = i * message.length;
      expect(client.received.subarray(start, start + message.length).equals(message)).toBe(true);
    }
    bench.advance(bench.limits.unreadMs + 1);
    expect(bench.io.connections).toBe(1);
  });

  it('is closed after a while', async () => {
    const client = await speakingClient();
    client.socket.pause();
    await fill();
    bench.advance(bench.limits.unreadMs);
    expect(bench.io.connections).toBe(1);
    bench.io.send(STREAM_SOCKET_BASE, bench.engine.streamAreaOffset, 4, 0);
    expect(bench.counted('dropStreamFull')).toBe(2);
    bench.advance(1);
    expect(bench.io.connections).toBe(0);
    expect(bench.core.closed).toHaveLength(1);
    expect(bench.counted('streamsTimedOut')).toBe(1);
  });

  it('is closed after a while although it said that it is done', async () => {
    const client = await speakingClient();
    client.socket.pause();
    await fill();
    bench.limits.unsentBytes = 1 << 30;
    bench.advance(0); // there is room again, so only the end of the stream counts
    client.socket.end();
    await until('its end is noticed', () => {
      const failed = bench.counted('dropSendFailed');
      bench.io.send(STREAM_SOCKET_BASE, bench.engine.streamAreaOffset, 4, 0);
      return bench.counted('dropSendFailed') > failed;
    });
    bench.advance(bench.limits.unreadMs);
    expect(bench.io.connections).toBe(1);
    bench.advance(1);
    expect(bench.io.connections).toBe(0);
  });
});
