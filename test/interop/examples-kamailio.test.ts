/**
 * The Kamailio example where a call cannot have the media that it asks for, and with phones that speak ICE. The
 * rest of it: b2bua-calls.test.ts, passthrough.test.ts.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFailed, onTestFinished } from 'vitest';
import { Baresip } from '../../lab/real/baresip.ts';
import { waitFor } from '../../lab/real/wait.ts';
import { B2BUA_KIND, PROJECT_DIRECTORY, waitUntilReady } from './harness.ts';
import { freePort } from './ports.ts';
import { type BackgroundProcess, startBackground } from './processes.ts';
import { type CallRig, describeWithNamespaces, startCallRig } from './sip/call-rig.ts';
import { expectTone } from './sip/expectations.ts';
import { SipUser } from './sip/sip-user.ts';

/** The proxy's and the phones', on loopback: all of 127.0.0.0/8 is there. */
const [OUTSIDE, INSIDE] = ['127.61.0.1', '127.62.0.1'];
const [OUTSIDE_PHONE, INSIDE_PHONE] = ['127.61.0.2', '127.62.0.2'];
/** What the phone outside takes for its own, behind NAT: from here nothing comes to it. */
const PRIVATE = '192.0.2.99';

const PLAIN = sdpOf('RTP/AVP', []);
const ENCRYPTED = sdpOf('RTP/SAVP', [
  'a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNk',
]);

const TALK_SECONDS = 2;

describe('the Kamailio example, when Causeway refuses', () => {
  let node: Node;
  let kamailio: BackgroundProcess;
  let outside: SipUser;
  let inside: SipUser;

  beforeEach(async () => {
    const directory = await mkdtemp(join(tmpdir(), 'causeway-kamailio-'));
    node = await startNode(directory);
    kamailio = await startKamailio(directory, node.ngPort);
    onTestFailed(() => console.error(`${kamailio.output()}\n--- node\n${node.process.output()}`));
    [outside, inside] = await openUsers();
    return async () => {
      for (const user of [outside, inside]) user.close();
      await kamailio.stop();
      if (node.process.end() === undefined) await node.process.stop();
      await rm(directory, { recursive: true });
    };
  });

  it('an offer: the caller hears of it, and nobody is called', async () => {
    outside.invite('inside', PLAIN);
    expect((await outside.next(/^SIP\/2\.0 [2-6]/)).startLine).toBe('SIP/2.0 488 Not Acceptable Here');
    expect(inside.unread()).toBe('');
    expect(await node.callCount()).toBe(0);
  });

  it('a new offer in a call: the call goes on', async () => {
    outside.invite('inside', ENCRYPTED);
    inside.reply(await inside.next(/^INVITE /), '200 OK', PLAIN);
    const answer = await outside.next(/^SIP\/2\.0 200 /);
    outside.within('ACK', answer);
    await inside.next(/^ACK /);

    outside.within('INVITE', answer, PLAIN);
    expect((await outside.next(/^SIP\/2\.0 [2-6]/)).startLine).toBe('SIP/2.0 488 Not Acceptable Here');
    expect(inside.unread()).toBe('');
    expect(await node.callCount()).toBe(1);

    outside.within('BYE', answer);
    inside.reply(await inside.next(/^BYE /), '200 OK');
    await outside.next(/^SIP\/2\.0 200 /);
    expect(await node.callCount()).toBe(0);
  });

  it.each([
    ['outside', ENCRYPTED, 'inside', `${PLAIN}m=video 0 RTP/AVP 31\r\n`],
    ['inside', PLAIN, 'outside', PLAIN],
  ])(
    'the answer to a call from %s: the call ends for both',
    async (callerName, offer, calleeName, answer) => {
      const [caller, callee] = callerName === 'outside' ? [outside, inside] : [inside, outside];
      caller.invite(calleeName, offer);
      callee.reply(await callee.next(/^INVITE /), '200 OK', answer);
      caller.within('ACK', await caller.next(/^SIP\/2\.0 200 /));
      // The phone that has answered hears so before it hears of the end.
      expect((await callee.next(/^(ACK|BYE) /)).startLine).toMatch(/^ACK /);
      for (const phone of [callee, caller]) phone.reply(await phone.next(/^BYE /), '200 OK');
      expect(await node.callCount()).toBe(0);
    },
  );

  it('media before the answer: the caller waits for the answer', async () => {
    inside.invite('outside', PLAIN);
    const invite = await outside.next(/^INVITE /);
    outside.reply(invite, '183 Session Progress', PLAIN);
    outside.reply(invite, '200 OK', ENCRYPTED);
    const answer = await inside.next(/^SIP\/2\.0 (183|200) /);
    expect(answer.startLine).toBe('SIP/2.0 200 OK');
    inside.within('ACK', answer);
    await outside.next(/^ACK /);
    inside.within('BYE', answer);
    outside.reply(await outside.next(/^BYE /), '200 OK');
  });

  it('nothing, as nothing is offered: the caller is to make an offer', async () => {
    outside.invite('inside', '');
    expect((await outside.next(/^SIP\/2\.0 [2-6]/)).startLine).toBe('SIP/2.0 488 Offer Needed');
    expect(inside.unread()).toBe('');
  });

  it('nothing, as it does not run: the caller is to try again', async () => {
    await node.process.stop();
    outside.invite('inside', ENCRYPTED);
    expect((await outside.next(/^SIP\/2\.0 [2-6]/)).startLine).toBe('SIP/2.0 503 Media Plane Unavailable');
    expect(inside.unread()).toBe('');
  });

  it('nothing, as it has gone before the answer: the call ends for both', async () => {
    outside.invite('inside', ENCRYPTED);
    const invite = await inside.next(/^INVITE /);
    await node.process.stop();
    inside.reply(invite, '200 OK', PLAIN);
    outside.within('ACK', await outside.next(/^SIP\/2\.0 200 /));
    for (const phone of [inside, outside]) phone.reply(await phone.next(/^BYE /), '200 OK');
  });
});

