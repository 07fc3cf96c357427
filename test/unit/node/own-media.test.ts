import { describe, expect, it } from 'vitest';
import type { B2buaSettings, ZoneAddress, ZoneSettings } from '../../../src/b2bua/settings.ts';
import { B2buaSharedState } from '../../../src/b2bua/shared-state.ts';
import { ownMedia } from '../../../src/node/own-media.ts';
import type { B2buaPart } from '../../../src/node/worker-messages.ts';
import { EndpointBook } from '../../../src/wire/endpoint.ts';

const PUBLIC = '198.51.100.1';
const INSIDE = '10.0.0.1';
const BEHIND_NAT = '10.0.1.1';
const RANGE = [36_000, 36_099] as const;

interface ZoneOptions {
  readonly addresses: readonly string[];
  readonly external?: string;
  readonly multiplexedPorts?: readonly [number, number];
}

/** The parts of workers with these zones, and what makes and asks about claims. */
function scene(workers: readonly (readonly ZoneOptions[])[], relayAddress = PUBLIC) {
  const mediaAddresses = [...new Set(workers.flat().flatMap(({ addresses }) => addresses))];
  const settings = workers.map((zones) => ({
    mediaAddresses,
    mediaPorts: RANGE,
    limits: { calls: 10, portsPerCall: 8 },
    zones: zones.map(({ addresses, external, multiplexedPorts }) => ({
      multiplexedPorts,
      addresses: addresses.map(
        (address): ZoneAddress => ({
          place: mediaAddresses.indexOf(address),
          address,
          advertised: external ?? address,
          family: address.includes(':') ? 'IP6' : 'IP4',
        }),
      ),
    })) as unknown as ZoneSettings[],
  })) as unknown as B2buaSettings[];
  const shared = new SharedArrayBuffer(settings[0] ? B2buaSharedState.bytes(settings[0]) : 0);
  const parts = settings.map((of): B2buaPart => ({ settings: of, shared }));
  const book = new EndpointBook(64, 1);
  const relayAddresses = [{ address: relayAddress, external: undefined }];
  const isOwnMedia = ownMedia(parts, { relayAddresses }, book);
  return {
    claims: settings[0] && new B2buaSharedState(settings[0], shared).portClaims,
    place: (address: string) => mediaAddresses.indexOf(address),
    isOpen: (address: string, port: number): boolean => {
      expect(book.setText(0, address, port)).toBe(true);
      return isOwnMedia(0);
    },
  };
}

describe('a media port', () => {
  it('is open from its claim to its release, whichever worker made it, and its neighbours are not', () => {
    const { claims, isOpen, place } = scene([[{ addresses: [PUBLIC, '2001:db8::1'] }]]);
    expect(isOpen(PUBLIC, 36_040)).toBe(false);
    expect(claims?.claim(place(PUBLIC), 'even-pair', () => 40)).toBe(36_040);
    const openPorts = Array.from({ length: 65_536 }, (_, port) => port).filter((port) =>
      isOpen(PUBLIC, port),
    );
    expect(openPorts).toEqual([36_040, 36_041]);
    expect(isOpen('2001:db8::1', 36_040)).toBe(false);
    expect(isOpen('198.51.100.2', 36_040)).toBe(false);
    claims?.release(place(PUBLIC), 36_041);
    expect([36_040, 36_041].map((port) => isOpen(PUBLIC, port))).toEqual([true, false]);
    claims?.claim(place('2001:db8::1'), 'any', () => 7);
    expect(isOpen('2001:db8::1', 36_007)).toBe(true);
  });

  it('that all calls of a zone share is open on the address it is heard on, for every worker’s pair', () => {
    const zone = (ports: readonly [number, number]): ZoneOptions => ({
      addresses: [PUBLIC, '2001:db8::1'],
      multiplexedPorts: ports,
    });
    const { isOpen } = scene([[zone([2776, 2777])], [zone([2778, 2779])]]);
    expect([2775, 2776, 2777, 2778, 2779, 2780].map((port) => isOpen(PUBLIC, port))).toEqual([
      false,
      true,
      true,
      true,
      true,
      false,
    ]);
    expect(isOpen('2001:db8::1', 2776)).toBe(false);
  });

  it('of a zone inside is closed to relays, unless they live on the same address or it is known outside', () => {
    const zones = [
      { addresses: [PUBLIC] },
      { addresses: [INSIDE], multiplexedPorts: [2776, 2777] as const },
      { addresses: [BEHIND_NAT], external: '198.51.100.9' },
    ];
    const openAt = (relayAddress: string): boolean[] => {
      const { claims, isOpen, place } = scene([zones], relayAddress);
      const addresses = [PUBLIC, INSIDE, BEHIND_NAT];
      for (const address of addresses) claims?.claim(place(address), 'any', () => 0);
      return [...addresses.map((address) => isOpen(address, 36_000)), isOpen(INSIDE, 2776)];
    };
    expect(openAt(PUBLIC)).toEqual([true, false, true, false]);
    expect(openAt(INSIDE)).toEqual([true, true, true, true]);
  });

  it('is nowhere on a node without calls', () => {
    expect(scene([]).isOpen(PUBLIC, 36_000)).toBe(false);
  });
});
