import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';

const DEFAULTS = {
  node: {
    name: 'node1',
    workers: 'auto',
    engine: 'auto',
    stateDirectory: './state',
    log: { level: 'info', format: 'auto' },
    limits: { listenerBufferBytes: 4_194_304, relayBufferBytes: 262_144, pauseMicrosecondsMax: 300 },
    peers: [],
  },
  turn: {
    services: true,
    listenAddresses: ['0.0.0.0', '::'],
    requestsPort: 3478,
    requestsPortRange: null,
    protocolMode: 'both',
    tls: null,
    tcp443: false,
    realm: 'TANDBERG',
    authentication: true,
    unauthenticatedBinding: true,
    credentials: [],
    sharedSecret: null,
    mediaPorts: [24_000, 29_999],
    relayAddresses: [],
    externalAddresses: {},
    peers: { allow: [], deny: [], refusal: 'error' },
    channelNumbers: 'rfc5766',
    mediaPolicy: 'any',
    limits: {
      relays: 6000,
      relaysPerUser: 200,
      relaysPerAddress: 1000,
      permissionsPerRelay: 64,
      channelsPerRelay: 64,
      reservations: 512,
      unauthenticatedRepliesPerSecond: 20,
      streams: 4096,
      streamsPerAddress: 256,
      halfOpenHandshakes: 256,
    },
    lifetimeSecondsMax: 3600,
  },
  b2bua: {
    services: true,
    ng: { address: '127.0.0.1', port: 2223 },
    ngAllow: ['127.0.0.0/8', '::1/128'],
    mediaPorts: [36_000, 59_999],
    mediaTimeoutSeconds: 60,
    offerTimeoutSeconds: null,
    holdTimeoutSeconds: 3600,
    directTimeoutSeconds: 43_200,
    latchSeconds: 5,
    limits: { calls: 2000, portsPerCall: 48 },
    zones: [],
  },
  metrics: { intervalHours: 24, cdr: { files: 10, fileBytes: 10_485_760 }, collectd: null },
  admin: { http: { address: '127.0.0.1', port: 8080 }, token: null },
};

describe('a configuration that says little', () => {
  it.each([
    ['no file', undefined],
    ['an empty file', ''],
    ['comments only', '# nothing\n'],
    ['sections without settings', 'node:\nturn:\nb2bua:\nmetrics:\nadmin:\n'],
    [
      'inner sections without settings',
      'node: { log: , limits: }\nturn: { peers: , limits: }\nb2bua: { limits: }\n',
    ],
  ])('is the default one: %s', (_what, text) => {
    expect(loadConfig(text, 'x')).toEqual(DEFAULTS);
  });

  it('keeps the other defaults of a section of which one setting is given', () => {
    const { turn } = loadConfig('turn: { limits: { relaysPerUser: 3 } }', 'x');
    expect(turn).toEqual({ ...DEFAULTS.turn, limits: { ...DEFAULTS.turn.limits, relaysPerUser: 3 } });
  });

  it('gives defaults to what lies in lists', () => {
    const config = loadConfig(
      'node: { peers: [{ name: edge1, url: "http://10.0.0.2:8080" }] }\n' +
        'b2bua: { zones: [{ id: 1, name: external }] }\n' +
        'metrics: { collectd: { address: collectd.example.org } }\n' +
        'turn: { tls: { certificate: cert.pem, key: key.pem } }',
      'x',
    );
    expect(config.node.peers).toEqual([{ name: 'edge1', url: 'http://10.0.0.2:8080', token: null }]);
    expect(config.b2bua.zones).toEqual([
      {
        id: 1,
        name: 'external',
        kind: 'neighbor',
        address: null,
        externalAddress: null,
        signalling: 'tls',
        mediaEncryption: 'auto',
        aesGcm: false,
        ice: false,
        icePassthrough: false,
        bfcpFilter: false,
        ixFilter: false,
        media: 'terminate',
        multiplexedPorts: null,
      },
    ]);
    expect(config.metrics.collectd).toEqual({
      address: 'collectd.example.org',
      port: 25_826,
      intervalSeconds: 60,
      hostname: null,
    });
    expect(config.turn.tls).toEqual({ port: 5349, certificate: 'cert.pem', key: 'key.pem' });
  });

  it('drops the default port where a range of ports is given', () => {
    const { turn } = loadConfig('turn: { requestsPortRange: [3478, 3483] }', 'x');
    expect([turn.requestsPort, turn.requestsPortRange]).toEqual([null, [3478, 3483]]);
  });
});

