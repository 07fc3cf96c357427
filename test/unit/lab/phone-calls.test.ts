/** The lab's phones with each other, over real sockets on loopback, without a media plane between them. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { Phone } from '../../../lab/phone/phone.ts';
import type { PhoneOptions, PhoneStatus } from '../../../lab/phone/protocol.ts';
import { isRtcp } from '../../../lab/phone/rtcp-reports.ts';
import { waitUntil } from './wait-until.ts';

const HOST = '127.0.0.1';
const TONES_HZ = [440, 1060] as const;

const open: Phone[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((phone) => phone.close()));
});

function phone(name: 'caller' | 'callee', options: Partial<PhoneOptions> = {}): Phone {
  const made = new Phone({
    ...{ phone: name, address: HOST, ports: [42_000, 43_999], ice: 'full' },
    toneHz: TONES_HZ[name === 'caller' ? 0 : 1],
    encryption: 'AES_CM_128_HMAC_SHA1_80',
    ...options,
  });
  open.push(made);
  return made;
}

/** As SIP would carry it: the offer, the answer, and whatever a hop does to either. */
async function exchange(
  offerer: Phone,
  answerer: Phone,
  offer: string,
  change = same,
): Promise<[string, string]> {
  const answer = change(await answerer.answer(change(offer)));
  offerer.accept(answer);
  return [offer, answer];
}

const same = (sdp: string): string => sdp;

async function call(caller: Phone, callee: Phone, change = same): Promise<[string, string]> {
  return exchange(caller, callee, await caller.offer(false), change);
}

/** Both hear each other's tone, and have heard of each other's loss. */
async function talking(caller: Phone, callee: Phone): Promise<[PhoneStatus, PhoneStatus]> {
  const hears = (status: PhoneStatus, toneHz: number): boolean =>
    Math.abs((status.heardToneHz ?? 0) - toneHz) < 5 && status.reportedLossPercent !== null;
  await waitUntil(
    () => hears(caller.status(), TONES_HZ[1]) && hears(callee.status(), TONES_HZ[0]),
    () => JSON.stringify([caller.status(), callee.status()]),
  );
  return [caller.status(), callee.status()];
}

async function concluded(...phones: Phone[]): Promise<void> {
  await waitUntil(
    () => phones.every((one) => one.status().ice === 'concluded'),
    () => JSON.stringify(phones.map((one) => one.status())),
  );
}

function expectClean(...statuses: PhoneStatus[]): void {
  for (const { lostPackets, garbledPackets } of statuses) {
    expect({ lostPackets, garbledPackets }).toEqual({ lostPackets: 0, garbledPackets: 0 });
  }
}

describe.each(['AES_CM_128_HMAC_SHA1_80', 'AEAD_AES_128_GCM', 'none'] as const)('with %s', (encryption) => {
  it('two agents find each other, and each hears the other', async () => {
    const [caller, callee] = [phone('caller', { encryption }), phone('callee', { encryption })];
    await call(caller, callee);
    await concluded(caller, callee);
    const statuses = await talking(caller, callee);
    expectClean(...statuses);
    expect(statuses[0].selected?.local.type).toBe('host');
    expect(statuses[0].selected?.remote).toEqual({ ...statuses[1].candidates[0] });
    expect(statuses[0].heardFrom).toEqual(withoutType(statuses[1].candidates[0]));
  });

  it('two phones without ICE hear each other', async () => {
    const options = { encryption, ice: 'none' } as const;
    const [caller, callee] = [phone('caller', options), phone('callee', options)];
    const [offer] = await call(caller, callee);
    expect(offer).not.toContain('ice-');
    const statuses = await talking(caller, callee);
    expectClean(...statuses);
    expect(statuses.map(({ ice, selected }) => [ice, selected])).toEqual([
      ['none', null],
      ['none', null],
    ]);
  });
});

describe('werift', () => {
  it.each([
    ['full', 'werift'],
    ['werift', 'full'],
    ['werift', 'werift'],
  ] as const)('%s calls %s', async (ofCaller, ofCallee) => {
    const [caller, callee] = [phone('caller', { ice: ofCaller }), phone('callee', { ice: ofCallee })];
    await call(caller, callee);
    await concluded(caller, callee);
    const statuses = await talking(caller, callee);
    expectClean(...statuses);
    expect(statuses.map(({ selected }) => selected?.remote.address)).toEqual([HOST, HOST]);
    const update = caller.updatedOffer();
    expect(update?.match(/^a=candidate:/gm)).toHaveLength(1);
    expect(update).toContain('a=remote-candidates:1 127.0.0.1');
  });
});

