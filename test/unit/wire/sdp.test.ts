import { describe, expect, it } from 'vitest';
import {
  SDP_CHARACTERS_MAX,
  SDP_LINES_MAX,
  SDP_MEDIA_MAX,
  SdpDocument,
  type SdpMedia,
} from '../../../src/wire/sdp.ts';
import { BARESIP, CHROMIUM, CISCO, CORPUS, IPV6, LINPHONE, ODD, T38 } from './sdp-corpus.ts';

const SESSION = 'v=0\r\no=- 1 2 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n';

function parsed(text: string): SdpDocument {
  const document = SdpDocument.parse(text);
  if (!document) throw new Error(`not taken for SDP: ${text}`);
  return document;
}

function mediaOf(document: SdpDocument, index = 0): SdpMedia {
  const media = document.media[index];
  if (!media) throw new Error(`no media ${index}`);
  return media;
}

/** One media description behind a plain session part. */
function oneMedia(...lines: readonly string[]): SdpMedia {
  return mediaOf(parsed(`${SESSION}${lines.map((line) => `${line}\r\n`).join('')}`));
}

/** The lines that `after` has and `before` has not, and the other way round. */
function difference(before: string, after: string): { gone: string[]; came: string[] } {
  const [old, now] = [before.split('\n'), after.split('\n')];
  return { gone: old.filter((line) => !now.includes(line)), came: now.filter((line) => !old.includes(line)) };
}

describe('an SDP that nobody edits', () => {
  for (const [name, text] of Object.entries(CORPUS)) {
    it(`comes out byte for byte: ${name}`, () => {
      expect(parsed(text).toString()).toBe(text);
    });
  }

  it('keeps bytes of any charset, read as one character a byte', () => {
    const codes = Array.from({ length: 256 }, (_, i) => i).filter((code) => ![0, 10, 13].includes(code));
    const text = `${SESSION}i=${String.fromCharCode(...codes)}\r\n`;
    expect(parsed(text).toString()).toBe(text);
  });
});

