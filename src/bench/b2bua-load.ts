/**
 * One run against a B2BUA: set calls up over `ng`, send media at the wanted rate, check what arrives,
 * delete the calls. The generator is proxy, callers and callees; it knows sockets through
 * {@link GeneratorIo} alone.
 */
import type { Keystream } from '../b2bua/srtp/key-derivation.ts';
import { SrtpReceiver } from '../b2bua/srtp/srtp-receiver.ts';
import { SrtpSender } from '../b2bua/srtp/srtp-sender.ts';
import { suiteNamed } from '../b2bua/srtp/suites.ts';
import { formatEndpoint } from '../wire/address.ts';
import type { MediaCrypto } from '../wire/media-crypto.ts';
import {
  B2buaCall,
  type CallCommand,
  type CallEndpoint,
  type CallOperation,
  type CallSettings,
  callOfReply,
  type EndpointMedia,
  NG_WAITS_MS,
} from './b2bua-call.ts';
import type { B2buaLoadOptions } from './b2bua-load-options.ts';
import { assembleB2buaResult, type B2buaLoadResult } from './b2bua-result.ts';
import { type MediaStream, MediaTraffic } from './b2bua-traffic.ts';
import type { GeneratorIo } from './generator-io.ts';
import { LatencyHistogram } from './histogram.ts';
import type { ServerSample } from './load-result.ts';
import { LoadError, type LoadMeasurement, type RunProgress, runLoad } from './load-run.ts';
import { demandAll, runRequests } from './request-run.ts';
import { type RequestTally, RequestWindow } from './request-window.ts';
import { processCpuSeconds, processMemoryBytes } from './server-process.ts';

/** What encrypts and decrypts packets in the generator's memory. */
export interface LoadCrypto {
  readonly media: MediaCrypto;
  readonly keystream: Keystream;
}

/** The media sockets of a call's two endpoints. */
interface SocketPair {
  readonly callerSocket: number;
  readonly calleeSocket: number;
}

const NS_PER_MS = 1_000_000;
const NS_PER_SECOND = 1_000_000_000;
/** Deleting calls may not take longer than this; what is left times out at the engine. */
const RELEASE_NS_MAX = 10 * NS_PER_SECOND;
const NG_BUFFER_BYTES = 8_388_608;
const MEDIA_BUFFER_BYTES = 1_048_576;
/** Stands for the socket of `ng` among the streams. */
const CONTROL = -1;

