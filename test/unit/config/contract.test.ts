/** Names, forms and values of settings that others rely on: what this file holds must stay a valid configuration. */
import { describe, expect, it } from 'vitest';
import { configWarnings } from '../../../src/config/cross-checks.ts';
import { loadConfig } from '../../../src/config/load.ts';

const CONTRACT = `
node:
  name: node1
  workers: auto                 # or a number of media workers
  engine: auto                  # auto | batch | dgram
  stateDirectory: ./state       # metrics intervals, call history, credentials added at run time
  log: { level: info, format: auto }   # auto: readable on a terminal, JSON otherwise
  peers: []                     # other nodes: { name: edge1, url: "http://10.0.0.2:8080", token: … }

turn:
  services: true
  listenAddresses: [0.0.0.0, "::"]
  requestsPort: 3478            # Small/Medium; or, as on Large:
  # requestsPortRange: [3478, 3483]
  protocolMode: both            # udp | tcp | both
  tls: { port: 5349, certificate: cert.pem, key: key.pem }   # absent: no TLS
  tcp443: false
  realm: TANDBERG
  authentication: true          # false: open relay, loudly warned about
  unauthenticatedBinding: true
  credentials: [{ name: alice, password: secret }]
  sharedSecret: null            # time-limited credentials: username "expiry:user", password base64(HMAC-SHA1)
  mediaPorts: [24000, 29999]
  relayAddresses: []            # empty: the listening addresses, else the host's
  externalAddresses: {}         # static NAT: { "10.0.0.5": "198.51.100.7" }
  peers: { allow: [], deny: [], refusal: error }   # CIDRs on top of the safe default; refusal: error (403) | silent
  limits: { relays: 6000, relaysPerUser: 200, permissionsPerRelay: 64, channelsPerRelay: 64, unauthenticatedRepliesPerSecond: 20 }
  lifetimeSecondsMax: 3600

b2bua:
  ng: 127.0.0.1:2223
  ngAllow: [127.0.0.0/8, "::1/128"]
  mediaPorts: [36000, 59999]
  mediaTimeoutSeconds: 60
  limits: { calls: 2000 }
  zones:                        # without zones: one, named default, on the default address
    - { id: 1, name: external, kind: traversal, address: 203.0.113.1, signalling: tls, mediaEncryption: force, aesGcm: false, ice: false, icePassthrough: true }
    - { id: 2, name: internal, kind: neighbor,  address: 10.0.0.1,    signalling: tls, mediaEncryption: auto,  aesGcm: false, ice: false, icePassthrough: true }
    # mediaEncryption: force | off | bestEffort | auto;  signalling: tls | tcp | udp
    # media: terminate (default) | relay (an edge node: packets pass untouched);  multiplexedPorts: [2776, 2777]

metrics:
  intervalHours: 24
  collectd: { address: 127.0.0.1, port: 25826, intervalSeconds: 60 }   # absent: off

admin:
  http: 127.0.0.1:8080          # status pages, /api, /metrics, POST /ng
  token: null                   # bearer token; required as soon as http is not a loopback address
`;

describe('the configuration contract', () => {
  const config = loadConfig(CONTRACT, 'contract.yaml');

  it('is a valid configuration that warns of nothing', () => {
    expect(configWarnings(config)).toEqual([]);
  });

  it('means what it says', () => {
    expect(config.b2bua.zones.map(({ name, mediaEncryption }) => [name, mediaEncryption])).toEqual([
      ['external', 'force'],
      ['internal', 'auto'],
    ]);
    const { realm, mediaPorts, credentials } = config.turn;
    expect([realm, mediaPorts, credentials]).toEqual([
      'TANDBERG',
      [24_000, 29_999],
      [{ name: 'alice', password: 'secret' }],
    ]);
  });
});
