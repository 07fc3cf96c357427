/** Offers and answers of one call, one after the other: what stays the same, what changes, and when. */
import { afterEach, describe, expect, it } from 'vitest';
import type { NodeOptions } from '../../kit/b2bua-node.ts';
import {
  audio,
  CM_32,
  CM_80,
  crypto,
  keysIn,
  mediaLines,
  portsIn,
  SignallingRig,
  sdpOf,
  suitesIn,
} from './signalling-rig.ts';

const A = '192.0.2.1';
const B = '10.0.0.20';
const PLAIN_A = sdpOf(A, audio());
const PLAIN_B = sdpOf(B, audio());
const SECURE_A = sdpOf(A, audio('RTP/SAVP', crypto(1, CM_80, 'a')));
const SECURE_B = sdpOf(B, audio('RTP/SAVP', crypto(3, CM_80, 'b')));
const TO_PLAIN = { 'transport-protocol': 'RTP/AVP' };
const TO_SECURE = { 'transport-protocol': 'RTP/SAVP' };

let rig: SignallingRig;
afterEach(() => expect(rig.end()).toEqual([]));

function start(options: NodeOptions = {}): SignallingRig {
  rig = new SignallingRig(options);
  return rig;
}

describe('what is repeated', () => {
  it('gets the same SDP to the byte: an offer, before its answer; the suite in use comes first after it', () => {
    start();
    const offer = rig.offer(SECURE_A, { ICE: 'force' });
    expect(rig.offer(SECURE_A, { ICE: 'force' })).toBe(offer);
    rig.answer(SECURE_B, { ICE: 'remove' });
    const again = rig.offer(SECURE_A, { ICE: 'force', 'to-tag': 'B' });
    expect(again.split('\r\n').sort()).toEqual(offer.split('\r\n').sort());
    expect(suitesIn(again)[0]).toBe(CM_80);
    rig.answer(SECURE_B, { ICE: 'remove' }); // the tag of the first offer still counts
    expect(rig.node.counter('mediaPorts')).toBe(4);
  });

  it('gets the same SDP to the byte: an early answer and the final one', () => {
    start();
    const ice = sdpOf(
      A,
      audio('RTP/SAVP', crypto(1, CM_80), 'ice-ufrag:aaaa', 'ice-pwd:0123456789012345678901'),
    );
    rig.offer(ice, TO_PLAIN);
    const early = rig.answer(PLAIN_B, { ICE: 'force' });
    expect(keysIn(early)).toHaveLength(1);
    expect(early).toContain('a=ice-ufrag:');
    const before = rig.running();
    expect(rig.answer(PLAIN_B, { ICE: 'force' })).toBe(early);
    expect(rig.running()).toEqual(before);
  });

  it('gets the same keys and ports whatever the phone changed', () => {
    start();
    const first = rig.offer(SECURE_A);
    const again = rig.offer(sdpOf(A, audio('RTP/SAVP', crypto(5, CM_32, 'new'), 'sendonly')));
    expect(new Set(keysIn(again))).toEqual(new Set(keysIn(first)));
    expect(portsIn(again)).toEqual(portsIn(first));
  });
});

describe('a re-offer of the callee', () => {
  it('has the keys and ports that each side knows already', () => {
    start();
    const toB = rig.offer(SECURE_A, { SDES: [`only-${CM_80}`] });
    const toA = rig.answer(sdpOf(B, audio('RTP/SAVP', crypto(1, CM_80, 'b'))));
    const reoffered = rig.offerBack(SECURE_B, { SDES: [`only-${CM_80}`] });
    expect(keysIn(reoffered)).toEqual(keysIn(toA));
    expect(portsIn(reoffered)).toEqual(portsIn(toA));
    const reanswered = rig.answerBack(SECURE_A);
    expect(keysIn(reanswered)).toEqual(keysIn(toB));
    expect(portsIn(reanswered)).toEqual(portsIn(toB));
    expect(suitesIn(reanswered)).toEqual([CM_80]);
    expect(reanswered).toContain('a=crypto:3 ');
    expect(rig.report().legs.map(({ tag }) => tag)).toEqual(['A', 'B']);
    expect(rig.node.counter('mediaPorts')).toBe(4);
  });

  it('gives both sides different keys, and all others too', () => {
    start();
    const keys = [
      ...keysIn(rig.offer(SECURE_A)),
      ...keysIn(rig.answer(sdpOf(B, audio('RTP/SAVP', crypto(3, CM_80))))),
    ];
    expect(keys).toHaveLength(9);
    expect(new Set(keys).size).toBe(9);
  });
});

