/** How a line is offered, by what came, what the proxy wants and what the zones allow. */
import { afterEach, describe, expect, it } from 'vitest';
import type { NgDictionary } from '../../../src/b2bua/ng-request.ts';
import type { ZoneSettings } from '../../../src/b2bua/settings.ts';
import { SRTP_SUITES } from '../../../src/b2bua/srtp/suites.ts';
import { EXTERNAL, INTERNAL } from '../../kit/b2bua-node.ts';
import {
  audio,
  CM_32,
  CM_80,
  crypto,
  GCM_256,
  keysIn,
  mediaLines,
  reasonOf,
  SignallingRig,
  sdpOf,
  suitesIn,
} from './signalling-rig.ts';

type Mode = ZoneSettings['mediaEncryption'];

let rig: SignallingRig;
afterEach(() => expect(rig.end()).toEqual([]));

/** A rig whose zones have these modes. */
function between(from: Mode, to: Mode, aesGcm = true): SignallingRig {
  rig = new SignallingRig({
    zones: [
      { ...EXTERNAL, mediaEncryption: from, aesGcm },
      { ...INTERNAL, mediaEncryption: to, aesGcm },
    ],
  });
  return rig;
}

/** What a phone offers, by its short name. */
const OFFERS: Readonly<Record<string, readonly string[]>> = {
  AVP: audio('RTP/AVP'),
  AVPF: audio('RTP/AVPF'),
  SAVP: audio('RTP/SAVP', crypto(1, CM_80)),
  SAVPF: audio('RTP/SAVPF', crypto(1, CM_80)),
  'AVP+crypto': audio('RTP/AVP', crypto(1, CM_80)),
  DTLS: audio('UDP/TLS/RTP/SAVP', 'fingerprint:sha-256 00:11', 'setup:actpass'),
};

/** The protocol of the offer that comes out, `+crypto` if it is not said by it; or the error. */
function offeredAs(sdp: string, keys: NgDictionary): string {
  let out = '';
  const reason = (): void => {
    out = rig.offer(sdp, keys);
  };
  try {
    reason();
  } catch (error) {
    return (error as Error).message;
  }
  const protocol = /^m=audio \d+ (\S+)/m.exec(out)?.[1] ?? '';
  const hasKeys = keysIn(out).length > 0;
  if (protocol.includes('SAVP') !== hasKeys)
    return hasKeys ? `${protocol}+crypto` : `${protocol} without keys`;
  return protocol;
}

const NOT_SERVED = 'No line of the offer can be served: audio UDP/TLS/RTP/SAVP';
const NO_DTLS = 'transport-protocol UDP/TLS/RTP/SAVPF: keys are exchanged by SDES only';

