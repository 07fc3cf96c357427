/**
 * Call types whatever the SDP: order and foreign attributes change nothing, sides are interchangeable, nothing
 * throws, and what is kept is bounded.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  CALL_TYPES,
  CANDIDATE_TYPES,
  callTypeOf,
  type MediaSeen,
  type PathVerdict,
  type Side,
} from '../../src/ice/path.ts';
import { judgePath } from '../../src/ice/path-evidence.ts';
import { PATH_CANDIDATES_MAX } from '../../src/ice/path-message.ts';
import { PathTracker } from '../../src/ice/path-tracker.ts';
import { SdpDocument } from '../../src/wire/sdp.ts';
import { type Case, CONCLUDED_CASES } from '../unit/ice/classification-cases.ts';
import { LINES_CASES } from '../unit/ice/classification-lines.ts';
import { OUTCOME_CASES } from '../unit/ice/classification-outcomes.ts';
import {
  concluded,
  first,
  flow,
  OWN,
  observation,
  type Phone,
  parsed,
  type Sight,
  type Step,
  sdp,
  selected,
  setUp,
  swapped,
  swappedSight,
  update,
  verdictOn,
} from '../unit/ice/classification-sdp.ts';
import { SERIES_CASES } from '../unit/ice/classification-series.ts';
import { SIGHT_CASES } from '../unit/ice/classification-sight.ts';
import { holds, Random, SEED } from './seeded.ts';

const CASES: readonly Case[] = [
  ...CONCLUDED_CASES,
  ...OUTCOME_CASES,
  ...SERIES_CASES,
  ...LINES_CASES,
  ...SIGHT_CASES,
];
const MUTANTS = Number(process.env.FUZZ_MESSAGES ?? 50_000) / 10;
const TIMEOUT_MS = 60_000 + MUTANTS * 10;

const anyCase: fc.Arbitrary<Case> = fc.constantFrom(...CASES);
const anySeed: fc.Arbitrary<number> = fc.integer();

/** All descriptions of a call, each changed in its way. */
function withTexts(steps: readonly Step[], change: (text: string) => string): Step[] {
  return steps.map((step) => (step[0] === 'refused' ? step : [step[0], step[1], change(step[2])]));
}

function linesOf(text: string): string[] {
  return text.split('\r\n').slice(0, -1);
}

function textOf(lines: readonly string[]): string {
  return lines.map((line) => `${line}\r\n`).join('');
}

function shuffled<Item>(items: readonly Item[], random: Random): Item[] {
  const left = [...items];
  return items.map(() => left.splice(random.below(left.length), 1)[0] as Item);
}

/** Session part, then one part a line. */
function sections(text: string): string[] {
  return text.split(/(?=^m=)/m);
}

