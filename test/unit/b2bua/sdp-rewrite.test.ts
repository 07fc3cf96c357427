/** Every line of an SDP that is ours to change, and that no other changes. */
import { afterEach, describe, expect, it } from 'vitest';
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

let rig: SignallingRig;
afterEach(() => expect(rig.end()).toEqual([]));

function offered(sdp: string, keys = {}): string {
  rig = new SignallingRig();
  return rig.offer(sdp, keys);
}

/** An SDP with lines and spacing that nobody has to understand. */
const ODD: readonly string[] = [
  'v=0',
  'o=alice 2890844526 2890842807 IN IP4 192.0.2.10',
  's=Call  with   spaces ',
  'i=information',
  'u=http://example.org/',
  'c=IN IP4 192.0.2.10',
  'b=AS:384',
  'b=X-YZ:128',
  't=0 0',
  'a=tool:phone 1.0',
  'a=x-session',
  'm=audio 40000  RTP/AVP 0 8   101',
  'i=sound',
  'b=TIAS:64000',
  'a=rtpmap:101 telephone-event/8000',
  'a=fmtp:101 0-16 ',
  'a=sendrecv',
  'a=ssrc:1 cname:\u00e4\u00ff',
  'a=x-vendor: keep  me',
];

describe('lines that are not ours', () => {
  it('come out byte for byte and in order, round those that are', () => {
    const expected = ODD.map((line) =>
      line.replace('c=IN IP4 192.0.2.10', 'c=IN IP4 10.0.0.1').replace('m=audio 40000', 'm=audio P1'),
    );
    expect(named(offered(crlf(ODD)))).toBe(crlf(expected));
  });

  it('keep line ends of LF alone, and a last line without any', () => {
    const sdp =
      'v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\nm=audio 40000 RTP/AVP 0\na=ptime:20';
    const port = /m=audio (\d+)/.exec(offered(sdp))?.[1] ?? '';
    expect(rig.offer(sdp)).toBe(
      sdp.replace('c=IN IP4 192.0.2.1', 'c=IN IP4 10.0.0.1').replace('40000', port),
    );
  });

  it('among media lines keep their place: bandwidth, directions, labels', () => {
    const section = ['b=AS:64', 'a=label:1', 'a=recvonly', 'a=ptime:20'];
    const sdp = sdpOf('192.0.2.1', ['m=audio 40000 RTP/AVP 0', ...section]);
    expect(mediaLines(offered(sdp))).toEqual(['m=audio P1 RTP/AVP 0', ...section]);
  });
});

describe('c=', () => {
  const audioOf = (address: string): string[] => ['m=audio 40000 RTP/AVP 0', `c=IN IP4 ${address}`];

  it('is replaced where it stands: in the session, in the line, in both', () => {
    const head = ['v=0', 'o=- 1 1 IN IP4 192.0.2.1', 's=-'];
    const own = crlf(head, 't=0 0', audioOf('192.0.2.1'));
    expect(named(offered(own))).toBe(crlf(head, 't=0 0', 'm=audio P1 RTP/AVP 0', 'c=IN IP4 10.0.0.1'));
    const both = crlf(head, 'c=IN IP4 192.0.2.9', 't=0 0', audioOf('192.0.2.1'));
    expect(named(offered(both))).toBe(
      crlf(head, 'c=IN IP4 10.0.0.1', 't=0 0', 'm=audio P1 RTP/AVP 0', 'c=IN IP4 10.0.0.1'),
    );
  });

  it('of a line with several becomes one', () => {
    const sdp = sdpOf('192.0.2.1', [...audioOf('192.0.2.1'), 'c=IN IP4 192.0.2.2']);
    expect(mediaLines(offered(sdp))).toEqual(['m=audio P1 RTP/AVP 0', 'c=IN IP4 10.0.0.1']);
  });

  it('may be a name, and none of the line is served by it but the address of the other side', () => {
    const sdp = sdpOf('192.0.2.1', ['m=audio 40000 RTP/AVP 0', 'c=IN IP4 phone.example.org']);
    expect(mediaLines(offered(sdp))).toEqual(['m=audio P1 RTP/AVP 0', 'c=IN IP4 10.0.0.1']);
  });

  it('that is missing, or multicast, leaves a line unserved', () => {
    const head = ['v=0', 'o=- 1 1 IN IP4 192.0.2.1', 's=-', 't=0 0'];
    const sdp = crlf(head, 'm=audio 40000 RTP/AVP 0', audioOf('224.2.1.1/127'), audioOf('192.0.2.1'));
    expect(mediaLines(offered(sdp))).toEqual([
      'm=audio 0 RTP/AVP 0',
      'm=audio 0 RTP/AVP 0',
      'c=IN IP4 10.0.0.1',
      'm=audio P1 RTP/AVP 0',
      'c=IN IP4 10.0.0.1',
    ]);
  });
});

