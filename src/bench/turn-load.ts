/**
 * One run against a TURN server: allocate relays, bind channels or install permissions, send at the
 * wanted rate and count, give the relays back. It knows sockets through {@link GeneratorIo} alone.
 */
import { formatEndpoint } from '../wire/address.ts';
import { CHANNEL_NUMBER_MIN } from '../wire/channel-data.ts';
import { drive, OVER } from './drive.ts';
import type { GeneratorIo } from './generator-io.ts';
import type { ServerSample } from './load-result.ts';
import { LoadError, type LoadMeasurement, type RunProgress, runLoad } from './load-run.ts';
import { Renewal } from './renewal.ts';
import { CONTROL_WAIT_NS, demandAll, runRequests } from './request-run.ts';
import { type RequestTally, RequestWindow, STUN_WAITS_MS } from './request-window.ts';
import { processCpuSeconds, processMemoryBytes } from './server-process.ts';
import { ALLOCATION_MISMATCH, TurnClient, TurnClientContext, type TurnOperation } from './turn-client.ts';
import type { TurnLoadOptions } from './turn-load-options.ts';
import { assembleResult, type TurnLoadResult } from './turn-result.ts';
import { type Flow, Traffic } from './turn-traffic.ts';

const NS_PER_MS = 1_000_000;
const NS_PER_SECOND = 1_000_000_000;
/** Giving relays back may not take longer than this; what is left expires at the server. */
const RELEASE_NS_MAX = 5 * NS_PER_SECOND;
/** How often clients that meet an old allocation try another port. */
const MISMATCH_ROUNDS_MAX = 5;
const CHANNELS = 4096;
/** A peer socket takes the packets of many flows. */
const PEER_BUFFER_BYTES = 8_388_608;
const CLIENT_BUFFER_BYTES = 1_048_576;

export class TurnLoad {
  readonly #io: GeneratorIo;
  readonly #options: TurnLoadOptions;
  readonly #isStopped: () => boolean;
  readonly #progress: (progress: RunProgress) => void;
  readonly #context: TurnClientContext;
  readonly #clients: TurnClient[] = [];
  readonly #clientSockets: number[] = [];
  readonly #peers: { readonly socket: number; readonly row: number }[] = [];
  /** By socket: the flow it is the client of, or -1 for a peer. */
  readonly #flowOf: number[] = [];
  /** Row of the server's address. */
  #server = -1;
  #requests: RequestWindow<TurnOperation>;
  #traffic: Traffic | undefined;

  /** `isStopped` is asked often and may come true at any time; the run then ends cleanly. */
  constructor(
    io: GeneratorIo,
    options: TurnLoadOptions,
    isStopped: () => boolean,
    progress: (progress: RunProgress) => void,
  ) {
    this.#io = io;
    this.#options = options;
    this.#isStopped = isStopped;
    this.#progress = progress;
    this.#context = new TurnClientContext(io.endpoints, options.credentials ?? undefined);
    this.#requests = this.#newRequests(options.allocationsPerSecond ?? Number.POSITIVE_INFINITY);
    io.receiver = (socket, bytes, offset, length, receivedNs) => {
      this.#receive(socket, bytes, offset, length, receivedNs);
    };
  }

