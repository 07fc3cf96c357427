/** The simulated network in the lab's process: hears the threads of all programs, and carries what they send. */
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import type { TransportAddress } from '../../phone/protocol.ts';
import type { HomeName } from '../../topology.ts';
import { type DatagramDrop, DatagramRouter } from './datagram-router.ts';
import type { HostMessage } from './frames.ts';
import { Gateway } from './gateway.ts';
import { HostThread, type ThreadOwner } from './host-thread.ts';
import { giveAllOf, PortLocks } from './port-locks.ts';
import { StreamRouter } from './stream-router.ts';

export class Router implements ThreadOwner {
  /** Where programs find it. */
  readonly path: string;
  readonly gateways: Readonly<Record<HomeName, Gateway>>;
  readonly #directory: string;
  readonly #server: Server;
  readonly #threads = new Set<HostThread>();
  readonly #datagrams: DatagramRouter;
  readonly #streams: StreamRouter;

  private constructor(directory: string, seed: number) {
    this.#directory = directory;
    this.path =
      process.platform === 'win32'
        ? `\\\\.\\pipe\\${directory.replace(/\W/g, '-')}`
        : join(directory, 'network');
    // Each draws twice: for ports and for loss.
    this.gateways = { A: new Gateway('A', seed), B: new Gateway('B', seed + 2) };
    this.#datagrams = new DatagramRouter(this.gateways);
    this.#streams = new StreamRouter(this.gateways);
    this.#server = createServer((socket) => this.#threads.add(new HostThread(socket, this)));
  }

  /** @param directory private to the user: whoever can write there is in the network */
  static async start(directory: string, seed: number): Promise<Router> {
    const router = new Router(directory, seed);
    new PortLocks(directory, ''); // the folder is there before the first program
    await new Promise<void>((resolve, reject) => {
      router.#server.once('error', reject);
      router.#server.listen(router.path, () => resolve());
    });
    return router;
  }

  /** Datagrams that did not arrive. */
  get drops(): ReadonlyMap<DatagramDrop, number> {
    return this.#datagrams.drops;
  }

  rebind(home: HomeName): string {
    const address = this.gateways[home].rebind();
    this.#streams.reset(home);
    return address;
  }

  /** A program has ended: its ports are free from now on, though its streams' end may not have been heard yet. */
  programEnded(program: string): void {
    for (const thread of [...this.#threads]) if (thread.program === program) thread.end();
    giveAllOf(program, this.#directory);
  }

  async close(): Promise<void> {
    this.#datagrams.end();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const thread of [...this.#threads]) thread.end();
    await closed;
  }

  heard(thread: HostThread, message: HostMessage): void {
    const { place } = thread;
    if (place === undefined) throw new Error('a program must say hello first');
    switch (message.say) {
      case 'bind':
        this.#datagrams.bind(thread, message.id, addressIn(message));
        return thread.tell({ say: 'bound', id: message.id });
      case 'listen':
        this.#streams.listen(thread, message);
        return thread.tell({ say: 'bound', id: message.id });
      case 'connect':
        return this.#streams.connect(thread, place, message);
      case 'connected':
        return this.#streams.connected(thread, message);
      case 'accepted':
        return this.#streams.accepted(thread, message);
      case 'close':
        this.#datagrams.close(thread, message.id);
        return this.#streams.close(thread, message.id);
      case 'hello':
        return;
    }
  }

  sent(thread: HostThread, id: number, to: TransportAddress, payload: Buffer): void {
    this.#datagrams.send(thread, id, to, payload);
  }

  gone(thread: HostThread): void {
    this.#threads.delete(thread);
    this.#datagrams.forget(thread);
    this.#streams.forget(thread);
  }
}

function addressIn({ address, port }: TransportAddress): TransportAddress {
  return { address, port };
}
