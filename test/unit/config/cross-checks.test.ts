import { describe, expect, it } from 'vitest';
import { configWarnings } from '../../../src/config/cross-checks.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { turnRequestsPorts } from '../../../src/config/ports.ts';
import { linesOf } from './config-lines.ts';

/** Settings each right on their own, and the whole lines that say why they do not go together. */
const REFUSED: readonly (readonly [yaml: string, ...lines: string[]])[] = [
  [
    'turn: { requestsPort: 3478, requestsPortRange: [3479, 3483] }',
    'turn.requestsPort: must not be set together with turn.requestsPortRange: got 3478',
  ],
  [
    'turn: { requestsPortRange: [3478, 3542] }',
    'turn.requestsPortRange: must span at most 64 ports: got [3478, 3542]',
  ],
  [
    'turn: { listenAddresses: ["::1", 127.0.0.1, "0:0::1"] }',
    'turn.listenAddresses[2]: must differ from turn.listenAddresses[0]: got "::1"',
  ],
  [
    'turn: { relayAddresses: [10.0.0.5, 10.0.0.5] }',
    'turn.relayAddresses[1]: must differ from turn.relayAddresses[0]: got "10.0.0.5"',
  ],
  [
    'turn: { credentials: [{ name: alice, password: a }, { name: bob, password: b }, { name: alice, password: c }] }',
    'turn.credentials[2].name: must differ from turn.credentials[0].name: got "alice"',
  ],
  [
    'turn: { externalAddresses: { 10.0.0.5: "2001:db8::5" } }',
    'turn.externalAddresses["10.0.0.5"]: must be an address of the same family as its key: got "2001:db8::5"',
  ],
  [
    'turn: { externalAddresses: { 10.0.0.5: 198.51.100.7, 10.0.0.6: 198.51.100.7 } }',
    'turn.externalAddresses["10.0.0.6"]: must differ from the one of "10.0.0.5": got "198.51.100.7"',
  ],
  [
    'turn: { relayAddresses: [10.0.0.6], externalAddresses: { 10.0.0.5: 198.51.100.7 } }',
    'turn.externalAddresses["10.0.0.5"]: the key must be one of turn.relayAddresses',
  ],
  [
    'turn: { listenAddresses: [127.0.0.1, "::"], externalAddresses: { 10.0.0.5: 198.51.100.7 } }',
    'turn.externalAddresses["10.0.0.5"]: the key must be one of turn.listenAddresses',
  ],
  [
    'turn: { tls: { port: 3478, certificate: c, key: k } }',
    'turn.tls.port: must not share TCP port 3478 with turn.requestsPort: got 3478',
  ],
  [
    'turn: { requestsPortRange: [3478, 3483], tls: { port: 3480, certificate: c, key: k } }',
    'turn.tls.port: must not share TCP port 3480 with turn.requestsPortRange: got 3480',
  ],
  [
    'turn: { tcp443: true, tls: { port: 443, certificate: c, key: k } }',
    'turn.tcp443: must not share TCP port 443 with turn.tls.port: got true',
  ],
  [
    'turn: { mediaPorts: [3000, 4000] }',
    'turn.mediaPorts: must not share UDP port 3478 with turn.requestsPort: got [3000, 4000]',
  ],
  [
    'admin: { http: "127.0.0.1:3478" }',
    'admin.http: must not share TCP port 3478 with turn.requestsPort: got "127.0.0.1:3478"',
  ],
  [
    'turn: { tls: { port: 8080, certificate: c, key: k } }',
    'admin.http: must not share TCP port 8080 with turn.tls.port: got "127.0.0.1:8080"',
  ],
  [
    'b2bua: { ng: "127.0.0.1:3478" }',
    'b2bua.ng: must not share UDP port 3478 with turn.requestsPort: got "127.0.0.1:3478"',
  ],
  [
    'turn: { mediaPorts: [24000, 40000] }\nb2bua: { mediaPorts: [36000, 59999] }',
    'b2bua.mediaPorts: must not share UDP port 36000 with turn.mediaPorts: got [36000, 59999]',
  ],
  [
    'b2bua: { ng: "127.0.0.1:36001" }',
    'b2bua.mediaPorts: must not share UDP port 36001 with b2bua.ng: got [36000, 59999]',
  ],
  [
    'b2bua: { zones: [{ id: 1, name: z, multiplexedPorts: [24000, 24001] }] }',
    'b2bua.zones[0].multiplexedPorts: must not share UDP port 24000 with turn.mediaPorts: got [24000, 24001]',
  ],
  [
    'b2bua: { zones: [{ id: 1, name: z, address: 10.0.0.5, multiplexedPorts: [36000, 36011] }] }',
    'b2bua.zones[0].multiplexedPorts: must not share UDP port 36000 with b2bua.mediaPorts: got [36000, 36011]',
  ],
  [
    'b2bua: { zones: [{ id: 1, name: a, address: 10.0.0.5, multiplexedPorts: [2776, 2777] }, ' +
      '{ id: 2, name: b, address: 10.0.0.5, multiplexedPorts: [2774, 2779] }] }',
    'b2bua.zones[1].multiplexedPorts: must not share UDP port 2776 with b2bua.zones[0].multiplexedPorts: got [2774, 2779]',
  ],
  [
    'b2bua: { zones: [{ id: 1, name: z, multiplexedPorts: [2777, 2778] }] }',
    'b2bua.zones[0].multiplexedPorts: must be pairs of ports: the first even, the last odd: got [2777, 2778]',
  ],
  [
    'b2bua: { zones: [{ id: 1, name: z, multiplexedPorts: [2776, 2778] }] }',
    'b2bua.zones[0].multiplexedPorts: must be pairs of ports: the first even, the last odd: got [2776, 2778]',
  ],
  [
    'b2bua: { zones: [{ id: 1, name: z, multiplexedPorts: [2775, 2777] }] }',
    'b2bua.zones[0].multiplexedPorts: must be pairs of ports: the first even, the last odd: got [2775, 2777]',
  ],
  [
    'b2bua: { zones: [{ id: 1, name: a }, { id: 2, name: b, ice: true, media: relay }] }',
    'b2bua.zones[1].ice: must be false where media is relay: got true',
  ],
  [
    'b2bua: { zones: [{ id: 1, name: z, externalAddress: 198.51.100.7 }] }',
    'b2bua.zones[0].externalAddress: needs b2bua.zones[0].address, which it stands for: got "198.51.100.7"',
  ],
  [
    'b2bua: { zones: [{ id: 1, name: z, address: 10.0.0.5, externalAddress: "2001:db8::7" }] }',
    'b2bua.zones[0].externalAddress: must be an address of the same family as b2bua.zones[0].address: got "2001:db8::7"',
  ],
  [
    'b2bua: { services: false, zones: [{ id: 1, name: z, ice: true, media: relay }] }',
    'b2bua.zones[0].ice: must be false where media is relay: got true',
  ],
  [
    'b2bua: { zones: [{ id: 1, name: a }, { id: 1, name: b }] }',
    'b2bua.zones[1].id: must differ from b2bua.zones[0].id: got 1',
  ],
  [
    'b2bua: { zones: [{ id: 1, name: a }, { id: 2, name: a }] }',
    'b2bua.zones[1].name: must differ from b2bua.zones[0].name: got "a"',
  ],
  [
    'node: { name: core, peers: [{ name: core, url: "http://e" }, { name: edge, url: "http://e" }, { name: edge, url: "http://f" }] }',
    'node.peers[0].name: must differ from node.name: got "core"',
    'node.peers[2].name: must differ from node.peers[1].name: got "edge"',
  ],
  [
    'admin: { http: "0.0.0.0:8080" }',
    'admin.token: is required where admin.http is not a loopback address (0.0.0.0:8080): got null',
  ],
  [
    'admin: { http: "[2001:db8::1]:8080" }',
    'admin.token: is required where admin.http is not a loopback address ([2001:db8::1]:8080): got null',
  ],
];

