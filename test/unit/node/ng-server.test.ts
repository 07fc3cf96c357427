import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import { type Logger, pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NgDictionary } from '../../../src/b2bua/ng-request.ts';
import { hostAddressesOf } from '../../../src/node/host-addresses.ts';
import { NgServer, type NgServerOptions } from '../../../src/node/ng-server.ts';
import { type Prefix, parsePrefix } from '../../../src/wire/address.ts';

const LOOPBACK = [parsePrefix('127.0.0.0/8'), parsePrefix('::1/128')] as Prefix[];
const HOST_ADDRESSES = hostAddressesOf(networkInterfaces());
const IPV4_ADDRESSES = HOST_ADDRESSES.filter((address) => !address.includes(':'));

let nowMs: number;
let handled: NgDictionary[];
let logLines: { msg: string; address?: string }[];
let log: Logger;
let servers: NgServer[];
let sockets: Socket[];

beforeEach(() => {
  nowMs = 0;
  handled = [];
  logLines = [];
  servers = [];
  sockets = [];
  log = pino({}, { write: (line: string) => void logLines.push(JSON.parse(line)) });
});

afterEach(async () => {
  for (const socket of sockets) socket.close();
  await Promise.all(servers.map((server) => server.close()));
});

async function start(options: Partial<NgServerOptions> = {}): Promise<NgServer> {
  const server = await NgServer.start({
    address: '127.0.0.1',
    port: 0,
    allow: LOOPBACK,
    handle: async (dictionary) => ({ result: 'ok', number: handled.push(dictionary) }),
    log,
    nowMs: () => nowMs,
    ...options,
  });
  servers.push(server);
  return server;
}

/** A proxy's socket, bound to an address. */
async function proxy(address = '127.0.0.1'): Promise<Socket> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  sockets.push(socket);
  socket.bind(0, address);
  await once(socket, 'listening');
  return socket;
}

async function ask(
  socket: Socket,
  server: NgServer,
  message: string,
  address = '127.0.0.1',
): Promise<{ text: string; from: RemoteInfo }> {
  const answered = once(socket, 'message', { signal: AbortSignal.timeout(10_000) });
  socket.send(message, server.port, address);
  const [reply, from] = (await answered) as [Buffer, RemoteInfo];
  return { text: reply.toString('latin1'), from };
}

describe('the ng server', () => {
  it('answers from the address and port it was asked at', async () => {
    const server = await start();
    const { text, from } = await ask(await proxy(), server, 'a d7:command4:pinge');
    expect(text).toBe('a d6:numberi1e6:result2:oke');
    expect([from.address, from.port]).toEqual(['127.0.0.1', server.port]);
  });

  it('answers a proxy that has connected its socket', async () => {
    const server = await start();
    const socket = await proxy();
    socket.connect(server.port, '127.0.0.1');
    await once(socket, 'connect');
    const answered = once(socket, 'message', { signal: AbortSignal.timeout(10_000) });
    socket.send('a {"command":"ping"}');
    expect(String((await answered)[0])).toBe('a {"result":"ok","number":1}');
  });

  it.runIf(HOST_ADDRESSES.includes('::1'))('speaks IPv6', async () => {
    const server = await start({ address: '::1' });
    const { text } = await ask(await proxy('::1'), server, 'a {"command":"ping"}', '::1');
    expect(text).toBe('a {"result":"ok","number":1}');
  });

  it('hears on every address of the host where a wildcard is set, and answers from the one asked', async () => {
    const server = await start({ address: '0.0.0.0' });
    expect(server.addresses).toContain('127.0.0.1');
    expect(server.addresses).not.toContain('0.0.0.0');
    const { from } = await ask(await proxy(), server, 'a {"command":"ping"}');
    expect([from.address, from.port]).toEqual(['127.0.0.1', server.port]);
  });

  it('gives a repeat the same reply, but only its own proxy', async () => {
    const server = await start();
    const [one, other] = [await proxy(), await proxy()];
    const first = await ask(one, server, 'a d7:command4:pinge');
    expect((await ask(one, server, 'a d7:command4:pinge')).text).toBe(first.text);
    expect((await ask(other, server, 'a d7:command4:pinge')).text).toBe('a d6:numberi2e6:result2:oke');
    expect(server.counters).toMatchObject({ received: 3, replies: 3, repeats: 1 });
  });

  it('tells its counters as plain numbers', async () => {
    const server = await start();
    await ask(await proxy(), server, 'a d7:command4:pinge');
    expect(structuredClone(server.counters)).toMatchObject({ received: 1, commands: { ping: 1, offer: 0 } });
  });
});

