/** rtcp-mux and ICE: what each side is offered, answered, and then uses. */
import { afterEach, describe, expect, it } from 'vitest';
import { EXTERNAL, INTERNAL, type NodeOptions } from '../../kit/b2bua-node.ts';
import { audio, portsIn, SignallingRig, sdpOf } from './signalling-rig.ts';

const A = '192.0.2.1';
const B = '10.0.0.20';
const PLAIN_A = sdpOf(A, audio());
const PLAIN_B = sdpOf(B, audio());

let rig: SignallingRig;
afterEach(() => expect(rig.end()).toEqual([]));

function start(options: NodeOptions = {}): SignallingRig {
  rig = new SignallingRig(options);
  return rig;
}

describe('rtcp-mux', () => {
  const MUX_A = sdpOf(A, audio('RTP/AVP', 'rtcp-mux'));
  const MUX_B = sdpOf(B, audio('RTP/AVP', 'rtcp-mux'));
  const muxed = (): boolean[] =>
    rig.report().legs.map(({ lines }) => lines.some(({ isRtcpMuxed }) => isRtcpMuxed));
  const has = (sdp: string): boolean => sdp.includes('a=rtcp-mux\r\n');

  /** [offered, flags of the offer, in the offer, taken by B, flags of the answer, in the answer, [A, B] multiplex] */
  type Case = readonly [boolean, string[], boolean, boolean, string[], boolean, [boolean, boolean]];
  const cases: readonly Case[] = [
    [false, [], false, false, [], false, [false, false]],
    [true, [], true, true, [], true, [true, true]],
    [true, [], true, false, [], false, [false, false]],
    [false, ['offer'], true, true, [], false, [false, true]],
    [false, ['offer'], true, false, [], false, [false, false]],
    [false, ['require'], true, true, [], false, [false, true]],
    [true, ['demux'], false, false, [], true, [true, false]],
    [true, ['demux', 'reject'], false, false, [], false, [false, false]],
    [true, ['accept'], true, false, [], true, [true, false]],
    [true, ['reject'], true, true, [], false, [false, true]],
    [true, [], true, false, ['accept'], true, [true, false]],
    [true, [], true, true, ['reject'], false, [false, true]],
    [false, ['accept'], false, false, [], false, [false, false]],
    // Against RFC 5761 §5.1.1: not offered, and taken all the same.
    [false, [], false, true, [], false, [false, false]],
    [true, ['demux'], false, true, [], true, [true, false]],
  ];
  it.each(cases)(
    'offered %s with %j is offered %s; taken %s with %j is answered %s, and used by %j',
    (...row) => {
      const [isOffered, offerFlags, isPassedOn, isTaken, answerFlags, isAnswered, users] = row;
      start();
      expect(has(rig.offer(isOffered ? MUX_A : PLAIN_A, { 'rtcp-mux': offerFlags }))).toBe(isPassedOn);
      expect(has(rig.answer(isTaken ? MUX_B : PLAIN_B, { 'rtcp-mux': answerFlags }))).toBe(isAnswered);
      expect(muxed()).toEqual(users);
    },
  );

  it('that is required has one port, also when that side offers itself', () => {
    start();
    const toB = rig.offer(PLAIN_A, { 'rtcp-mux': ['require'] });
    rig.answer(MUX_B);
    expect(rig.node.counter('mediaPorts')).toBe(3);
    expect(has(rig.offerBack(MUX_B, { 'rtcp-mux': ['demux'] }))).toBe(false);
    const back = rig.answerBack(PLAIN_A, { 'rtcp-mux': ['reject'] });
    expect(has(back)).toBe(true);
    expect(portsIn(back)).toEqual(portsIn(toB));
    expect(muxed()).toEqual([false, true]);
  });

  it('that a side has is offered to it again, though the other side knows nothing of it', () => {
    start();
    rig.offer(MUX_A, { 'rtcp-mux': ['demux'] });
    rig.answer(PLAIN_B);
    expect(has(rig.offerBack(PLAIN_B))).toBe(true);
    rig.answerBack(MUX_A);
    expect(muxed()).toEqual([true, false]);
    expect(has(rig.offerBack(PLAIN_B, { 'rtcp-mux': ['demux'] }))).toBe(false);
  });

  it('sends RTCP to the port of RTP, else to a=rtcp, else to the next port', () => {
    start();
    rig.offer(sdpOf(A, audio('RTP/AVP', 'rtcp:41000 IN IP4 192.0.2.7')));
    rig.answer(sdpOf(B, audio('RTP/AVP', 'rtcp-mux')));
    expect(rig.running()).toMatchObject([
      { lines: [{ streams: [{ remote: `${A}:40000` }, { remote: '192.0.2.7:41000' }] }] },
      { lines: [{ streams: [{ remote: `${B}:40000` }, { remote: `${B}:40000` }] }] },
    ]);
  });
});

