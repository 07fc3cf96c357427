import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { chooseEngine } from '../../../src/net/choose-engine.ts';
import { STREAM_SOCKET_BASE } from '../../../src/net/stream-io.ts';
import { HEADROOM_BYTES } from '../../../src/wire/datagram-io.ts';
import { hasIPv6, Peer, portOf, rowFor, until } from '../../kit/engine-probe.ts';
import { channelData, onStream, StreamBench, stun } from './stream-bench.ts';

const ipv6 = await hasIPv6();
let bench: StreamBench;

// What streams share with the engine, the slab and its batches, is tried on each that works here.
const engines = [...new Set(['dgram', chooseEngine('auto').kind] as const)];

beforeEach(() => {
  bench = new StreamBench();
});

afterEach(() => bench.end());

const mixed = [stun(), channelData(1), channelData(0), stun(8), channelData(7)];
const mixedStream = Buffer.concat(mixed.map(onStream));

describe.each(engines)('a stream client before the %s engine', (kind) => {
  beforeEach(async () => {
    await bench.end();
    bench = new StreamBench(kind);
  });

  it('is heard message by message, with tag, a socket number of its own and its address', async () => {
    const listener = await bench.listen();
    const client = await bench.client(listener);
    client.socket.write(mixedStream);
    await until('all messages arrive', () => bench.core.packets.length === mixed.length);
    expect(bench.core.packets).toEqual(
      mixed.map((payload) => ({
        tag: 5,
        socket: STREAM_SOCKET_BASE,
        payload,
        source: `127.0.0.1:${client.socket.localPort}`,
      })),
    );
    expect(bench.io.isStream(STREAM_SOCKET_BASE)).toBe(true);
    expect(bench.counted('packetsReceived')).toBe(mixed.length);
    expect(bench.counted('bytesReceived')).toBe(mixed.reduce((sum, { length }) => sum + length, 0));
    expect(bench.core.batchTimesMs.length).toBeGreaterThan(0);
  });

  it('is understood wherever its messages are split', async () => {
    const listener = await bench.listen();
    for (let at = 1; at < mixedStream.length; at++) {
      const client = await bench.client(listener);
      const heard = bench.core.packets.length;
      const messagesOf = (): Buffer[] => bench.core.packets.slice(heard).map(({ payload }) => payload);
      await bench.writeChunk(client, mixedStream.subarray(0, at));
      await bench.writeChunk(client, mixedStream.subarray(at));
      expect(messagesOf(), `split at ${at}`).toEqual(mixed);
      client.socket.destroy();
      await until('the connection is gone', () => bench.io.connections === 0);
    }
  });

  it('gets answers in order, ChannelData padded with zeros', async () => {
    const listener = await bench.listen();
    const client = await bench.client(listener);
    bench.core.onPacket = (_tag, socket, offset, length, source) => {
      bench.engine.bytes.fill(0xee, offset + length, offset + length + 3); // what lies behind must not leak
      bench.io.send(socket, offset, length, source);
    };
    client.socket.write(mixedStream);
    await until('the answers arrive', () => client.received.length >= mixedStream.length);
    expect(client.received.equals(mixedStream)).toBe(true);
    expect(bench.counted('packetsSent')).toBe(mixed.length);
  });

  it.skipIf(!ipv6)('may come over IPv6, on the port that IPv4 clients use', async () => {
    const listener = await bench.listen(undefined, '::');
    await bench.listen(undefined, '0.0.0.0', listener.port);
    const client = await bench.client({ ...listener, address: '::1' });
    client.socket.write(stun());
    await until('it is heard', () => bench.core.packets.length === 1);
    expect(bench.core.packets[0]?.source).toBe(`[::1]:${client.socket.localPort}`);
  });

  it('relays to UDP in place, more messages in a burst than the slab has room for', async () => {
    const listener = await bench.listen();
    const client = await bench.client(listener);
    const peer = await Peer.open();
    const relay = bench.io.open(rowFor(bench.engine, '127.0.0.1', 0), bench.core, 1);
    const destination = rowFor(bench.engine, '127.0.0.1', peer.port);
    const header = Buffer.alloc(HEADROOM_BYTES, 'H');
    bench.core.onPacket = (_tag, _socket, offset, length) => {
      bench.engine.bytes.set(header, offset - HEADROOM_BYTES);
      bench.io.send(relay, offset - HEADROOM_BYTES, HEADROOM_BYTES + length, destination);
    };
    const messages = Array.from({ length: 60 }, (_, i) => channelData(30_000, i));
    for (const message of messages) client.socket.write(message);
    await until('all arrive', () => peer.messages.length === messages.length);
    peer.close();
    expect(peer.messages.every((got, i) => got.equals(Buffer.concat([header, messages[i] as Buffer])))).toBe(
      true,
    );
  });

  it('may send more messages in one chunk than the slab has slots for', async () => {
    const client = await bench.client(await bench.listen());
    const messages = Array.from({ length: 8000 }, (_, i) => channelData(4, i));
    client.socket.write(Buffer.concat(messages));
    await until('all are heard', () => bench.core.packets.length === messages.length);
    expect(bench.counted('batches')).toBeLessThan(messages.length / 100);
    expect(bench.core.packets.every(({ payload }, i) => payload.equals(messages[i] as Buffer))).toBe(true);
  });

  it('gets what a UDP peer sends', async () => {
    const listener = await bench.listen();
    const client = await bench.client(listener);
    client.socket.write(stun());
    await until('it is heard', () => bench.core.packets.length === 1);
    const relay = bench.io.open(rowFor(bench.engine, '127.0.0.1', 0), bench.core, 1);
    bench.core.onPacket = (_tag, _socket, offset, length, source) => {
      bench.engine.bytes.set(channelData(length).subarray(0, 4), offset - 4);
      bench.io.send(STREAM_SOCKET_BASE, offset - 4, 4 + length, source);
    };
    const peer = await Peer.open();
    for (let i = 0; i < 20; i++) peer.send(Buffer.alloc(7, 0x5a), portOf(bench.engine, relay));
    await until('all arrive', () => client.received.length === 20 * 12);
    peer.close();
    expect(client.received.equals(Buffer.concat(Array(20).fill(onStream(channelData(7)))))).toBe(true);
  });
});

