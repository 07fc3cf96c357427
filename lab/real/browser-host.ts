/**
 * A process with a Chromium, whose pages are phones. It is asked over Node's IPC channel, as `phone-host.ts` is, and
 * ends with it.
 */
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import type { PhoneCommands, PhoneOptions, PhoneQuestion, PhoneStatus } from '../phone/protocol.ts';
import { projectFile } from '../project.ts';
import { CHROMIUM, CHROMIUM_FLAGS } from './chromium.ts';

type Answer = PhoneCommands[PhoneQuestion['command']]['answer'];

/** Sound without a click of the user's. */
const FLAGS = [...CHROMIUM_FLAGS, '--autoplay-policy=no-user-gesture-required'];

const [profile = ''] = process.argv.slice(2);
const pages = new Map<string, Page>();
let browser: Promise<BrowserContext> | undefined;

async function answerTo({ phone, command, question }: PhoneQuestion): Promise<Answer> {
  if (command === 'open') {
    await open(phone, question as PhoneOptions);
    return null;
  }
  const page = pages.get(phone);
  if (!page) throw new Error(`no phone ${phone}`);
  const ask = <Result>(call: string): Promise<Result> => page.evaluate<Result>(`browserPhone.${call}`);
  const { sdp } = question as { sdp?: string };
  switch (command) {
    case 'offer':
      return { sdp: await ask<string>('offer()') };
    case 'answer':
      return { sdp: await ask<string>(`answer(${JSON.stringify(sdp)})`) };
    case 'accept':
      return ask<null>(`accept(${JSON.stringify(sdp)}).then(() => null)`);
    case 'updatedOffer':
      // WebRTC tells nobody.
      return null;
    case 'status':
      return ask<PhoneStatus>('status()');
    case 'hangUp': {
      const status = await ask<PhoneStatus>('status()');
      await ask('close()');
      pages.delete(phone);
      await page.close();
      return status;
    }
  }
}

async function open(phone: string, { turn, toneHz }: PhoneOptions): Promise<void> {
  if (!turn) throw new Error('a browser of the lab uses relays alone: it needs a TURN server');
  browser ??= launch();
  const page = await (await browser).newPage();
  await page.addScriptTag({ path: projectFile('lab/real/browser-phone.js') });
  const server = `turn:${turn.server.address}:${turn.server.port}`;
  const transports = turn.transport === 'auto' ? ['udp', 'tcp'] : [turn.transport];
  const urls = transports.map((transport) => `${server}?transport=${transport}`);
  const { username, password: credential } = turn;
  await page.evaluate(`browserPhone.open(${JSON.stringify({ urls, username, credential, toneHz })})`);
  pages.set(phone, page);
}

/** All that it writes is below the profile's folder, whoever's home it would be otherwise. */
function launch(): Promise<BrowserContext> {
  return chromium.launchPersistentContext(profile, {
    executablePath: CHROMIUM,
    headless: true,
    args: FLAGS,
    env: { ...(process.env as Record<string, string>), HOME: profile, TMPDIR: profile },
  });
}

process.on('message', (message) => {
  const question = message as PhoneQuestion;
  const { id } = question;
  const reply = (answer: object): void => void process.send?.({ id, ...answer }, () => {});
  answerTo(question).then(
    (answer) => reply({ answer }),
    (error: Error) => reply({ error: error.message.split('\n')[0] }),
  );
});
process.on('disconnect', () => {
  const closed = Promise.resolve(browser).then((context) => context?.close());
  closed.then(
    () => process.exit(0),
    () => process.exit(1),
  );
});
