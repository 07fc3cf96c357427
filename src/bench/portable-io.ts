/**
 * The generator's sockets on any platform, through Node's dgram. Slower by far than the Linux ones,
 * and without the kernel's time of arrival: what waits in the event loop counts as latency.
 */
import { createSocket, type Socket } from 'node:dgram';
import { EndpointBook, INET } from '../wire/endpoint.ts';
import {
  type GeneratorIo,
  type GeneratorReceiver,
  PACKET_HEADROOM_BYTES,
  PACKET_TAILROOM_BYTES,
  SEND_AREA_BYTES,
  SEND_FULL,
  SEND_OK,
} from './generator-io.ts';

const NS_PER_MS = 1_000_000;
/** dgram queues what it cannot send at once; beyond this much a packet counts as refused. */
const QUEUE_BYTES_MAX = 1_048_576;
/** A timer fires up to a millisecond late: shorter waits turn the event loop instead. */
const TIMER_NS_MIN = 2 * NS_PER_MS;

const DATAGRAM_BYTES_MAX = 65_535;
/** What arrives is copied here, one datagram at a time. */
const RECEIVE_OFFSET = 2 * PACKET_HEADROOM_BYTES + SEND_AREA_BYTES;

/** Prepares the generator's sockets, with `endpoints` rows in the endpoint book. */
export function createPortableIo(endpoints: number): GeneratorIo {
  return new PortableIo(endpoints);
}

class PortableIo implements GeneratorIo {
  readonly kind = 'portable';
  readonly sendOffset = PACKET_HEADROOM_BYTES;
  readonly bytes: Uint8Array = new Uint8Array(RECEIVE_OFFSET + DATAGRAM_BYTES_MAX + PACKET_TAILROOM_BYTES);
  readonly endpoints: EndpointBook;
  receiver: GeneratorReceiver = () => {};
  refusals = 0;
  readonly #sockets: Socket[] = [];
  /** Addresses as text, by row, for dgram. */
  readonly #texts = new Map<number, string>();
  #wake: (() => void) | undefined;

  constructor(endpoints: number) {
    this.endpoints = new EndpointBook(endpoints, 0);
  }

  async open(local: number, remote: number, receiveBufferBytes: number): Promise<number> {
    const row = remote >= 0 ? remote : local;
    const type = this.endpoints.family(row) === INET ? 'udp4' : 'udp6';
    const socket = createSocket({ type, recvBufferSize: receiveBufferBytes, ipv6Only: type === 'udp6' });
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      if (local >= 0) socket.bind(this.endpoints.port(local), this.#text(local), resolve);
      else socket.connect(this.endpoints.port(remote), this.#text(remote), resolve);
    });
    const number = this.#sockets.push(socket) - 1;
    socket.removeAllListeners('error');
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') this.refusals++;
    });
    socket.on('message', (message) => {
      const receivedNs = this.nowNs();
      this.bytes.set(message, RECEIVE_OFFSET);
      this.receiver(number, this.bytes, RECEIVE_OFFSET, message.length, receivedNs);
      this.#wake?.();
    });
    return number;
  }

  localEndpoint(socket: number, row: number): void {
    const { address, port } = this.#socket(socket).address();
    this.endpoints.setText(row, address, port);
  }

  send(socket: number, offset: number, length: number, destination: number): number {
    const sender = this.#socket(socket);
    if (sender.getSendQueueSize() > QUEUE_BYTES_MAX) return SEND_FULL;
    const packet = Buffer.from(this.bytes.subarray(offset, offset + length));
    const sent = (error: NodeJS.ErrnoException | null): void => {
      if (error?.code === 'ECONNREFUSED') this.refusals++;
    };
    if (destination < 0) sender.send(packet, sent);
    else sender.send(packet, this.endpoints.port(destination), this.#text(destination), sent);
    return SEND_OK;
  }

  idle(waitNs: number, wakeOnPacket: boolean): Promise<void> {
    return new Promise((resolve) => {
      if (waitNs < TIMER_NS_MIN) {
        setImmediate(resolve);
        return;
      }
      const end = (): void => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve();
      };
      const timer = setTimeout(end, Math.floor(waitNs / NS_PER_MS) - 1);
      if (wakeOnPacket) this.#wake = end;
    });
  }

  mediaCrypto(): undefined {
    return undefined;
  }

  nowNs(): number {
    return Math.trunc(performance.now() * NS_PER_MS);
  }

  /** dgram does not tell. */
  ownDrops(): number {
    return -1;
  }

  close(): void {
    for (const socket of this.#sockets) socket.close();
    this.#sockets.length = 0;
  }

  #socket(socket: number): Socket {
    return this.#sockets[socket] as Socket;
  }

  #text(row: number): string {
    let text = this.#texts.get(row);
    if (text === undefined) {
      text = this.endpoints.addressText(row);
      this.#texts.set(row, text);
    }
    return text;
  }
}
