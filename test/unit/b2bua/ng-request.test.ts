import { describe, expect, it } from 'vitest';
import type { NgDictionary, NgRequest } from '../../../src/b2bua/ng-request.ts';
import { parseNgRequest } from '../../../src/b2bua/parse-ng-request.ts';
import { emptyDictionary } from '../../../src/wire/bencode.ts';

/** What a command with nothing said means. */
const NOTHING: NgRequest = {
  command: '',
  callId: undefined,
  fromTag: undefined,
  toTag: undefined,
  viaBranch: undefined,
  sdp: undefined,
  ice: undefined,
  dtls: undefined,
  sdes: { off: false, pad: false, noNew: false, without: [], only: [], order: [] },
  transportProtocol: undefined,
  rtcpMux: new Set(),
  replace: new Set(),
  direction: [],
  addressFamily: undefined,
  mediaAddress: undefined,
  receivedFrom: undefined,
  deleteDelaySeconds: undefined,
  flags: new Set(),
  supports: new Set(),
  limit: undefined,
  unknown: [],
};

function expectRequest(dictionary: NgDictionary, wanted: Partial<NgRequest>): void {
  expect(parseNgRequest(dictionary)).toEqual({ ...NOTHING, ...wanted });
}

/** A setting in every way a proxy may hand it over: as a flag of the list, and in the one string. */
function expectFlag(words: string, wanted: Partial<NgRequest>): void {
  expectRequest({ flags: words.split(' ') }, wanted);
  expectRequest({ 'rtpp-flags': words }, wanted);
  expectRequest({ rtpp_flags: `  ${words} ` }, wanted);
}

describe('commands as proxies send them', () => {
  it('an offer of Kamailio with its flags parsed', () => {
    expectRequest(
      {
        supports: ['load limit'],
        sdp: 'v=0\r\n',
        ICE: 'remove',
        direction: ['pub', 'corp'],
        replace: ['origin', 'session-connection'],
        'transport-protocol': 'RTP/AVP',
        'call-id': 'abc@host',
        'received-from': ['IP4', '192.0.2.7'],
        'from-tag': 'f1',
        'sip-message-type': 'request',
        command: 'offer',
      },
      {
        command: 'offer',
        callId: 'abc@host',
        fromTag: 'f1',
        sdp: 'v=0\r\n',
        ice: 'remove',
        direction: ['pub', 'corp'],
        replace: new Set(['origin', 'session-connection']),
        transportProtocol: 'RTP/AVP',
        receivedFrom: '192.0.2.7',
        supports: new Set(['load limit']),
      },
    );
  });

  it('an offer towards the outside', () => {
    expectRequest(
      {
        command: 'offer',
        'transport-protocol': 'RTP/SAVP',
        ICE: 'force',
        DTLS: 'off',
        SDES: ['pad'],
        direction: ['corp', 'pub'],
      },
      {
        command: 'offer',
        transportProtocol: 'RTP/SAVP',
        ice: 'force',
        dtls: 'off',
        sdes: { ...NOTHING.sdes, pad: true },
        direction: ['corp', 'pub'],
      },
    );
  });

  it('an offer with its flags handed over unparsed', () => {
    expectRequest(
      {
        command: 'offer',
        'call-id': 'c',
        'from-tag': 'f',
        'rtpp-flags':
          'replace-origin ICE=force transport-protocol=RTP/AVP direction=pub direction=corp SDES-pad to-tag=x via-branch=1 trust-address',
      },
      {
        command: 'offer',
        callId: 'c',
        fromTag: 'f',
        toTag: 'x',
        viaBranch: '1',
        ice: 'force',
        transportProtocol: 'RTP/AVP',
        direction: ['pub', 'corp'],
        sdes: { ...NOTHING.sdes, pad: true },
        replace: new Set(['origin']),
        flags: new Set(['trust-address']),
      },
    );
  });

  it('a delete', () => {
    expectRequest(
      { command: 'delete', 'call-id': 'c', 'from-tag': 'f', 'delete delay': 0, flags: ['fatal', 'to-tag'] },
      {
        command: 'delete',
        callId: 'c',
        fromTag: 'f',
        deleteDelaySeconds: 0,
        flags: new Set(['fatal', 'to-tag']),
      },
    );
  });
});