export class B2buaLoad {
  readonly #io: GeneratorIo;
  readonly #crypto: LoadCrypto;
  readonly #options: B2buaLoadOptions;
  readonly #isStopped: () => boolean;
  readonly #progress: (progress: RunProgress) => void;
  readonly #settings: CallSettings;
  readonly #calls: B2buaCall[] = [];
  /** A pair for each call, or, without media, for each command under way. */
  readonly #pairs: SocketPair[] = [];
  /** By socket: the stream that arrives at it, or {@link CONTROL}. */
  readonly #streamOf: number[] = [];
  readonly #latencies: Readonly<Record<CallCommand, LatencyHistogram>> = {
    offer: new LatencyHistogram(),
    answer: new LatencyHistogram(),
    delete: new LatencyHistogram(),
  };
  /** By call: the request last timed, and when it was first sent. */
  readonly #timed: Uint8Array[] = [];
  readonly #sentNs: Float64Array;
  #ngSocket = -1;
  #requests: RequestWindow<CallOperation>;
  #traffic: MediaTraffic | undefined;
  #isReleased = false;

  /** `isStopped` is asked often and may come true at any time; the run then ends cleanly. */
  constructor(
    io: GeneratorIo,
    crypto: LoadCrypto,
    options: B2buaLoadOptions,
    isStopped: () => boolean,
    progress: (progress: RunProgress) => void,
  ) {
    this.#io = io;
    this.#crypto = crypto;
    this.#options = options;
    this.#isStopped = isStopped;
    this.#progress = progress;
    this.#settings = {
      runName: `bench${Math.floor(Math.random() * 2 ** 32).toString(16)}`,
      caller: options.caller === null ? null : (suiteNamed(options.caller) ?? null),
      callee: options.callee === null ? null : (suiteNamed(options.callee) ?? null),
      zones: options.zones,
    };
    this.#sentNs = new Float64Array(options.calls);
    this.#requests = this.#newRequests(options.callsPerSecond);
    io.receiver = (socket, bytes, offset, length, receivedNs) => {
      this.#receive(socket, bytes, offset, length, receivedNs);
    };
  }

  /** @throws LoadError if calls cannot be had; Error if sockets cannot be opened. */
  async run(): Promise<B2buaLoadResult> {
    const options = this.#options;
    const startedAt = new Date();
    await this.#openSockets();
    const before = this.#sample();
    try {
      const cpuBefore = process.cpuUsage();
      const setup = await this.#setUp();
      const cpu = process.cpuUsage(cpuBefore);
      const after = this.#sample();
      if (!options.setupOnly && !this.#isStopped()) demandAll('calls', setup);
      const isLoaded = !options.setupOnly && !this.#isStopped();
      const load = isLoaded ? await this.#load() : undefined;
      await this.#release();
      const deletions = this.#requests.tally;
      return assembleB2buaResult({
        options,
        startedAt,
        sockets: this.#io.kind,
        setup,
        setupCpuSeconds: (cpu.user + cpu.system) / 1e6,
        latencies: this.#latencies,
        deletions,
        isKeyPassedThrough: this.#calls.some((call) => call.isKeyPassedThrough),
        load,
        before,
        after,
        interrupted: this.#isStopped(),
      });
    } finally {
      await this.#release();
      this.#io.close();
    }
  }

  async #openSockets(): Promise<void> {
    const { endpoints } = this.#io;
    const { calls, mediaAddress, ngAddress, ngPort, outstandingMax, setupOnly } = this.#options;
    this.#ngSocket = await this.#io.open(-1, this.#row(ngAddress, ngPort), NG_BUFFER_BYTES);
    this.#streamOf[this.#ngSocket] = CONTROL;
    const row = this.#row(ngAddress, 0);
    this.#io.localEndpoint(this.#ngSocket, row);
    const address = mediaAddress ?? endpoints.addressText(row);
    const pairs = setupOnly ? Math.min(calls, outstandingMax) : calls;
    const at: CallEndpoint[] = [];
    const open = async (stream: number): Promise<number> => {
      endpoints.setText(row, address, 0);
      const socket = await this.#io.open(row, -1, MEDIA_BUFFER_BYTES);
      this.#io.localEndpoint(socket, row);
      this.#streamOf[socket] = stream;
      at.push({ address, port: endpoints.port(row) });
      return socket;
    };
    for (let pair = 0; pair < pairs; pair++) {
      // What comes to the caller goes down, what comes to the callee goes up.
      const callerSocket = await open(pair * 2 + 1);
      this.#pairs.push({ callerSocket, calleeSocket: await open(pair * 2) });
    }
    for (let call = 0; call < calls; call++) {
      const pair = (call % pairs) * 2;
      const [callerAt, calleeAt] = [at[pair] as CallEndpoint, at[pair + 1] as CallEndpoint];
      this.#calls.push(new B2buaCall(this.#settings, call, callerAt, calleeAt));
    }
  }

  async #setUp(): Promise<Readonly<RequestTally>> {
    const { ngAddress, ngPort, setupOnly } = this.#options;
    await runRequests(this.#io, this.#requests, setupOnly ? 'cycle' : 'establish', {
      phase: 'setting up',
      of: this.#calls.length,
      isStopped: this.#isStopped,
      progress: this.#progress,
      unproven: formatEndpoint(ngAddress, ngPort),
    });
    return this.#requests.tally;
  }

  async #load(): Promise<LoadMeasurement> {
    const { direction, serverPid } = this.#options;
    const streams = this.#calls.flatMap((call, index) => this.#streamsOf(call, index));
    const runTag = 1 + Math.floor(Math.random() * 0xffff);
    const traffic = new MediaTraffic(this.#io, streams, direction, runTag);
    this.#traffic = traffic;
    return runLoad(this.#io, traffic, this.#options, {
      isStopped: this.#isStopped,
      housekeep: () => {},
      serverCpuSeconds: () => (serverPid === null ? undefined : processCpuSeconds(serverPid)),
      progress: this.#progress,
    });
  }

  /** Up and down. */
  #streamsOf(call: B2buaCall, index: number): [MediaStream, MediaStream] {
    const { callerSocket, calleeSocket } = this.#pairs[index] as SocketPair;
    if (!call.media) throw new Error(`call ${index} is not established`);
    const { callee, caller } = call.media;
    return [this.#stream(callerSocket, caller, callee), this.#stream(calleeSocket, callee, caller)];
  }

  #stream(sendSocket: number, from: EndpointMedia, to: EndpointMedia): MediaStream {
    const { keystream, media } = this.#crypto;
    const { bytes } = this.#io;
    const sends = from.srtp;
    const receives = to.srtp?.receives;
    return {
      sendSocket,
      destination: this.#row(from.remote.address, from.remote.port),
      sender: sends
        ? new SrtpSender(media, bytes, keystream, sends.suite, sends.sends.key, sends.sends.salt)
        : undefined,
      receiver: receives
        ? new SrtpReceiver(media, bytes, keystream, receives.suite, receives.keys)
        : undefined,
    };
  }

  /** Deletes every call that the engine may still know, unless it has never answered. */
  async #release(): Promise<void> {
    if (this.#isReleased || this.#latencies.offer.count === 0) return;
    this.#isReleased = true;
    this.#requests.cancel();
    this.#requests = this.#newRequests(null);
    await runRequests(this.#io, this.#requests, 'release', {
      phase: 'deleting',
      of: this.#calls.length,
      isStopped: () => false,
      progress: this.#progress,
      nsMax: RELEASE_NS_MAX,
    });
  }

  #receive(socket: number, bytes: Uint8Array, offset: number, length: number, receivedNs: number): void {
    const stream = this.#streamOf[socket] as number;
    if (stream !== CONTROL) this.#traffic?.receive(stream, offset, length, receivedNs);
    else this.#receiveReply(bytes, offset, length, receivedNs);
  }

  #receiveReply(bytes: Uint8Array, offset: number, length: number, receivedNs: number): void {
    const index = callOfReply(bytes, offset, length);
    const call = this.#calls[index];
    if (!call) return;
    const { command } = call;
    const latencyNs = receivedNs - (this.#sentNs[index] as number);
    const outcome = this.#requests.receive(index, bytes, offset, length, this.#io.nowNs() / NS_PER_MS);
    if (outcome !== 'unrelated') this.#latencies[command].record(latencyNs);
  }

  #sendRequest(index: number, request: Uint8Array): void {
    const io = this.#io;
    // A request that is sent again is timed from the first time.
    if (this.#timed[index] !== request) {
      this.#timed[index] = request;
      this.#sentNs[index] = io.nowNs();
    }
    io.bytes.set(request, io.sendOffset);
    // What the kernel refuses is lost: it will be sent again.
    io.send(this.#ngSocket, io.sendOffset, request.length, -1);
  }

  #newRequests(callsPerSecond: number | null): RequestWindow<CallOperation> {
    return new RequestWindow(this.#calls, (call, request) => this.#sendRequest(call, request), {
      outstandingMax: this.#options.outstandingMax,
      operationsPerSecond: callsPerSecond ?? Number.POSITIVE_INFINITY,
      waitsMs: NG_WAITS_MS,
    });
  }

  #sample(): ServerSample | undefined {
    const { serverPid } = this.#options;
    if (serverPid === null) return undefined;
    return { cpuSeconds: processCpuSeconds(serverPid), memoryBytes: processMemoryBytes(serverPid) };
  }

  #row(address: string, port: number): number {
    const row = this.#io.endpoints.acquire();
    if (!this.#io.endpoints.setText(row, address, port)) throw new LoadError(`not an IP address: ${address}`);
    return row;
  }
}

/** Rows of the endpoint book that a run needs: the engine's address for each stream, and a few. */
export function endpointsNeeded(options: B2buaLoadOptions): number {
  return options.calls * 2 + 16;
}