describe('a null address', () => {
  const held = (...lines: string[]): string => sdpOf('0.0.0.0', ['m=audio 40000 RTP/AVP 0', ...lines]);

  it('stays one, for the receiver is put on hold by it', () => {
    const sdp = offered(held('a=sendonly'));
    expect(sdp).toContain('c=IN IP4 0.0.0.0\r\n');
    expect(mediaLines(sdp)).toEqual(['m=audio P1 RTP/AVP 0', 'a=sendonly']);
  });

  it('of one line leaves the others ours', () => {
    const sdp = sdpOf(
      '192.0.2.1',
      ['m=audio 40000 RTP/AVP 0', 'c=IN IP4 0.0.0.0'],
      ['m=video 40002 RTP/AVP 96', 'a=rtpmap:96 H264/90000'],
    );
    expect(mediaLines(offered(sdp))).toEqual([
      'm=audio P1 RTP/AVP 0',
      'c=IN IP4 0.0.0.0',
      'm=video P2 RTP/AVP 96',
      'a=rtpmap:96 H264/90000',
    ]);
  });

  it('is replaced if the proxy wants that', () => {
    expect(offered(held(), { replace: ['zero address'] })).toContain('c=IN IP4 10.0.0.1\r\n');
  });

  it('of the other family is the null address of ours', () => {
    rig = new SignallingRig({ zones: [v4('external', '198.51.100.1'), v4('internal', '2001:db8::1')] });
    expect(rig.offer(held())).toContain('c=IN IP6 ::\r\n');
  });
});

describe('a=rtcp', () => {
  const withRtcp = (rtcp: string): string => sdpOf('192.0.2.1', audio('RTP/AVP', rtcp));

  it('says our port, and our address where it said one', () => {
    expect(mediaLines(offered(withRtcp('rtcp:40001')))).toEqual(['m=audio P1 RTP/AVP 0 101', 'a=rtcp:P1+1']);
    expect(mediaLines(offered(withRtcp('rtcp:5 IN IP4 192.0.2.77')))).toEqual([
      'm=audio P1 RTP/AVP 0 101',
      'a=rtcp:P1+1 IN IP4 10.0.0.1',
    ]);
  });

  it('is not put in where there was none: the port is the next one', () => {
    expect(offered(withRtcp('ptime:20'))).not.toContain('a=rtcp');
  });

  it('says the port of RTP once both share it', () => {
    offered(sdpOf('192.0.2.1', audio('RTP/AVP', 'rtcp:40001', 'rtcp-mux')));
    const answer = rig.answer(sdpOf('10.0.0.20', audio('RTP/AVP', 'rtcp:40000', 'rtcp-mux')));
    expect(mediaLines(answer)).toEqual(['m=audio P1 RTP/AVP 0 101', 'a=rtcp:P1', 'a=rtcp-mux']);
  });

  it('that is malformed is replaced by one that is not', () => {
    expect(mediaLines(offered(withRtcp('rtcp:port')))).toEqual(['m=audio P1 RTP/AVP 0 101', 'a=rtcp:P1+1']);
  });
});

