/**
 * Whole calls of two full ICE agents through a core and its TURN server: which path they take, that no packet is
 * lost before, during and after the switch, and what is said of the path in the end.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CallType } from '../../src/ice/path.ts';
import { CORP, EDGE, type PassthroughCall, PassthroughWorld } from '../kit/passthrough-call.ts';
import type { EndpointOptions } from '../kit/passthrough-endpoint.ts';
import {
  atHome,
  behind,
  behindFirewall,
  behindSymmetric,
  besideCaller,
  inside,
  locked,
  outside,
  type Somewhere,
  withoutRelay,
} from '../kit/passthrough-places.ts';
import type { NatDependence } from '../kit/passthrough-site.ts';

const SECOND = 1000;

let world: PassthroughWorld;
beforeEach(() => {
  world = new PassthroughWorld();
});
afterEach(() => expect(world.end()).toEqual([]));

type Sides = readonly [caller: Somewhere, callee: Somewhere];

function callBetween(
  [where, elsewhere]: Sides,
  options: Partial<EndpointOptions> = {},
  ofCallee: Partial<EndpointOptions> = options,
): PassthroughCall {
  const a = world.endpoint({ ...where(world, 'a'), ...options });
  const b = world.endpoint({ ...elsewhere(world, 'b'), ...ofCallee });
  return world.call(a, b);
}

/** How many packets of each side have come through the B2BUA. */
function throughUs(call: PassthroughCall): number[] {
  return world.node.report(call.id).legs.map(({ lines }) => lines[0]?.streams[0]?.packets ?? 0);
}

/** Talks before, during and after the switch; says whether media left the B2BUA. */
function talk(call: PassthroughCall): { readonly hasLeft: boolean } {
  call.setUp().talk(300);
  for (const packets of throughUs(call)) expect(packets).toBeGreaterThan(0);
  call.conclude().talk(SECOND);
  const before = throughUs(call);
  call.talk(7 * SECOND);
  const hasLeft = throughUs(call).join() === before.join();
  expect(call.losses()).toEqual([]);
  return { hasLeft };
}

const OPTIMISED: readonly (readonly [name: string, callType: CallType, where: Sides])[] = [
  ['in one home', 'host_to_host', [atHome, besideCaller]],
  ['both on the internet', 'host_to_host', [outside, outside]],
  ['at home and on the internet', 'host_to_srflx', [atHome, outside]],
  ['on the internet and behind a symmetric NAT', 'host_to_srflx', [outside, behindSymmetric]],
  ['on the internet and behind a firewall', 'host_to_relay', [outside, behindFirewall]],
  ['in two homes', 'srflx_to_srflx', [atHome, atHome]],
  ['at home and in the company', 'srflx_to_srflx', [atHome, inside]],
  ['at home and behind a symmetric NAT', 'srflx_to_relay', [atHome, behindSymmetric]],
  ['behind a firewall and in the company', 'srflx_to_relay', [behindFirewall, inside]],
  ['behind two firewalls', 'relay_to_relay', [behindFirewall, behindFirewall]],
];

const STAYING: readonly (readonly [name: string, where: Sides])[] = [
  ['in a company that lets nothing out, and at home', [locked, atHome]],
  ['at home, and in a company that lets nothing out', [atHome, locked]],
  ['where only the edge is reached, and without relays', [withoutRelay, withoutRelay]],
];

describe.each([
  ['tell exactly what they selected', 'exact'],
  ['tell all they have where they must', 'lavish'],
] as const)('endpoints that %s', (_, manner) => {
  it.each(OPTIMISED)('%s: %s', (_name, callType, where) => {
    const call = callBetween(where, { manner });
    expect(talk(call)).toEqual({ hasLeft: true });
    const { verdict } = call.hangUp();
    expect(verdict).toMatchObject({ callType, evidence: 'verified', reason: null, isMixed: false });
  });

  it.each(STAYING)('%s: none', (_name, where) => {
    const call = callBetween(where, { manner });
    expect(talk(call)).toEqual({ hasLeft: false });
    const { verdict } = call.hangUp();
    const reason = "the B2BUA's own candidate was selected";
    expect(verdict).toMatchObject({ callType: 'none', evidence: 'verified', reason, isMixed: false });
  });
});

describe('endpoints that never tell what they selected', () => {
  /** What candidates, silence and relays together leave open. */
  const UNDECIDED = ['in one home', 'in two homes', 'at home and in the company'];

  it.each(OPTIMISED)('%s: %s', (name, callType, where) => {
    const call = callBetween(where, { manner: 'never' });
    expect(talk(call)).toEqual({ hasLeft: true });
    const { verdict } = call.hangUp();
    if (UNDECIDED.includes(name)) expect(verdict.evidence).toBe('unknown');
    else expect(verdict).toMatchObject({ callType, evidence: 'verified', reason: null });
  });

  it.each(STAYING)('%s: none', (_name, where) => {
    const call = callBetween(where, { manner: 'never' });
    expect(talk(call)).toEqual({ hasLeft: false });
    expect(call.hangUp().verdict).toMatchObject({ callType: 'none', evidence: 'verified' });
  });
});

