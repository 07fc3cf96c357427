/** What must hold of a call between the SDES phone and the plain desk phone. */
import { expect } from 'vitest';
import type { Baresip } from '../../../lab/real/baresip.ts';
import type { Sound } from '../../../lab/real/recording.ts';
import { waitFor } from '../../../lab/real/wait.ts';
import type { CallRig, LinkTraffic } from './call-rig.ts';
import { entropyOf, type RtpPacket, rtpOf } from './capture.ts';
import { soundOf } from './wire-audio.ts';

/** Heard within this of the level that was said: G.711 changes a tone by hundredths of a decibel. */
const LEVEL_TOLERANCE_DB = 0.5;
/** Of what was heard, so much must be the tone; the windows at a beginning and an end may not be. */
const TONE_SHARE_MIN = 0.8;

/** A tone in PCMU stays below 6.5 bits a byte; random bytes of half a second reach 7.9. */
const PLAIN_ENTROPY_MAX = 6.5;
const CIPHER_ENTROPY_MIN = 7.9;
/** G.711, 20 ms. */
const PAYLOAD_BYTES = 160;
const PACKETS_MIN = 50;

/** Waits until each phone has heard so many seconds more, and expects that they were the other's tone. */
export async function expectBothHear(rig: CallRig, seconds: number): Promise<void> {
  const { phone, desk } = rig;
  const began = [await phone.secondsHeard(), await desk.secondsHeard()] as const;
  await waitFor(
    `${seconds} s of sound at both ends`,
    async () =>
      (await phone.secondsHeard()) >= began[0] + seconds && (await desk.secondsHeard()) >= began[1] + seconds,
  );
  await expectTone(desk, await phone.heardSince(began[0], desk.toneHz));
  await expectTone(phone, await desk.heardSince(began[1], phone.toneHz));
}

/** Expects that a sound is what a phone says, as loud as it says it. */
export async function expectTone(speaker: Baresip, heard: Sound): Promise<void> {
  expect(heard.toneSeconds, `seconds of the tone of ${speaker.name}`).toBeGreaterThan(
    TONE_SHARE_MIN * heard.seconds,
  );
  const { levelDb } = await speaker.said();
  expect(Math.abs(heard.levelDb - levelDb), `dB between said and heard`).toBeLessThan(LEVEL_TOLERANCE_DB);
}

/**
 * Expects of a finished call: RTP as the desk phone's on the link inside, SRTP of the same packets on
 * the link outside, both ways, and nobody else's media on either.
 */
export async function expectEncryptedOutsideOnly(rig: CallRig, traffic: LinkTraffic): Promise<void> {
  const [outside, inside] = [traffic.at(0) ?? [], traffic.at(-1) ?? []];
  const [first, last] = [rig.network.nodes.at(0), rig.network.nodes.at(-1)];
  if (first === undefined || last === undefined) throw new Error('a rig without media nodes');
  const home = rig.network.homeAddress;
  const ways = [
    [rig.phone, rtpOf(outside, home, first.outerAddress), rtpOf(inside, last.innerAddress, rig.desk.address)],
    [rig.desk, rtpOf(outside, first.outerAddress, home), rtpOf(inside, rig.desk.address, last.innerAddress)],
  ] as const;
  for (const [speaker, encrypted, plain] of ways) {
    expect(plain.length, `RTP packets of ${speaker.name} inside`).toBeGreaterThan(PACKETS_MIN);
    expect(plain.every((packet) => packet.media.length === PAYLOAD_BYTES)).toBe(true);
    expect(entropyOf(mediaOf(plain))).toBeLessThan(PLAIN_ENTROPY_MAX);
    await expectTone(speaker, soundOf(plain, speaker.toneHz));

    expect(encrypted.length, `SRTP packets of ${speaker.name} outside`).toBeGreaterThan(PACKETS_MIN);
    expect(encrypted.every((packet) => packet.media.length > PAYLOAD_BYTES)).toBe(true);
    expect(entropyOf(mediaOf(encrypted))).toBeGreaterThan(CIPHER_ENTROPY_MIN);
    expect(soundOf(encrypted, speaker.toneHz).toneSeconds).toBe(0);
    expectOtherBytes(encrypted, plain);
  }
}

/** Expects that packets of the same SSRC and sequence number have nothing in common behind the header. */
function expectOtherBytes(encrypted: readonly RtpPacket[], plain: readonly RtpPacket[]): void {
  const plainById = new Map(plain.map((packet) => [idOf(packet), packet.media]));
  let [compared, equal, pairs] = [0, 0, 0];
  for (const packet of encrypted) {
    const media = plainById.get(idOf(packet));
    if (media === undefined) continue;
    pairs++;
    for (const [index, byte] of media.entries()) {
      compared++;
      if (packet.media[index] === byte) equal++;
    }
  }
  expect(pairs, 'packets that passed both links').toBeGreaterThan(PACKETS_MIN);
  expect(equal / compared, 'share of equal bytes').toBeLessThan(0.02); // by chance: 1/256
}

/** Expects that no engine knows a call any more, and that their media ports are free. */
export async function expectAllForgotten(rig: CallRig): Promise<void> {
  await waitFor('both phones know that the call has ended', () => {
    return [rig.phone, rig.desk].every((phone) => phone.callsEnded() === phone.callsEstablished());
  });
  for (const { engine } of rig.nodes) {
    // The proxy tells the engine before it hands the BYE on; the ports may be closed a batch later.
    await waitFor('no call left', async () => (await engine.callIds()).length === 0);
    await waitFor('no media port left', async () => (await engine.boundPorts()).length === 0);
  }
}

/** Expects that each engine knows exactly one call, and counts its packets; gives their Call-ID. */
export async function expectOneCall(rig: CallRig): Promise<string> {
  const ids = new Set<string>();
  for (const { engine } of rig.nodes) {
    const calls = await engine.callIds();
    expect(calls).toHaveLength(1);
    const id = calls[0] ?? '';
    const reply = await engine.ask({ command: 'query', 'call-id': id });
    expect(reply.totals).toMatchObject({ RTP: { packets: expect.any(Number), errors: 0 } });
    const { packets } = (reply.totals as { RTP: { packets: number } }).RTP;
    expect(packets, 'RTP packets that the engine has counted').toBeGreaterThan(PACKETS_MIN);
    ids.add(id);
  }
  expect(ids.size, 'all nodes know the call by the same Call-ID').toBe(1);
  return [...ids][0] ?? '';
}

function idOf(packet: RtpPacket): string {
  return `${packet.ssrc}/${packet.sequence}`;
}

function mediaOf(packets: readonly RtpPacket[]): Buffer {
  return Buffer.concat(packets.map((packet) => packet.media));
}
