/** TURN and B2BUA in one program: a phone that has only a relay calls through it, and other nodes learn of it. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as stun from '../../lab/phone/plain-stun.ts';
import { PeerClient } from '../../src/node/peer-client.ts';
import { freePort, type ServedNode, serve, UdpTurnClient } from './served-node.ts';

const HOST = '127.0.0.1';
const ALICE = { name: 'alice', password: 'secret' };
const CHANNEL = 0x4000;
const ENGINES = process.platform === 'linux' ? (['batch', 'dgram'] as const) : (['dgram'] as const);

let folder: string;
let node: ServedNode;
let closers: (() => void)[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'causeway-evidence-'));
  closers = [];
});

afterEach(() => {
  for (const close of closers) close();
  rmSync(folder, { recursive: true });
});

/** No address of the host is allowed as a peer by name. */
async function start(engine: string): Promise<void> {
  const zone = { address: HOST, mediaEncryption: 'off' };
  node = await serve(folder, {
    node: { engine, workers: 2 },
    turn: { credentials: [ALICE], peers: { allow: [] } },
    b2bua: {
      services: true,
      ng: `${HOST}:${await freePort()}`,
      zones: [
        { id: 1, name: 'external', ...zone },
        { id: 2, name: 'internal', ...zone },
      ],
    },
  });
  closers.push(() => node.process.exitCode ?? node.process.kill('SIGKILL'));
}

async function post(path: string, body: object): Promise<Record<string, unknown>> {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${node.admin}${path}`, {
    method: 'POST',
    headers,
    body: JSON.stringify(body),
  });
  expect(response.status).toBe(200);
  return (await response.json()) as Record<string, unknown>;
}

async function relayedPhone(): Promise<{ client: UdpTurnClient; relay: string; port: number }> {
  const client = new UdpTurnClient(node.port, ALICE.name, ALICE.password);
  closers.push(() => client.close());
  expect(await client.allocate()).toBe(0);
  const port = client.relay?.port ?? 0;
  return { client, relay: `${HOST}:${port}`, port };
}

async function phone(): Promise<Socket> {
  const socket = createSocket('udp4');
  closers.push(() => socket.close());
  socket.bind(0, HOST);
  await once(socket, 'listening');
  return socket;
}

function sdp(port: number): string {
  const lines = [
    'v=0',
    `o=- 1 1 IN IP4 ${HOST}`,
    's=-',
    `c=IN IP4 ${HOST}`,
    't=0 0',
    `m=audio ${port} RTP/AVP 0`,
  ];
  return lines.map((line) => `${line}\r\n`).join('');
}

function portOf(text: unknown): number {
  return Number(/^m=audio (\d+) /m.exec(String(text))?.[1]);
}

/** The media ports that the B2BUA shows to the phone outside and to the one inside. */
async function call(outsidePort: number, insidePort: number): Promise<{ outer: number; inner: number }> {
  const offer = await post('/ng', {
    ...{ command: 'offer', 'call-id': 'one', 'from-tag': 'alice', direction: ['external', 'internal'] },
    sdp: sdp(outsidePort),
  });
  const answer = await post('/ng', {
    ...{ command: 'answer', 'call-id': 'one', 'from-tag': 'alice', 'to-tag': 'bob' },
    sdp: sdp(insidePort),
  });
  return { outer: portOf(answer.sdp), inner: portOf(offer.sdp) };
}

function rtp(sequence: number, payload: string): Buffer {
  const header = Buffer.from('800000000000000012345678', 'hex');
  header.writeUInt16BE(sequence, 2);
  return Buffer.concat([header, Buffer.from(payload)]);
}

async function counters(): Promise<Record<string, number>> {
  const body = (await (await fetch(`${node.admin}/api/turn`)).json()) as { counters: Record<string, number> };
  return body.counters;
}

function refresh(client: UdpTurnClient, lifetimeSeconds: number): Promise<stun.Message> {
  const value = Buffer.alloc(4);
  value.writeUInt32BE(lifetimeSeconds);
  return client.request(stun.REFRESH, () => [{ type: stun.A.lifetime, value }]);
}

describe.each(ENGINES)('a call by a relay of the same host, on the %s engine', (engine) => {
  it('has media both ways while it lasts, and its ports are closed to relays afterwards', async () => {
    await start(engine);
    const { client, port } = await relayedPhone();
    const inside = await phone();
    const { outer, inner } = await call(port, inside.address().port);
    expect(await client.bindChannel(CHANNEL, { address: HOST, port: outer })).toBe(0);

    const heard = once(inside, 'message') as Promise<[Buffer]>;
    client.sendOnChannel(CHANNEL, rtp(1, 'from the relay'));
    expect((await heard)[0]).toEqual(rtp(1, 'from the relay'));
    inside.send(rtp(7, 'from inside'), inner, HOST);
    expect(await client.receive()).toContain('from inside');
    expect((await counters()).dropPeerOwnHost).toBe(0);

    // A port that is nobody's, right beside, and then the call's own when it is over.
    expect(await client.bindChannel(CHANNEL + 1, { address: HOST, port: outer + 2 })).toBe(0);
    client.sendOnChannel(CHANNEL + 1, 'x');
    expect(await post('/ng', { command: 'delete', 'call-id': 'one', 'delete-delay': 0 })).toMatchObject({
      result: 'ok',
    });
    client.sendOnChannel(CHANNEL, rtp(2, 'too late'));
    // An answered request has overtaken nothing: what was sent before it has been seen.
    expect(stun.errorCode(await refresh(client, 600))).toBe(0);
    expect(await counters()).toMatchObject({ dropPeerOwnHost: 2, clientToPeerPackets: 1 });
  });

  it('is known to other nodes by its relayed address, also when the phone has hung up', async () => {
    await start(engine);
    const { client, relay, port } = await relayedPhone();
    const inside = await phone();
    const { outer } = await call(port, inside.address().port);
    await client.bindChannel(CHANNEL, { address: HOST, port: outer });
    const heard = once(inside, 'message');
    client.sendOnChannel(CHANNEL, rtp(1, 'x'));
    await heard;

    const log = pino({ level: 'silent' });
    const core = new PeerClient({
      peers: [{ name: 'edge', url: node.admin, token: null }],
      own: async () => [],
      log,
      nowMs: () => 0,
      answerMsMax: 10_000,
    });
    const nobodys = `${HOST}:${port === 24_000 ? 24_001 : port - 1}`;
    // What it carries to the B2BUA of its host is no sign of where media went when it left that.
    const peers: unknown[] = [];
    expect([...(await core.relayEvidence([relay, nobodys]))]).toEqual([
      [relay, { address: relay, active: true, peers }],
      [nobodys, null],
    ]);
    expect(stun.errorCode(await refresh(client, 0))).toBe(0);
    const over = { address: relay, active: false, peers };
    expect((await core.relayEvidence([relay])).get(relay)).toEqual(over);
    expect(await post('/api/turn/relay-evidence', { addresses: [relay] })).toEqual({ relays: [over] });
    await node.stop();
    expect((await core.relayEvidence([relay])).get(relay)).toBeUndefined();
  });
});