describe('the Kamailio example, when Causeway hears and says nothing', () => {
  it('the caller is to try again', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'causeway-kamailio-'));
    const deaf = createSocket('udp4').bind(0, '127.0.0.1');
    await once(deaf, 'listening');
    const kamailio = await startKamailio(directory, deaf.address().port);
    onTestFailed(() => console.error(kamailio.output()));
    onTestFinished(async () => {
      await kamailio.stop();
      deaf.close();
      await rm(directory, { recursive: true });
    });
    const [outside, inside] = await openUsers();
    outside.invite('inside', ENCRYPTED);
    expect((await outside.next(/^SIP\/2\.0 [2-6]/)).startLine).toBe('SIP/2.0 503 Media Plane Unavailable');
    expect(inside.unread()).toBe('');
    for (const user of [outside, inside]) user.close();
  });
});

/** The phone asks the node for its relay, and rtpengine has none. */
const describeWithTurn = B2BUA_KIND === 'causeway' ? describeWithNamespaces : describe.skip;

describeWithTurn('the Kamailio example, phone with ICE outside, plain phone inside', () => {
  let rig: CallRig;
  let directory: string;
  let phone: Baresip;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'causeway-kamailio-'));
    rig = await startCallRig({ core: 'example' });
    phone = await startIcePhone(rig, directory);
    onTestFailed(() => console.error(`${rig.logs()}\n--- ${phone.name}\n${phone.log()}`));
  });
  afterEach(async () => {
    await phone?.stop();
    await rig?.stop();
    await rm(directory, { recursive: true });
  });

  it.each([
    ['outside', () => phone.dial(rig.addressOf(rig.desk))],
    ['inside', () => rig.desk.dial(rig.addressOf(rig.phone).replace(rig.phone.name, phone.name))],
  ])('a call from %s is heard at both ends, with Causeway as the peer', async (_where, dial) => {
    await dial();
    await waitFor(
      'sound at both ends',
      async () =>
        (await phone.secondsHeard()) > TALK_SECONDS && (await rig.desk.secondsHeard()) > TALK_SECONDS,
    );
    await expectTone(rig.desk, await phone.heardSince(0, rig.desk.toneHz));
    await expectTone(phone, await rig.desk.heardSince(0, phone.toneHz));
    expect(phone.selectedRemote()?.address).toBe(rig.network.nodes[0]?.outerAddress);
    await phone.hangUp();
    expect(phone.reception().errors).toBe(0);
  });
});

