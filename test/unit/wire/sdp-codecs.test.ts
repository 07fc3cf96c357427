import { describe, expect, it } from 'vitest';
import { SdpDocument, type SdpMedia } from '../../../src/wire/sdp.ts';
import { clockRates, silenceBytes } from '../../../src/wire/sdp-codecs.ts';

function media(...lines: readonly string[]): SdpMedia {
  const text = ['v=0', 'o=- 1 1 IN IP4 192.0.2.1', ...lines].join('\n');
  const first = SdpDocument.parse(text)?.media[0];
  if (!first) throw new Error(text);
  return first;
}

describe('clock rates', () => {
  it('come from a=rtpmap, with or without parameters', () => {
    const rates = clockRates(
      media('m=audio 9 RTP/AVP 96 97', 'a=rtpmap:96 opus/48000/2', 'a=rtpmap:97 G7221/16000'),
    );
    expect([rates[96], rates[97]]).toEqual([48_000, 16_000]);
  });

  it('of static payload types are those of RFC 3551, unless a=rtpmap says otherwise', () => {
    const rates = clockRates(media('m=audio 9 RTP/AVP 0 9 10 6', 'a=rtpmap:6 DVI4/32000'));
    expect([rates[0], rates[9], rates[10], rates[34], rates[6]]).toEqual([
      8000, 8000, 44_100, 90_000, 32_000,
    ]);
  });

  it('of unknown payload types are the usual ones of the media, never 0', () => {
    const broken = [
      'a=rtpmap:96 x/0',
      'a=rtpmap:97 x',
      'a=rtpmap:98',
      'a=rtpmap:128 x/1',
      'a=rtpmap:99 x/4294967296',
    ];
    expect(new Set(clockRates(media('m=audio 9 RTP/AVP 96', ...broken)).subarray(96))).toEqual(
      new Set([8000]),
    );
    expect(new Set(clockRates(media('m=video 9 RTP/AVP 96', ...broken)).subarray(96))).toEqual(
      new Set([90_000]),
    );
    expect(clockRates(media('m=audio 9 RTP/AVP 96', ...broken))).toHaveLength(128);
  });
});

describe('silence', () => {
  it('is one byte for PCMU and PCMA, under whatever number they go', () => {
    const silence = silenceBytes(
      media(
        'm=audio 9 RTP/AVP 0 8 96 97 9',
        'a=rtpmap:96 pcma/16000',
        'a=rtpmap:97 PCMU/8000',
        'a=rtpmap:98 L16/8000',
      ),
    );
    expect([0, 8, 96, 97, 98, 9, 127].map((type) => silence[type])).toEqual([
      0xff, 0xd5, 0xd5, 0xff, 0, -1, -1,
    ]);
  });

  it('goes with the encoding that a=rtpmap gives a static number', () => {
    expect(silenceBytes(media('m=audio 9 RTP/AVP 0', 'a=rtpmap:0 opus/48000/2'))[0]).toBe(-1);
  });
});