describe('what is no SDP', () => {
  const broken: Record<string, string> = {
    nothing: '',
    'an empty line': '\r\n',
    'no version': SESSION.slice(5),
    'another version': SESSION.replace('v=0', 'v=1'),
    'no origin': SESSION.replace(/o=.*\r\n/, ''),
    'an origin that is not second': SESSION.replace(/(o=.*\r\n)(s=.*\r\n)/, '$2$1'),
    'an origin of five fields': SESSION.replace('o=- ', 'o='),
    'an origin on another network': SESSION.replace('2 IN', '2 ATM'),
    'a line without =': `${SESSION}nonsense\r\n`,
    'a type of two letters': `${SESSION}ab=1\r\n`,
    'a space before the type': `${SESSION} a=1\r\n`,
    'an empty line in the middle': `${SESSION}\r\na=1\r\n`,
    'a CR that ends no line': `${SESSION}a=x\rc=IN IP4 192.0.2.66\r\n`,
    'a CR at the very end': `${SESSION}a=x\r`,
    'a NUL': `${SESSION}a=x\0\r\n`,
    'm= without a port': `${SESSION}m=audio RTP/AVP 0\r\n`,
    'm= with a port too high': `${SESSION}m=audio 65536 RTP/AVP 0\r\n`,
    'm= with a negative port': `${SESSION}m=audio -1 RTP/AVP 0\r\n`,
    'm= with a port of a thousand digits': `${SESSION}m=audio ${'9'.repeat(1000)} RTP/AVP 0\r\n`,
    'm= with a count of no ports': `${SESSION}m=audio 5004/0 RTP/AVP 0\r\n`,
    'm= with two counts': `${SESSION}m=audio 5004/2/2 RTP/AVP 0\r\n`,
    'm= without a protocol': `${SESSION}m=audio 0\r\n`,
    'm= in use without a format': `${SESSION}m=audio 5004 RTP/AVP\r\n`,
    'm= that begins with a space': `${SESSION}m= audio 5004 RTP/AVP 0\r\n`,
    'c= on another network': SESSION.replace('c=IN', 'c=ATM'),
    'c= of an unknown family': SESSION.replace('c=IN IP4', 'c=IN IP5'),
    'c= of IPv4 with an IPv6 address': SESSION.replace('c=IN IP4 192.0.2.1', 'c=IN IP4 ::1'),
    'c= of IPv6 with an IPv4 address': SESSION.replace('c=IN IP4', 'c=IN IP6'),
    'c= without an address': SESSION.replace('c=IN IP4 192.0.2.1', 'c=IN IP4'),
    'c= with an address of no kind': SESSION.replace('c=IN IP4 192.0.2.1', 'c=IN IP4 a/b/c/d'),
    'c= with a TTL of no number': SESSION.replace('c=IN IP4 192.0.2.1', 'c=IN IP4 224.2.1.1/x'),
    'a broken c= behind a good one': `${SESSION}m=audio 1 RTP/AVP 0\r\nc=IN IP4 192.0.2.1\r\nc=IN\r\n`,
  };
  for (const [name, text] of Object.entries(broken)) {
    it(`is refused: ${name}`, () => {
      expect(SdpDocument.parse(text)).toBeUndefined();
    });
  }

  it('the plain session part that these were made from is accepted', () => {
    expect(SdpDocument.parse(SESSION)).toBeDefined();
  });

  it('has no more characters, lines and media than the limits say', () => {
    const filler = (count: number): string => `${SESSION}a=${'x'.repeat(count - SESSION.length - 2)}`;
    expect(SdpDocument.parse(filler(SDP_CHARACTERS_MAX))).toBeDefined();
    expect(SdpDocument.parse(filler(SDP_CHARACTERS_MAX + 1))).toBeUndefined();
    const lines = (count: number): string => SESSION + 'a=x\n'.repeat(count - 5);
    expect(SdpDocument.parse(lines(SDP_LINES_MAX))).toBeDefined();
    expect(SdpDocument.parse(lines(SDP_LINES_MAX + 1))).toBeUndefined();
    const media = (count: number): string => SESSION + 'm=audio 9 RTP/AVP 0\n'.repeat(count);
    expect(SdpDocument.parse(media(SDP_MEDIA_MAX))?.media).toHaveLength(SDP_MEDIA_MAX);
    expect(SdpDocument.parse(media(SDP_MEDIA_MAX + 1))).toBeUndefined();
  });
});

