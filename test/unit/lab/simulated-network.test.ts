/** The simulated network with real programs in it: they are processes, and so is the time they take. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { LabNetwork } from '../../../lab/network/network.ts';
import { createSimulatedNetwork } from '../../../lab/network/simulated/network.ts';
import { HOMES, PLACES, type PlaceName } from '../../../lab/topology.ts';
import { NetworkProgram, type Stream } from './network-program.ts';

const CORE = PLACES.core.addresses[0];
const DESK = PLACES.desk.addresses[0];
const EDGE_OUTSIDE = PLACES.edge.addresses[0];
const EDGE_INSIDE = '10.10.0.10';
const INTERNET = PLACES.internet.addresses[0];
const HOME_A = PLACES.homeA.addresses[0];
const HOME_A2 = PLACES.homeA2.addresses[0];
const WAN_A = HOMES.A.wanAddresses[0];
const PORT = 40_000;

let network: LabNetwork;

beforeEach(async () => {
  network = await createSimulatedNetwork({ seed: 1 });
});

afterEach(() => network.close());

function start<Names extends readonly PlaceName[]>(
  ...places: Names
): Promise<{ [Index in keyof Names]: NetworkProgram }> {
  const programs = Promise.all(places.map((place) => NetworkProgram.start(network, place)));
  return programs as Promise<{ [Index in keyof Names]: NetworkProgram }>;
}

/** Whatever the program has sent before has arrived by then, or never will. */
async function settled(sender: NetworkProgram, receiver: NetworkProgram, address: string): Promise<void> {
  const { socket, at } = await receiver.ask('udp', { address, port: 0 });
  await sender.ask('sendUnbound', { text: 'settled', to: at });
  expect((await receiver.hear(socket)).text).toBe('settled');
  await receiver.ask('closeUdp', { socket });
}

