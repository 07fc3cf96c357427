import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SdpDocument } from '../../../src/wire/sdp.ts';
import {
  formatCandidate,
  formatRemoteCandidates,
  parseCandidate,
  parseRemoteCandidates,
} from '../../../src/wire/sdp-candidate.ts';
import { holds } from '../../fuzz/seeded.ts';
import { CORPUS } from './sdp-corpus.ts';

const HOST = '1 1 UDP 2130706431 203.0.113.141 8998 typ host';

describe('a=candidate', () => {
  it('of phones and browsers is read and written as it came', () => {
    const values = Object.values(CORPUS).flatMap((text) =>
      (SdpDocument.parse(text)?.media ?? []).flatMap((media) => media.attributes('candidate')),
    );
    expect(values.length).toBeGreaterThan(6);
    for (const value of values) {
      const candidate = parseCandidate(value);
      expect(candidate && formatCandidate(candidate)).toBe(value);
    }
  });

  it('has the fields of RFC 8839 §5.1', () => {
    expect(
      parseCandidate('2 1 UDP 1694498815 192.0.2.3 45664 typ srflx raddr 203.0.113.141 rport 8998'),
    ).toEqual({
      foundation: '2',
      componentId: 1,
      transport: 'UDP',
      priority: 1694498815,
      address: '192.0.2.3',
      port: 45664,
      type: 'srflx',
      relatedAddress: '203.0.113.141',
      relatedPort: 8998,
      extensions: '',
    });
    const active = parseCandidate('a+/9 256 tcp 1 0c2e.local 9 typ host tcptype active generation 0');
    expect(active).toMatchObject({ componentId: 256, transport: 'tcp', address: '0c2e.local', port: 9 });
    expect(active).toMatchObject({ relatedAddress: undefined, extensions: 'tcptype active generation 0' });
  });

  it('may lack raddr and rport, or have a host name or IPv6 address', () => {
    expect(parseCandidate(HOST.replace('host', 'relay'))).toMatchObject({
      type: 'relay',
      relatedPort: undefined,
    });
    expect(parseCandidate(HOST.replace('203.0.113.141', 'turn.example.com'))).toBeDefined();
    expect(parseCandidate(HOST.replace('203.0.113.141', '2001:db8::9'))).toBeDefined();
    expect(parseCandidate(HOST.replaceAll(' ', '   '))).toEqual(parseCandidate(HOST));
  });

  it('is none if malformed', () => {
    const malformed = [
      '',
      HOST.replace('1 1', '1'),
      HOST.replace('1 1', `${'1'.repeat(33)} 1`),
      HOST.replace('1 1', 'a-b 1'),
      HOST.replace('1 1', '1 0'),
      HOST.replace('1 1', '1 257'),
      HOST.replace('UDP', 'U(P'),
      HOST.replace('2130706431', '0'),
      HOST.replace('2130706431', '2147483648'),
      HOST.replace('2130706431', '1e3'),
      HOST.replace('203.0.113.141', '203.0.113.141%eth0'),
      HOST.replace('203.0.113.141', 'fe80::1%eth0'),
      HOST.replace('203.0.113.141', 'a:b'),
      HOST.replace('8998', '65536'),
      HOST.replace('typ ', ''),
      HOST.replace('typ ', 'type '),
      HOST.replace('typ host', 'typ'),
      `${HOST} raddr 1:2 rport 9`,
      `${HOST} raddr 192.0.2.1 rport 65536`,
      `${HOST} rport x`,
    ];
    for (const value of malformed) expect(parseCandidate(value), value).toBeUndefined();
    expect(parseCandidate(HOST)).toBeDefined();
  });

  it('of any fields comes back as it was written', () => {
    const address = fc.oneof(fc.ipV4(), fc.constantFrom('2001:db8::1', 'a.local', 'host.example.com'));
    const candidate = fc.record({
      foundation: fc.stringMatching(/^[A-Za-z0-9+/]{1,32}$/),
      componentId: fc.integer({ min: 1, max: 256 }),
      transport: fc.constantFrom('UDP', 'udp', 'TCP'),
      priority: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
      address,
      port: fc.nat(65_535),
      type: fc.constantFrom('host', 'srflx', 'prflx', 'relay'),
      relatedAddress: fc.option(address, { nil: undefined }),
      relatedPort: fc.option(fc.nat(65_535), { nil: undefined }),
      extensions: fc.constantFrom('', 'tcptype active', 'generation 0 ufrag x/+ network-id 1'),
    });
    holds(
      fc.property(candidate, (fields) => {
        expect(parseCandidate(formatCandidate(fields))).toEqual(fields);
      }),
      1000,
    );
  });
});

describe('a=remote-candidates', () => {
  it('names an address for each component', () => {
    const value = '1 192.0.2.3 45664 2 2001:db8::1 45665';
    expect(parseRemoteCandidates(value)).toEqual([
      { componentId: 1, address: '192.0.2.3', port: 45664 },
      { componentId: 2, address: '2001:db8::1', port: 45665 },
    ]);
    expect(formatRemoteCandidates(parseRemoteCandidates(value) ?? [])).toBe(value);
  });

  it('is none if malformed', () => {
    for (const value of [
      '',
      '1',
      '1 192.0.2.3',
      '0 192.0.2.3 1',
      '1 192.0.2.3 65536',
      '1 192.0.2.3 1 2',
      '1 ? 1',
    ]) {
      expect(parseRemoteCandidates(value), value).toBeUndefined();
    }
  });
});
