/** The same calls with ICE agents that are not ours: werift's, behind simulated NATs. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { CallType } from '../../src/ice/path.ts';
import { judgePath } from '../../src/ice/path-evidence.ts';
import { sdpOf } from '../kit/b2bua-sim.ts';
import { PassthroughWorld } from '../kit/passthrough-call.ts';
import { atHome, behindFirewall, locked, outside, type Somewhere } from '../kit/passthrough-places.ts';
import { SimulatedNode, WeriftEndpoint } from '../kit/passthrough-werift.ts';

const SECOND = 1000;
const PACKET_MS = 20;

let world: PassthroughWorld;
let node: SimulatedNode;

beforeEach(() => {
  world = new PassthroughWorld();
  node = new SimulatedNode(world.network);
});
afterEach(() => node.end());

function endpointAt(
  where: Somewhere,
  name: string,
  isControlling: boolean,
  isPatient: boolean,
): WeriftEndpoint {
  const { place, turn, zone, site } = where(world, name);
  return new WeriftEndpoint(node, {
    name,
    zone,
    site,
    address: place.address,
    isControlling,
    isPatient,
    ...(turn && { turn }),
  });
}

function exchange(
  from: WeriftEndpoint,
  to: WeriftEndpoint,
  offer: string,
  answer: () => string,
): [string, string] {
  const ids = { 'call-id': 'werift', 'from-tag': from.name };
  const direction = [from.zone, to.zone];
  const offered = sdpOf(world.node.command('offer', { ...ids, direction, sdp: offer }));
  const answered = sdpOf(world.node.command('answer', { ...ids, 'to-tag': to.name, sdp: answer() }));
  return [offered, answered];
}

interface Scenario {
  readonly callType: CallType;
  readonly where: readonly [Somewhere, Somewhere];
  /** They look at our candidate last. */
  readonly isPatient?: boolean;
}

const SCENARIOS: readonly Scenario[] = [
  { callType: 'host_to_host', where: [outside, outside] },
  { callType: 'host_to_srflx', where: [outside, atHome] },
  { callType: 'host_to_relay', where: [behindFirewall, outside] },
  { callType: 'srflx_to_srflx', where: [atHome, atHome] },
  { callType: 'srflx_to_relay', where: [atHome, behindFirewall], isPatient: true },
  { callType: 'relay_to_relay', where: [behindFirewall, behindFirewall] },
  { callType: 'none', where: [locked, atHome] },
  // What answers first is good enough for them, and that may be us.
  { callType: 'none', where: [atHome, behindFirewall], isPatient: false },
];

it.each(SCENARIOS)('$callType', async ({ callType, where: [where, elsewhere], isPatient = false }) => {
  const a = endpointAt(where, 'a', true, isPatient);
  const b = endpointAt(elsewhere, 'b', false, isPatient);
  for (const endpoint of [a, b]) await endpoint.gather();
  const [offered, answered] = exchange(a, b, a.describe(), () => b.describe());
  await b.take(offered);
  await a.take(answered);

  let isOver = false;
  const speak = (): void => {
    for (const endpoint of [a, b]) endpoint.say();
    if (!isOver) world.network.after(PACKET_MS, speak);
  };
  const connected = Promise.all([a.connection.connect(), b.connection.connect()]);
  speak();
  await node.until(connected);
  // Who is behind a firewall has a way only then.
  const heardEarly = [a, b].map(({ heard }) => heard.length);
  if (where !== behindFirewall && elsewhere !== behindFirewall)
    expect(Math.min(...heardEarly)).toBeGreaterThan(0);
  const saidEarly = a.said().length;

  exchange(a, b, a.describeSelected('offer'), () => b.describeSelected('answer'));
  await node.run(7 * SECOND);
  isOver = true;
  await node.run(SECOND / 2);
  expect(b.heard).toEqual(expect.arrayContaining(a.said(saidEarly)));
  expect(a.heard).toEqual(expect.arrayContaining(b.said(saidEarly)));

  for (const endpoint of [a, b]) await node.until(endpoint.connection.close());
  world.node.command('delete', { 'call-id': 'werift', 'from-tag': 'a' });
  const ended = world.node.ended.at(-1);
  if (!ended) throw new Error('the call has not ended');
  const relays = world.flows(ended.conclusion.ownRelays);
  const verdict = judgePath(ended.conclusion, { ...ended.observation, relays }, world.own);
  expect(verdict).toMatchObject({ callType, evidence: 'verified' });
  expect(world.end()).toEqual([]);
});
