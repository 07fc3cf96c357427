/** Which address a side is given, and what its zone lets pass. */
import { afterEach, describe, expect, it } from 'vitest';
import { EXTERNAL, INTERNAL, type NodeOptions } from '../../kit/b2bua-node.ts';
import {
  audio,
  CM_80,
  crlf,
  crypto,
  keyOf,
  mediaLines,
  named,
  SignallingRig,
  sdpOf,
} from './signalling-rig.ts';

const OFFER = sdpOf('192.0.2.1', audio());

let rig: SignallingRig;
afterEach(() => expect(rig.end()).toEqual([]));

function start(options: NodeOptions = {}): SignallingRig {
  rig = new SignallingRig(options);
  return rig;
}

/** Of the session's c= line. */
function addressIn(sdp: string): string | undefined {
  return /^c=(.*)\r$/m.exec(sdp)?.[1];
}

describe('direction', () => {
  /** [direction, address towards B, towards A] */
  const cases: readonly (readonly [readonly string[], string, string])[] = [
    [['external', 'internal'], '10.0.0.1', '198.51.100.1'],
    [['internal', 'external'], '198.51.100.1', '10.0.0.1'],
    [['internal', 'internal'], '10.0.0.1', '10.0.0.1'],
    [['1', '2'], '10.0.0.1', '198.51.100.1'], // by id
    [[], '198.51.100.1', '198.51.100.1'], // the first zone
    [['internal'], '198.51.100.1', '198.51.100.1'], // half a direction is none
  ];
  it.each(cases)('%j gives B %s and A %s', (direction, towardsB, towardsA) => {
    start();
    expect(addressIn(rig.offer(OFFER, { direction }))).toBe(`IN IP4 ${towardsB}`);
    expect(addressIn(rig.answer(OFFER))).toBe(`IN IP4 ${towardsA}`);
  });

  it('that names no zone is an error, unless there are none', () => {
    start();
    expect(rig.refusedOffer(OFFER, { direction: ['external', 'dmz'] })).toBe(
      'Unknown zone in direction: dmz',
    );
    expect(rig.refusedOffer(OFFER, { direction: ['pub', 'internal'] })).toBe(
      'Unknown zone in direction: pub',
    );
    expect(rig.node.held()).toEqual([]);
    start({ settings: { anyDirection: true } });
    expect(addressIn(rig.offer(OFFER, { direction: ['pub', 'corp'] }))).toBe('IN IP4 198.51.100.1');
  });

  it('in an answer means nothing', () => {
    start();
    rig.offer(OFFER);
    expect(addressIn(rig.answer(OFFER, { direction: ['x', 'y'] }))).toBe('IN IP4 198.51.100.1');
  });
});

describe('the family of addresses', () => {
  const both = [
    { name: 'external', addresses: ['198.51.100.1', '2001:db8::1'] },
    { name: 'internal', addresses: ['10.0.0.1', 'fd00::1'] },
  ];
  const OFFER_6 = sdpOf('2001:db8:f::9', audio());

  it('is that of the side: of the SDP it sent, and of the other side’s unless another is asked for', () => {
    start({ zones: both });
    expect(addressIn(rig.offer(OFFER_6))).toBe('IN IP6 fd00::1');
    expect(addressIn(rig.answer(OFFER_6))).toBe('IN IP6 2001:db8::1');
  });

  it('is changed between the sides by address-family', () => {
    start({ zones: both });
    expect(addressIn(rig.offer(OFFER_6, { 'address-family': 'IP4' }))).toBe('IN IP4 10.0.0.1');
    expect(addressIn(rig.answer(sdpOf('10.0.0.20', audio())))).toBe('IN IP6 2001:db8::1');
    start({ zones: both });
    expect(addressIn(rig.offer(OFFER, { 'address-family': 'IP6' }))).toBe('IN IP6 fd00::1');
    expect(addressIn(rig.answer(sdpOf('fd00::20', audio())))).toBe('IN IP4 198.51.100.1');
    expect(addressIn(rig.offer(OFFER, { 'to-tag': 'B', 'address-family': 'IP6' }))).toBe('IN IP6 fd00::1');
  });

  it('is the zone’s own where it has but one', () => {
    start({ zones: [{ ...EXTERNAL, addresses: ['2001:db8::1'] }, INTERNAL] });
    const sdp = sdpOf('2001:db8:f::9', [...audio(), 'a=rtcp:40001 IN IP6 2001:db8:f::9']);
    expect(named(rig.offer(sdp, { replace: ['origin'] }))).toBe(
      crlf(
        ['v=0', 'o=phone 7 1 IN IP4 10.0.0.1', 's=-', 'c=IN IP4 10.0.0.1', 't=0 0'],
        ['m=audio P1 RTP/AVP 0 101', 'a=rtcp:P1+1 IN IP4 10.0.0.1'],
      ),
    );
    expect(addressIn(rig.answer(OFFER))).toBe('IN IP6 2001:db8::1');
  });

  it('that the zone has not is an error', () => {
    start();
    expect(rig.refusedOffer(OFFER, { 'address-family': 'IP6' })).toBe('Zone internal has no IP6 address');
    expect(rig.node.held()).toEqual([]);
  });

  it('is that of the SIP message where its address is what counts', () => {
    start({ zones: both });
    rig.offer(OFFER, { flags: ['SIP-source-address'], 'received-from': ['IP6', '2001:db8:f::9'] });
    expect(addressIn(rig.answer(OFFER))).toBe('IN IP6 2001:db8::1');
    expect(rig.report().legs[0]?.lines[0]?.streams[0]?.remote).toBe('[2001:db8:f::9]:40000');
  });
});

