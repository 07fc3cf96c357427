/**
 * The lab's own media plane. Two Causeway nodes, as in an MRA deployment: the edge in the DMZ has the TURN server,
 * and relays the media of phones outside untouched to the core, which is the B2BUA. Or one node in the DMZ that is
 * all of that at once.
 */
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { join } from 'node:path';
import type { LabNetwork } from '../network/network.ts';
import { PLACES } from '../topology.ts';
import { AdminClient } from './admin-client.ts';
import type { Hop, MediaPlane, Side, TurnService } from './media-plane.ts';
import { httpNgClient } from './ng-client.ts';
import { NodeProgram } from './node-program.ts';
import { NodeRecords } from './node-records.ts';

const [EDGE_OUTSIDE, EDGE_INSIDE = ''] = PLACES.edge.addresses;
const [CORE] = PLACES.core.addresses;

/** What proxies ask for as a rule. */
const PLAIN = { offer: { replace: ['origin'] }, answer: { replace: ['origin'] } };

const TURN_PORT = 3478;
const TURN_USER = 'phone';
/** As on the appliance: the media of all traversal calls on two ports of the edge. */
const TRAVERSAL_PORTS = [2776, 2777];

export interface CausewayPlaneOptions {
  readonly network: LabNetwork;
  /** `pair`: edge and core; `single`: the edge is both, for one SIP proxy beside it. */
  readonly shape: PlaneShape;
  /** For both nodes' files. */
  readonly directory: string;
  /** Of a collectd, as the core reaches it. */
  readonly collectd?: { readonly address: string; readonly port: number; readonly intervalSeconds: number };
}

export type PlaneShape = 'pair' | 'single';

type NodeName = 'edge' | 'core';

/** Starts the nodes. @throws Error (rejects) with one line, nothing left running */
export async function startCausewayPlane(options: CausewayPlaneOptions): Promise<MediaPlane> {
  const turn: TurnService = {
    server: { address: EDGE_OUTSIDE, port: TURN_PORT },
    username: TURN_USER,
    password: randomBytes(12).toString('base64url'),
  };
  const nodes = new NodeStarter(options);
  return options.shape === 'pair' ? startPair(nodes, turn) : startSingle(nodes, turn);
}

async function startPair(nodes: NodeStarter, turn: TurnService): Promise<MediaPlane> {
  const edge = await nodes.start('edge', {}, { turn: turnSettings(turn, 'error'), zones: edgeZones() });
  try {
    const peers = [{ name: 'edge', url: edge.admin.url, token: edge.admin.token }];
    const core = await nodes.start('core', { peers }, { turn: { services: false }, zones: coreZones() });
    const hops = (caller: Side, callee: Side): Hop[] => hopsBetween(caller, callee, edge.admin, core.admin);
    return planeOf('Causeway, an edge and a core node', { edge, core }, core, turn, hops);
  } catch (error) {
    await edge.stop();
    throw error;
  }
}

async function startSingle(nodes: NodeStarter, turn: TurnService): Promise<MediaPlane> {
  const edge = await nodes.start('edge', {}, { turn: turnSettings(turn, 'silent'), zones: singleZones() });
  const zone = (side: Side): string => (side === 'outside' ? 'external' : 'internal');
  const hops = (caller: Side, callee: Side): Hop[] => [
    { client: clientOf(edge.admin), suffix: '', direction: [zone(caller), zone(callee)], ...PLAIN },
  ];
  return planeOf('Causeway, one node', { edge }, edge, turn, hops);
}

/** Starts nodes that differ in their parts alone. */
class NodeStarter {
  readonly #options: CausewayPlaneOptions;
  readonly #token = randomBytes(18).toString('base64url');

  constructor(options: CausewayPlaneOptions) {
    this.#options = options;
  }

