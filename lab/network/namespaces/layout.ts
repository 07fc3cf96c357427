/** The cables, addresses and routes of the topology, as `ip -batch` takes them. */
import {
  HOMES,
  type HomeName,
  OPERATOR_ADDRESS,
  PLACE_NAMES,
  PLACES,
  type PlaceName,
} from '../../topology.ts';

export type GatewayName = `gateway${HomeName}`;
/** What has a network namespace of its own. */
export type SpaceName = PlaceName | GatewayName | 'router';
/** Also that of the lab's own process; the bridge of the office LAN is in it. */
export type SiteName = SpaceName | 'operator';

export const SPACE_NAMES: readonly SpaceName[] = [...PLACE_NAMES, 'gatewayA', 'gatewayB', 'router'];

/** Names of devices. A place has either, and the edge both; a gateway's `lan` is a bridge. */
export const WAN = 'wan';
export const LAN = 'lan';
const OFFICE = 'office';

/** Neither SIP over UDP nor anything else is to be cut up. */
const MTU_BYTES = 9000;
/** A home's public addresses are all of one net of this size, and the other home's are of another. */
const WAN_BITS = 28;

/** Of the internet's router, towards each neighbour. */
const ROUTER = {
  edge: '198.51.100.1',
  internet: '192.0.2.1',
  gatewayA: '203.0.113.1',
  gatewayB: '203.0.113.17',
} as const;

interface Site {
  /** Its own bridge, and the devices in it. */
  readonly bridge?: { readonly name: string; readonly ports: readonly string[] };
  /** By device, with the length of the prefix. */
  readonly addresses: Readonly<Record<string, string>>;
  readonly routes: readonly string[];
  /** Passes on packets that are for others. */
  readonly isForwarding?: true;
}

const SITES: Readonly<Record<SiteName, Site>> = {
  operator: {
    bridge: { name: OFFICE, ports: ['edge', 'core', 'desk'] },
    addresses: { [OFFICE]: `${OPERATOR_ADDRESS}/24` },
    routes: [],
  },
  edge: {
    addresses: { [WAN]: `${PLACES.edge.addresses[0]}/24`, [LAN]: `${PLACES.edge.addresses[1]}/24` },
    routes: [`default via ${ROUTER.edge}`],
  },
  core: officeSite('core'),
  desk: officeSite('desk'),
  internet: {
    addresses: { [WAN]: `${PLACES.internet.addresses[0]}/24` },
    routes: [`default via ${ROUTER.internet}`],
  },
  homeA: homeSite('homeA', 'A'),
  homeA2: homeSite('homeA2', 'A'),
  homeB: homeSite('homeB', 'B'),
  gatewayA: gatewaySite('A', ['homeA', 'homeA2']),
  gatewayB: gatewaySite('B', ['homeB']),
  router: {
    addresses: {
      edge: `${ROUTER.edge}/24`,
      internet: `${ROUTER.internet}/24`,
      gatewayA: `${ROUTER.gatewayA}/${WAN_BITS}`,
      gatewayB: `${ROUTER.gatewayB}/${WAN_BITS}`,
    },
    // Refuses what it has no network for, as private addresses.
    routes: ['unreachable default'],
    isForwarding: true,
  },
};

/** From a device of the first to the second, where the device has the first one's name. */
const CABLES: readonly (readonly [site: SiteName, device: string, hub: SiteName])[] = [
  ['edge', WAN, 'router'],
  ['internet', WAN, 'router'],
  ['gatewayA', WAN, 'router'],
  ['gatewayB', WAN, 'router'],
  ['edge', LAN, 'operator'],
  ['core', LAN, 'operator'],
  ['desk', LAN, 'operator'],
  ['homeA', LAN, 'gatewayA'],
  ['homeA2', LAN, 'gatewayA'],
  ['homeB', LAN, 'gatewayB'],
];

export function gatewayOf(home: HomeName): GatewayName {
  return `gateway${home}`;
}

export function isForwarding(site: SiteName): boolean {
  return SITES[site].isForwarding === true;
}

/** Run anywhere; each site is named by a process in it. */
export function cableBatch(pids: Readonly<Record<SiteName, number>>): string {
  const lines = CABLES.map(([site, device, hub]) => {
    const end = `${device} mtu ${MTU_BYTES} netns ${pids[site]}`;
    return `link add name ${end} type veth peer name ${site} mtu ${MTU_BYTES} netns ${pids[hub]}`;
  });
  return batch(lines);
}

/** Run in the site, when its cables are there. */
export function siteBatch(name: SiteName): string {
  const site = SITES[name];
  const devices = CABLES.flatMap(([at, device, hub]) => (at === name ? [device] : hub === name ? [at] : []));
  return batch([
    'link set lo up',
    ...(site.bridge ? [`link add name ${site.bridge.name} type bridge`] : []),
    ...(site.bridge?.ports ?? []).map((port) => `link set ${port} master ${site.bridge?.name}`),
    ...(site.bridge ? [`link set ${site.bridge.name} mtu ${MTU_BYTES} up`] : []),
    ...devices.map((device) => `link set ${device} up`),
    ...Object.entries(site.addresses).map(([device, address]) => `address add ${address} dev ${device}`),
    ...site.routes.map((route) => `route add ${route}`),
  ]);
}

/** Takes from the lab's own namespace what `siteBatch` has made there. */
export const OPERATOR_REMOVAL: string = batch([`link delete ${OFFICE}`]);

/** Run in the gateway: its public address changes, and with that its route out has to be set again. */
export function rebindBatch(home: HomeName, from: string, to: string): string {
  return batch([
    `address delete ${from}/${WAN_BITS} dev ${WAN}`,
    `address add ${to}/${WAN_BITS} dev ${WAN}`,
    ...SITES[gatewayOf(home)].routes.map((route) => `route add ${route}`),
  ]);
}

/** The office has no way out. */
function officeSite(place: PlaceName): Site {
  return { addresses: { [LAN]: `${PLACES[place].addresses[0]}/24` }, routes: [] };
}

function homeSite(place: PlaceName, home: HomeName): Site {
  return {
    addresses: { [LAN]: `${PLACES[place].addresses[0]}/24` },
    routes: [`default via ${HOMES[home].lanAddress}`],
  };
}

function gatewaySite(home: HomeName, places: readonly PlaceName[]): Site {
  const { lanAddress, wanAddresses } = HOMES[home];
  return {
    bridge: { name: LAN, ports: places },
    addresses: { [LAN]: `${lanAddress}/24`, [WAN]: `${wanAddresses[0]}/${WAN_BITS}` },
    routes: [`default via ${ROUTER[gatewayOf(home)]}`],
    isForwarding: true,
  };
}

function batch(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}