describe('a line offered into a zone', () => {
  /** [mode of the zone, what came, transport-protocol, what goes out] */
  const cases: readonly (readonly [Mode, keyof typeof OFFERS, string, string])[] = [
    // As offered, where neither zone nor proxy has a wish.
    ['auto', 'AVP', '', 'RTP/AVP'],
    ['auto', 'AVPF', '', 'RTP/AVPF'],
    ['auto', 'SAVP', '', 'RTP/SAVP'],
    ['auto', 'SAVPF', '', 'RTP/SAVPF'],
    ['auto', 'AVP+crypto', '', 'RTP/AVP+crypto'],
    ['auto', 'DTLS', '', NOT_SERVED],
    // The proxy decides.
    ['auto', 'AVP', 'RTP/AVP', 'RTP/AVP'],
    ['auto', 'AVP', 'RTP/AVPF', 'RTP/AVPF'],
    ['auto', 'AVP', 'RTP/SAVP', 'RTP/SAVP'],
    ['auto', 'AVP', 'RTP/SAVPF', 'RTP/SAVPF'],
    ['auto', 'AVP', 'UDP/TLS/RTP/SAVPF', NO_DTLS],
    ['auto', 'AVP', 'accept', 'RTP/AVP'],
    ['auto', 'SAVP', 'RTP/AVP', 'RTP/AVP'],
    ['auto', 'SAVPF', 'RTP/AVP', 'RTP/AVP'],
    ['auto', 'SAVP', 'RTP/SAVPF', 'RTP/SAVPF'],
    ['auto', 'SAVP', 'accept', 'RTP/SAVP'],
    ['auto', 'AVP+crypto', 'RTP/AVP', 'RTP/AVP'],
    ['auto', 'AVP+crypto', 'RTP/SAVP', 'RTP/SAVP'],
    ['auto', 'DTLS', 'RTP/SAVP', NOT_SERVED],
    // Encrypted, whatever anybody wants.
    ['force', 'AVP', '', 'RTP/SAVP'],
    ['force', 'AVPF', '', 'RTP/SAVPF'],
    ['force', 'SAVP', '', 'RTP/SAVP'],
    ['force', 'AVP+crypto', '', 'RTP/SAVP'],
    ['force', 'SAVP', 'RTP/AVP', 'RTP/SAVP'],
    ['force', 'AVP', 'RTP/AVPF', 'RTP/SAVPF'],
    ['force', 'AVP', 'RTP/SAVP', 'RTP/SAVP'],
    ['force', 'AVP', 'UDP/TLS/RTP/SAVPF', NO_DTLS],
    // Unencrypted, unless the proxy is the stricter one.
    ['off', 'AVP', '', 'RTP/AVP'],
    ['off', 'SAVP', '', 'RTP/AVP'],
    ['off', 'SAVPF', '', 'RTP/AVPF'],
    ['off', 'AVP+crypto', '', 'RTP/AVP'],
    ['off', 'SAVP', 'RTP/AVP', 'RTP/AVP'],
    ['off', 'AVP', 'RTP/SAVP', 'RTP/SAVP'],
    // Encryption is offered, and may be left (RFC 8643).
    ['bestEffort', 'AVP', '', 'RTP/AVP+crypto'],
    ['bestEffort', 'AVPF', '', 'RTP/AVPF+crypto'],
    ['bestEffort', 'SAVP', '', 'RTP/AVP+crypto'],
    ['bestEffort', 'AVP+crypto', '', 'RTP/AVP+crypto'],
    ['bestEffort', 'SAVP', 'RTP/AVP', 'RTP/AVP+crypto'],
    ['bestEffort', 'AVP', 'RTP/SAVP', 'RTP/SAVP'],
    ['bestEffort', 'AVP', 'RTP/SAVPF', 'RTP/SAVPF'],
  ];
  it.each(cases)(
    'of mode %s: %s with transport-protocol "%s" becomes %s',
    (mode, offer, transport, result) => {
      between('auto', mode);
      const keys = { 'transport-protocol': transport };
      expect(offeredAs(sdpOf('192.0.2.1', OFFERS[offer] ?? []), keys)).toBe(result);
    },
  );
});

describe('a line offered from a zone', () => {
  const FORCES = (what: string): string =>
    `Zone external forces encrypted media: line 1 (${what}) offers none`;
  const FORBIDS = (what: string): string =>
    `Zone external forces unencrypted media: line 1 (${what}) is encrypted`;
  const cases: readonly (readonly [Mode, keyof typeof OFFERS, string])[] = [
    ['force', 'AVP', FORCES('audio RTP/AVP')],
    ['force', 'AVPF', FORCES('audio RTP/AVPF')],
    ['force', 'SAVP', 'RTP/SAVP'],
    ['force', 'AVP+crypto', 'RTP/AVP+crypto'],
    ['off', 'AVP', 'RTP/AVP'],
    ['off', 'SAVP', FORBIDS('audio RTP/SAVP')],
    ['off', 'SAVPF', FORBIDS('audio RTP/SAVPF')],
    ['off', 'AVP+crypto', 'RTP/AVP+crypto'],
    ['bestEffort', 'AVP', 'RTP/AVP'],
    ['bestEffort', 'SAVP', 'RTP/SAVP'],
    ['auto', 'DTLS', NOT_SERVED],
  ];
  it.each(cases)('of mode %s: %s gives %s', (mode, offer, result) => {
    between(mode, 'auto');
    expect(offeredAs(sdpOf('192.0.2.1', OFFERS[offer] ?? []), {})).toBe(result);
  });

  it('that forces encryption is never answered without, though keys were offered that it does not allow', () => {
    between('force', 'auto', false);
    expect(rig.refusedOffer(sdpOf('192.0.2.1', audio('RTP/AVP', crypto(1, GCM_256))))).toBe(
      'No line of the offer can be served: audio RTP/AVP',
    );
    expect(rig.refusedOffer(sdpOf('192.0.2.1', audio('RTP/SAVP', 'crypto:1 NULL inline:x')))).toBe(
      'No line of the offer can be served: audio RTP/SAVP',
    );
  });

  it('is refused by its number, and the other lines with it', () => {
    between('force', 'auto');
    const lines = [audio('RTP/SAVP', crypto(1, CM_80)), ['m=video 40002 RTP/AVP 96']];
    expect(rig.refusedOffer(sdpOf('192.0.2.1', ...lines))).toBe(
      'Zone external forces encrypted media: line 2 (video RTP/AVP) offers none',
    );
  });
});

