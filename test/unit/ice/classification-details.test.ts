/** What a conclusion and a verdict tell beside the type of the call. */
import { describe, expect, it } from 'vitest';
import { CANDIDATE_TYPES, callTypeOf, partsOf, placeOf } from '../../../src/ice/path.ts';
import { PathTracker } from '../../../src/ice/path-tracker.ts';
import { ALICE, BOB, PUBLIC_BOB } from './classification-cases.ts';
import { BARESIP_HOST, BARESIP_SRFLX_TURN } from './classification-lab.ts';
import {
  B2BUA,
  concluded,
  first,
  flow,
  OWN,
  parsed,
  type Step,
  sdp,
  selected,
  setUp,
  update,
  verdictOn,
} from './classification-sdp.ts';

describe('conclusion', () => {
  it('tells the selected addresses of RTP and RTCP', () => {
    expect(concluded(BARESIP_HOST).lines[0]?.components).toEqual([
      {
        componentId: 1,
        caller: { type: 'host', address: '192.168.1.11:10448' },
        callee: { type: 'host', address: '192.168.1.12:15894' },
      },
      {
        componentId: 2,
        caller: { type: 'host', address: '192.168.1.11:10449' },
        callee: { type: 'host', address: '192.168.1.12:15895' },
      },
    ]);
  });

  it('tells when RTCP took another path', () => {
    const [rtp, rtcp] = concluded(BARESIP_SRFLX_TURN).lines[0]?.components ?? [];
    expect([rtp?.callee?.type, rtcp?.callee?.type]).toEqual(['srflx', 'relay']);
  });

  it('takes the next port for RTCP where a=rtcp is absent', () => {
    const steps = [
      ...setUp(first(ALICE, { isMuxed: false }), first(BOB, { isMuxed: false })),
      ...update(
        'caller',
        selected(ALICE, 'host 192.168.1.11:5000', {
          isMuxed: false,
          remote: ['1.2.3.4:6 2', '192.168.2.11:6000'],
        }),
        selected(BOB, 'host 192.168.2.11:6000', { isMuxed: false }),
      ),
    ];
    expect(concluded(steps).lines[0]?.components[1]).toEqual({
      componentId: 2,
      caller: { type: 'host', address: '192.168.1.11:5001' },
      callee: { type: 'srflx', address: '1.2.3.4:6' },
    });
  });

  it('names the relays of ours to ask about, and no others', () => {
    const bob = first(BOB, { candidates: ['relay 192.0.2.99:50000', `host ${B2BUA}`] });
    expect(concluded(setUp(first(ALICE), bob)).ownRelays).toEqual(['198.51.100.10:24000']);
  });

  it('counts the sides that ever offered candidates', () => {
    const without = { at: '192.0.2.50:7000', ufrag: null };
    expect(concluded(setUp(first(ALICE), first(BOB))).sidesWithCandidates).toBe(2);
    expect(concluded(setUp(without, first(BOB))).hasCandidates).toEqual({ caller: false, callee: true });
    expect(concluded(setUp(without, without)).sidesWithCandidates).toBe(0);
    const dropped = [...setUp(first(ALICE), first(BOB)), ...setUp(without, without)];
    expect(concluded(dropped).sidesWithCandidates).toBe(2);
  });

  it('knows the defaults and the candidates of each side', () => {
    const { caller } = concluded(setUp(first(ALICE), first(BOB))).lines[0]?.ends ?? {};
    expect(caller?.defaultCandidate).toEqual({ type: 'relay', address: '198.51.100.10:24000' });
    expect(caller?.candidates).toEqual([
      { type: 'host', address: '192.168.1.11:5000', isOwnRelay: false },
      { type: 'srflx', address: '203.0.113.2:5000', isOwnRelay: false },
      { type: 'relay', address: '198.51.100.10:24000', isOwnRelay: true },
    ]);
  });

  it.each(['0.0.0.0:9', '0.0.0.0:5000', '[::]:9', '[::]:5000', '192.168.1.11:9', 'phone.example.com:5000'])(
    'takes %s for a placeholder, not for a default candidate',
    (at) => {
      const { caller } = concluded(setUp(first(ALICE, { at }), first(BOB))).lines[0]?.ends ?? {};
      expect(caller?.defaultCandidate).toBeUndefined();
    },
  );

  it('keeps the default of before when a hold shows a placeholder', () => {
    const steps = [
      ...setUp(first(ALICE), first(BOB)),
      ...setUp(first(ALICE, { at: '0.0.0.0:5000' }), first(BOB)),
    ];
    expect(concluded(steps).lines[0]?.ends.caller.defaultCandidate?.type).toBe('relay');
  });

  it('gives the lines of a BUNDLE group the transport of its first line that was not refused', () => {
    const lines = [
      { at: '0.0.0.0:0', ufrag: null, more: ['a=mid:x'] },
      first(ALICE, { media: 'video', more: ['a=mid:v'] }),
      { at: '0.0.0.0:0', ufrag: null, more: ['a=mid:a', 'a=bundle-only'] },
      { at: '0.0.0.0:0', ufrag: null, more: ['a=bundle-only'] },
    ];
    const text = sdp(lines, { more: ['a=group:LS a x', 'a=group:BUNDLE x v a nobody'] });
    const { lines: paths, decidingLine } = concluded([
      ['offer', 'caller', text],
      ['answer', 'callee', text],
    ]);
    expect(paths.map(({ isActive, transport }) => [isActive, transport])).toEqual([
      [false, 0],
      [true, 1],
      [true, 1],
      [false, 3],
    ]);
    expect(paths[2]?.ends).toEqual(paths[1]?.ends);
    expect(decidingLine).toBe(2);
  });

  it('is mixed when lines concluded differently', () => {
    const video = { ...first(ALICE), media: 'video' };
    const start = setUp(first(ALICE), first(BOB));
    const [offered, answered] = [
      [
        selected(ALICE, 'srflx 203.0.113.2:5000', { remote: ['203.0.113.6:6000'] }),
        { ...video, remote: [B2BUA] },
      ],
      [selected(BOB, 'srflx 203.0.113.6:6000'), { ...first(BOB), media: 'video' }],
    ];
    const steps: Step[] = [
      ['offer', 'caller', sdp([first(ALICE), video])],
      ['answer', 'callee', sdp([first(BOB), { ...first(BOB), media: 'video' }])],
      ['offer', 'caller', sdp(offered)],
      ['answer', 'callee', sdp(answered)],
    ];
    expect(concluded(start).isMixed).toBe(false);
    expect(concluded(steps)).toMatchObject({ callType: 'srflx_to_srflx', isMixed: true });
  });

  it('keeps what it knows of a line that is refused in the end', () => {
    const steps = [
      ...BARESIP_HOST,
      ...setUp({ at: '0.0.0.0:0', ufrag: null }, { at: '0.0.0.0:0', ufrag: null }),
    ];
    expect(concluded(steps)).toMatchObject({ callType: 'host_to_host', decidingLine: 0, isMixed: false });
    expect(verdictOn(steps, { media: 'left' })).toMatchObject({ evidence: 'verified', isMixed: false });
  });

  it('does not change when a description is rewritten after it was read', () => {
    const tracker = new PathTracker(OWN);
    const [offer, answer] = [parsed(sdp([first(ALICE)])), parsed(sdp([first(BOB)]))];
    tracker.offered('caller', offer);
    offer.media[0]?.removeAttributes('candidate', 'ice-ufrag', 'ice-pwd');
    tracker.answered('callee', answer);
    answer.media[0]?.removeAttributes('candidate');
    expect(tracker.conclusion()).toEqual(concluded(setUp(first(ALICE), first(BOB))));
  });

  it('ignores an answer to nothing, and an answer of the offerer', () => {
    const tracker = new PathTracker(OWN);
    tracker.answered('callee', parsed(sdp([first(BOB)])));
    tracker.offered('caller', parsed(sdp([first(ALICE)])));
    tracker.answered('caller', parsed(sdp([first(BOB)])));
    expect(tracker.conclusion().lines).toEqual([]);
  });
});

