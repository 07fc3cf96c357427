/**
 * All that a call needs, at work: a phone at home with SDES, media nodes in a row with a proxy each, a
 * plain RTP desk phone.
 *
 *   phone ── home (NAT) ── node … node ── desk
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Baresip } from '../../../lab/real/baresip.ts';
import { tail } from '../processes.ts';
import { type Capture, startCapture, type UdpPacket } from './capture.ts';
import { type EngineRole, type MediaEngine, startMediaEngine } from './media-engine.ts';
import { makeNetwork, type Network, type NodePlace, whyNoNamespaces } from './network.ts';
import { startPhone } from './phone.ts';
import { type SipProxy, startProxy } from './proxy.ts';

const PHONE_TONE_HZ = 440;
const DESK_TONE_HZ = 650;
/** Of each log, when a test failed. */
const LOG_LINES = 50;

export interface MediaNode {
  readonly place: NodePlace;
  readonly engine: MediaEngine;
  readonly proxy: SipProxy;
}

/** What passed each link while a call was looked at; the first is outside, the last inside. */
export type LinkTraffic = readonly (readonly UdpPacket[])[];

export interface CallRig {
  readonly network: Network;
  /** From the outside inwards. */
  readonly nodes: readonly MediaNode[];
  /** SDES, outside, behind NAT. */
  readonly phone: Baresip;
  /** Plain RTP, inside. */
  readonly desk: Baresip;
  /** What `caller` dials to reach the other one. */
  addressOf(callee: Baresip): string;
  /** Captures all links between home and the desk phone until the function that comes back is called. */
  capture(): Promise<() => Promise<LinkTraffic>>;
  /** Ends what calls a failed test has left, so that the next does not fail by it. */
  endCalls(): Promise<void>;
  /** The ends of all logs, for a test that failed. */
  logs(): string;
  /** Ends and removes everything. @throws Error when a media engine did not end well */
  stop(): Promise<void>;
}

/**
 * A `describe` of what needs network namespaces. Where there are none it is skipped with the reason in
 * its title; on CI (CI=true) that is a failure.
 */
export function describeWithNamespaces(title: string, tests: () => void): void {
  const whyNot = whyNoNamespaces();
  if (whyNot === undefined) describe(title, tests);
  else if (process.env.CI === 'true')
    it(title, () => expect.fail(`calls must be able to run on CI: ${whyNot}`));
  else describe.skip(`${title} (${whyNot})`, tests);
}

/** Starts a rig with media nodes of these roles, from the outside inwards. */
export async function startCallRig(roles: Readonly<Record<string, EngineRole>>): Promise<CallRig> {
  const directory = await mkdtemp(join(tmpdir(), 'causeway-sip-'));
  const network = await makeNetwork(Object.keys(roles));
  try {
    return await fillRig(network, roles, directory);
  } catch (error) {
    await network.remove();
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
}

async function fillRig(
  network: Network,
  roles: Readonly<Record<string, EngineRole>>,
  directory: string,
): Promise<CallRig> {
  const nodes: MediaNode[] = [];
  for (const place of network.nodes) {
    nodes.push(await startNode(network, place, roles[place.name] ?? 'b2bua', join(directory, place.name)));
  }
  const [first, last] = [network.nodes.at(0), network.nodes.at(-1)];
  if (first === undefined || last === undefined) throw new Error('a rig needs at least one media node');
  const [phone, desk] = await startPhones(network, first, last, directory);
  let captures = 0;
  return {
    network,
    nodes,
    phone,
    desk,
    addressOf: (callee) =>
      callee === desk ? `sip:desk@${first.outerAddress}` : `sip:phone@${last.innerAddress}`,
    async capture() {
      const file = (link: string): string => join(directory, `${captures}-${link}.pcap`);
      captures++;
      const running: Capture[] = [await startCapture(network, first.name, 'outer', file('outside'))];
      for (const { name } of network.nodes)
        running.push(await startCapture(network, name, 'inner', file(name)));
      return () => Promise.all(running.map((one) => one.stop()));
    },
    async endCalls() {
      for (const one of [phone, desk]) {
        if (one.callsEnded() < one.callsEstablished()) await one.hangUp();
      }
    },
    logs: () => logsOf(nodes, [phone, desk]),
    async stop() {
      try {
        await Promise.all([phone.stop(), desk.stop()]);
        for (const { proxy } of nodes) await proxy.stop();
        for (const { engine } of nodes) await engine.stop();
      } finally {
        await network.remove();
        await rm(directory, { recursive: true, force: true });
      }
    },
  };
}

async function startNode(
  network: Network,
  place: NodePlace,
  role: EngineRole,
  directory: string,
): Promise<MediaNode> {
  await mkdir(directory);
  const index = network.nodes.indexOf(place);
  // An edge sends inwards what it does not know, a core outwards.
  const neighbourAddress = network.nodes[index + 1]?.outerAddress ?? network.nodes[index - 1]?.innerAddress;
  const engine = await startMediaEngine(network, place, role, directory);
  const proxy = await startProxy(network, place, {
    role,
    directory,
    neighbourAddress,
    facesNat: index === 0,
  });
  return { place, engine, proxy };
}

function startPhones(
  network: Network,
  first: NodePlace,
  last: NodePlace,
  directory: string,
): Promise<[phone: Baresip, desk: Baresip]> {
  return Promise.all([
    startPhone(network, {
      name: 'phone',
      namespace: 'phone',
      address: network.phoneAddress,
      proxyAddress: first.outerAddress,
      toneHz: PHONE_TONE_HZ,
      isEncrypted: true,
      directory: join(directory, 'phone'),
    }),
    startPhone(network, {
      name: 'desk',
      namespace: 'desk',
      address: network.deskAddress,
      proxyAddress: last.innerAddress,
      toneHz: DESK_TONE_HZ,
      isEncrypted: false,
      directory: join(directory, 'desk'),
    }),
  ]);
}

function logsOf(nodes: readonly MediaNode[], phones: readonly Baresip[]): string {
  const logs = [
    ...nodes.flatMap(({ place, engine, proxy }) => [
      [`engine of ${place.name}`, engine.log()] as const,
      [`proxy of ${place.name}`, proxy.log()] as const,
    ]),
    ...phones.map((phone) => [phone.name, phone.log()] as const),
  ];
  return logs.map(([title, log]) => `--- ${title}\n${tail(log, LOG_LINES)}`).join('\n');
}
