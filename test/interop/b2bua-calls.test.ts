/**
 * Whole calls through a B2BUA: baresip with SDES at home behind NAT, Kamailio, the media engine,
 * baresip with plain RTP at a desk. The audio is listened to at both ends and on the wire.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFailed } from 'vitest';
import type { Baresip } from '../../lab/real/baresip.ts';
import { type CallRig, describeWithNamespaces, startCallRig } from './sip/call-rig.ts';
import { type RtpPacket, rtpOf, sdpOf, type UdpPacket } from './sip/capture.ts';
import {
  expectAllForgotten,
  expectBothHear,
  expectEncryptedOutsideOnly,
  expectOneCall,
  expectTone,
} from './sip/expectations.ts';
import { audioLineOf, openSrtp, soundOf } from './sip/wire-audio.ts';

/** A while of talk, and one of silence. */
const TALK_SECONDS = 1.5;
const SILENCE_MS = 1_000;
/** What may still come when the other side has agreed to wait: what was under way. */
const PACKETS_UNDER_WAY_MAX = 5;

const SUITE = 'AES_CM_128_HMAC_SHA1_80'; // baresip's

let rig: CallRig;

describeWithNamespaces('SDES phone outside, plain RTP phone inside', () => {
  beforeAll(async () => {
    rig = await startCallRig({ core: 'example' });
  });
  afterAll(() => rig?.stop());
  beforeEach(() => {
    onTestFailed(() => console.error(rig.logs()));
  });
  afterEach(() => rig.endCalls());

  describe.each([
    ['the phone outside', () => [rig.phone, rig.desk] as const],
    ['the phone inside', () => [rig.desk, rig.phone] as const],
  ])('a call from %s', (_caller, phones) => {
    it.each([
      ['its caller', () => phones()[0]],
      ['its callee', () => phones()[1]],
    ] as const)(
      'is heard at both ends, encrypted outside, and forgotten when %s hangs up',
      async (_who, ender) => {
        const [caller, callee] = phones();
        const stopCapture = await rig.capture();
        await caller.dial(rig.addressOf(callee));
        await expectBothHear(rig, TALK_SECONDS);
        await expectOneCall(rig);
        await ender().hangUp();
        await expectAllForgotten(rig);
        await expectEncryptedOutsideOnly(rig, await stopCapture());
        expect([caller.reception().errors, callee.reception().errors]).toEqual([0, 0]);
      },
    );
  });

  it('goes on after hold and resume by either side, with the ports and keys it had', async () => {
    const stopCapture = await rig.capture();
    await rig.phone.dial(rig.addressOf(rig.desk));
    await expectBothHear(rig, TALK_SECONDS);
    const pauses = [await holdAndResume(rig.phone), await holdAndResume(rig.desk)];
    await rig.phone.hangUp();
    await expectAllForgotten(rig);

    const [outside = [], inside = []] = await stopCapture();
    expectSamePortsAndKeys(outside, inside);
    const streams = await streamsOf(outside, inside);
    for (const { heldFromMs, heldToMs, resumedMs, endMs } of pauses) {
      for (const { speaker, packets } of streams) {
        expect(between(packets, heldFromMs, heldToMs).length).toBeLessThanOrEqual(PACKETS_UNDER_WAY_MAX);
        const sound = soundOf(between(packets, resumedMs, endMs), speaker.toneHz);
        expect(sound.seconds).toBeGreaterThan(TALK_SECONDS / 2);
        await expectTone(speaker, sound);
      }
    }
    expect([rig.phone.reception().errors, rig.desk.reception().errors]).toEqual([0, 0]);
  });
});