describe('what never changes a result', () => {
  it('the order of candidates', () => {
    const candidatesMoved = (text: string, random: Random): string =>
      sections(text)
        .map((section) => {
          const lines = linesOf(section);
          const candidates = shuffled(
            lines.filter((line) => line.startsWith('a=candidate:')),
            random,
          );
          return textOf(
            lines.map((line) => (line.startsWith('a=candidate:') ? (candidates.shift() ?? '') : line)),
          );
        })
        .join('');
    holds(
      fc.property(anyCase, anySeed, ({ steps, sight }, seed) => {
        const random = new Random(seed);
        const moved = withTexts(steps, (text) => candidatesMoved(text, random));
        expect(verdictOn(moved, sight)).toEqual(verdictOn(steps, sight));
      }),
      1000,
    );
  });

  it('the order of addresses in a=remote-candidates', () => {
    holds(
      fc.property(anyCase, anySeed, ({ steps, sight }, seed) => {
        const random = new Random(seed);
        const moved = withTexts(steps, (text) =>
          text.replace(/(?<=a=remote-candidates:).*/g, (list) => {
            return shuffled(list.match(/\S+ \S+ \S+/g) ?? [], random).join(' ');
          }),
        );
        expect(verdictOn(moved, sight)).toEqual(verdictOn(steps, sight));
      }),
      500,
    );
  });

  it('attributes that have nothing to do with ICE, wherever they stand', () => {
    const foreign = fc.constantFrom(
      ...['a=rtpmap:0 PCMU/8000', 'a=fmtp:101 0-15', 'a=ssrc:1 cname:x', 'a=sendrecv', 'a=x-candidate:1'],
      ...['a=candidates:1 1 UDP 1 1.2.3.4 5 typ host', 'a=ptime:20', 'a=Candidate:1', 'a=label:ice-mismatch'],
      ...['a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:', 'a=rtcp-fb:* nack', 'a=end-of-candidates'],
      ...['a=ice-pacing:50', 'b=AS:384', 'a=candidate:bad', 'a=remote-candidates:1 1.2.3.4'],
    );
    holds(
      fc.property(
        anyCase,
        fc.array(foreign, { minLength: 1, maxLength: 20 }),
        anySeed,
        (labelled, more, seed) => {
          const random = new Random(seed);
          const filled = withTexts(labelled.steps, (text) => {
            const lines = linesOf(text);
            for (const line of more) lines.splice(random.between(4, lines.length), 0, line);
            return textOf(lines);
          });
          expect(verdictOn(filled, labelled.sight)).toEqual(verdictOn(labelled.steps, labelled.sight));
        },
      ),
      1000,
    );
  });

  it('lines that are not audio, in front of the line that gives the type or behind it', () => {
    const extra: readonly string[] = [
      'm=video 7000 RTP/SAVP 31\r\nc=IN IP4 192.0.2.50\r\n',
      'm=application 7002 UDP/BFCP *\r\nc=IN IP4 192.0.2.50\r\n',
      'm=video 0 RTP/SAVP 31\r\nc=IN IP4 0.0.0.0\r\n',
    ];
    const ofAudio = CASES.filter(({ steps }) => {
      const { lines, decidingLine } = concluded(steps);
      const line = lines[decidingLine ?? 0];
      return line?.isActive && line.media === 'audio';
    });
    holds(
      fc.property(fc.constantFrom(...ofAudio), anySeed, ({ steps, sight }, seed) => {
        const count = Math.max(
          ...steps.map((step) => (step[0] === 'refused' ? 0 : sections(step[2]).length - 1)),
        );
        const random = new Random(seed);
        const order = shuffledKeepingOrder(count, extra.length, random);
        const longer = withTexts(steps, (text) => {
          const [session = '', ...parts] = sections(text);
          return (
            session + order.map((place) => (place < count ? parts[place] : extra[place - count])).join('')
          );
        });
        const media = observation(sight).media;
        const moved = { ...sight, media: order.map((place): MediaSeen => media[place] ?? 'unclear') };
        const { callType, evidence } = verdictOn(longer, moved);
        expect({ callType, evidence }).toEqual(pick(verdictOn(steps, sight)));
      }),
      1000,
    );
  });

  it('the order of lines, as long as audio lines keep theirs', () => {
    const several = CASES.filter(({ steps }) =>
      steps.every((step) => step[0] === 'refused' || sections(step[2]).length === 3),
    );
    expect(several.length).toBeGreaterThan(5);
    for (const { steps, sight } of several) {
      const turned = withTexts(steps, (text) => {
        const [session = '', ...parts] = sections(text);
        return session + parts.toReversed().join('');
      });
      const media = observation(sight).media.slice(0, 2).toReversed();
      const { isMixed, ...verdict } = verdictOn(turned, { ...sight, media });
      expect({ ...pick(verdict), isMixed }).toEqual({
        ...pick(verdictOn(steps, sight)),
        isMixed: verdictOn(steps, sight).isMixed,
      });
    }
  });

  it('which side is the caller', () => {
    for (const { steps, sight } of CASES) {
      const straight = verdictOn(steps, sight);
      const turned = verdictOn(swapped(steps), swappedSight(sight));
      expect(turned.lines.map(turnedLine)).toEqual(straight.lines);
      expect({ ...turned, lines: [], reason: turnedReason(turned.reason) }).toEqual({
        ...straight,
        lines: [],
      });
    }
  });
});

