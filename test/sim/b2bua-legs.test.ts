/** Media between legs of every kind, both ways, to the byte. */
import { afterEach, describe, expect, it } from 'vitest';
import type { LineOptions } from '../kit/b2bua-phone.ts';
import { B2buaSim } from '../kit/b2bua-sim.ts';

const CM_80 = 'AES_CM_128_HMAC_SHA1_80';
const CM_32 = 'AES_CM_128_HMAC_SHA1_32';
const GCM_128 = 'AEAD_AES_128_GCM';
const GCM_256 = 'AEAD_AES_256_GCM';

const secure = (...suites: string[]): LineOptions => ({ protocol: 'RTP/SAVP', suites });
const PLAIN: LineOptions = {};

let sim: B2buaSim;
afterEach(() => expect(sim.end()).toEqual([]));

describe('a call', () => {
  const cases: readonly (readonly [string, LineOptions, LineOptions, string])[] = [
    ['plain to plain', PLAIN, PLAIN, 'RTP/AVP'],
    ['SRTP to plain', secure(CM_80), PLAIN, 'RTP/AVP'],
    ['plain to SRTP', PLAIN, secure(CM_80), 'RTP/SAVP'],
    ['SRTP to SRTP, the same suite', secure(CM_80), secure(CM_80), 'RTP/SAVP'],
    ['SRTP to SRTP, _32 to _80', secure(CM_32), secure(CM_80), 'RTP/SAVP'],
    ['SRTP to SRTP, CM to GCM', secure(CM_80), secure(GCM_128), 'RTP/SAVP'],
    ['SRTP to SRTP, GCM to GCM', secure(GCM_256), secure(GCM_256), 'RTP/SAVP'],
  ];
  it.each(cases)('%s carries RTP and RTCP both ways', (_name, a, b, protocol) => {
    sim = new B2buaSim();
    const caller = sim.phone({ address: '203.0.113.10', lines: [a] });
    const callee = sim.phone({ address: '10.0.0.20', lines: [b] });
    const call = sim.call(caller, callee).setUp({ 'transport-protocol': protocol });
    expect(call.converse()).toEqual([]);
    expect(sim.node.drops).toEqual({});
  });
});