describe('media-address', () => {
  it('is written in place of the zone’s, and kept for that side', () => {
    start();
    const sdp = rig.offer(OFFER, { 'media-address': '203.0.113.50', ICE: 'force', replace: ['origin'] });
    expect(addressIn(sdp)).toBe('IN IP4 203.0.113.50');
    expect(sdp).toContain('o=phone 7 1 IN IP4 203.0.113.50\r\n');
    expect(sdp).toMatch(/a=candidate:cb007132 1 UDP \d+ 203\.0\.113\.50 /);
    expect(addressIn(rig.answer(OFFER))).toBe('IN IP4 198.51.100.1');
    rig.offerBack(OFFER);
    expect(addressIn(rig.answerBack(OFFER))).toBe('IN IP4 203.0.113.50');
  });

  it('may be of the other family', () => {
    start();
    expect(addressIn(rig.offer(OFFER, { 'media-address': '2001:DB8:0::50' }))).toBe('IN IP6 2001:db8::50');
  });
});

describe('SIP-source-address', () => {
  it('takes the place of the addresses in the SDP, not of its ports', () => {
    start();
    const keys = { flags: ['SIP-source-address'], 'received-from': ['IP4', '203.0.113.7'] };
    rig.offer(sdpOf('192.168.1.2', audio('RTP/AVP', 'rtcp:40009 IN IP4 192.168.1.3')), keys);
    rig.answer(OFFER);
    const streams = rig.report().legs.map(({ lines }) => lines[0]?.streams.map(({ remote }) => remote));
    expect(streams).toEqual([
      ['203.0.113.7:40000', '203.0.113.7:40009'],
      ['192.0.2.1:40000', '192.0.2.1:40001'],
    ]);
  });

  it('without a source changes nothing', () => {
    start();
    rig.offer(OFFER, { flags: ['SIP-source-address'] });
    rig.answer(OFFER);
    expect(rig.report().legs[0]?.lines[0]?.streams[0]?.remote).toBe('192.0.2.1:40000');
  });
});

describe('filters', () => {
  const BFCP = ['m=application 5070 UDP/BFCP *', 'a=floorctrl:c-s'];
  const TLS_BFCP = ['m=application 5071 UDP/TLS/BFCP *', 'a=fingerprint:sha-1 00:11'];
  const IX = ['m=application 5080 UDP/UDT/IX *', 'a=ixmap:0 ping'];
  const IX_DTLS = ['m=application 5081 UDP/DTLS/UDT/IX *'];
  const SDP = sdpOf('192.0.2.1', audio(), BFCP, TLS_BFCP, IX, IX_DTLS);

  it('turn lines into disabled ones of a kind that everybody knows', () => {
    start({ zones: [EXTERNAL, { ...INTERNAL, bfcpFilter: true, ixFilter: true }] });
    expect(mediaLines(rig.offer(SDP))).toEqual([
      'm=audio P1 RTP/AVP 0 101',
      'm=application 0 TCP/BFCP *',
      'a=floorctrl:c-s',
      'm=application 0 TCP/BFCP *',
      'a=fingerprint:sha-1 00:11',
      'm=application 0 RTP/AVP 0',
      'a=ixmap:0 ping',
      'm=application 0 RTP/AVP 0',
    ]);
    expect(rig.node.counter('mediaPorts')).toBe(4);
  });

  it('are not seen in the answer', () => {
    start({ zones: [EXTERNAL, { ...INTERNAL, bfcpFilter: true, ixFilter: true }] });
    rig.offer(SDP);
    const zero = (protocol: string): string => `m=application 0 ${protocol}`;
    const answer = sdpOf(
      '10.0.0.20',
      audio(),
      ...['TCP/BFCP *', 'TCP/BFCP *', 'RTP/AVP 0', 'RTP/AVP 0'].map(zero),
    );
    expect(mediaLines(rig.answer(answer))).toEqual([
      'm=audio P1 RTP/AVP 0 101',
      ...['UDP/BFCP *', 'UDP/TLS/BFCP *', 'UDP/UDT/IX *', 'UDP/DTLS/UDT/IX *'].map(zero),
    ]);
  });

  it('concern what goes into their zone, not what comes from it', () => {
    start({ zones: [{ ...EXTERNAL, bfcpFilter: true, ixFilter: true }, INTERNAL] });
    expect(mediaLines(rig.offer(SDP)).filter((line) => line.startsWith('m='))).toEqual([
      'm=audio P1 RTP/AVP 0 101',
      'm=application P2 UDP/BFCP *',
      'm=application P3 UDP/TLS/BFCP *',
      'm=application P4 UDP/UDT/IX *',
      'm=application P5 UDP/DTLS/UDT/IX *',
    ]);
  });
});

