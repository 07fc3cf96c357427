/**
 * What every engine of `net` must do, whatever it is made of. Each engine's own test file runs this
 * suite on its factory and adds what only that engine can.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ENGINE, ENGINE_COUNTER_NAMES, type Engine, type EngineOptions } from '../../src/net/engine.ts';
import {
  HEADROOM_BYTES,
  OPEN_ADDRESS_UNAVAILABLE,
  OPEN_PORT_IN_USE,
  RESERVED_SLOT_BYTES,
  TAILROOM_BYTES,
} from '../../src/wire/datagram-io.ts';
import { hasIPv6, Peer, portOf, RecordingCore, reserved, rowFor, until } from './engine-probe.ts';

const ipv6 = await hasIPv6();

/** Options that any machine grants without privileges. */
export function engineOptions(): EngineOptions {
  return {
    endpoints: 4096,
    counters: new Float64Array(ENGINE_COUNTER_NAMES.length),
    listenerBufferBytes: 1 << 20,
    relayBufferBytes: 200 << 10,
    pauseMicrosecondsMax: 200,
  };
}

/** What each test of the suite starts with: an engine at work in cooperative mode, and a peer. */
class Bench {
  readonly options: EngineOptions = engineOptions();
  readonly engine: Engine;
  readonly core: RecordingCore;
  readonly peers: Peer[] = [];

  constructor(create: (options: EngineOptions) => Engine) {
    this.engine = create(this.options);
    this.core = new RecordingCore(this.engine);
    this.engine.run('cooperative', [this.core], () => {});
  }

  async peer(address?: string): Promise<Peer> {
    const peer = await Peer.open(address);
    this.peers.push(peer);
    return peer;
  }

  open(tag = 0, address = '127.0.0.1', port = 0): number {
    const local = rowFor(this.engine, address, port);
    const socket = this.engine.open(local, this.core, tag);
    this.engine.endpoints.release(local);
    return socket;
  }

  counted(name: keyof typeof ENGINE): number {
    return this.options.counters[ENGINE[name]] as number;
  }

  end(): void {
    this.engine.stop();
    for (const peer of this.peers) peer.close();
  }
}

/** Registers the suite for one engine. Call at the top level of a test file. */
export function describeEngine(name: string, create: (options: EngineOptions) => Engine): void {
  describe(`${name} engine`, () => {
    let bench: Bench;
    beforeEach(() => {
      bench = new Bench(create);
    });
    afterEach(() => {
      bench.end();
    });
    describeSockets(() => bench);
    describeReceiving(() => bench);
    describeSending(() => bench);
    describeHandover(() => bench);
    describeClock(() => bench);
  });
}

function describeSockets(bench: () => Bench): void {
  it('opens a socket on a port of the kernel’s choice and tells which', () => {
    const { engine } = bench();
    const socket = bench().open();
    expect(socket).toBeGreaterThanOrEqual(0);
    const row = engine.endpoints.acquire();
    engine.localEndpoint(socket, row);
    expect(engine.endpoints.text(row)).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(engine.endpoints.port(row)).toBeGreaterThan(0);
    expect(engine.isStream(socket)).toBe(false);
  });

  it('refuses a port in use, and takes it again once it is closed', () => {
    const first = bench().open();
    const port = portOf(bench().engine, first);
    expect(bench().open(0, '127.0.0.1', port)).toBe(OPEN_PORT_IN_USE);
    bench().engine.close(first);
    expect(bench().open(0, '127.0.0.1', port)).toBeGreaterThanOrEqual(0);
  });

  it('refuses an address that is not this host’s', () => {
    expect(bench().open(0, '192.0.2.1')).toBe(OPEN_ADDRESS_UNAVAILABLE); // RFC 5737: nobody's
  });

  it('opens a listener and reports the buffers the kernel gave', () => {
    const { engine, core } = bench();
    const socket = engine.openListener(rowFor(engine, '127.0.0.1', 0), core, 0);
    expect(socket).toBeGreaterThanOrEqual(0);
    const buffers = engine.socketBuffers(socket);
    expect(buffers.receiveBytes).toBeGreaterThan(0);
    expect(buffers.sendBytes).toBeGreaterThan(0);
  });

  it('gives up its ports when stopped', () => {
    const port = portOf(bench().engine, bench().open());
    const listener = bench().engine.openListener(rowFor(bench().engine, '127.0.0.1', 0), bench().core, 0);
    const listenerPort = portOf(bench().engine, listener);
    bench().engine.stop();
    return Promise.all(
      [port, listenerPort].map(async (wanted) => (await Peer.open('127.0.0.1', wanted)).close()),
    );
  });
}

