import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  FRAME_MALFORMED,
  FRAME_READY,
  FRAME_UNFINISHED,
  STREAM_MESSAGE_BYTES_MAX,
  StreamFramer,
} from '../../../src/wire/stream-framing.ts';

/** A STUN message (RFC 8489 §5) with `bodyBytes` of made-up attributes. */
function stun(bodyBytes: number, fill = 0xa5): Buffer {
  const message = Buffer.alloc(20 + bodyBytes, fill);
  message.writeUInt16BE(0x0001, 0);
  message.writeUInt16BE(bodyBytes, 2);
  message.writeUInt32BE(0x2112a442, 4);
  return message;
}

/** A ChannelData message (RFC 8656 §12.4) without padding. */
function channelData(dataBytes: number, fill = 0x5a): Buffer {
  const message = Buffer.alloc(4 + dataBytes, fill);
  message.writeUInt16BE(0x4001, 0);
  message.writeUInt16BE(dataBytes, 2);
  return message;
}

/** As it is on a stream: padded to a multiple of 4 with bytes that are not part of it. */
function onStream(message: Buffer): Buffer {
  return Buffer.concat([message, Buffer.alloc(-message.length & 3, 0xff)]);
}

/** Everything the framer finds in the chunks, and the last outcome. */
function cut(framer: StreamFramer, chunks: readonly Uint8Array[]): { messages: Buffer[]; outcome: number } {
  const messages: Buffer[] = [];
  let outcome = FRAME_UNFINISHED;
  for (const chunk of chunks) {
    framer.feed(chunk);
    for (outcome = framer.next(); outcome === FRAME_READY; outcome = framer.next()) {
      messages.push(Buffer.from(framer.bytes.slice(framer.offset, framer.offset + framer.length)));
    }
  }
  return { messages, outcome };
}

const mixed = [stun(0), channelData(1), channelData(0), stun(8), channelData(7), channelData(160), stun(300)];
const mixedStream = Buffer.concat(mixed.map(onStream));

describe('messages of a stream', () => {
  it('are found in one chunk, without their padding', () => {
    const { messages, outcome } = cut(new StreamFramer(), [mixedStream]);
    expect(messages).toEqual(mixed);
    expect(outcome).toBe(FRAME_UNFINISHED);
  });

  it('are found wherever the stream is split in two', () => {
    for (let at = 0; at <= mixedStream.length; at++) {
      const framer = new StreamFramer();
      const { messages } = cut(framer, [mixedStream.subarray(0, at), mixedStream.subarray(at)]);
      expect(messages, `split at ${at}`).toEqual(mixed);
      expect(framer.unfinishedBytes).toBe(0);
    }
  });

  it('are found when every byte comes alone', () => {
    const bytes = [...mixedStream].map((byte) => Uint8Array.of(byte));
    expect(cut(new StreamFramer(), bytes).messages).toEqual(mixed);
  });

  it('are found in any chunks of any messages', () => {
    const message = fc.oneof(
      fc.nat(600).map((words) => stun(words * 4)),
      fc.nat(3000).map((bytes) => channelData(bytes)),
    );
    fc.assert(
      fc.property(fc.array(message, { maxLength: 12 }), fc.array(fc.nat(5000)), (sent, sizes) => {
        const stream = Buffer.concat(sent.map(onStream));
        const chunks: Buffer[] = [];
        let from = 0;
        for (const size of sizes) {
          chunks.push(stream.subarray(from, from + size));
          from += size;
        }
        chunks.push(stream.subarray(from));
        expect(cut(new StreamFramer(), chunks).messages).toEqual(sent);
      }),
    );
  });

  it('are not copied when they lie within a chunk', () => {
    const framer = new StreamFramer();
    framer.feed(mixedStream);
    expect(framer.next()).toBe(FRAME_READY);
    expect(framer.bytes).toBe(mixedStream);
    expect([framer.offset, framer.length]).toEqual([0, 20]);
  });

  it('may be as long as their length field can say', () => {
    const longest = [stun(65_532), channelData(65_535)];
    expect(longest[0]).toHaveLength(STREAM_MESSAGE_BYTES_MAX);
    const stream = Buffer.concat(longest.map(onStream));
    const { messages } = cut(new StreamFramer(), [stream.subarray(0, 40_000), stream.subarray(40_000)]);
    expect(messages.map((message, i) => message.equals(longest[i] as Buffer))).toEqual([true, true]);
  });

  it('leave the chunk to its owner once it is used up', () => {
    const framer = new StreamFramer();
    const chunk = Buffer.from(mixedStream.subarray(0, mixedStream.length - 100));
    cut(framer, [chunk]);
    chunk.fill(0); // as a read buffer that is used again
    expect(cut(framer, [mixedStream.subarray(mixedStream.length - 100)]).messages).toEqual([stun(300)]);
    expect(framer.bytes).toHaveLength(0);
  });
});

