/**
 * A TURN node on the simulated network: one or more workers that share what the workers of a real
 * node share, clients, peers, and an account of all that must be given back.
 */
import { createHash, createHmac } from 'node:crypto';
import { seededRandom } from '../../lab/network/simulated/seeded-random.ts';
import { TURN, TURN_COUNTER_NAMES, type TurnCounterName } from '../../src/turn/counters.ts';
import { TurnCore } from '../../src/turn/server.ts';
import type {
  AllocationEnd,
  ListenerSettings,
  TurnCrypto,
  TurnLimits,
  TurnSettings,
} from '../../src/turn/settings.ts';
import { TurnSharedState } from '../../src/turn/shared-state.ts';
import { type Prefix, parsePrefix } from '../../src/wire/address.ts';
import { SimDescriptors, SimIo, type SimStream } from './sim-io.ts';
import { type Place, SimNetwork, type SimSocket } from './sim-network.ts';
import { type Credentials, TurnTestClient } from './turn-client.ts';

export const NODE_IPV4 = '198.51.100.1';
export const NODE_IPV6 = '2001:db8::1';
export const ALICE: Credentials = { name: 'alice', password: 'wonderland' };
export const BOB: Credentials = { name: 'bob', password: 'builder' };
export const REALM = 'TANDBERG';
/** Unix time at the start of every simulation, milliseconds. */
export const UNIX_START_MS = 1_800_000_000_000;

const SWEEP_MS = 1000;
const HASH_SEED = 0x5eed;

export interface SimOptions {
  readonly seed?: number;
  readonly workers?: number;
  readonly settings?: Partial<TurnSettings>;
  readonly limits?: Partial<TurnLimits>;
  readonly allow?: readonly string[];
  readonly deny?: readonly string[];
  readonly refusal?: 'error' | 'silent';
  /** Static NAT: the node lives at the internal address 10.0.0.5 and is known by {@link NODE_IPV4}. */
  readonly staticNat?: boolean;
  readonly endpointRows?: number;
  readonly users?: readonly Credentials[];
  readonly canSetDontFragment?: boolean;
  /** Packets that an engine holds at once. */
  readonly slots?: number;
  /** Whether the B2BUA of the same host has the port open. */
  readonly isOwnMedia?: (place: Place) => boolean;
}

export interface Worker {
  readonly io: SimIo;
  readonly core: TurnCore;
  /** What the core was given. */
  readonly crypto: TurnCrypto;
  readonly counters: Float64Array;
  /** Rows and sockets in use while nothing is going on. */
  readonly idleRows: number;
  readonly idleSockets: number;
}

export interface Ended {
  readonly worker: number;
  readonly id: number;
  readonly reason: AllocationEnd;
}

/** Somebody who speaks plain UDP. */
export interface Peer {
  readonly place: Place;
  received: { readonly data: string; readonly from: Place }[];
  send(to: Place, data: string): void;
  close(): void;
}

export class TurnSim {
  readonly network: SimNetwork;
  readonly settings: TurnSettings;
  readonly shared: TurnSharedState;
  readonly descriptors: SimDescriptors = new SimDescriptors();
  readonly workers: Worker[] = [];
  readonly ended: Ended[] = [];
  readonly rateLimited: { readonly address: string; readonly replies: number }[] = [];
  /** Address that the node's sockets are bound to. */
  readonly nodeAddress: string;
  readonly #idleListeners: number;
  #nextPort = 40_000;

