import { Socket } from 'node:dgram';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createDgramEngine } from '../../../src/net/dgram-engine.ts';
import { ENGINE, type Engine, type EngineOptions, STREAM_AREA_BYTES } from '../../../src/net/engine.ts';
import { Peer, portOf, RecordingCore, reserved, rowFor, until } from '../../kit/engine-probe.ts';
import { describeEngine, engineOptions } from '../../kit/engine-suite.ts';

describeEngine('dgram', createDgramEngine);

describe('the dgram engine', () => {
  let options: EngineOptions;
  let engine: Engine;
  let core: RecordingCore;
  const peers: Peer[] = [];

  beforeEach(() => {
    options = engineOptions();
    engine = createDgramEngine(options);
    core = new RecordingCore(engine);
  });

  afterEach(() => {
    vi.restoreAllMocks();
    engine.stop();
    for (const peer of peers.splice(0)) peer.close();
  });

  const counted = (name: keyof typeof ENGINE): number => options.counters[ENGINE[name]] as number;
  const open = (on: Engine = engine): number => on.open(rowFor(on, '127.0.0.1', 0), core, 0);

  async function openPeer(): Promise<Peer> {
    const peer = await Peer.open();
    peers.push(peer);
    return peer;
  }

  it('notices that a row has been written anew', async () => {
    const [first, second] = [await openPeer(), await openPeer()];
    const socket = open();
    const row = rowFor(engine, '127.0.0.1', first.port);
    const send = (): void => engine.send(socket, reserved(engine, 'x'), 1, row);
    send();
    engine.endpoints.setText(row, '127.0.0.2', second.port); // nobody is there
    send();
    engine.endpoints.setText(row, '127.0.0.1', second.port);
    send();
    await until('the last arrives', () => second.messages.length === 1);
    expect(first.messages).toHaveLength(1);
  });

  it('drops and counts what waits for a full socket', () => {
    const socket = open();
    const row = rowFor(engine, '127.0.0.1', 9);
    vi.spyOn(Socket.prototype, 'getSendQueueSize').mockReturnValue(65_537);
    const send = vi.spyOn(Socket.prototype, 'send');
    engine.send(socket, reserved(engine, 'x'), 1, row);
    expect(send).not.toHaveBeenCalled();
    expect(counted('dropSocketFull')).toBe(1);
  });

  it.each([
    ['port 0', '127.0.0.1', 0],
    ['another address family', '::1', 9],
  ])('drops and counts what goes to %s', async (_what, address, port) => {
    engine.send(open(), reserved(engine, 'x'), 1, rowFor(engine, address, port));
    await until('it is counted', () => counted('dropSendFailed') === 1);
    expect(counted('packetsSent')).toBe(0);
  });

  it('drops and counts what goes through a socket that is closed', () => {
    const socket = open();
    engine.close(socket);
    engine.close(socket); // once more harms nobody
    engine.send(socket, reserved(engine, 'x'), 1, rowFor(engine, '127.0.0.1', 9));
    expect(counted('dropSendFailed')).toBe(1);
    const [next, other] = [open(), open()];
    expect(next).toBe(socket);
    expect(other).not.toBe(socket);
  });

  it('counts a refusal by its kind', async () => {
    const socket = open();
    const codes = ['EMSGSIZE', 'EAGAIN', 'ENOBUFS', 'EPERM'];
    vi.spyOn(Socket.prototype, 'send').mockImplementation((...args: unknown[]) => {
      (args.at(-1) as (error: Error) => void)(Object.assign(new Error('refused'), { code: codes.shift() }));
    });
    for (let i = 0; i < 4; i++) {
      engine.send(socket, reserved(engine, 'x'), 1, rowFor(engine, '127.0.0.1', 9));
    }
    expect(
      (['dropTooBig', 'dropSocketFull', 'dropSendFailed'] as const).map((name) => counted(name)),
    ).toEqual([1, 2, 1]);
  });

  it('runs cooperatively only, and cannot set DF', () => {
    expect(engine.driveModes).toEqual(['cooperative']);
    expect(() => engine.run('blocking', [core], () => {})).toThrow('cannot run in blocking mode');
    expect(engine.canSetDontFragment).toBe(false);
    expect(engine.wakeDescriptor).toBe(-1);
  });

  it('keeps some packets for a detached socket, in order and before later ones', async () => {
    const peer = await openPeer();
    const before = open();
    const port = portOf(engine, before);
    const token = engine.detach(before);
    const message = vi.fn();
    for (let i = 0; i < 20; i++) await peer.sent(String(i), port);
    // Another socket of the engine hears this after the first has been read: both are in one event loop.
    const witness = open();
    core.onPacket = message;
    await peer.sent('witness', portOf(engine, witness));
    await until('all has been read', () => message.mock.calls.length === 1);
    const other = new RecordingCore(engine);
    engine.attach(token, other, 3);
    await until('those that waited are delivered', () => other.packets.length === 16);
    await peer.sent('later', port);
    await until('a later one is delivered', () => other.packets.length === 17);
    const expected = [...Array.from({ length: 16 }, (_, i) => String(i)), 'later'];
    expect(other.packets.map(({ payload }) => payload.toString())).toEqual(expected);
  });

  it('delivers what waited first, even if more comes in the same turn of the event loop', async () => {
    const peer = await openPeer();
    const before = open();
    const port = portOf(engine, before);
    const witness = portOf(engine, open());
    const token = engine.detach(before);
    await peer.sent('early', port);
    await peer.sent('first', witness);
    await until('both have been read', () => core.packets.length === 1);
    const other = new RecordingCore(engine);
    core.onPacket = () => engine.attach(token, other, 0);
    // Both are there before the event loop looks for packets again.
    peer.send('second', witness);
    peer.send('late', port);
    await until('both are delivered', () => other.packets.length === 2);
    expect(other.packets.map(({ payload }) => payload.toString())).toEqual(['early', 'late']);
  });

  it('sends a packet as it was, however long the socket takes', () => {
    const packets: Uint8Array[] = [];
    vi.spyOn(Socket.prototype, 'send').mockImplementation((packet: unknown) => {
      packets.push(packet as Uint8Array);
    });
    const offset = reserved(engine, 'hello');
    engine.send(open(), offset, 5, rowFor(engine, '127.0.0.1', 9));
    engine.bytes.fill(0, offset, offset + 5);
    expect(packets.map(String)).toEqual(['hello']);
  });

  it('hands a socket to another engine of the thread', async () => {
    const other = createDgramEngine(engineOptions());
    const heard = new RecordingCore(other);
    const socket = open();
    const port = portOf(engine, socket);
    const taken = other.attach(engine.detach(socket), heard, 4);
    const peer = await openPeer();
    await peer.sent('hello', port);
    await until('it is heard there', () => heard.packets.length === 1);
    expect(heard.packets[0]).toMatchObject({ tag: 4, socket: taken });
    expect(engine.attach(12_345, core, 0)).toBeLessThan(0);
    other.stop();
  });

  it('leaves the stream area alone', async () => {
    const { bytes, streamAreaOffset } = engine;
    bytes.fill(0x77, streamAreaOffset, streamAreaOffset + STREAM_AREA_BYTES);
    const peer = await openPeer();
    const socket = open();
    core.onPacket = (_tag, from, offset, length, source) => engine.send(from, offset, length, source);
    peer.send(Buffer.alloc(65_507, 1), portOf(engine, socket));
    for (let i = 0; i < 200; i++) bytes.fill(2, engine.reserve(), engine.reserve() + 1024);
    await until('the answer arrives', () => peer.messages.length === 1);
    const area = bytes.subarray(streamAreaOffset, streamAreaOffset + STREAM_AREA_BYTES);
    expect(area.every((byte) => byte === 0x77)).toBe(true);
  });
});
