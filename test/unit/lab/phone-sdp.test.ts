/** What phones write, they read. */
import { describe, expect, it } from 'vitest';
import type { AgentCandidate } from '../../../lab/phone/ice-candidates.ts';
import { defaultCandidate, priorityOf } from '../../../lab/phone/ice-candidates.ts';
import { type IceDescription, readIceSdp, writeIceSdp } from '../../../lab/phone/ice-sdp.ts';

const RTP = { address: '192.0.2.1', port: 5000 };
const RTCP = { address: '192.0.2.1', port: 5001 };

function candidate(type: AgentCandidate['type'], address: string): AgentCandidate {
  return { component: 1, type, place: { address, port: 5000 }, priority: priorityOf(type, 1) };
}

const CANDIDATES = [
  candidate('host', '192.168.1.11'),
  candidate('srflx', '203.0.113.2'),
  candidate('relay', '198.51.100.10'),
];

const DESCRIPTION: IceDescription = {
  version: 3,
  defaults: [RTP],
  key: { tag: 1, suite: 'AEAD_AES_128_GCM', keyAndSalt: Buffer.alloc(28, 7) },
  credentials: { ufrag: 'abcdefgh', pwd: 'abcdefghijklmnopqrstuvwx' },
  candidates: CANDIDATES,
  iceOptions: 'ice2',
};

describe('a description', () => {
  it('is read as it was written', () => {
    const text = writeIceSdp({ ...DESCRIPTION, remoteCandidates: CANDIDATES.slice(0, 1) });
    const read = readIceSdp(text);
    expect(read).toMatchObject({ isRtcpMuxed: true, rtp: RTP, rtcp: RTP });
    expect(read.line).toMatchObject({ media: 'audio', protocol: 'RTP/SAVP', formats: '0' });
    expect(read.credentials).toEqual(DESCRIPTION.credentials);
    expect(read.candidates).toEqual(CANDIDATES);
    expect(read.remoteCandidates).toEqual(['1 192.168.1.11 5000']);
    expect(read.keys).toMatchObject([DESCRIPTION.key]);
    expect(text).toContain('a=ice-options:ice2\r\n');
  });

  it('without a key and without ICE has neither, and RTCP a port beside the one it shares', () => {
    const plain = { ...DESCRIPTION, key: undefined, credentials: undefined, candidates: [] };
    const text = writeIceSdp({ ...plain, defaults: [RTP, RTCP], isRtcpMuxed: true });
    expect(text).not.toMatch(/crypto|ice-ufrag|candidate/);
    const read = readIceSdp(text);
    expect(read).toMatchObject({ keys: [], credentials: undefined, candidates: [], isRtcpMuxed: true });
    expect(read.line.protocol).toBe('RTP/AVP');
    expect(readIceSdp(text.replace('a=rtcp-mux\r\n', '')).rtcp).toEqual(RTCP);
    expect(readIceSdp(text.replace(/a=rtcp.*\r\n/g, '')).rtcp).toEqual(RTCP); // the next port (RFC 3550 §11)
  });

  it('tells of a lite agent, which leaves control to the other (RFC 8445 §6.1.1)', () => {
    const text = writeIceSdp(DESCRIPTION);
    expect(readIceSdp(text).isLite).toBe(false);
    expect(readIceSdp(text.replace('t=0 0\r\n', 't=0 0\r\na=ice-lite\r\n')).isLite).toBe(true);
  });
});

it('the default candidate is the likeliest to be reached (RFC 8445 §5.1.4)', () => {
  const defaults = [3, 2, 1, 0].map((count) => defaultCandidate(CANDIDATES.slice(0, count))?.type);
  expect(defaults).toEqual(['relay', 'srflx', 'host', undefined]);
});