describe('ICE', () => {
  const ICE_A = sdpOf(
    A,
    audio(
      'RTP/AVP',
      ...[
        'ice-ufrag:aaaa',
        'ice-pwd:aaaaaaaaaaaaaaaaaaaaaa',
        'candidate:1 1 UDP 2130706431 192.0.2.1 40000 typ host',
      ],
    ),
  );
  const ICE_B = sdpOf(B, audio('RTP/AVP', 'ice-ufrag:bbbb', 'ice-pwd:bbbbbbbbbbbbbbbbbbbbbb'));
  const has = (sdp: string): boolean => sdp.includes('a=ice-ufrag:') && sdp.includes('a=candidate:');

  /** [flag, zone.ice, offered by A, offered to B; then to A in the answer to an offer with ICE under the same flag] */
  const cases: readonly (readonly [string, boolean, boolean, boolean, boolean])[] = [
    ['', false, true, false, false],
    ['', true, false, true, true],
    ['', true, true, true, true],
    ['remove', true, true, false, false],
    ['force', false, false, true, true],
    ['force', false, true, true, true],
    ['force-relay', false, false, true, true],
    ['optional', false, false, true, true],
    ['default', false, false, false, true],
    ['default', false, true, true, true],
    ['default', true, false, true, true],
  ];
  it.each(cases)(
    '%s (zone %s), offered %s: offered on %s, answered %s',
    (flag, ice, isOffered, out, back) => {
      start({
        zones: [
          { ...EXTERNAL, ice },
          { ...INTERNAL, ice },
        ],
      });
      const flags = flag === '' ? {} : { ICE: flag };
      expect(has(rig.offer(isOffered ? ICE_A : PLAIN_A, flags))).toBe(out);
      expect(has(rig.answer(PLAIN_B, flags))).toBe(isOffered && back);
      rig.offer(ICE_A, { 'to-tag': 'B' });
      expect(has(rig.answer(PLAIN_B, flags))).toBe(back);
    },
  );

  it('is answered only to an offer that has it, and not where the offer says so', () => {
    start();
    rig.offer(PLAIN_A, { ICE: 'force' });
    expect(has(rig.answer(ICE_B, { ICE: 'force' }))).toBe(false);
    rig.offer(ICE_A, { ICE: 'force', flags: ['reject-ICE'], 'to-tag': 'B' });
    expect(has(rig.answer(ICE_B, { ICE: 'force' }))).toBe(false);
    expect(rig.running()).toMatchObject([
      { lines: [{ streams: [{ ice: 'none', remote: `${A}:40000` }, {}] }] },
      { lines: [{ streams: [{ ice: 'checking' }, {}] }] },
    ]);
  });

  it('keeps our credentials, until the other side restarts with new ones of its own', () => {
    start();
    const ufrag = (sdp: string): string | undefined => /a=ice-ufrag:(.*)\r/.exec(sdp)?.[1];
    const ours = (sdp: string): (string | undefined)[] => {
      const toB = ufrag(rig.offer(sdp, { ICE: 'force', 'to-tag': 'B' }));
      return [toB, ufrag(rig.answer(ICE_B, { ICE: 'force' }))];
    };
    const first = ours(ICE_A);
    expect(ours(ICE_A)).toEqual(first);
    const restarted = ours(ICE_A.replace('ufrag:aaaa', 'ufrag:zzzz').replace('pwd:aaaa', 'pwd:zzzz'));
    expect(restarted[0]).toBe(first[0]);
    expect(restarted[1]).not.toBe(first[1]);
  });

  it('has one candidate where RTCP is multiplexed, two where not', () => {
    start();
    const mux = ICE_A.replace(/$/, 'a=rtcp-mux\r\n');
    const candidates = (sdp: string): number => [...sdp.matchAll(/a=candidate:/g)].length;
    expect(candidates(rig.offer(mux, { ICE: 'force' }))).toBe(2);
    const answer = rig.answer(ICE_B.replace(/$/, 'a=rtcp-mux\r\n'), { ICE: 'force' });
    expect(candidates(answer)).toBe(1);
    rig.offer(ICE_A, { ICE: 'force', 'to-tag': 'B' });
    expect(candidates(rig.answer(ICE_B, { ICE: 'force' }))).toBe(2);
  });

  it('with a mismatch is none', () => {
    start();
    rig.offer(ICE_A.replace(/$/, 'a=ice-mismatch\r\n'));
    expect(has(rig.answer(PLAIN_B, { ICE: 'force' }))).toBe(false);
  });
});
