/**
 * Messages of a byte stream, TCP or TLS (RFC 8656 §12.5, RFC 8489 §6.2.2), sans-IO.
 *
 *      first byte 0x00–0x3F   STUN         | type | length | cookie | …    20 + length bytes
 *      first byte 0x40–0x4F   ChannelData  | number | length | data | pad  4 + length, padded to 4
 *
 * Anything else means that the two ends no longer agree where messages begin, and nothing after it
 * can be trusted. So does a STUN header whose length is no multiple of 4 or whose magic cookie is
 * wrong: RFC 3489, which had none, never ran over plain streams, and the check stops at once a
 * client that speaks TLS to the port without.
 */
import { i32, u8, u16 } from './bytes.ts';
import { CHANNEL_HEADER_BYTES, isChannelData } from './channel-data.ts';
import { MAGIC_COOKIE, STUN_HEADER_BYTES } from './stun.ts';

/** Outcomes of {@link StreamFramer.next}. */
export const FRAME_READY = 0;
export const FRAME_UNFINISHED = 1;
export const FRAME_MALFORMED = 2;

/** The longest message there can be: a STUN header and the largest length that is a multiple of 4. */
export const STREAM_MESSAGE_BYTES_MAX = 65_552;

/** Bytes of a STUN header up to the end of its magic cookie. */
const STUN_PREFIX_BYTES = 8;
const HELD_BYTES_MIN = 256;
/** A connection at rest keeps no larger buffer than this. */
const HELD_BYTES_KEPT = 2048;
const NOTHING = new Uint8Array(0);

/** Sizes that {@link frameBytes} cannot tell. */
const SIZE_UNKNOWN = 0;
const SIZE_INVALID = -1;

/**
 * Cuts one stream into messages: `feed` a chunk, then call `next` until it is not `FRAME_READY`.
 * A message that lies within its chunk is not copied; one that spans chunks is copied once, into a
 * buffer that grows with the bytes that came, not with the length that was announced.
 */
export class StreamFramer {
  /** Where the message of the last `FRAME_READY` lies, padding left out; valid until the next call. */
  bytes: Uint8Array = NOTHING;
  offset = 0;
  length = 0;

  readonly #messageBytesMax: number;
  #chunk: Uint8Array = NOTHING;
  #position = 0;
  /** Start of a message whose end has not come. */
  #held: Uint8Array = NOTHING;
  #heldBytes = 0;
  #malformed = false;

  /** A message of more than `messageBytesMax` bytes, padding included, counts as malformed. */
  constructor(messageBytesMax: number = STREAM_MESSAGE_BYTES_MAX) {
    this.#messageBytesMax = messageBytesMax;
  }

  /** Bytes of a message whose end has not come, after `next` has returned `FRAME_UNFINISHED`. */
  get unfinishedBytes(): number {
    return this.#heldBytes;
  }

  /** Takes the stream's next bytes, of any number. The chunk is not kept once `next` has used it up. */
  feed(chunk: Uint8Array): void {
    this.#chunk = chunk;
    this.#position = 0;
  }

  /** Finds the next message. `FRAME_MALFORMED` is final. */
  next(): number {
    if (this.#malformed) return FRAME_MALFORMED;
    if (this.#heldBytes > 0) return this.#finishHeld();
    if (this.#held.length > HELD_BYTES_KEPT) this.#held = NOTHING;
    const available = this.#chunk.length - this.#position;
    if (available === 0) return this.#endOfChunk();
    const size = frameBytes(this.#chunk, this.#position, available, this.#messageBytesMax);
    if (size === SIZE_INVALID) return this.#fail();
    if (size === SIZE_UNKNOWN || size > available) {
      this.#hold(available);
      return this.#endOfChunk();
    }
    this.#setMessage(this.#chunk, this.#position, size);
    this.#position += size;
    return FRAME_READY;
  }

  /** Continues the message begun in earlier chunks. */
  #finishHeld(): number {
    let size = frameBytes(this.#held, 0, this.#heldBytes, this.#messageBytesMax);
    while (size === SIZE_UNKNOWN) {
      if (this.#position === this.#chunk.length) return this.#endOfChunk();
      this.#hold(1);
      size = frameBytes(this.#held, 0, this.#heldBytes, this.#messageBytesMax);
    }
    if (size === SIZE_INVALID) return this.#fail();
    this.#hold(Math.min(size - this.#heldBytes, this.#chunk.length - this.#position));
    if (this.#heldBytes < size) return this.#endOfChunk();
    this.#setMessage(this.#held, 0, size);
    this.#heldBytes = 0;
    return FRAME_READY;
  }

  /** Moves `length` bytes from the chunk to what is held. */
  #hold(length: number): void {
    const heldBytes = this.#heldBytes + length;
    if (heldBytes > this.#held.length) {
      // Doubling: however small the chunks, each byte is copied twice on average.
      const larger = new Uint8Array(Math.max(heldBytes, this.#held.length * 2, HELD_BYTES_MIN));
      larger.set(this.#held.subarray(0, this.#heldBytes));
      this.#held = larger;
    }
    this.#held.set(this.#chunk.subarray(this.#position, this.#position + length), this.#heldBytes);
    this.#heldBytes = heldBytes;
    this.#position += length;
  }

  #setMessage(bytes: Uint8Array, offset: number, size: number): void {
    this.bytes = bytes;
    this.offset = offset;
    this.length = isChannelData(u8(bytes, offset)) ? CHANNEL_HEADER_BYTES + u16(bytes, offset + 2) : size;
  }

  #endOfChunk(): number {
    this.#letGoOfChunk();
    return FRAME_UNFINISHED;
  }

  #fail(): number {
    this.#malformed = true;
    this.#held = NOTHING;
    this.#heldBytes = 0;
    this.#letGoOfChunk();
    return FRAME_MALFORMED;
  }

  /** A chunk is often a whole 64 KB read buffer, which thousands of idle streams must not pin. */
  #letGoOfChunk(): void {
    this.#chunk = NOTHING;
    this.bytes = NOTHING;
    this.#position = 0;
  }
}

/** Size on the wire of the message at `offset`, padding included, or a `SIZE_…` reason. */
function frameBytes(bytes: Uint8Array, offset: number, available: number, bytesMax: number): number {
  const first = u8(bytes, offset);
  let size: number;
  if (isChannelData(first)) {
    if (available < CHANNEL_HEADER_BYTES) return SIZE_UNKNOWN;
    size = (CHANNEL_HEADER_BYTES + u16(bytes, offset + 2) + 3) & ~3;
  } else {
    if (first > 0x3f) return SIZE_INVALID;
    if (available < STUN_PREFIX_BYTES) return SIZE_UNKNOWN;
    const length = u16(bytes, offset + 2);
    if (length & 3 || i32(bytes, offset + 4) !== MAGIC_COOKIE) return SIZE_INVALID;
    size = STUN_HEADER_BYTES + length;
  }
  return size > bytesMax ? SIZE_INVALID : size;
}