function sdpOf(protocol: string, attributes: readonly string[]): string {
  const lines = [
    ...['v=0', `o=- 1 1 IN IP4 ${PRIVATE}`, 's=-', `c=IN IP4 ${PRIVATE}`, 't=0 0'],
    ...[`m=audio 4000 ${protocol} 0`, ...attributes],
  ];
  return lines.map((line) => `${line}\r\n`).join('');
}

async function openUsers(): Promise<[outside: SipUser, inside: SipUser]> {
  return [
    await SipUser.open({
      ...{ name: 'outside', address: OUTSIDE_PHONE, contactAddress: PRIVATE, proxyAddress: OUTSIDE },
    }),
    await SipUser.open({
      ...{ name: 'inside', address: INSIDE_PHONE, contactAddress: INSIDE_PHONE, proxyAddress: INSIDE },
    }),
  ];
}

interface Node {
  readonly process: BackgroundProcess;
  readonly ngPort: number;
  /** Calls that it has at this moment. */
  callCount(): Promise<number>;
}

/** With the example's zones. A zone's address must be one of an interface: media, of which there is none, is on 127.0.0.1. */
async function startNode(directory: string): Promise<Node> {
  const [ngPort, adminPort] = [await freePort(), await freePort()];
  const ours = {
    ...{ '203.0.113.1': '127.0.0.1', '10.10.0.1': '127.0.0.1' },
    ...{ '127.0.0.1:2223': `127.0.0.1:${ngPort}`, '127.0.0.1:8080': `127.0.0.1:${adminPort}` },
    'listenAddresses: [127.0.0.1]': `listenAddresses: [127.0.0.1]\n  requestsPort: ${await freePort()}`,
  };
  const example = await readFile(join(PROJECT_DIRECTORY, 'examples/causeway.yaml'), 'utf8');
  const text = Object.entries(ours).reduce((all, [theirs, mine]) => all.replaceAll(theirs, mine), example);
  const file = join(directory, 'causeway.yaml');
  await writeFile(file, text);
  const program = join(PROJECT_DIRECTORY, 'dist/main.js');
  const child = startBackground(process.execPath, [program, 'serve', '-c', file], {
    workingDirectory: directory,
  });
  const ask = (path: string): Promise<Response> => fetch(`http://127.0.0.1:${adminPort}${path}`);
  await waitUntilReady(child, () =>
    ask('/healthz')
      .then(({ ok }) => ok)
      .catch(() => false),
  );
  return {
    process: child,
    ngPort,
    async callCount() {
      return ((await (await ask('/api/calls')).json()) as { callsTotal: number }).callsTotal;
    },
  };
}

/** The phones wait for it. */
async function startKamailio(directory: string, ngPort: number): Promise<BackgroundProcess> {
  const runtime = join(directory, 'kamailio');
  await mkdir(runtime);
  const definitions = { EXTERNAL_IP: OUTSIDE, INTERNAL_IP: INSIDE, CAUSEWAY: `udp:127.0.0.1:${ngPort}` };
  return startBackground('kamailio', [
    ...['-DD', '-E', '-m', '32', '-M', '8', '-Y', runtime],
    ...['-f', join(PROJECT_DIRECTORY, 'examples/kamailio.cfg')],
    ...Object.entries(definitions).flatMap(([name, value]) => ['-A', `${name}="${value}"`]),
  ]);
}

/** At home beside the rig's own phone, with a relay at hand; the node prints its TURN user. */
function startIcePhone(rig: CallRig, directory: string): Promise<Baresip> {
  const [node] = rig.nodes;
  if (!node) throw new Error('a rig without a media node');
  const [, username = '', password = ''] = /user "(\S+)" with password "(\S+)"/.exec(node.engine.log()) ?? [];
  const { outerAddress } = node.place;
  const [enter, ...enterArgs] = rig.network.within('phone');
  return Baresip.start(
    (command, args) => startBackground(enter, [...enterArgs, command, ...args], { input: '' }),
    {
      ...{ name: 'icephone', address: rig.network.phoneAddress, sipPort: 5070, rtpPorts: [21_000, 21_999] },
      ...{ proxyAddress: outerAddress, toneHz: 520, isEncrypted: true, directory },
      ice: { server: { address: outerAddress, port: 3478 }, user: { username, password } },
    },
  );
}
