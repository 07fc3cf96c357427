/** One B2BUA core on the simulated network, with all that it was given and an account of what it must give back. */

import { seededRandom } from '../../lab/network/simulated/seeded-random.ts';
import { B2buaCore } from '../../src/b2bua/core.ts';
import {
  B2BUA,
  B2BUA_COUNTER_NAMES,
  type B2buaCounterName,
  ZONE_COUNTERS,
} from '../../src/b2bua/counters.ts';
import type { EndedCall } from '../../src/b2bua/ended-call.ts';
import type { CallReport } from '../../src/b2bua/inspect.ts';
import type { NgDictionary } from '../../src/b2bua/ng-request.ts';
import type { B2buaSettings, ZoneAddress, ZoneSettings } from '../../src/b2bua/settings.ts';
import { B2buaSharedState } from '../../src/b2bua/shared-state.ts';
import { aesKeystream } from '../../src/node/node-media-crypto.ts';
import { WatchedCrypto } from './b2bua-watched-crypto.ts';
import { SimDescriptors, SimIo } from './sim-io.ts';
import type { SimNetwork } from './sim-network.ts';
import { simCrypto } from './turn-sim.ts';

/** Unix time at the start of every simulation, milliseconds. */
const UNIX_START_MS = 1_800_000_000_000;
const SWEEP_MS = 1000;

/** A zone of a test; what is not given is as below. */
export type ZoneOptions = Partial<Omit<ZoneSettings, 'addresses' | 'id'>> & {
  readonly name: string;
  readonly addresses: readonly string[];
};

export interface NodeOptions {
  readonly zones?: readonly ZoneOptions[];
  readonly settings?: Partial<Omit<B2buaSettings, 'zones'>>;
  readonly name?: string;
}

export const EXTERNAL: ZoneOptions = { name: 'external', addresses: ['198.51.100.1'] };
export const INTERNAL: ZoneOptions = { name: 'internal', addresses: ['10.0.0.1'] };

export class B2buaNode {
  readonly name: string;
  readonly core: B2buaCore;
  readonly io: SimIo;
  readonly settings: B2buaSettings;
  readonly crypto: WatchedCrypto;
  readonly counters: Float64Array = new Float64Array(B2BUA_COUNTER_NAMES.length);
  readonly zoneCounters: Float64Array;
  /** Calls that have ended, oldest first. */
  readonly ended: EndedCall[] = [];
  readonly #network: SimNetwork;
  readonly #shared: ArrayBuffer;
  readonly #idleRows: number;
  readonly #idleSockets: number;