function describeReceiving(bench: () => Bench): void {
  it('hands a datagram to the core with tag, socket and source', async () => {
    const peer = await bench().peer();
    const sockets = [bench().open(7), bench().open(8)];
    for (const socket of sockets) peer.send(`to ${socket % 10}`, portOf(bench().engine, socket));
    await until('both arrive', () => bench().core.packets.length === 2);
    const packets = [...bench().core.packets].sort((a, b) => a.tag - b.tag);
    expect(packets).toEqual(
      sockets.map((socket, i) => ({
        tag: 7 + i,
        socket,
        payload: Buffer.from(`to ${socket % 10}`),
        source: peer.text,
      })),
    );
    expect(bench().core.batchTimesMs.length).toBeGreaterThan(0);
    expect(bench().counted('packetsReceived')).toBe(2);
    expect(bench().counted('bytesReceived')).toBe('to 0'.length * 2);
  });

  it('receives and answers a datagram without payload', async () => {
    const peer = await bench().peer();
    const socket = bench().open();
    bench().core.onPacket = (_tag, from, offset, length, source) =>
      bench().engine.send(from, offset, length, source);
    peer.send('', portOf(bench().engine, socket));
    await until('the answer arrives', () => peer.messages.length === 1);
    expect(bench().core.packets[0]?.payload).toHaveLength(0);
    expect(peer.messages[0]).toHaveLength(0);
  });

  it('relays the largest IPv4 datagram whole', async () => {
    const peer = await bench().peer();
    const socket = bench().open();
    const largest = Buffer.alloc(65_507, 'abcdefghijk');
    bench().core.onPacket = (_tag, from, offset, length, source) =>
      bench().engine.send(from, offset, length, source);
    peer.send(largest, portOf(bench().engine, socket));
    await until('the answer arrives', () => peer.messages.length === 1);
    expect(peer.messages[0]?.equals(largest)).toBe(true);
  });

  it('lends head and tail room to every packet of a burst, whoever sent it', async () => {
    const peers = [await bench().peer(), await bench().peer()];
    const socket = bench().open();
    const head = Buffer.alloc(HEADROOM_BYTES, 'H');
    const tail = Buffer.alloc(TAILROOM_BYTES, 'T');
    bench().core.onPacket = (_tag, from, offset, length, source) => {
      bench().engine.bytes.set(head, offset - HEADROOM_BYTES);
      bench().engine.bytes.set(tail, offset + length);
      const whole = HEADROOM_BYTES + length + TAILROOM_BYTES;
      bench().engine.send(from, offset - HEADROOM_BYTES, whole, source);
    };
    const port = portOf(bench().engine, socket);
    const payloads = Array.from({ length: 40 }, (_, i) => Buffer.alloc(100, String.fromCharCode(65 + i)));
    for (const payload of payloads) for (const peer of peers) peer.send(payload, port);
    await until('all are answered', () => peers.every((peer) => peer.messages.length === payloads.length));
    for (const peer of peers) {
      expect(peer.messages).toEqual(payloads.map((payload) => Buffer.concat([head, payload, tail])));
    }
  });

  it('keeps packets from a socket that was closed earlier in the same batch', async () => {
    const peer = await bench().peer();
    const sockets = [bench().open(0), bench().open(1)];
    const ports = sockets.map((socket) => portOf(bench().engine, socket));
    const heard = new Set<number>();
    const successors: number[] = [];
    // Whoever hears first closes the other and opens a socket that may get its number.
    bench().core.onPacket = (tag) => {
      heard.add(tag);
      if (tag > 1 || successors.length > 0) return;
      bench().engine.close(sockets[1 - tag] as number);
      successors.push(bench().open(2));
    };
    for (const port of ports) peer.send('x', port);
    await until('one is heard', () => heard.size > 0);
    await peer.sent('last', portOf(bench().engine, successors[0] as number));
    await until('the successor is heard', () => heard.has(2));
    expect(heard.size).toBe(2);
    expect(bench().core.packets.filter((packet) => packet.tag === 2)).toMatchObject([
      { payload: Buffer.from('last') },
    ]);
  });

  it('survives a core that closes the socket it is just hearing', async () => {
    const peer = await bench().peer();
    const socket = bench().open();
    bench().core.onPacket = (_tag, from, offset, length, source) => {
      bench().engine.send(from, offset, length, source);
      bench().engine.close(from);
    };
    const port = portOf(bench().engine, socket);
    for (let i = 0; i < 5; i++) peer.send('only one', port);
    await until('the answer arrives', () => peer.messages.length === 1);
    expect(bench().core.packets).toHaveLength(1);
  });
}

