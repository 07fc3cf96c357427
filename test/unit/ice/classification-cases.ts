/** Labelled exchanges, part one: one line, concluded by signalling, and what was seen of the media. */
import type { CallType, Evidence } from '../../../src/ice/path.ts';
import {
  BARESIP_HOST,
  BARESIP_RELAY,
  BARESIP_SRFLX,
  BARESIP_SRFLX_TURN,
  LINPHONE_RELAY,
} from './classification-lab.ts';
import {
  B2BUA,
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
const THROUGH: Sight = { media: 'through' };
const OWN_RELAY = 'relay 198.51.100.10:24000';
const BOBS_RELAY = 'relay 198.51.100.10:26000';

/** A call of Alice and Bob that concludes with these candidates. */
function call(near: string, far: string, bob: Phone = BOB): Step[] {
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
        { ...HIDDEN, at: '5B3F2C1E-8a4d-4f7b-9c6e-1d2f3a4b5c6d.local:5000' },
        selected(LAN_BOB, 'host 192.168.1.12:6000'),
      ),
    ],
    sight: LEFT,
    callType: 'host_to_host',
    evidence: 'verified',
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

const THROUGH_B2BUA: readonly Case[] = [
  {
    name: "the B2BUA's candidate was selected for the callee",
    steps: call('srflx 203.0.113.2:5000', `host ${B2BUA}`),
    sight: THROUGH,
    callType: 'none',
    evidence: 'verified',
    reason: "the B2BUA's own candidate was selected",
    signalled: 'none',
  },
  {
    name: "the B2BUA's candidate was selected, and the call is on hold: silence proves nothing",
    steps: call('srflx 203.0.113.2:5000', `host ${B2BUA}`),
    sight: LEFT,
    callType: 'none',
    evidence: 'unknown',
    reason: "the B2BUA's own candidate was selected",
  },
  {
    name: "the B2BUA's candidate was selected, yet a relay carries media to the other side",
    steps: call('srflx 203.0.113.2:5000', `host ${B2BUA}`),
    sight: { media: 'left', flows: [flow('198.51.100.10:26000', '203.0.113.2:5000')] },
    callType: 'none',
    evidence: 'contradicted',
    reason: "the B2BUA's own candidate was selected",
  },
  {
    name: 'the caller reaches the B2BUA through its relay: media has not left',
    steps: call(OWN_RELAY, `host ${B2BUA}`),
    sight: { media: 'through', flows: [flow('198.51.100.10:24000', B2BUA)] },
    callType: 'none',
    evidence: 'verified',
    reason: "the B2BUA's own candidate was selected",
  },
  {
    name: "the offerer's own end is an address of the B2BUA, as in the second half of a call between two outside phones",
    steps: [
      ...setUp(first(ALICE, { candidates: ['host 192.168.1.11:5000', `host ${B2BUA}`] }), first(BOB)),
      ...update('caller', selected(ALICE, `host ${B2BUA}`), selected(BOB, 'srflx 203.0.113.6:6000')),
    ],
    sight: THROUGH,
    callType: 'none',
    evidence: 'verified',
    reason: "the B2BUA's own candidate was selected",
  },
];

