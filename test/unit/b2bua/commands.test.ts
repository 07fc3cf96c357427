/** Commands and their replies, to the letter where proxies read them. */
import { afterEach, describe, expect, it } from 'vitest';
import type { NgDictionary } from '../../../src/b2bua/ng-request.ts';
import type { NodeOptions } from '../../kit/b2bua-node.ts';
import { audio, CALL, CM_80, crypto, portsIn, SignallingRig, sdpIn, sdpOf } from './signalling-rig.ts';

const A = '192.0.2.1';
const B = '10.0.0.20';
const OFFER = sdpOf(A, audio());
const ANSWER = sdpOf(B, audio());

let rig: SignallingRig;
afterEach(() => expect(rig.end()).toEqual([]));

function start(options: NodeOptions = {}): SignallingRig {
  rig = new SignallingRig(options);
  return rig;
}

function started(): SignallingRig {
  start();
  rig.offer(OFFER);
  rig.answer(ANSWER);
  return rig;
}

function error(reason: string): NgDictionary {
  return { result: 'error', 'error-reason': reason };
}

describe('a command', () => {
  it('that nobody knows is an error', () => {
    start();
    for (const name of ['', 'nonsense', 'constructor', 'play media', 'start recording', 'publish']) {
      expect(rig.command(name, {})).toEqual(error('Unrecognized command'));
    }
  });

  const whole: NgDictionary = { 'call-id': CALL, 'from-tag': 'A', 'to-tag': 'B', sdp: OFFER };
  const without = (key: string): NgDictionary =>
    Object.fromEntries(Object.entries(whole).filter(([name]) => name !== key));
  const cases: readonly (readonly [string, NgDictionary, string])[] = [
    ['offer', without('call-id'), 'No call-id in message'],
    ['offer', without('from-tag'), 'No from-tag in message'],
    ['offer', without('sdp'), 'No SDP body in message'],
    ['offer', { ...whole, sdp: '' }, 'No SDP body in message'],
    ['offer', { ...whole, sdp: ['v=0'] }, 'No SDP body in message'],
    ['offer', { ...whole, sdp: 'hello' }, 'Failed to parse SDP'],
    ['offer', { ...whole, sdp: `${OFFER}m=audio x RTP/AVP 0\r\n` }, 'Failed to parse SDP'],
    ['offer', { ...whole, 'to-tag': 'A' }, 'Invalid dialogue association'],
    ['answer', without('call-id'), 'No call-id in message'],
    ['answer', without('from-tag'), 'No from-tag in message'],
    ['answer', without('to-tag'), 'No to-tag in message'],
    ['answer', without('sdp'), 'No SDP body in message'],
    ['answer', { ...whole, sdp: 'hello' }, 'Failed to parse SDP'],
    ['answer', { ...whole, 'to-tag': 'A' }, 'Invalid dialogue association'],
    ['answer', whole, 'Unknown call-id'],
    ['query', whole, 'Unknown call-id'],
    ['query', {}, 'Unknown call-id'],
    ['block media', whole, 'Unknown call-id'],
    ['silence media', whole, 'Unknown call-id'],
    ['delete', without('call-id'), 'No call-id in message'],
    [
      'offer',
      { ...whole, 'call-id': 'x'.repeat(1025) },
      'call-id, tags and via-branch have at most 1024 characters',
    ],
    [
      'offer',
      { ...whole, 'from-tag': 'x'.repeat(1025) },
      'call-id, tags and via-branch have at most 1024 characters',
    ],
    [
      'answer',
      { ...whole, 'to-tag': 'x'.repeat(1025) },
      'call-id, tags and via-branch have at most 1024 characters',
    ],
    [
      'offer',
      { ...whole, 'via-branch': 'x'.repeat(1025) },
      'call-id, tags and via-branch have at most 1024 characters',
    ],
  ];
  it.each(cases)('%s %j gives the error %s', (command, keys, reason) => {
    start();
    const reply = rig.node.command(command, keys);
    expect(reply).toEqual(error(reason));
    expect(rig.node.counter('ngErrors')).toBe(1);
  });

  it('gives reasons that fit a line of a log, whatever they quote', () => {
    start();
    const reason = (keys: NgDictionary): string =>
      String(rig.command('offer', { 'from-tag': 'A', sdp: OFFER, ...keys })['error-reason']);
    expect(reason({ direction: ['a\r\nb\u001b[31m\u00ff', 'internal'] })).toBe(
      'Unknown zone in direction: a??b?[31m?',
    );
    const long = reason({ sdp: sdpOf(A, [`m=audio 1 X/${'y'.repeat(5000)} 0`]) });
    expect(long).toMatch(/^No line of the offer can be served: audio X\/y+$/);
    expect(long).toHaveLength(200);
  });

  it('is counted by its kind', () => {
    started();
    rig.command('query', {});
    rig.delete();
    const counted = (['ngOffers', 'ngAnswers', 'ngOtherCommands', 'ngDeletes', 'ngErrors'] as const).map(
      (name) => rig.node.counter(name),
    );
    expect(counted).toEqual([1, 1, 1, 1, 0]);
  });
});

