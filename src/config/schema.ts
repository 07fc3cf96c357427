/**
 * Every setting, its rule and its default: one line each. The only place where a default stands.
 * Ranges follow the appliance where it has the setting (bounds of ports, of the realm).
 */
import { z } from 'zod';
import type { Config, Credential } from './config.ts';
import {
  autoOrInteger,
  cidr,
  decimal,
  flag,
  host,
  integer,
  ipAddress,
  label,
  listOf,
  mapping,
  oneOf,
  path,
  portRange,
  section,
  socketAddress,
  specificAddress,
  text,
  token,
} from './rules.ts';

/** A name is at most 508 bytes on the wire (RFC 8489 §14.3), whatever characters it is made of. */
const CREDENTIAL_NAME_CHARACTERS_MAX = 127;

/** A user of the local database, as in the file and as `POST /api/credentials` takes it. */
export const credentialSchema: z.ZodType<Credential> = mapping({
  name: text(1, CREDENTIAL_NAME_CHARACTERS_MAX),
  password: text(1, 256),
});

const nodeSchema = section({
  name: label().default('node1'),
  workers: autoOrInteger(1, 64).default('auto'),
  engine: oneOf('auto', 'batch', 'dgram').default('auto'),
  stateDirectory: path().default('./state'),
  log: section({
    level: oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent').default('info'),
    format: oneOf('auto', 'json', 'pretty').default('auto'),
  }),
  limits: section({
    listenerBufferBytes: integer(4096, 1_073_741_824).default(4_194_304),
    relayBufferBytes: integer(4096, 1_073_741_824).default(262_144),
    pauseMicrosecondsMax: integer(0, 1000).default(300),
  }),
  peers: listOf(
    mapping({ name: label(), url: peerUrl(), token: token().nullable().default(null) }),
    'nodes ({ name, url, token })',
  ).default([]),
});

const turnSchema = section({
  services: flag().default(true),
  listenAddresses: listOf(ipAddress(), 'IP addresses')
    .min(1, { error: 'must be a list of at least one IP address' })
    .default(['0.0.0.0', '::']),
  requestsPort: integer(1024, 65_534).nullable().default(null), // 3478, see withRequestsPort
  requestsPortRange: portRange(1024, 65_534, 'same allowed').nullable().default(null),
  protocolMode: oneOf('udp', 'tcp', 'both').default('both'),
  tls: mapping({ port: integer(1, 65_535).default(5349), certificate: path(), key: path() })
    .nullable()
    .default(null),
  tcp443: flag().default(false),
  realm: text(1, 128).default('TANDBERG'),
  authentication: flag().default(true),
  unauthenticatedBinding: flag().default(true),
  credentials: listOf(credentialSchema, 'credentials ({ name, password })').default([]),
  sharedSecret: text(1, 512).nullable().default(null),
  mediaPorts: portRange(1024, 65_535, 'distinct').default([24_000, 29_999]),
  relayAddresses: listOf(specificAddress(), 'IP addresses').default([]),
  externalAddresses: z
    .record(specificAddress(), specificAddress(), {
      error: 'must be a mapping of relay address to external address',
    })
    .default({}),
  peers: section({
    allow: listOf(cidr(), 'CIDRs').default([]),
    deny: listOf(cidr(), 'CIDRs').default([]),
    refusal: oneOf('error', 'silent').default('error'),
  }),
  channelNumbers: oneOf('rfc5766', 'rfc8656').default('rfc5766'),
  mediaPolicy: oneOf('any', 'media').default('any'),
  limits: section({
    relays: integer(1, 100_000).default(6000),
    relaysPerUser: integer(1, 100_000).default(200),
    relaysPerAddress: integer(1, 100_000).default(1000),
    permissionsPerRelay: integer(1, 65_535).default(64),
    channelsPerRelay: integer(1, 4096).default(64), // 0x4000–0x4FFF, RFC 8656 §12
    reservations: integer(0, 65_535).default(512),
    unauthenticatedRepliesPerSecond: integer(0, 1_000_000).default(20),
    streams: integer(1, 1_000_000).default(4096),
    streamsPerAddress: integer(1, 1_000_000).default(256),
    halfOpenHandshakes: integer(1, 1_000_000).default(256),
  }),
  lifetimeSecondsMax: integer(600, 86_400).default(3600), // at least the default lifetime, RFC 8656 §7.2
}).transform(withRequestsPort);

