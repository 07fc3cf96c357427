/** Labelled exchanges, part five: nobody sent a concluding offer, or not a clear one; what was seen decides. */
import {
  ALICE,
  BOB,
  type Case,
  FOREIGN_RELAY,
  LAN_ALICE,
  LAN_BOB,
  PUBLIC_BOB,
} from './classification-cases.ts';
import {
  first,
  flow,
  type LineSpec,
  oneWay,
  type Phone,
  type Sight,
  sdp,
  selected,
  setUp,
  update,
} from './classification-sdp.ts';

const LEFT: Sight = { media: 'left' };
const STUN_ALICE: Phone = { host: '192.168.1.11:5000', srflx: '203.0.113.2:5000', ufrag: 'alice' };
const STUN_BOB: Phone = { host: '192.168.2.11:6000', srflx: '203.0.113.6:6000', ufrag: 'bobby' };
const ICE2: LineSpec = { more: ['a=ice-options:ice2'] };
const ALL_OF_BOB = ['192.168.2.11:6000', '203.0.113.6:6000', '198.51.100.10:26000'];

const RELAYED: readonly Case[] = [
  {
    name: 'a relay that carries to the srflx candidate of the other side',
    steps: setUp(first(ALICE), first(BOB)),
    sight: { media: 'left', flows: [flow('198.51.100.10:24000', '203.0.113.6:6000')] },
    callType: 'srflx_to_relay',
    evidence: 'verified',
    signalled: 'undecided',
  },
  {
    name: 'a relay that carries one way alone: the other way may be another',
    steps: setUp(first(ALICE), first(BOB)),
    sight: { media: 'left', flows: [oneWay('198.51.100.10:24000', '203.0.113.6:6000')] },
    callType: 'srflx_to_relay',
    evidence: 'unknown',
  },
  {
    name: 'a relay that carries both ways, beside one that carries one way',
    steps: setUp(first(ALICE), first(BOB)),
    sight: {
      media: 'left',
      flows: [
        flow('198.51.100.10:24000', '203.0.113.6:6000'),
        oneWay('198.51.100.10:26000', '203.0.113.2:5000'),
      ],
    },
    callType: 'srflx_to_relay',
    evidence: 'verified',
  },
  {
    name: 'a relay that carries to a host candidate of the other side',
    steps: setUp(first(ALICE), first(PUBLIC_BOB)),
    sight: { media: 'left', flows: [flow('198.51.100.10:24000', '192.0.2.6:6000')] },
    callType: 'host_to_relay',
    evidence: 'verified',
  },
  {
    name: 'a relay that carries to an address in no list: a NAT made it',
    steps: setUp(first(ALICE), first(BOB)),
    sight: { media: 'left', flows: [flow('198.51.100.10:26000', '203.0.113.2:61693')] },
    callType: 'srflx_to_relay',
    evidence: 'verified',
  },
  {
    name: 'a relay that carries to a relay of ours, whose edge shows the other direction alone',
    steps: setUp(first(ALICE), first(BOB)),
    sight: { media: 'left', flows: [flow('198.51.100.10:24000', '198.51.100.10:26000')] },
    callType: 'relay_to_relay',
    evidence: 'verified',
  },
  {
    name: 'a relay that carries to a foreign relay of the other side',
    steps: setUp(first(ALICE), first({ ...BOB, relay: FOREIGN_RELAY })),
    sight: { media: 'left', flows: [flow('198.51.100.10:24000', FOREIGN_RELAY)] },
    callType: 'relay_to_relay',
    evidence: 'verified',
  },
  {
    name: 'two relays that carry, not to each other: what they show differs',
    steps: setUp(first(ALICE), first(PUBLIC_BOB)),
    sight: {
      media: 'left',
      flows: [flow('198.51.100.10:24000', '192.0.2.6:6000'), flow('198.51.100.10:24000', '192.0.2.7:6000')],
    },
    callType: 'host_to_relay',
    evidence: 'unknown',
  },
  {
    name: 'the relay of another call shows nothing of this one',
    steps: setUp(first(LAN_ALICE), first(LAN_BOB)),
    sight: { media: 'left', flows: [flow('198.51.100.10:28000', '192.168.1.12:6000')] },
    callType: 'host_to_host',
    evidence: 'verified',
  },
  {
    name: 'a relay that carries to the B2BUA, and media through it',
    steps: setUp(first(ALICE), first(BOB)),
    sight: {
      media: 'through',
      flows: [flow('198.51.100.10:24000', '198.51.100.20:36000')],
      nominatedBy: 'caller',
    },
    callType: 'none',
    evidence: 'verified',
    reason: "the B2BUA's own candidate was selected",
  },
];

