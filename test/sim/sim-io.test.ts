/** The simulation itself: a core that breaks a promise of `wire/datagram-io` must be found out. */
import { beforeEach, describe, expect, it } from 'vitest';
import { setU8 } from '../../src/wire/bytes.ts';
import { HEADROOM_BYTES, RESERVED_SLOT_BYTES, TAILROOM_BYTES } from '../../src/wire/datagram-io.ts';
import { SimDescriptors, SimIo } from '../kit/sim-io.ts';
import { type IcmpError, SimNetwork, type SimSocket } from '../kit/sim-network.ts';

const HERE = { address: '198.51.100.1', port: 3478 };
const THERE = { address: '192.0.2.1', port: 5000 };

let network: SimNetwork;
let io: SimIo;
let socket: number;
let peer: SimSocket;
let heard: string[];
let onPacket: (offset: number, length: number, source: number) => void;

beforeEach(() => {
  network = new SimNetwork(1);
  io = new SimIo(network, new SimDescriptors(), 100);
  onPacket = () => {};
  heard = [];
  const core = {
    batchBegins: () => {},
    receive: (_tag: number, _socket: number, offset: number, length: number, source: number) =>
      onPacket(offset, length, source),
    receiveIcmpError: () => {},
    streamClosed: () => {},
    sweep: () => {},
  };
  const row = io.endpoints.acquire();
  io.endpoints.setText(row, HERE.address, HERE.port);
  socket = io.open(row, core, 0);
  peer = network.bind(THERE, { receive: (bytes) => heard.push(Buffer.from(bytes).toString()) }) as SimSocket;
});

/** Has the core do something with a packet of four bytes, and lets it come to light. */
function deliver(...deeds: (typeof onPacket)[]): void {
  for (const deed of deeds) {
    onPacket = deed;
    network.send(peer, Buffer.from('ping'), HERE);
    network.run(100);
  }
}

describe('the simulated engine', () => {
  it('lends head and tail room, and sends from there', () => {
    deliver((offset, length, source) => {
      io.bytes.fill(0x61, offset - HEADROOM_BYTES, offset);
      io.bytes.fill(0x62, offset + length, offset + length + TAILROOM_BYTES);
      io.send(socket, offset - HEADROOM_BYTES, HEADROOM_BYTES + length + TAILROOM_BYTES, source);
    });
    expect(heard).toEqual([`${'a'.repeat(HEADROOM_BYTES)}ping${'b'.repeat(TAILROOM_BYTES)}`]);
  });

  it('finds out a core that writes in front of the head room or behind the tail room', () => {
    const before = (offset: number): void => setU8(io.bytes, offset - HEADROOM_BYTES - 1, 0);
    const behind = (offset: number): void => setU8(io.bytes, offset + 4 + TAILROOM_BYTES, 0);
    expect(() => deliver(before)).toThrow('outside every slot');
    expect(() => deliver(behind)).toThrow('outside every slot');
  });

  it('finds out a core that writes beyond a reserved slot', () => {
    expect(() => deliver(() => setU8(io.bytes, io.reserve() + RESERVED_SLOT_BYTES, 0))).toThrow(
      'outside every slot',
    );
  });

  it('finds out a core that changes what it has queued', () => {
    expect(() =>
      deliver((offset, length, source) => {
        io.send(socket, offset, length, source);
        io.bytes[offset] = 0;
      }),
    ).toThrow('bytes of a queued packet changed');
    expect(() =>
      deliver((offset, length, source) => {
        io.send(socket, offset, length, source);
        io.endpoints.setPort(source, 1);
      }),
    ).toThrow('destination of a queued packet became');
  });

  it('finds out a core that keeps a slot or a row after its batch', () => {
    let keptOffset = 0;
    let keptRow = 0;
    deliver((offset, _, source) => {
      keptOffset = offset;
      keptRow = source;
    });
    expect(Buffer.from(io.bytes.subarray(keptOffset, keptOffset + 4)).toString('latin1')).not.toBe('ping');
    expect(io.endpoints.family(keptRow)).not.toBe(2);
    expect(() => io.send(socket, keptOffset, 4, keptRow)).toThrow('no slot in use');
  });

  it('finds out a core that closes twice or sends on a closed socket', () => {
    io.close(socket);
    expect(() => io.close(socket)).toThrow('not open');
    expect(() => io.send(socket, 0, 0, 0)).toThrow('not open');
  });
});

describe('the simulated network', () => {
  it('answers for a closed port of a host that exists, and not for a host that does not', () => {
    const errors: IcmpError[] = [];
    const prober = network.bind(
      { address: '192.0.2.9', port: 1 },
      { receive: () => {}, icmpError: (error) => errors.push(error) },
    ) as SimSocket;
    const closed = { ...THERE, port: 1 };
    network.send(prober, Buffer.of(1), closed);
    network.send(prober, Buffer.of(1), { address: '192.0.2.200', port: 1 });
    network.run(100);
    expect(errors).toEqual([{ type: 3, code: 3, info: 0, destination: closed }]);
  });

  it('does not hairpin at a static NAT, nor let anybody reach the address behind it', () => {
    network.addStaticNat('10.0.0.5', '198.51.100.9');
    const inside: string[] = [];
    const natted = network.bind(
      { address: '10.0.0.5', port: 7 },
      { receive: (_, from) => inside.push(from.address) },
    ) as SimSocket;
    network.send(natted, Buffer.from('out'), THERE);
    network.send(natted, Buffer.from('hairpin'), { address: '198.51.100.9', port: 7 });
    network.send(peer, Buffer.from('in'), { address: '198.51.100.9', port: 7 });
    network.send(peer, Buffer.from('private'), { address: '10.0.0.5', port: 7 });
    network.run(100);
    expect(heard).toEqual(['out']);
    expect(inside).toEqual([THERE.address]);
    expect(network.hairpinned).toBe(1);
  });

  it('repeats exactly for the same seed, and not for another', () => {
    const arrivals = (seed: number): string => {
      const net = new SimNetwork(seed);
      net.setDefaultLink({ lossRate: 0.3, duplicateRate: 0.3, reorderRate: 0.5 });
      const order: number[] = [];
      net.bind(THERE, { receive: (bytes) => order.push(bytes[0] as number) });
      const from = net.bind(HERE, { receive: () => {} }) as SimSocket;
      for (let i = 0; i < 100; i++) net.send(from, Buffer.of(i), THERE);
      net.run(1000);
      return order.join();
    };
    expect(arrivals(7)).toBe(arrivals(7));
    expect(arrivals(7)).not.toBe(arrivals(8));
  });
});