  async start(
    name: NodeName,
    node: object,
    { turn, zones }: { readonly turn: object; readonly zones: readonly object[] },
  ): Promise<NodeProgram> {
    const { network, collectd } = this.#options;
    const { url, listen } = network.adminAddress(name);
    const directory = join(this.#options.directory, name);
    const configuration = {
      node: {
        ...{ name, workers: 1, engine: network.kind === 'simulated' ? 'dgram' : 'auto' },
        ...{ stateDirectory: join(directory, 'state'), log: { level: 'info', format: 'json' }, ...node },
      },
      turn,
      b2bua: { ng: await ngAddress(network), zones },
      ...(collectd ? { metrics: { collectd } } : {}),
      admin: { http: listen, token: this.#token },
    };
    return NodeProgram.start({
      network,
      name,
      directory,
      configuration,
      admin: new AdminClient(url, this.#token),
    });
  }
}

function planeOf(
  name: string,
  nodes: Readonly<Partial<Record<NodeName, NodeProgram>>>,
  b2bua: NodeProgram,
  turn: TurnService,
  hops: MediaPlane['hops'],
): MediaPlane {
  const { admin } = nodes.edge ?? b2bua;
  return {
    ...{ name, turn, hops },
    records: new NodeRecords(b2bua.admin),
    pages: { url: b2bua.admin.url, token: b2bua.admin.token },
    faults: {
      async restart(which) {
        const node = nodes[which] ?? b2bua;
        await node.stop();
        await node.start();
      },
      removeCredentials: () => admin.removeCredential(turn.username),
      restoreCredentials: () => admin.addCredential(turn.username, turn.password),
    },
    async stop() {
      await nodes.core?.stop();
      await nodes.edge?.stop();
    },
  };
}

/** Phones outside are reached through the edge; the core is in every call. */
function hopsBetween(caller: Side, callee: Side, edge: AdminClient, core: AdminClient): Hop[] {
  const zone = (side: Side): string => (side === 'outside' ? 'traversal' : 'internal');
  const inwards: Hop = {
    ...{ client: clientOf(edge), suffix: ';edge=caller', direction: ['external', 'traversal'] },
    ...PLAIN,
  };
  const outwards: Hop = {
    ...{ client: clientOf(edge), suffix: ';edge=callee', direction: ['traversal', 'external'] },
    ...PLAIN,
  };
  const middle: Hop = {
    client: clientOf(core),
    suffix: '',
    direction: [zone(caller), zone(callee)],
    ...PLAIN,
  };
  return [...(caller === 'outside' ? [inwards] : []), middle, ...(callee === 'outside' ? [outwards] : [])];
}

function clientOf({ url, token }: AdminClient): Hop['client'] {
  return httpNgClient(`${url}/ng`, token);
}

/** @param refusal of private peers; baresip gives up its whole relay where one is refused by an error */
function turnSettings({ server, username, password }: TurnService, refusal: 'error' | 'silent'): object {
  return {
    listenAddresses: [server.address],
    requestsPort: server.port,
    credentials: [{ name: username, password }],
    relayAddresses: [server.address],
    peers: { refusal },
  };
}

function edgeZones(): object[] {
  const relay = { signalling: 'tls', media: 'relay' };
  return [
    { id: 1, name: 'external', kind: 'neighbor', address: EDGE_OUTSIDE, ...relay },
    {
      ...{ id: 2, name: 'traversal', kind: 'traversal', address: EDGE_INSIDE, ...relay },
      multiplexedPorts: TRAVERSAL_PORTS,
    },
  ];
}

function coreZones(): object[] {
  return [
    {
      ...{ id: 1, name: 'traversal', kind: 'traversal', address: CORE, signalling: 'tls' },
      ...{ mediaEncryption: 'force', aesGcm: true, ice: true, icePassthrough: true },
    },
    { id: 2, name: 'internal', kind: 'neighbor', address: CORE, signalling: 'tcp', mediaEncryption: 'off' },
  ];
}

function singleZones(): object[] {
  return [
    {
      ...{ id: 1, name: 'external', kind: 'traversal', address: EDGE_OUTSIDE, signalling: 'tls' },
      ...{ mediaEncryption: 'force', aesGcm: true, ice: true, icePassthrough: true },
    },
    {
      ...{ id: 2, name: 'internal', kind: 'neighbor', address: EDGE_INSIDE, signalling: 'tcp' },
      mediaEncryption: 'off',
    },
  ];
}

/** Nothing of the lab's own uses it, but a node always has one; in the simulated network all share one loopback. */
async function ngAddress(network: LabNetwork): Promise<string> {
  if (network.kind === 'namespaces') return '127.0.0.1:2223';
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  return `127.0.0.1:${port}`;
}
