/** ICE passthrough in SDP: what goes from end to end byte for byte, what is ours, and when it is an ordinary call. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readIceSdp } from '../../lab/phone/ice-sdp.ts';
import type { NgDictionary } from '../../src/b2bua/ng-request.ts';
import type { ZoneSettings } from '../../src/b2bua/settings.ts';
import { EXTERNAL, INTERNAL } from '../kit/b2bua-node.ts';
import {
  audio,
  CM_80,
  crlf,
  crypto,
  keyOf,
  keysIn,
  mediaLines,
  portsIn,
  SignallingRig,
  sdpOf,
} from '../unit/b2bua/signalling-rig.ts';

const A = '203.0.113.10';
const B = '10.0.0.20';
const OUR_OUTER = EXTERNAL.addresses[0] ?? '';
const OUR_INNER = INTERNAL.addresses[0] ?? '';

const UFRAG_A = 'ice-ufrag:8hhY';
const PWD_A = 'ice-pwd:asd88fgpdd777uzjYhagZg';
const UFRAG_B = 'ice-ufrag:9uB6';
const PWD_B = 'ice-pwd:YH75Fviy6338Vbrhrlp8Yh';
const HOST_A = 'candidate:1 1 UDP 2130706431 192.168.1.10 40000 typ host';
const SRFLX_A = 'candidate:2 1 UDP 1694498815 203.0.113.10 40000 typ srflx raddr 192.168.1.10 rport 40000';
/** The lowest priority that RFC 8445 §5.1.2.1 gives in practice: type and local preference 0. */
const RELAY_A = 'candidate:3 1 UDP 255 198.51.100.77 24000 typ relay raddr 203.0.113.10 rport 40000';
const HOST_B = 'candidate:1 1 UDP 2130706431 10.0.0.20 40000 typ host';
const KEY_A = crypto(1, CM_80, 'a');
const KEY_B = crypto(1, CM_80, 'b');

const ICE_A = [KEY_A, UFRAG_A, PWD_A, HOST_A, SRFLX_A, RELAY_A];
const ICE_B = [KEY_B, UFRAG_B, PWD_B, HOST_B];
const MUX = 'rtcp-mux';

let rig: SignallingRig;
beforeEach(() => {
  rig = rigWith();
});
afterEach(() => expect(rig.end()).toEqual([]));

function rigWith(outer: Partial<ZoneSettings> = {}, inner: Partial<ZoneSettings> = {}): SignallingRig {
  const on = { icePassthrough: true };
  const zones = [
    { ...EXTERNAL, ...on, ...outer, addresses: [OUR_OUTER, '2001:db8::1'] },
    { ...INTERNAL, ...on, ...inner, addresses: [OUR_INNER] },
  ];
  return new SignallingRig({ zones });
}

function offerOf(...attributes: readonly string[]): string {
  return sdpOf(A, audio('RTP/SAVP', ...attributes));
}

function answerOf(...attributes: readonly string[]): string {
  return sdpOf(B, audio('RTP/SAVP', ...attributes));
}

/** `crypto:…` of B for what it was offered, or none. */
function keyOfB(offered: string, seed = 'b'): string[] {
  const [tag] = offered.match(new RegExp(`(?<=a=crypto:)\\d+(?= ${CM_80})`)) ?? [];
  return tag === undefined ? [] : [crypto(Number(tag), CM_80, seed)];
}

/** What was taken out of an SDP, and what was put in; order is what it was. */
function edits(before: string, after: string): { out: string[]; in: string[] } {
  const [old, fresh] = [before, after].map((text) => text.split('\r\n'));
  const out = (old ?? []).filter((line) => !fresh?.includes(line));
  const added = (fresh ?? []).filter((line) => !old?.includes(line));
  const [keptBefore, keptAfter] = [old, fresh].map((lines) =>
    lines?.filter((line) => !out.includes(line) && !added.includes(line)),
  );
  expect(keptAfter).toEqual(keptBefore);
  return { out, in: added };
}