describe('UDP', () => {
  test('goes between places of the office, and back', async () => {
    const [core, desk] = await start('core', 'desk');
    const listening = await core.ask('udp', { address: CORE, port: PORT });
    const speaking = await desk.ask('udp', { address: DESK, port: PORT + 1 });
    expect(await desk.ask('send', { socket: speaking.socket, text: 'hello', to: listening.at })).toBe(5);
    expect(await core.hear(listening.socket)).toEqual({
      text: 'hello',
      from: { address: DESK, port: PORT + 1 },
    });
    await core.ask('send', { socket: listening.socket, text: 'back', to: speaking.at });
    expect(await desk.hear(speaking.socket)).toEqual({ text: 'back', from: { address: CORE, port: PORT } });
  });

  test('stays in order', async () => {
    const [edge, internet] = await start('edge', 'internet');
    const { socket, at } = await edge.ask('udp', { address: EDGE_OUTSIDE, port: 3478 });
    const { socket: sender } = await internet.ask('udp', { address: INTERNET, port: PORT });
    const texts = Array.from({ length: 200 }, (_, i) => `packet ${i}`);
    await Promise.all(texts.map((text) => internet.ask('send', { socket: sender, text, to: at })));
    const heard: string[] = [];
    for (let i = 0; i < texts.length; i++) heard.push((await edge.hear(socket)).text);
    expect(heard).toEqual(texts);
  });

  test('leaves a home with its public address, and comes in to a port of a phone from anyone', async () => {
    const [home, internet] = await start('homeA', 'internet');
    const outside = await internet.ask('udp', { address: INTERNET, port: PORT });
    const inside = await home.ask('udp', { address: HOME_A, port: PORT + 2 });
    await internet.ask('send', {
      socket: outside.socket,
      text: 'first',
      to: { address: WAN_A, port: PORT + 2 },
    });
    expect(await home.hear(inside.socket)).toEqual({ text: 'first', from: outside.at });
    await home.ask('send', { socket: inside.socket, text: 'out', to: outside.at });
    expect(await internet.hear(outside.socket)).toEqual({
      ...{ text: 'out', from: { address: WAN_A, port: PORT + 2 } },
    });
  });

  test('through a symmetric gateway each destination sees another port, and can answer', async () => {
    await network.setNat('A', 'symmetric');
    const [home, internet] = await start('homeA', 'internet');
    const one = await internet.ask('udp', { address: INTERNET, port: PORT });
    const other = await internet.ask('udp', { address: INTERNET, port: PORT + 1 });
    const inside = await home.ask('udp', { address: HOME_A, port: PORT });
    for (const { at } of [one, other]) await home.ask('send', { socket: inside.socket, text: 'out', to: at });
    const from = [(await internet.hear(one.socket)).from, (await internet.hear(other.socket)).from] as const;
    expect(new Set([PORT, from[0].port, from[1].port]).size).toBe(3);
    await internet.ask('send', { socket: one.socket, text: 'wrong', to: from[1] });
    await internet.ask('send', { socket: one.socket, text: 'right', to: from[0] });
    expect((await home.hear(inside.socket)).text).toBe('right');
  });

  test('goes within a home, where its two phones do not meet the gateway', async () => {
    await network.setNat('A', 'udp-blocked');
    const [one, other] = await start('homeA', 'homeA2');
    const { socket, at } = await other.ask('udp', { address: HOME_A2, port: 44_000 });
    const sender = await one.ask('udp', { address: HOME_A, port: PORT });
    await one.ask('send', { socket: sender.socket, text: 'near', to: at });
    expect(await other.hear(socket)).toEqual({ text: 'near', from: sender.at });
  });

  test('does not leave a home whose gateway blocks it, until it does not', async () => {
    await network.setNat('A', 'udp-blocked');
    const [home, edge] = await start('homeA', 'edge');
    const { socket, at } = await edge.ask('udp', { address: EDGE_OUTSIDE, port: 3478 });
    const sender = await home.ask('udp', { address: HOME_A, port: PORT });
    await home.ask('send', { socket: sender.socket, text: 'blocked', to: at });
    await settled(home, home, HOME_A);
    await network.setNat('A', 'port-restricted');
    await home.ask('send', { socket: sender.socket, text: 'free', to: at });
    expect((await edge.hear(socket)).text).toBe('free');
  });

  test('is lost where the home loses all, each way', async () => {
    const [home, internet, edge] = await start('homeA', 'internet', 'edge');
    const inside = await home.ask('udp', { address: HOME_A, port: PORT });
    const outside = await internet.ask('udp', { address: INTERNET, port: PORT });
    await network.setLoss('A', 100);
    await home.ask('send', { socket: inside.socket, text: 'lost', to: outside.at });
    await settled(home, home, HOME_A);
    await internet.ask('send', { socket: outside.socket, text: 'lost', to: { address: WAN_A, port: PORT } });
    await settled(internet, edge, EDGE_OUTSIDE);
    await network.setLoss('A', 0);
    await home.ask('send', { socket: inside.socket, text: 'kept', to: outside.at });
    expect((await internet.hear(outside.socket)).text).toBe('kept');
    await internet.ask('send', { socket: outside.socket, text: 'kept', to: { address: WAN_A, port: PORT } });
    expect((await home.hear(inside.socket)).text).toBe('kept');
  });

  test('comes from another address after a rebind, and to the old one no more', async () => {
    const [home, internet] = await start('homeA', 'internet');
    const inside = await home.ask('udp', { address: HOME_A, port: PORT });
    const outside = await internet.ask('udp', { address: INTERNET, port: PORT });
    const moved = await network.rebind('A');
    expect(moved).toBe(HOMES.A.wanAddresses[1]);
    await home.ask('send', { socket: inside.socket, text: 'moved', to: outside.at });
    expect((await internet.hear(outside.socket)).from).toEqual({ address: moved, port: PORT });
    await internet.ask('send', { socket: outside.socket, text: 'old', to: { address: WAN_A, port: PORT } });
    await internet.ask('send', { socket: outside.socket, text: 'new', to: { address: moved, port: PORT } });
    expect((await home.hear(inside.socket)).text).toBe('new');
  });

  test('does not cross the edge, and private addresses do not leave their LAN', async () => {
    const [internet, core, edge] = await start('internet', 'core', 'edge');
    const { socket } = await core.ask('udp', { address: CORE, port: PORT });
    const outside = await internet.ask('udp', { address: INTERNET, port: PORT });
    await internet.ask('send', {
      socket: outside.socket,
      text: 'private',
      to: { address: CORE, port: PORT },
    });
    await settled(internet, edge, EDGE_OUTSIDE);
    await core.ask('send', { socket, text: 'public', to: outside.at });
    await settled(core, core, CORE);
    const between = await edge.ask('udp', { address: EDGE_INSIDE, port: PORT });
    await edge.ask('send', { socket: between.socket, text: 'office', to: { address: CORE, port: PORT } });
    expect(await core.hear(socket)).toEqual({ text: 'office', from: between.at });
    await edge.ask('send', { socket: between.socket, text: 'leak', to: outside.at });
    const shown = await edge.ask('udp', { address: EDGE_OUTSIDE, port: PORT });
    await edge.ask('send', { socket: shown.socket, text: 'internet', to: outside.at });
    expect(await internet.hear(outside.socket)).toEqual({ text: 'internet', from: shown.at });
  });
});