describeWithNamespaces('a restart of the proxy in mid-call', () => {
  // The phones' registrations do not outlive the proxy: each call has a rig of its own.
  beforeEach(async () => {
    rig = await startCallRig({ core: 'example' });
    onTestFailed(() => console.error(rig.logs()));
  });
  afterEach(() => rig?.stop());

  it.each([
    ['outside', () => rig.phone],
    ['inside', () => rig.desk],
  ])('does not disturb the audio, and the phone %s still ends the call', async (_where, ender) => {
    const stopCapture = await rig.capture();
    await rig.phone.dial(rig.addressOf(rig.desk));
    await expectBothHear(rig, TALK_SECONDS);
    const restarted = rig.nodes[0]?.proxy.restart();
    await expectBothHear(rig, TALK_SECONDS);
    await restarted;
    await expectBothHear(rig, TALK_SECONDS);
    await expectOneCall(rig);
    await ender().hangUp();
    await expectAllForgotten(rig);
    await expectEncryptedOutsideOnly(rig, await stopCapture());
    expect([rig.phone.reception().errors, rig.desk.reception().errors]).toEqual([0, 0]);
  });
});

/** Times of a pause and of the talk after it, in the time of Date.now(). */
interface Pause {
  readonly heldFromMs: number;
  readonly heldToMs: number;
  readonly resumedMs: number;
  readonly endMs: number;
}

async function holdAndResume(phone: Baresip): Promise<Pause> {
  await phone.hold();
  const heldFromMs = Date.now();
  await delay(SILENCE_MS);
  const heldToMs = Date.now();
  await phone.resume();
  const resumedMs = Date.now();
  await delay(TALK_SECONDS * 1000);
  return { heldFromMs, heldToMs, resumedMs, endMs: Date.now() };
}

function between(packets: readonly RtpPacket[], fromMs: number, toMs: number): RtpPacket[] {
  return packets.filter(({ timeMs }) => timeMs >= fromMs && timeMs < toMs);
}

/**
 * What each phone was sent: baresip does not record any more after a hold. To the phone outside as
 * libsrtp opens it, with one session for the whole call and the key that the engine had offered.
 */
async function streamsOf(
  outside: readonly UdpPacket[],
  inside: readonly UdpPacket[],
): Promise<readonly { readonly speaker: Baresip; readonly packets: readonly RtpPacket[] }[]> {
  const { outerAddress, innerAddress } = firstNode();
  const encrypted = rtpOf(outside, outerAddress, rig.network.homeAddress);
  const offered = sdpOf(outside, outerAddress, rig.network.homeAddress).map((sdp) => audioLineOf(sdp));
  const key = offered[0]?.keys.get(SUITE) ?? '';
  return [
    { speaker: rig.desk, packets: await openSrtp(encrypted, SUITE, key) },
    { speaker: rig.phone, packets: rtpOf(inside, innerAddress, rig.desk.address) },
  ];
}

/** Of all descriptions that the engine wrote in a call: one port a side, and one key where it stays with the suite. */
function expectSamePortsAndKeys(outside: readonly UdpPacket[], inside: readonly UdpPacket[]): void {
  const { outerAddress, innerAddress } = firstNode();
  const toPhone = sdpOf(outside, outerAddress, rig.network.homeAddress).map((sdp) => audioLineOf(sdp));
  const toDesk = sdpOf(inside, innerAddress, rig.desk.address).map((sdp) => audioLineOf(sdp));
  for (const lines of [toPhone, toDesk]) {
    expect(lines, 'call, two holds, two resumptions').toHaveLength(5);
    expect(new Set(lines.map((line) => line.port)).size).toBe(1);
  }
  expect(new Set(toPhone.map((line) => line.protocol))).toEqual(new Set(['RTP/SAVP']));
  expect(new Set(toPhone.map((line) => line.keys.get(SUITE))).size).toBe(1);
  expect(new Set(toDesk.map((line) => line.protocol))).toEqual(new Set(['RTP/AVP']));
  expect(toDesk.every((line) => line.keys.size === 0)).toBe(true);
}

function firstNode(): { readonly outerAddress: string; readonly innerAddress: string } {
  const [place] = rig.network.nodes;
  if (place === undefined) throw new Error('a rig without media nodes');
  return place;
}