describe('replace', () => {
  const SDP = crlf(
    'v=0',
    'o=alice 2890844526 2890842807 IN IP4 192.0.2.10',
    's=Alice calling',
    'c=IN IP4 192.0.2.10',
    't=0 0',
    'm=audio 40000 RTP/AVP 0',
  );
  const cases: readonly (readonly [readonly string[], string, string])[] = [
    [[], 'o=alice 2890844526 2890842807 IN IP4 192.0.2.10', 's=Alice calling'],
    [['origin'], 'o=alice 2890844526 2890842807 IN IP4 10.0.0.1', 's=Alice calling'],
    [['origin', 'session-connection'], 'o=alice 2890844526 2890842807 IN IP4 10.0.0.1', 's=Alice calling'],
    [['session-name'], 'o=alice 2890844526 2890842807 IN IP4 192.0.2.10', 's=-'],
    [['username'], 'o=- 2890844526 2890842807 IN IP4 192.0.2.10', 's=Alice calling'],
  ];
  it.each(cases)('%j gives these lines', (replace, origin, name) => {
    expect(offered(SDP, { replace }).split('\r\n').slice(1, 4)).toEqual([origin, name, 'c=IN IP4 10.0.0.1']);
  });

  it('may be said as flags, as Kamailio does', () => {
    const sdp = offered(SDP, { flags: ['replace-origin', 'replace-session-connection'] });
    expect(sdp).toContain('o=alice 2890844526 2890842807 IN IP4 10.0.0.1\r\n');
  });

  it('sdp-version counts up only when the SDP for that side changes', () => {
    const version = (sdp: string): number => Number(/^o=\S+ \S+ (\d+)/m.exec(sdp)?.[1]);
    const replace = { replace: ['sdp-version'] };
    const first = version(offered(SDP, replace));
    // The phone counts, we do not.
    expect(version(rig.offer(SDP.replace('2890842807', '2890842808'), replace))).toBe(first);
    expect(version(rig.offer(`${SDP}a=sendonly\r\n`, replace))).toBe(first + 1);
    expect(version(rig.offer(`${SDP}a=sendonly\r\n`, replace))).toBe(first + 1);
    expect(version(rig.offer(SDP, replace))).toBe(first + 2);
  });
});

describe('ICE, DTLS and bundles of the other side', () => {
  const WEBRTC = crlf(
    ['v=0', 'o=- 1 1 IN IP4 192.0.2.1', 's=-', 't=0 0'],
    ['a=group:BUNDLE 0 1', 'a=group:LS 0 1', 'a=ice-lite', 'a=ice-ufrag:sess', 'a=ice-options:trickle'],
    ['a=fingerprint:sha-256 00:11', 'a=setup:actpass', 'a=msid-semantic: WMS'],
    ['m=audio 40000 RTP/SAVP 0', 'c=IN IP4 192.0.2.1', 'a=mid:0', 'a=ice-ufrag:abcd', 'a=ice-pwd:0123456789'],
    ['a=candidate:1 1 UDP 2130706431 192.0.2.1 40000 typ host', 'a=end-of-candidates'],
    ['a=remote-candidates:1 192.0.2.5 5', 'a=fingerprint:sha-256 22:33', 'a=setup:active', 'a=rtcp-mux'],
    [`a=${crypto(1, CM_80)}`, 'a=ssrc:1 cname:x'],
    ['m=video 0 RTP/SAVP 96', 'a=mid:1', 'a=bundle-only', 'a=candidate:1 1 UDP 1 192.0.2.1 9 typ host'],
  );

  it('end here, and what remains is ours alone', () => {
    const sdp = offered(WEBRTC, { ICE: 'remove', 'transport-protocol': 'RTP/AVP' });
    expect(named(sdp)).toBe(
      crlf(
        ['v=0', 'o=- 1 1 IN IP4 192.0.2.1', 's=-', 't=0 0', 'a=group:LS 0 1', 'a=msid-semantic: WMS'],
        ['m=audio P1 RTP/AVP 0', 'c=IN IP4 10.0.0.1', 'a=mid:0', 'a=rtcp-mux', 'a=ssrc:1 cname:x'],
        ['m=video 0 RTP/SAVP 96', 'a=mid:1'],
      ),
    );
  });

  it('become our own where ICE is wanted', () => {
    const sdp = offered(WEBRTC, { ICE: 'force', 'transport-protocol': 'RTP/AVP' });
    expect(named(sdp)).toBe(
      crlf(
        ['v=0', 'o=- 1 1 IN IP4 192.0.2.1', 's=-', 't=0 0', 'a=group:LS 0 1', 'a=msid-semantic: WMS'],
        ['a=ice-lite', 'm=audio P1 RTP/AVP 0', 'c=IN IP4 10.0.0.1', 'a=mid:0', 'a=rtcp-mux'],
        ['a=ssrc:1 cname:x', 'a=ice-ufrag:U1', 'a=ice-pwd:W1'],
        ['a=candidate:0a000001 1 UDP 2130706431 10.0.0.1 P1 typ host'],
        ['a=candidate:0a000001 2 UDP 2130706430 10.0.0.1 P1+1 typ host'],
        ['m=video 0 RTP/SAVP 96', 'a=mid:1'],
      ),
    );
  });
});

