import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePort, type ServedNode, serve, UdpTurnClient } from './served-node.ts';

const ALICE = { name: 'alice', password: 'secret' };
const CHANNEL = 0x4000;

let folder: string;
let nodes: ServedNode[];
let clients: UdpTurnClient[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'causeway-serve-'));
  nodes = [];
  clients = [];
});

afterEach(async () => {
  for (const client of clients) client.close();
  for (const node of nodes) if (node.process.exitCode === null) node.process.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

async function start(
  ...settings: Parameters<typeof serve> extends [string, ...infer Rest] ? Rest : never
): Promise<ServedNode> {
  const node = await serve(folder, ...settings);
  nodes.push(node);
  return node;
}

function clientOf(node: ServedNode, { name, password } = ALICE): UdpTurnClient {
  const client = new UdpTurnClient(node.port, name, password);
  clients.push(client);
  return client;
}

/** Two clients with channels to each other's relays exchange a message each way. */
async function relaysBetweenTwo(node: ServedNode): Promise<void> {
  const [one, two] = [clientOf(node), clientOf(node)];
  expect(await one.allocate()).toBe(0);
  expect(await two.allocate()).toBe(0);
  if (!one.relay || !two.relay) throw new Error('no relay');
  expect(await one.bindChannel(CHANNEL, two.relay)).toBe(0);
  expect(await two.bindChannel(CHANNEL, one.relay)).toBe(0);
  one.sendOnChannel(CHANNEL, 'from one');
  expect(await two.receive()).toBe('from one');
  two.sendOnChannel(CHANNEL, 'from two');
  expect(await one.receive()).toBe('from two');
}

async function json(
  url: string,
  init?: RequestInit,
): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(url, init);
  const text = await response.text();
  return { status: response.status, body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) };
}

const ENGINES = process.platform === 'linux' ? (['batch', 'dgram'] as const) : (['dgram'] as const);

describe.each(ENGINES)('causeway serve on the %s engine', (engine) => {
  it('relays between two clients, counts it, and ends cleanly on SIGTERM', async () => {
    const node = await start({ turn: { credentials: [ALICE] }, node: { engine, workers: 2 } });
    await relaysBetweenTwo(node);
    const { body } = await json(`${node.admin}/api/turn`);
    expect(body).toMatchObject({ state: 'active', engine, activeRelays: 2, realm: 'TANDBERG' });
    expect(body.counters).toMatchObject({ clientToPeerPackets: 2, peerToClientPackets: 2 });
    const metrics = await (await fetch(`${node.admin}/metrics`)).text();
    expect(metrics).toContain('causeway_turn_packets_total{direction="client_to_peer"} 2\n');
    expect(metrics).toContain('causeway_turn_allocations 2\n');
    expect(await node.stop()).toBe(0);
    expect(node.output()).toContain('stopped');
  });

  it('ends the allocations of a user that is removed, who is then refused', async () => {
    const node = await start({ turn: { credentials: [ALICE] }, node: { engine } });
    const client = clientOf(node);
    expect(await client.allocate()).toBe(0);
    expect((await json(`${node.admin}/api/credentials/alice`, { method: 'DELETE' })).status).toBe(204);
    expect((await json(`${node.admin}/api/turn`)).body).toMatchObject({ activeRelays: 0 });
    expect(await client.allocate()).toBe(401);
  });
});

describe('causeway serve', () => {
  it('makes a user where none is configured, and says so once', async () => {
    const node = await start();
    const made = /user "(\w+)" with password "([\w-]+)"/g;
    const told = [...node.output().matchAll(made)];
    expect(told).toHaveLength(1);
    const [, name = '', password = ''] = told[0] ?? [];
    expect(await clientOf(node, { name, password }).allocate()).toBe(0);
    expect(await clientOf(node, { name, password: 'guessed' }).allocate()).toBe(401);
  });

  it('keeps a user that was added at run time over a restart', async () => {
    const node = await start();
    const added = await json(`${node.admin}/api/credentials`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'bob', password: 'hunter2' }),
    });
    expect(added.status).toBe(201);
    const bob = { name: 'bob', password: 'hunter2' };
    expect(await clientOf(node, bob).allocate()).toBe(0);
    expect(await node.stop()).toBe(0);
    const again = await start();
    expect(await clientOf(again, bob).allocate()).toBe(0);
  });

  it('refuses to share the port of a node that runs, in one line, with exit code 1', async () => {
    const port = await freePort();
    const turn = { protocolMode: 'udp', credentials: [ALICE] };
    const node = await start({ turn, port });
    await expect(start({ turn, port })).rejects.toThrow(
      new RegExp(
        `^serve ended with 1: causeway: cannot listen on udp 127.0.0.1:${port}: the port is in use.*\\n$`,
      ),
    );
    await relaysBetweenTwo(node);
  });

  it('refuses an external address for what is no relay address, with exit code 2', async () => {
    const turn = {
      credentials: [ALICE],
      externalAddresses: { '10.9.8.7': '198.51.100.7' },
      listenAddresses: ['0.0.0.0'],
    };
    await expect(start({ turn })).rejects.toThrow(
      /^serve ended with 2: .*turn\.externalAddresses.*10\.9\.8\.7\n$/,
    );
  });

  it('serves without credentials where authentication is off, and warns of it', async () => {
    const node = await start({ turn: { authentication: false } });
    expect(await clientOf(node).allocate()).toBe(0);
    expect(node.output()).toContain('an open relay');
  });
});
