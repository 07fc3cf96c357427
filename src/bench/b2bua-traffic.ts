/**
 * The media of a run's calls: packets of G.711 µ-law over RTP or SRTP, each encrypted as it is sent and
 * checked whole when it arrives: tag, sequence number, timestamp, SSRC, stream and every byte of the
 * payload. "Up" is from caller to callee.
 *
 * A stream is one direction of a call: call × 2 + direction. Live encryption costs about a microsecond a
 * packet, so the generator carries 100,000 packets/s on one CPU without packets made in advance, and
 * each packet can hold the time it was sent.
 */
import { SRTP_REPLAYED, SRTP_TOO_OLD } from '../b2bua/srtp/outcomes.ts';
import type { SrtpReceiver } from '../b2bua/srtp/srtp-receiver.ts';
import type { SrtpSender } from '../b2bua/srtp/srtp-sender.ts';
import { u8 } from '../wire/bytes.ts';
import { isRtcp, RTP_HEADER_BYTES_MIN } from '../wire/rtp.ts';
import type { GeneratorIo } from './generator-io.ts';
import type { Traffic } from './load-run.ts';
import {
  hasProbeHeader,
  isProbe,
  PROBE_BYTES_MIN,
  probeFlow,
  probeSentNs,
  probeSequence,
  writeProbe,
} from './probe.ts';
import { DOWN, TrafficCounts, UP } from './traffic-counts.ts';

/** 20 ms of G.711. */
const PAYLOAD_BYTES = 160;
export const RTP_PACKET_BYTES: number = RTP_HEADER_BYTES_MIN + PAYLOAD_BYTES;
/** µ-law silence is 0xFF; any other constant shows bytes that were not decrypted just as well. */
const FILLER = 0x55;
/** First sequence numbers are below 2^15, so that loss of the first packets cannot hide a rollover (RFC 3711 §3.3.1). */
const FIRST_SEQUENCE_MAX = 0x8000;

/** One direction of a call. */
export interface MediaStream {
  readonly sendSocket: number;
  /** Row of the engine's address. */
  readonly destination: number;
  /** Undefined: plain RTP. */
  readonly sender: SrtpSender | undefined;
  readonly receiver: SrtpReceiver | undefined;
}

export class MediaTraffic implements Traffic {
  readonly counts: TrafficCounts;
  readonly #io: GeneratorIo;
  /** By call × 2 + direction. */
  readonly #streams: readonly MediaStream[];
  /** Streams that are sent on, in the order of sending. */
  readonly #turns: Int32Array;
  readonly #nextSequence: Uint32Array;
  readonly #runTag: number;
  #turn = 0;

  /** `runTag`: 16 bits that tell this run's packets from any other's. */
  constructor(
    io: GeneratorIo,
    streams: readonly MediaStream[],
    direction: 'up' | 'down' | 'both',
    runTag: number,
  ) {
    this.#io = io;
    this.#streams = streams;
    this.#runTag = runTag;
    this.counts = new TrafficCounts(streams.length / 2);
    this.#turns = Int32Array.from(turnsOf(streams.length / 2, direction));
    this.#nextSequence = Uint32Array.from(streams, () => Math.floor(Math.random() * FIRST_SEQUENCE_MAX));
  }

  /** Call after call; with both directions each call up, then each call down. */
  sendNext(): void {
    const io = this.#io;
    const { bytes, sendOffset } = io;
    const stream = this.#turns[this.#turn] as number;
    this.#turn = this.#turn + 1 === this.#turns.length ? 0 : this.#turn + 1;
    const { destination, sender, sendSocket } = this.#streams[stream] as MediaStream;
    const sequence = this.#nextSequence[stream] as number;
    this.#nextSequence[stream] = sequence + 1;
    // The packet before was encrypted in the same place.
    bytes.fill(FILLER, sendOffset + PROBE_BYTES_MIN, sendOffset + RTP_PACKET_BYTES);
    const sentNs = io.nowNs();
    writeProbe(bytes, sendOffset, this.#runTag, stream, sequence, sentNs);
    const length = sender ? sender.protectRtp(sendOffset, RTP_PACKET_BYTES) : RTP_PACKET_BYTES;
    if (length < 0) throw new Error(`the generator cannot encrypt a packet of its own: outcome ${length}`);
    this.counts.sent(stream & 1, sentNs, io.send(sendSocket, sendOffset, length, destination));
  }

  /** A datagram on the socket that the stream arrives at; it is decrypted in place, in {@link GeneratorIo.bytes}. */
  receive(stream: number, offset: number, length: number, receivedNs: number): void {
    const { bytes } = this.#io;
    const direction = stream & 1;
    if (length >= 2 && isRtcp(bytes, offset)) return; // an engine may send reports of its own
    const { receiver } = this.#streams[stream] as MediaStream;
    const plainLength = receiver ? receiver.unprotectRtp(offset, length) : length;
    if (plainLength < 0) this.#refused(direction, plainLength);
    else if (!this.#isIntact(stream, offset, plainLength)) this.counts.wrong(direction);
    else {
      const sequence = probeSequence(bytes, offset);
      this.counts.received(direction, stream >> 1, sequence, probeSentNs(bytes, offset), receivedNs);
    }
  }

  #refused(direction: number, outcome: number): void {
    if (outcome === SRTP_REPLAYED) this.counts.duplicate(direction);
    // Too late for the replay window: as good as lost.
    else if (outcome !== SRTP_TOO_OLD) this.counts.forged(direction);
  }

  #isIntact(stream: number, offset: number, length: number): boolean {
    const { bytes } = this.#io;
    if (length !== RTP_PACKET_BYTES || !isProbe(bytes, offset, length, this.#runTag)) return false;
    if (probeFlow(bytes, offset) !== stream || !hasProbeHeader(bytes, offset)) return false;
    for (let at = offset + PROBE_BYTES_MIN; at < offset + RTP_PACKET_BYTES; at++) {
      if (u8(bytes, at) !== FILLER) return false;
    }
    return true;
  }
}

function turnsOf(calls: number, direction: 'up' | 'down' | 'both'): number[] {
  const turns: number[] = [];
  for (const way of [UP, DOWN]) {
    if (direction !== 'both' && way !== (direction === 'up' ? UP : DOWN)) continue;
    for (let call = 0; call < calls; call++) turns.push(call * 2 + way);
  }
  return turns;
}
