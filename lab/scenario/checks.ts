/** What does not fit together in a scenario whose settings are each right on their own. */
import { keyPath, problemLine } from '../../src/config/messages.ts';
import type { CallType } from '../events.ts';
import { type HomeName, type NatKind, PLACES } from '../topology.ts';
import type { CallPlan, Party, Scenario, Step } from './scenario.ts';

type Path = readonly PropertyKey[];

/** One line each; empty where all fits. */
export function checkLines(scenario: Scenario): string[] {
  const { mediaPlane, turn, steps } = scenario;
  const lines = steps.flatMap((step, i) => stepLines(scenario, step, ['steps', i]));
  if (mediaPlane?.token !== undefined && mediaPlane.ng.startsWith('udp:')) {
    lines.unshift('mediaPlane.token: must be left out where ng is udp');
  }
  if (mediaPlane && !turn) {
    lines.unshift('turn: must be given beside mediaPlane, in whose place no node of the lab runs');
  }
  return lines;
}

function stepLines(scenario: Scenario, step: Step, path: Path): string[] {
  return [
    ...faultLines(scenario, step, [...path, 'fault']),
    ...step.calls.flatMap((call, i) => callLines(scenario, step, call, [...path, 'calls', i])),
  ];
}

function faultLines({ mediaPlane, turn }: Scenario, { fault, calls }: Step, path: Path): string[] {
  if (!fault) return [];
  if ('home' in fault) {
    const isUsed = calls.some(({ from, to }) => [from, to].some((end) => homeOf(end) === fault.home));
    const rule = 'must be the home of a phone that calls in this step';
    return isUsed ? [] : [problemLine(keyPath([...path, 'home']), rule, fault.home)];
  }
  const rule = 'must be one that needs no node of the lab, beside mediaPlane and turn';
  return mediaPlane || turn ? [problemLine(keyPath([...path, 'kind']), rule, fault.kind)] : [];
}

function callLines(scenario: Scenario, step: Step, call: CallPlan, path: Path): string[] {
  const { from, to, expect, afterFault } = call;
  const line = (key: string, rule: string, value: unknown): string =>
    problemLine(keyPath([...path, key]), rule, value);
  const lines: string[] = [];
  if (from.place === to.place) lines.push(line('to', 'must be another place than from', to.place));
  const rule = from.place === to.place ? undefined : brokenRule(scenario, step, call);
  if (rule !== undefined) lines.push(line('expect', rule, expect));
  if (afterFault !== undefined && !step.fault) {
    lines.push(line('afterFault', 'must be left out where the step has no fault', afterFault));
  }
  return lines;
}

/** Why the path that is expected cannot be; undefined: it can. */
function brokenRule({ mediaPlane }: Scenario, { nats }: Step, call: CallPlan): string | undefined {
  const { from, to, expect } = call;
  if (expect === 'none') return undefined;
  const ends = [from, to];
  if (ends.some(({ ice }) => ice === 'none')) return 'must be none where an end has no ICE';
  if (!mediaPlane && ends.some(({ place }) => place === 'desk')) {
    return 'must be none with the desk, which the lab’s nodes do not offer ICE to';
  }
  if (count(expect, 'relay') > ends.filter(({ turn }) => turn).length) {
    return 'must have no more relays than ends with turn';
  }
  const home = homeOf(from);
  if (home !== undefined && home === homeOf(to)) return undefined;
  if (count(expect, 'host') > ends.filter(({ place }) => place === 'internet').length) {
    return 'must have host for an end on the internet alone, unless both are in one home';
  }
  const isBlocked = (end: Party): boolean => kindBefore(end, nats) === 'udp-blocked';
  if (count(expect, 'relay') < ends.filter(isBlocked).length) {
    return 'must have a relay for each end whose home lets no UDP out';
  }
  return undefined;
}

function homeOf({ place }: Party): HomeName | undefined {
  return PLACES[place].home;
}

/** The NAT that an end is behind; undefined: none. */
function kindBefore(end: Party, nats: Step['nats']): NatKind | undefined {
  const home = homeOf(end);
  return home && nats[home];
}

/** How many ends of the path are of a kind. */
function count(type: CallType, kind: 'host' | 'srflx' | 'relay'): number {
  return type.split('_to_').filter((end) => end === kind).length;
}
