/** Phones in a process of their own, asked over its channel. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PhoneHost } from '../../../lab/call/phone-client.ts';
import type { PhoneOptions } from '../../../lab/phone/protocol.ts';

/** Compiled: `npm test` does it first. */
const PROGRAM = fileURLToPath(new URL('../../../dist-lab/lab/phone/phone-host.js', import.meta.url));

let child: ChildProcess;
let host: PhoneHost;

beforeEach(() => {
  child = fork(PROGRAM, [], { serialization: 'advanced', stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
  host = new PhoneHost(child);
});

afterEach(() => host.close());

function options(phone: string): PhoneOptions {
  return {
    ...{ phone, address: '127.0.0.1', ports: [40_000, 41_999], toneHz: 440 },
    ...{ ice: 'full', encryption: 'AEAD_AES_128_GCM' },
  };
}

describe('a process of phones', () => {
  it('carries a call from its beginning to its end', async () => {
    for (const phone of ['one', 'two']) expect(await host.ask(phone, 'open', options(phone))).toBeNull();
    expect(await host.ask('one', 'updatedOffer', {})).toBeNull();
    const offer = await host.ask('one', 'offer', { restart: false });
    const answer = await host.ask('two', 'answer', offer);
    expect(await host.ask('one', 'accept', answer)).toBeNull();
    const hears = async (phone: string): Promise<boolean> =>
      (await host.ask(phone, 'status', {})).heardPackets > 10;
    while (!((await hears('one')) && (await hears('two'))));
    for (const phone of ['one', 'two']) {
      expect(await host.ask(phone, 'hangUp', {})).toMatchObject({ lostPackets: 0, garbledPackets: 0 });
    }
    await expect(host.ask('one', 'status', {})).rejects.toThrow('phone one, status: no phone one');
  });

  it('says in one line why it does not do something', async () => {
    await expect(host.ask('one', 'offer', { restart: false })).rejects.toThrow(
      /^phone one, offer: no phone one$/,
    );
    await host.ask('one', 'open', options('one'));
    await expect(host.ask('one', 'open', options('one'))).rejects.toThrow('phone one is open already');
    await expect(host.ask('one', 'answer', { sdp: 'nonsense' })).rejects.toThrow(
      /^phone one, answer: no media line$/,
    );
    await expect(host.ask('one', 'accept', { sdp: '' })).rejects.toThrow('no media line');
    await host.ask('two', 'open', { ...options('two'), address: '192.0.2.77' });
    await expect(host.ask('two', 'offer', { restart: false })).rejects.toThrow(
      /^phone two, offer: .*EADDRNOTAVAIL.*$/,
    );
  });

  it('ends with its channel', async () => {
    await host.ask('one', 'open', options('one'));
    await host.ask('one', 'offer', { restart: false });
    const exit = once(child, 'exit');
    child.disconnect();
    expect(await exit).toEqual([0, null]);
    await expect(host.ask('one', 'status', {})).rejects.toThrow('the process of the phones is gone');
  });

  it('that is killed leaves no question open', async () => {
    await host.ask('one', 'open', options('one'));
    const asked = host.ask('one', 'offer', { restart: false });
    child.kill('SIGKILL');
    await expect(asked.then(() => host.ask('one', 'status', {}))).rejects.toThrow(/is gone|channel|EPIPE/i);
  });
});