describe('a call between zones that relay', () => {
  const RELAY: NodeOptions = {
    zones: [
      { ...EXTERNAL, media: 'relay' },
      { ...INTERNAL, media: 'relay' },
    ],
  };
  const LINES = [
    ['a=group:BUNDLE 0 1', 'a=fingerprint:sha-256 00:11', 'a=setup:actpass'],
    [...audio('UDP/TLS/RTP/SAVPF', 'rtcp-mux'), 'a=mid:0'],
    [...audio('RTP/SAVP', crypto(1, CM_80), 'rtcp:40001'), 'a=mid:1'],
    ['m=video 0 RTP/SAVP 96', 'a=bundle-only', `a=${crypto(1, CM_80)}`],
    ['m=application 5070 UDP/BFCP *'],
  ];

  /** What becomes of an SDP with these lines that the phone at `phone` sends, once it has passed `ours`. */
  function passed(phone: string, ours: string): string {
    const changed: readonly (readonly [string, string])[] = [
      ['audio 40000', 'audio P1'],
      ['audio 40000', 'audio P2'],
      ['rtcp:40001', 'rtcp:P2+1'],
      ['application 5070', 'application P3'],
      [keyOf(CM_80), 'K1'],
      [`c=IN IP4 ${phone}`, `c=IN IP4 ${ours}`],
    ];
    return changed.reduce((text, [from, to]) => text.replace(from, to), sdpOf(phone, ...LINES));
  }

  it('has nothing changed but addresses and ports: keys, DTLS and bundles pass', () => {
    start(RELAY);
    const sdp = rig.offer(sdpOf('192.0.2.1', ...LINES), { ICE: 'remove', 'transport-protocol': 'RTP/AVP' });
    const repeated = (text: string): string => text.replaceAll(keyOf(CM_80), 'K1'); // also on the refused line
    expect(named(sdp)).toBe(repeated(passed('192.0.2.1', '10.0.0.1')));
    const answer = rig.answer(sdpOf('10.0.0.20', ...LINES));
    expect(named(answer)).toBe(repeated(passed('10.0.0.20', '198.51.100.1')));
    expect(rig.report().isRelayed).toBe(true);
  });

  it('obeys what both zones force', () => {
    start({
      zones: [
        { ...EXTERNAL, media: 'relay' },
        { ...INTERNAL, media: 'relay', mediaEncryption: 'force' },
      ],
    });
    expect(rig.refusedOffer(OFFER)).toBe(
      'Zone internal forces encrypted media: line 1 (audio RTP/AVP) offers none',
    );
  });

  it('is relayed until another branch, which leads elsewhere, has answered', () => {
    const [external, internal] = [
      { ...EXTERNAL, media: 'relay' as const },
      { ...INTERNAL, media: 'relay' as const },
    ];
    start({ zones: [external, internal, { name: 'inside', addresses: ['10.9.0.1'] }] });
    rig.offer(OFFER);
    rig.answer(sdpOf('10.0.0.20', audio()));
    const before = rig.running();
    rig.offer(OFFER, { direction: ['external', 'inside'] });
    expect(rig.report().isRelayed).toBe(true);
    expect(rig.running().slice(0, 2)).toEqual(before);
    rig.answer(sdpOf('10.9.0.20', audio()), { 'to-tag': 'C' });
    expect(rig.report().isRelayed).toBe(false);
  });

  it('is none where only one of them does', () => {
    start({ zones: [{ ...EXTERNAL, media: 'relay' }, INTERNAL] });
    expect(rig.offer(sdpOf('192.0.2.1', audio('RTP/SAVP', crypto(1, CM_80))))).not.toContain(keyOf(CM_80));
    rig.answer(sdpOf('10.0.0.20', audio('RTP/SAVP', crypto(3, CM_80))));
    expect(rig.report().isRelayed).toBe(false);
  });
});