describe('suites', () => {
  const ALL = [
    ...['AEAD_AES_256_GCM', 'AEAD_AES_128_GCM', 'AES_CM_128_HMAC_SHA1_80', 'AES_CM_128_HMAC_SHA1_32'],
    ...['AES_256_CM_HMAC_SHA1_80', 'AES_256_CM_HMAC_SHA1_32', 'AES_192_CM_HMAC_SHA1_80'],
    'AES_192_CM_HMAC_SHA1_32',
  ];
  const WITHOUT_GCM = ALL.slice(2);
  const CM = 'AES_CM_128_HMAC_SHA1_80';

  /** [SDES, whether the zone has GCM, suites that are offered to a plain phone's callee] */
  const cases: readonly (readonly [readonly string[], boolean, readonly string[]])[] = [
    [[], true, ALL],
    [[], false, WITHOUT_GCM],
    [['pad'], false, WITHOUT_GCM],
    [[`only-${CM}`], true, [CM]],
    [['only-AES_256_CM_HMAC_SHA1_80', `only-${CM}`], true, [CM, 'AES_256_CM_HMAC_SHA1_80']],
    [['only-AEAD_AES_256_GCM'], false, ['AEAD_AES_256_GCM']],
    [[`no-${CM}`], false, WITHOUT_GCM.filter((name) => name !== CM)],
    [['no-AEAD_AES_256_GCM', 'no-AEAD_AES_128_GCM'], true, WITHOUT_GCM],
    [[`only-${CM}`, `no-${CM}`], false, [CM]],
    [
      [`order:AES_192_CM_HMAC_SHA1_32;XYZ;${CM}`],
      false,
      ['AES_192_CM_HMAC_SHA1_32', CM, ...WITHOUT_GCM.filter((n) => n !== CM).slice(0, -1)],
    ],
    [['order:AEAD_AES_256_GCM'], false, WITHOUT_GCM],
  ];
  it.each(cases)('with SDES %j and GCM %s are %j', (sdes, aesGcm, suites) => {
    between('auto', 'auto', aesGcm);
    const sdp = rig.offer(sdpOf('192.0.2.1', audio()), { 'transport-protocol': 'RTP/SAVP', SDES: sdes });
    expect(suitesIn(sdp)).toEqual(suites);
    expect(new Set(keysIn(sdp)).size).toBe(suites.length);
  });

  it('may be limited to those of the offerer', () => {
    between('auto', 'auto');
    const offer = sdpOf('192.0.2.1', audio('RTP/SAVP', crypto(3, CM_32), crypto(9, CM_80)));
    expect(suitesIn(rig.offer(offer, { SDES: ['nonew'] }))).toEqual([CM_80, CM_32]);
    expect(suitesIn(rig.offer(offer, { SDES: ['nonew', `no-${CM_80}`] }))).toEqual([CM_80, CM_32]);
  });

  it('of which none is left are an error where the line must be encrypted, and plain RTP where it need not', () => {
    for (const [mode, sdes] of [
      ['force', 'off'],
      ['auto', 'off'],
      ['auto', 'nonew'],
      ['force', 'only-F8_128_HMAC_SHA1_80'],
    ] as const) {
      between('auto', mode);
      const keys = { 'transport-protocol': 'RTP/SAVP', SDES: [sdes] };
      expect(rig.refusedOffer(sdpOf('192.0.2.1', audio()), keys)).toBe(
        'Zone internal needs encrypted media, and no SDES suite is left to offer',
      );
    }
    between('auto', 'bestEffort');
    expect(offeredAs(sdpOf('192.0.2.1', audio()), { SDES: ['off'] })).toBe('RTP/AVP');
  });

  it('have keys of their lengths, with the padding that phones need', () => {
    between('auto', 'auto');
    const sdp = rig.offer(sdpOf('192.0.2.1', audio()), { 'transport-protocol': 'RTP/SAVP' });
    for (const [i, key] of keysIn(sdp).entries()) {
      const suite = SRTP_SUITES.find(({ name }) => name === suitesIn(sdp)[i]);
      expect(Buffer.from(key, 'base64').length).toBe((suite?.keyBytes ?? 0) + (suite?.saltBytes ?? 0));
      expect(key.length % 4).toBe(0);
    }
  });
});