describe('spelling', () => {
  it.each(['call-id', 'call id', 'call_id', 'Call-ID', 'CALL ID'])('of a key does not matter: %s', (key) => {
    expectRequest({ [key]: 'c' }, { callId: 'c' });
  });

  it.each(['SIP-source-address', 'SIP source address', 'sip_source_address'])(
    'of a flag does not matter: %s',
    (flag) => {
      expectRequest({ flags: [flag] }, { flags: new Set(['SIP-source-address']) });
    },
  );

  it('of tags, branches and zones stays as it is', () => {
    expectRequest(
      { 'from-tag': 'a_B c', 'via-branch': 'z9hG4bK_X', direction: ['Pub_1', 'corp.Net'] },
      { fromTag: 'a_B c', viaBranch: 'z9hG4bK_X', direction: ['Pub_1', 'corp.Net'] },
    );
  });
});

describe('flags', () => {
  it.each<[string, Partial<NgRequest>]>([
    ['trust-address', { flags: new Set(['trust-address']) }],
    ['asymmetric strict-source', { flags: new Set(['asymmetric', 'strict-source']) }],
    ['reset port-latching', { flags: new Set(['reset', 'port-latching']) }],
    ['all', { flags: new Set(['all']) }],
    ['all=all', { flags: new Set(['all']) }],
    ['all=none', {}],
    ['ICE-reject', { flags: new Set(['ICE-reject']) }],
    ['reject-ICE', { flags: new Set(['ICE-reject']) }],
    ['replace-origin', { replace: new Set(['origin']) }],
    ['replace-session-connection', { replace: new Set(['session-connection']) }],
    ['replace-SDP-version', { replace: new Set(['sdp-version']) }],
    ['replace-origin-full', { replace: new Set(['origin', 'username']) }],
    ['replace=[origin session-name]', { replace: new Set(['origin', 'session-name']) }],
    ['rtcp-mux-offer', { rtcpMux: new Set(['offer']) }],
    ['rtcp-mux-demux rtcp-mux-accept', { rtcpMux: new Set(['demux', 'accept']) }],
    ['rtcp-mux=[require reject]', { rtcpMux: new Set(['require', 'reject']) }],
    ['ICE=remove', { ice: 'remove' }],
    ['ICE=force-relay', { ice: 'force-relay' }],
    ['ICE=force_relay', { ice: 'force-relay' }],
    ['ICE=passthrough', { ice: 'passthrough' }],
    ['ICE=[trickle lite-both optional]', { ice: 'optional' }],
    ['DTLS=off', { dtls: 'off' }],
    ['DTLS=no', { dtls: 'off' }],
    ['DTLS=passive', { dtls: 'passive' }],
    ['address-family=IP6', { addressFamily: 'IP6' }],
    ['address-family=ip4', { addressFamily: 'IP4' }],
    ['media-address=192.0.2.1', { mediaAddress: '192.0.2.1' }],
    ['media-address=2001:DB8:0::1', { mediaAddress: '2001:db8::1' }],
    ['media-address=[2001:db8::1]', { mediaAddress: '2001:db8::1' }],
    ['received-from=[IP4 192.0.2.1]', { receivedFrom: '192.0.2.1' }],
    ['delete-delay=0', { deleteDelaySeconds: 0 }],
    ['delete_delay=30', { deleteDelaySeconds: 30 }],
    ['to-tag=t', { toTag: 't' }],
    ['to-tag', { flags: new Set(['to-tag']) }],
    ['from-interface=a to-interface=b', { direction: ['a', 'b'] }],
    ['internal external', { direction: ['internal', 'external'] }],
    ['direction=[a b]', { direction: ['a', 'b'] }],
  ])('%s', (words, wanted) => {
    expect(parseNgRequest({ 'rtpp-flags': words })).toEqual({ ...NOTHING, ...wanted });
    if (!words.includes('[')) expectFlag(words, wanted);
  });

  it.each<[string, Partial<NgRequest['sdes']>]>([
    ['SDES-off', { off: true }],
    ['SDES=off', { off: true }],
    ['SDES-no', { off: true }],
    ['SDES-pad', { pad: true }],
    ['pad-crypto', { pad: true }],
    ['SDES-nonew', { noNew: true }],
    ['SDES-no-AES_CM_128_HMAC_SHA1_32', { without: ['AES_CM_128_HMAC_SHA1_32'] }],
    ['sdes-no-aead_aes_128_gcm', { without: ['AEAD_AES_128_GCM'] }],
    [
      'SDES-only-AES_CM_128_HMAC_SHA1_80 SDES-only-AEAD_AES_256_GCM',
      { only: ['AES_CM_128_HMAC_SHA1_80', 'AEAD_AES_256_GCM'] },
    ],
    [
      'SDES-order:AEAD_AES_256_GCM;AES_CM_128_HMAC_SHA1_80;',
      { order: ['AEAD_AES_256_GCM', 'AES_CM_128_HMAC_SHA1_80'] },
    ],
    ['SDES-lifetime SDES-static', {}],
  ])('%s', (words, sdes) => {
    expectFlag(words, { sdes: { ...NOTHING.sdes, ...sdes } });
  });

  it('SDES as a list of its own', () => {
    expectRequest(
      { SDES: ['off', 'pad', 'no-AES_CM_128_HMAC_SHA1_32', 'order:A_1;B_2;C_3'] },
      {
        sdes: {
          ...NOTHING.sdes,
          off: true,
          pad: true,
          without: ['AES_CM_128_HMAC_SHA1_32'],
          order: ['A_1', 'B_2', 'C_3'],
        },
      },
    );
  });

  it.each([
    ['RTP/SAVP', 'RTP/SAVP'],
    ['rtp/savpf', 'RTP/SAVPF'],
    ['UDP/TLS/RTP/SAVPF', 'UDP/TLS/RTP/SAVPF'],
    ['transport-protocol=RTP/AVPF', 'RTP/AVPF'],
    ['RTP/AVP RTP/SAVP', 'RTP/SAVP'],
    ['RTP', 'RTP/AVP'],
    ['AVPF', 'RTP/AVPF'],
    ['SRTP', 'RTP/SAVP'],
    ['SRTP AVPF', 'RTP/SAVPF'],
    ['SRTP RTP', 'RTP/AVP'],
    ['AVPF AVP SRTP', 'RTP/SAVP'],
    ['DTLS', 'UDP/TLS/RTP/SAVP'],
    ['DTLS AVPF', 'UDP/TLS/RTP/SAVPF'],
    ['SRTP RTP/AVP', 'RTP/AVP'],
  ])('%s means %s', (words, transportProtocol) => {
    expectFlag(words, { transportProtocol });
  });

  it('accept any protocol of the answer, as each leg has its own', () => {
    expectRequest({ 'transport-protocol': 'accept' }, {});
    expectFlag('RTP/SAVP transport-protocol=accept', {});
  });

  it('win over keys of their own, and the string over the list', () => {
    expectRequest(
      { 'rtpp-flags': 'DTLS=active', flags: ['ICE=force', 'DTLS=off'], ICE: 'remove', DTLS: 'passive' },
      { ice: 'force', dtls: 'active' },
    );
    expectRequest(
      { flags: ['direction=a', 'direction=b'], direction: ['x', 'y'] },
      { direction: ['a', 'b'] },
    );
  });

  it('in one string of the list key are words', () => {
    expectRequest({ flags: 'reset ICE=force' }, { flags: new Set(['reset']), ice: 'force' });
  });
});

