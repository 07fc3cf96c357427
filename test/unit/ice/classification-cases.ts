/** Labelled exchanges, part one: one line, concluded by signalling, and media that bears it out. */
import type { CallType, Evidence } from '../../../src/ice/path.ts';
import {
  first,
  flow,
  type LineSpec,
  type Phone,
  type Sight,
  type Step,
  selected,
  setUp,
  update,
} from './classification-sdp.ts';

export interface Case {
  readonly name: string;
  readonly steps: readonly Step[];
  readonly sight: Sight;
  readonly callType: CallType;
  readonly evidence: Evidence;
  readonly isMixed?: boolean;
  /** Of calls that did not optimise. */
  readonly reason?: string;
  /** The type by signalling alone; not looked at where it is not given. */
  readonly signalled?: CallType | 'undecided';
}

/** At home behind NAT, another home, and on public addresses. */
export const ALICE: Phone = {
  host: '192.168.1.11:5000',
  srflx: '203.0.113.2:5000',
  relay: '198.51.100.10:24000',
  ufrag: 'alice',
};
export const BOB: Phone = {
  host: '192.168.2.11:6000',
  srflx: '203.0.113.6:6000',
  relay: '198.51.100.10:26000',
  ufrag: 'bobby',
};
export const PUBLIC_BOB: Phone = { host: '192.0.2.6:6000', ufrag: 'bobby' };
/** Without STUN or TURN servers. */
export const LAN_ALICE: Phone = { host: '192.168.1.11:5000', ufrag: 'alice' };
export const LAN_BOB: Phone = { host: '192.168.1.12:6000', ufrag: 'bobby' };
/** A relay of a TURN server that is not ours. */
export const FOREIGN_RELAY = '192.0.2.99:50000';

const LEFT: Sight = { media: 'left' };
const OWN_RELAY = 'relay 198.51.100.10:24000';
const BOBS_RELAY = 'relay 198.51.100.10:26000';

/** A call of Alice and Bob that concludes with these candidates. */
export function call(near: string, far: string, bob: Phone = BOB): Step[] {
  return [...setUp(first(ALICE), first(bob)), ...update('caller', selected(ALICE, near), selected(bob, far))];
}

const NAT_MIXES: readonly Case[] = [
  {
    name: 'both on one LAN: host to host',
    steps: call('host 192.168.1.11:5000', 'host 192.168.1.12:6000', { ...BOB, host: '192.168.1.12:6000' }),
    sight: LEFT,
    callType: 'host_to_host',
    evidence: 'verified',
    signalled: 'host_to_host',
  },
  {
    name: 'a public callee, a caller behind NAT: host to srflx',
    steps: call('srflx 203.0.113.2:5000', 'host 192.0.2.6:6000', PUBLIC_BOB),
    sight: LEFT,
    callType: 'host_to_srflx',
    evidence: 'verified',
  },
  {
    name: 'a public host that takes media from a relay: host to relay',
    steps: call(OWN_RELAY, 'host 192.0.2.6:6000', PUBLIC_BOB),
    sight: { media: 'left', flows: [flow('198.51.100.10:24000', '192.0.2.6:6000')] },
    callType: 'host_to_relay',
    evidence: 'verified',
  },
  {
    name: 'two NATs that map independently of the endpoint: srflx to srflx',
    steps: call('srflx 203.0.113.2:5000', 'srflx 203.0.113.6:6000'),
    sight: LEFT,
    callType: 'srflx_to_srflx',
    evidence: 'verified',
  },
  {
    name: 'one NAT is symmetric: srflx to relay',
    steps: call('srflx 203.0.113.2:5000', BOBS_RELAY),
    sight: { media: 'left', flows: [flow('198.51.100.10:26000', '203.0.113.2:5000')] },
    callType: 'srflx_to_relay',
    evidence: 'verified',
  },
  {
    name: 'both NATs are symmetric: relay to relay',
    steps: call(OWN_RELAY, BOBS_RELAY),
    sight: {
      media: 'left',
      flows: [
        flow('198.51.100.10:24000', '198.51.100.10:26000'),
        flow('198.51.100.10:26000', '198.51.100.10:24000'),
      ],
    },
    callType: 'relay_to_relay',
    evidence: 'verified',
  },
  {
    name: 'the callee controls and sends the update',
    steps: [
      ...setUp(first(ALICE), first(BOB)),
      ...update('callee', selected(BOB, BOBS_RELAY), selected(ALICE, 'srflx 203.0.113.2:5000')),
    ],
    sight: { media: 'left', flows: [flow('198.51.100.10:26000', '203.0.113.2:5000')] },
    callType: 'srflx_to_relay',
    evidence: 'verified',
  },
  {
    name: 'IPv6 in different spellings is one address',
    steps: [
      ...setUp(
        { at: '[2001:db8::1]:5000', ufrag: 'alice', candidates: ['host [2001:DB8:0:0::1]:5000'] },
        { at: '[2001:db8::2]:6000', ufrag: 'bobby', candidates: ['host [2001:db8::2]:6000'] },
      ),
      ...update(
        'caller',
        { at: '[2001:db8::1]:5000', ufrag: 'alice', remote: ['[2001:0db8::0002]:6000'] },
        { at: '[2001:db8:0::2]:6000', ufrag: 'bobby' },
      ),
    ],
    sight: LEFT,
    callType: 'host_to_host',
    evidence: 'verified',
  },
  {
    name: 'IPv6 relays, with brackets in what the TURN server shows',
    steps: [
      ...setUp(
        { ufrag: 'alice', candidates: ['relay [2001:db8::10]:24000'] },
        { ufrag: 'bobby', candidates: ['host [2001:db8:1::2]:6000'] },
      ),
      ...update(
        'caller',
        { at: '[2001:db8::10]:24000', ufrag: 'alice' },
        { at: '[2001:db8:1::2]:6000', ufrag: 'bobby' },
      ),
    ],
    sight: { media: 'left', flows: [flow('[2001:db8::10]:24000', '[2001:db8:1::2]:6000')] },
    callType: 'host_to_relay',
    evidence: 'verified',
  },
  {
    name: 'a relay of a foreign TURN server: media left, and nothing more can be seen',
    steps: call(`relay ${FOREIGN_RELAY}`, 'srflx 203.0.113.6:6000'),
    sight: LEFT,
    callType: 'srflx_to_relay',
    evidence: 'verified',
  },
];

