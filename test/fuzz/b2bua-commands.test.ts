/**
 * Commands from anyone, in any order, to one core: whatever is said, nothing throws, every reply is well-formed,
 * nothing grows beyond its limit, no key reaches a second place, and when all calls are deleted nothing is left.
 */
import { describe, expect, it } from 'vitest';
import type { Call, Leg, Line } from '../../src/b2bua/call.ts';
import type { Component } from '../../src/b2bua/component.ts';
import type { NgDictionary, NgValue } from '../../src/b2bua/ng-request.ts';
import type { ZoneSettings } from '../../src/b2bua/settings.ts';
import { SRTP_SUITES } from '../../src/b2bua/srtp/suites.ts';
import { SdpDocument } from '../../src/wire/sdp.ts';
import { B2buaNode, type ZoneOptions } from '../kit/b2bua-node.ts';
import { SimNetwork } from '../kit/sim-network.ts';
import { CORPUS } from '../unit/wire/sdp-corpus.ts';
import { Random, SEED } from './seeded.ts';

const COMMANDS = Number(process.env.FUZZ_MESSAGES ?? 50_000) / 5;
const COMMANDS_PER_WORLD = 250;
const TIMEOUT_MS = 60_000 + COMMANDS * 20;
const LIMITS = { calls: 4, portsPerCall: 20 };
const LEGS_MAX = 32;

const USUAL = [
  ...['offer', 'offer', 'offer', 'offer', 'offer', 'answer', 'answer', 'answer', 'answer', 'answer'],
  ...['delete', 'query', 'other'],
];
const CALL_IDS = ['call-1', 'call-2', 'call-3', 'call-4', 'call-5', '__proto__', 'c\r\nINVITE', ''];
const TAGS = ['A', 'B', 'C', 'D', 'constructor', '\u0000\u00ff', ''];
const BRANCHES = ['z9hG4bK1', 'z9hG4bK2', 'z9hG4bK3'];
const ZONE_NAMES = ['plain', 'secure', 'edge-out', 'edge-in', 'shared', 'best', '1', '2', 'nowhere'];
const MODES: readonly ZoneSettings['mediaEncryption'][] = ['auto', 'force', 'off', 'bestEffort'];
const PROTOCOLS = [
  ...['RTP/AVP', 'RTP/AVP', 'RTP/SAVP', 'RTP/SAVP', 'RTP/AVPF', 'RTP/SAVPF', 'UDP/TLS/RTP/SAVPF'],
  ...['UDP/BFCP', 'UDP/UDT/IX', 'udptl', 'TCP/BFCP', 'TCP/MSRP'],
];
const FLAGS = [
  ...[
    'SIP-source-address',
    'trust-address',
    'asymmetric',
    'reset',
    'fatal',
    'reject-ICE',
    'all',
    'strict-source',
  ],
  ...['replace-origin', 'replace-SDP-version', 'replace-zero-address', 'RTP/AVP', 'SRTP', 'ICE=force'],
  ...['SDES-nonew', 'SDES-off', 'rtcp-mux-demux', 'rtcp-mux-require', 'direction=secure', 'no such flag'],
];
const OPTIONS: Readonly<Record<string, readonly NgValue[]>> = {
  ICE: ['remove', 'force', 'default', 'optional', 'force-relay', ['force', 'trickle'], 'x'],
  DTLS: ['off', 'passive'],
  SDES: [['off'], ['pad'], ['nonew'], ['only-AES_CM_128_HMAC_SHA1_80'], ['no-AEAD_AES_256_GCM'], 'order:x;y'],
  'transport-protocol': ['RTP/AVP', 'RTP/SAVP', 'RTP/AVPF', 'RTP/SAVPF', 'UDP/TLS/RTP/SAVPF', 'accept'],
  'rtcp-mux': [['offer'], ['require'], ['demux'], ['accept'], ['reject'], ['accept', 'reject']],
  replace: [['origin'], ['sdp-version', 'session-name'], ['username'], ['zero-address']],
  'address-family': ['IP4', 'IP6'],
  'media-address': ['203.0.113.5', '2001:db8::5', 'none'],
  'received-from': [['IP4', '192.0.2.9'], '2001:db8::9', []],
  'delete-delay': [0, 1, '5', 1e15, -1],
  supports: [['load limit'], []],
  limit: [1, 1000, -1],
};

describe('a B2BUA core', () => {
  it(
    'survives every order of commands, and keeps nothing of calls that ended',
    () => {
      for (let done = 0, world = 0; done < COMMANDS; done += COMMANDS_PER_WORLD, world++) {
        const fuzz = new CommandFuzz(SEED + world);
        for (let i = 0; i < COMMANDS_PER_WORLD; i++) fuzz.step();
        fuzz.deleteAll();
        expect(fuzz.node.held(), `seed ${SEED + world}`).toEqual([]);
        expect(fuzz.node.crypto.faults, `seed ${SEED + world}`).toEqual([]);
      }
    },
    TIMEOUT_MS,
  );
});

