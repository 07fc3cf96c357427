import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { type Logger, pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NodePeer } from '../../../src/config/config.ts';
import { PeerClient, type PeerClientOptions } from '../../../src/node/peer-client.ts';
import { ANSWER_BYTES_MAX, REQUESTS_MAX, WAITING_MAX } from '../../../src/node/peer-link.ts';
import type { RelayEvidence } from '../../../src/turn/relay-evidence.ts';

const RELAY = '198.51.100.1:24000';
const OTHER = '198.51.100.1:24001';
/** Short where a test waits for it to pass, long where it must not. */
const SHORT_MS = 250;
const LONG_MS = 20_000;

interface Asked {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly authorization: string | undefined;
  readonly body: string;
}

interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly peer: string;
  readonly reason: string;
  readonly unanswered: number;
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

let servers: Server[];
let logLines: LogLine[];
let log: Logger;
let nowMs: number;

beforeEach(() => {
  servers = [];
  logLines = [];
  log = pino({}, { write: (line: string) => void logLines.push(JSON.parse(line)) });
  nowMs = 0;
});

afterEach(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

/** Another node that answers so, and what it was asked. */
async function node(
  handler: Handler,
  name = 'edge1',
): Promise<{ peer: NodePeer; asked: Asked[]; connections: () => number }> {
  const asked: Asked[] = [];
  let connections = 0;
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { method, url, headers } = request;
    asked.push({ method, url, authorization: headers.authorization, body: Buffer.concat(chunks).toString() });
    handler(request, response);
  });
  server.on('connection', () => connections++);
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    peer: { name, url: `http://127.0.0.1:${port}`, token: null },
    asked,
    connections: () => connections,
  };
}