describe('a loaded configuration', () => {
  it('is frozen to its leaves', () => {
    const config = loadConfig('turn: { credentials: [{ name: alice, password: secret }] }', 'x');
    const unfrozen: string[] = [];
    const visit = (value: unknown, at: string): void => {
      if (typeof value !== 'object' || value === null) return;
      if (!Object.isFrozen(value)) unfrozen.push(at);
      for (const [key, inner] of Object.entries(value)) visit(inner, `${at}.${key}`);
    };
    visit(config, 'config');
    expect(unfrozen).toEqual([]);
  });

  it('leaves the defaults of the next one alone', () => {
    const first = loadConfig(undefined, 'x');
    const second = loadConfig('turn: { mediaPorts: [30000, 30100] }', 'x');
    expect(second.turn.mediaPorts).toEqual([30_000, 30_100]);
    expect(first.turn.mediaPorts).toEqual([24_000, 29_999]);
    expect(loadConfig(undefined, 'x')).toEqual(DEFAULTS);
  });

  it('has addresses in their canonical form', () => {
    const { turn, admin } = loadConfig(
      'turn: { relayAddresses: ["2001:DB8:0:0::5"], externalAddresses: { "2001:db8::0:5": "2001:DB8::7" } }\n' +
        'admin: { http: "[0:0::1]:8080" }',
      'x',
    );
    expect(turn.relayAddresses).toEqual(['2001:db8::5']);
    expect(turn.externalAddresses).toEqual({ '2001:db8::5': '2001:db8::7' });
    expect(admin.http).toEqual({ address: '::1', port: 8080 });
  });

  it('takes the whole documented example', () => {
    const config = loadConfig(EXAMPLE, 'x');
    expect(config.b2bua.zones.map((zone) => zone.name)).toEqual(['external', 'internal']);
    expect(config.turn.credentials).toEqual([{ name: 'alice', password: 'secret' }]);
    expect(config.node.peers[0]?.token).toBe('t0ken');
  });
});

const EXAMPLE = `
node:
  name: node1
  workers: 4
  engine: dgram
  stateDirectory: /var/lib/causeway
  log: { level: debug, format: pretty }
  peers: [{ name: edge1, url: "http://10.0.0.2:8080", token: t0ken }]
turn:
  services: true
  listenAddresses: [0.0.0.0, "::"]
  requestsPort: 3478
  protocolMode: both
  tls: { port: 5349, certificate: cert.pem, key: key.pem }
  tcp443: true
  realm: TANDBERG
  authentication: true
  unauthenticatedBinding: true
  credentials: [{ name: alice, password: secret }]
  sharedSecret: null
  mediaPorts: [24000, 29999]
  relayAddresses: []
  externalAddresses: { "10.0.0.5": "198.51.100.7" }
  peers: { allow: [10.0.0.0/8], deny: [10.1.0.0/16, "2001:db8::/32"], refusal: silent }
  limits: { relays: 6000, relaysPerUser: 200, permissionsPerRelay: 64, channelsPerRelay: 64, unauthenticatedRepliesPerSecond: 20 }
  lifetimeSecondsMax: 3600
b2bua:
  services: true
  ng: 127.0.0.1:2223
  ngAllow: [127.0.0.0/8, "::1/128"]
  mediaPorts: [36000, 59999]
  mediaTimeoutSeconds: 60
  offerTimeoutSeconds: 240
  holdTimeoutSeconds: 1800
  latchSeconds: 10
  limits: { calls: 2000, portsPerCall: 16 }
  zones:
    - { id: 1, name: external, kind: traversal, address: 203.0.113.1, signalling: tls, mediaEncryption: force, aesGcm: false, ice: false, icePassthrough: true, bfcpFilter: true, ixFilter: true, externalAddress: 198.51.100.1, media: relay, multiplexedPorts: [2776, 2777] }
    - { id: 2, name: internal, kind: neighbor,  address: 10.0.0.1,    signalling: tls, mediaEncryption: auto,  aesGcm: false, ice: false, icePassthrough: true }
metrics:
  intervalHours: 24
  cdr: { files: 3, fileBytes: 1048576 }
  collectd: { address: 127.0.0.1, port: 25826, intervalSeconds: 60, hostname: media1.example.org }
admin:
  http: 127.0.0.1:8080
  token: null
`;
