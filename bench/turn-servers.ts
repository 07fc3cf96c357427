/** The TURN servers that are compared, each on ports of its own. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Launch } from './servers.ts';

export type TurnServerName = 'coturn' | 'causeway' | 'forwarder';

export interface TurnServerOptions {
  /** Long-term credentials `alice:secret`, or none. */
  readonly authentication: boolean;
  /** Relay ports of Causeway; coturn's are those of the recorded command line. */
  readonly relayPorts: readonly [first: number, last: number];
  /** Where configuration and logs go. */
  readonly directory: string;
}

/** Outside every range of relay ports, like those of Causeway's other services below. */
const PORTS: Readonly<Record<TurnServerName, number>> = { coturn: 8478, causeway: 8479, forwarder: 8480 };
const REALM = 'TANDBERG';
/** A Binding request (RFC 8489). */
const PROBE = Buffer.from('000100002112a442636175736577617962656e63', 'hex');

export function turnServer(name: TurnServerName, options: TurnServerOptions): Launch {
  const { directory } = options;
  return { name, command: COMMANDS[name](options), port: PORTS[name], probe: PROBE, directory };
}

const COMMANDS: Readonly<Record<TurnServerName, (options: TurnServerOptions) => string[]>> = {
  coturn: ({ authentication, directory }) => [
    'turnserver',
    '-n',
    ...(authentication ? ['--lt-cred-mech', '--user', 'alice:secret', '--realm', REALM] : ['--no-auth']),
    ...'--allow-loopback-peers --listening-ip 127.0.0.1 --relay-ip 127.0.0.1'.split(' '),
    ...'--no-cli --no-tls --no-dtls --min-port 24000 --max-port 29999'.split(' '),
    ...['--listening-port', String(PORTS.coturn)],
    ...['--pidfile', join(directory, 'coturn.pid'), '--log-file', join(directory, 'coturn-own.log')],
  ],
  causeway: (options) => {
    const file = join(options.directory, 'causeway.yaml');
    writeFileSync(file, causewayConfiguration(options));
    return [process.execPath, 'dist/main.js', 'serve', '-c', file];
  },
  forwarder: ({ directory }) => {
    const binary = join(directory, 'forwarder');
    execFileSync('cc', ['-O2', '-o', binary, 'bench/forwarder.c']);
    return [binary, String(PORTS.forwarder), 'batch'];
  },
};

/** JSON is YAML. The limits are opened: every allocation comes from one user on one address. */
function causewayConfiguration({ authentication, directory, relayPorts }: TurnServerOptions): string {
  const unlimited = 100_000;
  return JSON.stringify({
    node: {
      workers: 1,
      engine: 'batch',
      stateDirectory: join(directory, 'state'),
      log: { level: 'warn', format: 'json' },
    },
    turn: {
      listenAddresses: ['127.0.0.1'],
      relayAddresses: ['127.0.0.1'],
      requestsPort: PORTS.causeway,
      protocolMode: 'udp',
      realm: REALM,
      authentication,
      credentials: authentication ? [{ name: 'alice', password: 'secret' }] : [],
      mediaPorts: relayPorts,
      peers: { allow: ['127.0.0.0/8'] },
      limits: {
        relays: relayPorts[1] - relayPorts[0] + 1,
        relaysPerUser: unlimited,
        relaysPerAddress: unlimited,
        unauthenticatedRepliesPerSecond: unlimited,
      },
    },
    b2bua: { ng: '127.0.0.1:8482' },
    admin: { http: '127.0.0.1:8481' },
  });
}
