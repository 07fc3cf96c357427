/** A program's stream to the simulated network: one for each of its threads. */
import { rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import type { TransportAddress } from '../../phone/protocol.ts';
import {
  datagramFrame,
  FrameReader,
  type HostMessage,
  messageFrame,
  type NetworkAccess,
  type NetworkMessage,
  WAITING_BYTES_MAX,
} from './frames.ts';

/** A socket, a listener or a connection of the thread. */
export interface LinkUser {
  heard?(message: NetworkMessage): void;
  received?(from: TransportAddress, payload: Buffer): void;
}

const WELCOME_ID = 0;

export class HostLink {
  readonly #socket: Socket;
  readonly #users = new Map<number, LinkUser>();
  #lastId = WELCOME_ID;
  #holders = 0;

  private constructor({ path, directory }: NetworkAccess) {
    this.#socket = connect(path);
    const reader = new FrameReader({
      message: (message) =>
        this.#soon((message as NetworkMessage).id, (user) => user.heard?.(message as NetworkMessage)),
      datagram: (id, from, payload) => this.#soon(id, (user) => user.received?.(from, payload)),
    });
    this.#socket.on('data', (chunk) => reader.feed(chunk));
    this.#socket.on('error', () => {}); // 'close' follows
    this.#socket.on('close', () => endWithNetwork(directory));
  }

  /** Resolves when the network knows the thread. Where there is no network, the program ends. */
  static async open(access: NetworkAccess): Promise<HostLink> {
    const link = new HostLink(access);
    await new Promise<void>((resolve) => {
      link.#users.set(WELCOME_ID, { heard: () => resolve() });
      link.say({ say: 'hello', place: access.place, program: access.program });
    });
    link.#socket.unref();
    return link;
  }

  /** A number for a new user, who hears what is said to it until the number is forgotten. */
  add(user: LinkUser): number {
    const id = ++this.#lastId;
    this.#users.set(id, user);
    return id;
  }

  forget(id: number): void {
    if (this.#users.delete(id)) this.say({ say: 'close', id });
  }

  say(message: HostMessage): void {
    this.#socket.write(messageFrame(message));
  }

  send(id: number, to: TransportAddress, payload: Uint8Array): void {
    if (this.#socket.writableLength <= WAITING_BYTES_MAX) this.#socket.write(datagramFrame(id, to, payload));
  }

  /** Keeps the thread alive, until as many have released it. */
  hold(): void {
    if (++this.#holders === 1) this.#socket.ref();
  }

  release(): void {
    if (--this.#holders === 0) this.#socket.unref();
  }

  /** In a turn of its own, as with real sockets: what one message has caused happens before the next is heard. */
  #soon(id: number, tell: (user: LinkUser) => void): void {
    setImmediate(() => {
      const user = this.#users.get(id);
      if (user) tell(user);
    });
  }
}

/** The lab has gone, perhaps killed: nothing of it stays, neither this program nor files. */
function endWithNetwork(directory: string): void {
  try {
    rmSync(directory, { recursive: true, force: true });
  } catch {
    // Others do it too, at the same time.
  }
  process.kill(process.pid, 'SIGKILL');
}
