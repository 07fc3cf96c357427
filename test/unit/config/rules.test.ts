import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';
import { linesOf } from './config-lines.ts';

const PORTS = 'must be [first, last] with 1024 ≤ first < last ≤ 65535';
const TEXT = (max: number): string => `must be text of 1 to ${max} characters on one line`;
const QUOTES = ' (numbers and the like in quotes)';
const CIDR = 'must be a CIDR such as 10.0.0.0/8 or 2001:db8::/32';
const SPECIFIC = 'must be an IP address other than 0.0.0.0 and ::';
const SECTION = 'must be a mapping of settings';

/** Each setting with a value just outside its rule, and the whole line that says so. */
const REFUSED: readonly (readonly [yaml: string, line: string])[] = [
  ['node: { name: "a b" }', 'node.name: must be a name of 1 to 64 letters, digits and . _ -: got "a b"'],
  ['node: { workers: 0 }', 'node.workers: must be auto or a whole number from 1 to 64: got 0'],
  ['node: { workers: some }', 'node.workers: must be auto or a whole number from 1 to 64: got "some"'],
  ['node: { engine: xdp }', 'node.engine: must be auto, batch or dgram: got "xdp"'],
  ['node: { stateDirectory: "" }', 'node.stateDirectory: must be the path of a file or directory: got ""'],
  [
    'node: { log: { level: loud } }',
    'node.log.level: must be trace, debug, info, warn, error, fatal or silent: got "loud"',
  ],
  ['node: { log: { format: xml } }', 'node.log.format: must be auto, json or pretty: got "xml"'],
  ['node: { log: info }', `node.log: ${SECTION}: got "info"`],
  [
    'node: { limits: { listenerBufferBytes: 1 } }',
    'node.limits.listenerBufferBytes: must be a whole number from 4096 to 1073741824: got 1',
  ],
  [
    'node: { limits: { relayBufferBytes: 4095 } }',
    'node.limits.relayBufferBytes: must be a whole number from 4096 to 1073741824: got 4095',
  ],
  [
    'node: { limits: { pauseMicrosecondsMax: 1001 } }',
    'node.limits.pauseMicrosecondsMax: must be a whole number from 0 to 1000: got 1001',
  ],
  ['node: { peers: {} }', 'node.peers: must be a list of nodes ({ name, url, token }): got a mapping'],
  [
    'node: { peers: [{ name: e, url: "ftp://e" }] }',
    'node.peers[0].url: must be an http or https URL without user, query or fragment: got "ftp://e"',
  ],
  [
    'node: { peers: [{ name: e, url: "http://u:p@e" }] }',
    'node.peers[0].url: must be an http or https URL without user, query or fragment: got a URL with a user',
  ],
  [
    'node: { peers: [{ name: e }] }',
    'node.peers[0].url: is required and must be an http or https URL without user, query or fragment',
  ],
  [
    'node: { peers: [{ name: e, url: "http://e", token: "a b" }] }',
    'node.peers[0].token: must be 1 to 512 of letters, digits and - . _ ~ + / =: got 3 characters',
  ],
  ['turn: { services: "on" }', 'turn.services: must be true or false: got "on"'],
  [
    'turn: { listenAddresses: 0.0.0.0 }',
    'turn.listenAddresses: must be a list of IP addresses: got "0.0.0.0"',
  ],
  [
    'turn: { listenAddresses: [] }',
    'turn.listenAddresses: must be a list of at least one IP address: got []',
  ],
  [
    'turn: { listenAddresses: [127.0.0.1, localhost] }',
    'turn.listenAddresses[1]: must be an IP address: got "localhost"',
  ],
  ['turn: { requestsPort: 1023 }', 'turn.requestsPort: must be a whole number from 1024 to 65534: got 1023'],
  [
    'turn: { requestsPort: 65535 }',
    'turn.requestsPort: must be a whole number from 1024 to 65534: got 65535',
  ],
  [
    'turn: { requestsPort: "3478" }',
    'turn.requestsPort: must be a whole number from 1024 to 65534: got "3478"',
  ],
  [
    'turn: { requestsPort: 3478.5 }',
    'turn.requestsPort: must be a whole number from 1024 to 65534: got 3478.5',
  ],
  [
    'turn: { requestsPortRange: [3483, 3478] }',
    'turn.requestsPortRange: must be [first, last] with 1024 ≤ first ≤ last ≤ 65534: got [3483, 3478]',
  ],
  ['turn: { protocolMode: sctp }', 'turn.protocolMode: must be udp, tcp or both: got "sctp"'],
  [
    'turn: { tls: { port: 0, certificate: c, key: k } }',
    'turn.tls.port: must be a whole number from 1 to 65535: got 0',
  ],
  [
    'turn: { tls: { key: k } }',
    'turn.tls.certificate: is required and must be the path of a file or directory',
  ],
  [
    'turn: { tls: { certificate: c } }',
    'turn.tls.key: is required and must be the path of a file or directory',
  ],
  [
    'turn: { tls: { certificate: c, key: "-----BEGIN PRIVATE KEY-----\\nMII" } }',
    'turn.tls.key: must be the path of a file or directory: got the text of a PEM file',
  ],
  ['turn: { tcp443: 1 }', 'turn.tcp443: must be true or false: got 1'],
  ['turn: { realm: "" }', `turn.realm: ${TEXT(128)}: got ""`],
  [`turn: { realm: ${'r'.repeat(129)} }`, `turn.realm: ${TEXT(128)}: got "${'r'.repeat(79)}…`],
  ['turn: { realm: "a\\u0000b" }', `turn.realm: ${TEXT(128)}: got "a\\u0000b"`],
  ['turn: { realm: 5 }', `turn.realm: ${TEXT(128)}${QUOTES}: got 5`],
  ['turn: { authentication: null }', 'turn.authentication: must be true or false: got null'],
  ['turn: { unauthenticatedBinding: no }', 'turn.unauthenticatedBinding: must be true or false: got "no"'],
  [
    'turn: { credentials: { alice: secret } }',
    'turn.credentials: must be a list of credentials ({ name, password }): got a mapping',
  ],
  ['turn: { credentials: [alice] }', `turn.credentials[0]: ${SECTION}: got 5 characters`],
  ['turn: { credentials: [{ name: "", password: p }] }', `turn.credentials[0].name: ${TEXT(127)}: got ""`],
  [
    'turn: { credentials: [{ name: alice }] }',
    `turn.credentials[0].password: is required and ${TEXT(256)}${QUOTES}`,
  ],
  [
    'turn: { credentials: [{ name: alice, password: 12345 }] }',
    `turn.credentials[0].password: ${TEXT(256)}${QUOTES}: got a number`,
  ],
  ['turn: { sharedSecret: "" }', `turn.sharedSecret: ${TEXT(512)}: got 0 characters`],
  ['turn: { sharedSecret: [s3cret] }', `turn.sharedSecret: ${TEXT(512)}${QUOTES}: got a list`],
  ['turn: { mediaPorts: [30000, 24000] }', `turn.mediaPorts: ${PORTS}: got [30000, 24000]`],
  ['turn: { mediaPorts: [24000, 24000] }', `turn.mediaPorts: ${PORTS}: got [24000, 24000]`],
  ['turn: { mediaPorts: [1023, 24000] }', `turn.mediaPorts: ${PORTS}: got [1023, 24000]`],
  ['turn: { mediaPorts: [24000, 65536] }', `turn.mediaPorts: ${PORTS}: got [24000, 65536]`],
  ['turn: { mediaPorts: [24000] }', `turn.mediaPorts: ${PORTS}: got [24000]`],
  ['turn: { mediaPorts: 24000-29999 }', `turn.mediaPorts: ${PORTS}: got "24000-29999"`],
  ['turn: { relayAddresses: [0.0.0.0] }', `turn.relayAddresses[0]: ${SPECIFIC}: got "0.0.0.0"`],
  ['turn: { relayAddresses: ["::"] }', `turn.relayAddresses[0]: ${SPECIFIC}: got "::"`],
  ['turn: { relayAddresses: [10.0.0.256] }', `turn.relayAddresses[0]: ${SPECIFIC}: got "10.0.0.256"`],
  [
    'turn: { externalAddresses: [] }',
    'turn.externalAddresses: must be a mapping of relay address to external address: got []',
  ],
  ['turn: { externalAddresses: { eth0: 198.51.100.7 } }', `turn.externalAddresses.eth0: the key ${SPECIFIC}`],
  [
    'turn: { externalAddresses: { 10.0.0.5: nat } }',
    `turn.externalAddresses["10.0.0.5"]: ${SPECIFIC}: got "nat"`,
  ],
  ['turn: { peers: { allow: [10.0.0.0/33] } }', `turn.peers.allow[0]: ${CIDR}: got "10.0.0.0/33"`],
  ['turn: { peers: { deny: [all] } }', `turn.peers.deny[0]: ${CIDR}: got "all"`],
  ['turn: { peers: { refusal: drop } }', 'turn.peers.refusal: must be error or silent: got "drop"'],
  ['turn: { channelNumbers: all }', 'turn.channelNumbers: must be rfc5766 or rfc8656: got "all"'],
  ['turn: { mediaPolicy: rtp }', 'turn.mediaPolicy: must be any or media: got "rtp"'],
  ['turn: { limits: { relays: 0 } }', 'turn.limits.relays: must be a whole number from 1 to 100000: got 0'],
  [
    'turn: { limits: { relays: .inf } }',
    'turn.limits.relays: must be a whole number from 1 to 100000: got Infinity',
  ],
  [
    'turn: { limits: { relaysPerUser: -1 } }',
    'turn.limits.relaysPerUser: must be a whole number from 1 to 100000: got -1',
  ],
  [
    'turn: { limits: { relaysPerAddress: 0 } }',
    'turn.limits.relaysPerAddress: must be a whole number from 1 to 100000: got 0',
  ],
  [
    'turn: { limits: { permissionsPerRelay: 0 } }',
    'turn.limits.permissionsPerRelay: must be a whole number from 1 to 65535: got 0',
  ],
  [
    'turn: { limits: { channelsPerRelay: 4097 } }',
    'turn.limits.channelsPerRelay: must be a whole number from 1 to 4096: got 4097',
  ],
  [
    'turn: { limits: { reservations: -1 } }',
    'turn.limits.reservations: must be a whole number from 0 to 65535: got -1',
  ],
  [
    'turn: { limits: { unauthenticatedRepliesPerSecond: 0.5 } }',
    'turn.limits.unauthenticatedRepliesPerSecond: must be a whole number from 0 to 1000000: got 0.5',
  ],
  [
    'turn: { limits: { streams: 0 } }',
    'turn.limits.streams: must be a whole number from 1 to 1000000: got 0',
  ],
  [
    'turn: { limits: { streamsPerAddress: 0 } }',
    'turn.limits.streamsPerAddress: must be a whole number from 1 to 1000000: got 0',
  ],
  [
    'turn: { limits: { halfOpenHandshakes: 0 } }',
    'turn.limits.halfOpenHandshakes: must be a whole number from 1 to 1000000: got 0',
  ],
  [
    'turn: { lifetimeSecondsMax: 599 }',
    'turn.lifetimeSecondsMax: must be a whole number from 600 to 86400: got 599',
  ],
  [
    'b2bua: { ng: 2223 }',
    'b2bua.ng: must be ADDRESS:PORT with an IP address (IPv6 in brackets) and a port from 1 to 65535: got 2223',
  ],
  [
    'b2bua: { ng: "127.0.0.1:0" }',
    'b2bua.ng: must be ADDRESS:PORT with an IP address (IPv6 in brackets) and a port from 1 to 65535: got "127.0.0.1:0"',
  ],
  ['b2bua: { ngAllow: [localhost] }', `b2bua.ngAllow[0]: ${CIDR}: got "localhost"`],
  ['b2bua: { mediaPorts: [36000, 70000] }', `b2bua.mediaPorts: ${PORTS}: got [36000, 70000]`],
  [
    'b2bua: { mediaTimeoutSeconds: 0 }',
    'b2bua.mediaTimeoutSeconds: must be a whole number from 1 to 86400: got 0',
  ],
  ['b2bua: { services: null }', 'b2bua.services: must be true or false: got null'],
  [
    'b2bua: { offerTimeoutSeconds: 0 }',
    'b2bua.offerTimeoutSeconds: must be a whole number from 1 to 86400: got 0',
  ],
  [
    'b2bua: { holdTimeoutSeconds: null }',
    'b2bua.holdTimeoutSeconds: must be a whole number from 1 to 86400: got null',
  ],
  ['b2bua: { latchSeconds: 0 }', 'b2bua.latchSeconds: must be a whole number from 1 to 60: got 0'],
  ['b2bua: { latchSeconds: 61 }', 'b2bua.latchSeconds: must be a whole number from 1 to 60: got 61'],
  [
    'b2bua: { limits: { portsPerCall: 1 } }',
    'b2bua.limits.portsPerCall: must be a whole number from 2 to 1024: got 1',
  ],
  ['b2bua: { limits: { calls: 0 } }', 'b2bua.limits.calls: must be a whole number from 1 to 1000000: got 0'],
  [
    'b2bua: { zones: [{ name: z }] }',
    'b2bua.zones[0].id: is required and must be a whole number from 1 to 65535',
  ],
  [
    'b2bua: { zones: [{ id: 1 }] }',
    'b2bua.zones[0].name: is required and must be a name of 1 to 64 letters, digits and . _ -',
  ],
  [
    'b2bua: { zones: [{ id: 1, name: z, kind: dmz }] }',
    'b2bua.zones[0].kind: must be traversal or neighbor: got "dmz"',
  ],
  [
    'b2bua: { zones: [{ id: 1, name: z, address: eth0 }] }',
    `b2bua.zones[0].address: ${SPECIFIC}: got "eth0"`,
  ],
  [
    'b2bua: { zones: [{ id: 1, name: z, signalling: ws }] }',
    'b2bua.zones[0].signalling: must be tls, tcp or udp: got "ws"',
  ],
  [
    'b2bua: { zones: [{ id: 1, name: z, mediaEncryption: on }] }',
    'b2bua.zones[0].mediaEncryption: must be force, off, bestEffort or auto: got "on"',
  ],
  [
    'b2bua: { zones: [{ id: 1, name: z, aesGcm: 1 }] }',
    'b2bua.zones[0].aesGcm: must be true or false: got 1',
  ],
  ['b2bua: { zones: [{ id: 1, name: z, ice: 1 }] }', 'b2bua.zones[0].ice: must be true or false: got 1'],
  [
    'b2bua: { zones: [{ id: 1, name: z, icePassthrough: 1 }] }',
    'b2bua.zones[0].icePassthrough: must be true or false: got 1',
  ],
  [
    'b2bua: { zones: [{ id: 1, name: z, externalAddress: "::" }] }',
    `b2bua.zones[0].externalAddress: ${SPECIFIC}: got "::"`,
  ],
  [
    'b2bua: { zones: [{ id: 1, name: z, bfcpFilter: 1 }] }',
    'b2bua.zones[0].bfcpFilter: must be true or false: got 1',
  ],
  [
    'b2bua: { zones: [{ id: 1, name: z, ixFilter: on }] }',
    'b2bua.zones[0].ixFilter: must be true or false: got "on"',
  ],
  [
    'b2bua: { zones: [{ id: 1, name: z, media: pass }] }',
    'b2bua.zones[0].media: must be terminate or relay: got "pass"',
  ],
  [
    'b2bua: { zones: [{ id: 1, name: z, multiplexedPorts: 2776 }] }',
    `b2bua.zones[0].multiplexedPorts: ${PORTS}: got 2776`,
  ],
  ['metrics: { intervalHours: 0 }', 'metrics.intervalHours: must be a number from 0.01 to 168: got 0'],
  [
    'metrics: { collectd: { port: 25826 } }',
    'metrics.collectd.address: is required and must be an IP address or a host name',
  ],
  [
    'metrics: { collectd: { address: 10.0.0.300 } }',
    'metrics.collectd.address: must be an IP address or a host name: got "10.0.0.300"',
  ],
  [
    'metrics: { collectd: { address: 10.0.0.3, port: 0 } }',
    'metrics.collectd.port: must be a whole number from 1 to 65535: got 0',
  ],
  [
    'metrics: { collectd: { address: 10.0.0.3, intervalSeconds: 601 } }',
    'metrics.collectd.intervalSeconds: must be a whole number from 1 to 600: got 601',
  ],
  [
    'metrics: { collectd: { address: 10.0.0.3, hostname: "a/b" } }',
    'metrics.collectd.hostname: must be an IP address or a host name: got "a/b"',
  ],
  ['metrics: { cdr: { files: -1 } }', 'metrics.cdr.files: must be a whole number from 0 to 1000: got -1'],
  [
    'metrics: { cdr: { fileBytes: 1000 } }',
    'metrics.cdr.fileBytes: must be a whole number from 65536 to 1073741824: got 1000',
  ],
  [
    'admin: { http: "localhost:8080" }',
    'admin.http: must be ADDRESS:PORT with an IP address (IPv6 in brackets) and a port from 0 to 65535: got "localhost:8080"',
  ],
  [
    'admin: { http: "::1:8080" }',
    'admin.http: must be ADDRESS:PORT with an IP address (IPv6 in brackets) and a port from 0 to 65535: got "::1:8080"',
  ],
  [
    'admin: { http: "127.0.0.1:65536" }',
    'admin.http: must be ADDRESS:PORT with an IP address (IPv6 in brackets) and a port from 0 to 65535: got "127.0.0.1:65536"',
  ],
  [
    'admin: { token: "" }',
    'admin.token: must be 1 to 512 of letters, digits and - . _ ~ + / =: got 0 characters',
  ],
  ['[]', 'the configuration: must be a mapping of settings: got []'],
  ['5', 'the configuration: must be a mapping of settings: got 5'],
  ['turn: []', `turn: ${SECTION}: got []`],
];