describe('a UDP socket', () => {
  test('without an address has the first of its place, and a port', async () => {
    const [edge] = await start('edge');
    const { at } = await edge.ask('udp', { port: 0 });
    expect(at.address).toBe(EDGE_OUTSIDE);
    expect(at.port).toBeGreaterThan(0);
    const { at: other } = await edge.ask('sendUnbound', { text: '', to: { address: INTERNET, port: 1 } });
    expect(other.address).toBe(EDGE_OUTSIDE);
    expect(other.port).not.toBe(at.port);
  });

  test('cannot have the port of another, in any program or thread; and can when that has gone', async () => {
    const [one, other] = await start('core', 'core');
    const at = { address: CORE, port: PORT };
    const { socket, buffer, queue } = await one.ask('bindAtOnce', at);
    expect([buffer, queue]).toEqual([65_536, 0]);
    expect(await one.ask('bindAtOnce', at)).toEqual({ failure: 'EADDRINUSE' });
    expect(await other.ask('bindAtOnce', at)).toEqual({ failure: 'EADDRINUSE' });
    const threads = await one.ask('thread', { command: 'bindAtOnce', question: at });
    expect(threads).toEqual({ answer: { failure: 'EADDRINUSE' } });
    await expect(other.ask('udp', at)).rejects.toThrow('EADDRINUSE');
    await one.ask('closeUdp', { socket: socket ?? -1 });
    expect((await other.ask('udp', at)).at).toEqual(at);
    await other.end();
    expect((await one.ask('udp', at)).at).toEqual(at);
  });

  test('cannot have the address of another place', async () => {
    const [core] = await start('core');
    expect(await core.ask('bindAtOnce', { address: DESK, port: PORT })).toEqual({ failure: 'EADDRNOTAVAIL' });
  });

  test('is in the network from a thread too', async () => {
    const [core, desk] = await start('core', 'desk');
    const { socket, at } = await core.ask('udp', { address: CORE, port: PORT });
    await desk.ask('thread', { command: 'sendUnbound', question: { text: 'from a thread', to: at } });
    expect(await core.hear(socket)).toMatchObject({ text: 'from a thread', from: { address: DESK } });
  });

  test('of the loopback is the machine’s own', async () => {
    const [core, desk] = await start('core', 'desk');
    const { socket, at } = await core.ask('udp', { address: '127.0.0.1', port: 0 });
    await desk.ask('sendUnbound', { text: 'real', to: at });
    expect(await core.hear(socket)).toMatchObject({ text: 'real', from: { address: '127.0.0.1' } });
  });
});

test('a program sees the addresses of its place', async () => {
  const [edge] = await start('edge');
  expect(await edge.ask('interfaces', {})).toEqual([EDGE_OUTSIDE, EDGE_INSIDE]);
  const { answer } = await edge.ask('thread', { command: 'interfaces', question: {} });
  expect(answer).toEqual([EDGE_OUTSIDE, EDGE_INSIDE]);
});