describe('sources that are not allowed', () => {
  const allow = [parsePrefix('127.0.0.1/32')] as Prefix[];

  /** Sends from an address that is refused, then from one that is not, and waits for the second one's reply. */
  async function refused(server: NgServer, address: string, messages = 1): Promise<void> {
    const stranger = await proxy(address);
    const before = server.counters.refused;
    stranger.on('message', () => expect.fail('a refused source got a reply'));
    for (let i = 0; i < messages; i++) stranger.send(`${i} d7:command4:pinge`, server.port, '127.0.0.1');
    const friend = await proxy();
    for (let i = 0; server.counters.refused < before + messages; i++) {
      await ask(friend, server, `${i} d7:command4:pinge`);
    }
  }

  it('get no reply and are counted', async () => {
    const server = await start({ allow });
    await refused(server, '127.0.0.2', 3);
    expect(server.counters.refused).toBe(3);
    const friends = server.counters.received;
    expect(handled).toHaveLength(friends);
  });

  it('are named in the log once a minute each', async () => {
    const server = await start({ allow });
    await refused(server, '127.0.0.2', 3);
    await refused(server, '127.0.0.3');
    nowMs += 59_999;
    await refused(server, '127.0.0.2');
    expect(logLines.map(({ address }) => address)).toEqual(['127.0.0.2', '127.0.0.3']);
    nowMs += 1;
    await refused(server, '127.0.0.2');
    expect(logLines.map(({ address }) => address)).toEqual(['127.0.0.2', '127.0.0.3', '127.0.0.2']);
    expect(logLines[0]?.msg).toContain('b2bua.ngAllow');
  });

  it('fill neither log nor memory, however many they are', async () => {
    const server = await start({ allow });
    for (let host = 2; host < 82; host++) await refused(server, `127.0.1.${host}`);
    expect(server.counters.refused).toBe(80);
    expect(logLines).toHaveLength(64);
  });
});

describe('starting and ending', () => {
  it('fails in one line that names the setting where the port is in use', async () => {
    const { port } = await start();
    const again = start({ port });
    await expect(again).rejects.toMatchObject({
      code: 'EADDRINUSE',
      message: `b2bua.ng: cannot listen on 127.0.0.1:${port}/udp (EADDRINUSE)`,
    });
  });

  it.runIf(IPV4_ADDRESSES.length > 1)('fails as a whole where one of the addresses is taken', async () => {
    const taken = await start({ address: IPV4_ADDRESSES.at(-1) as string });
    const wildcard = { address: '0.0.0.0', port: taken.port };
    await expect(start(wildcard)).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await taken.close();
    expect((await start(wildcard)).addresses).toEqual(IPV4_ADDRESSES);
  });

  it('fails where the address is not of this host', async () => {
    await expect(start({ address: '192.0.2.1', port: 2223 })).rejects.toMatchObject({
      code: 'EADDRNOTAVAIL',
      message: 'b2bua.ng: cannot listen on 192.0.2.1:2223/udp (EADDRNOTAVAIL)',
    });
  });

  it('lets the port go when closed, also twice, with a command under way', async () => {
    let release: (reply: NgDictionary) => void = () => {};
    const begun = new Promise<void>((resolve) => {
      void start({
        handle: () =>
          new Promise((end) => {
            release = end;
            resolve();
          }),
      }).then(async (server) => (await proxy()).send('a d7:command4:pinge', server.port, '127.0.0.1'));
    });
    await begun;
    const server = servers[0] as NgServer;
    await Promise.all([server.close(), server.close()]);
    release({ result: 'ok' });
    expect((await start({ port: server.port })).port).toBe(server.port);
    expect(server.counters.unsent).toBe(0);
  });
});