describe('an answer', () => {
  it('without an offer is an error: from the wrong side, or a second time round', () => {
    start();
    rig.offer(OFFER);
    expect(rig.refusedAnswer(ANSWER, { 'from-tag': 'B', 'to-tag': 'A' })).toBe('No offer to answer');
    expect(rig.refusedAnswer(ANSWER, { 'from-tag': 'X' })).toBe('No offer to answer');
    rig.answer(ANSWER);
    expect(rig.refusedAnswer(OFFER, { 'from-tag': 'B', 'to-tag': 'A' })).toBe('No offer to answer');
  });
});

describe('the limit of calls', () => {
  const second = { 'call-id': 'second', 'from-tag': 'A', sdp: OFFER };

  it('is told in the words that make proxies try another engine', () => {
    start({ settings: { limits: { calls: 1, portsPerCall: 48 } } });
    rig.offer(OFFER);
    expect(rig.command('offer', { ...second, supports: [] })).toEqual(
      error('Parallel session limit reached'),
    );
    expect(rig.command('offer', second)).toMatchObject({
      result: 'load limit',
      message: 'Parallel session limit reached',
    });
    expect(rig.node.counter('ngErrors')).toBe(2);
    rig.answer(ANSWER); // the call that is there goes on
    rig.offer(OFFER, { 'to-tag': 'B' });
    rig.delete();
    expect(rig.command('offer', second).result).toBe('ok');
  });
});

describe('ports', () => {
  it('that ran out are told in those words, and come back with the end of calls', () => {
    start({ settings: { mediaPorts: [36_000, 36_004] } });
    const keys = (callId: string): NgDictionary => ({
      ...{ 'call-id': callId, 'from-tag': 'A', sdp: OFFER },
      direction: ['external', 'external'],
    });
    expect(rig.command('offer', keys('one')).result).toBe('ok'); // two pairs, and half a pair is left
    for (const supports of [[], ['load limit']]) {
      expect(rig.command('offer', { ...keys('two'), supports })).toEqual(error('Ran out of ports'));
    }
    expect(rig.node.core.calls.size).toBe(1);
    rig.command('delete', keys('one'));
    expect(rig.command('offer', keys('two')).result).toBe('ok');
  });

  it('of one call have their own limit', () => {
    start({ settings: { limits: { calls: 2, portsPerCall: 8 } } });
    rig.offer(sdpOf(A, audio(), audio()));
    expect(rig.refusedOffer(sdpOf(A, audio(), audio(), audio()))).toBe('Ran out of ports');
    expect(rig.node.counter('mediaPorts')).toBe(8);
  });
});

