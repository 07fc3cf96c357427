/** What must hold between settings that are each right on their own, and what is right but deserves a warning. */

import { formatEndpoint } from '../wire/address.ts';
import type { Config, ZoneConfig } from './config.ts';
import { problemLine } from './messages.ts';
import { type PortConflict, portConflicts } from './ports.ts';
import { isLoopback, isUnspecified, sameFamily } from './rules.ts';

/** Requests ports a node listens on at most: each is a socket per worker, address and transport. */
const REQUESTS_PORTS_MAX = 64;
/** A secret shorter than this is guessed rather than stolen. */
const SECRET_CHARACTERS_MIN = 16;

/**
 * The lines of all rules between settings that `config` breaks. `b2buaWritten`: whether the file has
 * that section; only then are its ports held against others, so that a TURN-only node may use them.
 */
export function crossCheckLines(config: Config, b2buaWritten: boolean): string[] {
  return [
    ...requestsPortLines(config.turn),
    ...addressLines(config.turn),
    ...duplicateLines('turn.listenAddresses', '', config.turn.listenAddresses),
    ...duplicateLines('turn.relayAddresses', '', config.turn.relayAddresses),
    ...duplicateLines(
      'turn.credentials',
      'name',
      config.turn.credentials.map(({ name }) => name),
    ),
    ...duplicateLines(
      'b2bua.zones',
      'id',
      config.b2bua.zones.map(({ id }) => id),
    ),
    ...duplicateLines(
      'b2bua.zones',
      'name',
      config.b2bua.zones.map(({ name }) => name),
    ),
    ...config.b2bua.zones.flatMap((zone, i) => zoneLines(`b2bua.zones[${i}]`, zone)),
    ...peerLines(config.node),
    ...portConflicts(config, { b2bua: b2buaWritten }).map(conflictLine),
    ...tokenLines(config.admin),
  ];
}

/** Lines about settings that are allowed and risky, or that will not do what they seem to. */
export function configWarnings(config: Config): string[] {
  const { turn, admin } = config;
  const warnings: string[] = [];
  if (turn.services && !turn.authentication) {
    warnings.push('turn.authentication: is false: an open relay, anyone may send through this server');
  }
  if (turn.services && turn.sharedSecret !== null && turn.sharedSecret.length < SECRET_CHARACTERS_MIN) {
    warnings.push(
      `turn.sharedSecret: is shorter than ${SECRET_CHARACTERS_MIN} characters, which can be guessed from one credential`,
    );
  }
  if (admin.token !== null && admin.token.length < SECRET_CHARACTERS_MIN && !isLoopback(admin.http.address)) {
    warnings.push(
      `admin.token: is shorter than ${SECRET_CHARACTERS_MIN} characters, and admin.http is not a loopback address`,
    );
  }
  for (const { earlier, later, port } of portConflicts(config, { b2bua: true })) {
    warnings.push(`${later.key}: shares ${later.transport} port ${port} and maybe more with ${earlier.key}`);
  }
  return warnings;
}

function requestsPortLines(turn: Config['turn']): string[] {
  if (turn.requestsPortRange === null) return [];
  if (turn.requestsPort !== null) {
    return [
      problemLine(
        'turn.requestsPort',
        'must not be set together with turn.requestsPortRange',
        turn.requestsPort,
      ),
    ];
  }
  const [first, last] = turn.requestsPortRange;
  if (last - first < REQUESTS_PORTS_MAX) return [];
  return [
    problemLine(
      'turn.requestsPortRange',
      `must span at most ${REQUESTS_PORTS_MAX} ports`,
      turn.requestsPortRange,
    ),
  ];
}

function addressLines(turn: Config['turn']): string[] {
  const lines: string[] = [];
  const owners = new Map<string, string>();
  const bound = turn.relayAddresses.length > 0 ? turn.relayAddresses : turn.listenAddresses;
  const setting = turn.relayAddresses.length > 0 ? 'turn.relayAddresses' : 'turn.listenAddresses';
  for (const [address, external] of Object.entries(turn.externalAddresses)) {
    const key = `turn.externalAddresses["${address}"]`;
    if (!sameFamily(address, external)) {
      lines.push(problemLine(key, 'must be an address of the same family as its key', external));
    }
    // Two relay addresses behind one external address: nobody could tell whose relay a port is.
    const owner = owners.get(external);
    if (owner !== undefined) lines.push(problemLine(key, `must differ from the one of "${owner}"`, external));
    owners.set(external, address);
    const used = bound.some(
      (other) => other === address || (isUnspecified(other) && sameFamily(other, address)),
    );
    if (!used) lines.push(`${key}: the key must be one of ${setting}`);
  }
  return lines;
}

function zoneLines(
  key: string,
  { address, externalAddress, ice, media, multiplexedPorts }: ZoneConfig,
): string[] {
  const lines: string[] = [];
  const refuse = (setting: string, rule: string, value: unknown): void => {
    lines.push(problemLine(`${key}.${setting}`, rule, value));
  };
  if (externalAddress !== null && address === null) {
    refuse('externalAddress', `needs ${key}.address, which it stands for`, externalAddress);
  } else if (externalAddress !== null && address !== null && !sameFamily(address, externalAddress)) {
    refuse('externalAddress', `must be an address of the same family as ${key}.address`, externalAddress);
  }
  // What passes untouched is between the endpoints, their checks too.
  if (ice && media === 'relay') refuse('ice', 'must be false where media is relay', ice);
  if (multiplexedPorts && (multiplexedPorts[0] % 2 !== 0 || multiplexedPorts[1] % 2 !== 1)) {
    refuse('multiplexedPorts', 'must be pairs of ports: the first even, the last odd', multiplexedPorts);
  }
  return lines;
}

function duplicateLines(list: string, member: string, values: readonly (string | number)[]): string[] {
  return values.flatMap((value, i) => {
    const first = values.indexOf(value);
    if (first === i) return [];
    const suffix = member === '' ? '' : `.${member}`;
    return [problemLine(`${list}[${i}]${suffix}`, `must differ from ${list}[${first}]${suffix}`, value)];
  });
}

function peerLines(node: Config['node']): string[] {
  const own = node.peers.flatMap(({ name }, i) =>
    name === node.name ? [problemLine(`node.peers[${i}].name`, 'must differ from node.name', name)] : [],
  );
  return [
    ...own,
    ...duplicateLines(
      'node.peers',
      'name',
      node.peers.map(({ name }) => name),
    ),
  ];
}

function conflictLine({ earlier, later, port }: PortConflict): string {
  return problemLine(
    later.key,
    `must not share ${later.transport} port ${port} with ${earlier.key}`,
    asWritten(later.value),
  );
}

function tokenLines(admin: Config['admin']): string[] {
  if (admin.token !== null || isLoopback(admin.http.address)) return [];
  return [
    problemLine(
      'admin.token',
      `is required where admin.http is not a loopback address (${asWritten(admin.http)})`,
      null,
    ),
  ];
}

/** A value as the file writes it: an address with its port is one word there. */
function asWritten(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('address' in value) || !('port' in value))
    return value;
  return formatEndpoint(String(value.address), Number(value.port));
}