describe('attributes', () => {
  it('are found by their whole name, in order, flags as empty values', () => {
    const document = parsed(CISCO);
    const audio = mediaOf(document);
    expect(audio.attributes('rtpmap')).toEqual([
      '107 MP4A-LATM/90000',
      '104 G7221/16000',
      '9 G722/8000',
      '101 telephone-event/8000',
    ]);
    expect(audio.attributes('rtpma')).toEqual([]);
    expect(audio.attributes('sendrecv')).toEqual(['']);
    expect(audio.attribute('crypto')).toMatch(/^0 AES_CM_128_HMAC_SHA1_80 inline:/);
    expect(audio.hasAttribute('SENDRECV')).toBe(false);
    expect(mediaOf(document, 1).hasAttribute('sendrecv')).toBe(false);
    expect(parsed(ODD).media[0]?.attributes('rtpmap')).toEqual(['0   PCMU/8000']);
  });

  it('are inherited from the session where the media has none', () => {
    const [audio, video] = [mediaOf(parsed(LINPHONE)), mediaOf(parsed(LINPHONE), 1)];
    expect(video.inherited('ice-ufrag')).toBe('8e1c4b7a');
    expect(audio.inherited('mid')).toBe('as');
    expect(audio.inherited('setup')).toBeUndefined();
  });

  it('are replaced where the first one stood, and nothing else moves', () => {
    const document = parsed(BARESIP);
    mediaOf(document).replaceAttributes('crypto', ['7 X', '8 Y', '9 Z']);
    const expected = BARESIP.replace(
      /(a=crypto:.*\r\n)+/,
      'a=crypto:7 X\r\na=crypto:8 Y\r\na=crypto:9 Z\r\n',
    );
    expect(document.toString()).toBe(expected);
  });

  it('are put at the end of the section where there was none, before empty lines', () => {
    const document = parsed(`${LINPHONE}\r\n\r\n`);
    mediaOf(document).replaceAttributes('crypto', ['1 X']);
    mediaOf(document, 1).appendAttribute('rtcp-mux');
    document.session.appendAttribute('tool', 'causeway');
    expect(document.toString()).toBe(
      `${LINPHONE.replace('m=audio', 'a=tool:causeway\r\nm=audio').replace(
        'm=video',
        'a=crypto:1 X\r\nm=video',
      )}a=rtcp-mux\r\n\r\n\r\n`,
    );
  });

  it('are removed by name, all of them, from their section alone', () => {
    const document = parsed(CISCO);
    mediaOf(document).removeAttributes('crypto', 'fmtp', 'none-such');
    const [head = '', audio = '', ...rest] = CISCO.split(/(?=m=)/);
    expect(document.toString()).toBe(head + audio.replace(/a=(crypto|fmtp):.*\r\n/g, '') + rest.join(''));
  });

  it('put in have the line ends of the document, and a last line without end stays one', () => {
    const document = parsed('v=0\no=- 1 1 IN IP4 192.0.2.1\nm=audio 9 RTP/AVP 0\r\na=x:1\r\na=y');
    mediaOf(document).appendAttribute('z');
    mediaOf(document).replaceAttributes('x', ['2']);
    expect(document.toString()).toBe('v=0\no=- 1 1 IN IP4 192.0.2.1\nm=audio 9 RTP/AVP 0\r\na=x:2\na=y\na=z');
    mediaOf(document).replaceAttributes('z', ['1', '2']);
    expect(document.toString().endsWith('a=y\na=z:1\na=z:2')).toBe(true);
    mediaOf(document).removeAttributes('z');
    expect(document.toString().endsWith('a=x:2\na=y\n')).toBe(true); // a line that stays keeps its end
  });

  it('that would make two lines of one are a programming error', () => {
    const media = oneMedia('m=audio 9 RTP/AVP 0');
    for (const bad of ['1\r\n', '1\nc=IN IP4 192.0.2.66', 'a\rb', '\0']) {
      expect(() => media.appendAttribute('x', bad)).toThrow(RangeError);
      expect(() => media.replaceAttributes('x', [bad])).toThrow(RangeError);
      expect(() => media.setValue('m', bad)).toThrow(RangeError);
    }
    expect(media.toString()).toBe('m=audio 9 RTP/AVP 0\r\n');
  });
});

describe('lines of other types', () => {
  it('are read and replaced in place', () => {
    const document = parsed(IPV6);
    expect(document.session.value('s')).toBe('SDP Seminar');
    expect(document.session.value('b')).toBeUndefined();
    document.session.setValue('s', '-');
    expect(document.toString()).toBe(IPV6.replace('s=SDP Seminar', 's=-'));
  });

  it('that are not there cannot be replaced', () => {
    expect(() => parsed(IPV6).session.setValue('b', 'AS:1')).toThrow(RangeError);
  });
});

describe('the origin', () => {
  it('is read, with a user name of any words', () => {
    expect(parsed(IPV6).origin).toEqual({
      username: 'jdoe',
      sessionId: '2890844526',
      sessionVersion: '2890842807',
      family: 'IP6',
      address: '2001:db8::3',
    });
    expect(parsed(ODD).origin).toEqual({
      username: 'John  Doe',
      sessionId: '123',
      sessionVersion: '456',
      family: 'IP4',
      address: 'phone_7.example.com',
    });
  });

  it('is changed field by field, spacing kept', () => {
    const document = parsed(ODD);
    document.setOrigin({ sessionVersion: '457' });
    document.setOrigin({ family: 'IP6', address: '2001:db8::1' });
    expect(document.toString()).toBe(
      ODD.replace('456  IN IP4 phone_7.example.com ', '457  IN IP6 2001:db8::1 '),
    );
    document.setOrigin({ username: '-', sessionId: '9' });
    expect(document.toString()).toContain('o=- 9 457  IN IP6 2001:db8::1 \n');
  });
});

