/** What the tests of stream clients share: a StreamIo over an engine, its core, and real clients. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import { createEngine } from '../../../src/net/choose-engine.ts';
import { ENGINE, type Engine, type EngineOptions } from '../../../src/net/engine.ts';
import { StreamIo } from '../../../src/net/stream-io.ts';
import { DEFAULT_STREAM_LIMITS, type StreamLimits } from '../../../src/net/stream-limits.ts';
import type { StreamListener, TlsIdentity } from '../../../src/net/stream-listener.ts';
import { RecordingCore, until } from '../../kit/engine-probe.ts';
import { engineOptions } from '../../kit/engine-suite.ts';

/** A core that also records which streams were closed. */
export class StreamCore extends RecordingCore {
  readonly closed: { readonly socket: number; readonly source: string }[] = [];
  readonly #engine: Engine;

  constructor(engine: Engine) {
    super(engine);
    this.#engine = engine;
  }

  override streamClosed(socket?: number, source?: number): void {
    this.closed.push({ socket: socket as number, source: this.#engine.endpoints.text(source as number) });
  }
}

/** A TCP or TLS client that records what it gets. */
export class Client {
  readonly socket: Socket;
  received: Buffer = Buffer.alloc(0);
  isClosed = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk) => {
      this.received = Buffer.concat([this.received, chunk]);
    });
    socket.on('error', () => {}); // a reset is one way to be closed
    socket.on('close', () => {
      this.isClosed = true;
    });
  }

  closed(): Promise<void> {
    return until('the client’s connection is closed', () => this.isClosed);
  }
}

export class StreamBench {
  readonly options: EngineOptions = engineOptions();
  readonly engine: Engine;
  readonly core: StreamCore;
  readonly limits: StreamLimits = { ...DEFAULT_STREAM_LIMITS };
  readonly io: StreamIo;
  readonly clients: Client[] = [];
  /** The engine's time, which only the test moves. */
  nowMs = 1_000_000;

  constructor(kind: Engine['kind'] = 'dgram') {
    this.engine = createEngine(kind, this.options);
    this.engine.now = () => this.nowMs;
    this.core = new StreamCore(this.engine);
    this.io = new StreamIo(this.engine, this.options.counters, this.limits);
    this.engine.run('cooperative', [this.core], () => {});
  }

  listen(tls?: TlsIdentity, address = '127.0.0.1', port = 0): Promise<StreamListener> {
    const options = { address, port, receiver: this.core, tag: 5 };
    return this.io.listen(tls ? { ...options, tls } : options);
  }

  /** A TCP client that is connected, or refused: then it is closed. `localAddress`: where it comes from. */
  async client(listener: StreamListener, localAddress?: string): Promise<Client> {
    const { address: host, port } = listener;
    const client = this.#add(
      connect(localAddress === undefined ? { host, port } : { host, port, localAddress }),
    );
    await Promise.race([once(client.socket, 'connect').catch(() => {}), client.closed()]);
    return client;
  }

  /** A TLS client whose handshake is done, or has failed: then it is closed. */
  async tlsClient(
    listener: StreamListener,
    options: ConnectionOptions = {},
  ): Promise<Client & { socket: TLSSocket }> {
    const { address: host, port } = listener;
    const socket = connectTls({ host, port, rejectUnauthorized: false, ...options });
    const client = this.#add(socket);
    await Promise.race([once(socket, 'secureConnect').catch(() => {}), client.closed()]);
    return client as Client & { socket: TLSSocket };
  }

  #add(socket: Socket): Client {
    const client = new Client(socket);
    this.clients.push(client);
    return client;
  }

  counted(name: keyof typeof ENGINE): number {
    return this.options.counters[ENGINE[name]] as number;
  }

  /** Writes, and waits until the chunk has been heard: what follows comes in a chunk of its own. */
  async writeChunk(client: Client, chunk: Uint8Array): Promise<void> {
    const chunks = this.counted('batches');
    client.socket.write(chunk);
    await until('the chunk is heard', () => this.counted('batches') === chunks + 1);
  }

  /** Lets time pass, which otherwise stands still, and sweeps. */
  advance(ms: number): void {
    this.nowMs += ms;
    this.io.sweep(this.nowMs);
  }

  async end(): Promise<void> {
    for (const client of this.clients) client.socket.destroy();
    await this.io.stop();
    this.engine.stop();
  }
}

/** A Binding request (RFC 8489 §5) with `bodyBytes` of filler where attributes would be. */
export function stun(bodyBytes = 0, fill = 0xa5): Buffer {
  const message = Buffer.alloc(20 + bodyBytes, fill);
  message.writeUInt16BE(0x0001, 0);
  message.writeUInt16BE(bodyBytes, 2);
  message.writeUInt32BE(0x2112a442, 4);
  return message;
}

/** ChannelData (RFC 8656 §12.4) without padding. */
export function channelData(dataBytes: number, fill = 0x5a): Buffer {
  const message = Buffer.alloc(4 + dataBytes, fill);
  message.writeUInt16BE(0x4001, 0);
  message.writeUInt16BE(dataBytes, 2);
  return message;
}

/** A message as it is on a stream: padded with zeros to a multiple of 4 bytes. */
export function onStream(message: Buffer): Buffer {
  return Buffer.concat([message, Buffer.alloc(-message.length & 3)]);
}
