/** What an m= section says of the side that wrote it. */
import { describe, expect, it } from 'vitest';
import { type AddressView, isHeld, type RemoteLine, readRemoteLine } from '../../../src/b2bua/remote-line.ts';
import { SdpDocument } from '../../../src/wire/sdp.ts';
import { CM_80, crypto, sdpOf } from './signalling-rig.ts';

const SEEN: AddressView = { override: undefined, passesUntouched: false };

function lineOf(section: readonly string[], view: AddressView = SEEN, address = '192.0.2.1'): RemoteLine {
  const media = SdpDocument.parse(sdpOf(address, section))?.media[0];
  if (!media) throw new Error('not an SDP');
  return readRemoteLine(media, view);
}

describe('the kind of a line', () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ['audio 40000 RTP/AVP 0', 'rtp', 'rtp'],
    ['video 40000 RTP/AVPF 96', 'rtp', 'rtp'],
    ['audio 40000 RTP/SAVP 0', 'rtp', 'rtp'],
    ['audio 40000 RTP/SAVPF 0', 'rtp', 'rtp'],
    ['audio 40000/1 RTP/AVP 0', 'rtp', 'rtp'],
    ['audio 40000 UDP/TLS/RTP/SAVP 0', 'unserved', 'rtp'],
    ['audio 40000 UDP/TLS/RTP/SAVPF 0', 'unserved', 'rtp'],
    ['application 40000 UDP/BFCP *', 'opaque', 'opaque'],
    ['application 40000 UDP/TLS/BFCP *', 'opaque', 'opaque'],
    ['application 40000 UDP/UDT/IX *', 'opaque', 'opaque'],
    ['application 40000 UDP/DTLS/SCTP webrtc-datachannel', 'opaque', 'opaque'],
    ['application 40000 DTLS/SCTP 5000', 'opaque', 'opaque'],
    ['image 40000 udptl t38', 'opaque', 'opaque'],
    ['image 40000 UDPTL t38', 'opaque', 'opaque'],
    ['audio 40000 udp 0', 'unserved', 'unserved'],
    ['audio 40000/2 RTP/AVP 0', 'unserved', 'unserved'],
    ['application 40000 TCP/BFCP *', 'unserved', 'unserved'],
    ['message 40000 TCP/MSRP *', 'unserved', 'unserved'],
    ['audio 40000 TCP/RTP/AVP 0', 'unserved', 'unserved'],
    ['audio 40000 RTP/SAVPFX 0', 'unserved', 'unserved'],
    ['audio 40000 rtp/avp 0', 'unserved', 'unserved'],
    ['audio 0 RTP/AVP 0', 'refused', 'refused'],
    ['audio 0 TCP/X 0', 'refused', 'refused'],
  ];
  it.each(cases)('%s is %s; where DTLS passes it is %s', (line, kind, passing) => {
    expect(lineOf([`m=${line}`]).kind).toBe(kind);
    expect(lineOf([`m=${line}`], { ...SEEN, passesUntouched: true }).kind).toBe(passing);
  });

  it('is unserved where all of its addresses are multicast', () => {
    expect(lineOf(['m=audio 40000 RTP/AVP 0', 'c=IN IP4 224.2.1.1/127']).kind).toBe('unserved');
  });
});