describe('an answer', () => {
  const OFFER = sdpOf('192.0.2.1', audio());
  const NO_KEY = 'Line 1 of the answer takes none of the SDES keys that were offered';

  it('to an encrypted offer must take a key that was offered', () => {
    between('auto', 'force');
    const offered = suitesIn(rig.offer(OFFER));
    const tag = offered.indexOf(CM_80) + 1;
    const refused = (...attributes: string[]): string =>
      rig.refusedAnswer(sdpOf('10.0.0.20', audio('RTP/SAVP', ...attributes)));
    expect(refused()).toBe(NO_KEY);
    expect(refused(crypto(tag + 1, CM_80))).toBe(NO_KEY);
    expect(refused(`crypto:${tag} ${CM_80} inline:short`)).toBe(NO_KEY);
    expect(refused('crypto:1 F8_128_HMAC_SHA1_80 inline:x')).toBe(NO_KEY);
    expect(rig.refusedAnswer(sdpOf('10.0.0.20', audio()))).toBe(NO_KEY);
    expect(rig.report().isAnswered).toBe(false);
    expect(mediaLines(rig.answer(sdpOf('10.0.0.20', audio('RTP/SAVP', crypto(tag, CM_80)))))).toEqual([
      'm=audio P1 RTP/AVP 0 101',
    ]);
  });

  it('may not take a suite that was not offered', () => {
    between('auto', 'force', false);
    rig.offer(OFFER, { SDES: [`only-${CM_80}`] });
    for (const suite of [CM_32, GCM_256]) {
      const answer = sdpOf('10.0.0.20', audio('RTP/SAVP', crypto(1, suite)));
      expect(reasonOf(() => rig.answer(answer))).toBe(NO_KEY);
    }
  });

  it('may refuse the line instead', () => {
    between('auto', 'force');
    rig.offer(OFFER);
    expect(mediaLines(rig.answer(sdpOf('10.0.0.20', ['m=audio 0 RTP/SAVP 0'])))).toEqual([
      'm=audio 0 RTP/AVP 0',
    ]);
  });

  it('to best effort may leave encryption, take it, or take it wrongly', () => {
    between('auto', 'bestEffort', false);
    rig.offer(OFFER);
    rig.answer(sdpOf('10.0.0.20', audio()));
    expect(suitesInUse()).toEqual([null, null]);
    rig.answer(sdpOf('10.0.0.20', audio('RTP/AVP', crypto(2, CM_32))));
    expect(suitesInUse()).toEqual([CM_32, CM_32]);
    expect(rig.refusedAnswer(sdpOf('10.0.0.20', audio('RTP/AVP', crypto(7, CM_32))))).toBe(NO_KEY);
    expect(rig.refusedAnswer(sdpOf('10.0.0.20', audio('RTP/SAVP')))).toBe(NO_KEY);
    expect(suitesInUse()).toEqual([CM_32, CM_32]);
  });

  it('to a plain offer cannot be encrypted; a key in it means nothing', () => {
    between('auto', 'off');
    rig.offer(OFFER);
    expect(rig.refusedAnswer(sdpOf('10.0.0.20', audio('RTP/SAVP', crypto(1, CM_80))))).toBe(NO_KEY);
    rig.answer(sdpOf('10.0.0.20', audio('RTP/AVP', crypto(1, CM_80))));
    expect(suitesInUse()).toEqual([null, null]);
  });

  it('to an encrypted offer has one key of ours, under the tag of the first that the zone allows', () => {
    between('auto', 'auto', false);
    rig.offer(sdpOf('192.0.2.1', audio('RTP/SAVP', crypto(4, GCM_256), crypto(7, CM_32), crypto(9, CM_80))), {
      'transport-protocol': 'RTP/AVP',
    });
    const answer = sdpOf('10.0.0.20', audio());
    expect(mediaLines(rig.answer(answer))).toEqual([
      'm=audio P1 RTP/SAVP 0 101',
      `a=crypto:7 ${CM_32} inline:K1`,
    ]);
    expect(mediaLines(rig.answer(answer, { SDES: [`order:${CM_80}`] }))).toEqual([
      'm=audio P1 RTP/SAVP 0 101',
      `a=crypto:9 ${CM_80} inline:K1`,
    ]);
  });

  it('to tried encryption has it if the zone does not forbid it', () => {
    const tried = sdpOf('192.0.2.1', audio('RTP/AVP', crypto(1, CM_80)));
    const plain = { 'transport-protocol': 'RTP/AVP' };
    for (const mode of ['auto', 'force', 'bestEffort'] as const) {
      between(mode, 'auto').offer(tried, plain);
      expect(suitesIn(rig.answer(sdpOf('10.0.0.20', audio())))).toEqual([CM_80]);
      expect(suitesInUse(0)).toEqual([CM_80, CM_80]);
    }
    between('off', 'auto').offer(tried, plain);
    expect(suitesIn(rig.answer(sdpOf('10.0.0.20', audio())))).toEqual([]);
  });

  it('restores the transport of the offer', () => {
    for (const [protocol, ...attributes] of [
      ['RTP/AVPF'],
      ['RTP/SAVP', crypto(1, CM_80)],
      ['RTP/SAVPF', crypto(1, CM_80)],
    ] as const) {
      between('auto', 'auto').offer(sdpOf('192.0.2.1', audio(protocol, ...attributes)), {
        'transport-protocol': 'RTP/AVP',
      });
      expect(mediaLines(rig.answer(sdpOf('10.0.0.20', audio())))[0]).toBe(`m=audio P1 ${protocol} 0 101`);
    }
  });
});

