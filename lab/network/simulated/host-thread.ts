/** One thread of a program, as the network sees it: what it says, and what it is told. */
import type { Socket } from 'node:net';
import type { TransportAddress } from '../../phone/protocol.ts';
import { PLACES, type PlaceName } from '../../topology.ts';
import {
  datagramFrame,
  FrameReader,
  type HostMessage,
  messageFrame,
  type NetworkMessage,
  WAITING_BYTES_MAX,
} from './frames.ts';

export interface ThreadOwner {
  heard(thread: HostThread, message: HostMessage): void;
  sent(thread: HostThread, id: number, to: TransportAddress, payload: Buffer): void;
  /** It has ended, or says what is no message. */
  gone(thread: HostThread): void;
}

export class HostThread {
  /** Undefined before its hello. */
  place: PlaceName | undefined;
  program = '';
  readonly #socket: Socket;
  readonly #owner: ThreadOwner;
  #isGone = false;

  constructor(socket: Socket, owner: ThreadOwner) {
    this.#socket = socket;
    this.#owner = owner;
    const reader = new FrameReader({
      message: (message) => this.#heard(message as HostMessage),
      datagram: (id, to, payload) => {
        if (!this.#isGone) owner.sent(this, id, to, payload);
      },
    });
    socket.on('data', (chunk) => {
      try {
        reader.feed(chunk);
      } catch {
        this.end();
      }
    });
    socket.on('error', () => {}); // 'close' follows
    socket.on('close', () => this.end());
  }

  tell(message: NetworkMessage): void {
    if (!this.#isGone) this.#socket.write(messageFrame(message));
  }

  deliver(id: number, from: TransportAddress, payload: Buffer): void {
    if (this.#isGone || this.#socket.writableLength > WAITING_BYTES_MAX) return;
    this.#socket.write(datagramFrame(id, from, payload));
  }

  end(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#socket.destroy();
    this.#owner.gone(this);
  }

  #heard(message: HostMessage): void {
    if (this.#isGone) return;
    if (message.say !== 'hello') {
      this.#owner.heard(this, message);
      return;
    }
    if (!(message.place in PLACES)) throw new Error(`no place: ${message.place}`);
    this.place = message.place;
    this.program = message.program;
    this.tell({ say: 'welcome', id: 0 });
  }
}
