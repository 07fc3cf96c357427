/**
 * ICE passthrough when ICE has found its path: phones send to where m= and c= say, so an offer that names a path
 * other than ours must get through with its addresses, and any other must not.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BINDING, encode, REQUEST } from '../../../lab/phone/plain-stun.ts';
import { EXTERNAL, INTERNAL, type ZoneOptions } from '../../kit/b2bua-node.ts';
import { controlling, priority, useCandidate, username } from '../../kit/ice-rig.ts';
import { CM_80, crlf, crypto, portsIn, SignallingRig } from './signalling-rig.ts';

const OUR_OUTER = EXTERNAL.addresses[0] ?? '';
const OUR_INNER = INTERNAL.addresses[0] ?? '';
const PASSWORD_B = 'YH75Fviy6338Vbrhrlp8Yh';

const HOST_A = '192.168.1.10 40000';
const SRFLX_A = '203.0.113.2 40000';
const HOST_B = '192.168.2.20 50000';
const SRFLX_B = '203.0.113.6 50000';

interface Said {
  /** Address and port of m= and c=. */
  readonly at: string;
  readonly ufrag?: string;
  /** With their types. */
  readonly candidates: readonly string[];
  readonly more?: readonly string[];
}

const A_BEFORE: Said = { at: SRFLX_A, candidates: [`${HOST_A} typ host`, `${SRFLX_A} typ srflx`] };
const B_BEFORE: Said = { at: SRFLX_B, candidates: [`${HOST_B} typ host`, `${SRFLX_B} typ srflx`] };
const A_HOST: Said = { ...A_BEFORE, at: HOST_A };
const B_HOST: Said = { ...B_BEFORE, at: HOST_B };

let rig: SignallingRig;
/** Ports that each side was told for the other. */
let toldA = 0;
let toldB = 0;

afterEach(() => expect(rig.end()).toEqual([]));

/** Begins a call between zones of this kind. */
function callBetween(kind: Pick<ZoneOptions, 'icePassthrough' | 'media'>): void {
  rig = new SignallingRig({ zones: [EXTERNAL, INTERNAL].map((zone) => ({ ...zone, ...kind })) });
  [toldB = 0] = portsIn(rig.offer(sdp('a', A_BEFORE)));
  [toldA = 0] = portsIn(rig.answer(sdp('b', B_BEFORE)));
}

/** An audio line with rtcp-mux, its address in the line or (`isInherited`) in the session part. */
function sdp(who: 'a' | 'b', { at, ufrag = who, candidates, more = [] }: Said, isInherited = false): string {
  const [address = '', port = ''] = at.split(' ');
  const password = who === 'a' ? 'asd88fgpdd777uzjYhagZg' : PASSWORD_B;
  const ice = [`ice-ufrag:${ufrag.repeat(4)}`, `ice-pwd:${ufrag === who ? password : `${password}2`}`];
  const listed = candidates.map((text, i) => {
    const [ip, its, ...type] = text.split(' ');
    return `candidate:${i} 1 UDP ${2000 - i} ${ip} ${its} ${type.join(' ')}`;
  });
  const own = isInherited ? [] : [`c=IN IP4 ${address}`];
  return crlf(
    [
      'v=0',
      `o=phone 7 1 IN IP4 ${address}`,
      's=-',
      `c=IN IP4 ${isInherited ? address : '192.0.2.99'}`,
      't=0 0',
    ],
    [`m=audio ${port} RTP/SAVP 0`, ...own],
    [crypto(1, CM_80, who), 'rtcp-mux', ...ice, ...listed, ...more].map((attribute) => `a=${attribute}`),
  );
}

/** Where the receiver of an SDP will send to. */
function placeIn(text: string): string {
  const [, port] = text.match(/^m=audio (\d+)/m) ?? [];
  const addresses = [...text.matchAll(/^c=IN IP4 (\S+)\r$/gm)].map((match) => match[1]);
  return `${addresses.at(-1)} ${port}`;
}

function remoteCandidates(...places: readonly string[]): string[] {
  return [`remote-candidates:${places.map((place) => `1 ${place}`).join(' ')}`];
}