describe('connection data', () => {
  it('is the line’s own, else the session’s', () => {
    const addresses = parsed(IPV6).media.map((media) => media.connection());
    expect(addresses).toEqual([
      { family: 'IP6', address: '2001:db8::3' },
      { family: 'IP6', address: '2001:db8::3' },
      { family: 'IP6', address: '2001:db8::4' },
    ]);
    expect(mediaOf(parsed(LINPHONE)).connection()?.address).toBe('203.0.113.77');
    expect(mediaOf(parsed(LINPHONE), 1).connection()?.address).toBe('198.51.100.20');
    expect(mediaOf(parsed(ODD)).connection()?.address).toBe('192.0.2.1');
  });

  it('of multicast is none, and the session’s does not stand in', () => {
    for (const c of [
      'IN IP4 224.2.36.42/127',
      'IN IP4 224.2.1.1/127/3',
      'IN IP4 239.1.1.1',
      'IN IP6 ff15::101/3',
    ]) {
      expect(oneMedia('m=audio 9 RTP/AVP 0', `c=${c}`).connection(), c).toBeUndefined();
    }
    expect(oneMedia('m=audio 9 RTP/AVP 0', 'c=IN IP4 223.255.255.255').connection()).toBeDefined();
    expect(oneMedia('m=audio 9 RTP/AVP 0', 'c=IN IP4 240.0.0.1').connection()).toBeDefined();
  });

  it('is none where nobody gives any', () => {
    expect(mediaOf(parsed(CHROMIUM.replace('c=IN IP4 0.0.0.0\r\n', ''))).connection()).toBeUndefined();
  });

  it('is replaced in place, by one line where there were several', () => {
    const media = oneMedia(
      'm=audio 9 RTP/AVP 0',
      'c=IN IP4 192.0.2.8',
      'b=AS:64',
      'c=IN IP4 192.0.2.9',
      'a=x',
    );
    media.setConnection({ family: 'IP6', address: '2001:db8::1' });
    expect(media.toString()).toBe('m=audio 9 RTP/AVP 0\r\nc=IN IP6 2001:db8::1\r\nb=AS:64\r\na=x\r\n');
    const document = parsed(CISCO);
    document.session.setConnection({ family: 'IP4', address: '198.51.100.1' });
    expect(document.toString()).toBe(CISCO.replace('c=IN IP4 192.0.2.51', 'c=IN IP4 198.51.100.1'));
  });

  it('is put where RFC 8866 §5 wants it if there was none', () => {
    const connection = { family: 'IP4', address: '198.51.100.1' } as const;
    const document = parsed(IPV6.replace('c=IN IP6 2001:db8::3\r\n', ''));
    document.session.setConnection(connection);
    mediaOf(document).setConnection(connection);
    mediaOf(document, 1).setConnection(connection);
    const c = 'c=IN IP4 198.51.100.1\r\n';
    expect(document.toString()).toBe(
      IPV6.replace('c=IN IP6 2001:db8::3\r\n', c)
        .replace('i=spoken\r\n', `i=spoken\r\n${c}`)
        .replace('RTP/AVP 8\r\n', `RTP/AVP 8\r\n${c}`),
    );
  });
});

