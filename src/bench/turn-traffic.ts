/**
 * The load itself: probes over established relays, in either direction, and the count of what
 * arrives. "Up" is client → server → relay → peer, "down" is peer → relay → server → client.
 */
import { setU16, u8, u16 } from '../wire/bytes.ts';
import { CHANNEL_HEADER_BYTES } from '../wire/channel-data.ts';
import {
  ATTR_DATA,
  ATTR_XOR_PEER_ADDRESS,
  CLASS_INDICATION,
  METHOD_DATA,
  METHOD_SEND,
  STUN_OK,
  StunReader,
} from '../wire/stun.ts';
import { StunWriter } from '../wire/stun-writer.ts';
import { type GeneratorIo, SEND_AREA_BYTES } from './generator-io.ts';
import { isProbe, probeFlow, probeSentNs, probeSequence, writeProbe } from './probe.ts';
import { DOWN, TrafficCounts, UP } from './traffic-counts.ts';

/** One relay with its client socket, peer socket and addresses. */
export interface Flow {
  readonly clientSocket: number;
  readonly peerSocket: number;
  /** Rows: the peer's own address, and the relay's. */
  readonly peer: number;
  readonly relay: number;
  readonly channel: number;
}

export interface TrafficOptions {
  readonly mode: 'channel' | 'indication';
  readonly direction: 'up' | 'down' | 'both';
  readonly payloadBytes: number;
}

export class Traffic {
  readonly counts: TrafficCounts;
  readonly #io: GeneratorIo;
  readonly #flows: readonly Flow[];
  readonly #options: TrafficOptions;
  readonly #runTag: number;
  /** By flow × 2 + direction. */
  readonly #nextSequence: Uint32Array;
  /** Send indications in `indication` mode: everything before the payload, by peer socket. */
  readonly #headers = new Map<number, Uint8Array>();
  readonly #reader = new StunReader([ATTR_DATA, ATTR_XOR_PEER_ADDRESS]);
  #turn = 0;

  /** `runTag`: 16 bits that tell this run's probes from any other's. */
  constructor(io: GeneratorIo, flows: readonly Flow[], options: TrafficOptions, runTag: number) {
    this.#io = io;
    this.#flows = flows;
    this.#options = options;
    this.#runTag = runTag;
    this.#nextSequence = new Uint32Array(flows.length * 2);
    this.counts = new TrafficCounts(flows.length);
    io.bytes.fill(0x55, io.sendOffset, io.sendOffset + SEND_AREA_BYTES);
    if (options.mode === 'indication') this.#writeIndicationHeaders();
  }

  /** Sends the next probe: flow after flow, with both directions each flow up, then each flow down. */
  sendNext(): void {
    const { direction } = this.#options;
    const flows = this.#flows.length;
    const turn = this.#turn;
    this.#turn = turn + 1 === flows * (direction === 'both' ? 2 : 1) ? 0 : turn + 1;
    if (direction === 'up' || (direction === 'both' && turn < flows)) this.#sendUp(turn % flows);
    else this.#sendDown(turn % flows);
  }

