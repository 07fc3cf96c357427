/** Labelled exchanges, part three: calls that go on: restarts, hold, refusals, trickled candidates. */
import { ALICE, BOB, type Case, LAN_BOB } from './classification-cases.ts';
import {
  B2BUA,
  first,
  flow,
  type LineSpec,
  type Phone,
  type Sight,
  type Step,
  sdp,
  selected,
  setUp,
  update,
} from './classification-sdp.ts';

const LEFT: Sight = { media: 'left' };
const THROUGH: Sight = { media: 'through' };
const SRFLX = 'srflx 203.0.113.2:5000';
const BOBS_SRFLX = 'srflx 203.0.113.6:6000';
const HOST = 'host 192.168.1.11:5000';
const BOBS_HOST = 'host 192.168.1.12:6000';

const NEAR_BOB: Phone = { ...BOB, host: '192.168.1.12:6000' };
const ALICE_AGAIN: Phone = { ...ALICE, ufrag: 'alice-again' };
const BOB_AGAIN: Phone = { ...BOB, ufrag: 'bobby-again' };
const NEAR_BOB_AGAIN: Phone = { ...NEAR_BOB, ufrag: 'bobby-again' };
const STUN_ALICE: Phone = { host: '192.168.1.11:5000', srflx: '203.0.113.2:5000', ufrag: 'alice' };
const NO_ICE: LineSpec = { at: '192.0.2.50:7000', ufrag: null };

const START: readonly Step[] = setUp(first(ALICE), first(NEAR_BOB));
const TO_SRFLX: readonly Step[] = update('caller', selected(ALICE, SRFLX), selected(NEAR_BOB, BOBS_SRFLX));
const TO_HOST: readonly Step[] = update('caller', selected(ALICE, HOST), selected(NEAR_BOB, BOBS_HOST));

const RESTARTS: readonly Case[] = [
  {
    name: 'two updates: the last concluded wins',
    steps: [...START, ...TO_SRFLX, ...TO_HOST],
    sight: LEFT,
    callType: 'host_to_host',
    evidence: 'verified',
  },
  {
    name: 'an ICE restart that concludes: the new generation wins',
    steps: [
      ...START,
      ...TO_HOST,
      ...setUp(first(ALICE_AGAIN), first(BOB_AGAIN)),
      ...update('caller', selected(ALICE_AGAIN, SRFLX), selected(BOB_AGAIN, BOBS_SRFLX)),
    ],
    sight: LEFT,
    callType: 'srflx_to_srflx',
    evidence: 'verified',
  },
  {
    name: 'an ICE restart without a new conclusion: the last result stays, and nothing bears it out',
    steps: [...START, ...TO_HOST, ...setUp(first(ALICE_AGAIN), first(NEAR_BOB_AGAIN))],
    sight: LEFT,
    callType: 'host_to_host',
    evidence: 'unknown',
  },
  {
    name: 'an ICE restart without a new conclusion, back at the B2BUA: the old result is not contradicted',
    steps: [...START, ...TO_HOST, ...setUp(first(ALICE_AGAIN), first(NEAR_BOB_AGAIN))],
    sight: THROUGH,
    callType: 'host_to_host',
    evidence: 'unknown',
  },
  {
    name: 'an ICE restart without a new conclusion, but a relay that carries media',
    steps: [...START, ...TO_HOST, ...setUp(first(ALICE_AGAIN), first(NEAR_BOB_AGAIN))],
    sight: { media: 'left', flows: [flow('198.51.100.10:24000', '203.0.113.6:6000')] },
    callType: 'srflx_to_relay',
    evidence: 'verified',
  },
  {
    name: 'a restart that is refused leaves the generation in force',
    steps: [
      ...START,
      ['offer', 'caller', sdp([first(ALICE_AGAIN)])],
      ['refused'],
      ...update('caller', selected(ALICE, HOST), selected(NEAR_BOB, BOBS_HOST)),
    ],
    sight: LEFT,
    callType: 'host_to_host',
    evidence: 'verified',
  },
  {
    name: 'remote candidates of a generation that was left are not heeded',
    steps: [...START, ...update('caller', selected(ALICE_AGAIN, HOST), selected(NEAR_BOB_AGAIN, BOBS_HOST))],
    sight: { media: 'through', checks: ['caller'] },
    callType: 'none',
    evidence: 'verified',
    reason: 'checks failed',
    signalled: 'undecided',
  },
  {
    name: 'remote candidates in the first offer conclude nothing, however often it is answered',
    steps: [
      ['offer', 'caller', sdp([first(ALICE, { remote: ['192.168.1.12:6000'] })])],
      ['answer', 'callee', sdp([first(NEAR_BOB)])],
      ['answer', 'callee', sdp([first(NEAR_BOB)])],
    ],
    sight: { media: 'through', nominatedBy: 'caller' },
    callType: 'none',
    evidence: 'verified',
    reason: "the B2BUA's own candidate was selected",
    signalled: 'undecided',
  },
  {
    name: 'remote candidates in an offer that restarts ICE, whose answer does not',
    steps: [...START, ...update('caller', selected(ALICE_AGAIN, HOST), selected(NEAR_BOB, BOBS_HOST))],
    sight: THROUGH,
    callType: 'none',
    evidence: 'verified',
    reason: 'no connectivity checks came',
    signalled: 'undecided',
  },
  {
    name: 'an answer of another generation, as of a fork, concludes nothing',
    steps: [...START, ...update('caller', selected(ALICE, HOST), selected(NEAR_BOB_AGAIN, BOBS_HOST))],
    sight: THROUGH,
    callType: 'none',
    evidence: 'verified',
    reason: 'no connectivity checks came',
    signalled: 'undecided',
  },
  {
    name: 'the callee restarts ICE: it controls, and silence tells of its default alone',
    steps: [
      ...setUp(first({ ...ALICE_AGAIN, relay: '192.0.2.99:50000' }), first(NEAR_BOB_AGAIN)),
      ['offer', 'callee', sdp([first(LAN_BOB)])],
      ['answer', 'caller', sdp([first(STUN_ALICE)])],
    ],
    sight: LEFT,
    callType: 'host_to_host',
    evidence: 'unknown',
  },
  {
    name: 'an answer after the refusal comes too late',
    steps: [
      ...START,
      ['offer', 'caller', sdp([selected(ALICE, HOST, { remote: ['192.168.1.12:6000'] })])],
      ['refused'],
      ['answer', 'callee', sdp([selected(NEAR_BOB, BOBS_HOST)])],
    ],
    sight: THROUGH,
    callType: 'none',
    evidence: 'verified',
    reason: 'no connectivity checks came',
    signalled: 'undecided',
  },
  {
    name: 'an update that is refused concludes nothing',
    steps: [
      ...START,
      ['offer', 'caller', sdp([selected(ALICE, HOST, { remote: ['192.168.1.12:6000'] })])],
      ['refused'],
    ],
    sight: { media: 'through', checks: ['caller', 'callee'] },
    callType: 'none',
    evidence: 'verified',
    reason: 'checks failed',
    signalled: 'undecided',
  },
  {
    name: 'an answer in 183 and again in 200',
    steps: [...START, ...TO_HOST, ['answer', 'callee', sdp([selected(NEAR_BOB, BOBS_HOST)])]],
    sight: LEFT,
    callType: 'host_to_host',
    evidence: 'verified',
  },
];

