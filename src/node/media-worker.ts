/**
 * A media worker: one thread with one engine and its cores. It opens its listeners, says `ready`, and
 * from then on answers commands between batches.
 */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { createEngine } from '../net/choose-engine.ts';
import { ENGINE_COUNTER_NAMES, type Engine } from '../net/engine.ts';
import { StreamIo } from '../net/stream-io.ts';
import { DEFAULT_STREAM_LIMITS } from '../net/stream-limits.ts';
import type { StreamListener } from '../net/stream-listener.ts';
import { TURN_COUNTER_NAMES } from '../turn/counters.ts';
import { inspect } from '../turn/inspect.ts';
import { TurnCore } from '../turn/server.ts';
import type { TurnEvents } from '../turn/settings.ts';
import { TurnSharedState } from '../turn/shared-state.ts';
import { formatEndpoint } from '../wire/address.ts';
import { OPEN_ADDRESS_UNAVAILABLE, OPEN_PORT_IN_USE, QUEUED_SENDS_MAX } from '../wire/datagram-io.ts';
import { createTurnCrypto } from './turn-crypto.ts';
import type { OpenedListener, WorkerMessage, WorkerRequest, WorkerSetup } from './worker-messages.ts';

/** Rows of the endpoint book beside those of allocations and streams: scratch rows of the core. */
const SPARE_ENDPOINTS = QUEUED_SENDS_MAX + 256;

class MediaWorker {
  readonly #setup: WorkerSetup;
  readonly #engine: Engine;
  readonly #streams: StreamIo;
  readonly #turn: TurnCore;
  readonly #streamListeners: StreamListener[] = [];