  /** A datagram on the client socket of a flow; true if it was a probe, else it is for the TURN client. */
  receiveFromServer(
    flow: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    receivedNs: number,
  ): boolean {
    if (length < CHANNEL_HEADER_BYTES) return false;
    if (u8(bytes, offset) >= 0x40) {
      const payloadLength = u16(bytes, offset + 2);
      const isOurs = u16(bytes, offset) === (this.#flows[flow] as Flow).channel;
      // On UDP the padding of ChannelData is optional (RFC 8656 §12.5).
      if (!isOurs || payloadLength + CHANNEL_HEADER_BYTES > length) this.counts.wrong(DOWN);
      else this.#arrived(DOWN, flow, bytes, offset + CHANNEL_HEADER_BYTES, payloadLength, receivedNs);
      return true;
    }
    // A Data indication: method and class are fixed bits of the type (RFC 8489 §5).
    if (u16(bytes, offset) !== (METHOD_DATA | (CLASS_INDICATION << 4))) return false;
    const value = this.#reader.parse(bytes, offset, length) === STUN_OK ? this.#reader.value(ATTR_DATA) : -1;
    if (value < 0) this.counts.wrong(DOWN);
    else this.#arrived(DOWN, flow, bytes, value, this.#reader.valueLength(ATTR_DATA), receivedNs);
    return true;
  }

  /** A datagram on a peer socket. */
  receiveFromRelay(
    socket: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    receivedNs: number,
  ): void {
    const flow = length < CHANNEL_HEADER_BYTES ? -1 : probeFlow(bytes, offset);
    if (this.#flows[flow]?.peerSocket === socket) {
      this.#arrived(UP, flow, bytes, offset, length, receivedNs);
    } else {
      this.counts.wrong(UP);
    }
  }

  #sendUp(flow: number): void {
    const { bytes, sendOffset } = this.#io;
    const { payloadBytes } = this.#options;
    const { channel, clientSocket, peerSocket } = this.#flows[flow] as Flow;
    let payload = sendOffset + CHANNEL_HEADER_BYTES;
    let length = CHANNEL_HEADER_BYTES + payloadBytes;
    if (this.#options.mode === 'indication') {
      const header = this.#headers.get(peerSocket) as Uint8Array;
      bytes.set(header, sendOffset);
      payload = sendOffset + header.length;
      length = header.length + ((payloadBytes + 3) & ~3);
    } else {
      setU16(bytes, sendOffset, channel);
      setU16(bytes, sendOffset + 2, payloadBytes);
    }
    this.#send(UP, flow, clientSocket, payload, length, -1);
  }

  #sendDown(flow: number): void {
    const { peerSocket, relay } = this.#flows[flow] as Flow;
    this.#send(DOWN, flow, peerSocket, this.#io.sendOffset, this.#options.payloadBytes, relay);
  }

  #send(
    direction: number,
    flow: number,
    socket: number,
    payload: number,
    length: number,
    destination: number,
  ): void {
    const io = this.#io;
    const index = flow * 2 + direction;
    const sequence = this.#nextSequence[index] as number;
    this.#nextSequence[index] = sequence + 1;
    const sentNs = io.nowNs();
    writeProbe(io.bytes, payload, this.#runTag, flow, sequence, sentNs);
    this.counts.sent(direction, sentNs, io.send(socket, io.sendOffset, length, destination));
  }

  #arrived(
    direction: number,
    flow: number,
    bytes: Uint8Array,
    payload: number,
    length: number,
    receivedNs: number,
  ): void {
    const isWhole = length === this.#options.payloadBytes && isProbe(bytes, payload, length, this.#runTag);
    if (!isWhole || probeFlow(bytes, payload) !== flow) {
      this.counts.wrong(direction);
      return;
    }
    const sentNs = probeSentNs(bytes, payload);
    this.counts.received(direction, flow, probeSequence(bytes, payload), sentNs, receivedNs);
  }

  /**
   * A Send indication up to its payload depends on the peer alone, given one transaction ID for all;
   * nothing answers an indication, so nobody misses different ones.
   */
  #writeIndicationHeaders(): void {
    const writer = new StunWriter(new Uint8Array(SEND_AREA_BYTES));
    const payload = new Uint8Array(this.#options.payloadBytes);
    for (const { peer, peerSocket } of this.#flows) {
      if (this.#headers.has(peerSocket)) continue;
      writer.begin(0, METHOD_SEND, CLASS_INDICATION);
      writer.transactionId(new Uint8Array(12), 0);
      writer.xorAddress(ATTR_XOR_PEER_ADDRESS, this.#io.endpoints, peer);
      writer.attribute(ATTR_DATA, payload);
      const headerBytes = writer.length - ((payload.length + 3) & ~3);
      this.#headers.set(peerSocket, writer.bytes.slice(0, headerBytes));
    }
  }
}