  constructor(options: SimOptions = {}) {
    this.network = new SimNetwork(options.seed ?? 1);
    this.nodeAddress = options.staticNat ? '10.0.0.5' : NODE_IPV4;
    if (options.staticNat) this.network.addStaticNat(this.nodeAddress, NODE_IPV4);
    this.settings = settingsOf(options, this.nodeAddress);
    const bytes = TurnSharedState.bytes(this.settings);
    this.shared = new TurnSharedState(this.settings, new SharedArrayBuffer(bytes), HASH_SEED);
    const random = seededRandom((options.seed ?? 1) + 99);
    for (let i = 0; i < (options.workers ?? 1); i++) {
      this.workers.push(this.#createWorker(i, random, options));
    }
    this.#idleListeners = this.#boundSockets();
    this.#keepSweeping();
  }

  /** The first worker's, where there is but one. */
  get worker(): Worker {
    return this.workers[0] as Worker;
  }

  get listener(): Place {
    return { address: NODE_IPV4, port: 3478 };
  }

  /** A counter, summed over all workers. */
  counter(name: TurnCounterName): number {
    return this.workers.reduce((sum, { counters }) => sum + (counters[TURN[name]] as number), 0);
  }

  get allocations(): number {
    return this.workers.reduce((sum, { core }) => sum + core.allocations.size, 0);
  }

  /** A UDP client; `worker` picks its port so that its packets are steered there. */
  client(
    options: {
      address?: string;
      port?: number;
      worker?: number;
      credentials?: Credentials | undefined;
      listener?: Place;
    } = {},
  ): TurnTestClient {
    const address = options.address ?? '203.0.113.10';
    const isIPv4 = !address.includes(':');
    const server = options.listener ?? { address: isIPv4 ? NODE_IPV4 : NODE_IPV6, port: 3478 };
    const bound = { address: isIPv4 ? this.nodeAddress : NODE_IPV6, port: server.port };
    let port = options.port ?? this.#nextPort++;
    while (
      options.worker !== undefined &&
      this.network.steer({ address, port }, bound, this.workers.length) !== options.worker
    ) {
      port = this.#nextPort++;
    }
    const wire = {
      place: { address, port },
      onMessage: (_: Uint8Array): void => {},
      send: (bytes: Uint8Array): void => this.network.send(socket, bytes, server),
    };
    const socket = this.#socket(wire.place, (bytes) => wire.onMessage(bytes));
    return new TurnTestClient(this.network, wire, 'credentials' in options ? options.credentials : ALICE);
  }

  /** A client over TCP or TLS (listener 2 of the settings). */
  streamClient(
    address = '203.0.113.20',
    credentials: Credentials | undefined = ALICE,
  ): TurnTestClient & { readonly wire: SimStream } {
    const { io, core } = this.worker;
    const stream = io.acceptStream({ address, port: this.#nextPort++ }, core, TurnCore.listenerTag(2));
    return new TurnTestClient(this.network, stream, credentials) as TurnTestClient & {
      readonly wire: SimStream;
    };
  }

  peer(address = '192.0.2.50', port: number = this.#nextPort++): Peer {
    const peer: Peer = {
      place: { address, port },
      received: [],
      send: (to, data) => this.network.send(socket, Buffer.from(data, 'latin1'), to),
      close: () => this.network.unbind(socket),
    };
    const socket = this.#socket(peer.place, (bytes, from) => {
      peer.received.push({ data: Buffer.from(bytes).toString('latin1'), from });
    });
    return peer;
  }

  run(durationMs: number): void {
    this.network.run(durationMs);
  }

  setUser(credentials: Credentials): void {
    for (const { core } of this.workers) core.setUser(credentials);
  }

  removeUser(name: string): number {
    return this.workers.reduce((ended, { core }) => ended + core.removeUser(name), 0);
  }

  /** What is held beyond the idle state, by name; an empty list after everything has ended. */
  held(): string[] {
    const held: string[] = [];
    const expect = (name: string, is: number, idle: number): void => {
      if (is !== idle) held.push(`${name}: ${is} instead of ${idle}`);
    };
    for (const [i, { io, core, idleRows, idleSockets }] of this.workers.entries()) {
      expect(`worker ${i}, endpoint rows`, io.endpoints.acquired, idleRows);
      expect(`worker ${i}, sockets`, io.openSockets, idleSockets);
      expect(`worker ${i}, allocations`, core.allocations.size, 0);
      expect(`worker ${i}, permissions`, core.allocations.permissions.size, 0);
      expect(`worker ${i}, channels`, core.allocations.channels.size, 0);
    }
    expect('bound sockets', this.#boundSockets(), this.#idleListeners);
    expect('detached sockets', this.descriptors.size, 0);
    expect('relays in the quota', this.shared.quota.relays, 0);
    for (const [index, { address }] of this.settings.relayAddresses.entries()) {
      const ports = this.settings.relayPorts[1] - this.settings.relayPorts[0] + 1;
      expect(`free ports of ${address}`, this.#claimable(index), ports);
    }
    return held;
  }

  /** Ends all allocations, lets reservations run out, and says what is still held. */
  end(): string[] {
    for (const { core } of this.workers) core.close();
    this.run(31_000);
    return this.held();
  }

  /** Counts the free ports by claiming every one of them, and gives them back. */
  #claimable(relayAddress: number): number {
    const claimed: number[] = [];
    for (;;) {
      const port = this.shared.portClaims.claim(relayAddress, 'any', () => 0);
      if (port === 0) break;
      claimed.push(port);
    }
    for (const port of claimed) this.shared.portClaims.release(relayAddress, port);
    return claimed.length;
  }

  #boundSockets(): number {
    return this.network.socketsAt(this.nodeAddress) + this.network.socketsAt(NODE_IPV6);
  }

  #socket(place: Place, receive: (bytes: Uint8Array, from: Place) => void): SimSocket {
    const socket = this.network.bind(place, { receive });
    if (socket === undefined) throw new Error(`${place.address}:${place.port} is taken`);
    return socket;
  }