describe('an exchange after the first', () => {
  it('tells what was selected, and is answered with what was selected', async () => {
    const [caller, callee] = [phone('caller'), phone('callee')];
    expect(caller.updatedOffer()).toBeNull();
    await call(caller, callee);
    await concluded(caller, callee);
    const update = caller.updatedOffer() ?? '';
    const [remote] = callee.status().candidates;
    expect(update).toContain(`a=remote-candidates:1 ${HOST} ${remote?.port}\r\n`);
    const [, answer] = await exchange(caller, callee, update);
    expect(answer).toContain(`m=audio ${remote?.port} `);
    expect(answer.match(/^a=candidate:/gm)).toHaveLength(1);
    expect(answer).not.toContain('remote-candidates');
    expectClean(...(await talking(caller, callee)));
  });

  it('with a restart moves both to other sockets, and no packet is lost', async () => {
    const [caller, callee] = [phone('caller'), phone('callee')];
    await call(caller, callee);
    await concluded(caller, callee);
    await talking(caller, callee);
    const before = [caller, callee].map((one) => one.status().candidates[0]?.port);
    const offer = await callee.offer(true);
    const silentBetween = caller.status();
    expect(silentBetween.ice).toBe('concluded');
    await exchange(callee, caller, offer);
    await concluded(caller, callee);
    const sent = [caller, callee].map((one) => one.status().sentPackets);
    await waitUntil(() => [callee, caller].every((one, i) => one.status().heardPackets > (sent[i] ?? 0)));
    const after = [caller, callee].map((one) => one.status().selected?.local.port);
    expect(after.every((port) => !before.includes(port))).toBe(true);
    expectClean(caller.status(), callee.status());
  });

  it('that only repeats itself leaves all as it was', async () => {
    const [caller, callee] = [phone('caller'), phone('callee')];
    const [first] = await call(caller, callee);
    await concluded(caller, callee);
    const { selected } = caller.status();
    const [again] = await exchange(caller, callee, await caller.offer(false));
    expect(again.replace(/^o=.*$/m, '')).toBe(first.replace(/^o=.*$/m, ''));
    expectClean(...(await talking(caller, callee)));
    expect(caller.status().selected).toEqual(selected);
  });
});

it('goes on without ICE where the other side has none', async () => {
  const [caller, callee] = [phone('caller'), phone('callee', { ice: 'none' })];
  await call(caller, callee);
  const statuses = await talking(caller, callee);
  expectClean(...statuses);
  expect(statuses.map(({ ice }) => ice)).toEqual(['none', 'none']);
});

it('answers without ICE an offer that has none', async () => {
  const [caller, callee] = [phone('caller', { ice: 'none' }), phone('callee', { ice: 'werift' })];
  const [, answer] = await call(caller, callee);
  expect(answer).not.toContain('ice-');
  expectClean(...(await talking(caller, callee)));
});

it('sends RTCP to a port of its own where the other side does not want it on one', async () => {
  const listener = createSocket('udp4').bind(0, HOST);
  await once(listener, 'listening');
  const { port } = listener.address();
  const [caller, callee] = [phone('caller', { ice: 'none' }), phone('callee', { ice: 'none' })];
  await call(caller, callee, (sdp) =>
    sdp.replace('a=rtcp-mux\r\n', '').replace(/^a=rtcp:\d+/m, `a=rtcp:${port}`),
  );
  const [packet] = (await once(listener, 'message')) as [Buffer];
  listener.close();
  expect(isRtcp(packet)).toBe(true);
  expect(caller.status().rtcpHeard + callee.status().rtcpHeard).toBe(0);
});

it('sends to the default address before ICE has concluded', async () => {
  const [caller, callee] = [phone('caller'), phone('callee')];
  await call(caller, callee);
  await waitUntil(() => caller.status().heardPackets > 5 && callee.status().heardPackets > 5);
  expect(caller.status().ice).toBe('checking');
});

it('fails when the other side is gone', async () => {
  const [caller, callee] = [phone('caller'), phone('callee')];
  await call(caller, callee);
  await concluded(caller, callee);
  await callee.close();
  await waitUntil(() => caller.status().ice === 'failed');
  expect(caller.updatedOffer()).toBeNull();
  const { sentPackets } = caller.status();
  await waitUntil(() => (caller.status().silentMs ?? 0) > 5000);
  expect(caller.status().sentPackets - sentPackets).toBeLessThan(2);
});

it('refuses what it cannot speak, with one line', async () => {
  const plain = phone('caller', { encryption: 'none' });
  const gcm = phone('callee', { encryption: 'AEAD_AES_128_GCM' });
  const cm = phone('callee');
  await expect(cm.answer(await plain.offer(false))).rejects.toThrow(
    /^the other side has RTP\/AVP, this phone AES/,
  );
  await expect(cm.answer(await gcm.offer(false))).rejects.toThrow('the other side has no key of AES_CM_128');
  const offered = await cm.offer(false);
  expect(() => cm.accept(offered.replace(/^m=audio \d+/m, 'm=audio 0'))).toThrow('refuses the audio line');
});

function withoutType(candidate: PhoneStatus['candidates'][number] | undefined): unknown {
  return { address: candidate?.address, port: candidate?.port };
}
