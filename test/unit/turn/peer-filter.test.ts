import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  DEFAULT_DENIED,
  PEER_ALLOWED,
  PEER_FORBIDDEN,
  PEER_OWN_HOST,
  PEER_OWN_HOST_ALLOWED,
  PEER_OWN_RELAY,
  PeerFilter,
} from '../../../src/turn/peer-filter.ts';
import { formatAddress, type Prefix, parseAddress, parsePrefix } from '../../../src/wire/address.ts';
import { EndpointBook } from '../../../src/wire/endpoint.ts';
import { holds } from '../../fuzz/seeded.ts';

interface Options {
  readonly allow?: readonly string[];
  readonly deny?: readonly string[];
  readonly own?: readonly string[];
  readonly external?: string;
}

const RELAY = '198.51.100.1';
const OWN_PORTS = [3478, 5349, 8080];

function judges({ allow = [], deny = [], own = [], external }: Options): {
  address: (text: string) => number;
  endpoint: (text: string, port: number) => number;
  ownPort: (text: string, port: number) => number;
} {
  const prefixes = (texts: readonly string[]): Prefix[] => texts.map((text) => parsePrefix(text) as Prefix);
  const filter = new PeerFilter({
    relayPorts: [24000, 29999],
    relayAddresses: [{ address: RELAY, external }],
    peers: {
      allow: prefixes(allow),
      deny: prefixes(deny),
      refusal: 'error',
      ownAddresses: own,
      ownPorts: OWN_PORTS,
    },
  });
  const book = new EndpointBook(1, 1);
  const at = (text: string, port: number): number => {
    expect(book.setText(0, text, port), text).toBe(true);
    return 0;
  };
  return {
    address: (text) => filter.judgeAddress(book, at(text, 0)),
    endpoint: (text, port) => filter.judge(book, at(text, port)),
    ownPort: (text, port) => filter.judgeOwnPort(book, at(text, port)),
  };
}

/** First and last address of each block that is no public unicast, with its neighbours outside. */
const BORDERS: readonly (readonly [inside: string, outside: string])[] = [
  ['0.0.0.0', '1.0.0.0'],
  ['0.255.255.255', '1.0.0.0'],
  ['10.0.0.0', '9.255.255.255'],
  ['10.255.255.255', '11.0.0.0'],
  ['100.64.0.0', '100.63.255.255'],
  ['100.127.255.255', '100.128.0.0'],
  ['127.0.0.0', '126.255.255.255'],
  ['127.255.255.255', '128.0.0.0'],
  ['169.254.0.0', '169.253.255.255'],
  ['169.254.169.254', '169.255.0.0'],
  ['172.16.0.0', '172.15.255.255'],
  ['172.31.255.255', '172.32.0.0'],
  ['192.0.0.0', '191.255.255.255'],
  ['192.0.0.255', '192.0.1.0'],
  ['192.88.99.1', '192.88.98.255'],
  ['192.168.0.0', '192.167.255.255'],
  ['192.168.255.255', '192.169.0.0'],
  ['198.18.0.0', '198.17.255.255'],
  ['198.19.255.255', '198.20.0.0'],
  ['224.0.0.0', '223.255.255.255'],
  ['239.255.255.255', '223.255.255.255'],
  ['240.0.0.0', '223.255.255.255'],
  ['255.255.255.255', '223.255.255.255'],
  ['::', '2001:db8::1'],
  ['::1', '2001:db8::1'],
  ['100::', '100:0:0:1::'],
  ['fc00::', 'fbff:ffff::'],
  ['fdff:ffff::', 'fe00::'],
  ['fe80::1', 'fe7f:ffff::'],
  ['febf::1', 'fe7f:ffff::'],
  ['fec0::1', 'fe7f:ffff::'],
  ['feff::1', 'fe7f:ffff::'],
  ['ff02::1', 'fe7f:ffff::'],
  ['ffff::', 'fe7f:ffff::'],
  // Local-use NAT64 (RFC 8215) may carry IPv4 at any of RFC 6052's places: none of it is public.
  ['64:ff9b:1::', '64:ff9b:2::'],
  ['64:ff9b:1:ffff:a:0:100:0', '64:ff9b:2::'],
];

describe('by default', () => {
  it.each(BORDERS)('%s is refused and its neighbour %s is not', (inside, outside) => {
    const judge = judges({});
    expect(judge.address(inside)).toBe(PEER_FORBIDDEN);
    expect(judge.endpoint(inside, 5000)).toBe(PEER_FORBIDDEN);
    expect(judge.address(outside)).toBe(PEER_ALLOWED);
    expect(judge.endpoint(outside, 5000)).toBe(PEER_ALLOWED);
  });
});

/** The ways to write an IPv4 address into an IPv6 one. */
const CARRIERS: Readonly<Record<string, (hex: string) => string>> = {
  'IPv4-mapped': (hex) => `::ffff:${hex}`,
  'IPv4-translated': (hex) => `::ffff:0:${hex}`,
  'IPv4-compatible': (hex) => `::${hex}`,
  NAT64: (hex) => `64:ff9b::${hex}`,
  '6to4': (hex) => `2002:${hex}::1`,
  'Teredo, the server': (hex) => `2001:0:${hex}::${inverted('0808:0808')}`,
  'Teredo, the client': (hex) => `2001:0:808:808::${inverted(hex)}`,
};

function hexOf(ipv4: string): string {
  const hex = Buffer.from(parseAddress(ipv4) as Uint8Array).toString('hex');
  return `${hex.slice(0, 4)}:${hex.slice(4)}`;
}

