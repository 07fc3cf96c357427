/**
 * The whole TURN core under random and bent messages from many sources. `FUZZ_MESSAGES` sets how many,
 * `FUZZ_SEED` where to begin; a failure names both, and the packet at which it happened.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import type { RigOptions } from './core-rig.ts';
import { FuzzWorld } from './fuzz-world.ts';
import { GOOD_CLIENT, GoodClient } from './good-client.ts';
import { SEED } from './seeded.ts';

const MESSAGES = Number(process.env.FUZZ_MESSAGES ?? 50_000);
/** Far longer than it takes: a limit against hanging, not a measure. */
const TIMEOUT_MS = 60_000 + MESSAGES;
/** What collected garbage may leave behind in caches of the engine and the test itself. */
const GROWTH_BYTES_MAX = 6 << 20;
const BATCHES_BETWEEN_EXCHANGES = 20;
const BATCHES_BETWEEN_CHECKS = 50;

const SCENES: readonly {
  readonly name: string;
  readonly share: number;
  readonly options: Omit<RigOptions, 'seed'>;
}[] = [
  { name: 'with its defaults', share: 0.4, options: {} },
  {
    name: 'behind static NAT, refusing in silence',
    share: 0.15,
    options: { staticNat: true, settings: silent(true) },
  },
  {
    name: 'as an open relay',
    share: 0.15,
    options: { settings: { authentication: false, channelNumberMax: 0x7fff } },
  },
  {
    name: 'that passes media only and cannot set DF',
    share: 0.15,
    options: { settings: { mediaPolicy: 'media', unauthenticatedBinding: false }, canSetDontFragment: false },
  },
  {
    name: 'at the end of its means',
    share: 0.15,
    // Few ports and few rows: the ring of Send indications alone takes 1,025.
    options: { rows: 1025 + 70, settings: { relayPorts: [24_000, 24_013] }, limits: { relays: 24 } },
  },
];

function silent(isStaticNat: boolean): NonNullable<RigOptions['settings']> {
  const own = isStaticNat ? ['10.0.0.5', '2001:db8::1'] : [];
  return { peers: { allow: [], deny: [], refusal: 'silent', ownAddresses: own, ownPorts: [3478, 8080] } };
}

describe.each(SCENES)('a TURN server $name', ({ name, share, options }) => {
  it(
    'accounts for every packet, holds what it needs and no more, and serves who behaves',
    () => {
      const world = new FuzzWorld({ seed: SEED, ...options }, [GOOD_CLIENT]);
      const client = new GoodClient(world);
      try {
        client.start();
        attack(world, client, Math.ceil(MESSAGES * share));
      } catch (error) {
        const where = `FUZZ_SEED=${SEED} FUZZ_MESSAGES=${MESSAGES}, ${name}, message ${world.messages}`;
        throw new Error(`${where}, ${world.last.slice(0, 4000)}`, { cause: error });
      }
      expect(client.payloads).toBeGreaterThan(0);
      expectWorked(world);
      end(world);
    },
    TIMEOUT_MS,
  );
});

function attack(world: FuzzWorld, client: GoodClient, messages: number): void {
  let batches = 0;
  let usedBytes = Number.POSITIVE_INFINITY;
  for (const until of [messages * 0.3, messages]) {
    while (world.messages < until) {
      world.hostileBatch();
      if (++batches % BATCHES_BETWEEN_EXCHANGES === 0) client.exchange();
      if (batches % BATCHES_BETWEEN_CHECKS === 0) world.rig.expectNothingLost();
    }
    // The first third fills tables and caches; from then on nothing may be added.
    const nowBytes = usedMemory();
    expect(nowBytes - usedBytes).toBeLessThan(GROWTH_BYTES_MAX);
    usedBytes = nowBytes;
  }
}

/** An attack that gets nowhere would prove nothing: most of what can happen has to have happened. */
function expectWorked({ rig }: FuzzWorld): void {
  const seen = [
    'allocationsCreated',
    'allocationsDeleted',
    'allocationsClosed',
    'clientToPeerPackets',
    'peerToClientPackets',
    'shortcutPackets',
    'icmpIndications',
    'responseSuccess',
    'error400',
    'error420',
    'error437',
    'dropMalformedStun',
    'dropBadChannelData',
    'dropUnknownChannel',
    'dropNoPermission',
    'dropUnexpectedClass',
    'dropUnknownIndication',
  ] as const;
  for (const counter of seen) expect(rig.counter(counter), counter).toBeGreaterThan(0);
}

/** When everybody has gone, nothing is left. */
function end({ rig }: FuzzWorld): void {
  rig.wait(3700);
  rig.expectNothingLost();
  expect([...rig.core.allocations]).toEqual([]);
  expect([rig.shared.quota.relays, rig.io.detachedSockets]).toEqual([0, 0]);
}

/** Bytes in use after a full collection. */
function usedMemory(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