function describeSending(bench: () => Bench): void {
  it('sends from a reserved slot to an IPv4 address', async () => {
    const peer = await bench().peer();
    const { engine } = bench();
    const socket = bench().open();
    engine.send(socket, reserved(engine, 'hello'), 5, rowFor(engine, '127.0.0.1', peer.port));
    engine.flush();
    await until('it arrives', () => peer.messages.length === 1);
    expect(peer.messages[0]?.toString()).toBe('hello');
    expect(peer.senders[0]).toBe(`127.0.0.1:${portOf(engine, socket)}`);
    await until('it is counted', () => bench().counted('packetsSent') === 1);
    expect(bench().counted('bytesSent')).toBe(5);
  });

  it.skipIf(!ipv6)('receives from and answers an IPv6 address', async () => {
    const peer = await bench().peer('::1');
    const socket = bench().open(3, '::1');
    bench().core.onPacket = (_tag, from, offset, length, source) =>
      bench().engine.send(from, offset, length, source);
    peer.send('over six', portOf(bench().engine, socket));
    await until('the answer arrives', () => peer.messages.length === 1);
    expect(peer.messages[0]?.toString()).toBe('over six');
    expect(bench().core.packets[0]).toMatchObject({ tag: 3, source: peer.text });
    expect(peer.senders[0]).toBe(`[::1]:${portOf(bench().engine, socket)}`);
  });

  it.skipIf(!ipv6)('has the IPv4 and the IPv6 wildcard of one port side by side', () => {
    const { engine, core } = bench();
    const first = engine.openListener(rowFor(engine, '::', 0), core, 0);
    const port = portOf(engine, first);
    expect(engine.openListener(rowFor(engine, '0.0.0.0', port), core, 1)).toBeGreaterThanOrEqual(0);
  });

  it('keeps the order of each flow within a batch, whatever lies between', async () => {
    const peers = [await bench().peer(), await bench().peer(), await bench().peer()];
    const sockets = [bench().open(), bench().open()];
    const { engine } = bench();
    const rows = peers.map((peer) => rowFor(engine, '127.0.0.1', peer.port));
    const sizes = [10, 10, 30, 10, 200, 200, 200, 7, 7, 0, 1, 10];
    for (const [i, size] of sizes.entries()) {
      for (const row of rows) {
        for (const socket of sockets) {
          const payload = Buffer.alloc(size, i);
          engine.send(socket, reserved(engine, payload), size, row);
        }
      }
    }
    engine.flush();
    const expected = sizes.map((size, i) => Buffer.alloc(size, i));
    await until('all arrive', () => peers.every((peer) => peer.messages.length === sizes.length * 2));
    for (const peer of peers) {
      for (const socket of sockets) {
        const sender = `127.0.0.1:${portOf(engine, socket)}`;
        expect(peer.messages.filter((_, i) => peer.senders[i] === sender)).toEqual(expected);
      }
    }
  });

  it('hands out as many reserved slots in one batch as a core asks for', async () => {
    const peer = await bench().peer();
    const { engine } = bench();
    const destination = rowFor(engine, '127.0.0.1', peer.port);
    const count = 600;
    const socket = bench().open();
    const asker = await bench().peer();
    bench().core.onPacket = () => {
      for (let i = 0; i < count; i++) {
        const offset = engine.reserve();
        engine.bytes.fill(i & 0xff, offset, offset + RESERVED_SLOT_BYTES);
        engine.send(socket, offset, 4 + (i % 100), destination);
      }
    };
    asker.send('go', portOf(engine, socket));
    await until('all arrive', () => peer.messages.length === count);
    expect(peer.messages).toEqual(Array.from({ length: count }, (_, i) => Buffer.alloc(4 + (i % 100), i)));
  });

  it('sends what was queued before a socket is closed', async () => {
    const peer = await bench().peer();
    const { engine } = bench();
    const socket = bench().open();
    engine.send(socket, reserved(engine, 'goodbye'), 7, rowFor(engine, '127.0.0.1', peer.port));
    engine.close(socket);
    await until('it arrives', () => peer.messages.length === 1);
    expect(peer.messages[0]?.toString()).toBe('goodbye');
  });

  it('hands out a released row again only once what was queued to it has been sent', async () => {
    const [peer, stranger] = [await bench().peer(), await bench().peer()];
    const { engine } = bench();
    const socket = bench().open();
    const row = rowFor(engine, '127.0.0.1', peer.port);
    engine.send(socket, reserved(engine, 'for the peer'), 12, row);
    engine.endpoints.release(row);
    expect(rowFor(engine, '127.0.0.1', stranger.port)).not.toBe(row);
    engine.flush();
    expect(engine.endpoints.acquire()).toBe(row);
    await until('it arrives', () => peer.messages.length + stranger.messages.length === 1);
    expect(peer.messages.map(String)).toEqual(['for the peer']);
  });

  it('counts what is too big to send, and sends the rest', async () => {
    const peer = await bench().peer();
    const { engine } = bench();
    const socket = bench().open();
    const destination = rowFor(engine, '127.0.0.1', peer.port);
    engine.send(socket, reserved(engine, 'before'), 6, destination);
    engine.send(socket, HEADROOM_BYTES, 65_520, destination); // 65,507 is the most IPv4 can carry
    engine.send(socket, reserved(engine, 'after'), 5, destination);
    engine.flush();
    await until('the others arrive', () => peer.messages.length === 2);
    expect(peer.messages.map(String)).toEqual(['before', 'after']);
    await until('it is counted', () => bench().counted('dropTooBig') === 1);
  });

  it('sends a single packet with DF where it claims to, and goes on as before', async () => {
    const peer = await bench().peer();
    const { engine } = bench();
    if (!engine.canSetDontFragment) return;
    const socket = bench().open();
    const destination = rowFor(engine, '127.0.0.1', peer.port);
    engine.send(socket, reserved(engine, 'first'), 5, destination);
    engine.sendDontFragment(socket, reserved(engine, 'second'), 6, destination);
    engine.send(socket, reserved(engine, 'third'), 5, destination);
    engine.flush();
    await until('all arrive', () => peer.messages.length === 3);
    expect(peer.messages.map(String)).toEqual(['first', 'second', 'third']);
  });
}