function json(value: unknown, status = 200): Handler {
  return (_, response) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

const never: Handler = () => {};

function evidence(address: string, peer: string, packets: number, active = true): RelayEvidence {
  return { address, active, peers: [{ address: peer, toPeer: packets, fromPeer: packets }] };
}

function client(peers: readonly NodePeer[], options: Partial<PeerClientOptions> = {}): PeerClient {
  return new PeerClient({
    peers,
    own: async () => [],
    log,
    nowMs: () => nowMs,
    answerMsMax: LONG_MS,
    ...options,
  });
}

/** A client with one peer, and its answer for the relay. */
async function answerOf(handler: Handler, options: Partial<PeerClientOptions> = {}) {
  const { peer } = await node(handler);
  return (await client([peer], options).relayEvidence([RELAY])).get(RELAY);
}

describe('whose a relayed address is', () => {
  it('is asked of the own media plane and of every peer, with its token and below its URL', async () => {
    const mine = evidence(OTHER, '192.0.2.2:1', 2);
    const theirs = evidence(RELAY, '192.0.2.1:1', 5, false);
    const edge1 = await node(json({ relays: [] }));
    const edge2 = await node(json({ relays: [theirs] }), 'edge2');
    const asked: (readonly string[])[] = [];
    const peers = client(
      [
        { ...edge1.peer, token: 'token-of-edge1' },
        { ...edge2.peer, url: `${edge2.peer.url}/causeway` },
      ],
      {
        own: async (addresses) => {
          asked.push(addresses);
          return [mine];
        },
      },
    );
    const nobodys = '192.0.2.99:5';
    const answers = await peers.relayEvidence([RELAY, OTHER, nobodys]);
    expect([...answers]).toEqual([
      [RELAY, theirs],
      [OTHER, mine],
      [nobodys, null],
    ]);
    const body = JSON.stringify({ addresses: [RELAY, OTHER, nobodys] });
    const path = '/api/turn/relay-evidence';
    expect(asked).toEqual([[RELAY, OTHER, nobodys]]);
    expect(edge1.asked).toEqual([
      { method: 'POST', url: path, authorization: 'Bearer token-of-edge1', body },
    ]);
    expect(edge2.asked).toEqual([
      { method: 'POST', url: `/causeway${path}`, authorization: undefined, body },
    ]);
    expect(peers.peers).toEqual([
      { name: 'edge1', questions: 1, unanswered: 0 },
      { name: 'edge2', questions: 1, unanswered: 0 },
    ]);
    expect(logLines).toEqual([]);
  });

  it('is unknown where somebody did not answer in time, unless somebody else has it', async () => {
    const dead = await node(never);
    const alive = await node(json({ relays: [evidence(RELAY, '192.0.2.1:1', 5)] }), 'edge2');
    const peers = client([dead.peer, alive.peer], { answerMsMax: SHORT_MS });
    const answers = await peers.relayEvidence([RELAY, OTHER]);
    expect(answers.get(RELAY)).toMatchObject({ active: true });
    expect(answers.get(OTHER)).toBeUndefined();
    expect(peers.peers).toMatchObject([{ unanswered: 1 }, { unanswered: 0 }]);
    expect(logLines).toMatchObject([{ peer: 'edge1', reason: `no answer within ${SHORT_MS} ms` }]);
  });

  it.each<[string, PeerClientOptions['own']]>([
    ['fails', () => Promise.reject(new Error('the worker died'))],
    ['is stuck', () => new Promise(() => {})],
  ])('is unknown where the own media plane %s', async (_, own) => {
    expect(await answerOf(json({ relays: [] }), { own, answerMsMax: 500 })).toBeUndefined();
  });

  it('is put together where two nodes have had it', async () => {
    const own = async () => [evidence(RELAY, '192.0.2.1:1', 1, false)];
    const answer = await answerOf(json({ relays: [evidence(RELAY, '192.0.2.1:1', 5)] }), { own });
    expect(answer).toEqual(evidence(RELAY, '192.0.2.1:1', 6));
  });

  it('is found however the address is spelt', async () => {
    const known = evidence('[2001:db8::1]:24000', '[2001:db8::2]:1', 1);
    const edge = await node(json({ relays: [known] }));
    const spelt = '[2001:0DB8:0::1]:24000';
    expect([...(await client([edge.peer]).relayEvidence([spelt]))]).toEqual([[spelt, known]]);
    expect(edge.asked[0]?.body).toBe('{"addresses":["[2001:db8::1]:24000"]}');
  });

  it('is not asked for what is nothing, and not beyond what a peer takes', async () => {
    const edge = await node(json({ relays: [] }));
    const peers = client([edge.peer]);
    expect((await peers.relayEvidence([])).size).toBe(0);
    expect(edge.asked).toEqual([]);
    const many = Array.from({ length: 70 }, (_, i) => `192.0.2.1:${i}`);
    const answers = await peers.relayEvidence(many);
    expect(JSON.parse(edge.asked[0]?.body ?? '')).toEqual({ addresses: many.slice(0, 64) });
    expect([answers.get('192.0.2.1:63'), answers.get('192.0.2.1:64')]).toEqual([null, undefined]);
    expect(answers.has('192.0.2.1:69')).toBe(true);
  });

  it('on a node without peers is what its own media plane says', async () => {
    expect((await client([]).relayEvidence([RELAY])).get(RELAY)).toBeNull();
  });
});

const padding = ' '.repeat(ANSWER_BYTES_MAX);
const fitting = JSON.stringify({ relays: [] });

describe('an answer counts as none', () => {
  it.each<[string, Handler, string]>([
    ['with an error status', json({ relays: [] }, 500), 'HTTP 500'],
    ['without the token', json({ error: 'a valid token is required' }, 401), 'HTTP 401'],
    ['that is no JSON', (_, response) => response.end('<html>'), 'an answer of another shape'],
    ['that is empty', (_, response) => response.end(), 'an answer of another shape'],
    ['of another shape', json({ relays: [{ address: RELAY }] }), 'an answer of another shape'],
    [
      'with packets that cannot be',
      json({
        relays: [{ address: RELAY, active: true, peers: [{ address: 'x', toPeer: -1, fromPeer: 0 }] }],
      }),
      'an answer of another shape',
    ],
    [
      'longer than it may be',
      (_, response) => response.end(`${fitting}${padding}`),
      'more than 1048576 bytes',
    ],
    [
      'longer than it may be once unpacked',
      (_, response) =>
        response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(`${fitting}${padding}`)),
      'more than 1048576 bytes',
    ],
    [
      'broken off',
      (_, response) =>
        response.writeHead(200, { 'content-length': 100 }).write('{"relays"', () => response.destroy()),
      '',
    ],
  ])('%s', async (_, handler, reason) => {
    expect(await answerOf(handler)).toBeUndefined();
    expect(logLines).toHaveLength(1);
    expect(logLines[0]?.reason).toContain(reason);
  });

  it('from a peer that is not there', async () => {
    const { peer } = await node(never);
    servers[0]?.close();
    await once(servers[0] as Server, 'close');
    expect((await client([peer]).relayEvidence([RELAY])).get(RELAY)).toBeUndefined();
    expect(logLines).toMatchObject([{ reason: 'ECONNREFUSED' }]);
  });

  it('that trickles in beyond its time', async () => {
    const drip: Handler = (_, response) => {
      const timer = setInterval(() => response.write(' '), 10);
      response.on('close', () => clearInterval(timer));
    };
    expect(await answerOf(drip, { answerMsMax: SHORT_MS })).toBeUndefined();
  });

  it('by a redirect: nobody else is asked, or given the token', async () => {
    const elsewhere = await node(json({ relays: [evidence(RELAY, '192.0.2.1:1', 5)] }), 'elsewhere');
    for (const status of [301, 302, 307, 308]) {
      const location = `${elsewhere.peer.url}/api/turn/relay-evidence`;
      const { peer } = await node((_, response) => response.writeHead(status, { location }).end());
      expect(
        (await client([{ ...peer, token: 'secret' }]).relayEvidence([RELAY])).get(RELAY),
      ).toBeUndefined();
    }
    expect(elsewhere.asked).toEqual([]);
  });

  it('as long as it may be, it counts', async () => {
    const padded = `${fitting}${' '.repeat(ANSWER_BYTES_MAX - fitting.length)}`;
    expect(await answerOf((_, response) => response.end(padded))).toBeNull();
  });
});