  constructor(setup: WorkerSetup) {
    const { limits } = setup.turn;
    const counters = new Float64Array(setup.counters);
    const engineCounters = counters.subarray(0, ENGINE_COUNTER_NAMES.length);
    this.#setup = setup;
    this.#engine = createEngine(setup.engine, {
      endpoints:
        limits.relays * (2 + limits.permissionsPerRelay + limits.channelsPerRelay) +
        setup.streams.connections +
        SPARE_ENDPOINTS,
      counters: engineCounters,
      listenerBufferBytes: setup.listenerBufferBytes,
      relayBufferBytes: setup.relayBufferBytes,
      pauseMicrosecondsMax: setup.pauseMicrosecondsMax,
    });
    this.#streams = new StreamIo(this.#engine, engineCounters, {
      ...DEFAULT_STREAM_LIMITS,
      ...setup.streams,
    });
    this.#turn = new TurnCore({
      // Only a thread that hears streams pays for telling them apart.
      io: setup.hears === 'datagrams' ? this.#engine : this.#streams,
      settings: setup.turn,
      shared: new TurnSharedState(setup.turn, setup.turnShared, setup.hashSeed),
      crypto: createTurnCrypto(),
      events: this.#events(),
      counters: counters.subarray(
        ENGINE_COUNTER_NAMES.length,
        ENGINE_COUNTER_NAMES.length + TURN_COUNTER_NAMES.length,
      ),
      unixMs: Date.now,
      hashSeed: setup.hashSeed,
    });
    for (const credential of setup.credentials) this.#turn.setUser(credential);
  }

  async start(): Promise<void> {
    const opened: OpenedListener[] = [];
    if (this.#setup.hears !== 'streams') this.#openDatagramListeners(opened);
    if (this.#setup.hears !== 'datagrams') await this.#openStreamListeners(opened);
    post({ say: 'ready', wakeDescriptor: this.#engine.wakeDescriptor, listeners: opened });
    if (this.#setup.engine === 'batch' && this.#setup.hears === 'datagrams') {
      this.#engine.run('blocking', [this.#turn], () => this.#takeCommands());
    } else {
      parentPort?.on('message', (request: WorkerRequest) => this.#obey(request));
      this.#engine.run('cooperative', [this.#turn], () => {});
    }
  }

  #openDatagramListeners(opened: OpenedListener[]): void {
    const { endpoints } = this.#engine;
    const local = endpoints.acquire();
    for (const [listener, { protocol, address, port }] of this.#setup.turn.listeners.entries()) {
      if (protocol !== 'udp') continue;
      endpoints.setText(local, address, port);
      const socket = this.#engine.openListener(local, this.#turn, TurnCore.listenerTag(listener));
      if (socket < 0) {
        throw new Error(`cannot listen on udp ${formatEndpoint(address, port)}: ${openFailure(socket)}`);
      }
      const { receiveBytes, sendBytes } = this.#engine.socketBuffers(socket);
      opened.push({ listener, receiveBufferBytes: receiveBytes, sendBufferBytes: sendBytes });
    }
    endpoints.release(local);
  }

  async #openStreamListeners(opened: OpenedListener[]): Promise<void> {
    const { tls, turn } = this.#setup;
    for (const [listener, { protocol, address, port }] of turn.listeners.entries()) {
      if (protocol === 'udp') continue;
      const identity = protocol === 'tls' && tls ? { tls } : {};
      const tag = TurnCore.listenerTag(listener);
      this.#streamListeners.push(
        await this.#streams.listen({ address, port, receiver: this.#turn, tag, ...identity }),
      );
      opened.push({ listener, receiveBufferBytes: null, sendBufferBytes: null });
    }
  }

  /** In a blocking engine the event loop does not run: messages are taken when the eventfd says so. */
  #takeCommands(): void {
    if (!parentPort) return;
    for (;;) {
      const received = receiveMessageOnPort(parentPort);
      if (received === undefined) return;
      this.#obey(received.message as WorkerRequest);
    }
  }

  #obey(request: WorkerRequest): void {
    try {
      post({ say: 'answer', id: request.id, value: this.#answer(request) });
    } catch (error) {
      post({
        say: 'refused',
        id: request.id,
        reason: error instanceof Error ? error.message : String(error),
      });
    }
  }

  #answer(request: WorkerRequest): unknown {
    switch (request.command) {
      case 'report':
        return inspect(this.#turn, request.allocationsMax, this.#engine.now());
      case 'set-user':
        this.#turn.setUser(request.credential);
        return null;
      case 'remove-user':
        return this.#turn.removeUser(request.name);
      case 'reload-tls':
        for (const listener of this.#streamListeners) {
          if (listener.protocol === 'tls') listener.reload(request.tls);
        }
        return null;
      case 'stop':
        this.#stop();
        return null;
    }
  }

  #stop(): void {
    this.#turn.close();
    this.#engine.flush();
    // Not removeAllListeners: Node keeps the port, and with it the thread, alive after that.
    parentPort?.unref();
    if (this.#setup.hears === 'datagrams') this.#engine.stop();
    // Connections write from the engine's memory: they go first.
    else void this.#streams.stop().then(() => this.#engine.stop());
  }

  #events(): TurnEvents {
    const { index, reportsAllocations } = this.#setup;
    return {
      allocated: (id) => {
        const allocation = reportsAllocations ? this.#turn.allocations.byId(id) : undefined;
        if (!allocation) return;
        const { endpoints } = this.#engine;
        post({
          say: 'allocated',
          allocation: `${index}-${id}`,
          client: endpoints.text(allocation.client),
          user: allocation.user,
          relayAddresses: allocation.relays.map((relay) =>
            endpoints.text(this.#turn.nat.shown(relay.endpoint)),
          ),
        });
      },
      ended: (id, reason) => {
        if (reportsAllocations) post({ say: 'ended', allocation: `${index}-${id}`, reason });
      },
      rateLimited: (address, droppedReplies) => post({ say: 'rate-limited', address, droppedReplies }),
    };
  }
}

function openFailure(outcome: number): string {
  if (outcome === OPEN_PORT_IN_USE) return 'the port is in use';
  if (outcome === OPEN_ADDRESS_UNAVAILABLE)
    return 'the address is not one of this host, or the port needs privileges';
  return 'no more sockets or memory';
}

function post(message: WorkerMessage): void {
  parentPort?.postMessage(message);
}

try {
  await new MediaWorker(workerData as WorkerSetup).start();
} catch (error) {
  post({ say: 'failed', reason: error instanceof Error ? error.message : String(error) });
}