const HOLD: readonly Case[] = [
  {
    name: 'hold by a=inactive, ICE goes on',
    steps: [
      ...START,
      ...TO_HOST,
      ...update('callee', selected(NEAR_BOB, BOBS_HOST, { more: ['a=inactive'] }), selected(ALICE, HOST)),
    ],
    sight: LEFT,
    callType: 'host_to_host',
    evidence: 'verified',
  },
  {
    name: 'hold by a null address that repeats all remote candidates keeps what was concluded',
    steps: [
      ...START,
      ...TO_HOST,
      ...update(
        'callee',
        first(NEAR_BOB, { at: '0.0.0.0:6000', remote: ['192.168.1.11:5000', '203.0.113.2:5000'] }),
        first(ALICE, { at: '0.0.0.0:9' }),
      ),
    ],
    sight: LEFT,
    callType: 'host_to_host',
    evidence: 'verified',
  },
  {
    name: 'music on hold answers without ICE: the last result is kept, media through proves nothing',
    steps: [
      ...START,
      ...TO_HOST,
      ['offer', 'caller', sdp([selected(ALICE, HOST)])],
      ['answer', 'callee', sdp([NO_ICE])],
    ],
    sight: THROUGH,
    callType: 'host_to_host',
    evidence: 'unknown',
  },
  {
    name: 'back from music on hold with the same ufrags',
    steps: [
      ...START,
      ...TO_HOST,
      ...setUp(selected(ALICE, HOST), NO_ICE),
      ...setUp(selected(ALICE, HOST), selected(NEAR_BOB, BOBS_HOST)),
    ],
    sight: LEFT,
    callType: 'host_to_host',
    evidence: 'verified',
  },
  {
    name: 'ICE rests before anything was concluded',
    steps: [...START, ...setUp(first(ALICE), NO_ICE)],
    sight: THROUGH,
    callType: 'none',
    evidence: 'verified',
    reason: 'answered without ICE',
    signalled: 'none',
  },
];

