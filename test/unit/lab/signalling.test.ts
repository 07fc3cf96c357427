/** Offers and answers through hops of the media plane, over HTTP and UDP as it has them. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import { Signalling } from '../../../lab/call/signalling.ts';
import type { Hop } from '../../../lab/media-plane/media-plane.ts';
import { httpNgClient, type NgDictionary, udpNgClient } from '../../../lab/media-plane/ng-client.ts';
import {
  dictionaryFromJson,
  dictionaryToJson,
  formatNgMessage,
  parseNgMessage,
} from '../../../src/wire/ng-message.ts';

const closing: (Server | Socket)[] = [];

afterEach(() => {
  for (const one of closing.splice(0)) one.close();
});

/** Answers commands over HTTP as a node does. */
async function httpPlane(answer: (asked: NgDictionary) => unknown, status = 200): Promise<string> {
  const server = createServer(async (asked, reply) => {
    const dictionary = JSON.parse(await text(asked)) as NgDictionary;
    const said = answer({ ...dictionary, authorization: asked.headers.authorization });
    reply.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(said));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(server);
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/ng`;
}

/** Answers commands over UDP; undefined: with silence. */
async function udpPlane(answer: (asked: NgDictionary) => NgDictionary | undefined): Promise<number> {
  const socket = createSocket('udp4');
  socket.on('message', (bytes, { port, address }) => {
    const { cookie, dictionary } = parseNgMessage(bytes) ?? {};
    if (cookie === undefined || !dictionary) return;
    const said = answer(JSON.parse(dictionaryToJson(dictionary)) as NgDictionary);
    const reply = said && dictionaryFromJson(JSON.stringify(said));
    if (reply) socket.send(formatNgMessage(cookie, 'bencode', reply), port, address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  closing.push(socket);
  return socket.address().port;
}

describe('ng over HTTP', () => {
  it('asks with the token, and a refusal is an answer', async () => {
    const url = await httpPlane(({ authorization }) => ({ result: 'error', 'error-reason': authorization }));
    const reply = await httpNgClient(url, 'secret').command({ command: 'ping' });
    expect(reply).toEqual({ result: 'error', 'error-reason': 'Bearer secret' });
  });

  it('rejects what is no dictionary, or no answer', async () => {
    const client = httpNgClient(await httpPlane(() => null), undefined);
    await expect(client.command({ command: 'ping' })).rejects.toThrow('answers no JSON dictionary');
    const other = httpNgClient(await httpPlane(() => ({}), 401), undefined);
    await expect(other.command({ command: 'ping' })).rejects.toThrow('answers 401');
  });
});

describe('ng over UDP', () => {
  it('asks again where an answer is lost', async () => {
    let count = 0;
    const port = await udpPlane(({ command }) =>
      ++count > 1 ? { result: `${String(command)} ${count}` } : undefined,
    );
    const reply = await udpNgClient('127.0.0.1', port).command({ command: 'ping' });
    expect(reply).toEqual({ result: 'ping 2' });
  });

  it('rejects where nobody answers', async () => {
    const port = await udpPlane(() => undefined);
    const asking = udpNgClient('127.0.0.1', port).command({ command: 'offer' });
    await expect(asking).rejects.toThrow(`no answer to ng offer from 127.0.0.1:${port}`);
  });
});

describe('a call through two hops', () => {
  const asked: NgDictionary[] = [];

  function hop(name: string, reply: (asked: NgDictionary) => NgDictionary): Hop {
    return {
      client: {
        command: async (dictionary) => {
          asked.push(dictionary);
          return reply(dictionary);
        },
      },
      ...{ suffix: `;${name}`, direction: [`${name}-in`, `${name}-out`] },
      ...{ offer: { replace: ['origin'] }, answer: { flags: ['x'] } },
    };
  }

  const signs = (name: string) => hop(name, ({ sdp }) => ({ result: 'ok', sdp: `${String(sdp)}${name}` }));

  it('goes there in their order, and back in the other; the callee calls back the other way', async () => {
    asked.length = 0;
    const signalling = new Signalling('call', [signs('1'), signs('2')]);
    const heard: string[] = [];
    const answer = async (offer: string): Promise<string> => {
      heard.push(offer);
      return 'answer ';
    };
    expect(await signalling.exchange('caller', 'offer ', answer)).toBe('answer 21');
    expect(await signalling.exchange('callee', 'again ', answer)).toBe('answer 12');
    expect(heard).toEqual(['offer 12', 'again 21']);
    expect(
      asked.map((one) => [one.command, one['call-id'], one['from-tag'], one['to-tag'], one.direction]),
    ).toEqual([
      ['offer', 'call;1', 'caller', undefined, ['1-in', '1-out']],
      ['offer', 'call;2', 'caller', undefined, ['2-in', '2-out']],
      ['answer', 'call;2', 'caller', 'callee', undefined],
      ['answer', 'call;1', 'caller', 'callee', undefined],
      ['offer', 'call;2', 'callee', 'caller', ['2-out', '2-in']],
      ['offer', 'call;1', 'callee', 'caller', ['1-out', '1-in']],
      ['answer', 'call;1', 'callee', 'caller', undefined],
      ['answer', 'call;2', 'callee', 'caller', undefined],
    ]);
    expect(asked[0]).toMatchObject({ replace: ['origin'] });
    expect(asked[2]).toMatchObject({ flags: ['x'] });
  });

  it('says which hop refuses, and why', async () => {
    const refuses = hop('2', () => ({ result: 'error', 'error-reason': 'no port is left' }));
    const exchange = new Signalling('call', [signs('1'), refuses]).exchange(
      'caller',
      'offer',
      async (sdp) => sdp,
    );
    await expect(exchange).rejects.toThrow('offer refused (2-in to 2-out): no port is left');
  });

  it('ends at every hop, also where one is down', async () => {
    asked.length = 0;
    const down = hop('1', () => {
      throw new Error('connect ECONNREFUSED');
    });
    await new Signalling('call', [down, signs('2')]).end();
    expect(asked.map((one) => [one.command, one['call-id'], one['delete-delay']])).toEqual([
      ['delete', 'call;1', 0],
      ['delete', 'call;2', 0],
    ]);
  });
});
