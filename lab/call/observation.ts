/** What the phones' own words say of a call: where its media goes, what is heard, and how much of it is lost. */
import type { CallType } from '../events.ts';
import type { PhoneCandidateType, PhoneStatus, TransportAddress } from '../phone/protocol.ts';

const RANK: Readonly<Record<PhoneCandidateType, number>> = { host: 0, srflx: 1, relay: 2 };

/** Media comes every 20 ms; after so long nothing is on its way any more. */
export const SILENCE_MS = 2000;
const TONE_TOLERANCE_HZ = 20;

/** What a phone says of its path. */
export type PathStatus = Pick<PhoneStatus, 'ice' | 'selected' | 'candidates'>;

/** The call's type by the pairs that the two selected; undefined: ICE is not done. */
export function typeBySelection(caller: PathStatus, callee: PathStatus): CallType | undefined {
  if (caller.ice === 'none' || callee.ice === 'none') return 'none';
  if (!caller.selected || !callee.selected) return undefined;
  const places = [...callee.candidates, callee.selected.local].map(addressText);
  // The other end of the caller's path is none of the callee's addresses: it is the media plane.
  if (!places.includes(addressText(caller.selected.remote))) return 'none';
  const [near, far] = [caller.selected.local.type, callee.selected.local.type].sort(
    (a, b) => RANK[a] - RANK[b],
  );
  return `${near}_to_${far}` as CallType;
}

/** `srflx 203.0.113.2:40000 ↔ relay 198.51.100.10:24002`; '' before ICE is done. */
export function pathText(caller: PathStatus, callee: PathStatus): string {
  const type = typeBySelection(caller, callee);
  if (type === undefined) return '';
  if (type === 'none') return 'through the media plane';
  const end = ({ selected }: PathStatus): string =>
    selected ? `${selected.local.type} ${addressText(selected.local)}` : '';
  return `${end(caller)} ↔ ${end(callee)}`;
}

/** Nothing has come for {@link SILENCE_MS}, or at all. */
export function isSilent({ silentMs }: Pick<PhoneStatus, 'silentMs'>): boolean {
  return silentMs === null || silentMs > SILENCE_MS;
}

/** What was heard last was the other end's tone. */
export function hasTone({ heardToneHz }: Pick<PhoneStatus, 'heardToneHz'>, toneHz: number): boolean {
  return heardToneHz !== null && Math.abs(heardToneHz - toneHz) <= TONE_TOLERANCE_HZ;
}

/** Percent of the packets that did not come since the baseline, at each end; null: none were to come. */
export function lossBetween(
  before: readonly [PhoneStatus, PhoneStatus],
  after: readonly [PhoneStatus, PhoneStatus],
): [caller: number | null, callee: number | null] {
  const loss = (from: PhoneStatus, to: PhoneStatus): number | null => {
    const lost = Math.max(0, to.lostPackets - from.lostPackets);
    const expected = to.heardPackets - from.heardPackets + lost;
    return expected <= 0 ? null : (100 * lost) / expected;
  };
  return [loss(before[0], after[0]), loss(before[1], after[1])];
}

function addressText({ address, port }: TransportAddress): string {
  return `${address}:${port}`;
}
