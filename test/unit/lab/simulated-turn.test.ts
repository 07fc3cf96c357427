/** A Causeway node in the simulated network, unmodified, and a TURN client that knows nothing of ours, in a home. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AdminClient } from '../../../lab/media-plane/admin-client.ts';
import { NodeProgram } from '../../../lab/media-plane/node-program.ts';
import type { LabNetwork } from '../../../lab/network/network.ts';
import { createSimulatedNetwork } from '../../../lab/network/simulated/network.ts';
import { HOMES, PLACES } from '../../../lab/topology.ts';
import { NetworkProgram } from './network-program.ts';

const EDGE = PLACES.edge.addresses[0];
const INTERNET = PLACES.internet.addresses[0];
const WAN = HOMES.A.wanAddresses[0];
const SERVER = { address: EDGE, port: 3478 };
const USER = { username: 'phone', password: 'secret' };

let network: LabNetwork;
let directory: string;
let edge: NodeProgram;

beforeAll(async () => {
  network = await createSimulatedNetwork({ seed: 1 });
  directory = mkdtempSync(join(tmpdir(), 'simulated-turn-'));
  const { listen, url } = network.adminAddress('edge');
  edge = await NodeProgram.start({
    ...{ network, name: 'edge', directory, admin: new AdminClient(url, 'token') },
    configuration: {
      node: { name: 'edge', workers: 1, engine: 'dgram', stateDirectory: join(directory, 'state') },
      turn: {
        listenAddresses: [EDGE],
        requestsPort: SERVER.port,
        credentials: [{ name: USER.username, password: USER.password }],
        peers: { allow: [`${INTERNET}/32`] },
      },
      b2bua: { services: false },
      admin: { http: listen, token: 'token' },
    },
  });
}, 30_000);

afterAll(async () => {
  await edge.stop();
  await network.close();
  rmSync(directory, { recursive: true, force: true });
});

describe.each(['udp', 'tcp'] as const)('over %s', (transport) => {
  test('a client in a home gets a relay, by which it and a peer on the internet hear each other', async () => {
    if (transport === 'tcp') await network.setNat('A', 'udp-blocked');
    const [home, internet] = await Promise.all([
      NetworkProgram.start(network, 'homeA'),
      NetworkProgram.start(network, 'internet'),
    ]);
    const local = PLACES.homeA.addresses[0];
    const { relay, relayed, mapped } = await home.ask('allocate', {
      server: SERVER,
      transport,
      local,
      ...USER,
    });
    expect([relayed.address, mapped.address]).toEqual([EDGE, WAN]);
    const peer = await internet.ask('udp', { address: INTERNET, port: 0 });
    await home.ask('relay', { relay, text: 'out', to: peer.at });
    expect(await internet.hear(peer.socket)).toEqual({ text: 'out', from: relayed });
    await internet.ask('send', { socket: peer.socket, text: 'back', to: relayed });
    expect(await home.hear(relay)).toEqual({ text: 'back', from: peer.at });
    await Promise.all([home.end(), internet.end()]);
  });
});