const DIRECT: readonly Case[] = [
  {
    name: 'two phones with host candidates alone, on one network',
    steps: setUp(first(LAN_ALICE), first(LAN_BOB)),
    sight: LEFT,
    callType: 'host_to_host',
    evidence: 'verified',
    signalled: 'undecided',
  },
  {
    name: 'a private and a public host without STUN: a NAT must stand between them',
    steps: setUp(first(LAN_ALICE), first(PUBLIC_BOB)),
    sight: LEFT,
    callType: 'host_to_srflx',
    evidence: 'verified',
  },
  {
    name: 'STUN on both sides: the caller sent no update, so its default srflx was selected',
    steps: setUp(first(STUN_ALICE), first(STUN_BOB)),
    sight: LEFT,
    callType: 'srflx_to_srflx',
    evidence: 'verified',
  },
  {
    name: 'STUN at the callee alone: silence tells nothing of its default',
    steps: setUp(first(LAN_ALICE), first(STUN_BOB)),
    sight: LEFT,
    callType: 'host_to_host',
    evidence: 'unknown',
  },
  {
    name: 'an mDNS name hides what kind of address it is',
    steps: setUp({ ufrag: 'alice', candidates: ['host 5b3f2c1e.local:5000'] }, first(PUBLIC_BOB)),
    sight: LEFT,
    callType: 'host_to_host',
    evidence: 'unknown',
  },
  {
    name: 'STUN on both sides, and the callee waives updates with ice2: host to host is possible as well',
    steps: setUp(first(STUN_ALICE), first(STUN_BOB, ICE2)),
    sight: LEFT,
    callType: 'srflx_to_srflx',
    evidence: 'unknown',
  },
  {
    name: 'ice2 of the session part counts for its lines',
    steps: [
      ['offer', 'caller', sdp([first(STUN_ALICE)], { more: ['a=ice-options:rtp+ecn ice2'] })],
      ['answer', 'callee', sdp([first(STUN_BOB)])],
    ],
    sight: LEFT,
    callType: 'srflx_to_srflx',
    evidence: 'unknown',
  },
  {
    name: 'browsers name trickle and never send an update',
    steps: setUp(
      first(STUN_ALICE, { more: ['a=ice-options:trickle'] }),
      first(STUN_BOB, { more: ['a=ice-options:trickle'] }),
    ),
    sight: LEFT,
    callType: 'srflx_to_srflx',
    evidence: 'unknown',
  },
  {
    name: 'ice2, and only one type is possible',
    steps: setUp(first(LAN_ALICE, ICE2), first(LAN_BOB, ICE2)),
    sight: LEFT,
    callType: 'host_to_host',
    evidence: 'verified',
  },
  {
    name: 'ice2 with an update all the same: the update tells',
    steps: [
      ...setUp(first(STUN_ALICE, ICE2), first(LAN_BOB, ICE2)),
      ...update('caller', selected(STUN_ALICE, 'host 192.168.1.11:5000', ICE2), first(LAN_BOB, ICE2)),
    ],
    sight: LEFT,
    callType: 'host_to_host',
    evidence: 'verified',
    signalled: 'host_to_host',
  },
  {
    name: 'the default was our relay, which carried nothing, and there was no update: the caller breaks the rule',
    steps: setUp(first(ALICE), first(BOB)),
    sight: LEFT,
    callType: 'host_to_host',
    evidence: 'unknown',
  },
  {
    name: 'a lite caller does not control: the default of the callee counts',
    steps: [
      ['offer', 'caller', sdp([first(PUBLIC_BOB)], { more: ['a=ice-lite'] })],
      ['answer', 'callee', sdp([first({ ...ALICE, relay: FOREIGN_RELAY })])],
    ],
    sight: LEFT,
    callType: 'host_to_relay',
    evidence: 'verified',
  },
  {
    name: "the caller's default was a foreign relay, and no update came",
    steps: setUp(first({ ...STUN_ALICE, relay: FOREIGN_RELAY }), first(STUN_BOB)),
    sight: LEFT,
    callType: 'srflx_to_relay',
    evidence: 'verified',
  },
  {
    name: 'addresses of different families meet nowhere',
    steps: setUp(
      { ufrag: 'alice', candidates: ['host 192.168.1.11:5000', 'host [2001:db8::1]:5000'] },
      { ufrag: 'bobby', candidates: ['host [2001:db8::2]:6000'] },
    ),
    sight: LEFT,
    callType: 'host_to_host',
    evidence: 'verified',
  },
  {
    name: 'media stopped, and no pair is possible',
    steps: setUp(
      { ufrag: 'alice', candidates: ['host 192.168.1.11:5000'] },
      { ufrag: 'bobby', candidates: ['host [2001:db8::2]:6000'] },
    ),
    sight: LEFT,
    callType: 'none',
    evidence: 'unknown',
    reason: 'media stopped, and no path is known for it',
  },
  {
    name: 'the only pairs need a relay of ours that carried nothing',
    steps: setUp({ ufrag: 'alice', candidates: ['relay 198.51.100.10:24000'] }, first(STUN_BOB)),
    sight: LEFT,
    callType: 'none',
    evidence: 'unknown',
    reason: 'media stopped, and no path is known for it',
  },
  {
    name: 'the only pairs need a relay of ours, and its edge gave no answer',
    steps: setUp({ ufrag: 'alice', candidates: ['relay 198.51.100.10:24000'] }, first(PUBLIC_BOB)),
    sight: { media: 'left', flows: null },
    callType: 'host_to_relay',
    evidence: 'unknown',
  },
  {
    name: 'no update, and too short a call',
    steps: setUp(first(ALICE), first(BOB)),
    sight: {},
    callType: 'none',
    evidence: 'unknown',
    reason: 'the call was too short to tell',
  },
];

