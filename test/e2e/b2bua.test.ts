/** The built program as a proxy and two phones meet it: `ng` over UDP and HTTP, SRTP and RTP on real sockets. */
import { randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type BencodeDictionary, decodeBencode, encodeBencode } from '../../src/wire/bencode.ts';
import { PlainSrtp } from '../kit/b2bua-srtp.ts';
import { freePort, type ServedNode, serve } from './served-node.ts';

const HOST = '127.0.0.1';
const SUITE = 'AES_CM_128_HMAC_SHA1_80';
const ENGINES = process.platform === 'linux' ? (['batch', 'dgram'] as const) : (['dgram'] as const);

let folder: string;
let nodes: ServedNode[];
let sockets: Socket[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'causeway-calls-'));
  nodes = [];
  sockets = [];
});

afterEach(() => {
  for (const socket of sockets) socket.close();
  for (const node of nodes) if (node.process.exitCode === null) node.process.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

async function udpSocket(): Promise<Socket> {
  const socket = createSocket('udp4');
  sockets.push(socket);
  socket.bind(0, HOST);
  await once(socket, 'listening');
  return socket;
}

interface CallNode extends ServedNode {
  ng(command: BencodeDictionary): Promise<BencodeDictionary>;
}

async function start(engine: string, b2bua: object = {}): Promise<CallNode> {
  const port = await freePort();
  const zones = [
    { id: 1, name: 'external', address: HOST, mediaEncryption: 'force' },
    { id: 2, name: 'internal', address: HOST, mediaEncryption: 'off' },
  ];
  const node = await serve(folder, {
    node: { engine, workers: 2 },
    turn: { services: false },
    b2bua: { services: true, ng: `${HOST}:${port}`, zones, ...b2bua },
  });
  nodes.push(node);
  const socket = await udpSocket();
  const ng = async (command: BencodeDictionary): Promise<BencodeDictionary> => {
    const cookie = randomBytes(6).toString('hex');
    socket.send(Buffer.concat([Buffer.from(`${cookie} `), encodeBencode(command)]), port, HOST);
    const [reply] = (await once(socket, 'message')) as [Buffer];
    expect(reply.toString('latin1').startsWith(`${cookie} `)).toBe(true);
    return decodeBencode(reply.subarray(cookie.length + 1)) as BencodeDictionary;
  };
  return { ...node, ng };
}

function sdp(port: number, protocol: string, ...attributes: string[]): string {
  const lines = ['v=0', `o=- 1 1 IN IP4 ${HOST}`, 's=-', `c=IN IP4 ${HOST}`, 't=0 0'];
  lines.push(`m=audio ${port} ${protocol} 0`, ...attributes.map((attribute) => `a=${attribute}`));
  return lines.map((line) => `${line}\r\n`).join('');
}

function portOf(text: string): number {
  return Number(/^m=audio (\d+) /m.exec(text)?.[1]);
}

function rtp(sequence: number, payload: string): Buffer {
  const header = Buffer.from('800000000000000012345678', 'hex');
  header.writeUInt16BE(sequence, 2);
  return Buffer.concat([header, Buffer.from(payload)]);
}

/** An SRTP phone outside calls an RTP phone inside, and both hear each other. */
async function placeCall(node: CallNode, callId: string) {
  const [outside, inside] = [await udpSocket(), await udpSocket()];
  const key = randomBytes(30);
  const offer = await node.ng({
    command: 'offer',
    'call-id': callId,
    'from-tag': 'alice',
    direction: ['external', 'internal'],
    sdp: sdp(outside.address().port, 'RTP/SAVP', `crypto:1 ${SUITE} inline:${key.toString('base64')}`),
  });
  expect(offer).toMatchObject({ result: 'ok' });
  expect(offer.sdp).not.toContain('crypto');
  const answer = await node.ng({
    command: 'answer',
    'call-id': callId,
    'from-tag': 'alice',
    'to-tag': 'bob',
    sdp: sdp(inside.address().port, 'RTP/AVP'),
  });
  expect(answer).toMatchObject({ result: 'ok' });
  const ourKey = /^a=crypto:1 \S+ inline:(\S+)\r$/m.exec(String(answer.sdp))?.[1] ?? '';
  const fromOutside = new PlainSrtp(SUITE, key);
  const toOutside = new PlainSrtp(SUITE, Buffer.from(ourKey, 'base64'));
  const [outsidePort, insidePort] = [portOf(String(answer.sdp)), portOf(String(offer.sdp))];

  const heardInside = once(inside, 'message') as Promise<[Buffer]>;
  outside.send(fromOutside.protectRtp(rtp(1, 'hello inside'), 0), outsidePort, HOST);
  expect((await heardInside)[0]).toEqual(rtp(1, 'hello inside'));
  const heardOutside = once(outside, 'message') as Promise<[Buffer]>;
  inside.send(rtp(7, 'hello outside'), insidePort, HOST);
  const [encrypted] = await heardOutside;
  expect(encrypted.includes('hello')).toBe(false);
  expect(toOutside.unprotectRtp(encrypted, 0)).toEqual(rtp(7, 'hello outside'));
}

async function getJson(url: string): Promise<Record<string, unknown>> {
  return (await (await fetch(url)).json()) as Record<string, unknown>;
}

describe.each(ENGINES)('calls on the %s engine', (engine) => {
  it('carry audio between an SRTP and an RTP phone, and end with the delete', async () => {
    const node = await start(engine);
    expect(await node.ng({ command: 'ping' })).toEqual({ result: 'pong' });
    await placeCall(node, 'one');
    await placeCall(node, 'two');
    expect((await node.ng({ command: 'list' })).calls).toEqual(expect.arrayContaining(['one', 'two']));

    const { callsTotal, calls } = await getJson(`${node.admin}/api/calls`);
    expect(callsTotal).toBe(2);
    const [{ id }] = calls as [{ id: string }];
    expect(await getJson(`${node.admin}/api/calls/${id}`)).toMatchObject({
      answered: true,
      legs: [
        { tag: 'alice', zone: 'external', lines: [{ receivedSuite: SUITE, streams: [{ packets: 1 }, {}] }] },
        { tag: 'bob', zone: 'internal', lines: [{ receivedSuite: null, streams: [{ packets: 1 }, {}] }] },
      ],
    });
    expect((await getJson(`${node.admin}/api/links`)).links).toMatchObject([
      { name: 'external', packetsReceived: 2, packetsSent: 2 },
      { name: 'internal', packetsReceived: 2, packetsSent: 2 },
    ]);
    const metrics = await (await fetch(`${node.admin}/metrics`)).text();
    expect(metrics).toContain('causeway_b2bua_calls 2\n');
    expect(metrics).toContain('causeway_b2bua_packets_total{kind="rtp"} 4\n');

    const deleted = await node.ng({ command: 'delete', 'call-id': 'one', 'from-tag': 'bob' });
    expect(deleted).toMatchObject({ result: 'ok', totals: { RTP: { packets: 2 } } });
    expect(await node.ng({ command: 'query', 'call-id': 'one' })).toEqual({
      result: 'error',
      'error-reason': 'Unknown call-id',
    });
    expect(await node.stop()).toBe(0);
    expect(node.output()).not.toContain('inline:');
  });

  it('are kept in history and metrics, also over a restart', async () => {
    const node = await start(engine);
    await placeCall(node, 'one');
    await node.ng({ command: 'delete', 'call-id': 'one', 'from-tag': 'alice' });
    const first = {
      callId: 'one',
      connected: true,
      icePassthroughCallType: 'none',
      sourceZone: 'external',
      destinationZone: 'internal',
      disconnectReason: 'deleted',
      media: [
        {
          type: 'audio',
          legs: [
            { zone: 'external', packets: 1 },
            { zone: 'internal', packets: 1 },
          ],
        },
      ],
    };
    const { calls } = await getJson(`${node.admin}/api/calls/history`);
    expect(calls).toMatchObject([first]);
    const [{ uuid }] = calls as [{ uuid: string }];
    expect(await getJson(`${node.admin}/api/calls/${uuid}`)).toMatchObject(first);
    expect(await getJson(`${node.admin}/api/ice-metrics`)).toMatchObject({
      current: { b2buacalls: 1, icecalls: 0, noicecandidatesoffered: 1 },
      history: [],
    });
    await placeCall(node, 'two');
    expect(await node.stop()).toBe(0);

    const again = await start(engine);
    const kept = await getJson(`${again.admin}/api/calls/history`);
    expect(kept.calls).toMatchObject([{ callId: 'two', disconnectReason: 'closed' }, first]);
    expect(await getJson(`${again.admin}/api/ice-metrics`)).toMatchObject({
      current: { b2buacalls: 0 },
      history: [{ b2buacalls: 2 }],
    });
  });

  it('are commanded over HTTP as over UDP', async () => {
    const node = await start(engine);
    const post = async (body: object): Promise<unknown> =>
      (
        await fetch(`${node.admin}/ng`, {
          method: 'POST',
          headers: { 'Content-Type': 'application/json' },
          body: JSON.stringify(body),
        })
      ).json();
    expect(await post({ command: 'ping' })).toEqual({ result: 'pong' });
    await placeCall(node, 'one');
    expect(await post({ command: 'query', 'call-id': 'one' })).toMatchObject({
      result: 'ok',
      totals: { RTP: { packets: 2 }, RTCP: { packets: 0 } },
    });
    expect(await post({ command: 'frobnicate' })).toEqual({
      result: 'error',
      'error-reason': 'Unrecognized command',
    });
  });

  it('give back their ports when the range is exhausted', async () => {
    const node = await start(engine, { mediaPorts: [36_000, 36_003] });
    const offer = (callId: string): Promise<BencodeDictionary> =>
      node.ng({
        command: 'offer',
        'call-id': callId,
        'from-tag': 'a',
        direction: ['internal', 'internal'],
        sdp: sdp(4000, 'RTP/AVP'),
      });
    expect(await offer('one')).toMatchObject({ result: 'ok' });
    expect(await offer('two')).toEqual({ result: 'error', 'error-reason': 'Ran out of ports' });
    expect(await node.ng({ command: 'delete', 'call-id': 'one', 'from-tag': 'a' })).toMatchObject({
      result: 'ok',
    });
    expect(await offer('two')).toMatchObject({ result: 'ok' });
  });
});

describe('a node that cannot have calls as configured', () => {
  it('ends with exit code 2 and one line where a zone has an address of another host', async () => {
    const zones = [{ id: 1, name: 'external', address: '203.0.113.1' }];
    await expect(start('auto', { zones })).rejects.toThrow(
      /serve ended with 2: .*b2bua\.zones\[0\]\.address: must be an address of this host: got "203\.0\.113\.1"/,
    );
  });

  it('ends with exit code 1 and one line where the ng port is taken', async () => {
    const port = await freePort();
    const socket = createSocket('udp4');
    sockets.push(socket);
    socket.bind(port, HOST);
    await once(socket, 'listening');
    await expect(start('auto', { ng: `${HOST}:${port}` })).rejects.toThrow(
      /serve ended with 1: .*b2bua\.ng: cannot listen on 127\.0\.0\.1:\d+\/udp/,
    );
  });
});