  constructor(network: SimNetwork, options: NodeOptions, seed: number) {
    this.#network = network;
    this.name = options.name ?? 'node';
    this.settings = settingsOf(options);
    const { settings } = this;
    this.io = new SimIo(network, new SimDescriptors(), B2buaCore.endpointRows(settings));
    this.crypto = new WatchedCrypto(this.io.bytes);
    this.zoneCounters = new Float64Array(settings.zones.length * ZONE_COUNTERS);
    this.#shared = new ArrayBuffer(B2buaSharedState.bytes(settings));
    const { hmac, randomFill, randomBelow } = simCrypto(seededRandom(seed));
    this.core = new B2buaCore({
      ...{ io: this.io, settings, counters: this.counters, zoneCounters: this.zoneCounters },
      shared: new B2buaSharedState(settings, this.#shared),
      crypto: { keystream: aesKeystream, hmac, randomFill, randomBelow },
      mediaCrypto: this.crypto,
      events: {
        callEnded: (call) => void this.ended.push(call),
        unknownFlag: () => {},
      },
      unixMs: () => UNIX_START_MS + network.nowMs,
      hashSeed: 0x5eed,
      idPrefix: `${this.name}-`,
    });
    this.io.addReceiver(this.core);
    this.#openMultiplexed();
    this.#idleRows = this.io.endpoints.acquired;
    this.#idleSockets = this.io.openSockets;
    this.#keepSweeping();
  }

  /** Has a command of `ng` answered. */
  command(name: string, dictionary: NgDictionary): NgDictionary {
    const reply = this.core.command({ command: name, ...dictionary }, this.#network.nowMs);
    this.io.sent.length = 0; // nobody looks, and long scenarios would fill the memory
    return reply;
  }

  counter(name: B2buaCounterName): number {
    return this.counters[B2BUA[name]] as number;
  }

  /** All reasons for which packets were dropped, with their counts. */
  get drops(): Partial<Record<B2buaCounterName, number>> {
    const names = B2BUA_COUNTER_NAMES.filter((name) => name.startsWith('drop') && this.counter(name) > 0);
    return Object.fromEntries(names.map((name) => [name, this.counter(name)]));
  }

  report(callId: string): CallReport {
    const report = this.core.report(10_000, this.#network.nowMs).find((call) => call.callId === callId);
    if (!report) throw new Error(`no call ${callId}`);
    return report;
  }

  /** What is held beyond the idle state, by name; an empty list after every call has ended. */
  held(): string[] {
    const held: string[] = [];
    const expect = (what: string, is: number, idle: number): void => {
      if (is !== idle) held.push(`${this.name}, ${what}: ${is} instead of ${idle}`);
    };
    expect('sockets', this.io.openSockets, this.#idleSockets);
    expect('endpoint rows', this.io.endpoints.acquired, this.#idleRows);
    expect('ciphers', this.crypto.live, 0);
    expect('calls', this.core.calls.size, 0);
    expect('counted calls', this.counter('calls'), 0);
    expect('counted ports', this.counter('mediaPorts'), 0);
    // The number of calls of all workers, and a bit a claimed port.
    expect('words of shared state', new Int32Array(this.#shared).filter((word) => word !== 0).length, 0);
    return held;
  }

  #openMultiplexed(): void {
    for (const [place, { addresses, multiplexedPorts }] of this.settings.zones.entries()) {
      const [address] = addresses;
      if (!multiplexedPorts || !address) continue;
      const [rtp, rtcp] = multiplexedPorts.map((port) => {
        const row = this.io.endpoints.acquire();
        this.io.endpoints.setText(row, address.address, port);
        const socket = this.io.openListener(row, this.core, B2buaCore.sharedTag);
        this.io.endpoints.release(row);
        return socket;
      });
      this.core.useMultiplexed(place, { ports: multiplexedPorts, sockets: [rtp ?? -1, rtcp ?? -1] });
    }
  }

  #keepSweeping(): void {
    this.#network.after(SWEEP_MS, () => {
      this.io.sweep();
      this.io.sent.length = 0;
      this.#keepSweeping();
    });
  }
}

function settingsOf({ zones = [EXTERNAL, INTERNAL], settings }: NodeOptions): B2buaSettings {
  const mediaAddresses = [...new Set(zones.flatMap(({ addresses }) => addresses))];
  return {
    zones: zones.map((zone, i) => ({
      id: i + 1,
      mediaEncryption: 'auto',
      aesGcm: true,
      ice: false,
      icePassthrough: false,
      isSignallingEncrypted: true,
      media: 'terminate',
      multiplexedPorts: undefined,
      bfcpFilter: false,
      ixFilter: false,
      ...zone,
      addresses: zone.addresses.map(
        (address): ZoneAddress => ({
          place: mediaAddresses.indexOf(address),
          address,
          advertised: address,
          family: address.includes(':') ? 'IP6' : 'IP4',
        }),
      ),
    })),
    anyDirection: false,
    mediaAddresses,
    mediaPorts: [36_000, 36_999],
    relayRanges: [],
    mediaTimeoutSeconds: 60,
    offerTimeoutSeconds: 180,
    holdTimeoutSeconds: 3600,
    directTimeoutSeconds: 3600,
    latchSeconds: 5,
    limits: { calls: 2000, portsPerCall: 48 },
    ...settings,
  };
}
