/** Labelled exchanges, part four: several lines, BUNDLE, RTCP on ports of its own. */
import { ALICE, BOB, type Case } from './classification-cases.ts';
import {
  first,
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
const NO_ICE: LineSpec = { at: '192.0.2.50:7000', ufrag: null };

const VIDEO: LineSpec = { media: 'video', at: '192.168.1.11:5002', candidates: ['host 192.168.1.11:5002'] };
const BOBS_VIDEO: LineSpec = {
  media: 'video',
  at: '192.168.1.12:6002',
  candidates: ['host 192.168.1.12:6002'],
};
const RELAYED_VIDEO: LineSpec = {
  media: 'video',
  at: '192.0.2.99:50002',
  candidates: ['relay 192.0.2.99:50002'],
};
const BFCP: LineSpec = {
  media: 'application',
  protocol: 'UDP/BFCP',
  at: '192.0.2.50:7004',
  ufrag: null,
  isMuxed: false,
};
const REFUSED_AUDIO: LineSpec = { at: '0.0.0.0:0', ufrag: null };
const AUDIO = first(ALICE);
const BOBS_AUDIO = first(NEAR_BOB);

function exchange(
  side: 'caller' | 'callee',
  offered: readonly LineSpec[],
  answered: readonly LineSpec[],
): Step[] {
  const other = side === 'caller' ? 'callee' : 'caller';
  return [
    ['offer', side, sdp(offered)],
    ['answer', other, sdp(answered)],
  ];
}

function alices(line: LineSpec): LineSpec {
  return { ...line, ufrag: 'alice' };
}

function bobs(line: LineSpec, remote?: string): LineSpec {
  return { ...line, ufrag: 'bobby', ...(remote === undefined ? {} : { remote: [remote] }) };
}

const SEVERAL_LINES: readonly Case[] = [
  {
    name: 'audio and video on the same kind of path',
    steps: [
      ...exchange('caller', [AUDIO, alices(VIDEO)], [BOBS_AUDIO, bobs(BOBS_VIDEO)]),
      ...exchange(
        'caller',
        [
          selected(ALICE, HOST, { remote: ['192.168.1.12:6000'] }),
          { ...alices(VIDEO), remote: ['192.168.1.12:6002'] },
        ],
        [selected(NEAR_BOB, BOBS_HOST), bobs(BOBS_VIDEO)],
      ),
    ],
    sight: LEFT,
    callType: 'host_to_host',
    evidence: 'verified',
  },
  {
    name: 'audio direct, video by relay: the type is of audio, the call is mixed',
    steps: [
      ...exchange('caller', [alices(VIDEO), AUDIO], [bobs(RELAYED_VIDEO), BOBS_AUDIO]),
      ...exchange(
        'caller',
        [
          { ...alices(VIDEO), remote: ['192.0.2.99:50002'] },
          selected(ALICE, HOST, { remote: ['192.168.1.12:6000'] }),
        ],
        [bobs(RELAYED_VIDEO), selected(NEAR_BOB, BOBS_HOST)],
      ),
    ],
    sight: LEFT,
    callType: 'host_to_host',
    evidence: 'verified',
    isMixed: true,
  },
  {
    name: 'audio direct, BFCP through the B2BUA: mixed',
    steps: [
      ...exchange('caller', [AUDIO, BFCP], [BOBS_AUDIO, BFCP]),
      ...exchange(
        'caller',
        [selected(ALICE, HOST, { remote: ['192.168.1.12:6000'] }), BFCP],
        [selected(NEAR_BOB, BOBS_HOST), BFCP],
      ),
    ],
    sight: { media: ['left', 'through'] },
    callType: 'host_to_host',
    evidence: 'verified',
    isMixed: true,
  },
  {
    name: 'audio refused: video gives the type',
    steps: [
      ...exchange('caller', [AUDIO, alices(VIDEO)], [REFUSED_AUDIO, bobs(BOBS_VIDEO)]),
      ...exchange(
        'caller',
        [REFUSED_AUDIO, { ...alices(VIDEO), remote: ['192.168.1.12:6002'] }],
        [REFUSED_AUDIO, bobs(BOBS_VIDEO)],
      ),
    ],
    sight: { media: ['unclear', 'left'] },
    callType: 'host_to_host',
    evidence: 'verified',
  },
  {
    name: 'video alone went direct, audio has an ICE mismatch',
    steps: [
      ...exchange(
        'caller',
        [AUDIO, alices(VIDEO)],
        [{ ...BOBS_AUDIO, more: ['a=ice-mismatch'] }, bobs(BOBS_VIDEO)],
      ),
      ...exchange(
        'caller',
        [
          { ...AUDIO, more: ['a=ice-mismatch'] },
          { ...alices(VIDEO), remote: ['192.168.1.12:6002'] },
        ],
        [BOBS_AUDIO, bobs(BOBS_VIDEO)],
      ),
    ],
    sight: { media: ['through', 'left'] },
    callType: 'none',
    evidence: 'verified',
    isMixed: true,
    reason: 'ICE mismatch on line 1',
  },
  {
    name: 'no ICE on the second line, which is audio',
    steps: exchange('caller', [alices(VIDEO), NO_ICE], [bobs(BOBS_VIDEO), NO_ICE]),
    sight: THROUGH,
    callType: 'none',
    evidence: 'verified',
    reason: 'no ICE on line 2',
  },
];

const GROUP = { more: ['a=group:BUNDLE v a'] };
const BUNDLED_VIDEO: LineSpec = { ...alices(VIDEO), more: ['a=mid:v'] };
const BOBS_BUNDLED_VIDEO: LineSpec = { ...bobs(BOBS_VIDEO), more: ['a=mid:v'] };
const BUNDLE_ONLY: LineSpec = { at: '0.0.0.0:0', ufrag: null, more: ['a=mid:a', 'a=bundle-only'] };

const BUNDLE: readonly Case[] = [
  {
    name: 'audio uses the transport of the video line before it',
    steps: [
      ['offer', 'caller', sdp([BUNDLED_VIDEO, { ...AUDIO, more: ['a=mid:a'] }], GROUP)],
      [
        'answer',
        'callee',
        sdp([BOBS_BUNDLED_VIDEO, { at: '192.168.1.12:6002', ufrag: null, more: ['a=mid:a'] }], GROUP),
      ],
      ['offer', 'caller', sdp([{ ...BUNDLED_VIDEO, remote: ['192.168.1.12:6002'] }, BUNDLE_ONLY], GROUP)],
      ['answer', 'callee', sdp([BOBS_BUNDLED_VIDEO, BUNDLE_ONLY], GROUP)],
    ],
    sight: { media: ['left', 'through'] },
    callType: 'host_to_host',
    evidence: 'verified',
  },
  {
    name: 'a group that the answer does not take: each line has its transport',
    steps: [
      ['offer', 'caller', sdp([BUNDLED_VIDEO, { ...AUDIO, more: ['a=mid:a'] }], GROUP)],
      ['answer', 'callee', sdp([BOBS_BUNDLED_VIDEO, { ...BOBS_AUDIO, more: ['a=mid:a'] }])],
      ['offer', 'caller', sdp([BUNDLED_VIDEO, selected(ALICE, SRFLX, { remote: ['203.0.113.6:6000'] })])],
      ['answer', 'callee', sdp([BOBS_BUNDLED_VIDEO, selected(NEAR_BOB, BOBS_SRFLX)])],
    ],
    sight: { media: ['unclear', 'left'] },
    callType: 'srflx_to_srflx',
    evidence: 'verified',
  },
  {
    name: 'the first line of the group was refused: the next one has the transport',
    steps: [
      ['offer', 'caller', sdp([BUNDLED_VIDEO, { ...AUDIO, more: ['a=mid:a'] }], GROUP)],
      [
        'answer',
        'callee',
        sdp(
          [
            { ...REFUSED_AUDIO, media: 'video', more: ['a=mid:v'] },
            { ...BOBS_AUDIO, more: ['a=mid:a'] },
          ],
          GROUP,
        ),
      ],
      [
        'offer',
        'caller',
        sdp([{ ...REFUSED_AUDIO, media: 'video' }, selected(ALICE, HOST, { remote: ['192.168.1.12:6000'] })]),
      ],
      ['answer', 'callee', sdp([{ ...REFUSED_AUDIO, media: 'video' }, selected(NEAR_BOB, BOBS_HOST)])],
    ],
    sight: { media: ['through', 'left'] },
    callType: 'host_to_host',
    evidence: 'verified',
  },
];

const RTCP: readonly Case[] = [
  {
    name: 'without rtcp-mux RTCP has a path of its own, and RTP gives the type',
    steps: [
      ...setUp(first(ALICE, { isMuxed: false }), first(NEAR_BOB, { isMuxed: false })),
      ...update(
        'caller',
        selected(ALICE, HOST, {
          isMuxed: false,
          rtcpAt: '198.51.100.10:24001',
          remote: ['192.168.1.12:6000', '192.168.1.12:6001 2'],
        }),
        selected(NEAR_BOB, BOBS_HOST, { isMuxed: false, rtcpAt: '192.168.1.12:6001' }),
      ),
    ],
    sight: LEFT,
    callType: 'host_to_host',
    evidence: 'verified',
  },
];

export const LINES_CASES: readonly Case[] = [...SEVERAL_LINES, ...BUNDLE, ...RTCP];