const zoneSchema = mapping({
  id: integer(1, 65_535),
  name: label(),
  kind: oneOf('traversal', 'neighbor').default('neighbor'),
  address: specificAddress().nullable().default(null),
  externalAddress: specificAddress().nullable().default(null),
  signalling: oneOf('tls', 'tcp', 'udp').default('tls'),
  mediaEncryption: oneOf('force', 'off', 'bestEffort', 'auto').default('auto'),
  aesGcm: flag().default(false),
  ice: flag().default(false),
  icePassthrough: flag().default(false),
  bfcpFilter: flag().default(false),
  ixFilter: flag().default(false),
  media: oneOf('terminate', 'relay').default('terminate'),
  multiplexedPorts: portRange(1024, 65_535, 'distinct').nullable().default(null),
});

const b2buaSchema = section({
  services: flag().default(true),
  ng: socketAddress(1).default({ address: '127.0.0.1', port: 2223 }),
  ngAllow: listOf(cidr(), 'CIDRs').default(['127.0.0.0/8', '::1/128']),
  mediaPorts: portRange(1024, 65_535, 'distinct').default([36_000, 59_999]),
  mediaTimeoutSeconds: integer(1, 86_400).default(60),
  offerTimeoutSeconds: integer(1, 86_400).nullable().default(null),
  holdTimeoutSeconds: integer(1, 86_400).default(3600),
  directTimeoutSeconds: integer(1, 604_800).default(43_200),
  latchSeconds: integer(1, 60).default(5),
  limits: section({
    calls: integer(1, 1_000_000).default(2000),
    portsPerCall: integer(2, 1024).default(48),
  }),
  zones: listOf(zoneSchema, 'zones ({ id, name, … })').default([]),
});

const metricsSchema = section({
  // The appliance knows only 24 and 30–600; a lab does not want to wait that long.
  intervalHours: decimal(0.01, 168).default(24),
  cdr: section({
    files: integer(0, 1000).default(10),
    fileBytes: integer(65_536, 1_073_741_824).default(10_485_760),
  }),
  collectd: mapping({
    address: host(),
    port: integer(1, 65_535).default(25_826),
    intervalSeconds: integer(1, 600).default(60),
    hostname: host().nullable().default(null),
  })
    .nullable()
    .default(null),
});

const adminSchema = section({
  http: socketAddress(0).default({ address: '127.0.0.1', port: 8080 }),
  token: token().nullable().default(null),
});

export const configSchema: z.ZodType<Config> = section({
  node: nodeSchema,
  turn: turnSchema,
  b2bua: b2buaSchema,
  metrics: metricsSchema,
  admin: adminSchema,
});

/** One port unless a range is given; where both are, the cross-checks refuse. */
function withRequestsPort<Turn extends { requestsPort: number | null; requestsPortRange: unknown }>(
  turn: Turn,
): Turn {
  return turn.requestsPort === null && turn.requestsPortRange === null
    ? { ...turn, requestsPort: 3478 }
    : turn;
}

function peerUrl(): z.ZodString {
  const error = 'must be an http or https URL without user, query or fragment';
  return z.string({ error }).refine(
    (value) => {
      if (!URL.canParse(value)) return false;
      const url = new URL(value);
      return (
        /^https?:$/.test(url.protocol) && url.username === '' && url.password === '' && !/[?#]/.test(value)
      );
    },
    { error },
  );
}