describe('a value outside its rule is refused with one line', () => {
  it.each(REFUSED)('%s', (yaml, line) => {
    expect(linesOf(yaml)).toEqual([line]);
  });
});

describe('a value on the edge of its rule is accepted', () => {
  it.each([
    'turn: { requestsPort: 1024 }',
    'turn: { requestsPort: 65534 }',
    'turn: { requestsPortRange: [3478, 3478] }',
    'turn: { mediaPorts: [1024, 3477] }',
    'turn: { mediaPorts: [24000, 65535] }',
    `turn: { realm: ${'r'.repeat(128)} }`,
    'turn: { lifetimeSecondsMax: 600 }',
    'b2bua: { offerTimeoutSeconds: 86400, holdTimeoutSeconds: 86400, latchSeconds: 60 }',
    'b2bua: { offerTimeoutSeconds: null, holdTimeoutSeconds: 1, latchSeconds: 1 }',
    'b2bua: { limits: { portsPerCall: 2 } }',
    'turn: { limits: { unauthenticatedRepliesPerSecond: 0, reservations: 0 } }',
    'turn: { tls: null, sharedSecret: null, requestsPort: null, requestsPortRange: null }',
    'turn: { peers: { allow: [127.0.0.0/8, "::1/128", 10.0.0.1, "::/0"] } }',
    'admin: { http: "127.0.0.1:0" }',
    'admin: { http: "[::1]:8080" }',
    'b2bua: { ng: "[::1]:2223" }',
    'metrics: { collectd: { address: "2001:db8::9", intervalSeconds: 1 } }',
    'metrics: { cdr: { files: 0, fileBytes: 65536 } }',
  ])('%s', (yaml) => {
    expect(linesOf(yaml)).toEqual([]);
  });
});

