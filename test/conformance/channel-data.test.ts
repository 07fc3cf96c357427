/** ChannelData as RFC 8656 §12.4 draws it, on the wire of a server. */
import { describe, expect, it } from 'vitest';
import { FRAME_READY, FRAME_UNFINISHED, StreamFramer } from '../../src/wire/stream-framing.ts';
import { allocate, channelBind } from '../fuzz/client-messages.ts';
import { CoreRig } from '../fuzz/core-rig.ts';
import { source } from '../fuzz/fuzz-io.ts';
import { SEED } from '../fuzz/seeded.ts';

const CLIENT = source('192.0.2.1', 5001);
const PEER = source('203.0.113.7', 7000);

/** A server with an allocation whose channel 0x4001 is bound to {@link PEER}. */
function boundChannel(): { fromClient: (hex: string) => string[]; fromPeer: (hex: string) => string[] } {
  const rig = new CoreRig({ seed: SEED, settings: { authentication: false } });
  rig.batch(() => rig.io.deliver(rig.udp4, allocate(rig.random, undefined), CLIENT));
  rig.batch(() => rig.io.deliver(rig.udp4, channelBind(rig.random, undefined, 0x4001, PEER), CLIENT));
  const [allocation] = [...rig.core.allocations];
  const exchange = (socket: number, hex: string, from: typeof CLIENT): string[] => {
    const sent: string[] = [];
    rig.io.onSent = (_socket, bytes) => sent.push(bytes.toString('hex'));
    rig.batch(() => rig.io.deliver(socket, Buffer.from(hex, 'hex'), from));
    return sent;
  };
  return {
    fromClient: (hex) => exchange(rig.udp4, hex, CLIENT),
    fromPeer: (hex) => exchange(allocation?.socketIPv4 ?? -1, hex, PEER),
  };
}

describe('RFC 8656 §12.4, ChannelData over UDP', () => {
  it('is channel number, length, and the data without padding', () => {
    expect(boundChannel().fromPeer('68656c6c6f')).toEqual(['40010005' + '68656c6c6f']);
    expect(boundChannel().fromPeer('')).toEqual(['40010000']);
  });

  it('carries as many bytes as its length says; what follows is padding', () => {
    expect(boundChannel().fromClient('40010005' + '68656c6c6f')).toEqual(['68656c6c6f']);
    expect(boundChannel().fromClient('40010005' + '68656c6c6f' + '000000')).toEqual(['68656c6c6f']);
    expect(boundChannel().fromClient('40010000')).toEqual(['']);
  });

  it('§12.6: is dropped when it is shorter than it says, or its channel is not bound', () => {
    const { fromClient } = boundChannel();
    for (const hex of ['40', '4001', '400100', '40010001', '40010006' + '68656c6c6f', '4001ffff' + '00']) {
      expect(fromClient(hex)).toEqual([]);
    }
    expect(fromClient('40020001' + '00')).toEqual([]);
    expect(fromClient('4fff0001' + '00')).toEqual([]);
  });
});

describe('RFC 8656 §12.5, ChannelData over a stream', () => {
  it('is padded to a multiple of four bytes, which its length leaves out', () => {
    const framer = new StreamFramer();
    framer.feed(Buffer.from('40010005' + '68656c6c6f' + '000000' + '40010004' + '74657374', 'hex'));
    const message = (): string =>
      Buffer.from(framer.bytes.slice(framer.offset, framer.offset + framer.length)).toString('hex');
    expect(framer.next()).toBe(FRAME_READY);
    expect(message()).toBe('40010005' + '68656c6c6f');
    expect(framer.next()).toBe(FRAME_READY);
    expect(message()).toBe('40010004' + '74657374');
    expect(framer.next()).toBe(FRAME_UNFINISHED);
  });
});