describe('settings that do not go together are refused', () => {
  it.each(REFUSED)('%s', (yaml, ...lines) => {
    expect(linesOf(yaml)).toEqual(lines);
  });
});

describe('settings that go together are accepted', () => {
  it.each([
    ['another address', 'turn: { listenAddresses: [127.0.0.2], requestsPort: 8080 }'],
    ['another transport', 'turn: { protocolMode: udp, tls: { port: 3478, certificate: c, key: k } }'],
    ['another family', 'turn: { listenAddresses: ["::"], requestsPort: 8080 }'],
    ['no TURN at all', 'turn: { services: false, requestsPort: 8080, mediaPorts: [2000, 40000] }\nb2bua: {}'],
    ['ranges side by side', 'turn: { mediaPorts: [24000, 35999] }\nb2bua: { mediaPorts: [36000, 59999] }'],
    [
      'the same range on different addresses',
      'turn: { relayAddresses: [10.0.0.5], mediaPorts: [36000, 59999] }\n' +
        'b2bua: { zones: [{ id: 1, name: z, address: 10.0.0.6 }] }',
    ],
    ['ports of a B2BUA nobody configured', 'turn: { mediaPorts: [20000, 60000] }'],
    [
      'ports of a B2BUA that is off',
      'turn: { mediaPorts: [2000, 60000], requestsPort: 1234 }\n' +
        'b2bua: { services: false, zones: [{ id: 1, name: z, multiplexedPorts: [2776, 2777] }] }',
    ],
    [
      'the same multiplexed ports on different addresses',
      'b2bua: { zones: [{ id: 1, name: a, address: 10.0.0.5, multiplexedPorts: [2776, 2777] }, ' +
        '{ id: 2, name: b, address: 10.0.0.6, multiplexedPorts: [2776, 2777] }] }',
    ],
    [
      'the multiplexed ports of the Large appliance, where media ports begin behind them',
      'b2bua: { mediaPorts: [36012, 59999], zones: [{ id: 1, name: z, multiplexedPorts: [36000, 36011] }] }',
    ],
    [
      'static NAT in front of a zone, either family',
      'b2bua: { zones: [{ id: 1, name: a, address: 10.0.0.5, externalAddress: 198.51.100.7 }, ' +
        '{ id: 2, name: b, address: "fd00::5", externalAddress: "2001:db8::7" }] }',
    ],
    ['an ICE peer that terminates media', 'b2bua: { zones: [{ id: 1, name: z, ice: true }] }'],
    ['a token beyond loopback', 'admin: { http: "0.0.0.0:8080", token: abc }'],
    ['no token on any loopback address', 'admin: { http: "127.9.9.9:8080" }'],
    [
      'an external address where relays may be anywhere',
      'turn: { externalAddresses: { 10.0.0.5: 198.51.100.7 } }',
    ],
    ['a system-chosen admin port', 'admin: { http: "127.0.0.1:0" }'],
  ])('%s', (_what, yaml) => {
    expect(linesOf(yaml)).toEqual([]);
  });
});