describe('an unknown key', () => {
  it.each([
    ['turn: { medaPorts: 1 }', 'turn.medaPorts: unknown key; did you mean turn.mediaPorts?'],
    ['turn: { mediaports: 1 }', 'turn.mediaports: unknown key; did you mean turn.mediaPorts?'],
    ['trun: {}', 'trun: unknown key; did you mean turn?'],
    [
      'turn: { limits: { relaysPerUsr: 1 } }',
      'turn.limits.relaysPerUsr: unknown key; did you mean turn.limits.relaysPerUser?',
    ],
    [
      'turn: { credentials: [{ name: a, password: p, pasword: q }] }',
      'turn.credentials[0].pasword: unknown key; did you mean turn.credentials[0].password?',
    ],
    ['turn: { bandwidth: 1 }', 'turn.bandwidth: unknown key'],
    ['"turn ports": 1', '["turn ports"]: unknown key'],
    ['"__proto__": { turn: 1 }', '__proto__: unknown key'],
    ['turn: { constructor: 1 }', 'turn.constructor: unknown key'],
    ['node: { <<: { name: x } }', 'node["<<"]: unknown key'],
  ])('is refused with its path, and where it is close to a known one, that: %s', (yaml, line) => {
    expect(linesOf(yaml)).toEqual([line]);
  });

  it('does not pollute prototypes', () => {
    linesOf('"__proto__": { polluted: true }\nturn: { "__proto__": { polluted: true } }');
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });
});