describe('delete', () => {
  const gone = (): void => expect(rig.node.held()).toEqual([]);

  const ways: readonly (readonly [string, NgDictionary])[] = [
    ['the caller’s tag', { 'from-tag': 'A' }],
    ['the callee’s tag alone, as on its BYE', { 'from-tag': 'B' }],
    ['both tags', { 'from-tag': 'A', 'to-tag': 'B' }],
    ['both tags the other way round', { 'from-tag': 'B', 'to-tag': 'A' }],
    ['one tag that is right and one that is not', { 'from-tag': 'A', 'to-tag': 'X' }],
    ['no tag', {}],
    ['a branch of its own', { 'from-tag': 'B', 'via-branch': 'z9hG4bKbye' }],
  ];
  it.each(ways)('with %s ends the call at once', (_name, keys) => {
    started();
    const reply = rig.delete(keys);
    expect(reply).toMatchObject({ result: 'ok', totals: { RTP: { packets: 0 } } });
    expect(reply).not.toHaveProperty('warning');
    gone();
    expect(rig.command('query', {})).toEqual(error('Unknown call-id'));
    expect(rig.node.ended.map(({ reason }) => reason)).toEqual(['deleted']);
  });

  it('of an offer that was never answered ends it too', () => {
    start();
    rig.offer(OFFER);
    expect(rig.delete()).toMatchObject({ result: 'ok', tags: { A: { tag: 'A' }, '': {} } });
    gone();
  });

  it('of what is not there warns, or fails where that is asked for', () => {
    started();
    const warning = "Call-ID not found or tags didn't match";
    for (const keys of [{ 'call-id': 'other' }, { 'from-tag': 'X' }, { 'from-tag': 'X', 'to-tag': 'Y' }]) {
      expect(rig.delete(keys)).toEqual({ result: 'ok', warning });
      expect(rig.delete({ ...keys, flags: ['fatal'] })).toEqual(error(warning));
    }
    expect(rig.node.core.calls.size).toBe(1);
  });

  it('a second time warns', () => {
    started();
    rig.delete();
    expect(rig.delete()).toHaveProperty('warning');
  });

  it('with a delay lets the call be until then, and no longer', () => {
    started();
    for (const delay of [10, '10', 60]) {
      expect(rig.delete({ 'from-tag': 'A', 'delete delay': delay })).toMatchObject({
        result: 'ok',
        totals: {},
      });
      rig.network.run(2000);
    }
    expect(rig.command('query', {}).result).toBe('ok');
    rig.network.run(5000);
    gone();
  });

  it('without a delay does not wait for one that was asked for before', () => {
    started();
    rig.delete({ 'from-tag': 'A', 'delete-delay': 10 });
    rig.delete({ 'from-tag': 'A', 'delete-delay': 0 });
    gone();
  });

  it('with a delay is taken back by a further offer', () => {
    started();
    rig.delete({ 'from-tag': 'A', 'delete-delay': 5 });
    rig.offer(OFFER, { 'to-tag': 'B' });
    rig.network.run(20_000);
    expect(rig.command('query', {}).result).toBe('ok');
  });

  it('with an endless delay ends within the hour', () => {
    started();
    rig.delete({ 'from-tag': 'A', 'delete-delay': Number.MAX_SAFE_INTEGER });
    rig.network.run(3_601_000);
    gone();
  });
});