describe('a side that was offered encryption by the proxy against its zone', () => {
  it('goes on with it in its own offers', () => {
    between('auto', 'off', false);
    rig.offer(sdpOf('192.0.2.1', audio()), {
      'transport-protocol': 'RTP/SAVP',
      SDES: ['only-AEAD_AES_256_GCM'],
    });
    rig.answer(sdpOf('10.0.0.20', audio('RTP/SAVP', crypto(1, GCM_256))));
    rig.offerBack(sdpOf('10.0.0.20', audio('RTP/SAVP', crypto(1, GCM_256))));
    expect(suitesIn(rig.answerBack(sdpOf('192.0.2.1', audio())))).toEqual([GCM_256]);
  });
});

describe('a further offer without transport-protocol', () => {
  it('leaves each side its own transport', () => {
    between('auto', 'auto');
    rig.offer(sdpOf('192.0.2.1', audio('RTP/SAVPF', crypto(1, CM_80))), { 'transport-protocol': 'RTP/AVP' });
    rig.answer(sdpOf('10.0.0.20', audio()));
    expect(offeredAs(sdpOf('10.0.0.20', audio()), { 'from-tag': 'B', 'to-tag': 'A' })).toBe('RTP/SAVPF');
    rig.answerBack(sdpOf('192.0.2.1', audio('RTP/SAVPF', crypto(1, CM_80))));
    expect(offeredAs(sdpOf('192.0.2.1', audio('RTP/SAVPF', crypto(1, CM_80))), { 'to-tag': 'B' })).toBe(
      'RTP/AVP',
    );
  });
});

/** [received, sent] of the callee, or of another leg. */
function suitesInUse(leg = 1): (string | null | undefined)[] {
  const line = rig.report().legs[leg]?.lines[0];
  return [line?.receivedSuite, line?.sentSuite];
}