const UNCLEAR_UPDATES: readonly Case[] = [
  {
    name: 'a callee that is still checking answers with its relay; the relay is silent, and srflx alone fits',
    steps: [
      ...setUp(first(ALICE), first(BOB)),
      ...update('caller', first(ALICE, { at: '203.0.113.2:5000', remote: ALL_OF_BOB }), first(BOB)),
    ],
    sight: LEFT,
    callType: 'srflx_to_srflx',
    evidence: 'verified',
    signalled: 'srflx_to_relay',
  },
  {
    name: 'a callee that is still checking on the same LAN: a private host meets private hosts alone',
    steps: [
      ...setUp(first(ALICE), first({ ...BOB, host: '192.168.1.12:6000', srflx: '203.0.113.2:6000' })),
      ...update(
        'caller',
        first(ALICE, { at: '192.168.1.11:5000', remote: ['192.168.1.12:6000', '198.51.100.10:26000'] }),
        first({ ...BOB, host: '192.168.1.12:6000', srflx: '203.0.113.2:6000' }),
      ),
    ],
    sight: LEFT,
    callType: 'host_to_host',
    evidence: 'verified',
    signalled: 'host_to_relay',
  },
  {
    name: 'a callee that is still checking, and its relay does carry',
    steps: [
      ...setUp(first(ALICE), first(BOB)),
      ...update('caller', first(ALICE, { at: '203.0.113.2:5000', remote: ALL_OF_BOB }), first(BOB)),
    ],
    sight: { media: 'left', flows: [flow('198.51.100.10:26000', '203.0.113.2:5000')] },
    callType: 'srflx_to_relay',
    evidence: 'verified',
  },
  {
    name: 'an update from our relay, of which nothing came: what fits is no proof',
    steps: [
      ...setUp(first(ALICE), first(PUBLIC_BOB)),
      ...update(
        'caller',
        first(ALICE, { remote: ['192.0.2.6:6000', '203.0.113.9:6000'] }),
        first(PUBLIC_BOB),
      ),
    ],
    sight: LEFT,
    callType: 'host_to_relay',
    evidence: 'contradicted',
  },
  {
    name: 'several remote candidates and no address in the answer: the callee is not told, and what fits decides',
    steps: [
      ...setUp(first(STUN_ALICE), first(STUN_BOB)),
      ...update(
        'caller',
        first(STUN_ALICE, { remote: ['192.168.2.11:6000', '203.0.113.6:6000'] }),
        first(STUN_BOB, { at: '0.0.0.0:9' }),
      ),
    ],
    sight: LEFT,
    callType: 'srflx_to_srflx',
    evidence: 'verified',
    signalled: 'undecided',
  },
];

const CALLEE_UPDATES: readonly Case[] = [
  {
    name: "the callee's update does not tell the caller's end: its default is not the only possibility",
    steps: [
      ...setUp(first(STUN_ALICE), first(LAN_BOB)),
      ...update(
        'callee',
        first(LAN_BOB, { remote: ['192.168.1.11:5000', '203.0.113.2:5000'] }),
        first(STUN_ALICE, { at: '0.0.0.0:9' }),
      ),
    ],
    sight: LEFT,
    callType: 'host_to_host',
    evidence: 'verified',
    signalled: 'undecided',
  },
];

export const SIGHT_CASES: readonly Case[] = [...RELAYED, ...DIRECT, ...UNCLEAR_UPDATES, ...CALLEE_UPDATES];
