/**
 * A media worker: one thread with one engine and its cores. It opens its listeners, says `ready`, and
 * from then on answers commands between batches.
 */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { B2buaCore } from '../b2bua/core.ts';
import { B2BUA_COUNTER_NAMES } from '../b2bua/counters.ts';
import type { NgDictionary } from '../b2bua/ng-request.ts';
import { B2buaSharedState } from '../b2bua/shared-state.ts';
import { createEngine } from '../net/choose-engine.ts';
import { ENGINE_COUNTER_NAMES, type Engine } from '../net/engine.ts';
import { StreamIo } from '../net/stream-io.ts';
import { DEFAULT_STREAM_LIMITS } from '../net/stream-limits.ts';
import type { StreamListener } from '../net/stream-listener.ts';
import { TURN_COUNTER_NAMES } from '../turn/counters.ts';
import { inspect, type TurnReport } from '../turn/inspect.ts';
import { TurnCore } from '../turn/server.ts';
import type { TurnEvents } from '../turn/settings.ts';
import { TurnSharedState } from '../turn/shared-state.ts';
import { formatEndpoint } from '../wire/address.ts';
import {
  type DatagramReceiver,
  OPEN_ADDRESS_UNAVAILABLE,
  OPEN_PORT_IN_USE,
  QUEUED_SENDS_MAX,
} from '../wire/datagram-io.ts';
import { createB2buaCrypto } from './b2bua-crypto.ts';
import { createNodeMediaCrypto } from './node-media-crypto.ts';
import { ownMedia } from './own-media.ts';
import { createTurnCrypto } from './turn-crypto.ts';
import type {
  B2buaPart,
  OpenedListener,
  TurnPart,
  WorkerMessage,
  WorkerRequest,
  WorkerSetup,
} from './worker-messages.ts';

/** Rows of the endpoint book beside those of allocations, streams and calls: scratch rows of the cores. */
const SPARE_ENDPOINTS = QUEUED_SENDS_MAX + 256;
const FIRST_TURN_COUNTER = ENGINE_COUNTER_NAMES.length;
const FIRST_B2BUA_COUNTER = FIRST_TURN_COUNTER + TURN_COUNTER_NAMES.length;

class MediaWorker {
  readonly #setup: WorkerSetup;
  readonly #counters: Float64Array;
  readonly #engine: Engine;
  /** Undefined where this thread hears no streams. */
  readonly #streams: StreamIo | undefined;
  readonly #turn: TurnCore | undefined;
  readonly #b2bua: B2buaCore | undefined;
  readonly #streamListeners: StreamListener[] = [];
  #slowCryptoReason: string | null = null;