const PEER_REFLEXIVE: readonly Case[] = [
  {
    name: 'a prflx candidate of a symmetric NAT counts as srflx',
    steps: call('prflx 203.0.113.2:61693', 'host 192.0.2.6:6000', PUBLIC_BOB),
    sight: LEFT,
    callType: 'host_to_srflx',
    evidence: 'verified',
  },
  {
    name: 'a prflx address in no list counts as srflx',
    steps: [
      ...setUp(first(ALICE), first(BOB)),
      ...update('caller', first(ALICE, { at: '203.0.113.2:61000' }), first(BOB, { at: '203.0.113.6:62000' })),
    ],
    sight: LEFT,
    callType: 'srflx_to_srflx',
    evidence: 'verified',
  },
  {
    name: 'a prflx address at the IP address of a host candidate is that host',
    steps: call('prflx 192.168.1.11:5999', 'host 192.168.1.12:6000', { ...BOB, host: '192.168.1.12:6000' }),
    sight: LEFT,
    callType: 'host_to_host',
    evidence: 'verified',
  },
  {
    name: 'a prflx address that our TURN server gave out is a relay',
    steps: call('srflx 203.0.113.2:5000', 'prflx 198.51.100.10:27000'),
    sight: { media: 'left', flows: [] },
    callType: 'srflx_to_relay',
    evidence: 'contradicted',
  },
  {
    name: 'a candidate called prflx that was listed as srflx before stays srflx',
    steps: call('prflx 203.0.113.2:5000', 'prflx 203.0.113.6:6000'),
    sight: LEFT,
    callType: 'srflx_to_srflx',
    evidence: 'verified',
  },
  {
    name: 'a candidate called prflx that was listed as a foreign relay before stays a relay',
    steps: [
      ...setUp(first(ALICE), first({ ...BOB, relay: FOREIGN_RELAY })),
      ...update('caller', selected(ALICE, 'srflx 203.0.113.2:5000'), selected(BOB, `prflx ${FOREIGN_RELAY}`)),
    ],
    sight: LEFT,
    callType: 'srflx_to_relay',
    evidence: 'verified',
  },
  {
    name: 'a public phone lists its one address as srflx and as host: host',
    steps: [
      ...setUp(
        { at: '192.0.2.5:5000', ufrag: 'alice', candidates: ['host 192.0.2.5:5000', 'srflx 192.0.2.5:5000'] },
        first(PUBLIC_BOB),
      ),
      ...update(
        'caller',
        { at: '192.0.2.5:5000', ufrag: 'alice' },
        selected(PUBLIC_BOB, 'host 192.0.2.6:6000'),
      ),
    ],
    sight: LEFT,
    callType: 'host_to_host',
    evidence: 'verified',
  },
  {
    name: 'a remote candidate that is named twice is one; the m= line of the answer has not moved yet',
    steps: [
      ...setUp(first(ALICE), first(BOB)),
      ...update(
        'caller',
        selected(ALICE, 'srflx 203.0.113.2:5000', { remote: ['203.0.113.6:6000', '203.0.113.6:6000'] }),
        first(BOB),
      ),
    ],
    sight: LEFT,
    callType: 'srflx_to_srflx',
    evidence: 'verified',
    signalled: 'srflx_to_srflx',
  },
  {
    name: 'the answer calls a relay that was listed as srflx: the answer is right',
    steps: [
      ...setUp(first(ALICE), first({ ...BOB, srflx: FOREIGN_RELAY })),
      ...update('caller', selected(ALICE, 'srflx 203.0.113.2:5000'), selected(BOB, `relay ${FOREIGN_RELAY}`)),
    ],
    sight: LEFT,
    callType: 'srflx_to_relay',
    evidence: 'verified',
  },
];

