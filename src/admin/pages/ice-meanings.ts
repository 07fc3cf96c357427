/** What the figures of the ICE passthrough metrics mean, in a sentence each. */
import type { IceMetricName } from '../../metrics/ice-metrics.ts';

export interface Meaning {
  readonly label: string;
  readonly text: string;
}

export const MEANINGS: Readonly<Record<IceMetricName, Meaning>> = {
  b2buacalls: {
    label: 'B2BUA connected calls',
    text: 'Calls that were answered and went through the B2BUA. A call counts when it ends.',
  },
  icecalls: {
    label: 'Calls with optimized ICE media paths',
    text: 'Both endpoints chose a better path than through the B2BUA; share of the connected calls.',
  },
  hosthostcalls: {
    label: 'Host to host',
    text: 'Both endpoints use an address of their own: they reach each other without a NAT between.',
  },
  hostsrvrflxcalls: {
    label: 'Host to server reflexive',
    text: 'One endpoint uses its own address, the other the one its NAT gave it.',
  },
  hostrelaycalls: {
    label: 'Host to relay',
    text: 'One endpoint uses its own address, the other a relay of a TURN server.',
  },
  srvrflxsrvrflxcalls: {
    label: 'Server reflexive to server reflexive',
    text: 'Both endpoints are behind NATs that let them reach each other directly.',
  },
  srvrflxrelaycalls: {
    label: 'Server reflexive to relay',
    text: 'One endpoint uses the address its NAT gave it, the other a relay of a TURN server.',
  },
  relayrelaycalls: {
    label: 'Relay to relay',
    text: 'Both endpoints use a relay of a TURN server.',
  },
  iceconfiguredcalls: {
    label: 'Calls with required Expressway ICE configuration',
    text: 'Both zones have ICE passthrough on, and the signalling of both legs is encrypted.',
  },
  icecandidatecalls: {
    label: 'Calls attempted with offered ICE candidates',
    text: 'One endpoint or both offered ICE candidates.',
  },
  onepartyicecandidatecalls: {
    label: 'Calls with ICE candidates offered by one endpoint',
    text: 'Only one endpoint offered candidates: the other does not do ICE, or has it off.',
  },
  noicecandidatesoffered: {
    label: 'Calls without ICE candidates',
    text: 'Neither endpoint offered candidates.',
  },
  failedicenegotiationcalls: {
    label: 'Failed ICE negotiations',
    text: 'Configuration and candidates were there on both sides, and still no better path was found.',
  },
  candidatesofferedmissingiceconfig: {
    label: 'Calls with ICE candidates offered but without required Expressway ICE configuration',
    text: 'Candidates were dropped, since a zone has passthrough off or a leg is not encrypted.',
  },
};

/** Of the one line that no counter stands behind. */
const NON_OPTIMIZED: Meaning = {
  label: 'Calls with non-optimized media paths',
  text: 'Connected calls less the optimized ones: their media stayed on the B2BUA.',
};

const BY_LABEL: ReadonlyMap<string, string> = new Map(
  [...Object.values(MEANINGS), NON_OPTIMIZED].map(({ label, text }) => [label, text]),
);

/** @param label of a line of the page; one that is not known means nothing */
export function meaningOf(label: string): string {
  return BY_LABEL.get(label) ?? '';
}