describe('NATs of all kinds', () => {
  const KINDS: readonly NatDependence[] = [
    'endpoint-independent',
    'address-dependent',
    'address-and-port-dependent',
  ];
  const PAIRS = KINDS.flatMap((near) => KINDS.map((far) => [near, far] as const));

  it.each(PAIRS)('%s and %s', (near, far) => {
    // One that everybody gets in by lets the other in, whatever that one's packets come from.
    const isOpen = near === 'endpoint-independent' || far === 'endpoint-independent';
    const callType = isOpen ? 'srflx_to_srflx' : 'srflx_to_relay';
    const call = callBetween([behind(near), behind(far)]);
    expect(talk(call)).toEqual({ hasLeft: true });
    expect(call.hangUp().verdict).toMatchObject({ callType, evidence: 'verified' });
  });
});

describe('endpoints whose relays use no channels, so that nobody knows the port of a peer', () => {
  it.each([
    ['on the internet and behind a firewall', 'host_to_relay', [outside, behindFirewall]],
    ['behind a firewall and in the company', 'srflx_to_relay', [behindFirewall, inside]],
    // The other relay has the address of the B2BUA, through which they spoke at first.
    ['behind two firewalls', 'relay_to_relay', [behindFirewall, behindFirewall]],
  ] as const)('%s: %s', (_, callType, where) => {
    const call = callBetween(where);
    call
      .setUp()
      .talk(2 * SECOND)
      .conclude({ bindsChannels: false });
    call.talk(7 * SECOND);
    expect(call.losses()).toEqual([]);
    expect(call.hangUp().verdict).toMatchObject({ callType, evidence: 'verified', reason: null });
  });
});

describe('a call that does not leave', () => {
  /** The default address is one that the B2BUA reaches unasked. */
  const REACHED: Partial<EndpointOptions> = { types: ['host'] };

  it('because the callee knows no ICE is an ordinary one', () => {
    const call = callBetween([atHome, outside], {}, { ice: false });
    expect(talk(call)).toEqual({ hasLeft: false });
    const { verdict, ended } = call.hangUp();
    const reason = 'no candidates from the callee';
    expect(verdict).toMatchObject({ callType: 'none', evidence: 'verified', reason });
    expect(ended).toMatchObject({ isConnected: true, isIceConfigured: true });
    expect(ended.conclusion.sidesWithCandidates).toBe(1);
  });

  it('because the caller knows no ICE is an ordinary one', () => {
    const call = callBetween([outside, outside], { ice: false }, REACHED);
    call.setUp().talk(10 * SECOND);
    expect(call.losses()).toEqual([]);
    const reason = 'no candidates from either side'; // who is offered no ICE answers without
    expect(call.hangUp().verdict).toMatchObject({ callType: 'none', evidence: 'verified', reason });
  });

  it.each([
    ['is without passthrough', { icePassthrough: false }, 'zone internal does not allow ICE passthrough'],
    ['is not encrypted', { isSignallingEncrypted: false }, 'signalling of zone internal is not TLS'],
  ])('because the other zone %s says so', (_, change, reason) => {
    world = new PassthroughWorld({ zones: [EDGE, { ...CORP, ...change }] });
    const call = callBetween([outside, inside], REACHED);
    call.setUp().talk(10 * SECOND);
    expect(call.losses()).toEqual([]);
    const { verdict, ended } = call.hangUp();
    expect(verdict).toMatchObject({ callType: 'none', evidence: 'verified', reason });
    expect(ended).toMatchObject({ isIceConfigured: false });
    expect(ended.conclusion.sidesWithCandidates).toBe(1);
  });
});

describe('a call with a port for RTCP', () => {
  it.each([
    ['in two homes', 'srflx_to_srflx', [atHome, atHome]],
    ['behind two firewalls', 'relay_to_relay', [behindFirewall, behindFirewall]],
    ['in a company that lets nothing out, and at home', 'none', [locked, atHome]],
  ] as const)('%s: %s', (_, callType, where) => {
    const call = callBetween(where, { components: 2 });
    expect(talk(call)).toEqual({ hasLeft: callType !== 'none' });
    const { verdict, ended } = call.hangUp();
    expect(verdict).toMatchObject({ callType, evidence: 'verified' });
    expect(ended.conclusion.lines[0]?.components).toHaveLength(2);
  });
});

describe('on a network that loses, delays and doubles packets', () => {
  it.each(OPTIMISED.filter((_, i) => i % 3 === 0))('%s: still %s', (_name, callType, where) => {
    world = new PassthroughWorld({ seed: 4 });
    world.network.setDefaultLink({ lossRate: 0.05, reorderRate: 0.05, duplicateRate: 0.02 });
    const call = callBetween(where);
    call
      .setUp()
      .talk(300)
      .conclude()
      .talk(8 * SECOND);
    const { verdict } = call.hangUp();
    expect(verdict).toMatchObject({ callType, evidence: 'verified' });
  });
});