describe('where a side listens', () => {
  const M = 'm=audio 40000 RTP/AVP 0';
  const at = (address: string, port: number): unknown => ({ address, port });
  const places = (section: readonly string[], view = SEEN): unknown => {
    const { rtp, rtcp } = lineOf(section, view);
    return [rtp, rtcp];
  };

  it('is the address of the line, else of the session, and the next port for RTCP', () => {
    expect(places([M])).toEqual([at('192.0.2.1', 40_000), at('192.0.2.1', 40_001)]);
    expect(places([M, 'c=IN IP4 192.0.2.9'])).toEqual([at('192.0.2.9', 40_000), at('192.0.2.9', 40_001)]);
    expect(places([M, 'c=IN IP6 2001:db8::9'])).toEqual([
      at('2001:db8::9', 40_000),
      at('2001:db8::9', 40_001),
    ]);
  });

  it('is for RTCP what a=rtcp says, and the port of RTP where both share it', () => {
    expect(places([M, 'a=rtcp:5'])).toEqual([at('192.0.2.1', 40_000), at('192.0.2.1', 5)]);
    expect(places([M, 'a=rtcp:5 IN IP4 192.0.2.8'])).toEqual([at('192.0.2.1', 40_000), at('192.0.2.8', 5)]);
    expect(places([M, 'a=rtcp:5', 'a=rtcp-mux'])).toEqual([at('192.0.2.1', 40_000), at('192.0.2.1', 40_000)]);
  });

  it('is nowhere for a null address, a name, a port of 0, and behind the last port', () => {
    expect(places([M, 'c=IN IP4 0.0.0.0'])).toEqual([undefined, undefined]);
    expect(places([M, 'c=IN IP6 ::'])).toEqual([undefined, undefined]);
    expect(places([M, 'c=IN IP6 0:0:0:0:0:0:0:0'])).toEqual([undefined, undefined]);
    expect(places([M, 'c=IN IP4 phone.local'])).toEqual([undefined, undefined]);
    expect(places([M, 'a=rtcp:0'])).toEqual([at('192.0.2.1', 40_000), undefined]);
    expect(places(['m=audio 65535 RTP/AVP 0'])).toEqual([at('192.0.2.1', 65_535), undefined]);
  });

  it('is the address that the SIP message came from, where that counts; never for one on hold', () => {
    const view = { ...SEEN, override: '203.0.113.7' };
    expect(places([M, 'a=rtcp:5 IN IP4 192.0.2.8'], view)).toEqual([
      at('203.0.113.7', 40_000),
      at('203.0.113.7', 5),
    ]);
    expect(places([M, 'c=IN IP4 phone.local'], view)).toEqual([
      at('203.0.113.7', 40_000),
      at('203.0.113.7', 40_001),
    ]);
    expect(places([M, 'c=IN IP4 0.0.0.0'], view)).toEqual([undefined, undefined]);
  });
});

describe('keys', () => {
  it('are those that can be used, in order', () => {
    const lines = [
      'crypto:1 NULL inline:x',
      crypto(2, CM_80),
      `${crypto(3, CM_80)} UNENCRYPTED_SRTP`,
      crypto(4, CM_80),
    ];
    const { cryptos } = lineOf(['m=audio 4 RTP/SAVP 0', ...lines.map((line) => `a=${line}`)]);
    expect(cryptos.map(({ tag }) => tag)).toEqual([2, 4]);
  });

  it('are looked for in the first 32 attributes alone', () => {
    const lines = Array.from({ length: 500 }, (_, i) => `a=${crypto(i, CM_80)}`);
    expect(lineOf(['m=audio 4 RTP/SAVP 0', ...lines]).cryptos).toHaveLength(32);
  });
});

describe('ICE', () => {
  it('is there with a fragment and a password, of the line or the session, and without a mismatch', () => {
    const M = 'm=audio 40000 RTP/AVP 0';
    const both = ['a=ice-ufrag:u', 'a=ice-pwd:p'];
    expect(lineOf([M, ...both]).ice).toMatchObject({ ufrag: 'u', password: 'p' });
    expect(lineOf([M, 'a=ice-ufrag:u']).ice).toBeUndefined();
    expect(lineOf([M, 'a=ice-pwd:p']).ice).toBeUndefined();
    expect(lineOf([M, ...both, 'a=ice-mismatch']).ice).toBeUndefined();
    const session = sdpOf('192.0.2.1', both, [M]);
    const [media] = SdpDocument.parse(session)?.media ?? [];
    expect(media && readRemoteLine(media, SEEN).ice).toMatchObject({ ufrag: 'u', password: 'p' });
  });
});

describe('hold', () => {
  it('is any direction but both, or a null address', () => {
    const held = (...more: string[]): boolean => isHeld(lineOf(['m=audio 40000 RTP/AVP 0', ...more]));
    expect(held()).toBe(false);
    expect(held('a=sendrecv')).toBe(false);
    for (const way of ['sendonly', 'recvonly', 'inactive']) expect(held(`a=${way}`)).toBe(true);
    expect(held('c=IN IP4 0.0.0.0')).toBe(true);
  });
});
