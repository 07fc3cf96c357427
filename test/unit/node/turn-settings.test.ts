import type { NetworkInterfaceInfo } from 'node:os';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';
import type { HostInterfaces } from '../../../src/node/host-addresses.ts';
import { resolveTurnSettings } from '../../../src/node/turn-settings.ts';
import type { TurnSettings } from '../../../src/turn/settings.ts';

function host(...addresses: string[]): HostInterfaces {
  return { eth0: addresses.map((address) => ({ address }) as NetworkInterfaceInfo) };
}

const HOST = host('127.0.0.1', '::1', '192.0.2.10', '10.0.0.5', '2001:db8::10', 'fe80::1');

function resolve(yaml: string, interfaces: HostInterfaces = HOST): TurnSettings {
  return resolveTurnSettings(loadConfig(yaml, 'test'), 'test', interfaces, new Uint8Array(32));
}

/** The relay address that clients of a listener get. */
function relayOf(
  settings: TurnSettings,
  listener: string,
  family: 'relayIPv4' | 'relayIPv6',
): string | undefined {
  const place = settings.listeners.find(({ address }) => address === listener)?.[family] ?? -1;
  return settings.relayAddresses[place]?.address;
}

describe('the settings of the TURN core', () => {
  it('listen, by default, on each address of the host over UDP and TCP, but not on link-local ones', () => {
    const { listeners } = resolve('');
    expect(new Set(listeners.map(({ address }) => address))).toEqual(
      new Set(['127.0.0.1', '::1', '192.0.2.10', '10.0.0.5', '2001:db8::10']),
    );
    expect(new Set(listeners.map(({ protocol, port }) => `${protocol} ${port}`))).toEqual(
      new Set(['udp 3478', 'tcp 3478']),
    );
  });

  it('listen on each port of a range, by the protocols of the mode', () => {
    const { listeners } = resolve(
      'turn: { listenAddresses: [192.0.2.10], requestsPortRange: [3478, 3480], protocolMode: tcp }',
    );
    expect(listeners.map(({ protocol, port }) => `${protocol} ${port}`)).toEqual([
      'tcp 3478',
      'tcp 3479',
      'tcp 3480',
    ]);
  });

  it('hear TLS on its port, and on 443 as well where that service is on', () => {
    const tls = 'tls: { port: 5349, certificate: c.pem, key: k.pem }';
    const { listeners } = resolve(
      `turn: { listenAddresses: [192.0.2.10], protocolMode: udp, ${tls}, tcp443: true }`,
    );
    expect(listeners.map(({ protocol, port }) => `${protocol} ${port}`)).toEqual([
      'udp 3478',
      'tls 5349',
      'tls 443',
    ]);
  });

  it('hear plain TCP on 443 where there is no certificate', () => {
    const { listeners } = resolve('turn: { listenAddresses: [192.0.2.10], protocolMode: udp, tcp443: true }');
    expect(listeners.map(({ protocol, port }) => `${protocol} ${port}`)).toEqual(['udp 3478', 'tcp 443']);
  });

  it('give relays on the address a client came to, and in the other family on one as local as that', () => {
    const settings = resolve('');
    expect(relayOf(settings, '10.0.0.5', 'relayIPv4')).toBe('10.0.0.5');
    expect(relayOf(settings, '192.0.2.10', 'relayIPv6')).toBe('2001:db8::10');
    expect(relayOf(settings, '127.0.0.1', 'relayIPv6')).toBe('::1');
    expect(relayOf(settings, '::1', 'relayIPv4')).toBe('127.0.0.1');
  });

  it('give relays on the relay addresses alone where those are set', () => {
    const settings = resolve('turn: { relayAddresses: [192.0.2.10] }');
    expect(relayOf(settings, '10.0.0.5', 'relayIPv4')).toBe('192.0.2.10');
    expect(relayOf(settings, '10.0.0.5', 'relayIPv6')).toBeUndefined();
  });

  it('tell external addresses, whatever their spelling', () => {
    const settings = resolve(
      'turn: { listenAddresses: ["2001:DB8:0::10"], externalAddresses: { "2001:db8::10": "2001:db8:1:0::1" } }',
    );
    expect(settings.relayAddresses).toEqual([{ address: '2001:db8::10', external: '2001:db8:1::1' }]);
  });

  it('refuse an external address for what is no relay address of this host', () => {
    expect(() => resolve('turn: { externalAddresses: { "10.9.9.9": "198.51.100.7" } }')).toThrow(
      /^test: turn\.externalAddresses: the key must be one of .*10\.0\.0\.5.*: got 10\.9\.9\.9$/,
    );
  });

  it('refuse to listen on nothing', () => {
    expect(() => resolve('turn: { listenAddresses: ["::"] }', host('192.0.2.10'))).toThrow(
      'test: turn.listenAddresses: must stand for an address of this host: got ::',
    );
  });

  it('know the addresses of the host and the ports of the node, which are no peers', () => {
    const { peers } = resolve('admin: { http: "127.0.0.1:9090" }');
    expect(peers.ownAddresses).toEqual(expect.arrayContaining(['192.0.2.10', '10.0.0.5', '127.0.0.1']));
    expect(peers.ownPorts).toEqual(expect.arrayContaining([3478, 9090, 2223]));
  });
});