describe('verdict', () => {
  it('tells the types at both ends', () => {
    const steps = setUp(first(ALICE), first(PUBLIC_BOB));
    const sight = { media: 'left', flows: [flow('198.51.100.10:24000', '192.0.2.6:6000')] } as const;
    expect(verdictOn(steps, sight).lines[0]?.selected).toEqual({ caller: 'relay', callee: 'host' });
  });

  it('says nothing of the ends where they may stand either way round', () => {
    const steps = setUp(
      {
        ufrag: 'alice',
        candidates: ['host 192.0.2.5:5000', 'relay 192.0.2.99:50000'],
        more: ['a=ice-options:ice2'],
      },
      {
        ufrag: 'bobby',
        candidates: ['host 192.0.2.6:6000', 'relay 192.0.2.99:50002'],
        at: '192.0.2.99:50002',
      },
    );
    expect(verdictOn(steps, { media: 'left' }).lines[0]).toEqual({
      media: 'audio',
      callType: 'host_to_host',
      evidence: 'unknown',
      selected: { caller: 'host', callee: 'host' },
    });
    const either = setUp(
      {
        ufrag: 'alice',
        candidates: ['host 192.0.2.5:5000', 'relay 192.0.2.99:50000'],
        at: '192.0.2.99:50000',
        more: ['a=ice-options:ice2'],
      },
      { ufrag: 'bobby', candidates: ['host 192.0.2.6:6000', 'relay 192.0.2.99:50002'], at: '192.0.2.6:6000' },
    );
    expect(verdictOn(either, { media: 'left' }).lines[0]).toEqual({
      media: 'audio',
      callType: 'host_to_relay',
      evidence: 'unknown',
      selected: { caller: null, callee: null },
    });
  });

  it('shows the end that goes through the B2BUA as none', () => {
    const steps = [
      ...setUp(first(ALICE), first(BOB)),
      ...update('caller', selected(ALICE, 'srflx 203.0.113.2:5000'), selected(BOB, `host ${B2BUA}`)),
    ];
    expect(verdictOn(steps, { media: 'through' }).lines[0]?.selected).toEqual({
      caller: 'srflx',
      callee: null,
    });
  });
});

describe('words of a path', () => {
  it('has a type for every pair, in either order', () => {
    const types = CANDIDATE_TYPES.flatMap((one) => CANDIDATE_TYPES.map((other) => callTypeOf(one, other)));
    expect(types).toEqual([
      ...['host_to_host', 'host_to_srflx', 'host_to_relay'],
      ...['host_to_srflx', 'srflx_to_srflx', 'srflx_to_relay'],
      ...['host_to_relay', 'srflx_to_relay', 'relay_to_relay'],
    ]);
  });

  it('spells an address in one way', () => {
    expect(placeOf('2001:DB8:0:0::1', 5)).toBe('[2001:db8::1]:5');
    expect(placeOf('Phone.LOCAL', 9)).toBe('phone.local:9');
    expect(partsOf('[2001:db8::1]:5')).toEqual({ address: '2001:db8::1', port: 5 });
    expect(partsOf('192.0.2.1:65535')).toEqual({ address: '192.0.2.1', port: 65_535 });
  });
});