/** A browser that hides its address. */
const HIDDEN: LineSpec = {
  ufrag: 'alice',
  candidates: ['host 5b3f2c1e-8a4d-4f7b-9c6e-1d2f3a4b5c6d.local:5000'],
};

const MDNS: readonly Case[] = [
  {
    name: 'an mDNS candidate in the lists is a host',
    steps: [
      ...setUp(HIDDEN, first(LAN_BOB)),
      ...update(
        'caller',
        {
          ...HIDDEN,
          at: '5B3F2C1E-8a4d-4f7b-9c6e-1d2f3a4b5c6d.local:5000',
          candidates: ['srflx 203.0.113.2:5000', 'host 5b3f2c1e-8a4d-4f7b-9c6e-1d2f3a4b5c6d.local:5000'],
        },
        selected(LAN_BOB, 'host 192.168.1.12:6000'),
      ),
    ],
    sight: LEFT,
    callType: 'host_to_host',
    evidence: 'verified',
    signalled: 'host_to_host',
  },
  {
    name: 'the peer shows the address behind an mDNS name: same port, private: host',
    steps: [
      ...setUp(HIDDEN, first(LAN_BOB)),
      ...update('callee', selected(LAN_BOB, 'host 192.168.1.12:6000'), {
        ...HIDDEN,
        at: '192.168.1.11:5000',
      }),
    ],
    sight: LEFT,
    callType: 'host_to_host',
    evidence: 'verified',
  },
  {
    name: 'a public IPv4 address is not what an mDNS name hides, even at the same port',
    steps: [
      ...setUp(HIDDEN, first(PUBLIC_BOB)),
      ...update('callee', selected(PUBLIC_BOB, 'host 192.0.2.6:6000'), { ...HIDDEN, at: '203.0.113.2:5000' }),
    ],
    sight: LEFT,
    callType: 'host_to_srflx',
    evidence: 'verified',
  },
  {
    name: 'a global IPv6 address at the same port is what an mDNS name hides',
    steps: [
      ...setUp(HIDDEN, { ufrag: 'bobby', candidates: ['host [2001:db8::2]:6000'] }),
      ...update(
        'callee',
        { at: '[2001:db8::2]:6000', ufrag: 'bobby' },
        { ...HIDDEN, at: '[2001:db8::1]:5000' },
      ),
    ],
    sight: LEFT,
    callType: 'host_to_host',
    evidence: 'verified',
  },
  {
    name: 'another port at a private address is a NAT inside the house',
    steps: [
      ...setUp(HIDDEN, first(LAN_BOB)),
      ...update('callee', selected(LAN_BOB, 'host 192.168.1.12:6000'), {
        ...HIDDEN,
        at: '192.168.1.11:5999',
      }),
    ],
    sight: LEFT,
    callType: 'host_to_srflx',
    evidence: 'verified',
  },
];

const PLACEHOLDERS: readonly Case[] = [
  {
    name: '0.0.0.0:9 in the update: the only candidate left in the list was selected',
    steps: [
      ...setUp(first(ALICE), first(BOB)),
      ...update(
        'caller',
        { ufrag: 'alice', candidates: ['srflx 203.0.113.2:5000'], remote: ['203.0.113.6:6000'] },
        first(BOB),
      ),
    ],
    sight: LEFT,
    callType: 'srflx_to_srflx',
    evidence: 'verified',
    signalled: 'srflx_to_srflx',
  },
  {
    name: '0.0.0.0:9 in the update and several candidates: the offerer is not told, media through is none',
    steps: [
      ...setUp(first(ALICE), first(BOB)),
      ...update('caller', first(ALICE, { at: '0.0.0.0:9', remote: ['203.0.113.6:6000'] }), first(BOB)),
    ],
    sight: { media: 'through', checks: ['caller', 'callee'] },
    callType: 'none',
    evidence: 'verified',
    reason: 'checks failed',
    signalled: 'undecided',
  },
  {
    name: 'a name in c= is no mismatch, and no address',
    steps: [
      ...setUp(first(ALICE, { at: 'phone.example.com:5000' }), first(BOB)),
      ...update('caller', selected(ALICE, 'host 192.168.1.11:5000'), selected(BOB, 'host 192.168.2.11:6000')),
    ],
    sight: LEFT,
    callType: 'host_to_host',
    evidence: 'verified',
  },
  {
    name: ':: and port 9 stand for no address',
    steps: [
      ...setUp(first(ALICE, { at: '[::]:9' }), first(BOB, { at: '192.168.2.11:9' })),
      ...update('caller', selected(ALICE, 'host 192.168.1.11:5000'), selected(BOB, 'host 192.168.2.11:6000')),
    ],
    sight: LEFT,
    callType: 'host_to_host',
    evidence: 'verified',
  },
];

export const CONCLUDED_CASES: readonly Case[] = [...NAT_MIXES, ...PEER_REFLEXIVE, ...MDNS, ...PLACEHOLDERS];