const WITHOUT_ICE: readonly Case[] = [
  {
    name: 'the callee does no ICE',
    steps: setUp(first(ALICE), NO_ICE),
    sight: THROUGH,
    callType: 'none',
    evidence: 'verified',
    reason: 'no candidates from the callee',
    signalled: 'none',
  },
  {
    name: 'the caller does no ICE',
    steps: setUp(NO_ICE, first(BOB)),
    sight: THROUGH,
    callType: 'none',
    evidence: 'verified',
    reason: 'no candidates from the caller',
  },
  {
    name: 'nobody does ICE, and the call is on hold',
    steps: setUp(NO_ICE, NO_ICE),
    sight: LEFT,
    callType: 'none',
    evidence: 'unknown',
    reason: 'no candidates from either side',
  },
  {
    name: 'a ufrag without a candidate is no offer of candidates',
    steps: setUp(first(ALICE), { at: '192.0.2.50:7000', ufrag: 'bobby' }),
    sight: THROUGH,
    callType: 'none',
    evidence: 'verified',
    reason: 'no candidates from the callee',
  },
  {
    name: "candidates that are all the B2BUA's are none of the callee's",
    steps: setUp(first(ALICE), { at: B2BUA, ufrag: 'bobby', candidates: [`host ${B2BUA}`] }),
    sight: THROUGH,
    callType: 'none',
    evidence: 'verified',
    reason: 'no candidates from the callee',
  },
  {
    name: 'an ICE mismatch in the answer',
    steps: setUp(first(ALICE), first(BOB, { more: ['a=ice-mismatch'] })),
    sight: THROUGH,
    callType: 'none',
    evidence: 'verified',
    reason: 'ICE mismatch on line 1',
    signalled: 'none',
  },
  {
    name: 'an ICE mismatch later on takes back what was concluded',
    steps: [...START, ...TO_HOST, ...setUp(first(ALICE), first(NEAR_BOB, { more: ['a=ice-mismatch'] }))],
    sight: THROUGH,
    callType: 'none',
    evidence: 'verified',
    reason: 'ICE mismatch on line 1',
    signalled: 'none',
  },
  {
    name: 'after an ICE mismatch nothing is left of what was concluded before it',
    steps: [
      ...START,
      ...TO_HOST,
      ...setUp(first(ALICE), first(NEAR_BOB, { more: ['a=ice-mismatch'] })),
      ...START,
    ],
    sight: THROUGH,
    callType: 'none',
    evidence: 'verified',
    reason: 'no connectivity checks came',
    signalled: 'undecided',
  },
  {
    name: 'a zone that is not encrypted: whatever the phones say',
    steps: [...START, ...TO_HOST],
    sight: { media: 'through', obstacle: 'zone internal is not encrypted' },
    callType: 'none',
    evidence: 'verified',
    reason: 'zone internal is not encrypted',
  },
  {
    name: 'ICE was agreed on, and no check came',
    steps: START,
    sight: THROUGH,
    callType: 'none',
    evidence: 'verified',
    reason: 'no connectivity checks came',
  },
  {
    name: 'never answered',
    steps: [['offer', 'caller', sdp([first(ALICE)])]],
    sight: {},
    callType: 'none',
    evidence: 'unknown',
    reason: 'the call was never answered with media',
    signalled: 'undecided',
  },
];

const TRICKLE: readonly Case[] = [
  {
    name: 'candidates that came in a later offer are known at the conclusion',
    steps: [
      ...setUp({ ufrag: 'alice', more: ['a=ice-options:trickle'] }, { ufrag: 'bobby' }),
      ...setUp(
        { ufrag: 'alice', candidates: [SRFLX] },
        { ufrag: 'bobby', candidates: [`relay 192.0.2.99:50000`] },
      ),
      ...update(
        'caller',
        { at: '203.0.113.2:5000', ufrag: 'alice' },
        { at: '192.0.2.99:50000', ufrag: 'bobby' },
      ),
    ],
    sight: LEFT,
    callType: 'srflx_to_relay',
    evidence: 'verified',
  },
  {
    name: 'candidates of earlier messages are kept when a later one lists others only',
    steps: [
      ...setUp(first(ALICE), { ufrag: 'bobby', candidates: ['relay 192.0.2.99:50000'] }),
      ...setUp(first(ALICE), { ufrag: 'bobby', candidates: [BOBS_HOST] }),
      ...update('caller', selected(ALICE, SRFLX), { at: '192.0.2.99:50000', ufrag: 'bobby' }),
    ],
    sight: LEFT,
    callType: 'srflx_to_relay',
    evidence: 'verified',
  },
  {
    name: 'candidates of a generation that was left are forgotten',
    steps: [
      ...setUp(first(ALICE), { ufrag: 'bobby', candidates: ['relay 192.0.2.99:50000'] }),
      ...setUp(first(ALICE_AGAIN), { ufrag: 'bobby-again', candidates: [BOBS_HOST] }),
      ...update('caller', selected(ALICE_AGAIN, SRFLX), { at: '192.0.2.99:50000', ufrag: 'bobby-again' }),
    ],
    sight: LEFT,
    callType: 'srflx_to_srflx',
    evidence: 'verified',
  },
  {
    name: 'the callee made the offer of a later exchange, with further candidates',
    steps: [
      ...setUp(first(ALICE), { ufrag: 'bobby' }),
      ['offer', 'callee', sdp([first(LAN_BOB)])],
      ['answer', 'caller', sdp([first(ALICE)])],
      ...update('caller', selected(ALICE, HOST), { at: '192.168.1.12:6000', ufrag: 'bobby' }),
    ],
    sight: LEFT,
    callType: 'host_to_host',
    evidence: 'verified',
  },
];

export const SERIES_CASES: readonly Case[] = [...RESTARTS, ...HOLD, ...WITHOUT_ICE, ...TRICKLE];