  constructor(setup: WorkerSetup) {
    this.#setup = setup;
    this.#counters = new Float64Array(setup.counters);
    const engineCounters = this.#counters.subarray(0, FIRST_TURN_COUNTER);
    this.#engine = createEngine(setup.engine, {
      endpoints: endpointRows(setup),
      counters: engineCounters,
      listenerBufferBytes: setup.listenerBufferBytes,
      relayBufferBytes: setup.relayBufferBytes,
      pauseMicrosecondsMax: setup.pauseMicrosecondsMax,
    });
    if (setup.turn && setup.hears !== 'datagrams') {
      const limits = { ...DEFAULT_STREAM_LIMITS, ...setup.turn.streams };
      this.#streams = new StreamIo(this.#engine, engineCounters, limits);
    }
    this.#turn = setup.turn && this.#createTurn(setup.turn);
    this.#b2bua = setup.b2bua && this.#createB2bua(setup.b2bua);
  }

  async start(): Promise<void> {
    const opened: OpenedListener[] = [];
    if (this.#setup.hears !== 'streams') this.#openDatagramListeners(opened);
    if (this.#setup.hears !== 'datagrams') await this.#openStreamListeners(opened);
    this.#openMultiplexedPorts();
    post({
      say: 'ready',
      wakeDescriptor: this.#engine.wakeDescriptor,
      listeners: opened,
      slowCryptoReason: this.#slowCryptoReason,
    });
    const receivers: DatagramReceiver[] = [];
    if (this.#turn) receivers.push(this.#turn);
    if (this.#b2bua) receivers.push(this.#b2bua);
    if (this.#setup.engine === 'batch' && this.#setup.hears === 'datagrams') {
      this.#engine.run('blocking', receivers, () => this.#takeCommands());
    } else {
      parentPort?.on('message', (request: WorkerRequest) => this.#obey(request));
      this.#engine.run('cooperative', receivers, () => {});
    }
  }

  #createTurn(part: TurnPart): TurnCore {
    const turn = new TurnCore({
      // Only a thread that hears streams pays for telling them apart.
      io: this.#streams ?? this.#engine,
      settings: part.settings,
      shared: new TurnSharedState(part.settings, part.shared, this.#setup.hashSeed),
      crypto: createTurnCrypto(),
      events: this.#turnEvents(part.reportsAllocations),
      counters: this.#counters.subarray(FIRST_TURN_COUNTER, FIRST_B2BUA_COUNTER),
      unixMs: Date.now,
      hashSeed: this.#setup.hashSeed,
      isOwnMedia: ownMedia(this.#setup.ownMedia, part.settings, this.#engine.endpoints),
    });
    for (const credential of part.credentials) turn.setUser(credential);
    return turn;
  }

  #createB2bua(part: B2buaPart): B2buaCore {
    const fast = this.#engine.mediaCrypto();
    if (typeof fast === 'string') this.#slowCryptoReason = fast;
    return new B2buaCore({
      io: this.#engine,
      settings: part.settings,
      shared: new B2buaSharedState(part.settings, part.shared),
      crypto: createB2buaCrypto(),
      mediaCrypto: typeof fast === 'string' ? createNodeMediaCrypto(this.#engine.bytes) : fast,
      events: {
        callEnded: (call) => post({ say: 'call-ended', json: JSON.stringify(call) }),
        unknownFlag: (text) => post({ say: 'unknown-flag', text }),
      },
      counters: this.#counters.subarray(
        FIRST_B2BUA_COUNTER,
        FIRST_B2BUA_COUNTER + B2BUA_COUNTER_NAMES.length,
      ),
      zoneCounters: new Float64Array(this.#setup.zoneCounters),
      unixMs: Date.now,
      hashSeed: this.#setup.hashSeed,
      idPrefix: `${this.#setup.index}-`,
    });
  }

  /** The ports that all streams of a zone share; this worker's pair of them. */
  #openMultiplexedPorts(): void {
    const b2bua = this.#b2bua;
    for (const [place, zone] of this.#setup.b2bua?.settings.zones.entries() ?? []) {
      const address = zone.addresses[0];
      if (!b2bua || !zone.multiplexedPorts || !address) continue;
      const [rtp, rtcp] = zone.multiplexedPorts;
      const open = (port: number): number =>
        this.#openListener(address.address, port, b2bua, B2buaCore.sharedTag);
      b2bua.useMultiplexed(place, { ports: [rtp, rtcp], sockets: [open(rtp), open(rtcp)] });
    }
  }

  #openListener(address: string, port: number, receiver: DatagramReceiver, tag: number): number {
    const { endpoints } = this.#engine;
    const local = endpoints.acquire();
    endpoints.setText(local, address, port);
    const socket = this.#engine.openListener(local, receiver, tag);
    endpoints.release(local);
    if (socket >= 0) return socket;
    throw new Error(`cannot listen on udp ${formatEndpoint(address, port)}: ${openFailure(socket)}`);
  }

  #openDatagramListeners(opened: OpenedListener[]): void {
    const turn = this.#turn;
    for (const [listener, { protocol, address, port }] of this.#setup.turn?.settings.listeners.entries() ??
      []) {
      if (protocol !== 'udp' || !turn) continue;
      const socket = this.#openListener(address, port, turn, TurnCore.listenerTag(listener));
      const { receiveBytes, sendBytes } = this.#engine.socketBuffers(socket);
      opened.push({ listener, receiveBufferBytes: receiveBytes, sendBufferBytes: sendBytes });
    }
  }

  async #openStreamListeners(opened: OpenedListener[]): Promise<void> {
    const turn = this.#turn;
    const tls = this.#setup.turn?.tls;
    for (const [listener, { protocol, address, port }] of this.#setup.turn?.settings.listeners.entries() ??
      []) {
      if (protocol === 'udp' || !turn || !this.#streams) continue;
      const identity = protocol === 'tls' && tls ? { tls } : {};
      const tag = TurnCore.listenerTag(listener);
      this.#streamListeners.push(
        await this.#streams.listen({ address, port, receiver: turn, tag, ...identity }),
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
    const nowMs = this.#engine.now();
    switch (request.command) {
      case 'report':
        return this.#turn ? inspect(this.#turn, request.allocationsMax, nowMs) : NO_ALLOCATIONS;
      case 'relay-evidence':
        return this.#turn?.relayEvidence(request.addresses, nowMs) ?? [];
      case 'set-user':
        this.#turn?.setUser(request.credential);
        return null;
      case 'remove-user':
        return this.#turn?.removeUser(request.name) ?? 0;
      case 'ng':
        return this.#command(request.json, nowMs);
      case 'peer-relays':
        this.#b2bua?.calls.own.setPeerRelays(request.ranges);
        return null;
      case 'calls':
        return this.#b2bua?.report(request.callsMax, nowMs) ?? [];
      case 'call':
        return this.#b2bua?.reportOne(request.reference, nowMs) ?? null;
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

  #command(json: string, nowMs: number): string {
    if (!this.#b2bua) throw new Error('this worker has no calls');
    const reply = JSON.stringify(this.#b2bua.command(JSON.parse(json) as NgDictionary, nowMs));
    // What a command closed may have had packets queued, and its rows are free for the next one only then.
    this.#engine.flush();
    return reply;
  }

  #stop(): void {
    this.#turn?.close();
    this.#b2bua?.close();
    this.#engine.flush();
    // Not removeAllListeners: Node keeps the port, and with it the thread, alive after that.
    parentPort?.unref();
    // Connections write from the engine's memory: they go first.
    if (this.#streams) void this.#streams.stop().then(() => this.#engine.stop());
    else this.#engine.stop();
  }

  #turnEvents(reportsAllocations: boolean): TurnEvents {
    const { index } = this.#setup;
    return {
      allocated: (id) => {
        const turn = this.#turn;
        const allocation = reportsAllocations ? turn?.allocations.byId(id) : undefined;
        if (!turn || !allocation) return;
        const { endpoints } = this.#engine;
        post({
          say: 'allocated',
          allocation: `${index}-${id}`,
          client: endpoints.text(allocation.client),
          user: allocation.user,
          relayAddresses: allocation.relays.map((relay) => endpoints.text(turn.nat.shown(relay.endpoint))),
        });
      },
      ended: (id, reason) => {
        if (reportsAllocations) post({ say: 'ended', allocation: `${index}-${id}`, reason });
      },
      rateLimited: (address, droppedReplies) => post({ say: 'rate-limited', address, droppedReplies }),
    };
  }
}

const NO_ALLOCATIONS: TurnReport = { allocations: [], allocationsTotal: 0, clientAddresses: [] };

function endpointRows({ turn, b2bua }: WorkerSetup): number {
  let rows = SPARE_ENDPOINTS;
  if (turn) {
    const { limits } = turn.settings;
    rows += limits.relays * (2 + limits.permissionsPerRelay + limits.channelsPerRelay);
    rows += turn.streams.connections;
  }
  if (b2bua) rows += B2buaCore.endpointRows(b2bua.settings);
  return rows;
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