const CONTRADICTED: readonly Case[] = [
  {
    name: 'signalled direct, yet media flowed through the B2BUA to the end',
    steps: call('srflx 203.0.113.2:5000', 'srflx 203.0.113.6:6000'),
    sight: THROUGH,
    callType: 'srflx_to_srflx',
    evidence: 'contradicted',
    reason: 'media kept flowing through the B2BUA',
  },
  {
    name: 'signalled relay, yet our allocation carried nothing',
    steps: call(OWN_RELAY, 'srflx 203.0.113.6:6000'),
    sight: LEFT,
    callType: 'srflx_to_relay',
    evidence: 'contradicted',
  },
  {
    name: 'signalled relay, yet our allocation carried media to the B2BUA alone',
    steps: call(OWN_RELAY, 'srflx 203.0.113.6:6000'),
    sight: { media: 'left', flows: [flow('198.51.100.10:24000', B2BUA)] },
    callType: 'srflx_to_relay',
    evidence: 'contradicted',
  },
  {
    name: 'signalled direct, yet an allocation carries the media',
    steps: call('srflx 203.0.113.2:5000', 'srflx 203.0.113.6:6000'),
    sight: { media: 'left', flows: [flow('198.51.100.10:24000', '203.0.113.6:6000')] },
    callType: 'srflx_to_srflx',
    evidence: 'contradicted',
  },
  {
    name: 'signalled relay to relay, yet one relay talks to a host',
    steps: call(OWN_RELAY, BOBS_RELAY),
    sight: { media: 'left', flows: [flow('198.51.100.10:24000', '192.168.2.11:6000')] },
    callType: 'relay_to_relay',
    evidence: 'contradicted',
  },
  {
    name: 'signalled relay, and the edge gave no answer in time',
    steps: call(OWN_RELAY, 'srflx 203.0.113.6:6000'),
    sight: { media: 'left', flows: null },
    callType: 'srflx_to_relay',
    evidence: 'unknown',
  },
  {
    name: 'signalled direct, and the edge gave no answer: it was not needed',
    steps: call('srflx 203.0.113.2:5000', 'srflx 203.0.113.6:6000'),
    sight: { media: 'left', flows: null },
    callType: 'srflx_to_srflx',
    evidence: 'verified',
  },
  {
    name: 'a call too short to see where media went',
    steps: call('srflx 203.0.113.2:5000', 'srflx 203.0.113.6:6000'),
    sight: {},
    callType: 'srflx_to_srflx',
    evidence: 'unknown',
  },
  {
    name: 'a short call whose relay carried media all the same',
    steps: call('srflx 203.0.113.2:5000', BOBS_RELAY),
    sight: { flows: [flow('198.51.100.10:26000', '203.0.113.2:5000')] },
    callType: 'srflx_to_relay',
    evidence: 'verified',
  },
];

const LAB: readonly Case[] = [
  {
    name: "baresip, host: an update with all of the peer's candidates, the answer's m= line decides",
    steps: BARESIP_HOST,
    sight: LEFT,
    callType: 'host_to_host',
    evidence: 'verified',
    signalled: 'host_to_host',
  },
  {
    name: 'baresip, srflx with STUN: no update, since its default was selected',
    steps: BARESIP_SRFLX,
    sight: LEFT,
    callType: 'srflx_to_srflx',
    evidence: 'verified',
    signalled: 'undecided',
  },
  {
    name: 'baresip, relay: no update, both allocations carry towards each other',
    steps: BARESIP_RELAY,
    sight: {
      media: 'left',
      flows: [
        flow('198.51.100.10:50813', '198.51.100.10:50173'),
        flow('198.51.100.10:50173', '198.51.100.10:50813'),
      ],
    },
    callType: 'relay_to_relay',
    evidence: 'verified',
    signalled: 'undecided',
  },
  {
    name: 'baresip, relay: no update, and the edge does not answer',
    steps: BARESIP_RELAY,
    sight: { media: 'left', flows: null },
    callType: 'relay_to_relay',
    evidence: 'unknown',
  },
  {
    name: "baresip, srflx with TURN: the callee's RTCP not yet moved does not mix the call",
    steps: BARESIP_SRFLX_TURN,
    sight: LEFT,
    callType: 'srflx_to_srflx',
    evidence: 'verified',
    signalled: 'srflx_to_srflx',
  },
  {
    name: 'linphone, relay: prflx in the m= line of the caller',
    steps: LINPHONE_RELAY,
    sight: { media: 'left', flows: [flow('198.51.100.10:50018', '203.0.113.2:61693')] },
    callType: 'srflx_to_relay',
    evidence: 'verified',
    signalled: 'srflx_to_relay',
  },
];

export const SIGNALLED_CASES: readonly Case[] = [
  ...NAT_MIXES,
  ...PEER_REFLEXIVE,
  ...MDNS,
  ...PLACEHOLDERS,
  ...THROUGH_B2BUA,
  ...CONTRADICTED,
  ...LAB,
];
