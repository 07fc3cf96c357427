/** What the allocations of our TURN servers tell of a line's path. */
import {
  type CandidateType,
  type OwnAddresses,
  otherSide,
  type PathLine,
  partsOf,
  type RelayFlow,
  type Side,
} from './path.ts';
import { reflexiveType } from './path-candidates.ts';

const SIDES: readonly Side[] = ['caller', 'callee'];

/**
 * The pair that each allocation of the line shows: at its end a relay, at the other what the peer is to that
 * side. Media that a relay carries to and from the B2BUA has not left it, and shows nothing.
 */
export function observedPairs(
  line: PathLine,
  flows: readonly RelayFlow[],
  own: OwnAddresses,
): Record<Side, CandidateType>[] {
  const pairs: Record<Side, CandidateType>[] = [];
  for (const side of SIDES) {
    const relays = new Set(line.ends[side].candidates.filter(isRelay).map(({ address }) => address));
    for (const { relay, peer } of flows) {
      if (!relays.has(relay) || isB2bua(peer, own)) continue;
      const peerType = typeOfPeer(line, otherSide(side), peer, own);
      pairs.push(
        side === 'caller' ? { caller: 'relay', callee: peerType } : { caller: peerType, callee: 'relay' },
      );
    }
  }
  return pairs;
}

function typeOfPeer(line: PathLine, side: Side, peer: string, own: OwnAddresses): CandidateType {
  const { candidates } = line.ends[side];
  // Of a peer without a channel only the IP address is known.
  const listed = candidates.find(({ address }) => address === peer || partsOf(address).address === peer);
  const hosts = candidates.filter(({ type }) => type === 'host').map(({ address }) => address);
  return listed?.type ?? reflexiveType(peer, hosts, own);
}

function isRelay({ type }: { readonly type: CandidateType }): boolean {
  return type === 'relay';
}

function isB2bua(place: string, own: OwnAddresses): boolean {
  const { address, port } = partsOf(place);
  return own.isB2bua(address, port);
}