/** Offers from A, answers from B; where each is told to send to: B, then A. */
function exchange(offer: Said, answer: Said): [toB: string, toA: string] {
  const offered = rig.offer(sdp('a', offer), { 'to-tag': 'B' });
  return [placeIn(offered), placeIn(rig.answer(sdp('b', answer)))];
}

const ours = (): [string, string] => [`${OUR_INNER} ${toldB}`, `${OUR_OUTER} ${toldA}`];

/** An edge passes everything, and looks at checks as a B2BUA that lets ICE pass. */
describe.each<[string, Pick<ZoneOptions, 'icePassthrough' | 'media'>]>([
  ['passthrough', { icePassthrough: true }],
  ['an edge', { media: 'relay' }],
])('%s:', (_name, kind) => {
  beforeEach(() => callBetween(kind));

  describe('an offer that names the path', () => {
    it('passes with its addresses, as does its answer', () => {
      const named = { ...A_HOST, more: remoteCandidates(HOST_B) };
      expect(exchange(named, B_HOST)).toEqual([HOST_A, HOST_B]);
    });

    it('is lent no candidate more', () => {
      const offered = rig.offer(sdp('a', { ...A_HOST, more: remoteCandidates(HOST_B) }), { 'to-tag': 'B' });
      expect(offered.match(/a=candidate:/g)).toHaveLength(2);
      const answered = rig.answer(sdp('b', B_HOST));
      expect(answered.match(/a=candidate:/g)).toHaveLength(2);
    });

    it('passes with the address that it has in its session part', () => {
      const named = sdp('a', { ...A_HOST, more: remoteCandidates(HOST_B) }, true);
      expect(placeIn(rig.offer(named, { 'to-tag': 'B' }))).toBe(HOST_A);
      expect(placeIn(rig.answer(sdp('b', B_HOST, true)))).toBe(HOST_B);
    });

    it('passes with a=rtcp as it is', () => {
      const more = [...remoteCandidates(HOST_B), 'rtcp:40001 IN IP4 192.168.1.10'];
      const offered = rig.offer(sdp('a', { ...A_HOST, more }), { 'to-tag': 'B' });
      rig.answer(sdp('b', B_HOST));
      expect(offered).toContain('a=rtcp:40001 IN IP4 192.168.1.10\r\n');
    });

    it('passes with a peer-reflexive address: the other end is one that knows it', () => {
      const reflexive = '203.0.113.2 61000';
      const named = { ...A_BEFORE, at: reflexive, candidates: [`${reflexive} typ prflx`] };
      const relayed = '198.51.100.10 50001';
      const answer = { ...B_BEFORE, at: relayed, candidates: [`${relayed} typ relay`] };
      expect(exchange({ ...named, more: remoteCandidates(relayed) }, answer)).toEqual([reflexive, relayed]);
    });

    it('gets our address where it names ours', () => {
      const named = { ...A_HOST, more: remoteCandidates(`${OUR_OUTER} ${toldA}`) };
      expect(exchange(named, B_HOST)).toEqual(ours());
    });

    it('from the callee passes too', () => {
      const offered = rig.offerBack(sdp('b', { ...B_HOST, more: remoteCandidates(HOST_A) }));
      expect([placeIn(offered), placeIn(rig.answerBack(sdp('a', A_HOST)))]).toEqual([HOST_B, HOST_A]);
    });

    it('and is not accepted leaves all as it was', () => {
      rig.offer(sdp('a', { ...A_HOST, more: remoteCandidates(HOST_B) }), { 'to-tag': 'B' });
      expect(exchange(A_HOST, B_HOST)).toEqual(ours());
    });
  });

  describe('an offer that names all the candidates it knows of', () => {
    const all = (): string[] => remoteCandidates(HOST_B, SRFLX_B, `${OUR_OUTER} ${toldA}`);

    it('passes with a listed address, as does its answer', () => {
      expect(exchange({ ...A_HOST, more: all() }, B_HOST)).toEqual([HOST_A, HOST_B]);
    });

    it('gets our address for a peer-reflexive one, which only one peer can reach', () => {
      const reflexive = '203.0.113.2 61000';
      const candidates = [...A_BEFORE.candidates, `${reflexive} typ prflx`];
      const offer = { at: reflexive, candidates, more: all() };
      expect(exchange(offer, B_HOST)).toEqual([ours()[0], HOST_B]);
    });

    it('gets our address for a peer-reflexive one in the answer', () => {
      const reflexive = '203.0.113.6 62000';
      const candidates = [...B_BEFORE.candidates, `${reflexive} typ prflx`];
      expect(exchange({ ...A_HOST, more: all() }, { at: reflexive, candidates })).toEqual([
        HOST_A,
        ours()[1],
      ]);
    });

    it('gets our address for one that it does not list', () => {
      expect(exchange({ ...A_BEFORE, at: '203.0.113.2 61000', more: all() }, B_HOST)[0]).toBe(ours()[0]);
    });

    it('gets our address when it was ours that was nominated', () => {
      nominateOurs();
      expect(exchange({ ...A_HOST, more: all() }, B_HOST)).toEqual(ours());
    });

    it('passes after a restart in which another was nominated', () => {
      nominateOurs();
      const [a, b] = [
        { ...A_HOST, ufrag: 'c' },
        { ...B_HOST, ufrag: 'd' },
      ];
      expect(exchange(a, b)).toEqual(ours());
      expect(exchange({ ...a, more: all() }, b)).toEqual([HOST_A, HOST_B]);
    });

    /** A check of A with USE-CANDIDATE on the candidate that it was lent. */
    function nominateOurs(): void {
      const transactionId = Buffer.alloc(12, 7);
      const attributes = [username('bbbb:aaaa'), priority, controlling, useCandidate];
      const integrity = { algorithm: 'sha1', key: Buffer.from(PASSWORD_B) } as const;
      const check = encode({ method: BINDING, kind: REQUEST, transactionId, attributes }, { integrity });
      let answers = 0;
      const owner = { receive: () => void answers++ };
      const phone = rig.network.bind({ address: '203.0.113.2', port: 40_000 }, owner);
      if (!phone) throw new Error('the port is taken');
      rig.network.send(phone, check, { address: OUR_OUTER, port: toldA });
      rig.network.run(1000);
      rig.network.unbind(phone);
      expect(answers).toBe(1);
    }
  });

  describe('once media has left', () => {
    beforeEach(() => {
      exchange({ ...A_HOST, more: remoteCandidates(HOST_B) }, B_HOST);
    });

    it('an offer that tells nothing new passes with its addresses', () => {
      const onHold = { ...A_HOST, more: ['sendonly'] };
      expect(exchange(onHold, { ...B_HOST, more: ['recvonly'] })).toEqual([HOST_A, HOST_B]);
    });

    it('so does one from the other side', () => {
      expect(placeIn(rig.offerBack(sdp('b', B_HOST)))).toBe(HOST_B);
      expect(placeIn(rig.answerBack(sdp('a', A_HOST)))).toBe(HOST_A);
    });

    it('an ICE restart begins with us again', () => {
      const restarted = exchange({ ...A_BEFORE, ufrag: 'c' }, { ...B_BEFORE, ufrag: 'd' });
      expect(restarted).toEqual(ours());
    });
  });
});

describe('a call that passed, and ends here for a while,', () => {
  beforeEach(() => {
    callBetween({ icePassthrough: true });
    exchange({ ...A_HOST, more: remoteCandidates(HOST_B) }, B_HOST);
  });

  it('does not go on where it was', () => {
    const before = { 'to-tag': 'B', ICE: 'remove' };
    const offered = rig.offer(sdp('a', A_HOST), before);
    const [tag = '1'] = offered.match(/(?<=a=crypto:)\d+(?= AES_CM_128_HMAC_SHA1_80)/) ?? [];
    const plain = sdp('b', B_HOST).replace('a=crypto:1 ', `a=crypto:${tag} `);
    expect([placeIn(offered), placeIn(rig.answer(plain))]).toEqual(ours());
    expect(exchange(A_HOST, B_HOST)).toEqual(ours());
  });
});