describe('unfinished messages', () => {
  it('are counted until their last byte of padding has come', () => {
    const framer = new StreamFramer();
    const stream = onStream(channelData(5));
    for (let bytes = 1; bytes < stream.length; bytes++) {
      expect(cut(framer, [stream.subarray(bytes - 1, bytes)]).messages).toEqual([]);
      expect(framer.unfinishedBytes).toBe(bytes);
    }
    expect(cut(framer, [stream.subarray(-1)]).messages).toEqual([channelData(5)]);
    expect(framer.unfinishedBytes).toBe(0);
  });

  it('survive an empty chunk', () => {
    const framer = new StreamFramer();
    cut(framer, [stun(4).subarray(0, 3), Buffer.alloc(0)]);
    expect(cut(framer, [Buffer.alloc(0), stun(4).subarray(3)]).messages).toEqual([stun(4)]);
  });
});

describe('a malformed stream', () => {
  it('is told by any first byte that starts neither STUN nor ChannelData', () => {
    for (let first = 0; first < 256; first++) {
      const { outcome } = cut(new StreamFramer(), [Uint8Array.of(first)]);
      expect(outcome, `first byte ${first}`).toBe(first < 0x80 ? FRAME_UNFINISHED : FRAME_MALFORMED);
    }
  });

  it.each([
    ['a STUN length that is no multiple of 4', Buffer.from('00010002 2112a442'.replace(' ', ''), 'hex')],
    ['a wrong magic cookie', Buffer.from('000100082112a443', 'hex')],
    ['a TLS ClientHello', Buffer.from('16030100c8010000c40303', 'hex')],
  ])('is told by %s, before the rest has come', (_what, bytes) => {
    expect(cut(new StreamFramer(), [bytes]).outcome).toBe(FRAME_MALFORMED);
    const single = [...bytes].map((byte) => Uint8Array.of(byte));
    expect(cut(new StreamFramer(), single).outcome).toBe(FRAME_MALFORMED);
  });

  it('is told by a message that is larger than allowed, as soon as its header is there', () => {
    const framer = new StreamFramer(1024);
    expect(cut(framer, [onStream(channelData(1020)), stun(1004)]).messages).toHaveLength(2);
    expect(cut(new StreamFramer(1024), [channelData(1021).subarray(0, 4)]).outcome).toBe(FRAME_MALFORMED);
    expect(cut(new StreamFramer(1024), [stun(1008).subarray(0, 8)]).outcome).toBe(FRAME_MALFORMED);
  });

  it('yields what came before, and nothing after', () => {
    const framer = new StreamFramer();
    const { messages, outcome } = cut(framer, [Buffer.concat([stun(4), Buffer.from([0xff]), stun(8)])]);
    expect(messages).toEqual([stun(4)]);
    expect(outcome).toBe(FRAME_MALFORMED);
    expect(cut(framer, [stun(0)])).toEqual({ messages: [], outcome: FRAME_MALFORMED });
    expect(framer.unfinishedBytes).toBe(0);
  });

  it('never makes the framer throw, nor hold more than one message', () => {
    const bytesMax = 4096;
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 60 }), (chunks) => {
        const framer = new StreamFramer(bytesMax);
        cut(framer, [mixedStream.subarray(0, 30)]);
        const { messages } = cut(framer, chunks);
        expect(framer.unfinishedBytes).toBeLessThan(bytesMax);
        for (const message of messages) expect(message.length).toBeLessThanOrEqual(bytesMax);
      }),
    );
  });
});