describe('query', () => {
  it('has the shape that proxies read', () => {
    start();
    rig.offer(sdpOf(A, audio('RTP/SAVP', crypto(1, CM_80))), { 'transport-protocol': 'RTP/AVP' });
    const toA = rig.answer(ANSWER);
    const reply = rig.command('query', {});
    const created = expect.any(Number);
    const none = { packets: 0, bytes: 0, errors: 0 };
    const [port = 0] = portsIn(toA);
    const stream = (
      local: number,
      address: string,
      remote: number,
      suite: string,
      kind: string,
    ): unknown => ({
      'local address': address === A ? '198.51.100.1' : '10.0.0.1',
      'local port': local,
      endpoint: { family: 'IPv4', address, port: remote },
      'advertised endpoint': { family: 'IPv4', address, port: remote },
      'crypto suite': suite,
      'last packet': 0,
      flags: [kind],
      stats: none,
    });
    const farPort = rig.report().legs[1]?.lines[0]?.streams[0]?.localPort ?? 0;
    const leg = (tag: string, zone: string, protocol: string, streams: readonly unknown[]): unknown => ({
      ...{ tag, created, zone },
      medias: [{ index: 1, type: 'audio', protocol, streams, flags: [] }],
    });
    expect(reply).toEqual({
      result: 'ok',
      ...{ created, created_us: created, 'last signal': created },
      SSRC: {},
      tags: {
        A: leg('A', 'external', 'RTP/SAVP', [
          stream(port, A, 40_000, CM_80, 'RTP'),
          stream(port + 1, A, 40_001, CM_80, 'RTCP'),
        ]),
        B: leg('B', 'internal', 'RTP/AVP', [
          stream(farPort, B, 40_000, '', 'RTP'),
          stream(farPort + 1, B, 40_001, '', 'RTCP'),
        ]),
      },
      totals: { RTP: none, RTCP: none },
    });
    expect(Number(reply.created_us)).toBe(Number(reply.created) * 1_000_000);
  });

  it('never tells keys', () => {
    start();
    rig.offer(sdpOf(A, audio('RTP/SAVP', crypto(1, CM_80))));
    rig.answer(sdpOf(B, audio('RTP/SAVP', crypto(3, CM_80))));
    expect(JSON.stringify([rig.command('query', {}), rig.report()])).not.toMatch(/inline|[A-Za-z0-9+/]{40}/);
  });

  it('takes any tag for a tag', () => {
    start();
    for (const [from, to] of [
      ['__proto__', 'constructor'],
      ['1', 'toString'],
    ] as const) {
      const tags = { 'call-id': from, 'from-tag': from };
      rig.offer(OFFER, tags);
      rig.answer(ANSWER, { ...tags, 'to-tag': to });
      const reply = rig.command('query', tags);
      expect(Object.keys(reply.tags as NgDictionary).sort()).toEqual([from, to].sort());
    }
  });
});

describe('list', () => {
  it('names 32 calls, or as many as are asked for', () => {
    start();
    const ids = Array.from({ length: 40 }, (_, i) => `call-${i}`);
    for (const id of ids) rig.command('offer', { 'call-id': id, 'from-tag': 'A', sdp: OFFER });
    expect(rig.command('list', {})).toEqual({ result: 'ok', calls: ids.slice(0, 32) });
    expect(rig.command('list', { limit: 3 })).toEqual({ result: 'ok', calls: ids.slice(0, 3) });
    expect(rig.command('list', { limit: '1000' })).toEqual({ result: 'ok', calls: ids });
    expect(rig.command('list', { limit: 0 })).toEqual({ result: 'ok', calls: ids.slice(0, 32) });
  });
});

describe('block and silence', () => {
  const flags = (): (readonly [boolean, boolean])[] => {
    const call = rig.node.core.calls.get(CALL);
    return (call?.legs ?? []).map((leg) => [leg.isBlocked, leg.isSilenced] as const);
  };

  it('concern one side, or both where no tag or all is said, and end', () => {
    started();
    rig.command('block media', { 'from-tag': 'A' });
    rig.command('silence media', { 'from-tag': 'B' });
    expect(flags()).toEqual([
      [true, false],
      [false, true],
    ]);
    rig.command('unblock media', {});
    rig.command('unsilence media', { 'from-tag': 'A', all: 'all' });
    expect(flags()).toEqual([
      [false, false],
      [false, false],
    ]);
    expect(rig.command('block media', { 'from-tag': 'X' })).toEqual(error('Unknown from-tag'));
  });
});

describe('a call', () => {
  it('whose offer is never answered ends, with all that it held', () => {
    start({ settings: { offerTimeoutSeconds: 30 } });
    for (let i = 0; i < 100; i++) {
      const keys = { 'call-id': `call-${i}`, 'from-tag': 'A', sdp: OFFER };
      sdpIn(rig.command('offer', { ...keys, 'transport-protocol': 'RTP/SAVP', ICE: 'force' }));
    }
    rig.network.run(29_000);
    expect(rig.node.core.calls.size).toBe(100);
    rig.network.run(4000);
    expect(rig.node.held()).toEqual([]);
    expect(rig.node.counter('callsOfferTimeout')).toBe(100);
  });
});
