/** A generator's sockets without sockets: virtual time, and a server at the other end. */
import {
  type GeneratorIo,
  type GeneratorReceiver,
  PACKET_HEADROOM_BYTES,
  PACKET_TAILROOM_BYTES,
  SEND_AREA_BYTES,
  SEND_OK,
} from '../../../src/bench/generator-io.ts';
import { EndpointBook } from '../../../src/wire/endpoint.ts';

const DATAGRAM_BYTES_MAX = 8192;
const RECEIVE_OFFSET = SEND_AREA_BYTES + 2 * PACKET_HEADROOM_BYTES;

interface Arrival {
  readonly atNs: number;
  readonly socket: number;
  readonly packet: Uint8Array;
}

/** Subclasses are the server: they get what is sent, and let packets arrive. */
export abstract class SimulatedIo implements GeneratorIo {
  readonly kind: 'portable' = 'portable';
  readonly sendOffset: number = PACKET_HEADROOM_BYTES;
  readonly bytes: Uint8Array = new Uint8Array(RECEIVE_OFFSET + DATAGRAM_BYTES_MAX + PACKET_TAILROOM_BYTES);
  readonly endpoints: EndpointBook = new EndpointBook(4096, 0);
  receiver: GeneratorReceiver = () => {};
  refusals = 0;

  /** One way through the server, and from it to a client. */
  latencyNs = 50_000;
  /** What the generator's own sockets are said to have dropped. */
  drops = 0;
  /** Added to the clock with every look at it: a slow generator. */
  clockStepNs = 0;
  isClosed = false;

  #nowNs = 1_000_000_000;
  #sockets = 0;
  readonly #arrivals: Arrival[] = [];

  /** Called with a copy of what the generator sends. `destination`: a row, or -1 on a connected socket. */
  protected abstract sent(socket: number, packet: Uint8Array, destination: number): void;
  /** Called when the socket is about to be opened. */
  protected opened(_socket: number, _local: number): void {}

  async open(local: number, _remote: number, _receiveBufferBytes: number): Promise<number> {
    this.opened(this.#sockets, local);
    return this.#sockets++;
  }

  localEndpoint(socket: number, row: number): void {
    this.endpoints.setText(row, '192.0.2.1', 40_000 + socket);
  }

  send(socket: number, offset: number, length: number, destination: number): number {
    this.sent(socket, this.bytes.slice(offset, offset + length), destination);
    return SEND_OK;
  }

  async idle(waitNs: number, wakeOnPacket: boolean): Promise<void> {
    const next = this.#arrivals[0]?.atNs ?? Number.POSITIVE_INFINITY;
    this.#nowNs = wakeOnPacket
      ? Math.min(this.#nowNs + waitNs, Math.max(next, this.#nowNs))
      : this.#nowNs + waitNs;
    while ((this.#arrivals[0]?.atNs ?? Number.POSITIVE_INFINITY) <= this.#nowNs) {
      const { atNs, packet, socket } = this.#arrivals.shift() as Arrival;
      this.bytes.set(packet, RECEIVE_OFFSET);
      this.receiver(socket, this.bytes, RECEIVE_OFFSET, packet.length, atNs);
    }
  }

  mediaCrypto(): undefined {
    return undefined;
  }

  nowNs(): number {
    this.#nowNs += this.clockStepNs;
    return Math.trunc(this.#nowNs);
  }

  ownDrops(): number {
    return this.drops;
  }

  close(): void {
    this.isClosed = true;
  }

  /** Lets a packet arrive at a socket of the generator's, after {@link latencyNs}. */
  protected arrive(socket: number, packet: Uint8Array): void {
    this.#arrivals.push({ atNs: this.#nowNs + this.latencyNs, socket, packet });
  }
}