describe('media lines', () => {
  it('of every kind are read', () => {
    const read = (text: string): unknown[] =>
      parsed(text).media.map(({ media, port, portCount, protocol, formats }) => [
        ...[media, port, portCount, protocol],
        formats.join(),
      ]);
    expect(read(CISCO)).toEqual([
      ['audio', 2334, 1, 'RTP/SAVP', '107,108,104,9,8,0,101'],
      ['video', 2336, 1, 'RTP/SAVP', '97,126'],
      ['application', 5070, 1, 'UDP/BFCP', '*'],
      ['video', 2338, 1, 'RTP/SAVP', '97'],
      ['application', 2340, 1, 'RTP/SAVP', '100'],
      ['application', 5072, 1, 'UDP/UDT/IX', '*'],
    ]);
    expect(read(T38)[1]).toEqual(['image', 41250, 1, 'udptl', 't38']);
    expect(read(IPV6)[1]).toEqual(['audio', 49172, 2, 'RTP/AVP', '8']);
    expect(read(ODD)).toEqual([
      ['audio', 5004, 1, 'RTP/AVP', '0,8'],
      ['x-new', 1, 1, 'x/y', 'z'],
      ['video', 0, 1, 'RTP/AVP', ''],
    ]);
  });

  it('are edited field by field, spacing kept', () => {
    const document = parsed(ODD);
    const audio = mediaOf(document);
    audio.port = 36000;
    audio.protocol = 'RTP/SAVPF';
    expect(document.toString()).toBe(ODD.replace('m=audio  5004 RTP/AVP  0', 'm=audio  36000 RTP/SAVPF  0'));
    audio.formats = ['0', '101'];
    expect(document.toString()).toContain('m=audio  36000 RTP/SAVPF 0 101\r\n');
    expect(audio).toMatchObject({ port: 36000, protocol: 'RTP/SAVPF', formats: ['0', '101'] });
  });

  it('with a new port promise no second one', () => {
    const document = parsed(IPV6);
    mediaOf(document, 1).port = 40000;
    expect(document.toString()).toBe(IPV6.replace('49172/2', '40000'));
    expect(mediaOf(document, 1).portCount).toBe(1);
  });

  it('cannot be made into none', () => {
    const media = oneMedia('m=audio 9 RTP/AVP 0');
    for (const port of [65_536, -1, 1.5, Number.NaN]) {
      expect(() => {
        media.port = port;
      }).toThrow(RangeError);
    }
    expect(() => media.setValue('m', 'audio 1 RTP/AVP 0')).toThrow(RangeError);
    expect(media).toMatchObject({ port: 9 });
    expect(media.toString()).toBe('m=audio 9 RTP/AVP 0\r\n');
  });
});

describe('direction', () => {
  it('is the line’s own, else the session’s, else both ways', () => {
    expect(parsed(IPV6).media.map((media) => media.direction())).toEqual([
      'sendonly',
      'inactive',
      'inactive',
    ]);
    expect(parsed(LINPHONE).media.map((media) => media.direction())).toEqual(['sendrecv', 'recvonly']);
    expect(parsed(ODD).media[0]?.direction()).toBe('sendrecv'); // `a= sendonly` is something else
  });

  it('is replaced where it stood, else put at the end', () => {
    const document = parsed(IPV6);
    mediaOf(document).setDirection('recvonly');
    mediaOf(document, 2).setDirection('sendrecv');
    expect(document.toString()).toBe(`${IPV6.replace('a=sendonly', 'a=recvonly')}a=sendrecv\r\n`);
    expect(difference(IPV6, document.toString()).gone).toEqual(['a=sendonly\r']);
  });
});

describe('the port of RTCP', () => {
  it('is read with and without an address (RFC 3605)', () => {
    expect(mediaOf(parsed(BARESIP)).rtcp()).toEqual({ port: 26313, connection: undefined });
    expect(mediaOf(parsed(IPV6)).rtcp()).toEqual({
      port: 53020,
      connection: { family: 'IP6', address: '2001:db8::53' },
    });
    expect(mediaOf(parsed(CISCO)).rtcp()).toBeUndefined();
  });

  it('is none if malformed', () => {
    for (const value of [
      '',
      'x',
      '65536',
      '1 IN',
      '1 IN IP4',
      '1 IN IP4 ::1',
      '1 IN IP4 192.0.2.1 x',
      '-1',
    ]) {
      expect(oneMedia('m=audio 9 RTP/AVP 0', `a=rtcp:${value}`).rtcp(), value).toBeUndefined();
    }
  });
});
