import { writeSync } from 'node:fs';
import process from 'node:process';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type BatchEngine, createBatchEngine } from '../../../src/net/batch-engine.ts';
import { ENGINE, EngineUnavailableError } from '../../../src/net/engine.ts';
import { OPEN_ADDRESS_UNAVAILABLE, RESERVED_SLOT_BYTES } from '../../../src/wire/datagram-io.ts';
import { hasIPv6, Peer, portOf, RecordingCore, reserved, rowFor, until } from '../../kit/engine-probe.ts';
import { describeEngine, engineOptions } from '../../kit/engine-suite.ts';

const isLinux = process.platform === 'linux';
const ipv6 = await hasIPv6();

if (isLinux) describeEngine('batch', createBatchEngine);

describe('the batch engine elsewhere', () => {
  const platform = Object.getOwnPropertyDescriptor(process, 'platform') as PropertyDescriptor;
  afterEach(() => Object.defineProperty(process, 'platform', platform));

  it('says in one line that it needs Linux', () => {
    Object.defineProperty(process, 'platform', { ...platform, value: 'sunos' });
    expect(() => createBatchEngine(engineOptions())).toThrow(EngineUnavailableError);
    expect(() => createBatchEngine(engineOptions())).toThrow(/^needs Linux: this is sunos$/);
  });
});

