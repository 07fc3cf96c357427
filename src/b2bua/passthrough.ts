/**
 * ICE passthrough: candidates and keys of each side go to the other, so that both find the best path between
 * them. What is ours in it: one candidate a component, of the lowest priority there is, on which media flows
 * until then, and which is the default destination (`c=`, `m=`), so that neither side sees an ICE mismatch.
 */
import { IceLiteAgent } from '../ice/lite-agent.ts';
import { parseAddress } from '../wire/address.ts';
import type { EndpointBook } from '../wire/endpoint.ts';
import type { SdpMedia } from '../wire/sdp.ts';
import { formatRemoteCandidates, parseCandidate, parseRemoteCandidates } from '../wire/sdp-candidate.ts';
import type { Departure, Line } from './call.ts';
import type { RemoteIce } from './remote-line.ts';

/** Priorities are 2 and 1, below every candidate that follows RFC 8445 §5.1.2.1 with at most 253 components. */
const LENT_PRIORITY = 3;
const LENT_FOUNDATION = 'causeway';

/** The candidates that we lend to a side, towards the other: `port` of each component on `address`. */
export function lentCandidates(address: string, ports: readonly number[]): string[] {
  return ports.map((port, i) => {
    const component = i + 1;
    const priority = LENT_PRIORITY - component;
    // Of type relay, which is what it is for the one it stands for.
    return `${LENT_FOUNDATION} ${component} UDP ${priority} ${address} ${port} typ relay raddr ${unspecified(address)} rport 9`;
  });
}

/** Answers the checks of one side in place of the other, whose credentials these are; the one of before if they are the same. */
export function standIn(before: IceLiteAgent | undefined, credentials: RemoteIce): IceLiteAgent {
  const { ufrag, password } = credentials;
  const isSame =
    before?.part === 'stand-in' && before.local.ufrag === ufrag && before.local.password === password;
  return isSame ? before : new IceLiteAgent({ ufrag, password }, 'stand-in');
}

/**
 * What an offer tells of the path, or the one of before, until a restart: a hold may tell nothing new.
 *
 * @param section the line of the offer
 * @param nearAddress ours, as the side that sends the offer knows it; `near`: the line of that side
 */
export function departureOf(
  section: SdpMedia,
  ice: RemoteIce,
  nearAddress: string,
  near: Line,
): Departure | undefined {
  const before = near.remote?.ice;
  if (before?.ufrag !== ice.ufrag || before.password !== ice.password) return undefined;
  const values = section.attributes('remote-candidates');
  const named = values.flatMap((value) => parseRemoteCandidates(value) ?? []);
  if (named.length === 0) return near.departure;
  const isLent = near.components.some((component, i) => {
    const candidates = named.filter(({ componentId }) => componentId === i + 1);
    const lent = candidates.filter(
      ({ address, port }) => address === nearAddress && port === component.localPort,
    );
    // Of several it is the checks that tell, where we see them.
    const isSelected = near.ice === undefined || component.isNominated;
    return lent.length > 0 && (isSelected || lent.length === candidates.length);
  });
  if (isLent) return undefined;
  return named.filter(({ componentId }) => componentId === 1).length === 1 ? 'named' : 'likely';
}

/** Whether the addresses of a line go on as they are. */
export function isDirect(departure: Departure | undefined, section: SdpMedia): boolean {
  if (departure !== 'likely') return departure === 'named';
  const address = section.connection()?.address;
  const candidates = section.attributes('candidate').flatMap((value) => parseCandidate(value) ?? []);
  // A peer-reflexive address is open to one peer alone.
  return candidates.some(
    (candidate) =>
      candidate.address === address && candidate.port === section.port && candidate.type !== 'prflx',
  );
}

/**
 * An updated offer names the selected candidates of the other side. Where that is the one that we lent, it means
 * the address that the other side is known by here; of that it knows nothing, so it is told its own.
 *
 * @param near the line of the side that sends the offer, `far` of the one that gets it
 */
export function translateRemoteCandidates(
  value: string,
  nearAddress: string,
  near: Line,
  far: Line,
  book: EndpointBook,
): string {
  const candidates = parseRemoteCandidates(value);
  if (!candidates) return value;
  const translated = candidates.flatMap((candidate) => {
    const place = near.components.findIndex(({ localPort }) => localPort === candidate.port);
    if (candidate.address !== nearAddress || place < 0) return [candidate];
    const row = far.components[place]?.remote ?? -1;
    return row < 0 ? [] : [{ ...candidate, address: book.addressText(row), port: book.port(row) }];
  });
  return formatRemoteCandidates(translated);
}

function unspecified(address: string): string {
  return parseAddress(address)?.length === 16 ? '::' : '0.0.0.0';
}