function lent(component: 1 | 2, address: string, port: number): string {
  const zero = address.includes(':') ? '::' : '0.0.0.0';
  return `a=candidate:causeway ${component} UDP ${3 - component} ${address} ${port} typ relay raddr ${zero} rport 9`;
}

describe('an offer and its answer', () => {
  it('go on byte for byte but for where we listen, and one candidate more', () => {
    const extras = ['ice-options:ice2 rtp+ecn', 'end-of-candidates', 'x-unknown:1', MUX];
    const offer = offerOf(...ICE_A, ...extras);
    const offered = rig.offer(offer);
    const [port = 0] = portsIn(offered);
    expect(edits(offer, offered)).toEqual({
      out: [`c=IN IP4 ${A}`, 'm=audio 40000 RTP/SAVP 0 101'],
      in: [`c=IN IP4 ${OUR_INNER}`, `m=audio ${port} RTP/SAVP 0 101`, lent(1, OUR_INNER, port)],
    });
    const answer = answerOf(...ICE_B, ...extras);
    const answered = rig.answer(answer);
    const [back = 0] = portsIn(answered);
    expect(edits(answer, answered)).toEqual({
      out: [`c=IN IP4 ${B}`, 'm=audio 40000 RTP/SAVP 0 101'],
      in: [`c=IN IP4 ${OUR_OUTER}`, `m=audio ${back} RTP/SAVP 0 101`, lent(1, OUR_OUTER, back)],
    });
  });

  it('keep what stands at session level', () => {
    const session = ['a=ice-options:ice2', `a=${UFRAG_A}`, `a=${PWD_A}`, 'a=ice-pacing:50'];
    const offer = crlf(
      ['v=0', `o=phone 7 1 IN IP4 ${A}`, 's=-', `c=IN IP4 ${A}`, 't=0 0', ...session],
      audio('RTP/SAVP', KEY_A, HOST_A, MUX),
    );
    const { out } = edits(offer, rig.offer(offer));
    expect(out).toEqual([`c=IN IP4 ${A}`, 'm=audio 40000 RTP/SAVP 0 101']);
  });

  it('have our port for RTCP too, where it has one of its own', () => {
    const second = 'candidate:1 2 UDP 2130706430 192.168.1.10 40001 typ host';
    const offer = offerOf(...ICE_A, second, `rtcp:40001 IN IP4 ${A}`);
    const offered = rig.offer(offer);
    const [port = 0] = portsIn(offered);
    expect(edits(offer, offered).in).toEqual([
      `c=IN IP4 ${OUR_INNER}`,
      `m=audio ${port} RTP/SAVP 0 101`,
      lent(1, OUR_INNER, port),
      lent(2, OUR_INNER, port + 1),
      `a=rtcp:${port + 1} IN IP4 ${OUR_INNER}`,
    ]);
  });

  it('have a lent candidate below every other, and one of RTCP below that of RTP', () => {
    const lowest = 'candidate:4 2 UDP 254 198.51.100.77 24001 typ relay raddr 203.0.113.10 rport 40001';
    const { candidates } = readIceSdp(rig.offer(offerOf(...ICE_A, lowest)));
    const priorities = (isOurs: boolean): number[] =>
      candidates
        .filter(({ place }) => (place.address === OUR_INNER) === isOurs)
        .map(({ priority }) => priority);
    expect(Math.max(...priorities(true))).toBeLessThan(Math.min(...priorities(false)));
    expect(priorities(true)).toEqual([2, 1]);
  });

  it('keep the fingerprint, setup and protocol of DTLS-SRTP', () => {
    const dtls = ['fingerprint:sha-256 AA:BB', 'setup:actpass', MUX];
    const offer = sdpOf(A, audio('UDP/TLS/RTP/SAVPF', UFRAG_A, PWD_A, HOST_A, ...dtls));
    expect(edits(offer, rig.offer(offer)).out).toEqual([
      `c=IN IP4 ${A}`,
      'm=audio 40000 UDP/TLS/RTP/SAVPF 0 101',
    ]);
    const answer = sdpOf(
      B,
      audio('UDP/TLS/RTP/SAVPF', UFRAG_B, PWD_B, HOST_B, 'fingerprint:sha-256 CC', 'setup:active', MUX),
    );
    expect(edits(answer, rig.answer(answer)).out).toHaveLength(2);
  });

  it('keep names that hide addresses, and those of other families and transports', () => {
    const others = [
      'candidate:1 1 UDP 2122260223 6b1f3a7e-1f3c-4b6e-9a51-2c1d7f0e8a11.local 40000 typ host',
      'candidate:2 1 udp 2122262783 2001:db8:7::1 40000 typ host',
      'candidate:3 1 TCP 1518280447 192.168.1.10 9 typ host tcptype active',
      'candidate:4 1 UDP 1 host.example.org 40000 typ wormhole generation 0',
    ];
    const offer = offerOf(KEY_A, UFRAG_A, PWD_A, MUX, ...others);
    expect(edits(offer, rig.offer(offer)).out).toHaveLength(2);
  });

  it('may be of an IPv6 side: it is lent a candidate of its family', () => {
    const six = '2001:db8:7::10';
    const offer = sdpOf(six, audio('RTP/SAVP', KEY_A, UFRAG_A, PWD_A, MUX, HOST_A));
    const [port = 0] = portsIn(rig.offer(offer));
    expect(port).toBeGreaterThan(0);
    const answered = rig.answer(answerOf(...ICE_B, MUX));
    const [back = 0] = portsIn(answered);
    expect(answered).toContain(`c=IN IP6 2001:db8::1\r\n`);
    expect(answered).toContain(`${lent(1, '2001:db8::1', back)}\r\n`);
  });

  it('of one who trickles has our address at once, and his candidates when they come', () => {
    const trickling = ['ice-options:trickle ice2', MUX];
    const first = crlf(
      ['v=0', `o=phone 7 1 IN IP4 ${A}`, 's=-', 't=0 0', 'm=audio 9 RTP/SAVP 0', 'c=IN IP4 0.0.0.0'],
      [KEY_A, UFRAG_A, PWD_A, ...trickling].map((attribute) => `a=${attribute}`),
    );
    const offered = rig.offer(first);
    const [port = 0] = portsIn(offered);
    expect(offered).toContain(`c=IN IP4 ${OUR_INNER}\r\n`);
    expect(offered).toContain(lent(1, OUR_INNER, port));
    rig.answer(answerOf(KEY_B, UFRAG_B, PWD_B, ...trickling));
    const later = offerOf(...ICE_A, ...trickling, 'end-of-candidates');
    const again = rig.offer(later, { 'to-tag': 'B' });
    for (const candidate of [HOST_A, SRFLX_A, RELAY_A]) expect(again).toContain(`a=${candidate}\r\n`);
    expect(portsIn(again)).toEqual([port]);
  });
});