/** Places 0 to `count` − 1 in order, with `more` further ones anywhere between. */
function shuffledKeepingOrder(count: number, more: number, random: Random): number[] {
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = 0; i < more; i++) order.splice(random.below(order.length + 1), 0, count + i);
  return order;
}

function pick({ callType, evidence }: Pick<PathVerdict, 'callType' | 'evidence'>): object {
  return { callType, evidence };
}

function turnedLine(line: PathVerdict['lines'][number]): PathVerdict['lines'][number] {
  return { ...line, selected: { caller: line.selected.callee, callee: line.selected.caller } };
}

function turnedReason(reason: string | null): string | null {
  const turned = { caller: 'callee', callee: 'caller' };
  return reason?.replace(/caller|callee/g, (side) => turned[side as Side]) ?? null;
}

describe('calls made up at random', () => {
  const place = (network: string): fc.Arbitrary<string> =>
    fc.tuple(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1024, max: 65_000 })).map(([host, port]) => {
      return `${network}.${host}:${port}`;
    });
  const phone = (lan: string, wan: string, ufrag: string): fc.Arbitrary<Required<Phone>> =>
    fc.record({
      host: place(lan),
      srflx: place(wan),
      relay: fc.integer({ min: 24_000, max: 29_999 }).map((port) => `198.51.100.10:${port}`),
      ufrag: fc.constant(ufrag),
    });

  it('conclude with the types of the selected candidates, verified where media does the same', () => {
    const type = fc.constantFrom(...CANDIDATE_TYPES);
    const alice = phone('192.168.1', '203.0.113', 'alice');
    const bob = phone('10.1.2', '192.0.2', 'bobby');
    const side = fc.constantFrom<Side>('caller', 'callee');
    holds(
      fc.property(alice, bob, type, type, side, (caller, callee, near, far, offerer) => {
        fc.pre(caller.relay !== callee.relay);
        const ends = { caller: `${near} ${caller[near]}`, callee: `${far} ${callee[far]}` };
        const lines = { caller: selected(caller, ends.caller), callee: selected(callee, ends.callee) };
        const answerer = offerer === 'caller' ? 'callee' : 'caller';
        const steps = [
          ...setUp(first(caller), first(callee)),
          ...update(offerer, lines[offerer], lines[answerer]),
        ];
        const flows = [
          ...(near === 'relay' ? [flow(caller.relay, callee[far])] : []),
          ...(far === 'relay' ? [flow(callee.relay, caller[near])] : []),
        ];
        const { callType, evidence, lines: verdicts } = verdictOn(steps, { media: 'left', flows });
        expect({ callType, evidence }).toEqual({ callType: callTypeOf(near, far), evidence: 'verified' });
        expect(verdicts[0]?.selected).toEqual({ caller: near, callee: far });
      }),
      1000,
    );
  });
});