describe('TCP', () => {
  const SERVER = { address: EDGE_OUTSIDE, port: 3478 };

  async function connected(
    home: NetworkProgram,
    edge: NetworkProgram,
    halfOpen = false,
  ): Promise<[Stream, Stream]> {
    const { server, at } = await edge.ask('listen', { ...SERVER, halfOpen });
    expect(at).toMatchObject(SERVER);
    const client = await home.ask('connect', { ...SERVER, halfOpen, text: 'early ' });
    return [client, (await edge.ask('next', { thing: server })) as Stream];
  }

  test('leaves a home of any kind, and each side sees the other’s address', async () => {
    await network.setNat('A', 'udp-blocked');
    const [home, edge] = await start('homeA', 'edge');
    const [client, server] = await connected(home, edge);
    expect(client).toMatchObject({ local: { address: HOME_A }, remote: SERVER });
    expect(server).toMatchObject({ local: SERVER, remote: { address: WAN_A } });
    await home.ask('write', { stream: client.stream, text: 'there' });
    await edge.ask('write', { stream: server.stream, text: 'back' });
    expect(await home.ask('next', { thing: client.stream })).toEqual({ text: 'back' });
    await home.ask('end', { stream: client.stream });
    expect(await edge.all(server.stream)).toEqual([{ text: 'early there' }, { end: true }, { close: true }]);
    expect(await home.all(client.stream)).toEqual([{ end: true }, { close: true }]);
  });

  test('closes one way at a time where it is asked to', async () => {
    const [home, edge] = await start('homeA', 'edge');
    const [client, server] = await connected(home, edge, true);
    await home.ask('end', { stream: client.stream });
    expect(await edge.ask('next', { thing: server.stream })).toEqual({ text: 'early ' });
    expect(await edge.ask('next', { thing: server.stream })).toEqual({ end: true });
    await edge.ask('write', { stream: server.stream, text: 'still here' });
    expect(await home.ask('next', { thing: client.stream })).toEqual({ text: 'still here' });
    await edge.ask('end', { stream: server.stream });
    expect(await home.all(client.stream)).toEqual([{ end: true }, { close: true }]);
  });

  test('is refused where nobody listens, and where no way leads', async () => {
    const [home, core, edge] = await start('homeA', 'core', 'edge');
    await expect(home.ask('connect', SERVER)).rejects.toThrow('ECONNREFUSED');
    await expect(home.ask('connect', { address: CORE, port: 80 })).rejects.toThrow('ENETUNREACH');
    await expect(core.ask('connect', SERVER)).rejects.toThrow('ENETUNREACH');
    await expect(core.ask('connect', { address: '10.10.0.99', port: 80 })).rejects.toThrow('EHOSTUNREACH');
    const { server } = await edge.ask('listen', SERVER);
    await home.ask('connect', SERVER);
    await edge.ask('next', { thing: server });
    void edge.ask('closeServer', { server }); // which lasts as long as the connection
    await settled(edge, edge, EDGE_OUTSIDE);
    await expect(home.ask('connect', SERVER)).rejects.toThrow('ECONNREFUSED');
  });

  test('port of another cannot be had, and can when that has closed', async () => {
    const [one, other] = await start('edge', 'edge');
    const { server } = await one.ask('listen', SERVER);
    await expect(one.ask('listen', SERVER)).rejects.toThrow('EADDRINUSE');
    await expect(other.ask('listen', SERVER)).rejects.toThrow('EADDRINUSE');
    await expect(other.ask('listen', { address: CORE, port: 80 })).rejects.toThrow('EADDRNOTAVAIL');
    await one.ask('closeServer', { server });
    expect((await other.ask('listen', SERVER)).at).toMatchObject(SERVER);
  });

  test('breaks when the home gets another address, and can begin anew from that', async () => {
    const [home, edge, internet] = await start('homeA', 'edge', 'internet');
    const { server } = await edge.ask('listen', SERVER);
    const client = await home.ask('connect', SERVER);
    const bystander = await internet.ask('connect', SERVER);
    for (let i = 0; i < 2; i++) await edge.ask('next', { thing: server });
    const moved = await network.rebind('A');
    expect(await home.all(client.stream)).toEqual([{ error: 'ECONNRESET' }, { close: true }]);
    await home.ask('connect', SERVER);
    expect(((await edge.ask('next', { thing: server })) as Stream).remote.address).toBe(moved);
    await internet.ask('end', { stream: bystander.stream });
    expect(await internet.all(bystander.stream)).toEqual([{ end: true }, { close: true }]);
  });
});

describe('the end', () => {
  test('leaves neither programs nor files, and happens once', async () => {
    const [stubborn] = await start('core');
    await stubborn.ask('udp', { address: CORE, port: PORT });
    await stubborn.ask('ignoreTerm', {});
    const directory = await stubborn.ask('directory', {});
    expect(existsSync(directory)).toBe(true);
    await Promise.all([network.close(), network.close()]);
    expect(stubborn.process.signalCode).toBe('SIGKILL');
    expect(existsSync(directory)).toBe(false);
    expect(() => network.startNode('core', 'any.mjs', [])).toThrow('closed');
  });

  test('of a lab that is killed is the end of its programs', async () => {
    const script = fileURLToPath(new URL('network-lab.mjs', import.meta.url));
    // The pipe has an end when all that have it have ended: the lab and its programs.
    const lab = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(lab.stdout.setEncoding('utf8'), 'data')) as [string];
    const { directory } = JSON.parse(line) as { directory: string };
    expect(existsSync(directory)).toBe(true);
    lab.stdout.resume();
    lab.kill('SIGKILL');
    await once(lab.stdout, 'end');
    expect(existsSync(directory)).toBe(false);
  });

  test('carries Node programs alone', () => {
    expect(() => network.startCommand('core', 'sleep', [])).toThrow('Node programs alone: not sleep');
  });
});

test('the nodes’ admin servers have ports of the machine’s loopback', () => {
  const [edge, core] = [network.adminAddress('edge'), network.adminAddress('core')];
  expect(edge.listen).toMatch(/^127\.0\.0\.1:\d+$/);
  expect(edge.url).toBe(`http://${edge.listen}`);
  expect(core.listen).not.toBe(edge.listen);
});