describe('a delayed offer', () => {
  it('comes with the 200 from the callee, and its answer with the ACK', () => {
    start();
    const toA = rig.offerBack(PLAIN_B, TO_SECURE);
    expect(suitesIn(toA)).toContain(CM_80);
    const tag = suitesIn(toA).indexOf(CM_80) + 1;
    rig.answerBack(sdpOf(A, audio('RTP/SAVP', crypto(tag, CM_80))));
    expect(rig.running()).toMatchObject([
      { tag: 'B', lines: [{ protocol: 'RTP/AVP', streams: [{ remote: `${B}:40000` }, {}] }] },
      { tag: 'A', lines: [{ receivedSuite: CM_80, streams: [{ remote: `${A}:40000` }, {}] }] },
    ]);
  });

  it('that is never answered is found by either tag', () => {
    start();
    rig.offerBack(PLAIN_B);
    expect(rig.delete({ 'from-tag': 'A' })).not.toHaveProperty('warning');
    expect(rig.node.core.calls.size).toBe(0);
  });
});

describe('hold', () => {
  const direction = (sdp: string): string | undefined =>
    /a=(sendrecv|sendonly|recvonly|inactive)/.exec(sdp)?.[1];

  it('by direction passes, in the session or in the line, and nothing else changes', () => {
    start();
    rig.offer(PLAIN_A);
    rig.answer(PLAIN_B);
    const before = rig.running();
    for (const way of ['sendonly', 'inactive', 'recvonly', 'sendrecv']) {
      const held = rig.offer(sdpOf(A, audio('RTP/AVP', way)), { 'to-tag': 'B' });
      expect(direction(held)).toBe(way);
      expect(rig.answer(sdpOf(B, audio('RTP/AVP', way)))).toContain(`a=${way}`);
      expect(rig.running()).toEqual(before);
    }
    const session = rig.offer(sdpOf(A, ['a=inactive'], audio()), { 'to-tag': 'B' });
    expect(session.split('\r\n').slice(4, 7)).toEqual([
      't=0 0',
      'a=inactive',
      expect.stringContaining('m=audio'),
    ]);
  });

  it('by a null address passes as one, and resumes', () => {
    start();
    const toB = rig.offer(PLAIN_A);
    rig.answer(PLAIN_B);
    const held = rig.offer(sdpOf('0.0.0.0', audio('RTP/AVP')), { 'to-tag': 'B' });
    expect(held).toContain('c=IN IP4 0.0.0.0\r\n');
    expect(portsIn(held)).toEqual(portsIn(toB));
    expect(rig.answer(PLAIN_B)).toContain('c=IN IP4 198.51.100.1\r\n');
    expect(rig.offer(PLAIN_A, { 'to-tag': 'B' })).toBe(toB);
    rig.answer(PLAIN_B);
    expect(rig.running()).toMatchObject([
      { lines: [{ streams: [{ remote: `${A}:40000` }, { remote: `${A}:40001` }] }] },
      { lines: [{ streams: [{ remote: `${B}:40000` }, { remote: `${B}:40001` }] }] },
    ]);
  });
});