describe('values', () => {
  it('of numbers may be strings', () => {
    expectRequest({ 'delete-delay': '12', limit: '5' }, { deleteDelaySeconds: 12, limit: 5 });
    expectRequest({ 'delete delay': 12, limit: 5 }, { deleteDelaySeconds: 12, limit: 5 });
  });

  it.each(['-1', '1.5', 'soon', ' ', '99999999999999999', '0x10'])('are no numbers: %j', (value) => {
    expectRequest({ 'delete-delay': value }, { unknown: ['delete-delay'] });
  });

  it('of received-from may be a list or a string', () => {
    expectRequest({ 'received from': ['IP6', '2001:db8::1'] }, { receivedFrom: '2001:db8::1' });
    expectRequest({ 'received from': '192.0.2.9' }, { receivedFrom: '192.0.2.9' });
    expectRequest({ 'received from': 'IP4 192.0.2.9' }, { receivedFrom: '192.0.2.9' });
    expectRequest({ 'received from': ['IP4', 'phone.example'] }, { unknown: ['received from'] });
  });

  it('of a direction may be one string; one zone alone is no direction', () => {
    expectRequest({ direction: 'pub corp' }, { direction: ['pub', 'corp'] });
    expectRequest({ direction: ['pub'] }, { unknown: ['direction'] });
    expectRequest(
      { direction: ['pub', 'corp', 'third'] },
      { direction: ['pub', 'corp'], unknown: ['direction'] },
    );
  });

  it.each<[string, NgDictionary]>([
    ['lists', { sdp: ['v=0'], 'call-id': ['c'], command: ['offer'], ICE: [['force']] }],
    ['dictionaries', { sdp: { a: 'v=0' }, 'call-id': {}, command: { a: 'b' }, ICE: { force: 'force' } }],
  ])('of a wrong type are as good as absent: %s', (_what, dictionary) => {
    expectRequest(dictionary, { unknown: ['call-id', 'ICE'] });
  });

  it('that are empty are absent', () => {
    expectRequest(
      { sdp: '', 'call-id': '', 'to-tag': '', command: '', ICE: '', flags: '', direction: [] },
      {
        unknown: ['direction'],
      },
    );
  });

  it('of a wrong type in lists are left out', () => {
    expectRequest(
      { flags: [['reset'], { a: 'b' }, 5, 'fatal'] },
      { flags: new Set(['fatal']), unknown: ['5'] },
    );
  });

  it('of supports are features', () => {
    expectRequest({ supports: ['load-limit'] }, { supports: new Set(['load limit']) });
  });
});