describe('several lines', () => {
  const video = (...attributes: string[]): string[] => [
    'm=video 40002 RTP/SAVP 96',
    ...attributes.map((attribute) => `a=${attribute}`),
  ];
  const VIDEO_A = crypto(1, CM_80, 'av');
  const HOST_AV = 'candidate:1 1 UDP 2130706431 192.168.1.10 40002 typ host';

  it('are lent a candidate each, and stay in their BUNDLE group', () => {
    const session = ['v=0', `o=phone 7 1 IN IP4 ${A}`, 's=-', `c=IN IP4 ${A}`, 't=0 0', 'a=group:BUNDLE 0 1'];
    const offer = crlf(
      session,
      audio('RTP/SAVP', ...ICE_A, MUX, 'mid:0'),
      video(VIDEO_A, UFRAG_A, PWD_A, HOST_AV, MUX, 'mid:1'),
    );
    const offered = rig.offer(offer);
    const ports = portsIn(offered);
    expect(new Set(ports).size).toBe(2);
    const { out, in: added } = edits(offer, offered);
    expect(out).toEqual([`c=IN IP4 ${A}`, 'm=audio 40000 RTP/SAVP 0 101', 'm=video 40002 RTP/SAVP 96']);
    expect(added.filter((line) => line.startsWith('a='))).toEqual(
      ports.map((port) => lent(1, OUR_INNER, port)),
    );
  });

  it('pass or not, each as it is: one without ICE is ours, with its own keys', () => {
    const offer = sdpOf(A, audio('RTP/SAVP', ...ICE_A, MUX), video(VIDEO_A));
    const offered = rig.offer(offer);
    expect(keysIn(offered).slice(0, 1)).toEqual([keyOf(CM_80, 'a')]);
    expect(keysIn(offered)).not.toContain(keyOf(CM_80, 'av'));
    const [, ofVideo = ''] = offered.split('m=video');
    const answer = sdpOf(B, audio('RTP/SAVP', ...ICE_B, MUX), video(...keyOfB(ofVideo, 'bv')));
    const answered = rig.answer(answer);
    expect(keysIn(answered)[0]).toBe(keyOf(CM_80, 'b'));
    expect(keysIn(answered)[1]).not.toBe(keyOf(CM_80, 'bv'));
  });

  it('of which one is refused go on with the other', () => {
    rig.offer(sdpOf(A, audio('RTP/SAVP', ...ICE_A, MUX), video(VIDEO_A, UFRAG_A, PWD_A, HOST_AV, MUX)));
    const answered = rig.answer(sdpOf(B, audio('RTP/SAVP', ...ICE_B, MUX), ['m=video 0 RTP/SAVP 96']));
    expect(keysIn(answered)).toEqual([keyOf(CM_80, 'b')]);
    expect(portsIn(answered)[1]).toBe(0);
  });
});