describe('lines', () => {
  const VIDEO = ['m=video 40002 RTP/AVP 96'];
  const NO_VIDEO = ['m=video 0 RTP/AVP 96'];
  const streams = (): number[][] =>
    rig.report().legs.map(({ lines }) => lines.map((line) => line.streams.length));

  it('may be many, each on ports of its own', () => {
    start();
    const offer = rig.offer(sdpOf(A, audio(), VIDEO, audio(), VIDEO));
    expect(new Set(portsIn(offer)).size).toBe(4);
    rig.answer(sdpOf(B, audio(), VIDEO, audio(), VIDEO));
    expect(streams()).toEqual([
      [2, 2, 2, 2],
      [2, 2, 2, 2],
    ]);
  });

  it('are removed with port 0, which gives their ports back, and taken up again with the same keys', () => {
    start();
    const secureVideo = ['m=video 40002 RTP/SAVP 96', `a=${crypto(1, CM_80)}`];
    const first = rig.offer(sdpOf(A, audio(), secureVideo));
    const tag = suitesIn(first).indexOf(CM_80) + 1;
    const answeredVideo = ['m=video 40002 RTP/SAVP 96', `a=${crypto(tag, CM_80, 'b')}`];
    rig.answer(sdpOf(B, audio(), answeredVideo));
    expect(rig.node.counter('mediaPorts')).toBe(8);
    const without = rig.offer(sdpOf(A, audio(), NO_VIDEO), { 'to-tag': 'B' });
    expect(mediaLines(without)).toEqual(['m=audio P1 RTP/AVP 0 101', 'm=video 0 RTP/AVP 96']);
    expect(rig.node.counter('mediaPorts')).toBe(8); // not before the answer
    rig.answer(sdpOf(B, audio(), NO_VIDEO));
    expect(rig.node.counter('mediaPorts')).toBe(4);
    const again = rig.offer(sdpOf(A, audio(), secureVideo), { 'to-tag': 'B' });
    expect(new Set(keysIn(again))).toEqual(new Set(keysIn(first)));
    rig.answer(sdpOf(B, audio(), answeredVideo));
    expect(streams()).toEqual([
      [2, 2],
      [2, 2],
    ]);
  });

  it('may be added in a further offer, and refused by the other side', () => {
    start();
    rig.offer(PLAIN_A);
    const toA = rig.answer(PLAIN_B);
    rig.offer(sdpOf(A, audio(), VIDEO), { 'to-tag': 'B' });
    const answer = rig.answer(sdpOf(B, audio(), NO_VIDEO));
    expect(mediaLines(answer)).toEqual(['m=audio P1 RTP/AVP 0 101', 'm=video 0 RTP/AVP 96']);
    expect(portsIn(answer)[0]).toBe(portsIn(toA)[0]);
    expect(rig.node.counter('mediaPorts')).toBe(4);
    rig.offerBack(sdpOf(B, audio(), VIDEO));
    rig.answerBack(sdpOf(A, audio(), VIDEO));
    expect(streams()).toEqual([
      [2, 2],
      [2, 2],
    ]);
  });

  it('that an offer leaves out, against RFC 3264, end with it', () => {
    start();
    rig.offer(sdpOf(A, audio(), VIDEO));
    rig.answer(sdpOf(B, audio(), VIDEO));
    rig.offer(PLAIN_A, { 'to-tag': 'B' });
    rig.answer(PLAIN_B);
    expect(streams()).toEqual([
      [2, 0],
      [2, 0],
    ]);
    expect(rig.node.counter('mediaPorts')).toBe(4);
  });

  it('that an offer refuses cannot be taken by its answer', () => {
    start();
    rig.offer(sdpOf(A, audio(), NO_VIDEO));
    const answer = rig.answer(sdpOf(B, audio(), VIDEO));
    expect(mediaLines(answer)).toEqual(['m=audio P1 RTP/AVP 0 101', 'm=video 0 RTP/AVP 96']);
    expect(rig.node.counter('mediaPorts')).toBe(4);
  });

  it('of another number in the answer are an error, and the right answer still comes through', () => {
    start();
    rig.offer(sdpOf(A, audio(), VIDEO));
    const says = (answers: number): string => `The answer has ${answers} media lines, the offer had 2`;
    expect(rig.refusedAnswer(PLAIN_B)).toBe(says(1));
    expect(rig.refusedAnswer(sdpOf(B, audio(), VIDEO, VIDEO))).toBe(says(3));
    expect(rig.report()).toMatchObject({ isAnswered: false, legs: [{ tag: 'A' }, { tag: null }] });
    rig.answer(sdpOf(B, audio(), VIDEO));
    expect(rig.report().isAnswered).toBe(true);
  });
});

