/**
 * The same call through an edge node and a core node in series, each with an engine, an ng socket and a
 * proxy of its own: the edge passes SRTP as it is, the core ends it.
 */
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, onTestFailed } from 'vitest';
import type { Baresip } from '../../lab/real/baresip.ts';
import { B2BUA_KIND } from './harness.ts';
import { type CallRig, describeWithNamespaces, startCallRig } from './sip/call-rig.ts';
import { type RtpPacket, rtpOf, type UdpPacket } from './sip/capture.ts';
import {
  expectAllForgotten,
  expectBothHear,
  expectEncryptedOutsideOnly,
  expectOneCall,
} from './sip/expectations.ts';
import { MULTIPLEXED_PORTS } from './sip/media-engine.ts';

const TALK_SECONDS = 2;
const PACKETS_MIN = 50;

let rig: CallRig;

describeWithNamespaces('an edge and a core in series', () => {
  beforeAll(async () => {
    rig = await startCallRig({ edge: 'edge', core: 'b2bua' });
  });
  afterAll(() => rig?.stop());
  beforeEach(() => {
    onTestFailed(() => console.error(rig.logs()));
  });
  afterEach(() => rig.endCalls());

  it.each<[from: string, by: string, phones: () => readonly [Baresip, Baresip], ender: () => Baresip]>([
    ['outside', 'outside', () => [rig.phone, rig.desk], () => rig.phone],
    ['outside', 'inside', () => [rig.phone, rig.desk], () => rig.desk],
    ['inside', 'inside', () => [rig.desk, rig.phone], () => rig.desk],
    ['inside', 'outside', () => [rig.desk, rig.phone], () => rig.phone],
  ])(
    'carry a call from %s, ended by %s: SRTP untouched up to the core, RTP behind it',
    async (_from, _by, phones, ender) => {
      const [caller, callee] = phones();
      const stopCapture = await rig.capture();
      await caller.dial(rig.addressOf(callee));
      await expectBothHear(rig, TALK_SECONDS);
      await expectOneCall(rig);
      await ender().hangUp();
      await expectAllForgotten(rig);
      const traffic = await stopCapture();
      await expectEncryptedOutsideOnly(rig, traffic);
      expectUntouchedByEdge(traffic[0] ?? [], traffic[1] ?? []);
      expect([caller.reception().errors, callee.reception().errors]).toEqual([0, 0]);
    },
  );
});

/** Expects that what passed the edge came out byte for byte, both ways, and on the shared ports inwards. */
function expectUntouchedByEdge(outside: readonly UdpPacket[], between: readonly UdpPacket[]): void {
  const [edge, core] = rig.network.nodes;
  if (edge === undefined || core === undefined) throw new Error('a series needs two nodes');
  const home = rig.network.homeAddress;
  const inwards = rtpOf(between, edge.innerAddress, core.outerAddress);
  const outwards = rtpOf(between, core.outerAddress, edge.innerAddress);
  if (B2BUA_KIND === 'causeway') {
    expectSameBytes(rtpOf(outside, home, edge.outerAddress), inwards);
    expectSameBytes(outwards, rtpOf(outside, edge.outerAddress, home));
    const shared = `${edge.innerAddress}:${MULTIPLEXED_PORTS[0]}`;
    expect(new Set(inwards.map((packet) => packet.source))).toEqual(new Set([shared]));
    expect(new Set(outwards.map((packet) => packet.destination))).toEqual(new Set([shared]));
  }
}

function expectSameBytes(sent: readonly RtpPacket[], passedOn: readonly RtpPacket[]): void {
  const bytesSent = new Set(sent.map((packet) => packet.payload.toString('base64')));
  expect(passedOn.length).toBeGreaterThan(PACKETS_MIN);
  expect(passedOn.filter((packet) => !bytesSent.has(packet.payload.toString('base64')))).toEqual([]);
}