describe('questions to one peer', () => {
  it('are few at a time, over connections that are used again; the others wait for their turn', async () => {
    let [underWay, most] = [0, 0];
    const edge = await node((request, response) => {
      most = Math.max(most, ++underWay);
      setTimeout(() => {
        underWay--;
        json({ relays: [] })(request, response);
      }, 5);
    });
    const peers = client([edge.peer]);
    const askers = Array.from({ length: 24 }, async () => {
      // Again as soon as there is an answer: a place that was handed on is still taken.
      for (let i = 0; i < 3; i++) expect((await peers.relayEvidence([RELAY])).get(RELAY)).toBeNull();
    });
    await Promise.all(askers);
    expect(edge.asked).toHaveLength(72);
    expect(most).toBe(REQUESTS_MAX);
    // A question may follow another so closely that its connection is not free yet.
    expect(edge.connections()).toBeLessThanOrEqual(2 * REQUESTS_MAX);
  });

  it('that wait too long go unanswered, and the next ones are asked as before', async () => {
    let isDead = true;
    const edge = await node((request, response) => {
      if (!isDead) json({ relays: [] })(request, response);
    });
    const peers = client([edge.peer], { answerMsMax: SHORT_MS });
    const total = REQUESTS_MAX + WAITING_MAX;
    const answers = await Promise.all(Array.from({ length: total }, () => peers.relayEvidence([RELAY])));
    expect(answers.every((answer) => answer.get(RELAY) === undefined)).toBe(true);
    expect(peers.peers).toEqual([{ name: 'edge1', questions: total, unanswered: total }]);
    isDead = false;
    // More than there are places: none was lost to a question that went unanswered.
    for (let i = 0; i < REQUESTS_MAX + 1; i++) await peers.relayEvidence([OTHER]);
    expect(edge.asked.filter(({ body }) => body.includes(OTHER))).toHaveLength(REQUESTS_MAX + 1);
  });

  it('that are too many go unanswered at once', async () => {
    const edge = await node(never);
    const peers = client([edge.peer]);
    const waiting = Array.from({ length: REQUESTS_MAX + WAITING_MAX }, () => peers.relayEvidence([RELAY]));
    expect((await peers.relayEvidence([RELAY])).get(RELAY)).toBeUndefined();
    expect(logLines).toMatchObject([{ reason: `${WAITING_MAX} questions wait already` }]);
    servers[0]?.close();
    const timer = setInterval(() => servers[0]?.closeAllConnections(), 1);
    await Promise.all(waiting);
    clearInterval(timer);
    expect(peers.peers).toMatchObject([{ unanswered: REQUESTS_MAX + WAITING_MAX + 1 }]);
  });

  it('that go unanswered are told of once a minute, with how many they were', async () => {
    const edge = await node(json({}, 503));
    const peers = client([edge.peer]);
    const askTimes = async (times: number): Promise<void> => {
      for (let i = 0; i < times; i++) await peers.relayEvidence([RELAY]);
    };
    await askTimes(3);
    nowMs = 59_999;
    await askTimes(2);
    nowMs = 60_000;
    await askTimes(3);
    expect(logLines).toMatchObject([
      { level: 40, peer: 'edge1', reason: 'HTTP 503', unanswered: 1 },
      { level: 40, peer: 'edge1', reason: 'HTTP 503', unanswered: 5 },
    ]);
    expect(peers.peers).toEqual([{ name: 'edge1', questions: 8, unanswered: 8 }]);
  });
});

describe('the ICE metrics of peers', () => {
  const interval = {
    startTime: '2026-01-01T00:00:00.000Z',
    endTime: '2026-01-02T00:00:00.000Z',
    b2buacalls: 4,
    hosthostcalls: 2,
    aCounterOfALaterVersion: null,
  };

  it('come with the names of the configuration; of one that does not answer there are none', async () => {
    const metrics = { node: 'calls itself otherwise', current: interval, history: [interval, interval] };
    const [good, bad] = [await node(json(metrics), 'good'), await node(json({}, 404), 'bad')];
    expect(await client([bad.peer, good.peer]).iceMetrics()).toEqual([
      { name: 'bad', metrics: undefined },
      { name: 'good', metrics: { current: interval, history: [interval, interval] } },
    ]);
    expect(good.asked).toEqual([
      { method: 'GET', url: '/api/ice-metrics', authorization: undefined, body: '' },
    ]);
  });

  it.each<[string, unknown]>([
    ['no current interval', { history: [] }],
    ['no history', { current: interval }],
    ['times that are none', { current: { ...interval, endTime: 'yesterday' }, history: [] }],
    ['counters that are text', { current: { ...interval, b2buacalls: '<b>4</b>' }, history: [] }],
  ])('with %s are none', async (_, metrics) => {
    const { peer } = await node(json(metrics));
    expect(await client([peer]).iceMetrics()).toEqual([{ name: 'edge1', metrics: undefined }]);
  });
});