describe('keys', () => {
  it('of one side never reach the other, not even on a disabled line', () => {
    const disabled = ['m=video 0 RTP/SAVP 96', `a=${crypto(7, CM_80)}`, 'a=rtcp:1'];
    const sdp = offered(sdpOf('192.0.2.1', audio('RTP/SAVP', crypto(1, CM_80)), disabled));
    expect(sdp).not.toContain(keyOf(CM_80));
    expect(mediaLines(sdp).slice(-1)).toEqual(['m=video 0 RTP/SAVP 96']);
  });

  it('are agreed on by a=crypto alone: neither MIKEY nor capability negotiation nor a key of the session passes', () => {
    const other = [
      ...['key-mgmt:mikey AQAFgM0XflABAAAAAAAAAAAAAAsAyO', 'csup:cap-v0', 'creq:cap-v0', 'tcap:1 RTP/SAVP'],
      ...[`acap:1 ${crypto(1, CM_80)}`, 'pcfg:1 t=1 a=1', 'acfg:1 t=1 a=1'],
    ];
    const session = [`a=${crypto(1, CM_80)}`, ...other.map((attribute) => `a=${attribute}`)];
    const head = ['v=0', 'o=- 1 1 IN IP4 192.0.2.1', 's=-', 'c=IN IP4 192.0.2.1', 't=0 0'];
    const disabled = ['m=video 0 RTP/AVP 96', ...session];
    const opaque = ['m=application 5070 UDP/BFCP *', ...session];
    expect(named(offered(crlf(head, session, audio('RTP/AVP', ...other), disabled, opaque)))).toBe(
      crlf(head.with(3, 'c=IN IP4 10.0.0.1'), [
        'm=audio P1 RTP/AVP 0 101',
        'm=video 0 RTP/AVP 96',
        'm=application P2 UDP/BFCP *',
      ]),
    );
  });

  it('stand where those of the other side stood, else at the end', () => {
    const secure = offered(sdpOf('192.0.2.1', audio('RTP/SAVP', 'ptime:20', crypto(9, CM_80), 'sendrecv')), {
      SDES: [`only-${CM_80}`],
    });
    expect(mediaLines(secure)).toEqual([
      'm=audio P1 RTP/SAVP 0 101',
      'a=ptime:20',
      `a=crypto:1 ${CM_80} inline:K1`,
      'a=sendrecv',
    ]);
    const plain = offered(sdpOf('192.0.2.1', audio('RTP/AVP', 'ptime:20')), {
      'transport-protocol': 'RTP/SAVP',
      SDES: [`only-${CM_80}`],
    });
    expect(mediaLines(plain)).toEqual([
      'm=audio P1 RTP/SAVP 0 101',
      'a=ptime:20',
      `a=crypto:1 ${CM_80} inline:K1`,
    ]);
  });
});

