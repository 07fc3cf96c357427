import { describe, expect, it } from 'vitest';
import { hostCandidateLine } from '../../../src/ice/candidates.ts';

function priorityOf(component: number, localPreference: number): number {
  return Number(hostCandidateLine(component, '192.0.2.1', 36_000, localPreference).split(' ')[3]);
}

function foundationOf(address: string, port = 36_000, component = 1): string {
  return hostCandidateLine(component, address, port, 0).split(' ')[0] as string;
}

describe('hostCandidateLine', () => {
  it('writes a candidate as RFC 8839 §5.1 has it', () => {
    expect(hostCandidateLine(1, '192.0.2.1', 36_000, 65_535)).toBe(
      'c0000201 1 UDP 2130706431 192.0.2.1 36000 typ host',
    );
    expect(hostCandidateLine(2, '2001:db8::1', 36_001, 65_534)).toBe(
      '20010db8000000000000000000000001 2 UDP 2130706174 2001:db8::1 36001 typ host',
    );
  });

  it('prefers by local preference first, then by component (RFC 8445 §5.1.2.1)', () => {
    expect(priorityOf(1, 65_535)).toBe(126 * 2 ** 24 + 65_535 * 2 ** 8 + 255);
    expect(priorityOf(2, 65_535)).toBeGreaterThan(priorityOf(1, 65_534));
    expect(priorityOf(2, 0)).toBe(126 * 2 ** 24 + 254);
  });

  it('has one foundation an address, of at most 32 ice-chars (RFC 8839 §5.1)', () => {
    expect(foundationOf('192.0.2.1', 36_001, 2)).toBe(foundationOf('192.0.2.1'));
    expect(foundationOf('2001:db8::1')).toBe(foundationOf('2001:DB8:0::1'));
    const foundations = ['192.0.2.1', '192.0.2.2', '2001:db8::1', 'ffff::ffff'].map((text) =>
      foundationOf(text),
    );
    expect(new Set(foundations).size).toBe(4);
    for (const foundation of foundations) expect(foundation).toMatch(/^[A-Za-z0-9+/]{1,32}$/);
  });

  it('refuses what is no address', () => {
    expect(() => hostCandidateLine(1, 'phone.local', 36_000, 0)).toThrow(
      new RangeError('a candidate\'s address must be IPv4 or IPv6: got "phone.local"'),
    );
  });
});