class CommandFuzz {
  readonly node: B2buaNode;
  readonly #random: Random;
  readonly #network: SimNetwork;
  /** Whose each of our keys is. */
  readonly #owners = new Map<string, Line>();
  #keysOfPhones = 0;

  constructor(seed: number) {
    this.#random = new Random(seed);
    this.#network = new SimNetwork(seed);
    const zones = zonesOf(this.#random);
    this.node = new B2buaNode(
      this.#network,
      { zones, settings: { limits: LIMITS, anyDirection: false } },
      seed,
    );
  }

  step(): void {
    const random = this.#random;
    if (random.chance(0.05)) this.#network.run(random.pick([10, 2000, 70_000, 400_000]));
    const command = random.pick(USUAL);
    const keys = this.#keys(command);
    const name =
      command === 'other'
        ? random.pick(['list', 'block media', 'unblock media', 'silence media', 'x'])
        : command;
    const before = this.#media();
    const reply = this.node.command(name, keys);
    this.#checkReply(name, keys, reply);
    if (reply.result !== 'ok' || name === 'offer') this.#checkMedia(before, name, keys, reply);
    for (const call of this.node.core.calls) this.#checkCall(call);
    if (this.node.core.calls.size > LIMITS.calls) throw new Error('more calls than there may be');
  }

  /** As a proxy would, with one tag or none. */
  deleteAll(): void {
    for (const { callId, legs } of [...this.node.core.calls]) {
      const tag = legs.find((leg) => leg.tag !== undefined)?.tag;
      const keys = this.#random.chance(0.5) || tag === undefined ? {} : { 'from-tag': tag };
      this.node.command('delete', { 'call-id': callId, ...keys });
      // A tag may name a fork that was superseded, and ends alone.
      this.node.command('delete', { 'call-id': callId });
    }
  }

  #keys(command: string): Record<string, NgValue> {
    const random = this.#random;
    const keys: Record<string, NgValue> = {};
    const set = (key: string, values: readonly NgValue[], probability: number): void => {
      if (random.chance(probability)) keys[key] = random.pick(values);
    };
    set('call-id', CALL_IDS.slice(0, random.chance(0.9) ? 3 : undefined), 0.99);
    set('from-tag', TAGS.slice(0, random.chance(0.9) ? 3 : undefined), 0.97);
    set('to-tag', TAGS.slice(0, random.chance(0.9) ? 3 : undefined), command === 'answer' ? 0.98 : 0.3);
    set('via-branch', BRANCHES, 0.15);
    if (command === 'answer' && random.chance(0.8)) Object.assign(keys, this.#dialog());
    if (command === 'offer' || command === 'answer') keys.sdp = this.#sdp(command, keys);
    if (random.chance(0.8)) keys.direction = [random.pick(ZONE_NAMES.slice(0, 6)), random.pick(ZONE_NAMES)];
    for (const [key, values] of Object.entries(OPTIONS)) set(key, values, 0.12);
    if (random.chance(0.3)) keys.flags = [random.pick(FLAGS), random.pick(FLAGS)];
    if (random.chance(0.03)) keys[random.pick(Object.keys(keys))] = rubbish(random);
    return keys;
  }

  /** Names a call, and a side of it that waits for an answer, if there is one. */
  #dialog(): Record<string, NgValue> {
    const waiting = [...this.node.core.calls].flatMap(({ callId, legs }) =>
      legs.flatMap(({ tag, pending }) => (pending && tag !== undefined ? [{ callId, tag }] : [])),
    );
    if (waiting.length === 0) return {};
    const { callId, tag } = this.#random.pick(waiting);
    const others = TAGS.slice(0, 4).filter((other) => other !== tag);
    return { 'call-id': callId, 'from-tag': tag, 'to-tag': this.#random.pick(others) };
  }

  #sdp(command: string, keys: Record<string, NgValue>): string {
    const random = this.#random;
    const offerer = this.node.core.calls.get(String(keys['call-id']))?.legOf(String(keys['from-tag']));
    const isAnswer = command === 'answer' && offerer?.pending !== undefined;
    // An answer that fits, mostly: as many lines, and a key that was offered.
    const sdp =
      isAnswer && random.chance(0.9)
        ? this.#answerTo(offerer)
        : sdpText(
            random,
            Array.from({ length: random.below(5) }, () => this.#section()),
          );
    if (random.chance(0.03)) return bent(random, sdp);
    if (random.chance(0.02)) return bent(random, random.pick(Object.values(CORPUS)));
    return random.chance(0.01) ? '' : sdp;
  }

  #answerTo(offerer: Leg): string {
    const random = this.#random;
    const sections = (offerer.pending?.lines ?? []).map((line, i) => {
      const offered = offerer.offeredTo?.lines[i]?.offered;
      if (offered === undefined || random.chance(0.1)) return [`m=${line.media} 0 RTP/AVP 0`];
      const key = offered.cryptos.length > 0 ? random.pick(offered.cryptos) : undefined;
      if (offered.kind === 'opaque')
        return [`m=${line.media} ${random.between(1, 65_535)} ${line.protocol} *`];
      const attributes = key ? [this.#crypto(key.tag, key.suite.name)] : [];
      return this.#rtp(offered.mustEncrypt ? 'RTP/SAVP' : 'RTP/AVP', attributes);
    });
    return sdpText(random, sections);
  }

  #section(): string[] {
    const random = this.#random;
    const protocol = random.pick(PROTOCOLS);
    const hasKeys = protocol.includes('SAVP') ? random.chance(0.9) : random.chance(0.1);
    const suites = Array.from(
      { length: hasKeys ? random.between(1, 3) : 0 },
      () => random.pick(SRTP_SUITES).name,
    );
    return this.#rtp(
      protocol,
      suites.map((suite, i) => this.#crypto(i + 1, suite)),
    );
  }