describe('hostile descriptions', () => {
  const texts = CASES.flatMap(({ steps }) =>
    steps.flatMap((step) => (step[0] === 'refused' ? [] : [step[2]])),
  );

  it('never throw, and always end in a verdict', { timeout: TIMEOUT_MS }, () => {
    const random = new Random(SEED);
    let parsedTexts = 0;
    for (let i = 0; i < MUTANTS; i++) {
      const tracker = new PathTracker(OWN);
      for (let step = random.between(1, 6); step > 0; step--) {
        const document = SdpDocument.parse(bent(random.pick(texts), random));
        const side = random.chance(0.5) ? 'caller' : 'callee';
        if (!document) continue;
        parsedTexts++;
        if (random.chance(0.5)) tracker.offered(side, document);
        else tracker.answered(side, document);
        if (random.chance(0.05)) tracker.refused();
      }
      const conclusion = tracker.conclusion();
      const sight: Sight = { media: random.pick(['left', 'through', 'unclear']), flows: anyFlows(random) };
      const verdict = judgePath(conclusion, observation(sight), OWN);
      expect(CALL_TYPES).toContain(verdict.callType);
      expect(verdict.lines).toHaveLength(conclusion.lines.length);
      if (verdict.callType === 'none') expect(verdict.reason).not.toBeNull();
    }
    expect(parsedTexts).toBeGreaterThan(MUTANTS);
  });

  it('keep a bounded number of candidates, and those that came first', () => {
    const tracker = new PathTracker(OWN);
    const { steps } = CONCLUDED_CASES[0] ?? { steps: [] };
    for (const [kind, side, text] of steps) {
      if (kind === 'offer') tracker.offered(side, parsed(text));
      else if (kind === 'answer') tracker.answered(side, parsed(text));
    }
    for (let i = 0; i < 50; i++) {
      const candidates = Array.from({ length: 700 }, (_, k) => `srflx 10.${i}.${k >> 8}.${k & 255}:5000`);
      const remote = Array.from({ length: 700 }, (_, k) => `10.9.${k >> 8}.${k & 255}:6000`);
      tracker.offered('caller', parsed(sdp([{ ufrag: 'alice', candidates, remote }])));
      tracker.answered('callee', parsed(sdp([{ ufrag: 'bobby', candidates }])));
    }
    const { caller, callee } = tracker.conclusion().lines[0]?.ends ?? {};
    expect(caller?.candidates).toHaveLength(PATH_CANDIDATES_MAX);
    expect(callee?.candidates).toHaveLength(PATH_CANDIDATES_MAX);
    expect(caller?.candidates.map(({ type }) => type).slice(0, 3)).toEqual(['host', 'srflx', 'relay']);
  });

  it('of the largest size are judged in no time to speak of', () => {
    const lines = Array.from({ length: 32 }, (_, line) => ({
      ufrag: 'x',
      candidates: Array.from({ length: 40 }, (_, k) => `host 10.0.${line}.${k}:1`),
    }));
    const steps: Step[] = [
      ['offer', 'caller', sdp(lines)],
      ['answer', 'callee', sdp(lines)],
    ];
    const startMs = performance.now();
    verdictOn(steps, { media: 'left', flows: [] });
    // Some 15 ms on a slow machine; a quadratic reader would take seconds.
    expect(performance.now() - startMs).toBeLessThan(1000);
  });
});

function anyFlows(random: Random): ReturnType<typeof flow>[] {
  const places = [
    '198.51.100.10:24000',
    '198.51.100.10:26000',
    '203.0.113.2:5000',
    '192.168.1.12:6000',
    'x',
    '',
  ];
  return Array.from({ length: random.below(4) }, () => flow(random.pick(places), random.pick(places)));
}

/** A description with lines gone, doubled, moved or foreign, and characters changed. */
function bent(text: string, random: Random): string {
  const lines = linesOf(text);
  for (let i = random.below(5); i > 0; i--) {
    const at = random.below(lines.length);
    const choice = random.below(6);
    const line = lines[at] ?? '';
    if (choice === 0) lines.splice(at, 1);
    else if (choice === 1) lines.splice(random.below(lines.length), 0, line);
    else if (choice === 2)
      lines.splice(at, 1, line.replace(/\d+/, String(random.pick([0, 1, 2, 9, 256, 65_535, 65_536]))));
    else if (choice === 3) lines.splice(at, 0, random.pick(ODD_LINES));
    else if (choice === 4) lines.splice(at, 1, line.slice(0, random.below(line.length + 1)));
    else lines.splice(at, 1, line + String.fromCharCode(random.below(256)));
  }
  return textOf(lines);
}

const ODD_LINES: readonly string[] = [
  ...[
    'a=ice-mismatch',
    'a=bundle-only',
    'a=mid:a',
    'a=mid:',
    'a=group:BUNDLE',
    'a=group:BUNDLE a a a',
    'a=ice-lite',
  ],
  ...[
    'a=remote-candidates:1 :: 0',
    'a=remote-candidates:256 x 65535',
    'a=candidate:1 256 x 1 :: 0 typ prflx',
  ],
  ...[
    'a=rtcp:0',
    'a=rtcp:65535 IN IP6 ::',
    'm=audio 65535 RTP/AVP 0',
    'm=x 0 y',
    'c=IN IP4 a',
    'a=ice-ufrag:',
  ],
  ...[
    'a=ice-pwd',
    'a=candidate:1 1 UDP 1 ..local 9 typ host',
    'a=rtcp-mux',
    'a=ice-options:',
    'a=ice-options:ice2',
  ],
];
