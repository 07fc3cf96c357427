/** The lab's phones through the built program, which may be started anew in the middle of a call. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Phone } from '../../lab/phone/phone.ts';
import type { PhoneOptions } from '../../lab/phone/protocol.ts';
import { waitUntil } from '../unit/lab/wait-until.ts';
import { freePort, type ServedNode, serve } from './served-node.ts';

const HOST = '127.0.0.1';
const TONES_HZ = { caller: 440, callee: 1060 } as const;

let folder: string;
let node: ServedNode;
let ng: string;
const phones: Phone[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'causeway-lab-phones-'));
  ng = `${HOST}:${await freePort()}`;
  await start();
});

afterEach(async () => {
  await Promise.all(phones.splice(0).map((phone) => phone.close()));
  expect(await node.stop()).toBe(0);
  rmSync(folder, { recursive: true });
});

async function start(): Promise<void> {
  const outside = { address: HOST, mediaEncryption: 'force', aesGcm: true, icePassthrough: true };
  node = await serve(folder, {
    b2bua: {
      services: true,
      ng,
      zones: [
        { id: 1, name: 'outside', kind: 'traversal', signalling: 'tls', ...outside },
        { id: 2, name: 'inside', address: HOST, signalling: 'tcp', mediaEncryption: 'off' },
      ],
    },
  });
}

function phone(name: keyof typeof TONES_HZ, options: Partial<PhoneOptions> = {}): Phone {
  const made = new Phone({
    ...{ phone: name, address: HOST, ports: [44_000, 45_999], ice: 'full', toneHz: TONES_HZ[name] },
    encryption: 'AES_CM_128_HMAC_SHA1_80',
    ...options,
  });
  phones.push(made);
  return made;
}

async function ask(command: object): Promise<string> {
  const response = await fetch(`${node.admin}/ng`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ 'call-id': 'call', 'from-tag': 'caller', ...command }),
  });
  const { sdp, ...reply } = (await response.json()) as { readonly sdp?: string };
  if (sdp === undefined) throw new Error(JSON.stringify(reply));
  return sdp;
}

/** An exchange by the caller, with the plane between. */
async function exchange(
  caller: Phone,
  callee: Phone,
  offer: string,
  zones: readonly string[],
): Promise<void> {
  const offered = await ask({ command: 'offer', direction: zones, replace: ['origin'], sdp: offer });
  const sdp = await callee.answer(offered);
  caller.accept(await ask({ command: 'answer', 'to-tag': 'callee', replace: ['origin'], sdp }));
}

async function talking(caller: Phone, callee: Phone): Promise<void> {
  const hears = (one: Phone, toneHz: number): boolean => {
    const { heardToneHz, silentMs, reportedLossPercent } = one.status();
    const isTone = Math.abs((heardToneHz ?? 0) - toneHz) < 5;
    return isTone && (silentMs ?? 1000) < 500 && reportedLossPercent !== null;
  };
  await waitUntil(
    () => hears(caller, TONES_HZ.callee) && hears(callee, TONES_HZ.caller),
    () => JSON.stringify([caller.status(), callee.status()]),
  );
  expect([caller, callee].map((one) => one.status().garbledPackets)).toEqual([0, 0]);
}

it.each([
  ['full', 'full'],
  ['full', 'werift'],
  ['werift', 'full'],
] as const)('%s to %s: media leaves the plane', async (ofCaller, ofCallee) => {
  const [caller, callee] = [phone('caller', { ice: ofCaller }), phone('callee', { ice: ofCallee })];
  await exchange(caller, callee, await caller.offer(false), ['outside', 'outside']);
  await waitUntil(() => [caller, callee].every((one) => one.status().ice === 'concluded'));
  await exchange(caller, callee, caller.updatedOffer() ?? '', ['outside', 'outside']);
  await talking(caller, callee);
  const { port } = callee.status().candidates[0] ?? {};
  expect(caller.status().selected?.remote).toEqual({ type: 'host', address: HOST, port });
  if (ofCaller === 'full') await waitUntil(() => caller.status().heardFrom?.port === port);
});

it('a phone inside without ICE and encryption is heard, with either suite outside', async () => {
  for (const encryption of ['AES_CM_128_HMAC_SHA1_80', 'AEAD_AES_128_GCM'] as const) {
    const caller = phone('caller', { encryption });
    const callee = phone('callee', { ice: 'none', encryption: 'none' });
    await exchange(caller, callee, await caller.offer(false), ['outside', 'inside']);
    await talking(caller, callee);
    await Promise.all(phones.splice(0).map((one) => one.close()));
    await fetch(`${node.admin}/ng`, {
      method: 'POST',
      body: JSON.stringify({ command: 'delete', 'call-id': 'call', 'from-tag': 'caller', 'delete-delay': 0 }),
    });
  }
});

it.each([true, false])(
  'a plane that is started anew has other keys, and a re-INVITE brings the call back (restart of ICE: %s)',
  async (restart) => {
    const caller = phone('caller');
    const callee = phone('callee', { ice: 'none', encryption: 'none' });
    await exchange(caller, callee, await caller.offer(false), ['outside', 'inside']);
    await talking(caller, callee);
    expect(await node.stop()).toBe(0);
    await waitUntil(() => (caller.status().silentMs ?? 0) > 1000);
    await start();
    await exchange(caller, callee, await caller.offer(restart), ['outside', 'inside']);
    await talking(caller, callee);
  },
);
