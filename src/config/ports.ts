/** Which settings claim which ports of which addresses, and where two claim the same. */
import type { Config } from './config.ts';
import { isUnspecified, sameFamily } from './rules.ts';

/** Sockets that a setting makes the node open. */
export interface PortClaim {
  /** The setting, as `turn.tls.port`. */
  readonly key: string;
  /** Its value as the file has it. */
  readonly value: unknown;
  readonly transport: 'UDP' | 'TCP';
  readonly addresses: readonly string[];
  readonly first: number;
  readonly last: number;
}

/** Two claims of which at least one socket is the same. */
export interface PortConflict {
  readonly earlier: PortClaim;
  readonly later: PortClaim;
  /** The lowest port both claim. */
  readonly port: number;
}

/** Every port on which TURN requests are heard by UDP or TCP; the TLS port and 443 are not among them. */
export function turnRequestsPorts(turn: Config['turn']): number[] {
  if (turn.requestsPortRange === null) return turn.requestsPort === null ? [] : [turn.requestsPort];
  const [first, last] = turn.requestsPortRange;
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

/** The conflicts within a configuration; with `b2bua: false` as if it had no B2BUA. */
export function portConflicts(config: Config, parts: { b2bua: boolean }): PortConflict[] {
  const claims = [
    ...turnClaims(config.turn),
    ...(parts.b2bua ? b2buaClaims(config.b2bua) : []),
    ...adminClaims(config.admin),
  ];
  const conflicts: PortConflict[] = [];
  for (const [i, earlier] of claims.entries()) {
    for (const later of claims.slice(i + 1)) {
      const port = Math.max(earlier.first, later.first);
      const meet = port <= Math.min(earlier.last, later.last) && earlier.transport === later.transport;
      if (meet && shareAddress(earlier.addresses, later.addresses)) conflicts.push({ earlier, later, port });
    }
  }
  return conflicts;
}

function turnClaims(turn: Config['turn']): PortClaim[] {
  if (!turn.services) return [];
  const addresses = turn.listenAddresses;
  const claims: PortClaim[] = [];
  const range = turn.requestsPortRange ?? [turn.requestsPort ?? 0, turn.requestsPort ?? 0];
  const requests = {
    key: turn.requestsPortRange ? 'turn.requestsPortRange' : 'turn.requestsPort',
    value: turn.requestsPortRange ?? turn.requestsPort,
    addresses,
    first: range[0],
    last: range[1],
  };
  if (turn.protocolMode !== 'tcp') claims.push({ ...requests, transport: 'UDP' });
  if (turn.protocolMode !== 'udp') claims.push({ ...requests, transport: 'TCP' });
  if (turn.tls) claims.push(onePort('turn.tls.port', turn.tls.port, 'TCP', addresses, turn.tls.port));
  if (turn.tcp443) claims.push(onePort('turn.tcp443', true, 'TCP', addresses, 443));
  claims.push({
    key: 'turn.mediaPorts',
    value: turn.mediaPorts,
    transport: 'UDP',
    addresses: turn.relayAddresses.length > 0 ? turn.relayAddresses : addresses,
    first: turn.mediaPorts[0],
    last: turn.mediaPorts[1],
  });
  return claims;
}

function b2buaClaims(b2bua: Config['b2bua']): PortClaim[] {
  if (!b2bua.services) return [];
  const ng = onePort('b2bua.ng', b2bua.ng, 'UDP', [b2bua.ng.address], b2bua.ng.port);
  const zoneAddresses = b2bua.zones.map((zone) => zone.address);
  // A zone without an address uses the default one, which only the running node knows: take all.
  const known = zoneAddresses.filter((address) => address !== null);
  const addresses = known.length > 0 && known.length === zoneAddresses.length ? known : ['0.0.0.0', '::'];
  const [first, last] = b2bua.mediaPorts;
  const media: PortClaim = {
    key: 'b2bua.mediaPorts',
    value: b2bua.mediaPorts,
    transport: 'UDP',
    addresses,
    first,
    last,
  };
  const multiplexed = b2bua.zones.flatMap((zone, i): PortClaim[] => {
    if (!zone.multiplexedPorts) return [];
    return [
      {
        key: `b2bua.zones[${i}].multiplexedPorts`,
        value: zone.multiplexedPorts,
        transport: 'UDP',
        addresses: zone.address === null ? ['0.0.0.0', '::'] : [zone.address],
        first: zone.multiplexedPorts[0],
        last: zone.multiplexedPorts[1],
      },
    ];
  });
  return [ng, media, ...multiplexed];
}

function adminClaims(admin: Config['admin']): PortClaim[] {
  if (admin.http.port === 0) return [];
  return [onePort('admin.http', admin.http, 'TCP', [admin.http.address], admin.http.port)];
}

function onePort(
  key: string,
  value: unknown,
  transport: PortClaim['transport'],
  addresses: readonly string[],
  port: number,
): PortClaim {
  return { key, value, transport, addresses, first: port, last: port };
}

/**
 * Whether a socket on one of `a` would keep one on one of `b` from opening. IPv6 sockets of the node are
 * IPv6 only, so `::` does not hold the IPv4 port.
 */
function shareAddress(a: readonly string[], b: readonly string[]): boolean {
  return a.some((x) =>
    b.some((y) => x === y || (sameFamily(x, y) && (isUnspecified(x) || isUnspecified(y)))),
  );
}