describe('the remote candidates of an updated offer', () => {
  /** A call in force; the ports that A was told, and B. */
  function established(...more: string[]): { toA: number; toB: number } {
    const [toB = 0] = portsIn(rig.offer(offerOf(...ICE_A, ...more)));
    const [toA = 0] = portsIn(rig.answer(answerOf(...ICE_B, ...more)));
    return { toA, toB };
  }

  function remoteCandidatesOffered(value: string, ...more: string[]): string[] {
    const offered = rig.offer(offerOf(...ICE_A, ...more, `remote-candidates:${value}`), { 'to-tag': 'B' });
    rig.answer(answerOf(...ICE_B, ...more));
    return [...readIceSdp(offered).remoteCandidates];
  }

  it('pass as they are', () => {
    established(MUX);
    expect(remoteCandidatesOffered('1 10.0.0.20 40000', MUX)).toEqual(['1 10.0.0.20 40000']);
  });

  it('of an answerer are those of its own where ours were meant, each component', () => {
    const { toA } = established();
    const value = `1 ${OUR_OUTER} ${toA} 2 ${OUR_OUTER} ${toA + 1}`;
    expect(remoteCandidatesOffered(value)).toEqual(['1 10.0.0.20 40000', '2 10.0.0.20 40001']);
  });

  it('of several keep the others beside ours', () => {
    const { toA } = established(MUX);
    const value = `1 10.9.9.9 5 1 ${OUR_OUTER} ${toA}`;
    expect(remoteCandidatesOffered(value, MUX)).toEqual(['1 10.9.9.9 5', '1 10.0.0.20 40000']);
  });

  it('are translated towards the caller too', () => {
    const { toB } = established(MUX);
    const update = answerOf(...ICE_B, MUX, `remote-candidates:1 ${OUR_INNER} ${toB}`);
    expect(readIceSdp(rig.offerBack(update)).remoteCandidates).toEqual([`1 ${A} 40000`]);
    rig.answerBack(offerOf(...ICE_A, MUX));
  });

  it.each(['1', '1 nonsense', '1 10.0.0.20 99999'])('that are malformed pass as they are: "%s"', (value) => {
    established(MUX);
    const offered = rig.offer(offerOf(...ICE_A, MUX, `remote-candidates:${value}`), { 'to-tag': 'B' });
    expect(offered).toContain(`a=remote-candidates:${value}\r\n`);
    rig.answer(answerOf(...ICE_B, MUX));
  });
});