describe('the end of a stream', () => {
  it('is told to the core that knew it, and gives back number and address', async () => {
    const listener = await bench.listen();
    const acquired = bench.engine.endpoints.acquired;
    for (let round = 0; round < 3; round++) {
      const client = await bench.client(listener);
      const source = `127.0.0.1:${client.socket.localPort}`;
      client.socket.write(stun());
      await until('it is heard', () => bench.core.packets.length === round + 1);
      client.socket.end();
      await until('its end is told', () => bench.core.closed.length === round + 1);
      expect(bench.core.closed[round]).toEqual({ socket: STREAM_SOCKET_BASE, source });
      expect(bench.io.connections).toBe(0);
      expect(bench.engine.endpoints.acquired).toBe(acquired);
    }
  });

  it('concerns nobody if the client never said a word', async () => {
    const client = await bench.client(await bench.listen());
    await until('it is accepted', () => bench.io.connections === 1);
    client.socket.destroy();
    await until('it is gone', () => bench.io.connections === 0);
    expect(bench.core.closed).toEqual([]);
  });

  it('by a reset is an end like any other', async () => {
    const client = await bench.client(await bench.listen());
    client.socket.write(stun());
    await until('it is heard', () => bench.core.packets.length === 1);
    client.socket.resetAndDestroy();
    await until('its end is told', () => bench.core.closed.length === 1);
    bench.io.send(STREAM_SOCKET_BASE, HEADROOM_BYTES, 20, 0);
    expect(bench.counted('dropSendFailed')).toBe(1);
  });

  it('still lets the answer to the last request out', async () => {
    const client = await bench.client(await bench.listen());
    bench.core.onPacket = (_tag, socket, offset, length, source) =>
      bench.io.send(socket, offset, length, source);
    client.socket.end(stun(12));
    await client.closed();
    expect(client.received.equals(stun(12))).toBe(true);
  });

  it('may be the core’s doing: what it sent before leaves, the rest of the chunk is not heard', async () => {
    const client = await bench.client(await bench.listen());
    bench.core.onPacket = (_tag, socket, offset, length, source) => {
      bench.io.send(socket, offset, length, source);
      bench.io.close(socket);
    };
    client.socket.write(mixedStream);
    await client.closed();
    expect(bench.core.packets).toHaveLength(1);
    expect(bench.core.closed).toEqual([]);
    expect(client.received.equals(stun())).toBe(true);
  });
});

describe('a stream listener', () => {
  it('says which address and port are taken', async () => {
    const { port } = await bench.listen();
    await expect(bench.listen(undefined, '127.0.0.1', port)).rejects.toMatchObject({
      code: 'STREAM_LISTEN_FAILED',
      message: `cannot listen on tcp 127.0.0.1:${port}: the port is in use (EADDRINUSE)`,
    });
  });

  it('says when the address is not this host’s', async () => {
    await expect(bench.listen(undefined, '192.0.2.1', 3478)).rejects.toThrow(
      'cannot listen on tcp 192.0.2.1:3478: the address is not one of this host (EADDRNOTAVAIL)',
    );
  });

  it('closes its own connections and its port, and leaves others alone', async () => {
    const listeners = [await bench.listen(), await bench.listen()] as const;
    const clients = [await bench.client(listeners[0]), await bench.client(listeners[1])] as const;
    for (const client of clients) client.socket.write(stun());
    await until('both are heard', () => bench.core.packets.length === 2);
    await listeners[0].close();
    await clients[0].closed();
    expect(bench.core.closed).toHaveLength(1);
    expect(clients[1].isClosed).toBe(false);
    await bench.listen(undefined, '127.0.0.1', listeners[0].port);
  });

  it('has no certificate to reload where there is no TLS', async () => {
    const listener = await bench.listen();
    expect(() => listener.reload({ certificate: '', key: '' })).toThrow('tcp listeners have no certificate');
  });

  it('is gone with all its connections when streams are stopped', async () => {
    const acquired = bench.engine.endpoints.acquired;
    const listener = await bench.listen();
    const clients = [await bench.client(listener), await bench.client(listener)];
    for (const client of clients) client.socket.write(stun());
    await until('both are heard', () => bench.core.packets.length === 2);
    await bench.io.stop();
    for (const client of clients) await client.closed();
    expect(bench.core.closed).toHaveLength(2);
    expect(bench.engine.endpoints.acquired).toBe(acquired);
    await (await bench.client(listener)).closed();
  });
});