describe('errors', () => {
  it('are collected, each once, with the name of the source in the message', () => {
    const text = 'turn: { medaPorts: 1, realm: "", mediaPorts: [2, 1] }\nadmin: { http: x }\nnod: 1';
    const lines = linesOf(text);
    expect(lines).toHaveLength(5);
    expect(() => loadConfig(text, 'causeway.yaml')).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        message: lines.map((line) => `causeway.yaml: ${line}`).join('\n'),
      }),
    );
  });

  it('never hold a secret', () => {
    const lines = [
      ...linesOf('turn: { sharedSecret: "hunter2\\n", credentials: [{ name: a, password: "hunter2\\n" }] }'),
      ...linesOf(
        'admin: { token: "hunter2 " }\nnode: { peers: [{ name: e, url: "http://a:hunter2@b", token: "hunter2 " }] }',
      ),
      ...linesOf('turn: { credentials: [alice:hunter2, [alice, hunter2]], sharedSecret: [hunter2] }'),
      ...linesOf('turn: { credentials: alice:hunter2 }'),
      ...linesOf('turn: { sharedSecret: "hunter2" hunter2 }'),
      ...linesOf('turn: { sharedSecret: "hunter2 }\n'),
      ...linesOf('turn: { sharedSecret: hunter2\n  }: hunter2: ['),
      // What begins like YAML's own signs is quoted by the parser's messages.
      ...['!hunter2', '| hunter2', '@hunter2', '`hunter2', '*hunter2', ']hunter2', '"x" "hunter2"'].flatMap(
        (value) => linesOf(`turn:\n  sharedSecret: ${value}`),
      ),
      ...linesOf('%hunter2\n---\nturn: {}'),
    ];
    expect(lines.length).toBeGreaterThanOrEqual(16);
    expect(lines.join('\n')).not.toContain('hunter2');
  });
});