  #rtp(protocol: string, attributes: readonly string[]): string[] {
    const random = this.#random;
    const port = random.chance(0.1) ? 0 : random.between(1, 65_535);
    const more = [
      'rtcp-mux',
      'rtcp:9',
      'rtcp:9 IN IP4 192.0.2.4',
      'sendonly',
      'mid:1',
      'bundle-only',
      'ice-mismatch',
    ];
    const ice = random.chance(0.3) ? [`ice-ufrag:u${random.below(3)}`, 'ice-pwd:0123456789012345678901'] : [];
    const chosen = more.filter(() => random.chance(0.15));
    return [
      `m=${random.pick(['audio', 'video', 'application'])} ${port} ${protocol} ${random.pick(['0', '96 97', '*'])}`,
      ...(random.chance(0.15) ? [`c=IN IP4 ${random.pick(['0.0.0.0', '192.0.2.8', 'a.local'])}`] : []),
      ...[...attributes, ...ice, ...chosen].map((attribute) => `a=${attribute}`),
    ];
  }

  /** Of a phone: no two keys are the same, and each can be told from ours. */
  #crypto(tag: number, suiteName: string): string {
    const suite = SRTP_SUITES.find(({ name }) => name === suiteName);
    const key = Buffer.alloc((suite?.keyBytes ?? 0) + (suite?.saltBytes ?? 0), 'phone');
    key.writeUInt32BE(++this.#keysOfPhones, 12);
    return `crypto:${tag} ${suiteName} inline:${key.toString('base64')}`;
  }

  #checkReply(command: string, keys: NgDictionary, reply: NgDictionary): void {
    const told = JSON.stringify({ command, keys, reply });
    if (reply.result !== 'ok') {
      const isLoad = reply.result === 'load limit' && reply.message === 'Parallel session limit reached';
      if (reply.result !== 'error' && !isLoad) throw new Error(`no result: ${told}`);
      if (!/^[ -~]{1,200}$/.test(String(reply['error-reason']))) throw new Error(`no reason: ${told}`);
      return;
    }
    if (command !== 'offer' && command !== 'answer') return;
    const before = SdpDocument.parse(String(keys.sdp));
    const after = SdpDocument.parse(String(reply.sdp));
    if (after?.media.length !== before?.media.length) throw new Error(`other lines: ${told}`);
    this.#checkKeys(command, keys, String(reply.sdp));
  }

  /** What packets go by, of every component. */
  #media(): Map<Component, readonly unknown[]> {
    const { endpoints } = this.node.io;
    const text = (row: number): string => (row < 0 ? '' : endpoints.text(row));
    const lines = [...this.node.core.calls].flatMap(({ legs }) => legs.flatMap((leg) => leg.lines));
    return new Map(
      lines.flatMap((line) =>
        line.components.map((component) => {
          const { carries, socket, remote, receiver, sender, forwardsTo, forwardsRtcpTo, ice } = component;
          const isUsed = line.remote !== undefined;
          const used = isUsed
            ? [carries, text(remote), receiver, sender, forwardsTo, forwardsRtcpTo, ice]
            : [];
          return [component, [line.components.length, socket, isUsed, ...used]];
        }),
      ),
    );
  }

  /** An offer changes nothing for packets that flow, and what is refused changes nothing at all. */
  #checkMedia(
    before: Map<Component, readonly unknown[]>,
    name: string,
    keys: NgDictionary,
    reply: NgDictionary,
  ): void {
    const after = this.#media();
    const told = (): string => JSON.stringify({ name, keys, reply });
    for (const [component, was] of before) {
      const is = after.get(component);
      // Only a line that had one port, and needs two, gets new ones at once.
      if (is === undefined && reply.result === 'ok' && was[0] === 1) continue;
      if (was.some((value, i) => value !== is?.[i])) throw new Error(`media was disturbed by ${told()}`);
    }
    if (reply.result !== 'ok' && after.size !== before.size) throw new Error(`ports were left by ${told()}`);
  }

  /** The keys of an SDP are those of one leg, and not of the side that sent it. */
  #checkKeys(command: string, keys: NgDictionary, sdp: string): void {
    const callId = String(keys['call-id']);
    const call = this.node.core.calls.get(callId);
    const offerer = call?.legOf(String(keys['from-tag']));
    const answerer = command === 'offer' ? offerer?.offeredTo : call?.legOf(String(keys['to-tag']));
    const receiver = command === 'offer' ? answerer : offerer;
    const zones = [offerer, answerer].map((leg) => this.node.settings.zones[leg?.zone ?? 0]);
    if (zones.every((zone) => zone?.media === 'relay')) return;
    const own = new Set(receiver?.lines.flatMap((line) => [...line.keys.values()].map(keyText)));
    for (const [, key = ''] of sdp.matchAll(/^a=crypto:.*inline:([^\s|]+)/gm)) {
      if (!own.has(key)) throw new Error(`a key of another side in the ${command} of ${callId}: ${sdp}`);
    }
  }

  #checkCall(call: Call): void {
    const told = JSON.stringify(call.callId);
    if (call.legs.length > LEGS_MAX) throw new Error(`${told} has ${call.legs.length} legs`);
    if (call.components.length > LIMITS.portsPerCall) throw new Error(`${told} has too many ports`);
    for (const leg of call.legs) {
      if (leg.earlierTags.size > LEGS_MAX) throw new Error(`${told} remembers ${leg.earlierTags.size} tags`);
      for (const line of leg.lines) {
        for (const key of line.keys.values()) {
          const text = keyText(key);
          const owner = this.#owners.get(text) ?? line;
          if (owner !== line) throw new Error(`${told}: a key of two lines`);
          this.#owners.set(text, line);
        }
      }
    }
  }
}