describe('keys and candidates are dropped', () => {
  const CASES: readonly (readonly [string, Partial<ZoneSettings>, Partial<ZoneSettings>, NgDictionary])[] = [
    ['where the zone of the caller has no passthrough', { icePassthrough: false }, {}, {}],
    ['where that of the callee has none', {}, { icePassthrough: false }, {}],
    ['where the signalling outside is not TLS', { isSignallingEncrypted: false }, {}, {}],
    ['where the signalling inside is not TLS', {}, { isSignallingEncrypted: false }, {}],
    ['where the other zone has no encryption', {}, { mediaEncryption: 'off' }, {}],
    ['where the proxy removes ICE', {}, {}, { ICE: 'remove' }],
    ['where the proxy forces ours', {}, {}, { ICE: 'force' }],
    ['where the proxy wants another transport', {}, {}, { 'transport-protocol': 'RTP/AVP' }],
  ];

  it.each(CASES)('%s', (_, outer, inner, flags) => {
    rig = rigWith(outer, inner);
    const offered = rig.offer(offerOf(...ICE_A, 'ice-options:ice2', MUX), flags);
    for (const theirs of [keyOf(CM_80, 'a'), UFRAG_A, PWD_A, '192.168.1.10', '198.51.100.77', 'ice2']) {
      expect(offered).not.toContain(theirs);
    }
    const isSecure = offered.includes('RTP/SAVP');
    const answered = rig.answer(
      sdpOf(B, audio(isSecure ? 'RTP/SAVP' : 'RTP/AVP', ...keyOfB(offered), UFRAG_B, PWD_B, HOST_B, MUX)),
    );
    for (const theirs of [keyOf(CM_80, 'b'), UFRAG_B, PWD_B, HOST_B]) expect(answered).not.toContain(theirs);
    expect(keysIn(answered)).toHaveLength(1);
  });

  it('but not where the proxy asks for passthrough itself, and both signallings are TLS', () => {
    rig = rigWith({ icePassthrough: false }, { icePassthrough: false });
    expect(rig.offer(offerOf(...ICE_A, MUX), { ICE: 'passthrough' })).toContain(`a=${SRFLX_A}\r\n`);
    rig.answer(answerOf(...ICE_B, MUX));
  });

  it.each([{ isSignallingEncrypted: false }, { mediaEncryption: 'off' as const }])(
    'though the proxy asks for passthrough, with %j',
    (change) => {
      rig = rigWith({}, change);
      expect(rig.offer(offerOf(...ICE_A, MUX), { ICE: 'passthrough' })).not.toContain(keyOf(CM_80, 'a'));
    },
  );
});