function describeHandover(bench: () => Bench): void {
  it('takes over a detached socket under another tag, packets that waited included', async () => {
    const peer = await bench().peer();
    const { engine, core } = bench();
    const before = bench().open(1);
    const port = portOf(engine, before);
    const token = engine.detach(before);
    await peer.sent('waiting', port);
    const other = new RecordingCore(engine);
    const after = engine.attach(token, other, 2);
    expect(after).toBeGreaterThanOrEqual(0);
    expect(portOf(engine, after)).toBe(port);
    await until('it is delivered', () => other.packets.length === 1);
    expect(other.packets[0]).toMatchObject({ tag: 2, socket: after, payload: Buffer.from('waiting') });
    expect(core.packets).toEqual([]);
  });

  it('frees the port of a detached socket that is discarded', () => {
    const { engine } = bench();
    const socket = bench().open();
    const port = portOf(engine, socket);
    const token = engine.detach(socket);
    expect(bench().open(0, '127.0.0.1', port)).toBe(OPEN_PORT_IN_USE);
    engine.discard(token);
    expect(bench().open(0, '127.0.0.1', port)).toBeGreaterThanOrEqual(0);
  });
}

function describeClock(bench: () => Bench): void {
  it('sweeps and tells a time that is whole and never goes back', async () => {
    const { engine, core } = bench();
    const startMs = engine.now();
    await until('it has swept twice', () => core.sweepTimesMs.length >= 2);
    const timesMs = [startMs, ...core.sweepTimesMs, engine.now()];
    expect(timesMs.every(Number.isInteger)).toBe(true);
    expect(timesMs).toEqual([...timesMs].sort((a, b) => a - b));
  });
}