describe('warnings', () => {
  it.each([
    ['node: {}', []],
    [
      'turn: { authentication: false }',
      ['turn.authentication: is false: an open relay, anyone may send through this server'],
    ],
    ['turn: { services: false, authentication: false, sharedSecret: x }', []],
    [
      'turn: { sharedSecret: short }',
      ['turn.sharedSecret: is shorter than 16 characters, which can be guessed from one credential'],
    ],
    [
      'admin: { http: "0.0.0.0:8080", token: short }',
      ['admin.token: is shorter than 16 characters, and admin.http is not a loopback address'],
    ],
    [
      'turn: { mediaPorts: [30000, 40000] }',
      ['b2bua.mediaPorts: shares UDP port 36000 and maybe more with turn.mediaPorts'],
    ],
    ['turn: { mediaPorts: [30000, 40000] }\nb2bua: { services: false }', []],
    ['b2bua: { zones: [{ id: 1, name: z, ice: true, bfcpFilter: true }] }', []],
    ['b2bua: { zones: [{ id: 1, name: a }, { id: 2, name: b, icePassthrough: true }] }', []],
    ['metrics: { collectd: { address: 127.0.0.1 } }', []],
    ['node: { peers: [{ name: edge1, url: "http://10.0.0.2:8080" }] }', []],
  ])('%s', (yaml, warnings) => {
    expect(configWarnings(loadConfig(yaml, 'x'))).toEqual(warnings);
  });
});

describe('turnRequestsPorts', () => {
  it('lists one port or all of the range', () => {
    expect(turnRequestsPorts(loadConfig(undefined, 'x').turn)).toEqual([3478]);
    expect(turnRequestsPorts(loadConfig('turn: { requestsPortRange: [3478, 3481] }', 'x').turn)).toEqual([
      3478, 3479, 3480, 3481,
    ]);
  });
});
