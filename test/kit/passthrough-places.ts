/** Where the endpoints of a test call are: which NATs and firewalls are around them. */
import type { PassthroughWorld } from './passthrough-call.ts';
import type { EndpointOptions } from './passthrough-endpoint.ts';
import type { NatDependence, SiteOptions } from './passthrough-site.ts';
import type { Place } from './sim-network.ts';
import { NODE_IPV4 } from './turn-sim.ts';

type Placed = Pick<EndpointOptions, 'name' | 'zone' | 'site' | 'place' | 'turn'>;

/** A way of putting an endpoint somewhere; `name` is `a`, `b`, …, and each has a site of its own. */
export type Somewhere = (world: PassthroughWorld, name: string) => Placed;

const PORT = 40_000;
const ENDPOINT = 'endpoint-independent';

/** At home behind a NAT. */
export function behind(mapping: NatDependence, filtering: NatDependence = mapping): Somewhere {
  return (world, name) => inHome(world, name, { nat: natOf(name, mapping, filtering) });
}

/** The common home: one mapping for all, and only who was sent to gets in. */
export const atHome: Somewhere = behind(ENDPOINT, 'address-and-port-dependent');

/** At home behind a NAT with another port for everyone. */
export const behindSymmetric: Somewhere = behind('address-and-port-dependent');

/** Where UDP is let out to the TURN server's port and to nothing else. */
export const behindFirewall: Somewhere = (world, name) =>
  inHome(world, name, { nat: natOf(name, ENDPOINT, ENDPOINT), lets: isTurnPort });

/** Where UDP is let out to the edge node, which has no relay for it. */
export const withoutRelay: Somewhere = (world, name) => {
  const nat = natOf(name, ENDPOINT, 'address-and-port-dependent');
  const { turn: _, ...placed } = inHome(world, name, { nat, lets: isMediaPort });
  return placed;
};

/** In one network with the endpoint that was made before. */
export const besideCaller: Somewhere = (world, name) => {
  const [caller] = world.endpoints;
  if (!caller) throw new Error('nobody to be beside');
  const address = caller.agent.place.address.replace(/\d+$/, String(10 + numberOf(name)));
  return {
    ...{ name, zone: caller.zone, site: caller.site, turn: world.server },
    place: { address, port: PORT },
  };
};

/** On the internet, with a public address. */
export const outside: Somewhere = (world, name) => {
  const address = `192.0.2.${numberOf(name)}`;
  return placed(world, name, 'external', { prefix: '192.0.2.' }, address);
};

/** In the company's network, behind its NAT. */
export const inside: Somewhere = (world, name) => {
  const site = { prefix: '10.0.0.', hasNode: true, nat: natOf(name, ENDPOINT, 'address-and-port-dependent') };
  return placed(world, name, 'internal', site, `10.0.0.${20 + numberOf(name)}`);
};

/** In the company's network, from which no UDP gets out. */
export const locked: Somewhere = (world, name) => {
  const site = { prefix: '10.0.0.', hasNode: true, nat: natOf(name, ENDPOINT, ENDPOINT), lets: () => false };
  const { turn: _, ...rest } = placed(world, name, 'internal', site, `10.0.0.${20 + numberOf(name)}`);
  return rest;
};

function inHome(world: PassthroughWorld, name: string, site: Omit<SiteOptions, 'prefix'>): Placed {
  const prefix = `192.168.${numberOf(name)}.`;
  return placed(world, name, 'external', { prefix, ...site }, `${prefix}10`);
}

function placed(
  world: PassthroughWorld,
  name: string,
  zone: string,
  site: SiteOptions,
  address: string,
): Placed {
  return { name, zone, site: world.site(site), place: { address, port: PORT }, turn: world.server };
}

function natOf(name: string, mapping: NatDependence, filtering: NatDependence): SiteOptions['nat'] & object {
  return { address: `203.0.113.${numberOf(name)}`, mapping, filtering };
}

/** 1 for `a`, 2 for `b`, … */
function numberOf(name: string): number {
  return name.charCodeAt(0) - 96;
}

function isTurnPort({ address, port }: Place): boolean {
  return address === NODE_IPV4 && port === 3478;
}

function isMediaPort({ address, port }: Place): boolean {
  return address === NODE_IPV4 && port >= 36_000;
}