function inverted(hex: string): string {
  return hex.replaceAll(/[0-9a-f]/g, (digit) => (15 - Number.parseInt(digit, 16)).toString(16));
}

describe.each(Object.entries(CARRIERS))('an IPv4 address inside an IPv6 one (%s)', (_name, carry) => {
  const inside = BORDERS.map(([first]) => first).filter((text) => !text.includes(':'));

  it.each(inside)('is refused where it would be refused alone: %s', (ipv4) => {
    expect(judges({}).address(carry(hexOf(ipv4)))).toBe(PEER_FORBIDDEN);
  });

  it('is judged by deny and allow lists of the address inside', () => {
    const public8 = carry(hexOf('8.8.4.4'));
    expect(judges({}).address(public8)).toBe(PEER_ALLOWED);
    expect(judges({ deny: ['8.8.0.0/16'] }).address(public8)).toBe(PEER_FORBIDDEN);
    const private10 = carry(hexOf('10.1.2.3'));
    expect(judges({ allow: ['10.0.0.0/8'] }).address(private10)).toBe(PEER_ALLOWED);
    expect(judges({ allow: ['10.2.0.0/16'] }).address(private10)).toBe(PEER_FORBIDDEN);
  });

  it('is refused where it is one of our own, relay port or not', () => {
    const ours = carry(hexOf(RELAY));
    expect(judges({}).address(ours)).toBe(PEER_FORBIDDEN);
    expect(judges({}).endpoint(ours, 24000)).toBe(PEER_FORBIDDEN);
    expect(judges({ allow: ['::/0', '0.0.0.0/0'] }).address(ours)).toBe(PEER_FORBIDDEN);
  });
});

describe('allow and deny', () => {
  it('open what is refused by default, and deny has the last word', () => {
    expect(judges({ allow: ['10.0.0.0/8'] }).address('10.1.2.3')).toBe(PEER_ALLOWED);
    expect(judges({ allow: ['10.0.0.0/8'], deny: ['10.1.0.0/16'] }).address('10.1.2.3')).toBe(PEER_FORBIDDEN);
    expect(judges({ deny: ['2001:db8::/32'] }).address('2001:db8::1')).toBe(PEER_FORBIDDEN);
    expect(judges({ deny: [`${RELAY}/32`] }).address(RELAY)).toBe(PEER_FORBIDDEN);
  });

  it('open IPv6 loopback, which is no IPv4 address in disguise', () => {
    expect(judges({ allow: ['::1/128'] }).address('::1')).toBe(PEER_ALLOWED);
    expect(judges({ own: ['::1'] }).address('::1')).toBe(PEER_OWN_RELAY);
    expect(judges({ own: ['::1'] }).endpoint('::1', 24000)).toBe(PEER_OWN_RELAY);
    expect(judges({ allow: ['0.0.0.0/8'] }).address('::1')).toBe(PEER_FORBIDDEN);
  });

  it.each([...DEFAULT_DENIED])('open %s by its own name', (prefix) => {
    const { bytes } = parsePrefix(prefix) as Prefix;
    // Where an IPv4 address is inside, that one is judged as well.
    if (prefix.startsWith('64:')) bytes.set([8, 8, 8, 8], 12);
    const inside = formatAddress(bytes);
    expect(judges({ allow: [prefix] }).address(inside)).toBe(PEER_ALLOWED);
  });
});

describe('an own address', () => {
  const own = { own: ['203.0.113.9'], external: '203.0.113.10' };

  it.each([RELAY, '203.0.113.9', '203.0.113.10'])('is reachable at relay ports alone: %s', (address) => {
    const judge = judges(own);
    expect(judge.address(address)).toBe(PEER_OWN_RELAY);
    for (const port of [24000, 27000, 29999]) {
      expect(judge.endpoint(address, port)).toBe(PEER_OWN_RELAY);
      expect(judge.ownPort(address, port)).toBe(PEER_OWN_RELAY);
    }
    for (const port of [0, 22, 23999, 30000, 65535]) {
      expect(judge.endpoint(address, port)).toBe(PEER_OWN_HOST);
      expect(judge.ownPort(address, port)).toBe(PEER_OWN_HOST);
    }
    for (const port of OWN_PORTS) {
      expect(judge.endpoint(address, port)).toBe(PEER_FORBIDDEN);
      expect(judge.ownPort(address, port)).toBe(PEER_FORBIDDEN);
    }
  });

  it('that is allowed by name is reachable at all ports but those we listen on', () => {
    const judge = judges({ ...own, allow: ['203.0.113.9'] });
    expect(judge.endpoint('203.0.113.9', 22)).toBe(PEER_OWN_HOST_ALLOWED);
    for (const port of OWN_PORTS) expect(judge.endpoint('203.0.113.9', port)).toBe(PEER_FORBIDDEN);
  });

  it('does not make our ports forbidden on other hosts', () => {
    expect(judges(own).endpoint('203.0.113.77', 3478)).toBe(PEER_ALLOWED);
  });
});

describe('the verdict', () => {
  it('never opens by its port what the address forbids', () => {
    const address = fc.oneof(fc.ipV4(), fc.ipV6(), fc.constantFrom(RELAY, '::1', '::ffff:127.0.0.1'));
    const list = fc.subarray(['10.0.0.0/8', '::/0', '0.0.0.0/0', '127.0.0.0/8', '2001:db8::/32']);
    holds(
      fc.property(address, fc.nat(65535), list, list, (text, port, allow, deny) => {
        const judge = judges({ allow, deny });
        if (judge.address(text) !== PEER_FORBIDDEN) return;
        expect(judge.endpoint(text, port)).toBe(PEER_FORBIDDEN);
      }),
      2000,
    );
  });
});