function keyText({ masterKey, masterSalt }: { masterKey: Uint8Array; masterSalt: Uint8Array }): string {
  return Buffer.concat([masterKey, masterSalt]).toString('base64');
}

function zonesOf(random: Random): ZoneOptions[] {
  const flip = (): boolean => random.chance(0.5);
  return [
    { name: 'plain', addresses: ['198.51.100.1', '2001:db8::1'], ice: flip(), aesGcm: flip() },
    { name: 'secure', addresses: ['10.0.0.1'], mediaEncryption: random.pick(MODES), aesGcm: flip() },
    { name: 'edge-out', addresses: ['198.51.100.2'], media: 'relay' },
    { name: 'edge-in', addresses: ['10.0.0.2'], media: 'relay', multiplexedPorts: [2776, 2777] },
    {
      name: 'shared',
      addresses: ['10.0.0.3'],
      multiplexedPorts: [2776, 2777],
      mediaEncryption: random.pick(MODES),
    },
    {
      name: 'best',
      addresses: ['fd00::1'],
      mediaEncryption: 'bestEffort',
      bfcpFilter: flip(),
      ixFilter: flip(),
    },
  ];
}

function sdpText(random: Random, sections: readonly (readonly string[])[]): string {
  const address = random.pick([
    'IP4 192.0.2.1',
    'IP4 192.0.2.1',
    'IP4 0.0.0.0',
    'IP6 2001:db8:f::1',
    'IP4 224.1.1.1',
  ]);
  const session = random.chance(0.1) ? ['a=group:BUNDLE 1 2', 'a=ice-lite', 'a=inactive'] : [];
  const head = ['v=0', 'o=- 1 1 IN IP4 192.0.2.1', 's=-', `c=IN ${address}`, 't=0 0', ...session];
  return [...head, ...sections.flat(), ''].join('\r\n');
}

/** The text with a piece gone, doubled or foreign. */
function bent(random: Random, text: string): string {
  const at = random.below(text.length + 1);
  const to = Math.min(text.length, at + random.below(60));
  const piece = random.pick([
    '',
    text.slice(at, to).repeat(2),
    '\r\n',
    '\n',
    ' ',
    'm=audio 1 RTP/SAVP 0\r\n',
    '\u00ff',
    '0',
  ]);
  return text.slice(0, at) + piece + text.slice(to);
}

/** A value of another kind than anybody expects. */
function rubbish(random: Random): NgValue {
  return random.pick<NgValue>([
    0,
    -1,
    2 ** 53,
    '',
    [],
    {},
    [[[]]],
    { sdp: 'v=0' },
    '\r\n',
    'x'.repeat(5000),
    ['', ''],
  ]);
}