  /** @throws LoadError if relays cannot be had; Error if sockets cannot be opened. */
  async run(): Promise<TurnLoadResult> {
    const startedAt = new Date();
    await this.#openSockets();
    const before = this.#sample();
    try {
      const cpuBefore = process.cpuUsage();
      const allocations = await this.#allocate();
      const cpu = process.cpuUsage(cpuBefore);
      let allocated = this.#sample();
      if (!this.#options.allocateOnly) demandAll('allocations', allocations);
      else await this.#hold();
      // CPU time until all were there; memory once the server has had time to tidy up.
      if (allocated) allocated = { ...allocated, memoryBytes: this.#sample()?.memoryBytes ?? 0 };
      const isLoaded = !this.#options.allocateOnly && !this.#isStopped();
      const bindings = isLoaded ? await this.#bind() : undefined;
      const load = isLoaded && !this.#isStopped() ? await this.#load() : undefined;
      return assembleResult({
        options: this.#options,
        startedAt,
        software: this.#context.software,
        sockets: this.#io.kind,
        allocations,
        allocatingCpuSeconds: (cpu.user + cpu.system) / 1e6,
        bindings,
        load,
        before,
        allocated,
        interrupted: this.#isStopped(),
      });
    } finally {
      await this.#release();
    }
  }

  async #openSockets(): Promise<void> {
    const { endpoints } = this.#io;
    const { flows, peerAddress, peerSockets, serverAddress, serverPort } = this.#options;
    this.#server = this.#row(serverAddress, serverPort);
    for (let flow = 0; flow < flows; flow++) await this.#openClient(flow);
    const own = endpoints.acquire();
    this.#io.localEndpoint(this.#clientSockets[0] as number, own);
    const address = peerAddress ?? endpoints.addressText(own);
    for (let i = 0; i < Math.min(peerSockets, flows); i++) {
      const row = this.#row(address, 0);
      const socket = await this.#io.open(row, -1, PEER_BUFFER_BYTES);
      this.#io.localEndpoint(socket, row);
      this.#flowOf[socket] = -1;
      this.#peers.push({ socket, row });
    }
    for (let flow = 0; flow < flows; flow++) {
      this.#clients.push(new TurnClient(this.#context, this.#peerOf(flow).row, channelOf(flow)));
    }
  }

  /**
   * Allocates all relays. A server may still hold an allocation of an earlier run for a port that
   * the system has given out again; such a client tries again from another one (RFC 8656 §7.4).
   */
  async #allocate(): Promise<Readonly<RequestTally>> {
    await this.#runOperation('allocate', 'allocating');
    const sum: RequestTally = { ...this.#requests.tally };
    for (let round = 0; round < MISMATCH_ROUNDS_MAX; round++) {
      const only = new Set<number>();
      for (const [flow, client] of this.#clients.entries()) {
        if (client.failureCode === ALLOCATION_MISMATCH) only.add(flow);
      }
      if (only.size === 0 || this.#isStopped()) break;
      for (const flow of only) await this.#openClient(flow);
      await this.#runOperation('allocate', 'allocating', { only });
      const again = this.#requests.tally;
      sum.done += again.done;
      sum.failed += again.failed - only.size;
      sum.retransmissions += again.retransmissions;
      sum.endedMs += again.endedMs - again.beganMs;
      sum.failures = again.failures;
    }
    return sum;
  }

  async #openClient(flow: number): Promise<void> {
    const socket = await this.#io.open(-1, this.#server, CLIENT_BUFFER_BYTES);
    this.#clientSockets[flow] = socket;
    this.#flowOf[socket] = flow;
  }

  /** Runs an operation over all clients; stops early when the run is stopped, unless it is the release. */
  async #runOperation(
    operation: TurnOperation,
    phase: 'allocating' | 'binding' | 'releasing',
    bounds: { nsMax?: number; only?: ReadonlySet<number> } = {},
  ): Promise<void> {
    const { serverAddress, serverPort } = this.#options;
    await runRequests(this.#io, this.#requests, operation, {
      phase,
      of: this.#clients.length,
      isStopped: operation === 'release' ? () => false : this.#isStopped,
      progress: this.#progress,
      ...(operation === 'allocate' ? { unproven: formatEndpoint(serverAddress, serverPort) } : {}),
      ...bounds,
    });
  }

  async #bind(): Promise<Readonly<RequestTally>> {
    this.#requests = this.#newRequests(Number.POSITIVE_INFINITY);
    await this.#runOperation(this.#binding(), 'binding');
    demandAll('bindings', this.#requests.tally);
    return this.#requests.tally;
  }

  async #load(): Promise<LoadMeasurement> {
    const { serverPid } = this.#options;
    const flows = this.#clients.map(
      (client, flow): Flow => ({
        clientSocket: this.#clientSockets[flow] as number,
        peerSocket: this.#peerOf(flow).socket,
        peer: this.#peerOf(flow).row,
        relay: client.relay,
        channel: channelOf(flow),
      }),
    );
    const runTag = 1 + Math.floor(Math.random() * 0xffff);
    this.#traffic = new Traffic(this.#io, flows, this.#options, runTag);
    const send = (client: number, request: Uint8Array): void => this.#sendRequest(client, request);
    const renewal = new Renewal(this.#clients, send, this.#binding(), this.#io.nowNs() / NS_PER_MS);
    this.#requests = renewal.requests;
    return runLoad(this.#io, this.#traffic, this.#options, {
      isStopped: this.#isStopped,
      housekeep: (nowMs) => renewal.step(nowMs),
      serverCpuSeconds: () => (serverPid === null ? undefined : processCpuSeconds(serverPid)),
      progress: this.#progress,
    });
  }

  /** Holds what is allocated, reading what comes. */
  async #hold(): Promise<void> {
    const endNs = this.#io.nowNs() + this.#options.holdSeconds * NS_PER_SECOND;
    await drive(this.#io, true, (nowNs) => (nowNs >= endNs || this.#isStopped() ? OVER : CONTROL_WAIT_NS));
  }

  /** Gives every relay back (Refresh with a lifetime of 0), and closes the sockets. */
  async #release(): Promise<void> {
    this.#requests.cancel();
    this.#requests = this.#newRequests(Number.POSITIVE_INFINITY);
    await this.#runOperation('release', 'releasing', { nsMax: RELEASE_NS_MAX });
    this.#io.close();
  }

  #receive(socket: number, bytes: Uint8Array, offset: number, length: number, receivedNs: number): void {
    const flow = this.#flowOf[socket] as number;
    if (flow < 0) {
      this.#traffic?.receiveFromRelay(socket, bytes, offset, length, receivedNs);
    } else if (!this.#traffic?.receiveFromServer(flow, bytes, offset, length, receivedNs)) {
      this.#requests.receive(flow, bytes, offset, length, this.#io.nowNs() / NS_PER_MS);
    }
  }

  #sendRequest(client: number, request: Uint8Array): void {
    const { bytes, sendOffset } = this.#io;
    bytes.set(request, sendOffset);
    // A request that the kernel refuses is one lost: it will be sent again.
    this.#io.send(this.#clientSockets[client] as number, sendOffset, request.length, -1);
  }

  #newRequests(operationsPerSecond: number): RequestWindow<TurnOperation> {
    const { outstandingMax } = this.#options;
    return new RequestWindow(this.#clients, (client, request) => this.#sendRequest(client, request), {
      outstandingMax,
      operationsPerSecond,
      waitsMs: STUN_WAITS_MS,
    });
  }

  #sample(): ServerSample | undefined {
    const { serverPid } = this.#options;
    if (serverPid === null) return undefined;
    return { cpuSeconds: processCpuSeconds(serverPid), memoryBytes: processMemoryBytes(serverPid) };
  }

  #binding(): 'bindChannel' | 'permit' {
    return this.#options.mode === 'channel' ? 'bindChannel' : 'permit';
  }

  #peerOf(flow: number): { readonly socket: number; readonly row: number } {
    return this.#peers[flow % this.#peers.length] as { socket: number; row: number };
  }

  #row(address: string, port: number): number {
    const row = this.#io.endpoints.acquire();
    if (!this.#io.endpoints.setText(row, address, port)) throw new LoadError(`not an IP address: ${address}`);
    return row;
  }
}

/** Every allocation has channel numbers of its own (RFC 8656 §12); different ones show mix-ups. */
function channelOf(flow: number): number {
  return CHANNEL_NUMBER_MIN + (flow % CHANNELS);
}

/** Rows of the endpoint book that a run needs: relays, peers, and a few. */
export function endpointsNeeded(options: TurnLoadOptions): number {
  return options.flows + options.peerSockets + 16;
}
