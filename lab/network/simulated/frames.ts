/**
 * What goes between the network in the lab's process and the threads of the programs in it, over a local stream
 * each. Frames of two kinds:
 *
 *   length (32 bits, of what follows) | 0 | a message, JSON
 *   length                            | 1 | socket (32) | IPv4 address (32) | port (16) | payload
 *
 * The address is the destination on the way to the network, and the source on the way back.
 */
import type { TransportAddress } from '../../phone/protocol.ts';
import type { PlaceName } from '../../topology.ts';

/** How a program finds its network, as JSON in the environment. */
export const NETWORK_VARIABLE = 'CAUSEWAY_LAB_NETWORK';

export interface NetworkAccess {
  /** Of the socket or named pipe. */
  readonly path: string;
  /** Removed by whoever notices that the lab has been killed. */
  readonly directory: string;
  readonly place: PlaceName;
  /** Names the program. */
  readonly program: string;
}

/** `id`s are the thread's own, one for each socket, listener and connection. */
export type HostMessage =
  | { readonly say: 'hello'; readonly place: PlaceName; readonly program: string }
  | ({ readonly say: 'bind'; readonly id: number } & TransportAddress)
  | ({ readonly say: 'listen'; readonly id: number; readonly realPort: number } & TransportAddress)
  /** A client wants to connect. */
  | {
      readonly say: 'connect';
      readonly id: number;
      readonly to: TransportAddress;
      /** Its own address and port, where it has a wish: else '' and 0. */
      readonly from: TransportAddress;
    }
  /** The client's connection over loopback stands. */
  | { readonly say: 'connected'; readonly id: number; readonly realPort: number }
  /** A listener was connected to over loopback: by whom? */
  | {
      readonly say: 'accepted';
      readonly id: number;
      readonly listener: number;
      readonly realPort: number;
    }
  | { readonly say: 'close'; readonly id: number };

export type Refusal = 'ECONNREFUSED' | 'EHOSTUNREACH' | 'ENETUNREACH';

export type NetworkMessage =
  | { readonly say: 'welcome'; readonly id: 0 }
  /** To `bind` and `listen`: it is reachable now. */
  | { readonly say: 'bound'; readonly id: number }
  /** To `connect`: where to connect to over loopback, and what the client's address is in its place. */
  | { readonly say: 'way'; readonly id: number; readonly realPort: number; readonly from: TransportAddress }
  | { readonly say: 'no-way'; readonly id: number; readonly code: Refusal }
  /** To `accepted`: who the client is, as seen from here. */
  | { readonly say: 'caller'; readonly id: number; readonly from: TransportAddress }
  | { readonly say: 'reset'; readonly id: number };

export interface FrameReceiver {
  message(message: unknown): void;
  /** The payload is a view, of memory that stays as it is. */
  datagram(id: number, peer: TransportAddress, payload: Buffer): void;
}

const MESSAGE = 0;
const DATAGRAM = 1;
const LENGTH_BYTES = 4;
const DATAGRAM_HEADER_BYTES = LENGTH_BYTES + 11;
const FRAME_BYTES_MAX = 70_000;

/** Waiting bytes of a stream after which datagrams are dropped, as a socket's full buffer does. */
export const WAITING_BYTES_MAX: number = 4 * 1024 * 1024;

export function messageFrame(message: HostMessage | NetworkMessage): Buffer {
  const text = JSON.stringify(message);
  const frame = Buffer.allocUnsafe(LENGTH_BYTES + 1 + Buffer.byteLength(text));
  frame.writeUInt32BE(frame.length - LENGTH_BYTES, 0);
  frame[LENGTH_BYTES] = MESSAGE;
  frame.write(text, LENGTH_BYTES + 1);
  return frame;
}

export function datagramFrame(id: number, { address, port }: TransportAddress, payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(DATAGRAM_HEADER_BYTES + payload.length);
  frame.writeUInt32BE(frame.length - LENGTH_BYTES, 0);
  frame[LENGTH_BYTES] = DATAGRAM;
  frame.writeUInt32BE(id, 5);
  address.split('.').forEach((byte, i) => {
    frame[9 + i] = Number(byte);
  });
  frame.writeUInt16BE(port, 13);
  frame.set(payload, DATAGRAM_HEADER_BYTES);
  return frame;
}

export class FrameReader {
  readonly #receiver: FrameReceiver;
  #rest: Buffer = Buffer.alloc(0);

  constructor(receiver: FrameReceiver) {
    this.#receiver = receiver;
  }

  /** @throws Error for what is no frame */
  feed(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= LENGTH_BYTES) {
      const length = this.#rest.readUInt32BE(0);
      if (length > FRAME_BYTES_MAX)
        throw new Error(`a frame must be ≤ ${FRAME_BYTES_MAX} bytes: got ${length}`);
      const end = LENGTH_BYTES + length;
      if (this.#rest.length < end) return;
      const frame = this.#rest.subarray(0, end);
      this.#rest = this.#rest.subarray(end);
      this.#read(frame);
    }
  }

  #read(frame: Buffer): void {
    if (frame[LENGTH_BYTES] === MESSAGE) {
      this.#receiver.message(JSON.parse(frame.toString('utf8', LENGTH_BYTES + 1)));
      return;
    }
    const peer = {
      address: `${frame[9]}.${frame[10]}.${frame[11]}.${frame[12]}`,
      port: frame.readUInt16BE(13),
    };
    this.#receiver.datagram(frame.readUInt32BE(5), peer, frame.subarray(DATAGRAM_HEADER_BYTES));
  }
}