describe('what means nothing here', () => {
  it.each([
    'record-call=yes',
    'loop-protect',
    'symmetric',
    'generate-mid',
    'codec-strip-opus',
    'codec-mask=all',
    'ptime=20',
    'TOS=184',
    'label=callee',
    'metadata=x',
    'ICE-lite=both',
    'T38-decode',
    'OSRTP-accept',
    'trickle-ICE',
    'codec=[transcode=[PCMA PCMU] strip=[EVS]]',
  ])('and is known to is passed over: %s', (words) => {
    expect(parseNgRequest({ 'rtpp-flags': words })).toEqual(NOTHING);
  });

  it('and is not known is told by name, without its value, once', () => {
    expectRequest(
      { brew: 'secret-tea', flags: ['milk', 'sugar=two', 'milk'], 'rtpp-flags': 'sugar=three lemon' },
      { unknown: ['brew', 'milk', 'sugar', 'lemon'] },
    );
  });

  it.each([
    'ICE=maybe',
    'DTLS=sideways',
    'SDES-sometimes',
    'transport-protocol=RTP/XYZ',
    'rtcp-mux-perhaps',
    'replace-everything',
    'address-family=IP5',
    'media-address=example.com',
    'block-DTMF',
    'all=some',
    'sdp=v=0',
    'command=delete',
  ])('in a value or flag is told too: %s', (word) => {
    expectFlag(word, { unknown: [word.split('=')[0] as string] });
  });

  it('is told in bounds, whatever comes', () => {
    const { unknown } = parseNgRequest({
      flags: Array.from({ length: 500 }, (_, i) => `${i}\n${'x'.repeat(500)}`),
    });
    expect(unknown).toHaveLength(16);
    for (const name of unknown) expect(name).toMatch(/^\d+\?x+$/);
    expect(Math.max(...unknown.map((name) => name.length))).toBe(64);
  });

  it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])('may have any name: %s', (name) => {
    const dictionary = emptyDictionary<string>();
    dictionary[name] = 'x';
    expectRequest(dictionary, { unknown: [name] });
    expectFlag(name, { unknown: [name] });
  });
});