describe.skipIf(!isLinux)('the batch engine', () => {
  const engines: BatchEngine[] = [];
  const peers: Peer[] = [];
  afterEach(() => {
    for (const engine of engines.splice(0)) engine.stop();
    for (const peer of peers.splice(0)) peer.close();
  });

  function make(options = engineOptions()): { engine: BatchEngine; core: RecordingCore } {
    const engine = createBatchEngine(options);
    engines.push(engine);
    return { engine, core: new RecordingCore(engine) };
  }

  async function peer(address?: string): Promise<Peer> {
    const opened = await Peer.open(address);
    peers.push(opened);
    return opened;
  }

  it('blocks until a core stops it, and has delivered and sent everything by then', async () => {
    const { engine, core } = make();
    const other = await peer();
    const socket = engine.open(rowFor(engine, '127.0.0.1', 0), core, 1);
    await other.sent('stop', portOf(engine, socket));
    core.onPacket = (_tag, from, offset, length, source) => {
      engine.send(from, offset, length, source);
      engine.stop();
    };
    engine.run('blocking', [core], () => {});
    expect(core.packets.map(({ payload }) => payload.toString())).toEqual(['stop']);
    await until('the answer arrives', () => other.messages.length === 1);
    expect(engine.open(rowFor(engine, '127.0.0.1', 0), core, 1)).toBeLessThan(0);
  });

  it('sweeps while it blocks', () => {
    const { engine, core } = make();
    core.sweep = () => engine.stop();
    const sweep = vi.spyOn(core, 'sweep');
    engine.run('blocking', [core], () => {});
    expect(sweep).toHaveBeenCalledOnce();
  });

  it.each(['blocking', 'cooperative'] as const)(
    'is woken by eight bytes to its descriptor (%s)',
    async (mode) => {
      const { engine, core } = make();
      let wakes = 0;
      writeSync(engine.wakeDescriptor, new Uint8Array(new BigUint64Array([1n]).buffer));
      engine.run(mode, [core], () => {
        wakes++;
        engine.stop();
      });
      await until('it is woken', () => wakes > 0);
      expect(wakes).toBe(1);
    },
  );

  it('shares a listener’s port between engines', () => {
    const { engine, core } = make();
    const port = portOf(engine, engine.openListener(rowFor(engine, '127.0.0.1', 0), core, 0));
    const second = make();
    const row = rowFor(second.engine, '127.0.0.1', port);
    expect(second.engine.openListener(row, second.core, 0)).toBeGreaterThanOrEqual(0);
  });

  it('hands a socket over to another engine', async () => {
    const first = make();
    const second = make();
    const other = await peer();
    const socket = first.engine.open(rowFor(first.engine, '127.0.0.1', 0), first.core, 1);
    const port = portOf(first.engine, socket);
    second.engine.run('cooperative', [second.core], () => {});
    expect(second.engine.attach(first.engine.detach(socket), second.core, 2)).toBeGreaterThanOrEqual(0);
    other.send('over', port);
    await until('it arrives', () => second.core.packets.length === 1);
    expect(second.core.packets[0]).toMatchObject({ tag: 2, source: other.text });
  });

  it('refuses to attach what is no socket', () => {
    const { engine, core } = make();
    expect(engine.attach(-1, core, 0)).toBe(OPEN_ADDRESS_UNAVAILABLE);
    expect(engine.attach(1_000_000, core, 0)).toBe(OPEN_ADDRESS_UNAVAILABLE);
  });

  it.each([
    ['127.0.0.1', 3, 3],
    ['::1', 1, 4],
  ] as const)('reports ICMP errors about packets to %s, and loses no others', async (address, type, code) => {
    if (address === '::1' && !ipv6) return;
    const options = engineOptions();
    const { engine, core } = make(options);
    const open = await peer(address);
    const gone = await Peer.open(address);
    const gonePort = gone.port;
    gone.close();
    const socket = engine.open(rowFor(engine, address, 0), core, 9);
    engine.run('cooperative', [core], () => {});
    const rows = [rowFor(engine, address, gonePort), rowFor(engine, address, open.port)];
    for (let i = 0; i < 20; i++) {
      // Each flush by itself, so that the error of one packet is pending when the next is sent.
      for (const row of rows) {
        engine.send(socket, reserved(engine, `packet ${i}`), 8, row);
        engine.flush();
      }
    }
    await until('errors come', () => core.icmpErrors.length > 0);
    await until('the others arrive', () => open.messages.length === 20);
    const destination = open.text.replace(/\d+$/, String(gonePort));
    expect(core.icmpErrors[0]).toEqual({ tag: 9, type, code, info: 0, destination });
    expect(options.counters[ENGINE.icmpErrors]).toBeGreaterThan(0);
    expect(options.counters[ENGINE.dropSendFailed]).toBe(0);
  });

  it('receives what another engine merged, packet by packet', async () => {
    const sender = make();
    const receiver = make();
    const socket = sender.engine.open(rowFor(sender.engine, '127.0.0.1', 0), sender.core, 0);
    const listener = receiver.engine.openListener(rowFor(receiver.engine, '127.0.0.1', 0), receiver.core, 0);
    receiver.engine.run('cooperative', [receiver.core], () => {});
    const destination = rowFor(sender.engine, '127.0.0.1', portOf(receiver.engine, listener));
    const payloads = Array.from({ length: 50 }, (_, i) => Buffer.alloc(i === 49 ? 20 : 200, i));
    for (const payload of payloads) {
      sender.engine.send(socket, reserved(sender.engine, payload), payload.length, destination);
    }
    sender.engine.flush();
    await until('all arrive', () => receiver.core.packets.length === payloads.length);
    expect(receiver.core.packets.map(({ payload }) => payload)).toEqual(payloads);
    expect(sender.engine.segmentationRefusal).toBe(0);
  });

  it('drops and counts what a core sends with numbers that mean nothing', () => {
    const options = engineOptions();
    const { engine, core } = make(options);
    const socket = engine.open(rowFor(engine, '127.0.0.1', 0), core, 0);
    const row = rowFor(engine, '127.0.0.1', 9);
    const slot = engine.reserve();
    const end = engine.bytes.length;
    const senseless: [number, number, number, number][] = [
      [-1, slot, 10, row],
      [socket + 1, slot, 10, row],
      [socket, -1, 10, row],
      [socket, slot, -1, row],
      [socket, end - 9, 10, row],
      [socket, slot, Number.NaN, row],
      [socket, slot, 10, -1],
      [socket, slot, 10, engine.endpoints.capacity],
    ];
    for (const [s, offset, length, destination] of senseless) {
      engine.send(s, offset, length, destination);
      engine.sendDontFragment(s, offset, length, destination);
    }
    engine.flush();
    expect(options.counters[ENGINE.dropSendFailed]).toBe(senseless.length * 2);
    expect(options.counters[ENGINE.packetsSent]).toBe(0);
  });

  it('has descriptors for as many relays as the machine allows', () => {
    expect(make().engine.descriptorLimit).toBeGreaterThanOrEqual(1024);
  });

  it('does nothing harmful when used after it stopped', () => {
    const { engine, core } = make();
    const socket = engine.open(rowFor(engine, '127.0.0.1', 0), core, 0);
    engine.stop();
    engine.stop();
    engine.send(socket, engine.reserve(), RESERVED_SLOT_BYTES, 0);
    engine.flush();
    engine.close(socket);
    expect(engine.detach(socket)).toBe(-1);
    expect(engine.bytes[0]).toBe(0);
  });
});