  #createWorker(index: number, random: () => number, options: SimOptions): Worker {
    const io = new SimIo(this.network, this.descriptors, options.endpointRows ?? 8192, options.slots);
    io.canSetDontFragment = options.canSetDontFragment ?? true;
    const counters = new Float64Array(TURN_COUNTER_NAMES.length);
    const crypto = simCrypto(random);
    const { isOwnMedia } = options;
    const { endpoints } = io;
    const core = new TurnCore({
      io,
      settings: this.settings,
      shared: this.shared,
      crypto,
      events: {
        allocated: () => {},
        ended: (id, reason) => this.ended.push({ worker: index, id, reason }),
        rateLimited: (address, replies) => this.rateLimited.push({ address, replies }),
      },
      counters,
      unixMs: () => UNIX_START_MS + this.network.nowMs,
      hashSeed: HASH_SEED,
      ...(isOwnMedia && {
        isOwnMedia: (row) => isOwnMedia({ address: endpoints.addressText(row), port: endpoints.port(row) }),
      }),
    });
    io.addReceiver(core);
    for (const user of options.users ?? [ALICE, BOB]) core.setUser(user);
    for (const [listener, { protocol, address, port }] of this.settings.listeners.entries()) {
      if (protocol !== 'udp') continue;
      const row = io.endpoints.acquire();
      io.endpoints.setText(row, address, port);
      const socket = io.openListener(row, core, TurnCore.listenerTag(listener));
      io.endpoints.release(row);
      if (socket < 0) throw new Error(`listener ${listener} did not open: ${socket}`);
    }
    return { io, core, crypto, counters, idleRows: io.endpoints.acquired, idleSockets: io.openSockets };
  }

  #keepSweeping(): void {
    this.network.after(SWEEP_MS, () => {
      for (const { io } of this.workers) io.sweep();
      this.#keepSweeping();
    });
  }
}

/** Real hashes, and randomness from a seed so that a scenario repeats exactly. */
export function simCrypto(random: () => number): TurnCrypto {
  return {
    hmac: (algorithm, key, bytes, offset, length) =>
      createHmac(algorithm, key)
        .update(bytes.subarray(offset, offset + length))
        .digest(),
    digest: (algorithm, text) => createHash(algorithm).update(text).digest(),
    randomFill: (bytes) => {
      for (let i = 0; i < bytes.length; i++) bytes[i] = Math.floor(random() * 256);
    },
    randomBelow: (bound) => Math.floor(random() * bound),
  };
}

export function prefixesOf(texts: readonly string[]): Prefix[] {
  return texts.map((text) => {
    const prefix = parsePrefix(text);
    if (prefix === undefined) throw new Error(`no prefix: ${text}`);
    return prefix;
  });
}

function settingsOf(options: SimOptions, nodeAddress: string): TurnSettings {
  const listeners: ListenerSettings[] = [
    { protocol: 'udp', address: nodeAddress, port: 3478, relayIPv4: 0, relayIPv6: 1 },
    { protocol: 'udp', address: NODE_IPV6, port: 3478, relayIPv4: 0, relayIPv6: 1 },
    { protocol: 'tcp', address: nodeAddress, port: 3478, relayIPv4: 0, relayIPv6: 1 },
  ];
  return {
    realm: REALM,
    authentication: true,
    unauthenticatedBinding: true,
    sharedSecret: undefined,
    nonceKey: Uint8Array.from({ length: 32 }, (_, i) => i * 7 + 1),
    lifetimeSecondsMax: 3600,
    relayPorts: [24_000, 24_199],
    relayAddresses: [
      { address: nodeAddress, external: options.staticNat ? NODE_IPV4 : undefined },
      { address: NODE_IPV6, external: undefined },
    ],
    listeners,
    peers: {
      allow: prefixesOf(options.allow ?? []),
      deny: prefixesOf(options.deny ?? []),
      refusal: options.refusal ?? 'error',
      ownAddresses: [nodeAddress, NODE_IPV4, NODE_IPV6],
      ownPorts: [3478, 8080, 2223],
    },
    limits: {
      relays: 6000,
      relaysPerUser: 200,
      relaysPerAddress: 200,
      reservations: 16,
      permissionsPerRelay: 64,
      channelsPerRelay: 64,
      unauthenticatedRepliesPerSecond: 20,
      ...options.limits,
    },
    channelNumberMax: 0x4fff,
    mediaPolicy: 'any',
    ...options.settings,
  };
}
