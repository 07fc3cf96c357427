/**
 * The verdict on a call's path: what was signalled, held against what the node saw of the media.
 *
 * A result is `verified` where the media behaved as it says, `contradicted` where it did otherwise, and
 * `unknown` where nothing was seen that could tell. A line without a concluding exchange is judged by what
 * was seen alone (`path-guess`).
 */
import type {
  CallType,
  Evidence,
  LineVerdict,
  MediaSeen,
  OwnAddresses,
  PathConclusion,
  PathLine,
  PathObservation,
  PathVerdict,
  SelectedCandidate,
  TypePair,
} from './path.ts';
import { isOwnRelay } from './path-candidates.ts';
import { observedPairs } from './path-flows.ts';
import { observedPath, possiblePath } from './path-guess.ts';
import { reasonOf } from './path-reason.ts';

type Relays = PathObservation['relays'];
type Judgement = Omit<LineVerdict, 'media'>;

const NO_TYPES: TypePair = { caller: null, callee: null };

/** @param own the same as the tracker's */
export function judgePath(
  conclusion: PathConclusion,
  observation: PathObservation,
  own: OwnAddresses,
): PathVerdict {
  const lines = conclusion.lines.map((line) => ({ media: line.media, ...judgeLine(line, observation, own) }));
  const deciding = lines[conclusion.decidingLine ?? -1];
  const { callType, evidence }: Judgement = deciding ?? judged('none', 'unknown', NO_TYPES);
  const told = conclusion.lines.flatMap((line, i) => {
    const verdict = lines[i];
    const isTold = line.callType !== undefined || verdict?.evidence === 'verified';
    return verdict && line.isActive && isTold ? [verdict.callType] : [];
  });
  const isMixed = new Set(told).size > 1;
  return {
    callType,
    evidence,
    isMixed,
    reason: reasonOf(callType, evidence, conclusion, observation),
    lines,
  };
}

function judgeLine(line: PathLine, observation: PathObservation, own: OwnAddresses): Judgement {
  const seen = observation.media[line.transport] ?? 'unclear';
  const { relays, obstacle } = observation;
  const stayed = judged('none', seen === 'through' ? 'verified' : 'unknown', NO_TYPES);
  if (obstacle !== undefined) return stayed;
  if (line.callType === undefined) return seen === 'through' ? stayed : judgeBySight(line, seen, relays, own);
  const { caller, callee } = line.ends;
  const types = { caller: typeOf(caller.selected), callee: typeOf(callee.selected) };
  const signalled = (evidence: Evidence): Judgement => judged(line.callType ?? 'none', evidence, types);
  if (line.callType === 'none') {
    return signalled(seen === 'through' ? 'verified' : evidenceOfSilence(line, relays, own));
  }
  // An answerer that has all of its addresses named may have been reached at the B2BUA's, which was one of them.
  const isOurs = line.likelySide !== undefined && observation.nominatedBy !== undefined;
  if (seen === 'through' && isOurs) return stayed;
  // After a restart, or while ICE rests, what was concluded says nothing of now.
  if (seen === 'through') return signalled(line.isInForce ? 'contradicted' : 'unknown');
  return judgeSignalled(line, signalled, seen, relays, own);
}

/** A line whose concluding exchange named a pair that leaves the B2BUA, and whose media was not seen to stay. */
function judgeSignalled(
  line: PathLine,
  signalled: (evidence: Evidence) => Judgement,
  seen: MediaSeen,
  relays: Relays,
  own: OwnAddresses,
): Judgement {
  const { caller, callee } = line.ends;
  const isByOwnRelay = [caller, callee].some(({ selected }) => selected && isOwnRelay(own, selected.address));
  if (relays === undefined && isByOwnRelay) return signalled('unknown');
  const observed = observedPairs(line, relays ?? [], own);
  if (
    observed.some((pair) => pair.caller === caller.selected?.type && pair.callee === callee.selected?.type)
  ) {
    return signalled('verified');
  }
  if (seen === 'unclear') return signalled('unknown');
  if (!line.isInForce) {
    const shown = observedPath(line, relays ?? [], own);
    return shown?.isCertain ? judged(shown.callType, 'verified', shown.types) : signalled('unknown');
  }
  if (observed.length === 0 && !isByOwnRelay) return signalled('verified');
  // An answerer that has not finished its checks answers with its default, whatever is selected afterwards.
  const sight = line.likelySide && judgeBySight(line, seen, relays, own);
  return sight?.evidence === 'verified' ? sight : signalled('contradicted');
}

/** A line of which no exchange told where media went, and whose media was not seen to stay. */
function judgeBySight(line: PathLine, seen: MediaSeen, relays: Relays, own: OwnAddresses): Judgement {
  const shown = observedPath(line, relays ?? [], own);
  const guess = shown ?? (seen === 'left' ? possiblePath(line, relays !== undefined, own) : undefined);
  if (!guess) return judged('none', 'unknown', NO_TYPES);
  return judged(guess.callType, guess.isCertain ? 'verified' : 'unknown', guess.types);
}

/** Silence on a line that was to stay may be a hold; a relay that carries media elsewhere is none. */
function evidenceOfSilence(line: PathLine, relays: Relays, own: OwnAddresses): Evidence {
  return observedPairs(line, relays ?? [], own).length > 0 ? 'contradicted' : 'unknown';
}

function judged(callType: CallType, evidence: Evidence, selected: TypePair): Judgement {
  return { callType, evidence, selected };
}

function typeOf(selected: SelectedCandidate | undefined): TypePair['caller'] {
  return selected === undefined || selected.type === 'b2bua' ? null : selected.type;
}
