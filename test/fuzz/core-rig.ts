/** A TURN core on {@link FuzzIo}: UDP listeners of both families, streams, and an account of what it holds. */
import { TURN, TURN_COUNTER_NAMES, type TurnCounterName } from '../../src/turn/counters.ts';
import { Quota } from '../../src/turn/quota.ts';
import { TurnCore } from '../../src/turn/server.ts';
import type { ListenerSettings, TurnLimits, TurnSettings } from '../../src/turn/settings.ts';
import { TurnSharedState } from '../../src/turn/shared-state.ts';
import { PortClaims } from '../../src/wire/port-claims.ts';
import { type Credentials, REALM } from './client-messages.ts';
import { FuzzIo, type source } from './fuzz-io.ts';
import { Random } from './seeded.ts';
import { testCrypto } from './test-crypto.ts';

export const NODE_IPV4 = '198.51.100.1';
export const NODE_IPV6 = '2001:db8::1';
export const INTERNAL_IPV4 = '10.0.0.5';
export const RELAY_PORTS: readonly [number, number] = [24_000, 24_099];
export const UNIX_START_MS = 1_800_000_000_000;

export interface RigOptions {
  readonly seed: number;
  readonly settings?: Partial<TurnSettings>;
  readonly limits?: Partial<TurnLimits>;
  readonly users?: readonly Credentials[];
  /** Behind static NAT: bound to {@link INTERNAL_IPV4}, known as {@link NODE_IPV4}. */
  readonly staticNat?: boolean;
  readonly rows?: number;
  readonly canSetDontFragment?: boolean;
}

const LIMITS: TurnLimits = {
  relays: 40,
  relaysPerUser: 7,
  relaysPerAddress: 8,
  reservations: 4,
  permissionsPerRelay: 12,
  channelsPerRelay: 8,
  unauthenticatedRepliesPerSecond: 20,
};

export class CoreRig {
  readonly random: Random;
  readonly io: FuzzIo;
  readonly settings: TurnSettings;
  readonly shared: TurnSharedState;
  readonly core: TurnCore;
  readonly counters: Float64Array = new Float64Array(TURN_COUNTER_NAMES.length);
  readonly udp4: number;
  readonly udp6: number;
  nowMs = 1_000_000;
  readonly #idleRows: number;
  #streams = 0;

  constructor(options: RigOptions) {
    this.random = new Random(options.seed);
    this.io = new FuzzIo(options.rows ?? 4096, options.canSetDontFragment ?? true);
    this.settings = settingsOf(options);
    const bytes = TurnSharedState.bytes(this.settings);
    this.shared = new TurnSharedState(this.settings, new SharedArrayBuffer(bytes), options.seed);
    this.core = new TurnCore({
      io: this.io,
      settings: this.settings,
      shared: this.shared,
      crypto: testCrypto(new Random(options.seed + 1)),
      events: { allocated: () => {}, ended: () => {}, rateLimited: () => {} },
      counters: this.counters,
      unixMs: () => UNIX_START_MS + this.nowMs,
      hashSeed: options.seed,
    });
    for (const user of options.users ?? []) this.core.setUser(user);
    this.udp4 = this.#listen(0);
    this.udp6 = this.#listen(1);
    this.#idleRows = this.io.endpoints.acquired;
  }

  counter(name: TurnCounterName): number {
    return this.counters[TURN[name]] as number;
  }

  openStream(): number {
    this.#streams++;
    return this.io.openStream(this.core, TurnCore.listenerTag(2));
  }

  closeStream(socket: number, from: ReturnType<typeof source>): void {
    this.io.closeStream(socket, from);
    this.#streams--;
  }

  /** Runs `section` as one batch of the engine, `laterMs` after the last. */
  batch(section: () => void, laterMs = 0): void {
    this.nowMs += laterMs;
    this.core.batchBegins(this.nowMs);
    section();
    this.io.flush();
  }

  /** Moves on in steps of a second, with a sweep at each. */
  wait(seconds: number): void {
    for (let i = 0; i < seconds; i++) {
      this.nowMs += 1000;
      this.core.sweep(this.nowMs);
      this.io.flush();
    }
  }

  /** Throws unless the core holds exactly what its allocations need. To be called between batches. */
  expectNothingLost(): void {
    const { core, io } = this;
    let relays = 0;
    let [permissions, channels, allocations] = [0, 0, 0];
    for (const allocation of core.allocations) {
      allocations++;
      relays += allocation.relays.length;
      permissions += allocation.permissions;
      channels += allocation.channels;
      same(
        'permissions of an allocation',
        allocation.permissions <= this.settings.limits.permissionsPerRelay,
        true,
      );
      same('channels of an allocation', allocation.channels <= this.settings.limits.channelsPerRelay, true);
    }
    same('allocations', core.allocations.size, allocations);
    same('permissions', core.allocations.permissions.size, permissions);
    same('channels', core.allocations.channels.size, channels);
    same(
      'endpoint rows',
      io.endpoints.acquired,
      this.#idleRows + allocations + relays + permissions + channels,
    );
    same('open sockets', io.openSockets, 2 + this.#streams + relays);
    same('detached sockets', io.detachedSockets <= this.settings.limits.reservations, true);
    same('claimed ports', this.#claimedPorts(), relays + io.detachedSockets);
    same('relays in the quota', this.shared.quota.relays, relays);
    same('relays within the limit', relays <= this.settings.limits.relays, true);
  }

  #listen(listener: number): number {
    const { address, port } = this.settings.listeners[listener] as ListenerSettings;
    this.io.endpoints.setText(0, address, port);
    return this.io.open(0, this.core, TurnCore.listenerTag(listener));
  }

  #claimedPorts(): number {
    const offset = 4 * Quota.words(this.settings.limits);
    const words = new Int32Array(
      this.shared.buffer,
      offset,
      PortClaims.words(this.settings.relayPorts, this.settings.relayAddresses.length),
    );
    return words.reduce(
      (sum, word) => sum + [...(word >>> 0).toString(2)].filter((bit) => bit === '1').length,
      0,
    );
  }
}

function settingsOf(options: RigOptions): TurnSettings {
  const ipv4 = options.staticNat ? INTERNAL_IPV4 : NODE_IPV4;
  const listener = (protocol: 'udp' | 'tcp', address: string): ListenerSettings => ({
    protocol,
    address,
    port: 3478,
    relayIPv4: 0,
    relayIPv6: 1,
  });
  return {
    realm: REALM,
    authentication: true,
    unauthenticatedBinding: true,
    sharedSecret: undefined,
    nonceKey: new Uint8Array(32).fill(1),
    lifetimeSecondsMax: 3600,
    relayPorts: RELAY_PORTS,
    relayAddresses: [
      { address: ipv4, external: options.staticNat ? NODE_IPV4 : undefined },
      { address: NODE_IPV6, external: undefined },
    ],
    listeners: [listener('udp', ipv4), listener('udp', NODE_IPV6), listener('tcp', ipv4)],
    peers: { allow: [], deny: [], refusal: 'error', ownAddresses: [ipv4, NODE_IPV6], ownPorts: [3478, 8080] },
    mediaPolicy: 'any',
    channelNumberMax: 0x4fff,
    ...options.settings,
    limits: { ...LIMITS, ...options.limits },
  };
}

function same<Value>(what: string, got: Value, expected: Value): void {
  if (got !== expected) throw new Error(`${what}: ${String(got)}, should be ${String(expected)}`);
}
