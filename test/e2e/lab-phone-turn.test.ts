/** The lab's phones with a TURN server, the built program: over UDP and TCP, and when it lets them down. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Phone } from '../../lab/phone/phone.ts';
import type { PhoneOptions, PhoneStatus, TurnAccess } from '../../lab/phone/protocol.ts';
import { waitUntil } from '../unit/lab/wait-until.ts';
import { freePort, type ServedNode, serve } from './served-node.ts';

const HOST = '127.0.0.1';
const ALICE = { name: 'alice', password: 'secret' };
const TONES_HZ = { caller: 440, callee: 1060 } as const;

let folder: string;
let node: ServedNode;
let closedPort: number;
const phones: Phone[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'causeway-lab-phones-'));
  node = await serve(folder, { turn: { credentials: [ALICE] } });
  closedPort = await freePort();
});

afterAll(async () => {
  expect(await node.stop()).toBe(0);
  rmSync(folder, { recursive: true });
});

afterEach(async () => {
  await Promise.all(phones.splice(0).map((phone) => phone.close()));
});

function access(transport: TurnAccess['transport'], port = node.port): TurnAccess {
  return { server: { address: HOST, port }, username: ALICE.name, password: ALICE.password, transport };
}

function phone(name: keyof typeof TONES_HZ, options: Partial<PhoneOptions>): Phone {
  const made = new Phone({
    ...{ phone: name, address: HOST, ports: [38_000, 39_999], ice: 'full', toneHz: TONES_HZ[name] },
    encryption: 'AES_CM_128_HMAC_SHA1_80',
    ...options,
  });
  phones.push(made);
  return made;
}

/** What it tells of itself is its relay alone, so that the way to it leads over that. */
function onlyRelay(sdp: string): string {
  return sdp.replace(/^a=candidate:(?!.* typ relay).*\r\n/gm, '');
}

/** The callee can be reached by its relay alone. */
async function call(caller: Phone, callee: Phone): Promise<void> {
  caller.accept(onlyRelay(await callee.answer(misled(await caller.offer(false)))));
}

/**
 * What the caller tells does not work, and one of it the TURN server refuses as a peer: what comes from the
 * caller, comes from an address the callee does not know.
 */
function misled(sdp: string): string {
  const closed = sdp.replace(/^(a=candidate:.* )\d+( typ host)/gm, `$1${closedPort}$2`);
  return `${closed}a=candidate:refused 1 UDP 2130706430 10.255.255.254 9 typ host\r\n`;
}

async function talking(caller: Phone, callee: Phone): Promise<[PhoneStatus, PhoneStatus]> {
  const hears = (status: PhoneStatus, toneHz: number): boolean =>
    status.ice === 'concluded' && Math.abs((status.heardToneHz ?? 0) - toneHz) < 5;
  await waitUntil(
    () => hears(caller.status(), TONES_HZ.callee) && hears(callee.status(), TONES_HZ.caller),
    () => JSON.stringify([caller.status(), callee.status()]),
  );
  return [caller.status(), callee.status()];
}

async function allocations(): Promise<number> {
  const text = await (await fetch(`${node.admin}/metrics`)).text();
  return Number(/^causeway_turn_allocations(?:\{.*\})? (\d+)/m.exec(text)?.[1]);
}

describe.each(['full', 'werift'] as const)('a callee with the agent %s', (ice) => {
  it.each(['udp', 'tcp'] as const)(
    'is reached by its relay over %s, which it gives back',
    async (transport) => {
      const [caller, callee] = [phone('caller', {}), phone('callee', { ice, turn: access(transport) })];
      await call(caller, callee);
      const [ofCaller, ofCallee] = await talking(caller, callee);
      const relay = ofCallee.candidates.find(({ type }) => type === 'relay');
      expect(ofCaller.selected?.remote).toEqual(relay);
      expect(ofCallee.selected?.local).toEqual(relay);
      expect(await allocations()).toBe(1);
      await callee.close();
      await waitUntilRelaysAre(0);
    },
  );

  it('takes TCP where UDP gets no answer', async () => {
    const proxy = await tcpProxy();
    const callee = phone('callee', { ice, turn: access('auto', proxy.port) });
    const caller = phone('caller', {});
    await call(caller, callee);
    await talking(caller, callee);
    expect(callee.status().candidates.map(({ type }) => type)).toEqual(['host', 'relay']);
    proxy.close();
  });

  it('goes without a relay where nobody answers at all', async () => {
    const turn = access('auto', await freePort());
    const [caller, callee] = [phone('caller', {}), phone('callee', { ice, turn })];
    caller.accept(await callee.answer(await caller.offer(false)));
    await talking(caller, callee);
    expect(callee.status().candidates.map(({ type }) => type)).toEqual(['host']);
  });
});

it('fails where the credentials are removed in the middle of a call', async () => {
  const [caller, callee] = [phone('caller', {}), phone('callee', { turn: access('udp') })];
  await call(caller, callee);
  await talking(caller, callee);
  expect((await fetch(`${node.admin}/api/credentials/${ALICE.name}`, { method: 'DELETE' })).status).toBe(204);
  await waitUntil(() => [caller, callee].every((one) => one.status().ice === 'failed'));
  const headers = { 'content-type': 'application/json' };
  await fetch(`${node.admin}/api/credentials`, { method: 'POST', headers, body: JSON.stringify(ALICE) });
  caller.accept(onlyRelay(await callee.answer(misled(await caller.offer(true)))));
  await talking(caller, callee);
});

it('fails where the connection to the TURN server is reset', async () => {
  const proxy = await tcpProxy();
  const [caller, callee] = [phone('caller', {}), phone('callee', { turn: access('tcp', proxy.port) })];
  await call(caller, callee);
  await talking(caller, callee);
  proxy.reset();
  await waitUntil(() => [caller, callee].every((one) => one.status().ice === 'failed'));
  proxy.close();
});

it('selects the pair of hosts where that works, relay or not', async () => {
  const turn = access('udp');
  const [caller, callee] = [phone('caller', { turn }), phone('callee', { turn })];
  caller.accept(await callee.answer(await caller.offer(false)));
  const statuses = await talking(caller, callee);
  expect(statuses.map(({ selected }) => [selected?.local.type, selected?.remote.type])).toEqual([
    ['host', 'host'],
    ['host', 'host'],
  ]);
});

async function waitUntilRelaysAre(count: number): Promise<void> {
  let last = Number.NaN;
  for (let tries = 100; tries > 0 && last !== count; tries--) {
    last = await allocations();
    await delay(20);
  }
  expect(last).toBe(count);
}

/** Before the TURN server, at a port where UDP has no answer. */
async function tcpProxy(): Promise<{ readonly port: number; reset(): void; close(): void }> {
  const sockets: Socket[] = [];
  const server: Server = createServer((socket) => {
    const upstream = connect(node.port, HOST);
    sockets.push(socket, upstream);
    for (const one of [socket, upstream]) one.on('error', () => {});
    socket.pipe(upstream).pipe(socket);
  });
  server.listen(0, HOST);
  await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    reset: () => sockets.forEach((socket) => void socket.resetAndDestroy()),
    close: () => server.close(),
  };
}
