/**
 * What a home's gateway does to packets, as a rule set of nftables.
 *
 * Forgetting mappings: the kernel's connection tracking forgets nothing when rules change, and what can empty its
 * table is no part of nftables. So each mapping belongs to a zone: a packet finds entries of the zone that the
 * present rules give it. New rules with a new zone are a gateway that knows nobody, from one packet to the next.
 */
import { HOMES, type HomeName, type NatKind, PLACE_NAMES, PLACES } from '../../topology.ts';
import { LAN, WAN } from './layout.ts';

export interface GatewayState {
  readonly kind: NatKind;
  readonly wanAddress: string;
  /** Of forwarded packets, each way. */
  readonly lossPercent: number;
  /** Where mappings are remembered: two different numbers, 1 to 65535. */
  readonly udpZone: number;
  readonly tcpZone: number;
}

/** Loss has steps of 1/100 %. */
const LOSS_STEPS = 10_000;

export function initialState(home: HomeName): GatewayState {
  return {
    ...{ kind: 'endpoint-independent', wanAddress: HOMES[home].wanAddresses[0], lossPercent: 0 },
    ...{ udpZone: 1, tcpZone: 2 },
  };
}

/** Replaces all rules in one transaction, for `nft -f`. */
export function gatewayRules(home: HomeName, state: GatewayState): string {
  const { kind, wanAddress, udpZone, tcpZone } = state;
  return `
flush ruleset
table ip gateway {
  chain zones {
    type filter hook prerouting priority raw; policy accept;
    meta l4proto tcp ct zone set ${tcpZone}
    meta l4proto udp ct zone set ${udpZone}
    # An error belongs to the packet that it quotes, of which this is the protocol.
    icmp type { destination-unreachable, time-exceeded } @th,136,8 6 ct zone set ${tcpZone}
    icmp type { destination-unreachable, time-exceeded } @th,136,8 17 ct zone set ${udpZone}
  }
  chain destination {
    type nat hook prerouting priority dstnat; policy accept;
    ${kind === 'endpoint-independent' ? fixedMappings(home, wanAddress).join('\n    ') : ''}
  }
  chain source {
    type nat hook postrouting priority srcnat; policy accept;
    oifname "${WAN}" snat to ${wanAddress}${kind === 'symmetric' ? ' fully-random' : ''}
  }
  # What nobody has asked for ends here: remembered, it would take the port of a later mapping. So does what
  # goes from the home to its own public address: no hairpinning.
  chain input {
    type filter hook input priority filter; policy drop;
    iifname "lo" accept
    ct state established,related accept
  }
  chain forward {
    type filter hook forward priority filter; policy drop;
    # Where the host lets packets of bridges through here, those within the home are no business of the gateway.
    iifname "${LAN}" oifname "${LAN}" accept
    ${loss(state.lossPercent)}
    ${kind === 'udp-blocked' ? 'meta l4proto udp reject with icmp type admin-prohibited' : ''}
    iifname "${LAN}" oifname "${WAN}" accept
    iifname "${WAN}" oifname "${LAN}" ct state established,related accept
    iifname "${WAN}" oifname "${LAN}" ct status dnat accept
  }
}
`;
}

/** Of the ports of phones, which the gateway keeps: so they are their outside ports too, and open to anyone. */
function fixedMappings(home: HomeName, wanAddress: string): string[] {
  return PLACE_NAMES.flatMap((name) => {
    const { addresses, phonePorts, home: homeOfPlace } = PLACES[name];
    if (homeOfPlace !== home || phonePorts === undefined) return [];
    const arriving = `iifname "${WAN}" ip daddr ${wanAddress} udp dport ${phonePorts.join('-')}`;
    return [`${arriving} dnat to ${addresses[0]}`];
  });
}

function loss(percent: number): string {
  if (!(percent >= 0 && percent <= 100)) throw new Error(`loss must be 0 to 100 %: got ${percent}`);
  const steps = Math.round((percent / 100) * LOSS_STEPS);
  if (steps === 0) return '';
  return steps === LOSS_STEPS ? 'drop' : `numgen random mod ${LOSS_STEPS} < ${steps} drop`;
}
