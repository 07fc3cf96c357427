/** What the payload types of an RTP media description mean: clock rate and silence (RFC 3551, RFC 8866 §6.6). */
import type { SdpMedia } from './sdp.ts';
import { decimal, fieldsOf } from './sdp-fields.ts';

/** RTP's payload type has 7 bits. */
export const PAYLOAD_TYPES = 128;

interface Codec {
  readonly payloadType: number;
  readonly encoding: string;
  /** Hz. */
  readonly clockRate: number;
}

const CLOCK_RATE_DEFAULT = 8000;
const VIDEO_CLOCK_RATE_DEFAULT = 90_000;
const CLOCK_RATE_MAX = 0x7fff_ffff;

/** The static payload types of RFC 3551 §6, tables 4 and 5. G722 counts 8000 a second by an old mistake (§4.5.2). */
const STATIC_CODECS: readonly Codec[] = [
  { payloadType: 0, encoding: 'PCMU', clockRate: 8000 },
  { payloadType: 3, encoding: 'GSM', clockRate: 8000 },
  { payloadType: 4, encoding: 'G723', clockRate: 8000 },
  { payloadType: 5, encoding: 'DVI4', clockRate: 8000 },
  { payloadType: 6, encoding: 'DVI4', clockRate: 16_000 },
  { payloadType: 7, encoding: 'LPC', clockRate: 8000 },
  { payloadType: 8, encoding: 'PCMA', clockRate: 8000 },
  { payloadType: 9, encoding: 'G722', clockRate: 8000 },
  { payloadType: 10, encoding: 'L16', clockRate: 44_100 },
  { payloadType: 11, encoding: 'L16', clockRate: 44_100 },
  { payloadType: 12, encoding: 'QCELP', clockRate: 8000 },
  { payloadType: 13, encoding: 'CN', clockRate: 8000 },
  { payloadType: 14, encoding: 'MPA', clockRate: 90_000 },
  { payloadType: 15, encoding: 'G728', clockRate: 8000 },
  { payloadType: 16, encoding: 'DVI4', clockRate: 11_025 },
  { payloadType: 17, encoding: 'DVI4', clockRate: 22_050 },
  { payloadType: 18, encoding: 'G729', clockRate: 8000 },
  { payloadType: 25, encoding: 'CelB', clockRate: 90_000 },
  { payloadType: 26, encoding: 'JPEG', clockRate: 90_000 },
  { payloadType: 28, encoding: 'nv', clockRate: 90_000 },
  { payloadType: 31, encoding: 'H261', clockRate: 90_000 },
  { payloadType: 32, encoding: 'MPV', clockRate: 90_000 },
  { payloadType: 33, encoding: 'MP2T', clockRate: 90_000 },
  { payloadType: 34, encoding: 'H263', clockRate: 90_000 },
];

/** Encodings whose silence is one byte repeated (RFC 3551 §4.5.14, ITU-T G.711). */
const SILENCE_BYTES: ReadonlyMap<string, number> = new Map([
  ['pcmu', 0xff],
  ['pcma', 0xd5],
  ['l16', 0],
]);

/**
 * The clock rate in Hz of each of the {@link PAYLOAD_TYPES}: by a=rtpmap, else by RFC 3551, else 90,000 for
 * video and 8000 for anything else. Never 0.
 */
export function clockRates(line: SdpMedia): Int32Array {
  const isVideo = line.media === 'video';
  const rates = new Int32Array(PAYLOAD_TYPES).fill(isVideo ? VIDEO_CLOCK_RATE_DEFAULT : CLOCK_RATE_DEFAULT);
  for (const { payloadType, clockRate } of codecs(line)) rates[payloadType] = clockRate;
  return rates;
}

/** The byte that silence is made of, for each of the {@link PAYLOAD_TYPES}; -1 where no single byte does. */
export function silenceBytes(line: SdpMedia): Int16Array {
  const silence = new Int16Array(PAYLOAD_TYPES).fill(-1);
  for (const { payloadType, encoding } of codecs(line)) {
    silence[payloadType] = SILENCE_BYTES.get(encoding.toLowerCase()) ?? -1; // case has no meaning: RFC 8866 §6.6
  }
  return silence;
}

/** The static ones, then those of well-formed a=rtpmap lines, which may give a static number another meaning. */
function codecs(line: SdpMedia): Codec[] {
  const mapped = line.attributes('rtpmap').flatMap((value) => parseRtpMap(value) ?? []);
  return [...STATIC_CODECS, ...mapped];
}

/** `payload-type SP encoding/clock-rate[/parameters]`; undefined if malformed. */
function parseRtpMap(value: string): Codec | undefined {
  const [type = '', description = ''] = fieldsOf(value);
  const [encoding = '', rate = ''] = description.split('/');
  const payloadType = decimal(type, 0, PAYLOAD_TYPES - 1);
  const clockRate = decimal(rate, 1, CLOCK_RATE_MAX);
  if (payloadType === undefined || clockRate === undefined || encoding === '') return undefined;
  return { payloadType, encoding, clockRate };
}