describe('passthrough and ICE support together', () => {
  it('pass through', () => {
    rig = rigWith({ ice: true }, { ice: true });
    const offered = rig.offer(offerOf(...ICE_A, MUX));
    expect(offered).toContain(`a=${UFRAG_A}\r\n`);
    expect(offered).not.toContain('a=ice-lite');
    const answered = rig.answer(answerOf(...ICE_B, MUX));
    expect(answered).toContain(`a=${UFRAG_B}\r\n`);
    expect(answered).not.toContain('a=ice-lite');
  });

  it('have the B2BUA as ICE peer where nothing may pass', () => {
    rig = rigWith({ ice: true }, { ice: true, isSignallingEncrypted: false });
    const offered = rig.offer(offerOf(...ICE_A, MUX));
    expect(offered).not.toContain(UFRAG_A);
    expect(offered).toContain('a=ice-lite');
    expect(mediaLines(offered)).toContainEqual(expect.stringMatching(/ P1 typ host$/));
    const answered = rig.answer(answerOf(...keyOfB(offered), UFRAG_B, PWD_B, HOST_B, MUX));
    expect(answered).not.toContain(UFRAG_B);
    expect(answered).toContain('a=ice-lite');
  });

  it('have it for an offer that has no ICE, too', () => {
    rig = rigWith({ ice: true }, { ice: true });
    const offered = rig.offer(offerOf(KEY_A));
    expect(offered).toContain('a=ice-lite');
    const answered = rig.answer(answerOf(...keyOfB(offered), UFRAG_B, PWD_B, HOST_B));
    expect(answered).not.toMatch(/a=(ice|candidate)/);
  });
});

describe('lines of a BUNDLE group', () => {
  const DTLS = ['fingerprint:sha-256 AA', 'setup:actpass', MUX];
  const sections = (address: string, audioLine: readonly string[], videoLine: readonly string[]): string =>
    crlf(
      ['v=0', `o=phone 7 1 IN IP4 ${address}`, 's=-', `c=IN IP4 ${address}`, 't=0 0', 'a=group:BUNDLE 0 1'],
      audioLine,
      videoLine,
    );
  const audioOf = (...attributes: string[]): string[] =>
    audio('UDP/TLS/RTP/SAVPF', 'mid:0', ...DTLS, ...attributes);
  const videoOf = (port: number, ...attributes: string[]): string[] =>
    [`m=video ${port} UDP/TLS/RTP/SAVPF 96`, 'a=mid:1', ...DTLS.map((one) => `a=${one}`)].concat(
      attributes.map((one) => `a=${one}`),
    );
  const ICE_OF_A = [UFRAG_A, PWD_A, HOST_A];
  const ICE_OF_B = [UFRAG_B, PWD_B, HOST_B];

  it.each([
    ['each tells of ICE', 40_002, ICE_OF_A, ICE_OF_B],
    ['only the first tells of candidates', 40_002, ICE_OF_A.slice(0, 2), ICE_OF_B.slice(0, 2)],
    ['only the first tells of ICE', 40_002, [], []],
    ['the second has no port without the first', 0, ['bundle-only', UFRAG_A, PWD_A], []],
  ])('pass together, where %s', (_, port, ofOffer, ofAnswer) => {
    const offer = sections(A, audioOf(...ICE_OF_A), videoOf(port, ...ofOffer));
    const offered = rig.offer(offer);
    const outOfOffer = edits(offer, offered).out;
    expect(outOfOffer.filter((line) => line.startsWith('a='))).toEqual([]);
    const answer = sections(B, audioOf(...ICE_OF_B), videoOf(40_000, ...ofAnswer));
    const answered = rig.answer(answer);
    expect(edits(answer, answered).out.filter((line) => line.startsWith('a='))).toEqual([]);
    expect(Math.min(...portsIn(answered))).toBeGreaterThan(0);
    const again = rig.offer(sections(A, audioOf(...ICE_OF_A), videoOf(40_000)), { 'to-tag': 'B' });
    expect(Math.min(...portsIn(again))).toBeGreaterThan(0);
    rig.answer(answer);
  });

  it('of which one cannot be without the other is refused by one who does not bundle', () => {
    rig.offer(sections(A, audioOf(...ICE_OF_A), videoOf(0, 'bundle-only', UFRAG_A, PWD_A)));
    const answer = sections(B, audioOf(...ICE_OF_B), videoOf(40_002, ...ICE_OF_B));
    const answered = rig.answer(answer.replace('a=group:BUNDLE 0 1\r\n', ''));
    expect(portsIn(answered)[1]).toBe(0);
  });
});
