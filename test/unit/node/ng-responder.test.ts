import { type Logger, pino } from 'pino';
import { beforeEach, describe, expect, it } from 'vitest';
import type { NgDictionary } from '../../../src/b2bua/ng-request.ts';
import { REPLY_KEPT_MS } from '../../../src/node/ng-replies.ts';
import { NgResponder, type NgResponderOptions } from '../../../src/node/ng-responder.ts';
import { latin1Text } from '../../../src/wire/bencode.ts';
import { formatNgMessage, NG_DATAGRAM_BYTES_MAX, parseNgMessage } from '../../../src/wire/ng-message.ts';

const PROXY = '127.0.0.1:40000';
const SECRET_SDP = 'v=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0\r\n';

let nowMs: number;
let handled: NgDictionary[];
let logLines: string[];
let log: Logger;

beforeEach(() => {
  nowMs = 1000;
  handled = [];
  logLines = [];
  log = pino({ level: 'trace' }, { write: (line: string) => void logLines.push(line) });
});

/** Answers each command with how many there were, unless told otherwise. */
function responder(options: Partial<NgResponderOptions> = {}): NgResponder {
  return new NgResponder({
    handle: async (dictionary) => ({ result: 'ok', number: handled.push(dictionary) }),
    log,
    nowMs: () => nowMs,
    ...options,
  });
}

async function ask(
  who: NgResponder,
  message: string | { cookie: string; command: NgDictionary },
  source: string = PROXY,
): Promise<string | undefined> {
  const bytes =
    typeof message === 'string'
      ? new TextEncoder().encode(message)
      : formatNgMessage(message.cookie, 'bencode', message.command);
  const reply = await who.respond(source, bytes);
  return reply && latin1Text(reply);
}

/** A handler whose commands end when the test says so. */
function held(): { handle: NgResponderOptions['handle']; release: ((reply: NgDictionary) => void)[] } {
  const release: ((reply: NgDictionary) => void)[] = [];
  return { release, handle: () => new Promise((resolve) => void release.push(resolve)) };
}

describe('a command', () => {
  it('is answered under its cookie in its notation', async () => {
    const ng = responder();
    expect(await ask(ng, '7_1 d7:command4:pinge')).toBe('7_1 d6:numberi1e6:result2:oke');
    expect(await ask(ng, '7_2 {"command":"ping"}')).toBe('7_2 {"result":"ok","number":2}');
    expect(handled).toEqual([{ command: 'ping' }, { command: 'ping' }]);
    expect(ng.counters).toMatchObject({ received: 2, replies: 2, repeats: 0, malformed: 0, errors: 0 });
  });

  it.each(['', 'cookie', ' d7:command4:pinge', 'd7:command4:pinge', 'c ping'])(
    'without a cookie is dropped in silence: %j',
    async (datagram) => {
      const ng = responder();
      expect(await ask(ng, datagram)).toBeUndefined();
      expect(ng.counters).toMatchObject({ received: 1, replies: 0, malformed: 1 });
      expect([handled, logLines]).toEqual([[], []]);
    },
  );

  it('with a malformed dictionary is told so in its notation', async () => {
    const ng = responder();
    expect(await ask(ng, 'a d7:command')).toBe('a d12:error-reason20:Malformed dictionary6:result5:errore');
    expect(await ask(ng, 'b {"command"')).toBe('b {"result":"error","error-reason":"Malformed dictionary"}');
    expect(ng.counters).toMatchObject({ received: 2, replies: 2, malformed: 2, errors: 2 });
    expect(handled).toEqual([]);
  });

  it('that failed inside is told no more than that, and no SDP is logged', async () => {
    const ng = responder({ handle: () => Promise.reject(new Error('worker 1 died')) });
    const command = { command: 'offer', sdp: SECRET_SDP, 'call-id': 'c' };
    expect(await ask(ng, { cookie: 'a', command })).toBe(
      'a d12:error-reason14:Internal error6:result5:errore',
    );
    expect(logLines.join()).toContain('worker 1 died');
    expect(logLines.join()).not.toMatch(/inline|v=0/);
    expect(ng.counters.errors).toBe(1);
  });

  it('whose handler throws at once is answered all the same', async () => {
    const ng = responder({
      handle: () => {
        throw new Error('thrown');
      },
    });
    expect(await ask(ng, 'a {"command":"ping"}')).toContain('Internal error');
  });

  it('whose reply does not fit a datagram is told so', async () => {
    const overhead = 'a d6:result2:ok3:sdp65485:e'.length;
    const fits = NG_DATAGRAM_BYTES_MAX - overhead;
    let size = fits;
    const ng = responder({ handle: async () => ({ result: 'ok', sdp: 'x'.repeat(size) }) });
    expect(await ask(ng, 'a d7:command5:querye')).toHaveLength(NG_DATAGRAM_BYTES_MAX);
    size = fits + 1;
    expect(await ask(ng, 'b d7:command5:querye')).toBe(
      'b d12:error-reason15:Reply too large6:result5:errore',
    );
    expect(ng.counters.errors).toBe(1);
  });

  it('that is itself a reply gets none, so that two engines never talk for ever', async () => {
    const ng = responder();
    const reply = await ask(ng, 'a d7:command4:pinge');
    expect(await ask(ng, reply ?? '', '127.0.0.1:2223')).toBeUndefined();
    expect(await ask(ng, 'x {"result":"error","error-reason":"Malformed dictionary"}')).toBeUndefined();
    expect(handled).toHaveLength(1);
  });

  it('without a command is still handed on, to be refused', async () => {
    await ask(responder(), 'a d7:call-id1:ce');
    expect(handled).toEqual([{ 'call-id': 'c' }]);
  });

  it('is handed on in the order of arrival', async () => {
    const ng = responder();
    await Promise.all(['1', '2', '3', '4'].map((id) => ask(ng, `${id} {"call-id":"${id}"}`)));
    expect(handled.map((dictionary) => dictionary['call-id'])).toEqual(['1', '2', '3', '4']);
  });

  it('is counted by name, all unheard-of names as one', async () => {
    const ng = responder();
    const names = ['ping', 'offer', 'offer', 'block media', 'dance', '__proto__', 'toString'];
    for (const [i, name] of names.entries()) await ask(ng, `${i} {"command":"${name}"}`);
    await ask(ng, '0 {"command":"ping"}'); // a repeat
    await ask(ng, 'l {"command":["offer"]}');
    const counted = Object.entries(ng.counters.commands).filter(([, count]) => count > 0);
    expect(Object.fromEntries(counted)).toEqual({ ping: 1, offer: 2, 'block media': 1, other: 4 });
  });
});

