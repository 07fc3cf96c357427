/** Labelled exchanges, part two: concluded calls that media does not always bear out, and what real phones send. */
import { ALICE, BOB, type Case, call } from './classification-cases.ts';
import {
  BARESIP_HOST,
  BARESIP_RELAY,
  BARESIP_SRFLX,
  BARESIP_SRFLX_TURN,
  LINPHONE_RELAY,
} from './classification-lab.ts';
import { B2BUA, first, flow, oneWay, type Sight, selected, setUp, update } from './classification-sdp.ts';

const LEFT: Sight = { media: 'left' };
const THROUGH: Sight = { media: 'through' };
const OWN_RELAY = 'relay 198.51.100.10:24000';
const BOBS_RELAY = 'relay 198.51.100.10:26000';

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
    name: 'signalled direct, yet one of the two sends to a relay of the other',
    steps: call('host 192.168.1.11:5000', 'host 192.168.1.12:6000'),
    sight: { media: 'left', flows: [oneWay('198.51.100.10:26000', '203.0.113.2:5000')] },
    callType: 'host_to_host',
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
    name: "signalled the caller's relay, yet the callee's carries",
    steps: call(OWN_RELAY, 'srflx 203.0.113.6:6000'),
    sight: { media: 'left', flows: [flow('198.51.100.10:26000', '203.0.113.2:5000')] },
    callType: 'srflx_to_relay',
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

export const OUTCOME_CASES: readonly Case[] = [...THROUGH_B2BUA, ...CONTRADICTED, ...LAB];