describe('text that is no YAML mapping of settings', () => {
  it.each([
    ['a: 1\na: 2', 'line 2, column 1: Map keys must be unique'],
    [
      'turn: {',
      'line 1, column 8: Flow map in block collection must be sufficiently indented and end with a }',
    ],
    [
      'turn: {}\n---\nturn: {}',
      expect.stringMatching(/^line 2, column 1: Source contains multiple documents/),
    ],
    ['turn: !!js/function x', expect.stringMatching(/^line 1, column 7: Unresolved tag/)],
    ['turn: *nowhere', expect.stringMatching(/^(line 1, column 7|not usable as YAML): /)],
    ['? [a]\n: 1', expect.stringMatching(/^line 1, column 3: /)],
  ])('is refused with its place: %j', (text, line) => {
    expect(linesOf(text)).toContainEqual(line);
  });

  it('is refused where aliases multiply without end', () => {
    const levels = Array.from(
      { length: 9 },
      (_, i) => `a${i + 1}: &a${i + 1} [${Array(9).fill(`*a${i}`).join(', ')}]`,
    );
    const lines = linesOf(`a0: &a0 [x]\n${levels.join('\n')}`);
    expect(lines).toEqual([expect.stringMatching(/^not usable as YAML: Excessive alias count/)]);
  });
});