describe('a repeated command', () => {
  it('gets the same reply and is not carried out again', async () => {
    const ng = responder();
    const first = await ask(ng, 'a d7:command5:offere');
    nowMs += REPLY_KEPT_MS - 1;
    expect(await ask(ng, 'a d7:command5:offere')).toBe(first);
    expect(handled).toHaveLength(1);
    expect(ng.counters).toMatchObject({ received: 2, replies: 2, repeats: 1 });
  });

  it('is a new one after a minute', async () => {
    const ng = responder();
    await ask(ng, 'a d7:command5:offere');
    nowMs += REPLY_KEPT_MS;
    expect(await ask(ng, 'a d7:command5:offere')).toContain('6:numberi2e');
  });

  it('of another source, cookie or notation is another command', async () => {
    const ng = responder();
    await ask(ng, 'a d7:command5:offere');
    await ask(ng, 'a d7:command5:offere', '127.0.0.1:40001');
    await ask(ng, 'a d7:command5:offere', '127.0.0.2:40000');
    await ask(ng, 'b d7:command5:offere');
    expect(await ask(ng, 'a {"command":"offer"}')).toBe('a {"result":"ok","number":5}');
  });

  it('of one still under way waits for its reply', async () => {
    const { handle, release } = held();
    const ng = responder({ handle });
    const replies = [ask(ng, 'a d7:command5:offere'), ask(ng, 'a d7:command5:offere')];
    expect([release.length, ng.memory.commandsUnderWay]).toEqual([1, 1]);
    nowMs += REPLY_KEPT_MS + 1; // however long it takes
    const late = ask(ng, 'a d7:command5:offere');
    release[0]?.({ result: 'ok' });
    const all = await Promise.all([...replies, late]);
    expect(new Set(all)).toEqual(new Set(['a d6:result2:oke']));
    expect([release.length, ng.counters.repeats, ng.memory.commandsUnderWay]).toEqual([1, 2, 0]);
  });

  it('of one that failed gets the same error', async () => {
    const ng = responder({ handle: () => Promise.reject(new Error('x')) });
    const first = await ask(ng, 'a d7:command5:offere');
    expect(await ask(ng, 'a d7:command5:offere')).toBe(first);
    expect(ng.counters).toMatchObject({ errors: 1, repeats: 1 });
  });
});

describe('the memory of replies', () => {
  it('keeps no more than its number; the oldest go first', async () => {
    const ng = responder({ limits: { repliesKept: 3 } });
    for (const cookie of ['a', 'b', 'c', 'd']) await ask(ng, `${cookie} d7:command5:offere`);
    expect(ng.memory.repliesKept).toBe(3);
    await ask(ng, 'b d7:command5:offere');
    expect(handled).toHaveLength(4);
    await ask(ng, 'a d7:command5:offere');
    expect(handled).toHaveLength(5);
  });

  it('keeps no more than its bytes', async () => {
    const ng = responder({
      handle: async () => ({ result: 'ok', sdp: 'x'.repeat(1000) }),
      limits: { bytesKept: 2500 },
    });
    for (let i = 0; i < 50; i++) await ask(ng, `${i} d7:command5:offere`);
    expect(ng.memory.repliesKept).toBe(2);
    expect(ng.memory.bytesKept).toBeLessThanOrEqual(2500);
  });

  it('is empty a minute after the last command', async () => {
    const ng = responder();
    for (let i = 0; i < 50; i++) await ask(ng, `${i} d7:command5:offere`);
    nowMs += REPLY_KEPT_MS;
    ng.sweep();
    expect([ng.memory.repliesKept, ng.memory.bytesKept]).toEqual([0, 0]);
  });

  it('takes no more commands at once than its limit; they come again', async () => {
    const { handle, release } = held();
    const ng = responder({ handle, limits: { commandsUnderWay: 2 } });
    const first = [ask(ng, 'a d7:command5:offere'), ask(ng, 'b d7:command5:offere')];
    expect(await ask(ng, 'c d7:command5:offere')).toBeUndefined();
    expect([release.length, ng.counters.dropped]).toEqual([2, 1]);
    for (const end of release) end({ result: 'ok' });
    await Promise.all(first);
    const again = ask(ng, 'c d7:command5:offere');
    release[2]?.({ result: 'ok' });
    expect(await again).toBe('c d6:result2:oke');
  });

  it('holds replies as they were, whatever becomes of the dictionary', async () => {
    const reply = { result: 'ok', sdp: 'first' };
    const ng = responder({ handle: async () => reply });
    const first = await ask(ng, 'a d7:command5:offere');
    reply.sdp = 'second';
    expect(await ask(ng, 'a d7:command5:offere')).toBe(first);
    expect(parseNgMessage(new TextEncoder().encode(first))?.dictionary).toEqual({
      result: 'ok',
      sdp: 'first',
    });
  });
});