describe('a call that turns into a fax', () => {
  const FAX_A = sdpOf(A, ['m=image 40000 udptl t38', 'a=T38FaxVersion:0']);
  const FAX_B = sdpOf(B, ['m=image 40010 udptl t38', 'a=T38FaxVersion:0']);

  it('stays on its ports, and does not change before the answer', () => {
    start();
    const toB = rig.offer(SECURE_A, TO_PLAIN);
    const toA = rig.answer(PLAIN_B);
    const speaking = rig.running();
    expect(mediaLines(rig.offerBack(FAX_B))).toEqual(['m=image P1 udptl t38', 'a=T38FaxVersion:0']);
    expect(rig.running()).toEqual(speaking); // and would stay so if it were refused
    expect(portsIn(rig.answerBack(FAX_A))).toEqual(portsIn(toB));
    expect(rig.running()).toMatchObject([
      {
        lines: [
          { protocol: 'udptl', receivedSuite: null, streams: [{ remote: `${A}:40000` }, { remote: null }] },
        ],
      },
      {
        lines: [
          { protocol: 'udptl', receivedSuite: null, streams: [{ remote: `${B}:40010` }, { remote: null }] },
        ],
      },
    ]);
    expect(rig.offer(SECURE_A, { ...TO_PLAIN, 'to-tag': 'B' })).toBe(toB);
    expect(rig.answer(PLAIN_B)).toBe(toA);
    expect(rig.running()).toEqual(speaking);
  });

  it('gets a second port where a line that was no RTP becomes RTP', () => {
    start();
    rig.offer(FAX_A);
    rig.answer(FAX_B);
    expect(rig.node.counter('mediaPorts')).toBe(2);
    rig.offer(PLAIN_A, { 'to-tag': 'B' });
    rig.answer(PLAIN_B);
    expect(rig.node.counter('mediaPorts')).toBe(4);
    expect(rig.running()).toMatchObject([
      { lines: [{ streams: [{ remote: `${A}:40000` }, { remote: `${A}:40001` }] }] },
      { lines: [{ streams: [{ remote: `${B}:40000` }, { remote: `${B}:40001` }] }] },
    ]);
  });
});

describe('a refused offer', () => {
  const TWO_LINES = sdpOf(A, audio(), ['m=video 40002 RTP/AVP 96']);

  it('at first leaves nothing', () => {
    start({ settings: { limits: { calls: 10, portsPerCall: 6 } } });
    expect(rig.refusedOffer(TWO_LINES)).toBe('Ran out of ports');
    expect(rig.refusedOffer(PLAIN_A, { ...TO_SECURE, SDES: ['off'] })).toContain('no SDES suite');
    expect(rig.node.held()).toEqual([]);
  });

  it('later leaves the running call as it was', () => {
    start({ settings: { limits: { calls: 10, portsPerCall: 6 } } });
    const toB = rig.offer(SECURE_A, TO_PLAIN);
    rig.answer(PLAIN_B);
    const before = rig.running();
    const keys = { 'to-tag': 'B', 'media-address': '203.0.113.99' };
    expect(rig.refusedOffer(TWO_LINES, keys)).toBe('Ran out of ports');
    expect(rig.refusedOffer(PLAIN_A, { ...keys, ...TO_SECURE, SDES: ['off'] })).toContain('no SDES suite');
    expect(rig.refusedOffer('v=0', keys)).toBe('Failed to parse SDP');
    expect(rig.running()).toEqual(before);
    expect(rig.node.counter('mediaPorts')).toBe(4);
    expect(rig.offer(SECURE_A, { ...TO_PLAIN, 'to-tag': 'B' })).toBe(toB);
  });

  it('by the other side changes nothing, and the next one is answered by itself', () => {
    start();
    rig.offer(PLAIN_A);
    const toA = rig.answer(PLAIN_B);
    const before = rig.running();
    rig.offer(sdpOf('192.0.2.200', audio()), { 'to-tag': 'B' }); // 488
    expect(rig.running()).toEqual(before);
    rig.offer(PLAIN_A, { 'to-tag': 'B' });
    expect(rig.answer(PLAIN_B)).toBe(toA);
    expect(rig.running()).toEqual(before);
  });

  it('or answer leaves the address that the proxy asked for unwritten', () => {
    start();
    rig.offer(PLAIN_A);
    expect(rig.refusedAnswer(sdpOf(B), { 'media-address': '203.0.113.99' })).toContain('0 media lines');
    expect(rig.answer(PLAIN_B)).toContain('c=IN IP4 198.51.100.1\r\n');
  });
});