describe('a line that cannot be served', () => {
  it('is refused with port 0, and stays', () => {
    const lines = [
      ['m=message 2855 TCP/MSRP *', 'a=path:msrp://192.0.2.1:2855/x;tcp', 'a=setup:actpass'],
      ['m=application 5070 TCP/TLS/BFCP *', 'a=floorctrl:c-s'],
      ['m=audio 5000 UDP/TLS/RTP/SAVPF 111', 'a=fingerprint:sha-256 00:11'],
      ['m=video 6000/2 RTP/AVP 31'],
      ['m=audio 7000 RTP/SAVP 0', 'a=crypto:1 F8_128_HMAC_SHA1_80 inline:x'],
      ['m=x 8000 RTP/XYZ 0'],
    ];
    const sdp = offered(sdpOf('192.0.2.1', audio(), ...lines));
    expect(mediaLines(sdp)).toEqual([
      'm=audio P1 RTP/AVP 0 101',
      'm=message 0 TCP/MSRP *',
      'a=path:msrp://192.0.2.1:2855/x;tcp',
      'a=setup:actpass',
      'm=application 0 TCP/TLS/BFCP *',
      'a=floorctrl:c-s',
      'm=audio 0 UDP/TLS/RTP/SAVPF 111',
      'a=fingerprint:sha-256 00:11',
      'm=video 0 RTP/AVP 31',
      'm=audio 0 RTP/SAVP 0',
      'm=x 0 RTP/XYZ 0',
    ]);
    expect(
      rig.report().legs.map(({ lines: [, ...others] }) => others.flatMap(({ streams }) => streams)),
    ).toEqual([[], []]);
  });

  it('makes the offer an error where no line is left', () => {
    rig = new SignallingRig();
    const tcp = ['m=message 2855 TCP/MSRP *'];
    expect(rig.refusedOffer(sdpOf('192.0.2.1', tcp, tcp))).toBe(
      'No line of the offer can be served: message TCP/MSRP, message TCP/MSRP',
    );
    expect(rig.node.core.calls.size).toBe(0);
  });

  it('is no error where the offer refused it itself, or has no line at all', () => {
    rig = new SignallingRig();
    const refused = sdpOf('192.0.2.1', ['m=audio 0 RTP/AVP 0']);
    expect(rig.offer(refused)).toBe(refused.replace('c=IN IP4 192.0.2.1', 'c=IN IP4 10.0.0.1'));
    expect(mediaLines(rig.offer(sdpOf('192.0.2.1')))).toEqual([]);
  });

  it('is answered in the words of the offer, whatever the other side was shown', () => {
    offered(sdpOf('192.0.2.1', audio(), ['m=video 5000 RTP/SAVPF 96', `a=${crypto(1, CM_80)}`]), {
      'transport-protocol': 'RTP/AVP',
    });
    const answer = rig.answer(sdpOf('10.0.0.20', audio(), ['m=video 0 RTP/AVPF 96']));
    expect(mediaLines(answer)).toEqual(['m=audio P1 RTP/AVP 0 101', 'm=video 0 RTP/SAVPF 96']);
  });
});

describe('lines that are no RTP', () => {
  const BFCP = ['m=application 5070 UDP/BFCP *', 'a=floorctrl:c-s', 'a=confid:1', 'a=setup:actpass'];
  const IX = ['m=application 5080 UDP/UDT/IX *', 'a=ixmap:0 ping', 'a=fingerprint:sha-1 00:11'];
  const FAX = ['m=image 5090 udptl t38', 'a=T38FaxVersion:0'];
  const DATA = ['m=application 5100 UDP/DTLS/SCTP webrtc-datachannel', 'a=sctp-port:5000', 'a=setup:actpass'];

  it('pass as they are, but for their ports', () => {
    const sdp = offered(sdpOf('192.0.2.1', audio(), BFCP, IX, FAX, DATA));
    expect(mediaLines(sdp)).toEqual([
      'm=audio P1 RTP/AVP 0 101',
      ...['m=application P2 UDP/BFCP *', ...BFCP.slice(1)],
      ...['m=application P3 UDP/UDT/IX *', ...IX.slice(1)],
      ...['m=image P4 udptl t38', ...FAX.slice(1)],
      ...['m=application P5 UDP/DTLS/SCTP webrtc-datachannel', ...DATA.slice(1)],
    ]);
    const answer = rig.answer(sdpOf('10.0.0.20', audio(), BFCP, IX, FAX, DATA));
    expect(mediaLines(answer)).toEqual(mediaLines(sdp));
    const ports = rig.report().legs.map(({ lines }) => lines.map(({ streams }) => streams.length));
    expect(ports).toEqual([
      [2, 1, 1, 1, 1],
      [2, 1, 1, 1, 1],
    ]);
  });
});

function v4(name: string, address: string): { name: string; addresses: string[] } {
  return { name, addresses: [address] };
}
